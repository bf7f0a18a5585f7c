// SPDX-License-Identifier: GPL-3.0-or-later
//! `state.json`: which of a directory's snapshots is in force, which one waits for a word, and how syncs went.

use super::super::source::Cookie;
use crate::store::Stamp;
use serde::{Deserialize, Serialize};

/// How a directory stands.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct State {
    /// The snapshot that decisions are made by; nothing as long as none was taken.
    pub in_force: Option<InForce>,
    /// The one that waits to be accepted.
    pub pending: Option<Pending>,
    /// Since when it is pinned: after a rollback every change has to be accepted.
    pub pinned: Option<Stamp>,
    /// When the source last confirmed what is in force.
    pub as_of: Option<Stamp>,
    /// When it was last asked.
    pub tried: Option<Stamp>,
    /// When it last gave a complete answer, also one that was held.
    pub answered: Option<Stamp>,
    /// When it is to be asked next.
    pub due: Option<Stamp>,
    /// Failures since then.
    pub failures: u32,
    /// What went wrong the last time.
    pub trouble: Option<String>,
    /// What the source said the last time that an administrator should know.
    pub notes: Vec<String>,
    /// The number of the newest snapshot that was ever taken or held.
    pub newest: u64,
    /// Where the source goes on from what is in force.
    pub(in crate::directories) cookie: Option<Cookie>,
    /// Stands for the question that the cookie is good for.
    pub(in crate::directories) question: Box<str>,
}

/// The snapshot in force.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct InForce {
    /// Its number.
    pub serial: u64,
    /// Since when.
    pub since: Stamp,
    /// How long those stay that went with it.
    pub grace: Grace,
}

/// From when on those are leaving that went with the snapshot in force.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grace {
    /// From when they were missed.
    #[default]
    Missed,
    /// From when the snapshot was accepted.
    Accepted(Stamp),
    /// They are gone at once.
    Over,
}

/// A snapshot that waits to be accepted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pending {
    /// Its number.
    pub serial: u64,
    /// When it was asked for.
    pub since: Stamp,
    /// Why it waits: a sentence each.
    pub why: Vec<String>,
    pub(in crate::directories) cookie: Option<Cookie>,
    pub(in crate::directories) question: Box<str>,
}
