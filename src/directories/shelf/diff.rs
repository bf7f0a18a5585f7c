// SPDX-License-Identifier: GPL-3.0-or-later
//! What changes from one snapshot to another, spelled out.

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
