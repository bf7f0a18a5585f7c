// SPDX-License-Identifier: GPL-3.0-or-later
//! One DNSBL: what it is asked, what its answers mean, and whether it is in order (RFC 5782 2.1, 2.4, 5).
//!
//! A zone in order lists 127.0.0.2 and does not list 127.0.0.1. For IPv6 the same holds of `::FFFF:7F00:2` and
//! `::FFFF:7F00:1`; a zone that does not pass that has no IPv6 addresses, as many have none, and is not asked about them.
//! 127.255.255.x and 127.0.0.1 for an answer are no listing but a refusal, and an answer outside of 127.0.0.0/8 is none of a DNSBL's.

use super::QUESTION;
use crate::dns::{Dns, DnsError, Records};
use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// After how many questions in a row without an answer a zone is switched off; those that were put at one time count as one.
const FAILURES: u32 = 5;
/// What every zone lists, and what none lists (RFC 5782 5).
const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NOT_LISTED: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A zone and how it is.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) name: Arc<str>,
    pub(super) weight: u32,
    health: Mutex<Health>,
    went_off: Notify,
}

#[derive(Debug)]
struct Health {
    state: ZoneState,
    /// Questions in a row without an answer.
    failures: u32,
    /// When the last of them failed.
    failed: Option<Instant>,
}

/// Whether a zone is in use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ZoneState {
    /// It has not been tested yet, so that nothing is known of it.
    Untested,
    /// It is asked.
    InUse {
        /// About IPv6 addresses, too.
        ipv6: bool,
    },
    /// It is not asked, and counts nothing.
    Off(Fault),
}

/// Why a zone is switched off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It refuses to answer us, with this code.
    Refuses(Ipv4Addr),
    /// It lists 127.0.0.1, and so perhaps everybody.
    ListsEverybody,
    /// It does not list 127.0.0.2, and so perhaps nobody.
    ListsNobody,
    /// It answers with an address that is no DNSBL's.
    Strange(Ipv4Addr),
    /// It does not answer; what happened last.
    Silent(String),
}

/// Why a question has no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// The zone is not in order.
    Fault(Fault),
    /// There was no answer.
    NoAnswer(String),
}

/// Whether a zone is to be asked about a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    Untested,
    InUse,
    /// No: it is switched off, or has no addresses of that kind.
    Off,
}

impl Zone {
    pub(super) fn new(name: Arc<str>, weight: u32) -> Self {
        let health = Health { state: ZoneState::Untested, failures: 0, failed: None };
        Self { name, weight, health: Mutex::new(health), went_off: Notify::new() }
    }

    pub(super) fn state(&self) -> ZoneState {
        self.health().state.clone()
    }

    pub(super) fn is_in_use(&self) -> bool {
        match self.health().state {
            ZoneState::InUse { .. } => true,
            ZoneState::Untested | ZoneState::Off(_) => false,
        }
    }

    pub(super) fn standing(&self, client: IpAddr) -> Standing {
        match self.health().state {
            ZoneState::Untested => Standing::Untested,
            ZoneState::InUse { ipv6 } if ipv6 || client.is_ipv4() => Standing::InUse,
            ZoneState::InUse { .. } | ZoneState::Off(_) => Standing::Off,
        }
    }

    /// Waits until it is not in use.
    pub(super) async fn went_off(&self) {
        let mut told = std::pin::pin!(self.went_off.notified());
        told.as_mut().enable();
        if self.is_in_use() {
            told.await;
        }
    }

    /// The code with which the zone lists an address, if it does, and how long that may be kept.
    pub(super) async fn ask(
        &self,
        dns: &impl Dns,
        address: IpAddr,
    ) -> Result<(Option<Ipv4Addr>, Duration), Trouble> {
        let name = query_name(address, &self.name);
        let Records { found, exists: _, ttl, validated: _ } = match timeout(QUESTION, dns.ipv4(&name)).await {
            Ok(Ok(records)) => records,
            Ok(Err(DnsError { name: _, why })) => return Err(Trouble::NoAnswer(why)),
            Err(_) => return Err(Trouble::NoAnswer("no answer in time".into())),
        };
        Ok((code_of(&found).map_err(Trouble::Fault)?, ttl))
    }

    /// Tests it, and switches it on or off.
    pub(super) async fn test(&self, dns: &impl Dns) {
        let mapped = |address: Ipv4Addr| IpAddr::V6(address.to_ipv6_mapped());
        let (listed, not_listed, listed6, not_listed6) = tokio::join!(
            self.ask(dns, LISTED.into()),
            self.ask(dns, NOT_LISTED.into()),
            self.ask(dns, mapped(LISTED)),
            self.ask(dns, mapped(NOT_LISTED)),
        );
        let ipv6 = matches!((listed6, not_listed6), (Ok((Some(_), _)), Ok((None, _))));
        match (listed, not_listed) {
            (Err(Trouble::Fault(fault)), _) | (_, Err(Trouble::Fault(fault))) => self.switch_off(&fault),
            (_, Ok((Some(_), _))) => self.switch_off(&Fault::ListsEverybody),
            (Ok((None, _)), _) => self.switch_off(&Fault::ListsNobody),
            (Ok((Some(_), _)), Ok((None, _))) => self.switch_on(ipv6),
            (Err(Trouble::NoAnswer(why)), _) | (_, Err(Trouble::NoAnswer(why))) => {
                if self.is_in_use() {
                    self.failed(Instant::now(), &why);
                } else {
                    self.switch_off(&Fault::Silent(why));
                }
            }
        }
    }

    /// Takes in that a question was answered.
    pub(super) fn answered(&self) {
        self.health().failures = 0;
    }

    /// Takes in that a question put at this moment was not answered.
    pub(super) fn failed(&self, began: Instant, why: &str) {
        let failures = {
            let mut health = self.health();
            if health.failed.is_some_and(|failed| began <= failed) {
                return;
            }
            health.failed = Some(Instant::now());
            health.failures += 1;
            health.failures
        };
        if failures >= FAILURES {
            self.switch_off(&Fault::Silent(why.to_owned()));
        }
    }

    /// Takes it out of use, and says so once for each kind of fault.
    pub(super) fn switch_off(&self, fault: &Fault) {
        let before = {
            let mut health = self.health();
            health.failures = 0;
            std::mem::replace(&mut health.state, ZoneState::Off(fault.clone()))
        };
        let is_known = match before {
            ZoneState::Off(before) => std::mem::discriminant(&before) == std::mem::discriminant(fault),
            ZoneState::InUse { .. } => {
                self.went_off.notify_waiters();
                false
            }
            ZoneState::Untested => false,
        };
        if is_known {
            tracing::debug!(zone = %self.name, %fault, "DNSBL still switched off");
        } else {
            tracing::warn!(
                zone = %self.name, %fault, advice = fault.advice(), "DNSBL switched off: it counts nothing until it is in order"
            );
        }
    }

    fn switch_on(&self, ipv6: bool) {
        let before = {
            let mut health = self.health();
            health.failures = 0;
            std::mem::replace(&mut health.state, ZoneState::InUse { ipv6 })
        };
        match before {
            ZoneState::Off(_) => tracing::info!(zone = %self.name, ipv6, "DNSBL in use again"),
            ZoneState::Untested => tracing::debug!(zone = %self.name, ipv6, "DNSBL in use"),
            ZoneState::InUse { .. } => {}
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Refuses(code) => match code.octets() {
                [127, 255, 255, 252] => "write the zone's name as its operator gives it",
                [127, 255, 255, 255] => {
                    "ask less, or get the operator's paid service, or take the zone out of [reputation]"
                }
                _ => {
                    "ask through a resolver of your own and not a public one ([dns] servers), keep within the operator's \
                     terms of use, or take the zone out of [reputation]"
                }
            },
            Self::ListsEverybody | Self::ListsNobody => {
                "the operator may have shut it down, or requires a key or another name: take it out of [reputation] or \
                 write the name that the operator gives"
            }
            Self::Strange(_) => {
                "the domain may have been sold, or the resolver rewrites answers: take the zone out of [reputation], or ask \
                 through another resolver ([dns] servers)"
            }
            Self::Silent(_) => {
                "see whether the name servers in [dns] reach it, or take it out of [reputation]"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuses(code) => write!(f, "refuses to answer us ({code})"),
            Self::ListsEverybody => write!(f, "lists {NOT_LISTED}, which no zone in order does"),
            Self::ListsNobody => write!(f, "does not list {LISTED}, which every zone in order does"),
            Self::Strange(address) => write!(f, "answers {address}, which no DNSBL does"),
            Self::Silent(why) => write!(f, "does not answer: {why}"),
        }
    }
}

impl fmt::Display for ZoneState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untested => f.write_str("not tested yet"),
            Self::InUse { ipv6: true } => f.write_str("in use"),
            Self::InUse { ipv6: false } => f.write_str("in use for IPv4"),
            Self::Off(fault) => write!(f, "switched off: {fault}"),
        }
    }
}

/// What the addresses in an answer mean: the lowest of several codes.
fn code_of(found: &[Ipv4Addr]) -> Result<Option<Ipv4Addr>, Fault> {
    if let Some(strange) = found.iter().find(|code| !code.is_loopback()) {
        return Err(Fault::Strange(*strange));
    }
    let refuses = |code: &Ipv4Addr| code.octets().starts_with(&[127, 255, 255]) || *code == NOT_LISTED;
    match found.iter().copied().find(refuses) {
        Some(code) => Err(Fault::Refuses(code)),
        None => Ok(found.iter().min().copied()),
    }
}

/// The name that a zone is asked for (RFC 5782 2.1, 2.4): the octets, or the hexadecimal digits, from the last to the first.
fn query_name(address: IpAddr, zone: &str) -> String {
    let mut name = String::with_capacity(64 + zone.len());
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            let _ = write!(name, "{d}.{c}.{b}.{a}.");
        }
        IpAddr::V6(v6) => nibbles(v6, &mut name),
    }
    name.push_str(zone);
    name
}

fn nibbles(address: Ipv6Addr, name: &mut String) {
    for octet in address.octets().iter().rev() {
        let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_zones_are_asked_for() {
        for (address, want) in [
            ("203.0.113.7", "7.113.0.203.bl.example"),
            ("127.0.0.2", "2.0.0.127.bl.example"),
            (
                "2001:db8:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example",
            ),
            (
                "::ffff:127.0.0.2",
                "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.example",
            ),
        ] {
            assert_eq!(query_name(address.parse().unwrap(), "bl.example"), want, "{address}");
        }
    }

    #[test]
    fn what_answers_mean() {
        let code = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        for (found, want) in [
            (&[][..], Ok(None)),
            (&["127.0.0.2"], Ok(Some(code("127.0.0.2")))),
            (&["127.0.0.10", "127.0.0.4"], Ok(Some(code("127.0.0.4")))),
            (&["127.9.9.9"], Ok(Some(code("127.9.9.9")))),
            (&["127.255.255.254"], Err(Fault::Refuses(code("127.255.255.254")))),
            (&["127.0.0.2", "127.255.255.255"], Err(Fault::Refuses(code("127.255.255.255")))),
            (&["127.0.0.1"], Err(Fault::Refuses(code("127.0.0.1")))),
            (&["203.0.113.1"], Err(Fault::Strange(code("203.0.113.1")))),
            (&["127.0.0.2", "10.0.0.1"], Err(Fault::Strange(code("10.0.0.1")))),
        ] {
            let found: Vec<_> = found.iter().map(|text| code(text)).collect();
            assert_eq!(code_of(&found), want, "{found:?}");
        }
    }
}
