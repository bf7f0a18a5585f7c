// SPDX-License-Identifier: GPL-3.0-or-later
//! What gave the answer to a check, as a value and in words. The words are for the log and for administrators; a client
//! never sees them.

use super::{Answer, ReverseName, Shown, Sign, Unready, Weighed};
use crate::mail::{Escaped, LocalPattern, Network};
use std::fmt;
use std::sync::Arc;

/// Which entry of a directory knows a recipient.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Entry {
    /// The address itself.
    Exact,
    /// The address without its subaddress.
    Base,
    /// A pattern of local parts.
    Pattern(LocalPattern),
    /// `@domain`.
    WholeDomain,
}

/// What was done to an address before a directory knew it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Spelling {
    /// The signature of a bounce address was taken off.
    pub batv: bool,
    /// It is the sender whom a forwarder's address stands for.
    pub srs: bool,
    /// It was looked up under the domain that its own is an alias of.
    pub alias: bool,
}

impl fmt::Display for Spelling {
    /// What follows the entry; nothing where nothing was done.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batv, srs, alias } = *self;
        for (done, what) in [
            (srs, ", as the sender in a forwarder's address (SRS)"),
            (batv, ", its BATV signature taken off"),
            (alias, ", under the domain that this is an alias of"),
        ] {
            f.write_str(if done { what } else { "" })?;
        }
        Ok(())
    }
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
    /// The client is this gateway, or is taken for it until the headers are known.
    Gateway {
        /// The gateway's name.
        gateway: Arc<str>,
        /// By what it is known.
        shown: Shown,
    },
    /// The client is none of the domain's gateways; this one it comes nearest to.
    NotGateway {
        /// The gateway's name.
        gateway: Arc<str>,
        /// What fits and what does not.
        shown: Shown,
    },
    /// It cannot be told whether the client is this gateway.
    MayBeGateway {
        /// The gateway's name.
        gateway: Arc<str>,
        /// What is known and what is not.
        shown: Shown,
    },
    /// `gateways = "any"`: the domain is its own first hop.
    AnyClient,
    /// The client is in no network of the domain's gateways.
    NoGateway,
    /// The MTA does not know the client's address.
    ClientUnknown,
    /// Many clients seem to share the client's address.
    AddressShared,
    /// The client's address is private, and has no reputation.
    PrivateAddress,
    /// What DNSBLs say.
    Listings(Box<Weighed>),
    /// The client's reverse name.
    ReverseName(ReverseName),
    /// No `Received` line tells who is behind this gateway.
    NobodyBehind {
        /// The gateway's name.
        gateway: Arc<str>,
    },
    /// This directory knows the recipient.
    Directory {
        /// The directory's name.
        directory: Arc<str>,
        /// By which entry.
        entry: Entry,
        /// What was done to the address before.
        spelling: Spelling,
    },
    /// This directory knows the recipient, as one that takes mail from internal clients alone.
    InternalOnly {
        /// The directory's name.
        directory: Arc<str>,
    },
    /// `recipients = "off"`: recipients are not checked.
    RecipientsOff,
    /// The address of a forwarder (SRS) for a sender elsewhere: whether it is a real one, the forwarder can tell.
    ForwardedSender,
    /// A bounce address of the domain's own list software.
    OwnBounces(LocalPattern),
    /// None of the domain's directories knows the recipient, and the domain learns.
    Learned {
        /// The address to record: its local part folded, its domain the one that aliases stand for.
        address: Arc<str>,
    },
    /// `postmaster` or `abuse`, which always exist (RFC 5321 4.5.1, RFC 2142).
    RoleAddress,
    /// The domain has no directories, so recipients are not checked.
    NoDirectories,
    /// None of the domain's directories knows the recipient.
    InNoDirectory,
    /// This directory cannot say whether the recipient exists.
    DirectoryUnready {
        /// The directory's name.
        directory: Arc<str>,
        /// Why not.
        why: Unready,
    },
    /// The message came back from this gateway and shows that it was scanned.
    Scanned {
        /// The gateway's name.
        gateway: Arc<str>,
        /// What shows it.
        sign: Sign,
    },
    /// It shows that it was scanned, but it cannot be told whether it comes from this gateway.
    MayBeScanned {
        /// The gateway's name.
        gateway: Arc<str>,
        /// What shows it.
        sign: Sign,
    },
    /// It was not scanned, and is for this server to scan.
    ToScan {
        /// The server's name.
        server: Arc<str>,
        /// The name of the gateway that it would come back from.
        gateway: Arc<str>,
        /// Whether the client is that gateway.
        from: Answer,
        /// What shows whether it was scanned.
        sign: Sign,
    },
    /// It was not scanned, the scanner is down, and it is delivered all the same.
    ScannerDown {
        /// The server's name.
        server: Arc<str>,
    },
    /// There are no keys to sign and to check scan tokens with.
    NoScanKeys,
    /// Trips to the scanner from which it did not come back scanned.
    ScanTrips {
        /// How many there are.
        seen: u32,
    },
    /// Mail for the recipient goes to a server.
    Routed {
        /// The server's name.
        server: Arc<str>,
        /// The routing rule that says so; nothing where none is for the recipient and `unrouted` names the server.
        route: Option<Arc<str>>,
    },
    /// No routing rule is for the recipient, and the MTA does as it would without any.
    NotRouted,
    /// No routing rule is for the recipient, and so there is no server for it.
    NoRoute,
    /// It cannot be told whether a routing rule is for the recipient.
    GroupUnknown {
        /// The rule.
        route: Arc<str>,
        /// The directory that cannot say who is in a group.
        directory: Arc<str>,
        /// Why not.
        why: Unready,
    },
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
    /// More header lines that are forged, or a gateway's, than can be removed.
    ForgedHeaders,
    /// No decision in time.
    Overdue,
}

impl Rule {
    /// The gateway that the rule names.
    pub fn gateway(&self) -> Option<&str> {
        match self {
            Self::Gateway { gateway, .. } | Self::Scanned { gateway, .. } => Some(gateway),
            Self::AnyClient => Some("any"),
            Self::InternalNetwork(_)
            | Self::Authenticated
            | Self::Unlisted
            | Self::SwitchedOff
            | Self::RecipientUnclear
            | Self::NoGateway
            | Self::NotGateway { .. }
            | Self::MayBeGateway { .. }
            | Self::ClientUnknown
            | Self::AddressShared
            | Self::PrivateAddress
            | Self::Listings(_)
            | Self::ReverseName(_)
            | Self::NobodyBehind { .. }
            | Self::Directory { .. }
            | Self::InternalOnly { .. }
            | Self::RecipientsOff
            | Self::ForwardedSender
            | Self::OwnBounces(_)
            | Self::Learned { .. }
            | Self::RoleAddress
            | Self::NoDirectories
            | Self::InNoDirectory
            | Self::DirectoryUnready { .. }
            | Self::MayBeScanned { .. }
            | Self::ToScan { .. }
            | Self::ScannerDown { .. }
            | Self::NoScanKeys
            | Self::ScanTrips { .. }
            | Self::Routed { .. }
            | Self::NotRouted
            | Self::NoRoute
            | Self::GroupUnknown { .. }
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
            Self::Gateway { gateway, shown }
            | Self::NotGateway { gateway, shown }
            | Self::MayBeGateway { gateway, shown } => shown.write(gateway, f),
            Self::AnyClient => f.write_str("any client may deliver"),
            Self::NoGateway => f.write_str("client is in no network of the domain's gateways"),
            Self::ClientUnknown => f.write_str("client's address is unknown"),
            Self::AddressShared => f.write_str("many clients share this address"),
            Self::PrivateAddress => {
                f.write_str("client's address is private, so DNSBLs and reverse names are not asked")
            }
            Self::Listings(weighed) => weighed.fmt(f),
            // A reverse name is whatever its owner wrote into the DNS.
            Self::ReverseName(ReverseName::Confirmed(name)) => {
                write!(f, "reverse name {} points back", Escaped(name.as_bytes()))
            }
            Self::ReverseName(ReverseName::Unconfirmed(name)) => {
                write!(f, "reverse name {} does not point back", Escaped(name.as_bytes()))
            }
            Self::ReverseName(ReverseName::Missing) => f.write_str("client has no reverse name"),
            Self::ReverseName(ReverseName::Unknown) => f.write_str("reverse name could not be looked up"),
            Self::NobodyBehind { gateway } => {
                write!(f, "no Received line tells who is behind gateway {gateway}")
            }
            Self::Directory { directory, entry, spelling } => {
                match entry {
                    Entry::Exact => write!(f, "listed in directory {directory}"),
                    Entry::Base => write!(f, "listed in directory {directory} without its subaddress"),
                    Entry::Pattern(pattern) => write!(f, "listed in directory {directory} as {pattern}"),
                    Entry::WholeDomain => write!(f, "whole domain listed in directory {directory}"),
                }?;
                spelling.fmt(f)
            }
            Self::InternalOnly { directory } => {
                write!(f, "listed in directory {directory} for internal senders only")
            }
            Self::RecipientsOff => f.write_str("recipients are not checked"),
            Self::ForwardedSender => f.write_str("forwarder's address (SRS) for a sender elsewhere"),
            Self::OwnBounces(pattern) => write!(f, "own bounce address {pattern}"),
            // Its domain is ours; its local part is whatever somebody wrote.
            Self::Learned { address } => {
                write!(
                    f,
                    "in none of the domain's directories, to be learned as {}",
                    Escaped(address.as_bytes())
                )
            }
            Self::RoleAddress => f.write_str("postmaster and abuse always exist"),
            Self::NoDirectories => f.write_str("domain has no directories"),
            Self::InNoDirectory => f.write_str("in none of the domain's directories"),
            Self::DirectoryUnready { directory, why } => f.write_str(&why.of(directory)),
            Self::Scanned { gateway, sign } => write!(f, "came back from gateway {gateway}, and {sign}"),
            Self::MayBeScanned { gateway, sign } => {
                write!(f, "{sign}, but nobody can tell whether client is gateway {gateway}")
            }
            Self::ToScan { server, gateway, from, sign } => {
                write!(f, "to be scanned by server {server}: ")?;
                match from {
                    Answer::Yes | Answer::Unknown => write!(f, "{sign}"),
                    Answer::No if sign.is_missing() => write!(f, "client is not gateway {gateway}"),
                    Answer::No => write!(f, "{sign}, but client is not gateway {gateway}"),
                }
            }
            Self::ScannerDown { server } => {
                write!(f, "not scanned, since server {server} is down, and delivered all the same")
            }
            Self::NoScanKeys => f.write_str("there are no keys for scan tokens"),
            Self::ScanTrips { seen } => write!(f, "sent to be scanned {seen} times, and not scanned"),
            Self::Routed { server, route: Some(route) } => {
                write!(f, "route {route} leads to server {server}")
            }
            Self::Routed { server, route: None } => {
                write!(f, "no route is for the recipient, and what is unrouted goes to server {server}")
            }
            Self::NotRouted => f.write_str("no route is for the recipient, so the MTA's own holds"),
            Self::NoRoute => f.write_str("no route is for the recipient"),
            Self::GroupUnknown { route, directory, why } => {
                write!(f, "route {route} may be for the recipient: {}", why.of(directory))
            }
            Self::Passes { seen, limit } => write!(f, "earlier passes: {seen}, limit {limit}"),
            Self::Hops { seen, limit } => write!(f, "Received lines: {seen}, limit {limit}"),
            Self::ForgedHeaders => f.write_str("too many header lines to remove"),
            Self::Overdue => f.write_str("no decision in time"),
        }
    }
}
