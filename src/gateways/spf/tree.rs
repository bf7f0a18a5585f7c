// SPDX-License-Identifier: GPL-3.0-or-later
//! What an SPF name refers to, once all of it has been found: records, and for each of their terms whom it matches.

use crate::mail::Network;
use std::time::Duration;

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Tree {
    /// The records; the first is the root, and a record names others by their place.
    pub(super) nodes: Vec<Node>,
    /// How long all of it may be kept: the shortest TTL.
    pub(super) ttl: Duration,
    /// Whether every answer was validated.
    pub(super) validated: bool,
    /// What was passed over, a sentence each.
    pub(super) notes: Vec<String>,
}

/// One record.
#[derive(Debug)]
pub(super) struct Node {
    /// Whose it is.
    pub(super) name: String,
    /// The way to it: `spf.example > include:_a.example`.
    pub(super) via: String,
    /// The record that names it.
    pub(super) parent: Option<usize>,
    /// Its directives, in their order.
    pub(super) clauses: Vec<Clause>,
    /// What is asked when none of them matches.
    pub(super) otherwise: Otherwise,
}

/// One directive.
#[derive(Debug)]
pub(super) struct Clause {
    /// As written.
    pub(super) text: String,
    /// Whether those it matches pass.
    pub(super) passes: bool,
    /// Whom it matches.
    pub(super) matches: Matches,
}

/// Whom a directive matches.
#[derive(Debug)]
pub(super) enum Matches {
    /// Everyone.
    Everyone,
    /// No one.
    NoOne,
    /// The addresses in these networks.
    Networks(Vec<Network>),
    /// Those that this record passes.
    Record(usize),
    /// Only the client itself can tell.
    PerClient,
}

/// What is asked when no directive of a record matches.
#[derive(Debug)]
pub(super) enum Otherwise {
    /// Nothing: neutral.
    Neutral,
    /// This record.
    Record(usize),
    /// Only the client itself can tell which.
    PerClient,
}
