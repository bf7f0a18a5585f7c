// SPDX-License-Identifier: GPL-3.0-or-later
//! What one address source says at one moment, whatever kind it is.

use crate::config::AddressSource;
use crate::dns::DnsError;
use crate::mail::Network;
use crate::policy::LiveName;
use std::sync::Arc;
use std::time::Duration;

/// What a source publishes now.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Published {
    /// The networks, none twice, with what named each.
    pub networks: Vec<PublishedNetwork>,
    /// Names in it that cannot be enumerated and have to be asked for each client.
    pub live: Vec<LiveName>,
    /// How long it may be kept.
    pub ttl: Duration,
    /// Whether every answer it was made of was validated by us (DNSSEC).
    pub validated: bool,
    /// What was passed over, and anything else an administrator should know, a sentence each.
    pub notes: Vec<String>,
}

/// One network and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedNetwork {
    /// The network.
    pub network: Network,
    /// The way to it, from the source's own name to the record: `spf.example > include:_a.example > ip4:192.0.2.0/24`.
    pub via: Arc<str>,
}

/// Why there is nothing to be had from a source. Either way its last good set stays in force.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SourceError {
    /// Nobody answers at the moment.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It answers, and what it says cannot be used: the name does not exist, the record is wrong, the set too wide.
    #[error("{0}")]
    Wrong(String),
    /// It asks to be left alone for a while.
    #[error("asks to be left alone for {} s", .0.as_secs())]
    Later(Duration),
}

impl From<DnsError> for SourceError {
    fn from(error: DnsError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// The key that a source has in the configuration.
pub fn kind(source: &AddressSource) -> &'static str {
    match source {
        AddressSource::Spf(_) => "spf",
        AddressSource::Host(_) => "host",
        AddressSource::Feed(_) => "feed",
    }
}

/// A source as it is named to people: `spf spf.example`.
pub fn label(source: &AddressSource) -> String {
    let kind = kind(source);
    match source {
        AddressSource::Spf(name) => format!("{kind} {name}"),
        AddressSource::Host(name) => format!("{kind} {name}"),
        AddressSource::Feed(feed) => format!("{kind} {}", feed.url),
    }
}
