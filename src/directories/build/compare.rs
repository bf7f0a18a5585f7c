// SPDX-License-Identifier: GPL-3.0-or-later
//! What is new, what is gone since the snapshot in force, and who is leaving.

use super::BuildError;
use super::contents::Contents;
use crate::directories::snapshot::{Entry, Group, Leaving, Meta, Part, Snapshot, View, Wide, Writer};
use crate::store::{Staged, Stamp, Store};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::iter::Peekable;
use std::os::unix::fs::FileExt as _;

/// Most groups that somebody is remembered to have been in.
const MOST_GROUPS: usize = 8 * 1024;

/// What is gone of addresses, and how many are new.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: u64,
    /// Fingerprints, ascending.
    pub(super) removed: Vec<u64>,
    /// Their places in the older snapshot.
    pub(super) places: Vec<u32>,
}

/// Compares sorted fingerprints with those of an older snapshot.
pub(super) fn compare(fingerprints: &[u64], old: &Snapshot) -> Result<Comparison, BuildError> {
    let mut found = Comparison::default();
    let mut new = fingerprints.iter().copied().peekable();
    for (place, number) in (0u32..).zip(old.fingerprints()?) {
        let number = number?;
        found.added += before(&mut new, number);
        if new.next_if_eq(&number).is_none() {
            found.removed.push(number);
            found.places.push(place);
        }
    }
    found.added += new.count() as u64;
    Ok(found)
}

/// Passes over what is less than `number`, and counts it.
fn before(numbers: &mut Peekable<impl Iterator<Item = u64>>, number: u64) -> u64 {
    let mut passed = 0;
    while numbers.next_if(|one| *one < number).is_some() {
        passed += 1;
    }
    passed
}

/// Writes when each address first came: as the older snapshot has it, else `now`.
pub(super) fn write_first_seen(
    writer: &mut Writer<Staged>,
    fingerprints: &[u64],
    old: Option<&Snapshot>,
    view: View,
) -> Result<(), BuildError> {
    let seconds = |stamp: Stamp| u32::try_from(stamp.seconds()).unwrap_or(u32::MAX);
    let now = seconds(view.now);
    writer.begin(Part::FirstSeen);
    if let Some(old) = old {
        let mut dated = old.dated()?.peekable();
        let mut leaving = old.leaving(view)?.peekable();
        for number in fingerprints {
            let mut first = now;
            while let Some(one) = dated.next_if(|one| one.as_ref().map_or(true, |(one, _)| one <= number)) {
                let (fingerprint, date) = one?;
                if fingerprint == *number {
                    first = date;
                }
            }
            while let Some(one) =
                leaving.next_if(|one| one.as_ref().map_or(true, |one| one.fingerprint <= *number))
            {
                let one = one?;
                if one.fingerprint == *number {
                    first = seconds(one.first_seen);
                }
            }
            writer.item(&first.to_le_bytes())?;
        }
        // To the end, where the checksum is.
        dated.try_for_each(|one| one.map(drop))?;
    } else {
        for _ in fingerprints {
            writer.item(&now.to_le_bytes())?;
        }
    }
    writer.end();
    Ok(())
}

/// Writes who is leaving: those who were so before and have not come back, and those who are gone now. Gives how many they
/// are, and the groups that they were in.
pub(super) fn write_leaving(
    writer: &mut Writer<Staged>,
    contents: &Contents,
    gone: &Comparison,
    old: Option<&Snapshot>,
    view: View,
    store: &Store,
) -> Result<(u64, Vec<Group>), BuildError> {
    writer.begin(Part::Leaving);
    let (mut count, mut groups) = (0, LeftGroups::default());
    if let Some(old) = old {
        let mut leavers = Leavers::new(store)?;
        for leaving in old.leaving(view)? {
            let mut leaving = leaving?;
            if contents.fingerprints.binary_search(&leaving.fingerprint).is_err() {
                leaving.since = since(leaving.since, old, view);
                let known = &old.meta().left_groups;
                let left = leaving.groups.iter().filter_map(|number| known.get(*number as usize));
                leaving.groups = left.map(|group| groups.number(group)).collect();
                leavers.add(&leaving)?;
            }
        }
        if !gone.removed.is_empty() && !view.grace.is_zero() {
            let left = groups.left(gone, old)?;
            spell(&mut leavers, contents, (&gone.removed, &left), old, view.now)?;
        }
        leavers.finish(|octets| {
            count += 1;
            writer.piece(octets)
        })?;
    }
    writer.end();
    Ok((count, groups.all))
}

/// The groups that those were in who are leaving.
#[derive(Default)]
struct LeftGroups {
    all: Vec<Group>,
    numbers: HashMap<(Box<str>, Box<str>), u32>,
}

impl LeftGroups {
    fn number(&mut self, group: &Group) -> u32 {
        let Self { all, numbers } = self;
        *numbers.entry((group.name.clone(), group.key.clone())).or_insert_with(|| {
            all.push(Group { members: 0, ..group.clone() });
            u32::try_from(all.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Who of those that are gone was in which group: places among them, and groups; ascending.
    fn left(&mut self, gone: &Comparison, old: &Snapshot) -> Result<Vec<(u32, u32)>, BuildError> {
        let mut left = Vec::new();
        for placed in old.placed_groups()? {
            let placed = placed?;
            let mut number = None;
            let mut those = (0u32..).zip(&gone.places).peekable();
            for place in old.places(&placed)? {
                let place = place?;
                while those.next_if(|(_, gone)| **gone < place).is_some() {}
                match those.peek() {
                    None => break,
                    Some((index, gone)) if **gone == place => {
                        let number = *number.get_or_insert_with(|| self.number(&placed.group));
                        left.push((*index, number));
                    }
                    Some(_) => {}
                }
            }
        }
        left.sort_unstable();
        Ok(left)
    }
}

/// Since when it is gone, as the snapshot in force has it: those who went with it may have had to be accepted first.
fn since(since: Stamp, old: &Snapshot, view: View) -> Stamp {
    use crate::directories::shelf::Grace;
    match view.from {
        Grace::Accepted(at) if since == old.meta().built => at.max(since),
        Grace::Accepted(_) | Grace::Missed | Grace::Over => since,
    }
}

/// Finds how those were spelled who are gone, in the records where they still are.
fn spell(
    leavers: &mut Leavers,
    contents: &Contents,
    (removed, left): (&[u64], &[(u32, u32)]),
    old: &Snapshot,
    now: Stamp,
) -> Result<(), BuildError> {
    let groups_of = |place: usize| {
        let own =
            left.get(left.partition_point(|(index, _)| (*index as usize) < place)..).unwrap_or_default();
        let own = own.iter().take_while(move |(index, _)| *index as usize == place);
        own.take(MOST_GROUPS).map(|(_, group)| *group).collect()
    };
    let mut dates = vec![0u32; removed.len()];
    let mut internal = vec![false; removed.len()];
    for dated in old.dated()? {
        let (fingerprint, date) = dated?;
        if let Ok(place) = removed.binary_search(&fingerprint)
            && let Some(slot) = dates.get_mut(place)
        {
            *slot = date;
        }
    }
    for fingerprint in old.internal_only()? {
        if let Ok(place) = removed.binary_search(&fingerprint?)
            && let Some(slot) = internal.get_mut(place)
        {
            *slot = true;
        }
    }
    for entry in old.entries()? {
        let Entry::Object(record) = entry? else { continue };
        for address in &record.addresses {
            let Some(fingerprint) = contents.fingerprint(address) else { continue };
            let Ok(place) = removed.binary_search(&fingerprint) else { continue };
            let first_seen = u64::from(dates.get(place).copied().unwrap_or_default());
            leavers.add(&Leaving {
                fingerprint,
                address: address.clone(),
                since: now,
                first_seen: Stamp::default().after(std::time::Duration::from_secs(first_seen)),
                internal_only: internal.get(place).copied().unwrap_or_default(),
                groups: groups_of(place),
            })?;
        }
    }
    Ok(())
}

/// Whole domains or patterns: what is there, and what is leaving.
pub(super) fn wide(
    new: &BTreeSet<Box<str>>,
    old: &[Wide],
    snapshot: Option<&Snapshot>,
    view: View,
) -> Vec<Wide> {
    let known: HashMap<&str, &Wide> = old.iter().map(|wide| (&*wide.text, wide)).collect();
    let mut all: Vec<Wide> = new
        .iter()
        .map(|text| {
            let first_seen = known.get(&**text).map_or(view.now, |wide| wide.first_seen);
            Wide { text: text.clone(), first_seen, gone: None }
        })
        .collect();
    if let Some(snapshot) = snapshot {
        let built = snapshot.meta().built;
        all.extend(old.iter().filter(|wide| !new.contains(&wide.text)).filter_map(|wide| {
            let gone = match wide.gone {
                Some(gone) => view.until(gone, built).map(|_| since(gone, snapshot, view))?,
                None if view.grace.is_zero() => return None,
                None => view.now,
            };
            Some(Wide { gone: Some(gone), ..wide.clone() })
        }));
    }
    all
}

/// How many whole domains and patterns are new, and how many are gone.
pub(super) fn wide_changes(new: &Meta, old: &Meta) -> (u64, u64) {
    fn valid(meta: &Meta) -> HashSet<&str> {
        let all = meta.whole_domains.iter().chain(&meta.patterns);
        all.filter(|wide| wide.gone.is_none()).map(|wide| &*wide.text).collect()
    }
    let (new, old) = (valid(new), valid(old));
    (new.difference(&old).count() as u64, old.difference(&new).count() as u64)
}

/// Who is leaving, on disk in the order in which they are found; sixteen octets of each in memory.
struct Leavers {
    file: BufWriter<File>,
    at: u64,
    /// Fingerprint and place.
    index: Vec<(u64, u64)>,
}

impl Leavers {
    fn new(store: &Store) -> Result<Self, BuildError> {
        Ok(Self { file: BufWriter::new(store.scratch()?), at: 0, index: Vec::new() })
    }

    fn add(&mut self, leaving: &Leaving) -> Result<(), BuildError> {
        let octets = leaving.encode().map_err(std::io::Error::other)?;
        let length = u32::try_from(octets.len()).map_err(std::io::Error::other)?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&octets)?;
        self.index.push((leaving.fingerprint, self.at));
        self.at += 4 + u64::from(length);
        Ok(())
    }

    /// Gives each of them once, by fingerprint.
    fn finish(self, mut give: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<(), BuildError> {
        let Self { file, mut index, .. } = self;
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        index.sort_unstable();
        index.dedup_by_key(|(fingerprint, _)| *fingerprint);
        for (_, at) in index {
            let mut length = [0; 4];
            file.read_exact_at(&mut length, at)?;
            let mut octets = vec![0; u32::from_le_bytes(length) as usize];
            file.read_exact_at(&mut octets, at + 4)?;
            give(&octets)?;
        }
        Ok(())
    }
}
