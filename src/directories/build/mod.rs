// SPDX-License-Identifier: GPL-3.0-or-later
//! Makes a snapshot of what a source tells.
//!
//! Records go to disk as they come; in memory are eight octets of each address, and what is few. When the source has said
//! that it is complete, the fingerprints are sorted and compared with those of the snapshot in force, and the other sections
//! are written behind the records. Nothing is in force by that: the file still has to be put in its place.

mod address;
mod compare;
mod contents;
mod groups;
mod guard;
mod intake;
mod settle;
mod sorter;

pub(super) use intake::{Intake, Tell};
pub(super) use settle::LABEL;

use super::snapshot::{Collision, Entry, GroupCounts, Meta, Part, Snapshot, SnapshotError, View, Writer};
use super::source::{Extent, SinkError};
use crate::config::SyncRules;
use crate::mail::{DomainPattern, MailboxKey};
use crate::store::{Staged, Store, StoreError};
use contents::{Contents, Served};
use settle::Settled;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

/// Addresses that came more than once, of which is looked whether they were spelled alike.
const MOST_COMPARED: usize = 10_000;

/// Why no snapshot was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    /// What came cannot be taken.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The disk refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot that it is compared with cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Changes cannot be followed.
    #[error("changes cannot be followed; everything has to be asked for")]
    Resync,
}

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> Self {
        Self::Sink(error.into())
    }
}

impl From<sorter::SortError> for BuildError {
    fn from(error: sorter::SortError) -> Self {
        match error {
            sorter::SortError::Store(error) => error.into(),
            sorter::SortError::Io(error) => error.into(),
        }
    }
}

/// Under which terms a snapshot is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// The directory's name.
    pub(super) directory: &'a str,
    pub(super) rules: &'a SyncRules,
    pub(super) served: &'a [DomainPattern],
    pub(super) store: &'a Store,
    /// The snapshot in force, and how to look at it.
    pub(super) old: Option<&'a Snapshot>,
    pub(super) view: View,
    /// Whether the same again is worth a new file, because it takes the place of a damaged one.
    pub(super) anew: bool,
}

/// A snapshot that is whole, but not in its place.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) staged: Staged,
    pub(super) meta: Meta,
    pub(super) added: u64,
    pub(super) removed: u64,
}

/// What was made of a complete answer.
#[derive(Debug)]
pub(super) enum Finished {
    /// It is what is in force.
    Unchanged(Box<Meta>),
    /// It is something else.
    New(Box<Built>),
}

impl<'a> Terms<'a> {
    /// Somebody to tell everything to, or what has changed.
    pub(super) fn intake(&self, changes: bool, tell: Tell<'a>) -> Result<Intake<'a>, BuildError> {
        let key = self.old.map(Snapshot::key).transpose()?.unwrap_or_else(MailboxKey::draw);
        let contents = Contents::new(&Arc::new(Served::new(self.served)), &key, self.rules);
        Ok(Intake::new(self.rules, contents, self.store.stage(LABEL)?, changes, tell)?)
    }

    /// Makes a snapshot of what was told.
    pub(super) fn finish(
        &self,
        intake: Intake<'_>,
        extent: Extent,
        notes: Vec<String>,
    ) -> Result<Finished, BuildError> {
        let mut settled = intake.settle(extent, self.old, self.store)?;
        let repeated = settled.sort();
        let mut meta = settled.meta(self, notes);
        meta.collisions = settled.collisions(&repeated)?;
        if let Some(old) = self.old
            && !self.anew
            && old.meta().digest == meta.digest
            && old.meta().served == meta.served
        {
            return Ok(Finished::Unchanged(Box::new(meta)));
        }
        self.write(settled, meta).map(|built| Finished::New(Box::new(built)))
    }

    fn write(&self, mut settled: Settled, mut meta: Meta) -> Result<Built, BuildError> {
        let Self { old, view, .. } = *self;
        let comparison = match old {
            Some(old) => compare::compare(&settled.contents.fingerprints, old)?,
            None => {
                let added = settled.contents.fingerprints.len() as u64;
                compare::Comparison { added, ..compare::Comparison::default() }
            }
        };
        write_fingerprints(&mut settled.writer, &settled.contents)?;
        compare::write_first_seen(&mut settled.writer, &settled.contents.fingerprints, old, view)?;
        let Settled { writer, contents, .. } = &mut settled;
        let removed = &comparison.removed;
        (meta.leaving, meta.left_groups) =
            compare::write_leaving(writer, contents, &comparison, old, view, self.store)?;
        writer.begin(Part::InternalOnly);
        for fingerprint in &contents.internal_only {
            writer.item(&fingerprint.to_le_bytes())?;
        }
        writer.end();
        let groups::Resolved { counts, keys, wanted } =
            groups::write(&mut settled, self.store, &self.rules.groups)?;
        meta.groups = counts;
        let contents = &settled.contents;
        let none = Meta::default();
        let before = old.map_or(&none, Snapshot::meta);
        meta.whole_domains = compare::wide(&contents.whole_domains, &before.whole_domains, old, view);
        meta.patterns = compare::wide(&contents.patterns, &before.patterns, old, view);
        if let Some(old) = old {
            let emptied = guard::emptied(old, self.rules, &wanted)?;
            let noted = emptied.iter().filter(|one| !one.holds());
            meta.notes.extend(noted.map(ToString::to_string));
            let removed = removed.len() as u64;
            let change = guard::Change { contents, removed, groups: &keys, emptied: &emptied };
            meta.held = guard::judge(change, old, self.rules.max_removed)?;
        }
        let wide = compare::wide_changes(&meta, before);
        let staged = settled.writer.finish(&meta)?;
        let (added, removed) = (comparison.added + wide.0, removed.len() as u64 + wide.1);
        Ok(Built { staged, meta, added, removed })
    }
}

impl Meta {
    /// Whether nobody is left.
    pub(super) fn is_empty(&self) -> bool {
        let mut wide = self.whole_domains.iter().chain(&self.patterns);
        self.addresses == 0 && !wide.any(|wide| wide.gone.is_none())
    }
}

impl Settled {
    /// Sorts what was collected; gives what came more than once, as far as it is looked at.
    fn sort(&mut self) -> Vec<u64> {
        let all = &mut self.contents.fingerprints;
        all.sort_unstable();
        let before = all.len();
        let mut repeated = Vec::new();
        let mut last = None;
        all.retain(|one| {
            let is_new = last != Some(*one);
            if !is_new && repeated.len() < MOST_COMPARED && repeated.last() != Some(one) {
                repeated.push(*one);
            }
            last = Some(*one);
            is_new
        });
        self.counts.duplicates = (before - all.len()) as u64;
        self.contents.internal_only.sort_unstable();
        self.contents.internal_only.dedup();
        repeated
    }

    /// What is known so far.
    fn meta(&mut self, terms: &Terms<'_>, notes: Vec<String>) -> Meta {
        let Self { contents, counts, invalid, .. } = self;
        counts.kinds = std::mem::take(&mut contents.kinds);
        Meta {
            directory: terms.directory.into(),
            built: terms.view.now,
            held: Vec::new(),
            served: contents.served().patterns.clone(),
            by_served: contents.by_served.clone(),
            addresses: contents.fingerprints.len() as u64,
            leaving: 0,
            internal_only: contents.internal_only.len() as u64,
            whole_domains: Vec::new(),
            patterns: Vec::new(),
            counts: counts.clone(),
            invalid: std::mem::take(invalid),
            collisions: Vec::new(),
            groups: GroupCounts::default(),
            left_groups: Vec::new(),
            notes,
            digest: contents.digest(),
        }
    }

    /// Which of those that came more than once were spelled in different ways, in different records.
    fn collisions(&mut self, repeated: &[u64]) -> Result<Vec<Collision>, BuildError> {
        let mut found = Vec::new();
        if repeated.is_empty() {
            return Ok(found);
        }
        let entries = self.entries()?;
        let mut first: HashMap<u64, (Box<str>, Box<str>)> = HashMap::new();
        let mut told = HashSet::new();
        for entry in entries {
            let Entry::Object(record) = entry? else { continue };
            for address in &record.addresses {
                let fingerprint = self.contents.fingerprint(address);
                let Some(one) = fingerprint.filter(|one| repeated.binary_search(one).is_ok()) else {
                    continue;
                };
                let (spelling, key) =
                    first.entry(one).or_insert_with(|| (address.clone(), record.key.clone()));
                if spelling != address && *key != record.key && told.insert(one) {
                    let spellings = [spelling.clone(), address.clone()];
                    found.push(Collision { spellings, keys: [key.clone(), record.key.clone()] });
                    if found.len() == intake::LISTED {
                        return Ok(found);
                    }
                }
            }
        }
        Ok(found)
    }
}

fn write_fingerprints(writer: &mut Writer<Staged>, contents: &Contents) -> Result<(), BuildError> {
    writer.begin(Part::Fingerprints);
    writer.prologue(&contents.key().to_octets())?;
    for fingerprint in &contents.fingerprints {
        writer.item(&fingerprint.to_le_bytes())?;
    }
    writer.end();
    Ok(())
}
