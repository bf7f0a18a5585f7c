// SPDX-License-Identifier: GPL-3.0-or-later
//! What is known of one address source: its last good set, how it came about, and what is wrong at the moment.
//!
//! A snapshot is a value; [`merge`](super::merge) makes the next one of it, and the archive keeps it on disk as JSON.

use super::fetch::Validators;
use crate::mail::Network;
use crate::policy::LiveName;
use crate::store::Stamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What is known of one address source.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Snapshot {
    /// The last good set, and what has gone from it and is still held.
    pub entries: Vec<Entry>,
    /// Whether every answer of the last good set was validated (DNSSEC).
    #[serde(default)]
    pub validated: bool,
    /// What an administrator should know about the last good set, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the document of the last good set was marked with.
    #[serde(default)]
    pub validators: Validators,
    /// When the set was last known to be good; nothing when it never was.
    pub loaded: Option<Stamp>,
    /// When it was last asked for.
    pub checked: Option<Stamp>,
    /// When it will be asked for next.
    pub due: Option<Stamp>,
    /// How often in a row nothing usable came.
    #[serde(default)]
    pub failures: u32,
    /// What is wrong at the moment.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// An answer that was not believed, or not wholly, because it would change too much at once.
    #[serde(default)]
    pub held: Option<Held>,
}

impl Snapshot {
    /// Whether there ever was a good set.
    pub fn is_loaded(&self) -> bool {
        self.loaded.is_some()
    }

    /// Whether anything in it is published no longer.
    pub fn holds_any(&self) -> bool {
        self.entries.iter().any(|entry| entry.missing_since.is_some())
    }

    /// What is in force where a removal is held for this long. Only a good answer lets a held entry go: while nothing
    /// is heard, nothing is removed.
    pub fn in_force(&self, removal_hold: Duration) -> impl Iterator<Item = &Entry> {
        let heard = self.loaded.unwrap_or_default();
        self.entries.iter().filter(move |entry| entry.stays(heard, removal_hold))
    }

    /// Its networks in force.
    pub fn networks(&self, removal_hold: Duration) -> impl Iterator<Item = Network> {
        self.in_force(removal_hold).filter_map(|entry| entry.item.network())
    }

    /// Its names in force that are asked live.
    pub fn live(&self, removal_hold: Duration) -> impl Iterator<Item = &LiveName> {
        self.in_force(removal_hold).filter_map(|entry| entry.item.live())
    }
}

/// One thing that a source names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Item {
    /// A network.
    Network(Network),
    /// A name that is asked for each client.
    Live(LiveName),
}

impl Item {
    /// The network, if it is one.
    pub fn network(&self) -> Option<Network> {
        match self {
            Self::Network(network) => Some(*network),
            Self::Live(_) => None,
        }
    }

    /// The name, if it is one.
    pub fn live(&self) -> Option<&LiveName> {
        match self {
            Self::Live(name) => Some(name),
            Self::Network(_) => None,
        }
    }
}

/// One thing that a source names or has named, and where it comes from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Entry {
    /// What it is.
    pub item: Item,
    /// The way to it, from the source's own name to the record.
    pub via: Arc<str>,
    /// When it was first in an answer.
    pub first_seen: Stamp,
    /// When it was last in one.
    pub last_seen: Stamp,
    /// Since when it is in none.
    pub missing_since: Option<Stamp>,
}

impl Entry {
    /// Whether it is still in force at the time of an answer.
    pub(super) fn stays(&self, heard: Stamp, removal_hold: Duration) -> bool {
        self.missing_since.is_none_or(|since| heard.since(since) < removal_hold)
    }
}

/// What is wrong with a source.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trouble {
    /// Since when.
    pub since: Stamp,
    /// What, in a sentence.
    pub why: String,
}

/// An answer that a guard stopped.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Held {
    /// What would have happened.
    pub change: Change,
    /// How many networks and live names were in force.
    pub had: usize,
    /// How many were in the answer.
    pub has: usize,
    /// How many of those in force it no longer covers.
    pub gone: usize,
    /// The answer.
    pub proposed: Vec<Entry>,
}

/// A change that is too large to happen by itself.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Too much would go: it stays, and what is new was added.
    Shrink,
    /// Too much would come: nothing of it was taken.
    Growth,
}

/// An entry as it is written: networks and names as texts.
#[derive(Deserialize, Serialize)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live: Option<String>,
    via: String,
    first_seen: Stamp,
    last_seen: Stamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing_since: Option<Stamp>,
}

impl From<Entry> for Written {
    fn from(entry: Entry) -> Self {
        let Entry { item, via, first_seen, last_seen, missing_since } = entry;
        let (network, live) = match item {
            Item::Network(network) => (Some(network.to_string()), None),
            Item::Live(name) => (None, Some(name.to_string())),
        };
        Self { network, live, via: via.as_ref().into(), first_seen, last_seen, missing_since }
    }
}

impl TryFrom<Written> for Entry {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { network, live, via, first_seen, last_seen, missing_since } = written;
        let item = match (network, live) {
            (Some(text), None) => {
                let parsed = Network::parse(&text).map_err(|error| format!("{text}: {error}"))?;
                Item::Network(parsed.network)
            }
            (None, Some(name)) => Item::Live(LiveName::new(name)),
            (Some(_), Some(_)) | (None, None) => return Err("neither network nor live name, or both".into()),
        };
        Ok(Self { item, via: via.into(), first_seen, last_seen, missing_since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(item: Item, missing_since: Option<u64>) -> Entry {
        let stamp = |seconds| Stamp::default().after(Duration::from_secs(seconds));
        Entry {
            item,
            via: "spf.example > ip4:192.0.2.0/24".into(),
            first_seen: stamp(100),
            last_seen: stamp(200),
            missing_since: missing_since.map(stamp),
        }
    }

    #[test]
    fn it_is_the_same_after_a_stay_on_disk() {
        let network = Item::Network(Network::parse("2001:db8::/32").unwrap().network);
        let snapshot = Snapshot {
            entries: vec![
                entry(network.clone(), Some(300)),
                entry(Item::Live(LiveName::new("%{i}.x")), None),
            ],
            loaded: Some(Stamp::default()),
            trouble: Some(Trouble { since: Stamp::default(), why: "no answer".into() }),
            held: Some(Held {
                change: Change::Shrink,
                had: 3,
                has: 1,
                gone: 2,
                proposed: vec![entry(network, None)],
            }),
            ..Snapshot::default()
        };
        let text = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot, "{text}");
    }

    #[test]
    fn what_is_no_entry_is_not_read() {
        for text in [
            r#"{"via":"x","first_seen":1,"last_seen":1}"#,
            r#"{"network":"192.0.2.0/24","live":"x","via":"x","first_seen":1,"last_seen":1}"#,
            r#"{"network":"192.0.2.0/33","via":"x","first_seen":1,"last_seen":1}"#,
        ] {
            assert!(serde_json::from_str::<Entry>(text).is_err(), "{text}");
        }
    }
}
