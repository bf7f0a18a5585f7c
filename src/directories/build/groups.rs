// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is in which group, groups within groups resolved.
//!
//! Memberships are sorted on disk and joined with the keys of records there, so that the memory that is needed grows with
//! the number of groups and with the largest one, and not with the number of recipients. Names and keys are compared
//! without case. A group's own address is in the groups that it is in.

use super::BuildError;
use super::contents::{Contents, is_group};
use super::settle::Settled;
use super::sorter::{Sorted, Sorter};
use crate::directories::record::Record;
use crate::directories::snapshot::{Entry, Group, GroupCounts, Part, Placed, Writer, encode_places};
use crate::store::{Staged, Store};
use siphasher::sip::SipHasher13;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Stands for no address, where a place of one is kept.
const NONE: u32 = u32::MAX;
/// Stands for a member that is a group.
const GROUP: u32 = u32::MAX - 1;
/// Characters of a group's name or key that are kept.
const MOST_NAME: usize = 4 * 1024;

/// The groups there are.
#[derive(Default)]
struct Groups {
    hash: Option<(u64, u64)>,
    all: Vec<Group>,
    by_key: HashMap<u64, u32>,
    by_name: HashMap<u64, u32>,
    by_address: HashMap<u64, u32>,
    /// The groups that are in a group.
    within: HashMap<u32, Vec<u32>>,
}

impl Groups {
    /// Stands for a key or a name, without case.
    fn hash(&mut self, text: &str) -> u64 {
        let (one, other) = *self.hash.get_or_insert_with(|| {
            let draw = || RandomState::new().build_hasher().finish();
            (draw(), draw())
        });
        let mut hasher = SipHasher13::new_with_keys(one, other);
        if text.is_ascii() {
            text.bytes().for_each(|octet| hasher.write_u8(octet.to_ascii_lowercase()));
        } else {
            hasher.write(text.to_lowercase().as_bytes());
        }
        hasher.finish()
    }

    fn push(&mut self, name: &str, key: &str) -> u32 {
        let short = |text: &str| text.chars().take(MOST_NAME).collect::<String>().into();
        let number = u32::try_from(self.all.len()).unwrap_or(NONE);
        self.all.push(Group { name: short(name), key: short(key), members: 0 });
        let (name, key) = (self.hash(name), self.hash(key));
        self.by_key.entry(key).or_insert(number);
        self.by_name.entry(name).or_insert(number);
        number
    }

    /// A group that has a record.
    fn add(&mut self, record: &Record) {
        let name = record.name.as_deref().or(record.addresses.first().map(|first| &**first));
        let number = self.push(name.unwrap_or(&record.key), &record.key);
        for called in &record.called {
            let called = self.hash(called);
            self.by_key.entry(called).or_insert(number);
        }
        for address in &record.addresses {
            let address = self.hash(address);
            self.by_address.entry(address).or_insert(number);
        }
    }

    /// The group of a key, a name or an address.
    fn find(&mut self, text: &str) -> Option<u32> {
        let hash = self.hash(text);
        [&self.by_key, &self.by_name, &self.by_address].into_iter().find_map(|by| by.get(&hash).copied())
    }

    /// The same; where there is none, it is there from now on.
    fn named(&mut self, text: &str) -> u32 {
        self.find(text).unwrap_or_else(|| self.push(text, text))
    }

    /// The group of a key or an address, as members are named.
    fn member(&mut self, text: &str) -> Option<u32> {
        let hash = self.hash(text);
        self.by_key.get(&hash).or_else(|| self.by_address.get(&hash)).copied()
    }

    /// A group and all groups in it, and whether it is in itself.
    fn closure(&self, group: u32) -> (Vec<u32>, bool) {
        let (mut all, mut seen, mut cyclic) = (vec![group], HashSet::from([group]), false);
        let mut next = 0;
        while let Some(one) = all.get(next).copied() {
            next += 1;
            for within in self.within.get(&one).into_iter().flatten() {
                cyclic |= *within == group;
                if seen.insert(*within) {
                    all.push(*within);
                }
            }
        }
        (all, cyclic)
    }
}

/// What is sorted on the way.
struct Joining<'a> {
    contents: &'a Contents,
    groups: Groups,
    /// Keys of records, and the place of an address of theirs.
    keys: Sorter<'a, 16>,
    /// Keys of members, the group, and the place of the address that the key may be.
    members: Sorter<'a, 16>,
    /// Groups, and the places of addresses in them.
    direct: Sorter<'a, 8>,
}

impl Joining<'_> {
    fn place(&self, address: &str) -> Option<u32> {
        place(&self.contents.fingerprints, self.contents.fingerprint(address)?)
    }

    fn direct(&mut self, group: u32, place: u32) -> Result<(), BuildError> {
        Ok(self.direct.push(u128::from(group) << 32 | u128::from(place))?)
    }

    fn member(&mut self, group: u32, member: &str) -> Result<(), BuildError> {
        let mut place = self.place(member).unwrap_or(NONE);
        if let Some(within) = self.groups.member(member) {
            self.groups.within.entry(group).or_default().push(within);
            if place == NONE {
                place = GROUP;
            }
        }
        let hash = self.groups.hash(member);
        Ok(self.members.push(u128::from(hash) << 64 | u128::from(group) << 32 | u128::from(place))?)
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), BuildError> {
        match entry {
            Entry::Object(record) => self.object(record),
            Entry::Membership(group, member) => {
                let group = self.groups.named(group);
                self.member(group, member)
            }
            Entry::Gone(_) => Ok(()),
        }
    }

    fn object(&mut self, record: &Record) -> Result<(), BuildError> {
        if self.contents.members && !record.addresses.is_empty() {
            for key in [&record.key].into_iter().chain(&record.called) {
                let hash = self.groups.hash(key);
                for address in &record.addresses {
                    if let Some(place) = self.place(address) {
                        self.keys.push(u128::from(hash) << 64 | u128::from(place))?;
                    }
                }
            }
        }
        let own = if is_group(record) { self.groups.member(&record.key) } else { None };
        for group in &record.groups {
            let group = self.groups.named(group);
            if let Some(own) = own {
                self.groups.within.entry(group).or_default().push(own);
            }
            for address in &record.addresses {
                if let Some(place) = self.place(address) {
                    self.direct(group, place)?;
                }
            }
        }
        if let Some(own) = own {
            for member in &record.members {
                self.member(own, member)?;
            }
        }
        Ok(())
    }
}

/// What became of groups.
pub(super) struct Resolved {
    pub(super) counts: GroupCounts,
    /// Their keys in lower case.
    pub(super) keys: HashSet<String>,
    /// How many members those have that were asked for, in that order.
    pub(super) wanted: Vec<u64>,
}

/// Resolves the groups, and writes them. The fingerprints of `settled` are sorted; `wanted` is as [`SyncRules::groups`].
///
/// [`SyncRules::groups`]: crate::config::SyncRules::groups
pub(super) fn write(
    settled: &mut Settled,
    store: &Store,
    wanted: &[Arc<str>],
) -> Result<Resolved, BuildError> {
    let mut groups = Groups::default();
    if settled.contents.groups {
        for entry in settled.entries()? {
            if let Entry::Object(record) = entry?
                && is_group(&record)
            {
                groups.add(&record);
            }
        }
    }
    let entries = settled.entries()?;
    let Settled { writer, contents, .. } = settled;
    let mut joining = Joining {
        contents,
        groups,
        keys: Sorter::new(store),
        members: Sorter::new(store),
        direct: Sorter::new(store),
    };
    if contents.groups {
        for entry in entries {
            joining.entry(&entry?)?;
        }
    }
    let Joining { groups, keys, members, mut direct, .. } = joining;
    let dangling = join(keys.finish()?, members.finish()?, &mut direct)?;
    let direct = Direct::new(direct.finish()?, store, groups.all.len())?;
    let keys = groups.all.iter().map(|group| group.key.to_lowercase()).collect();
    let mut members = vec![0u64; wanted.len()];
    let counts = write_members(writer, groups, &direct, dangling, |group| {
        for index in group.called(wanted) {
            if let Some(members) = members.get_mut(index) {
                *members += group.members;
            }
        }
    })?;
    Ok(Resolved { counts, keys, wanted: members })
}

/// Finds the addresses of members that are named by key; gives how many are nobody here.
fn join(
    mut keys: Sorted<16>,
    mut members: Sorted<16>,
    direct: &mut Sorter<'_, 8>,
) -> Result<u64, BuildError> {
    #[allow(clippy::cast_possible_truncation)] // Parts of a number.
    let parts = |number: u128| ((number >> 64) as u64, (number >> 32) as u32, number as u32);
    let (mut dangling, mut key) = (0, keys.next()?.map(parts));
    // The addresses of the last member, who may be in many groups.
    let (mut of, mut places) = (None, Vec::new());
    while let Some((member, group, own)) = members.next()?.map(parts) {
        if of != Some(member) {
            of = Some(member);
            places.clear();
            while let Some((hash, _, place)) = key.filter(|(hash, ..)| *hash <= member) {
                if hash == member {
                    places.push(place);
                }
                key = keys.next()?.map(parts);
            }
        }
        let address = Some(own).filter(|own| *own < GROUP);
        for place in places.iter().chain(&address) {
            direct.push(u128::from(group) << 32 | u128::from(*place))?;
        }
        dangling += u64::from(places.is_empty() && own == NONE);
    }
    Ok(dangling)
}

/// The addresses that are directly in each group, on disk.
struct Direct {
    file: File,
    /// Of each group where they begin, and how many there are.
    groups: Vec<(u64, u32)>,
}

impl Direct {
    fn new(mut sorted: Sorted<8>, store: &Store, groups: usize) -> Result<Self, BuildError> {
        let mut file = BufWriter::new(store.scratch()?);
        let mut all = vec![(0, 0); groups];
        let mut at = 0;
        while let Some(pair) = sorted.next()? {
            #[allow(clippy::cast_possible_truncation)] // The lower half.
            let place = pair as u32;
            file.write_all(&place.to_le_bytes())?;
            if let Some((begin, count)) = all.get_mut(usize::try_from(pair >> 32).unwrap_or(usize::MAX)) {
                if *count == 0 {
                    *begin = at;
                }
                *count += 1;
            }
            at += 4;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Self { file, groups: all })
    }

    fn read(&self, group: u32, places: &mut Vec<u32>) -> io::Result<()> {
        let Some((begin, count)) = self.groups.get(group as usize) else { return Ok(()) };
        let mut octets = vec![0; *count as usize * 4];
        self.file.read_exact_at(&mut octets, *begin)?;
        places.extend(octets.as_chunks::<4>().0.iter().map(|octets| u32::from_le_bytes(*octets)));
        Ok(())
    }
}

fn write_members(
    writer: &mut Writer<Staged>,
    groups: Groups,
    direct: &Direct,
    dangling: u64,
    mut tell: impl FnMut(&Group),
) -> Result<GroupCounts, BuildError> {
    let mut counts = GroupCounts { groups: groups.all.len() as u64, dangling, ..GroupCounts::default() };
    let mut placed = Vec::with_capacity(groups.all.len());
    writer.begin(Part::Members);
    let (mut members, mut octets) = (Vec::new(), Vec::new());
    for number in 0..u32::try_from(groups.all.len()).unwrap_or(NONE) {
        members.clear();
        octets.clear();
        let (within, cyclic) = groups.closure(number);
        for one in within {
            direct.read(one, &mut members)?;
        }
        members.sort_unstable();
        members.dedup();
        encode_places(&members, &mut octets);
        counts.cyclic += u64::from(cyclic);
        counts.members += members.len() as u64;
        placed.push((writer.written(), octets.len() as u64, crc32fast::hash(&octets), members.len() as u64));
        writer.prologue(&octets)?;
    }
    writer.end();
    writer.begin(Part::Groups);
    for (mut group, (begin, length, checksum, members)) in groups.all.into_iter().zip(placed) {
        group.members = members;
        tell(&group);
        let placed = Placed { group, begin, length, checksum };
        writer.piece(&postcard::to_stdvec(&placed).map_err(io::Error::other)?)?;
    }
    writer.end();
    Ok(counts)
}

/// The place of a fingerprint among sorted ones. They are spread evenly, so it lies near where it is in proportion to.
fn place(fingerprints: &[u64], wanted: u64) -> Option<u32> {
    /// How far from there is looked first; four times the usual distance of the square root of ten million.
    const NEAR: usize = 1 << 13;
    let count = fingerprints.len();
    let guess = usize::try_from((u128::from(wanted) * count as u128) >> u64::BITS).ok()?;
    let (low, high) = (guess.saturating_sub(NEAR), guess.saturating_add(NEAR).min(count));
    let is_within = |slice: &[u64]| slice.first() <= Some(&wanted) && Some(&wanted) <= slice.last();
    let near = fingerprints.get(low..high).filter(|near| is_within(near));
    let (from, slice) = near.map_or((0, fingerprints), |near| (low, near));
    let found = slice.binary_search(&wanted).ok()?;
    u32::try_from(from + found).ok()
}
