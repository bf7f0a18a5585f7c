// SPDX-License-Identifier: GPL-3.0-or-later
//! One check's result. All findings of a decision are kept, whether or not they decided it.

use super::{Reason, Verdict};
use crate::mail::Network;
use std::fmt;
use std::sync::Arc;

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

/// Which entry of a directory knows a recipient.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Entry {
    /// The address itself.
    Exact,
    /// The address without its subaddress.
    Base,
    /// `@domain`.
    WholeDomain,
}

/// What gave the answer: the network, the entry, the limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rule {
    /// The client is in this network of `[internal]`.
    InternalNetwork(Network),
    /// The client has logged in, and `[internal] authenticated` is on.
    Authenticated,
    /// The domain is not listed.
    Unlisted,
    /// The domain is listed and its mode is `inactive`.
    SwitchedOff,
    /// It is unclear where the MTA would deliver.
    RecipientUnclear,
    /// The client is in this network of this gateway.
    Gateway {
        /// The gateway's name.
        gateway: Arc<str>,
        /// The network that holds the client.
        network: Network,
    },
    /// `gateways = "any"`: the domain is its own first hop.
    AnyClient,
    /// The client is in no network of the domain's gateways.
    NoGateway,
    /// The MTA does not know the client's address.
    ClientUnknown,
    /// This directory knows the recipient.
    Directory {
        /// The directory's name.
        directory: Arc<str>,
        /// By which entry.
        entry: Entry,
    },
    /// `postmaster` or `abuse`, which always exist (RFC 5321 4.5.1, RFC 2142).
    RoleAddress,
    /// The domain has no directories, so recipients are not checked.
    NoDirectories,
    /// None of the domain's directories knows the recipient.
    InNoDirectory,
    /// Loop tokens of this installation on the message.
    Passes {
        /// How many there are.
        seen: u32,
        /// From how many on it is a loop; 0 is never.
        limit: u32,
    },
    /// `Received` lines on the message.
    Hops {
        /// How many there are.
        seen: u32,
        /// Above how many it is a loop; 0 is never.
        limit: u32,
    },
    /// More forged header lines than can be removed.
    ForgedHeaders,
    /// No decision in time.
    Overdue,
}

impl Rule {
    /// The gateway that the rule names.
    pub fn gateway(&self) -> Option<&str> {
        match self {
            Self::Gateway { gateway, .. } => Some(gateway),
            Self::AnyClient => Some("any"),
            Self::InternalNetwork(_)
            | Self::Authenticated
            | Self::Unlisted
            | Self::SwitchedOff
            | Self::RecipientUnclear
            | Self::NoGateway
            | Self::ClientUnknown
            | Self::Directory { .. }
            | Self::RoleAddress
            | Self::NoDirectories
            | Self::InNoDirectory
            | Self::Passes { .. }
            | Self::Hops { .. }
            | Self::ForgedHeaders
            | Self::Overdue => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InternalNetwork(network) => write!(f, "client is in internal network {network}"),
            Self::Authenticated => f.write_str("client has logged in"),
            Self::Unlisted => f.write_str("recipient's domain is not listed"),
            Self::SwitchedOff => f.write_str("domain is inactive"),
            Self::RecipientUnclear => f.write_str("it is unclear where the MTA would deliver"),
            Self::Gateway { gateway, network } => write!(f, "client is in {network} of gateway {gateway}"),
            Self::AnyClient => f.write_str("any client may deliver"),
            Self::NoGateway => f.write_str("client is in no network of the domain's gateways"),
            Self::ClientUnknown => f.write_str("client's address is unknown"),
            Self::Directory { directory, entry } => match entry {
                Entry::Exact => write!(f, "listed in directory {directory}"),
                Entry::Base => write!(f, "listed in directory {directory} without its subaddress"),
                Entry::WholeDomain => write!(f, "whole domain listed in directory {directory}"),
            },
            Self::RoleAddress => f.write_str("postmaster and abuse always exist"),
            Self::NoDirectories => f.write_str("domain has no directories"),
            Self::InNoDirectory => f.write_str("in none of the domain's directories"),
            Self::Passes { seen, limit } => write!(f, "earlier passes: {seen}, limit {limit}"),
            Self::Hops { seen, limit } => write!(f, "Received lines: {seen}, limit {limit}"),
            Self::ForgedHeaders => f.write_str("too many forged X-Postern lines"),
            Self::Overdue => f.write_str("no decision in time"),
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
