// SPDX-License-Identifier: GPL-3.0-or-later
//! What changes from one snapshot to another, spelled out.
//!
//! Fingerprints are compared first; the records are read only for the spelling of what differs, so memory grows with the
//! difference. Those who are leaving count as gone.

use crate::directories::snapshot::{Meta, Placed, Snapshot, SnapshotError};
use crate::mail::{Mailbox, MailboxKey};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What changes from one snapshot to another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Diff {
    /// Addresses, whole domains (`@example.com`) and patterns that are new.
    pub added: Listed,
    /// Those that are gone.
    pub removed: Listed,
    /// Groups that are new, by name.
    pub groups_added: Listed,
    /// Groups that are gone.
    pub groups_removed: Listed,
    /// Groups with other members: `sales: 3 more, 1 less`.
    pub groups_changed: Listed,
}

/// Some of many.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listed {
    /// How many there are.
    pub count: u64,
    /// The first of them, in the order of their spelling.
    pub first: Vec<Box<str>>,
}

/// The first few in the order of their spelling, of any number.
struct First {
    most: usize,
    found: BTreeSet<Box<str>>,
}

impl First {
    fn new(most: usize) -> Self {
        Self { most, found: BTreeSet::new() }
    }

    fn add(&mut self, text: Box<str>) {
        self.found.insert(text);
        if self.found.len() > self.most {
            self.found.pop_last();
        }
    }

    fn listed(self, count: u64) -> Listed {
        Listed { count, first: self.found.into_iter().collect() }
    }
}

/// Compares two snapshots, whose keys are the same or not.
pub(super) fn diff(from: &Snapshot, to: &Snapshot, most: usize) -> Result<Diff, SnapshotError> {
    let (old, new) = (numbers(from, to)?, numbers(to, from)?);
    let added = spelled(to, from, &new, most)?;
    let removed = spelled(from, to, &old, most)?;
    let mut found = Diff { added, removed, ..Diff::default() };
    groups(from, to, most, &mut found)?;
    Ok(found)
}

/// The fingerprints of one that the other has not, ascending, made with the key of the first.
fn numbers(one: &Snapshot, other: &Snapshot) -> Result<Vec<u64>, SnapshotError> {
    if one.key()? != other.key()? {
        return foreign_numbers(one, other);
    }
    let mut others = other.fingerprints()?.peekable();
    let mut alone = Vec::new();
    for number in one.fingerprints()? {
        let number = number?;
        while let Some(passed) = others.next_if(|next| next.as_ref().map_or(true, |next| *next < number)) {
            passed?;
        }
        if !matches!(others.peek(), Some(Ok(next)) if *next == number) {
            alone.push(number);
        }
    }
    Ok(alone)
}

/// The same where the keys differ: through the addresses.
fn foreign_numbers(one: &Snapshot, other: &Snapshot) -> Result<Vec<u64>, SnapshotError> {
    let key = one.key()?;
    let mut others = Vec::new();
    for record in other.records()? {
        for address in &record?.addresses {
            others.extend(fingerprint(address, &key));
        }
    }
    others.sort_unstable();
    let is_alone = |number: &Result<u64, SnapshotError>| {
        number.as_ref().map_or(true, |number| others.binary_search(number).is_err())
    };
    one.fingerprints()?.filter(is_alone).collect()
}

fn fingerprint(address: &str, key: &MailboxKey) -> Option<u64> {
    let mailbox = Mailbox::parse_strict(address).ok()?;
    Some(key.fingerprint(&mailbox.folded_local()?, mailbox.domain()?.as_str()).get())
}

/// What one has alone: these addresses, and whole domains and patterns.
fn spelled(one: &Snapshot, other: &Snapshot, alone: &[u64], most: usize) -> Result<Listed, SnapshotError> {
    let mut first = First::new(most);
    let wide = |meta: &Meta| -> HashSet<Box<str>> {
        let domains = meta.whole_domains.iter().filter(|wide| wide.gone.is_none());
        let domains = domains.map(|wide| format!("@{}", wide.text).into());
        let patterns = meta.patterns.iter().filter(|wide| wide.gone.is_none());
        domains.chain(patterns.map(|wide| wide.text.clone())).collect()
    };
    let wide: Vec<Box<str>> = wide(one.meta()).difference(&wide(other.meta())).cloned().collect();
    let count = (alone.len() + wide.len()) as u64;
    for text in wide {
        first.add(text);
    }
    if !alone.is_empty() && most > 0 {
        let key = one.key()?;
        for record in one.records()? {
            for address in record?.addresses {
                if fingerprint(&address, &key).is_some_and(|number| alone.binary_search(&number).is_ok()) {
                    first.add(address);
                }
            }
        }
    }
    Ok(first.listed(count))
}

/// Compares groups by key.
fn groups(from: &Snapshot, to: &Snapshot, most: usize, found: &mut Diff) -> Result<(), SnapshotError> {
    let by_key = |snapshot: &Snapshot| {
        snapshot
            .placed_groups()?
            .map(|placed| placed.map(|placed| (placed.group.key.clone(), placed)))
            .collect::<Result<BTreeMap<_, _>, SnapshotError>>()
    };
    let (old, new) = (by_key(from)?, by_key(to)?);
    let alone = |one: &BTreeMap<Box<str>, Placed>, other: &BTreeMap<Box<str>, Placed>| {
        let mut first = First::new(most);
        let mut count = 0;
        for (_, placed) in one.iter().filter(|(key, _)| !other.contains_key(*key)) {
            count += 1;
            first.add(placed.group.name.clone());
        }
        first.listed(count)
    };
    found.groups_removed = alone(&old, &new);
    found.groups_added = alone(&new, &old);
    let (mut first, mut count) = (First::new(most), 0);
    let same_key = from.key()? == to.key()?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    if same_key && old.keys().any(|key| new.contains_key(key)) {
        before = from.fingerprints()?.collect::<Result<_, _>>()?;
        after = to.fingerprints()?.collect::<Result<_, _>>()?;
    }
    for (key, was) in &old {
        let Some(is) = new.get(key) else { continue };
        let (more, less) = if same_key {
            let (was, is) = (members(from, was, &before)?, members(to, is, &after)?);
            (only(&is, &was), only(&was, &is))
        } else {
            let (was, is) = (was.group.members, is.group.members);
            (is.saturating_sub(was), was.saturating_sub(is))
        };
        if more + less > 0 {
            count += 1;
            first.add(format!("{}: {more} more, {less} less", is.group.name).into());
        }
    }
    found.groups_changed = first.listed(count);
    Ok(())
}

/// The fingerprints of a group's addresses, ascending.
fn members(snapshot: &Snapshot, placed: &Placed, all: &[u64]) -> Result<Vec<u64>, SnapshotError> {
    let indexes = snapshot.members(placed)?.into_iter();
    Ok(indexes.filter_map(|place| all.get(place as usize).copied()).collect())
}

/// How many are in one alone.
fn only(one: &[u64], other: &[u64]) -> u64 {
    one.iter().filter(|number| other.binary_search(number).is_err()).count() as u64
}
