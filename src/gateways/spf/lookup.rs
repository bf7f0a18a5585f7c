// SPDX-License-Identifier: GPL-3.0-or-later
//! What viaspf asks DNS while it evaluates one name for one client, and what is kept of the answers.
//!
//! The evaluation begins at a record of our own, `v=spf1 include:NAME -all`, at our own domain, so that macros in NAME
//! mean what they mean in an administrator's record; every later question goes to DNS. Reverse names are never asked: `ptr`
//! matches no one here, as in an enumeration.

use super::{MAX_HOSTS, MAX_VOID, record, target};
use crate::dns::{Dns, DnsError, Records};
use async_trait::async_trait;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use viaspf::lookup::{Lookup, LookupError, LookupResult, Name};
use viaspf::record::Mechanism;
use viaspf::trace::{Trace, Tracepoint};

/// One evaluation's view of DNS.
pub(super) struct OneEvaluation<'a, D> {
    dns: &'a D,
    /// The record that it begins at, until it is asked for.
    first: Mutex<Option<String>>,
    /// Hosts that are the same for every client, in lower case.
    hosts: Mutex<HashSet<String>>,
    void: AtomicUsize,
    refused: AtomicBool,
    ttl: Mutex<Option<Duration>>,
}

impl<'a, D: Dns> OneEvaluation<'a, D> {
    /// An evaluation of this term.
    pub(super) fn of(term: &Mechanism, dns: &'a D) -> Self {
        Self {
            dns,
            first: Mutex::new(Some(format!("v=spf1 {term} -all"))),
            hosts: Mutex::default(),
            void: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            ttl: Mutex::new(None),
        }
    }

    /// The shortest TTL of the answers; nothing when there were none.
    pub(super) fn ttl(&self) -> Option<Duration> {
        *self.ttl.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the records asked for what a gateway cannot be, or for more than they may.
    pub(super) fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    fn seen<T>(&self, records: Result<Records<T>, DnsError>) -> LookupResult<Records<T>> {
        let records = records.map_err(|error| LookupError::Dns(Some(Box::new(error))))?;
        let mut ttl = self.ttl.lock().unwrap_or_else(PoisonError::into_inner);
        *ttl = Some(ttl.map_or(records.ttl, |shortest| shortest.min(records.ttl)));
        Ok(records)
    }

    /// What was found, or the end of the evaluation when too many look-ups found nothing.
    fn found<T>(&self, records: Records<T>, void: bool) -> LookupResult<Vec<T>> {
        if void && self.void.fetch_add(1, Ordering::Relaxed) >= MAX_VOID {
            return Err(self.refuse());
        }
        if records.exists { Ok(records.found) } else { Err(LookupError::NoRecords) }
    }

    /// Whether a name without addresses counts. That a name made of the client's address has none is what it is for.
    fn is_host(&self, name: &Name) -> bool {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.contains(&plain(name).to_ascii_lowercase())
    }

    fn add_hosts(&self, names: impl IntoIterator<Item = String>) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    fn refuse(&self) -> LookupError {
        self.refused.store(true, Ordering::Relaxed);
        LookupError::Dns(None)
    }
}

#[async_trait]
impl<D: Dns> Lookup for OneEvaluation<'_, D> {
    async fn lookup_a<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<Ipv4Addr>> {
        let records = self.seen(self.dns.ipv4(plain(name)).await)?;
        let void = records.found.is_empty()
            && self.is_host(name)
            && (!records.exists || self.seen(self.dns.ipv6(plain(name)).await)?.found.is_empty());
        self.found(records, void)
    }

    async fn lookup_aaaa<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<Ipv6Addr>> {
        let records = self.seen(self.dns.ipv6(plain(name)).await)?;
        let void = records.found.is_empty()
            && self.is_host(name)
            && (!records.exists || self.seen(self.dns.ipv4(plain(name)).await)?.found.is_empty());
        self.found(records, void)
    }

    async fn lookup_mx<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<Name>> {
        let records = self.seen(self.dns.exchangers(plain(name)).await)?;
        if records.found.len() > MAX_HOSTS {
            return Err(self.refuse());
        }
        let void = records.found.is_empty();
        let hosts = self.found(records, void)?;
        self.add_hosts(hosts.iter().map(|host| host.to_ascii_lowercase()));
        // The null MX (RFC 7505) names nobody.
        Ok(hosts.iter().filter_map(|host| Name::new(host).ok()).collect())
    }

    async fn lookup_txt<'lookup, 'a>(&'lookup self, name: &'a Name) -> LookupResult<Vec<String>> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(record) = first {
            return Ok(vec![record]);
        }
        let records = self.seen(self.dns.texts(plain(name)).await)?;
        if record::has_empty_prefix(&records.found) {
            return Err(self.refuse());
        }
        if let Ok(record) = record::read(&records.found) {
            self.add_hosts(record::fixed_hosts(&record, plain(name)));
        }
        // A name without a record is an error of its own, not a look-up that finds nothing.
        let found = self.found(records, false)?;
        Ok(found.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect())
    }

    async fn lookup_ptr<'lookup>(&'lookup self, _: IpAddr) -> LookupResult<Vec<Name>> {
        Err(LookupError::NoRecords)
    }
}

/// Whether an evaluation that ended in a pass was passed by a term that is too wide for a gateway. In a record that was
/// found under a name made of the client's address, no term is: that record is about this client alone.
pub(super) fn is_too_wide(trace: &Trace) -> bool {
    let mut records = Vec::new();
    let mut next_is_own = false;
    let mut last = None;
    for event in &trace.events {
        if let Tracepoint::EvaluateMechanism(mechanism) = &event.tracepoint {
            if let Mechanism::Include(include) = mechanism {
                next_is_own = target::has_address(&include.domain_spec);
            }
            // After the one that matches, nothing is evaluated any more.
            last = Some((mechanism, records.last().copied()));
        } else if let Tracepoint::EvaluateRedirect(redirect) = &event.tracepoint {
            next_is_own = target::has_address(&redirect.domain_spec);
        } else if let Tracepoint::ExecuteQuery(_) = &event.tracepoint {
            records.push(next_is_own || records.last().copied().unwrap_or_default());
        } else if let Tracepoint::QueryResult(_) = &event.tracepoint {
            records.pop();
        }
    }
    last.is_some_and(|(mechanism, is_own)| is_own == Some(false) && record::is_too_wide(mechanism))
}

/// Without the final dot.
fn plain(name: &Name) -> &str {
    name.as_str().strip_suffix('.').unwrap_or(name.as_str())
}
