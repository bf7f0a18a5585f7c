// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: the domain name system, asked in the few ways that mail needs.
//!
//! An answer says whether the name exists, what it has, how long that may be kept, and whether it was validated. A
//! failure (no answer in time, SERVFAIL, an answer that does not validate) is neither: nothing is known then.

mod resolver;

pub use resolver::{Resolver, ResolverError};

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// What was answered to one question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Records<T> {
    /// What the name has; nothing when it does not exist or has no such records.
    pub found: Vec<T>,
    /// Whether the name exists; false is NXDOMAIN.
    pub exists: bool,
    /// How long this may be kept.
    pub ttl: Duration,
    /// Whether the answer was validated by us (DNSSEC).
    pub validated: bool,
}

/// Nothing is known: no answer in time, or none that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct DnsError {
    /// What was asked about.
    pub name: String,
    /// What happened, in a few words.
    pub why: String,
}

/// Who can be asked. Names are given without a final dot and are always absolute.
pub trait Dns: Send + Sync + 'static {
    /// TXT records; the strings of one record are put together (RFC 7208 3.3).
    fn texts(&self, name: &str) -> impl Future<Output = Result<Records<Vec<u8>>, DnsError>> + Send;

    /// A records.
    fn ipv4(&self, name: &str) -> impl Future<Output = Result<Records<Ipv4Addr>, DnsError>> + Send;

    /// AAAA records.
    fn ipv6(&self, name: &str) -> impl Future<Output = Result<Records<Ipv6Addr>, DnsError>> + Send;

    /// MX records' host names, the most preferred first; the null MX (RFC 7505) is an empty name.
    fn exchangers(&self, name: &str) -> impl Future<Output = Result<Records<String>, DnsError>> + Send;

    /// PTR records of an address.
    fn names(&self, address: IpAddr) -> impl Future<Output = Result<Records<String>, DnsError>> + Send;
}
