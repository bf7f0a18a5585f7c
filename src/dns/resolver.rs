// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks name servers: the configured ones, or those of `/etc/resolv.conf`. They have to resolve names for us (RFC 1034
//! 5.3.1); we are a stub resolver.
//!
//! UDP with EDNS0, TCP where an answer is truncated. A query is tried twice, 2 s each, and all of a question, the
//! hops of a CNAME chain with it, may take 5 s. Answers and denials are kept for their TTL, 8192 of them; the same
//! question put twice at one time is asked once. There is no search list and no hosts file. `localhost`, `.invalid` and
//! `.onion` are answered without asking (RFC 6761, RFC 7686).
//!
//! With `dnssec`, answers are validated (RFC 4035) from the root's keys down, so the servers must pass on signatures. A
//! name without a chain of trust down to it must be provably unsigned; what is neither is a failure. Denials are not kept then.

use super::{Dns, DnsError, Records};
use crate::config;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as Failure, NetError, NoRecords};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How often a query is tried again after its first attempt.
const RETRIES: usize = 1;
/// How long all of a question may take, from its turn on.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many answers are kept.
const CACHE_SIZE: u64 = 8192;
/// How many questions are under way at one time; the others wait their turn.
const AT_ONCE: usize = 256;

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The system names no servers that could be read.
    #[error("/etc/resolv.conf: {0}")]
    System(NetError),
    /// The file with the keys to trust cannot be used.
    #[error("{}: {why}", path.display())]
    Anchors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The resolver cannot be made.
    #[error("{0}")]
    Build(NetError),
}

/// Asks name servers. A clone shares everything, answers too.
#[derive(Clone, Debug)]
pub struct Resolver {
    hickory: TokioResolver,
    turns: Arc<Semaphore>,
    /// The servers, and whether answers are validated.
    asks: (Arc<[SocketAddr]>, bool),
}

impl Resolver {
    /// Asks the servers of the configuration, or those of the system where it has none. Nothing is sent yet.
    pub fn new(config: &config::Dns) -> Result<Self, ResolverError> {
        Self::build(config, None)
    }

    /// The same, validating by the DNSKEY records in this file (as in a zone file) instead of the root's keys.
    pub fn with_anchors(config: &config::Dns, file: &Path) -> Result<Self, ResolverError> {
        let anchors = TrustAnchors::from_file(file)
            .map_err(|error| ResolverError::Anchors { path: file.to_owned(), why: error.to_string() })?;
        Self::build(config, Some(anchors))
    }

    fn build(config: &config::Dns, anchors: Option<TrustAnchors>) -> Result<Self, ResolverError> {
        let config::Dns { servers, dnssec } = config;
        let servers = if servers.is_empty() {
            read_system_conf().map_err(ResolverError::System)?.0.name_servers
        } else {
            servers.iter().map(name_server).collect()
        };
        let asked = servers.iter().map(address).collect();
        let config = ResolverConfig::from_name_servers(servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = ATTEMPT;
        options.attempts = RETRIES;
        options.edns0 = true;
        options.validate = *dnssec;
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = CACHE_SIZE;
        options.max_active_requests = AT_ONCE;
        if let Some(anchors) = anchors {
            builder = builder.with_trust_anchor(Arc::new(anchors));
        }
        let hickory = builder.build().map_err(ResolverError::Build)?;
        Ok(Self { hickory, turns: Arc::new(Semaphore::new(AT_ONCE)), asks: (asked, *dnssec) })
    }

    /// Whether another asks the same servers and validates alike.
    pub fn asks_like(&self, other: &Self) -> bool {
        self.asks == other.asks
    }

    /// Asks one question and takes from the answer what `pick` takes from a record's data.
    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Records<T>, DnsError> {
        let failed = |why: &str| DnsError { name: name.to_owned(), why: why.to_owned() };
        let asked = absolute(name).ok_or_else(|| failed("not a name that DNS could have"))?;
        let _turn = self.turns.acquire().await.map_err(|_| failed("shutting down"))?;
        match timeout(DEADLINE, self.hickory.lookup(asked.clone(), kind)).await {
            Err(_) => Err(failed("timed out")),
            Ok(Ok(lookup)) => {
                let chain = lookup.answers().iter().filter(|record| counts(record, kind));
                Ok(Records {
                    found: chain.clone().filter_map(|record| pick(&record.data)).collect(),
                    exists: true,
                    ttl: seconds(chain.clone().map(|record| record.ttl).min()),
                    validated: chain.clone().next().is_some()
                        && chain.clone().all(|record| record.proof == Proof::Secure),
                })
            }
            Ok(Err(error)) => denial(&error, &asked).ok_or_else(|| failed(&explain(&error))),
        }
    }
}

impl Dns for Resolver {
    async fn texts(&self, name: &str) -> Result<Records<Vec<u8>>, DnsError> {
        let pick = |data: &RData| {
            let RData::TXT(text) = data else { return None };
            Some(text.txt_data.concat())
        };
        self.ask(name, RecordType::TXT, pick).await
    }

    async fn ipv4(&self, name: &str) -> Result<Records<Ipv4Addr>, DnsError> {
        let pick = |data: &RData| {
            let RData::A(address) = data else { return None };
            Some(address.0)
        };
        self.ask(name, RecordType::A, pick).await
    }

    async fn ipv6(&self, name: &str) -> Result<Records<Ipv6Addr>, DnsError> {
        let pick = |data: &RData| {
            let RData::AAAA(address) = data else { return None };
            Some(address.0)
        };
        self.ask(name, RecordType::AAAA, pick).await
    }

    async fn exchangers(&self, name: &str) -> Result<Records<String>, DnsError> {
        let pick = |data: &RData| {
            let RData::MX(mx) = data else { return None };
            Some((mx.preference, relative(&mx.exchange)))
        };
        let Records { mut found, exists, ttl, validated } = self.ask(name, RecordType::MX, pick).await?;
        found.sort();
        let found = found.into_iter().map(|(_, host)| host).collect();
        Ok(Records { found, exists, ttl, validated })
    }

    async fn names(&self, address: IpAddr) -> Result<Records<String>, DnsError> {
        let pick = |data: &RData| {
            let RData::PTR(name) = data else { return None };
            Some(relative(&name.0))
        };
        self.ask(&relative(&Name::from(address.to_canonical())), RecordType::PTR, pick).await
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

fn address(server: &NameServerConfig) -> SocketAddr {
    SocketAddr::new(server.ip, server.connections.first().map_or(0, |connection| connection.port))
}

/// The name as DNS has it, octet by octet: no escapes, no IDNA, no search list.
fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_labels(name.split('.').map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A name as text without the final dot; empty for the root.
fn relative(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// Whether a record of the answer is asked for, or leads there.
fn counts(record: &Record, kind: RecordType) -> bool {
    record.record_type() == kind || record.record_type() == RecordType::CNAME
}

fn seconds(ttl: Option<u32>) -> Duration {
    Duration::from_secs(ttl.unwrap_or(0).into())
}

/// What an error says when it is an answer after all: that the name does not exist (NXDOMAIN), or has nothing of the kind.
fn denial<T>(error: &NetError, asked: &Name) -> Option<Records<T>> {
    let NetError::Dns(Failure::NoRecordsFound(none)) = error else { return None };
    let NoRecords { query, soa, ns, negative_ttl, response_code, authorities, .. } = none;
    // Name servers and no SOA is a referral: the server does not resolve names for us (RFC 2308 2.2).
    if soa.is_none() && ns.is_some() {
        return None;
    }
    let exists = *response_code == ResponseCode::NoError;
    if !exists && *response_code != ResponseCode::NXDomain {
        return None;
    }
    // RFC 2308 5.
    let ttl = negative_ttl.or_else(|| soa.as_ref().map(|soa| soa.ttl.min(soa.data.minimum)));
    // A denial is let through with proven NSEC records in it when they prove it, or none when it is provably unsigned. Of
    // the aliases that led to another name nothing is known here.
    let proven = |record: &Record| {
        record.proof == Proof::Secure && matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
    };
    let validated = query.name() == asked && authorities.iter().flat_map(|all| all.iter()).any(proven);
    Some(Records { found: Vec::new(), exists, ttl: seconds(ttl), validated })
}

/// What happened, in an administrator's words.
fn explain(error: &NetError) -> String {
    if matches!(error, NetError::Timeout) {
        return "timed out".into();
    }
    let NetError::Dns(failure) = error else { return error.to_string() };
    if let Failure::ResponseCode(code) = failure {
        let written = MNEMONICS.iter().find(|(known, _)| known == code);
        let written = written.map_or_else(|| code.to_string(), |(_, text)| (*text).to_owned());
        return format!("the server answers {written}");
    }
    let refers = matches!(failure, Failure::NoRecordsFound(_));
    let what = if refers { "the server refers us to others" } else { "the answer does not validate" };
    what.into()
}

/// Response codes as the field writes them (RFC 6895 2.3).
const MNEMONICS: [(ResponseCode, &str); 4] = [
    (ResponseCode::FormErr, "FORMERR"),
    (ResponseCode::NotImp, "NOTIMP"),
    (ResponseCode::Refused, "REFUSED"),
    (ResponseCode::ServFail, "SERVFAIL"),
];

/// So that an `Arc` of somebody who can be asked can be asked too.
impl<D: Dns> Dns for Arc<D> {
    fn texts(&self, name: &str) -> impl Future<Output = Result<Records<Vec<u8>>, DnsError>> + Send {
        D::texts(self, name)
    }

    fn ipv4(&self, name: &str) -> impl Future<Output = Result<Records<Ipv4Addr>, DnsError>> + Send {
        D::ipv4(self, name)
    }

    fn ipv6(&self, name: &str) -> impl Future<Output = Result<Records<Ipv6Addr>, DnsError>> + Send {
        D::ipv6(self, name)
    }

    fn exchangers(&self, name: &str) -> impl Future<Output = Result<Records<String>, DnsError>> + Send {
        D::exchangers(self, name)
    }

    fn names(&self, address: IpAddr) -> impl Future<Output = Result<Records<String>, DnsError>> + Send {
        D::names(self, address)
    }
}
