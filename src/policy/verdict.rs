// SPDX-License-Identifier: GPL-3.0-or-later
//! What is to happen to a message for one recipient, and how far a domain lets that happen.

use std::fmt;

/// What is to happen, weakest first: of several findings the strongest verdict wins.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Verdict {
    /// Let it pass.
    Accept,
    /// Let it pass with a header line that says why it was noticed.
    Tag,
    /// Accept it and hold it in the MTA's queue.
    Quarantine,
    /// Accept it and deliver it to nobody.
    Discard,
    /// Refuse it for now, 4xx.
    Defer,
    /// Refuse it, 5xx.
    Reject,
}

impl Verdict {
    /// All verdicts, weakest first.
    pub const ALL: [Self; 6] =
        [Self::Accept, Self::Tag, Self::Quarantine, Self::Discard, Self::Defer, Self::Reject];

    /// The word used in configuration and log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Tag => "tag",
            Self::Quarantine => "quarantine",
            Self::Discard => "discard",
            Self::Defer => "defer",
            Self::Reject => "reject",
        }
    }

    /// Whether the client is told no, for now or for good.
    pub fn refuses(self) -> bool {
        match self {
            Self::Defer | Self::Reject => true,
            Self::Accept | Self::Tag | Self::Quarantine | Self::Discard => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a domain is switched on, least first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Mode {
    /// Not looked at, nothing added.
    Inactive,
    /// Everything is decided and recorded, nothing is done.
    #[default]
    Monitor,
    /// Nothing is lost: what would be rejected or discarded is deferred.
    Soft,
    /// Verdicts are carried out.
    Enforce,
}

impl Mode {
    /// All modes, least first.
    pub const ALL: [Self; 4] = [Self::Inactive, Self::Monitor, Self::Soft, Self::Enforce];

    /// The word used in configuration and log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Monitor => "monitor",
            Self::Soft => "soft",
            Self::Enforce => "enforce",
        }
    }

    /// What a verdict becomes in this mode. This is the only place where a mode weakens a verdict.
    pub fn apply(self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Self::Inactive | Self::Monitor, _) => Verdict::Accept,
            (Self::Soft, Verdict::Reject | Verdict::Discard) => Verdict::Defer,
            (Self::Soft | Self::Enforce, verdict) => verdict,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_weaken_verdicts() {
        use Verdict::{Accept, Defer, Discard, Quarantine, Reject, Tag};
        for (mode, want) in [
            (Mode::Inactive, [Accept; 6]),
            (Mode::Monitor, [Accept; 6]),
            (Mode::Soft, [Accept, Tag, Quarantine, Defer, Defer, Defer]),
            (Mode::Enforce, [Accept, Tag, Quarantine, Discard, Defer, Reject]),
        ] {
            assert_eq!(Verdict::ALL.map(|v| mode.apply(v)), want, "{mode}");
        }
    }
}
