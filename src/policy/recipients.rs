// SPDX-License-Identifier: GPL-3.0-or-later
//! How the recipients of a domain are looked up, and what becomes of those that nobody knows.

use super::DirectoryId;
use crate::mail::{Domain, LocalPatterns};

/// How the recipients of a domain are looked up, beside its directories and its subaddresses.
#[derive(Clone, Debug, Default)]
pub struct RecipientRules {
    /// What becomes of those that nobody knows.
    pub mode: RecipientMode,
    /// Those that were learned and approved, asked after all directories.
    pub learned: Option<DirectoryId>,
    /// What is taken off a local part.
    pub strip: Strip,
    /// Bounce addresses that the domain's own list software makes; they exist.
    pub verp: LocalPatterns,
    /// The domain that this one is another name for: its recipients are looked up there, too.
    pub alias_of: Option<Domain>,
}

/// What becomes of recipients that nobody knows.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RecipientMode {
    /// Recipients are not checked, whatever directories there are.
    Off,
    /// They are accepted, and recorded as soon as it is known that they are unknown.
    Learn,
    /// What the domain's verdict for recipients says.
    #[default]
    Check,
}

/// What is taken off a local part when it is looked up.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Strip {
    /// Signatures of bounce addresses.
    pub batv: bool,
    /// What a forwarder of ours has made of the sender of a message: a bounce goes back that way.
    pub srs: bool,
}
