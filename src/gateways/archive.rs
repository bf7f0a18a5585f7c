// SPDX-License-Identifier: GPL-3.0-or-later
//! Snapshots on disk, below `state_dir/gateways`: one file for each source, by kind and the hash of what it is.
//!
//! A file that cannot be read is a source that never answered: what it would let in is unknown, and nothing crashes.
//! Files of sources that nobody names any more go after [`FORGOTTEN`].

use super::snapshot::Snapshot;
use super::source::{kind, label};
use crate::config::{AddressSource, Feed, FeedFormat};
use crate::store::{Store, StoreError};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long a file is kept that no source uses: somebody may try without a gateway for a while.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is known of each source.
pub type Snapshots = HashMap<AddressSource, Snapshot>;

/// Where snapshots are kept.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Store,
}

impl Archive {
    /// The archive in a state directory.
    pub fn new(state_dir: &Path) -> Self {
        Self { store: Store::new(state_dir).below("gateways") }
    }

    /// What is kept of a source; nothing when it never was.
    pub fn read(&self, source: &AddressSource) -> Result<Option<Snapshot>, StoreError> {
        let name = file_name(source);
        let Some(content) = self.store.read(&name)? else { return Ok(None) };
        let kept: Kept = serde_json::from_slice(&content)
            .map_err(|_| StoreError::Damaged(self.store.dir().join(&name)))?;
        Ok(Some(kept.snapshot))
    }

    /// Keeps a snapshot.
    pub fn write(&self, source: &AddressSource, snapshot: &Snapshot) -> Result<(), StoreError> {
        let kept = KeptRef { source: label(source), snapshot };
        // Texts and numbers are always JSON.
        let content = serde_json::to_vec_pretty(&kept).unwrap_or_default();
        self.store.write(&file_name(source), &content)
    }

    /// Removes what was left behind: by killed writers, and by sources that nobody names any more.
    pub fn clean(&self, sources: &HashSet<AddressSource>, now: SystemTime) -> Result<(), StoreError> {
        self.store.clean(now)?;
        let used: HashSet<String> = sources.iter().map(file_name).collect();
        for (name, written) in self.store.files()? {
            if !used.contains(&name) && now.duration_since(written).is_ok_and(|age| age > FORGOTTEN) {
                self.store.remove(&name)?;
            }
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Kept {
    snapshot: Snapshot,
}

#[derive(serde::Serialize)]
struct KeptRef<'a> {
    /// For whoever looks into the file.
    source: String,
    snapshot: &'a Snapshot,
}

/// A safe name for the file of a source. All that makes it another source makes it another name.
fn file_name(source: &AddressSource) -> String {
    let mut hash = Sha256::new();
    // Each part with its length, so that two sources never run together.
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    match source {
        AddressSource::Spf(name) => add(name.as_bytes()),
        AddressSource::Host(name) => add(name.to_string().as_bytes()),
        AddressSource::Feed(feed) => {
            let Feed { url, format, ca, pins } = &**feed;
            add(url.as_bytes());
            add(match format {
                FeedFormat::Microsoft => b"microsoft",
                FeedFormat::Json => b"json",
                FeedFormat::Text => b"text",
            });
            add(ca.as_deref().unwrap_or_default());
            for pin in pins {
                add(pin);
            }
        }
    }
    let hash: [u8; 32] = hash.finalize().into();
    // Half of the hash is enough for names that nobody forges.
    let half = hash.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
    format!("{}-{half:032x}.json", kind(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn sources() -> Vec<AddressSource> {
        let feed = |url: &str, ca: Option<&[u8]>, pins| {
            let ca = ca.map(Arc::from);
            AddressSource::Feed(Arc::new(Feed { url: url.into(), format: FeedFormat::Json, ca, pins }))
        };
        vec![
            AddressSource::Spf("spf.example".into()),
            AddressSource::Spf("../../etc/passwd".into()),
            AddressSource::Host(crate::mail::Domain::parse("spf.example").unwrap()),
            feed("https://feed.example/", None, vec![]),
            feed("https://feed.example/", Some(b"ca"), vec![]),
            feed("https://feed.example/", None, vec![[7; 32]]),
        ]
    }

    #[test]
    fn each_source_has_a_safe_name_of_its_own() {
        let names: HashSet<String> = sources().iter().map(file_name).collect();
        assert_eq!(names.len(), sources().len(), "{names:?}");
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)), "{name}");
            assert!(!name.starts_with('.') && name.len() < 60, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_is_read() {
        let dir = std::env::temp_dir().join(format!("postern-archive-{}", std::process::id()));
        let archive = Archive::new(&dir);
        assert!(sources().iter().all(|source| archive.read(source).unwrap().is_none()));
        let snapshot = Snapshot { failures: 7, ..Snapshot::default() };
        for source in sources() {
            archive.write(&source, &snapshot).unwrap();
        }
        let spoilt = dir.join("gateways").join(file_name(&sources()[0]));
        std::fs::write(&spoilt, "{}").unwrap();
        archive.store.write(&file_name(&sources()[1]), b"{\"sound\": \"but no snapshot\"}").unwrap();
        for (number, source) in sources().iter().enumerate() {
            match archive.read(source) {
                Err(StoreError::Damaged(path)) => assert!(number < 2, "{}", path.display()),
                found => assert_eq!(found.unwrap().unwrap(), snapshot, "{number}"),
            }
        }
        // Files of others are kept for a while.
        let used: HashSet<AddressSource> = sources().into_iter().take(2).collect();
        let now = SystemTime::now();
        archive.clean(&used, now).unwrap();
        assert_eq!(archive.store.files().unwrap().len(), 6);
        archive.clean(&used, now + FORGOTTEN * 2).unwrap();
        assert_eq!(archive.store.files().unwrap().len(), 2);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
