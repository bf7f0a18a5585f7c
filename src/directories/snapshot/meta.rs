// SPDX-License-Identifier: GPL-3.0-or-later
//! What a snapshot says of itself: when and from what it was made, what was counted, and everything that is few.
//!
//! It is kept as JSON. Keys that are not there have their empty value, so that a later version may add some.

use super::super::record::Record;
use crate::mail::RecipientKind;
use crate::store::Stamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a snapshot says of itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Meta {
    /// The directory that it is of.
    pub directory: Box<str>,
    /// When the source was asked.
    pub built: Stamp,
    /// Whether it was kept back when it was made, and why: a sentence each.
    pub held: Vec<String>,
    /// The patterns of served domains that it was filtered by, in ascending order.
    pub served: Vec<Box<str>>,
    /// How many addresses and whole domains there are in each of [`Self::served`].
    pub by_served: Vec<u64>,
    /// How many addresses there are, those that are leaving not counted.
    pub addresses: u64,
    /// How many addresses are leaving.
    pub leaving: u64,
    /// How many addresses take mail from internal clients alone.
    pub internal_only: u64,
    /// Domains of which every address exists.
    pub whole_domains: Vec<Wide>,
    /// Patterns, `bounces-*@example.com`.
    pub patterns: Vec<Wide>,
    /// What was counted.
    pub counts: Counts,
    /// What was invalid; not more than a hundred.
    pub invalid: Vec<Invalid>,
    /// Spellings that differ by case alone, in different records; not more than a hundred.
    pub collisions: Vec<Collision>,
    /// What became of groups.
    pub groups: GroupCounts,
    /// The groups that those were in who are leaving.
    pub left_groups: Vec<Group>,
    /// What the source said that an administrator should know.
    pub notes: Vec<String>,
    /// Stands for all records: two snapshots with the same one hold the same records, whatever their order. In hexadecimal.
    pub digest: Box<str>,
}

/// A whole domain or a pattern.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Wide {
    /// The domain, or the pattern with `@` and its domain.
    pub text: Box<str>,
    /// When it first came.
    pub first_seen: Stamp,
    /// Since when it is gone, if it is.
    pub gone: Option<Stamp>,
}

/// What a sync counted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Counts {
    /// Records that are kept, by what they are.
    pub kinds: BTreeMap<RecipientKind, u64>,
    /// Addresses, whole domains and patterns that were seen, of whatever worth.
    pub seen: u64,
    /// Those that are invalid.
    pub invalid: u64,
    /// Those in domains that are not served; they were dropped.
    pub outside: u64,
    /// Addresses that came more than once.
    pub duplicates: u64,
    /// Records that another one with the same key took the place of.
    pub replaced: u64,
    /// Records that are no recipients by what they are.
    pub passed_over: u64,
}

/// Something invalid.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Invalid {
    /// Where: `line 17`, a key.
    pub place: Box<str>,
    /// What stands there.
    pub what: Box<str>,
    /// What is wrong with it.
    pub why: Box<str>,
}

/// One address in two spellings that differ by case alone, in two records.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Collision {
    /// The spellings.
    pub spellings: [Box<str>; 2],
    /// The keys of the records.
    pub keys: [Box<str>; 2],
}

/// What became of groups.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct GroupCounts {
    /// How many groups there are.
    pub groups: u64,
    /// How many addresses are in them, all taken together.
    pub members: u64,
    /// Members that are nobody here: foreign keys, addresses outside.
    pub dangling: u64,
    /// Groups that are, by way of others, in themselves.
    pub cyclic: u64,
}

/// One group of a snapshot.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Group {
    /// What people call it.
    pub name: Box<str>,
    /// Its key at the source; the name where no record stands for it.
    pub key: Box<str>,
    /// How many addresses are in it, those of groups within it among them; of [`Meta::left_groups`] 0.
    pub members: u64,
}

/// An address that is gone, and valid until its time of grace is over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Leaving {
    /// Its fingerprint.
    pub(in crate::directories) fingerprint: u64,
    /// The address as the source spelled it.
    pub address: Box<str>,
    /// Since when it is gone.
    pub since: Stamp,
    /// When it first came.
    pub first_seen: Stamp,
    /// Whether it takes mail from internal clients alone.
    pub internal_only: bool,
    /// The groups that it was in, nested ones resolved, by their places in [`Meta::left_groups`]. They stand behind all else,
    /// where an earlier version does not look.
    #[serde(skip)]
    pub(in crate::directories) groups: Vec<u32>,
}

impl Leaving {
    /// As it is written.
    pub(in crate::directories) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let octets = postcard::to_stdvec(self)?;
        if self.groups.is_empty() { Ok(octets) } else { postcard::to_extend(&self.groups, octets) }
    }

    /// As it was written, also before there were groups.
    pub(in crate::directories) fn decode(octets: &[u8]) -> Result<Self, postcard::Error> {
        let (mut leaving, groups): (Self, _) = postcard::take_from_bytes(octets)?;
        if !groups.is_empty() {
            leaving.groups = postcard::from_bytes(groups)?;
        }
        Ok(leaving)
    }
}

/// What a snapshot knows of one address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The records that it is in; none where it is only a member of a whole domain, or leaving.
    pub records: Vec<Record>,
    /// When it first came; nothing where only a whole domain or a pattern covers it.
    pub first_seen: Option<Stamp>,
    /// Since when it is gone, if it is.
    pub leaving: Option<Stamp>,
    /// The whole domain that it is in, if there is one.
    pub whole_domain: bool,
    /// The first pattern that covers it.
    pub pattern: Option<Box<str>>,
    /// Whether it takes mail from internal clients alone.
    pub internal_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_comes_back_with_his_groups_or_without() {
        let mut leaving = Leaving {
            fingerprint: 7,
            address: "ann@a.example".into(),
            since: Stamp::default(),
            first_seen: Stamp::default(),
            internal_only: true,
            groups: Vec::new(),
        };
        let without = leaving.encode().unwrap();
        // As versions without groups wrote and read it.
        assert_eq!(without, postcard::to_stdvec(&leaving).unwrap());
        assert_eq!(Leaving::decode(&without).unwrap(), leaving);
        leaving.groups = vec![0, 3, 70_000];
        let with = leaving.encode().unwrap();
        assert_eq!(Leaving::decode(&with).unwrap(), leaving);
        assert!(postcard::from_bytes::<Leaving>(&with).is_ok_and(|old| old.groups.is_empty()));
        assert!(Leaving::decode(&with[..with.len() - 1]).is_err());
    }
}
