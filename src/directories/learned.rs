// SPDX-License-Identifier: GPL-3.0-or-later
//! Recipients that nobody knew and a domain accepted all the same (`recipients = "learn"`), and those of them that were
//! approved since: `learned.json` in `state_dir`.
//!
//! Whoever can send through a gateway can invent addresses, so what waits is bounded: at most [`MOST`] addresses of
//! [`MOST_OCTETS`] octets in all, of which those go first that were seen least often, and of these the ones not seen for
//! longest. Nothing that was approved goes by itself. The server adds and the command approves, each under the store's lock.

use crate::gate;
use crate::mail::{DomainPattern, Escaped, Mailbox, MailboxSetBuilder};
use crate::policy;
use crate::store::{LockError, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The name of the directory that they make; no other may have it.
pub const LEARNED: &str = "learned";
/// Addresses that wait for approval.
const MOST: usize = 100_000;
/// Their length together: written as JSON, they stay far below what is kept of any file.
const MOST_OCTETS: usize = 8 * 1024 * 1024;
/// The file.
const FILE: &str = "learned.json";
/// Whoever changes it holds this meanwhile.
const LOCK: &str = "learned.lock";
/// How long somebody else may hold it; the file is read and written in far less.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was learned, and what was approved.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Learned {
    /// Addresses that wait, each with how it was seen.
    waiting: BTreeMap<Address, Seen>,
    /// Addresses that were approved.
    approved: BTreeMap<Address, Seen>,
    /// How many were seen and not recorded, or went again, because there were too many.
    lost: u64,
}

/// An address whose local part is folded. It is printed escaped.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Address(Box<str>);

impl Address {
    /// The address as it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As one writes it; nothing for what is no address of a domain.
    fn of(mailbox: &Mailbox) -> Option<Self> {
        Some(Self(crate::mail::address(&mailbox.folded_local()?, mailbox.domain()?).into()))
    }

    fn mailbox(&self) -> Option<Mailbox> {
        Mailbox::parse_strict(&self.0).ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.0.as_bytes()).fmt(f)
    }
}

/// How an address was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Seen {
    /// How many messages there were for it.
    pub count: u64,
    /// When the first was noted, in seconds since 1970.
    pub first: u64,
    /// When the last was noted, in seconds since 1970.
    pub last: u64,
    /// The gateway that the last came through; nothing where any client may deliver.
    pub gateway: Option<String>,
}

impl Learned {
    /// The file that it is kept in.
    pub fn file(state_dir: &Path) -> PathBuf {
        Store::new(state_dir).dir().join(FILE)
    }

    /// What is kept in a state directory; nothing kept is nothing learned.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read: who was approved is then unknown.
    pub fn read(state_dir: &Path) -> Result<Self, StoreError> {
        Self::parse(state_dir, Store::new(state_dir).read(FILE)?.as_deref())
    }

    fn parse(state_dir: &Path, content: Option<&[u8]>) -> Result<Self, StoreError> {
        let Some(content) = content else { return Ok(Self::default()) };
        serde_json::from_slice(content).map_err(|_| StoreError::Damaged(state_dir.join(FILE)))
    }

    /// Reads what is kept, changes it and keeps it; alone, whoever else does the same. What `change` gives is given back.
    /// Where nothing changed, nothing is written. To be called where waiting does no harm.
    ///
    /// # Errors
    /// When it cannot be read or written, or somebody else holds it for ten seconds; nothing is changed then.
    pub fn update<T>(state_dir: &Path, change: impl FnOnce(&mut Self) -> T) -> Result<T, LockError> {
        let store = Store::new(state_dir);
        let _lock = store.lock(LOCK, PATIENCE)?;
        let before = store.read(FILE)?;
        let mut learned = Self::parse(state_dir, before.as_deref())?;
        let given = change(&mut learned);
        // Texts and numbers are always JSON.
        let after = serde_json::to_vec(&learned).unwrap_or_default();
        let nothing_yet = before.is_none() && learned == Self::default();
        if before.as_deref() != Some(&after) && !nothing_yet {
            store.write(FILE, &after)?;
        }
        Ok(given)
    }

    /// Takes in what the gate has noted. What was approved meanwhile is only counted. A clock that was turned back makes
    /// nothing older.
    pub fn merge(&mut self, noted: gate::Learned, now: SystemTime) {
        let gate::Learned { addresses, missed } = noted;
        self.lost = self.lost.saturating_add(missed);
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        for (address, gate::Noted { count, gateway }) in addresses {
            let address = Address(address.as_ref().into());
            let kept =
                if self.approved.contains_key(&address) { &mut self.approved } else { &mut self.waiting };
            let seen = kept.entry(address).or_insert(Seen { count: 0, first: now, last: now, gateway: None });
            seen.count = seen.count.saturating_add(count);
            seen.last = seen.last.max(now);
            seen.gateway = gateway.map(|gateway| gateway.as_ref().into());
        }
        self.bound(MOST, MOST_OCTETS);
    }

    /// Lets go of what is too much.
    fn bound(&mut self, most: usize, most_octets: usize) {
        let mut octets: usize = self.waiting.keys().map(|address| address.0.len()).sum();
        if self.waiting.len() <= most && octets <= most_octets {
            return;
        }
        let mut by_worth: Vec<_> =
            self.waiting.iter().map(|(address, seen)| (seen.count, seen.last, address.clone())).collect();
        by_worth.sort();
        for (_, _, address) in by_worth {
            if self.waiting.len() <= most && octets <= most_octets {
                break;
            }
            octets -= address.0.len();
            self.waiting.remove(&address);
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Approves addresses: from the next reading on, they exist. Those that do not wait are given back, unless they are
    /// approved already.
    pub fn approve<'a>(&mut self, addresses: impl IntoIterator<Item = &'a Mailbox>) -> Vec<&'a Mailbox> {
        let is_strange = |mailbox: &&Mailbox| {
            let Some(address) = Address::of(mailbox) else { return true };
            match self.waiting.remove(&address) {
                Some(seen) => drop(self.approved.insert(address, seen)),
                None => return !self.approved.contains_key(&address),
            }
            false
        };
        addresses.into_iter().filter(is_strange).collect()
    }

    /// Forgets addresses, approved or not. Those that are not there are given back.
    pub fn forget<'a>(&mut self, addresses: impl IntoIterator<Item = &'a Mailbox>) -> Vec<&'a Mailbox> {
        let is_strange = |mailbox: &&Mailbox| {
            let Some(address) = Address::of(mailbox) else { return true };
            let waited = self.waiting.remove(&address).is_some();
            !(self.approved.remove(&address).is_some() || waited)
        };
        addresses.into_iter().filter(is_strange).collect()
    }

    /// Those that wait, by address.
    pub fn waiting(&self) -> impl Iterator<Item = (&Address, &Seen)> {
        self.waiting.iter()
    }

    /// Those that were approved, by address.
    pub fn approved(&self) -> impl Iterator<Item = (&Address, &Seen)> {
        self.approved.iter()
    }

    /// How many were seen and are not here, because there were too many.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The approved ones, as a directory's. They cover the domains that they are in, and no other: nobody who has approved
    /// nothing of a domain has said that nobody exists there.
    pub fn recipients(&self) -> policy::Recipients {
        let mut mailboxes = MailboxSetBuilder::new();
        let mut domains = HashSet::new();
        for mailbox in self.approved.keys().filter_map(Address::mailbox) {
            mailboxes.insert(&mailbox);
            domains.extend(mailbox.domain().cloned().map(DomainPattern::Exact));
        }
        policy::Recipients { served: Some(domains), ..mailboxes.build().into() }
    }

    /// The directory that they make.
    pub fn directory(&self) -> policy::Directory {
        policy::Directory::loaded(LEARNED, self.recipients())
    }
}

#[cfg(test)]
mod tests;
