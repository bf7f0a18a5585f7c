// SPDX-License-Identifier: GPL-3.0-or-later
//! Why a verdict is what it is: a closed list, named alike in configuration, log and tag.

use super::Verdict;
use crate::mail::{EnhancedCode, ReplyClass};
use std::fmt;

/// Why.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// The client is none of the domain's gateways.
    SourceNotGateway,
    /// The recipient is in none of the domain's directories.
    RecipientUnknown,
    /// The recipient takes mail from internal clients alone, and the client is none.
    RecipientInternal,
    /// No routing rule of the recipient's domain is for it.
    NoRoute,
    /// The message carries this installation's loop token too often.
    LoopDetected,
    /// The message has too many `Received` lines.
    TooManyHops,
    /// The client is on DNSBLs.
    Listed,
    /// The client has no reverse name, or none that points back to it.
    NoReverseName,
    /// The recipient's domain is not listed.
    NotOurDomain,
    /// Something that the decision needs is not known.
    NotReady,
    /// The client is internal.
    Internal,
    /// The domain is switched off.
    Inactive,
    /// Every check passed.
    Passed,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 13] = [
        Self::SourceNotGateway,
        Self::RecipientUnknown,
        Self::RecipientInternal,
        Self::NoRoute,
        Self::LoopDetected,
        Self::TooManyHops,
        Self::Listed,
        Self::NoReverseName,
        Self::NotOurDomain,
        Self::NotReady,
        Self::Internal,
        Self::Inactive,
        Self::Passed,
    ];

    /// The word used in configuration, log and tag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SourceNotGateway => "source-not-gateway",
            Self::RecipientUnknown => "recipient-unknown",
            Self::RecipientInternal => "recipient-internal",
            Self::NoRoute => "no-route",
            Self::LoopDetected => "loop-detected",
            Self::TooManyHops => "too-many-hops",
            Self::Listed => "listed",
            Self::NoReverseName => "no-reverse-name",
            Self::NotOurDomain => "not-our-domain",
            Self::NotReady => "not-ready",
            Self::Internal => "internal",
            Self::Inactive => "inactive",
            Self::Passed => "passed",
        }
    }

    /// Whether a reason can refuse, and so has a reply that can be set.
    pub fn has_reply(self) -> bool {
        match self {
            Self::SourceNotGateway
            | Self::RecipientUnknown
            | Self::RecipientInternal
            | Self::NoRoute
            | Self::LoopDetected
            | Self::TooManyHops
            | Self::Listed
            | Self::NoReverseName
            | Self::NotOurDomain
            | Self::NotReady => true,
            Self::Internal | Self::Inactive | Self::Passed => false,
        }
    }

    /// The verdict where nothing is configured.
    pub fn default_verdict(self) -> Verdict {
        match self {
            Self::SourceNotGateway
            | Self::RecipientUnknown
            | Self::RecipientInternal
            | Self::NoRoute
            | Self::LoopDetected
            | Self::TooManyHops
            | Self::Listed
            | Self::NoReverseName => Verdict::Reject,
            Self::NotReady => Verdict::Defer,
            Self::NotOurDomain | Self::Internal | Self::Inactive | Self::Passed => Verdict::Accept,
        }
    }

    /// The code of a rejection. `not-ready` never rejects.
    pub(super) fn reject_code(self) -> u16 {
        match self {
            Self::LoopDetected | Self::TooManyHops | Self::Listed => 554,
            Self::SourceNotGateway
            | Self::RecipientUnknown
            | Self::RecipientInternal
            | Self::NoRoute
            | Self::NoReverseName
            | Self::NotOurDomain
            | Self::NotReady
            | Self::Internal
            | Self::Inactive
            | Self::Passed => 550,
        }
    }

    /// The code of a deferral.
    pub(super) fn defer_code(self) -> u16 {
        match self {
            Self::RecipientUnknown => 450,
            Self::SourceNotGateway
            | Self::RecipientInternal
            | Self::NoRoute
            | Self::LoopDetected
            | Self::TooManyHops
            | Self::Listed
            | Self::NoReverseName
            | Self::NotOurDomain
            | Self::NotReady
            | Self::Internal
            | Self::Inactive
            | Self::Passed => 451,
        }
    }

    /// The enhanced status code, class 5. 5.1.1 is for recipients only: gateways remember it as "no such user".
    pub(super) fn enhanced(self) -> EnhancedCode {
        let (subject, detail) = match self {
            Self::RecipientUnknown | Self::NoRoute => (1, 1),
            Self::LoopDetected | Self::TooManyHops => (4, 6),
            // RFC 7372: reverse DNS validation failed.
            Self::NoReverseName => (7, 25),
            Self::SourceNotGateway
            | Self::RecipientInternal
            | Self::Listed
            | Self::NotOurDomain
            | Self::NotReady
            | Self::Internal
            | Self::Inactive
            | Self::Passed => (7, 1),
        };
        EnhancedCode::new(ReplyClass::Permanent, subject, detail)
    }

    /// The text of a refusal: what to do, and nothing of what is inside.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::SourceNotGateway => {
                "Mail for this domain is taken from its mail gateway only. Send it to the host in the domain's MX record"
            }
            Self::RecipientUnknown => "There is no such recipient. Check the address",
            Self::RecipientInternal => {
                "This address takes mail from inside its organisation only. Write to a person there instead"
            }
            Self::NoRoute => "There is no mailbox for this recipient. Check the address",
            Self::LoopDetected => {
                "This message has passed here before: a mail loop. Check where mail for this domain is routed"
            }
            Self::TooManyHops => {
                "This message has too many Received lines: a mail loop. Check where mail for this domain is routed"
            }
            Self::Listed => {
                "Your address is on a block list. Look it up at the lists that your mail administrator knows, and have it taken off"
            }
            Self::NoReverseName => {
                "Your address has no reverse DNS name that points back to it. Ask your provider for a PTR record"
            }
            Self::NotOurDomain => "Mail for this domain is not taken here. Check the domain's MX record",
            Self::NotReady | Self::Internal | Self::Inactive | Self::Passed => {
                "The recipient cannot be checked at the moment. Try again later"
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
