// SPDX-License-Identifier: GPL-3.0-or-later
//! One object of a directory as its source tells of it: a mailbox with its aliases, a group with its members.

use crate::mail::RecipientKind;
use serde::{Deserialize, Serialize};

/// One object of a source.
///
/// Texts are as the source has them; nothing in it has been checked. Addresses may also be `@domain` for every address of a
/// domain, and have `*` in their local part where the directory allows patterns.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    /// What the source calls it: the same object has the same key in every sync. A DN, an id, for tables the first address.
    pub key: Box<str>,
    /// What members may call it by beside its key: its DN, normalized, where the key is a number.
    pub called: Vec<Box<str>>,
    /// Where it stands in a file, by line from 1.
    pub line: Option<u64>,
    /// What it is.
    pub kind: RecipientKind,
    /// Its addresses, the primary one first, without prefixes such as `SMTP:`.
    pub addresses: Vec<Box<str>>,
    /// What a group is called by people and by `groups = [...]`; nothing for what is no group.
    pub name: Option<Box<str>>,
    /// Of a group, its direct members: keys of other records, what these are also called by, or addresses.
    pub members: Vec<Box<str>>,
    /// Groups that it is directly in: keys or names. A group that no record stands for exists by being named here.
    pub groups: Vec<Box<str>>,
    /// Whether only internal clients may write to it (`msExchRequireAuthToSendTo`).
    pub internal_only: bool,
}
