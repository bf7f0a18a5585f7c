// SPDX-License-Identifier: GPL-3.0-or-later
//! One check's result. All findings of a decision are kept, whether or not they decided it.

use super::{Reason, Rule, Verdict};

/// What was checked.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Check {
    /// Is the client internal?
    Internal,
    /// Is the recipient's domain listed and switched on?
    Domain,
    /// Is the client a gateway of the domain?
    Source,
    /// Does the recipient exist?
    Recipient,
    /// Is there a server for the recipient?
    Route,
    /// Has the message been scanned?
    Scan,
    /// Is the client, or the one behind a gateway, on DNSBLs?
    Listed,
    /// Has the client a reverse name?
    ReverseName,
    /// Has the message been here before?
    Loop,
    /// Has it come over too many hops?
    Hops,
}

impl Check {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Domain => "domain",
            Self::Source => "source",
            Self::Recipient => "recipient",
            Self::Route => "route",
            Self::Scan => "scan",
            Self::Listed => "listed",
            Self::ReverseName => "reverse-name",
            Self::Loop => "loop",
            Self::Hops => "hops",
        }
    }
}

/// How a question was answered. Unknown is neither yes nor no.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Answer {
    /// As it should be.
    Yes,
    /// As it should not be.
    No,
    /// It could not be told.
    Unknown,
}

impl Answer {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// One check's result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// The answer.
    pub answer: Answer,
    /// What gave it.
    pub rule: Rule,
    /// Why, if this finding decides.
    pub reason: Reason,
    /// What it asks for, before the domain's mode.
    pub verdict: Verdict,
}
