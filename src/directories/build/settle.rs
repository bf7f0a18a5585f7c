// SPDX-License-Identifier: GPL-3.0-or-later
//! What is left when all has been told: of objects that came twice the last one, of changes everything else as it was.

use super::BuildError;
use super::contents::{Contents, MOST_WIDE};
use super::intake::{Changes, Intake, KeyHash};
use crate::directories::snapshot::{Counts, Entry, Invalid, Snapshot, SnapshotError, Writer};
use crate::directories::source::{Extent, SinkError};
use crate::store::{Staged, Store};
use std::collections::HashMap;

/// The label of snapshots that are being written.
pub(in crate::directories) const LABEL: &str = "snapshot";

/// All records in a file, and what they come to.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) writer: Writer<Staged>,
    pub(super) contents: Contents,
    pub(super) counts: Counts,
    pub(super) invalid: Vec<Invalid>,
}

impl Settled {
    /// The records, from the beginning.
    pub(super) fn entries(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<Entry, SnapshotError>> + use<>, BuildError> {
        entries(&mut self.writer)
    }
}

fn entries(
    writer: &mut Writer<Staged>,
) -> Result<impl Iterator<Item = Result<Entry, SnapshotError>> + use<>, BuildError> {
    let staged = writer.out();
    let (file, path) = (staged.reader()?, staged.path().to_owned());
    Ok(writer.entries(file, &path))
}

/// Which entries of a file others took the place of.
enum Last {
    /// None.
    All,
    /// By key: how many more are to come.
    Left(HashMap<u128, u32>, Vec<u64>),
    /// By key, the number of the last one.
    Number(HashMap<u128, u64>),
}

impl Intake<'_> {
    /// Settles what came. `old` is what changes are changes of.
    pub(super) fn settle(
        mut self,
        extent: Extent,
        old: Option<&Snapshot>,
        store: &Store,
    ) -> Result<Settled, BuildError> {
        let collected = self.keys.is_empty() && self.changes.is_none() && !self.gone;
        self.writer.end_records(self.entries)?;
        let (base, last) = match (extent, self.changes.take(), old) {
            (Extent::Everything, _, _) => {
                self.judge(0)?;
                if collected {
                    let Self { writer, contents, counts, invalid, .. } = self;
                    return Ok(Settled { writer, contents, counts, invalid });
                }
                let last = self.last_of_each()?;
                (None, last)
            }
            (Extent::Changes, Some(Changes { last, too_many: false }), Some(old)) => {
                self.judge(old.meta().addresses)?;
                (Some(old), Last::Number(last))
            }
            (Extent::Changes | Extent::Nothing, _, _) => return Err(BuildError::Resync),
        };
        self.keys = Vec::new();
        let mut contents = self.contents.emptied();
        if base.is_none() && !self.gone && matches!(last, Last::All) {
            for entry in entries(&mut self.writer)? {
                contents.add(&entry?);
                check(&contents)?;
            }
            let Self { writer, counts, invalid, .. } = self;
            return Ok(Settled { writer, contents, counts, invalid });
        }
        drop(std::mem::replace(&mut self.contents, contents.emptied()));
        let mut writer = Writer::new(store.stage(LABEL)?)?;
        let mut take = |entry: &Entry| -> Result<(), BuildError> {
            writer.entry(entry)?;
            contents.add(entry);
            check(&contents)
        };
        let mut last = last;
        for (number, entry) in (0u64..).zip(entries(&mut self.writer)?) {
            let entry = entry?;
            if last.is_superseded(&self.hash, number, &entry) {
                self.counts.replaced += u64::from(matches!(entry, Entry::Object(_)));
            } else if !matches!(entry, Entry::Gone(_)) {
                take(&entry)?;
            }
        }
        if let (Some(base), Last::Number(changed)) = (base, &last) {
            for entry in base.entries()? {
                let entry = entry?;
                let unchanged = match &entry {
                    Entry::Object(record) => !changed.contains_key(&self.hash.of(&record.key)),
                    Entry::Membership(..) => true,
                    Entry::Gone(_) => false,
                };
                if unchanged {
                    take(&entry)?;
                }
            }
        }
        writer.end_records(contents.entries)?;
        let Self { counts, invalid, .. } = self;
        Ok(Settled { writer, contents, counts, invalid })
    }

    /// Finds the keys that came more than once.
    fn last_of_each(&mut self) -> Result<Last, BuildError> {
        self.keys.sort_unstable();
        let mut repeated: Vec<u64> = self
            .keys
            .windows(2)
            .filter(|pair| pair.first() == pair.last())
            .filter_map(|pair| pair.first().copied())
            .collect();
        self.keys = Vec::new();
        repeated.dedup();
        if repeated.is_empty() {
            return Ok(Last::All);
        }
        // Half a hash may be the same by chance.
        let mut left: HashMap<u128, u32> = HashMap::new();
        for entry in entries(&mut self.writer)? {
            if let Some(hash) = key_of(&self.hash, &entry?)
                && repeated.binary_search(&KeyHash::short(hash)).is_ok()
            {
                *left.entry(hash).or_default() += 1;
            }
        }
        Ok(Last::Left(left, repeated))
    }
}

impl Last {
    /// Whether another one took its place.
    fn is_superseded(&mut self, hash: &KeyHash, number: u64, entry: &Entry) -> bool {
        let Some(key) = key_of(hash, entry) else { return false };
        match self {
            Self::All => false,
            Self::Left(left, repeated) => {
                repeated.binary_search(&KeyHash::short(key)).is_ok()
                    && left.get_mut(&key).is_some_and(|left| {
                        *left = left.saturating_sub(1);
                        *left > 0
                    })
            }
            Self::Number(last) => last.get(&key).is_some_and(|last| *last != number),
        }
    }
}

/// The hash of the key by which an entry takes another's place; the rows of a file take nobody's.
fn key_of(hash: &KeyHash, entry: &Entry) -> Option<u128> {
    match entry {
        Entry::Object(record) => record.line.is_none().then(|| hash.of(&record.key)),
        Entry::Gone(key) => Some(hash.of(key)),
        Entry::Membership(..) => None,
    }
}

fn check(contents: &Contents) -> Result<(), BuildError> {
    if contents.whole_domains.len().max(contents.patterns.len()) > MOST_WIDE {
        return Err(SinkError::TooLarge(format!("over {MOST_WIDE} whole domains or patterns")).into());
    }
    Ok(())
}
