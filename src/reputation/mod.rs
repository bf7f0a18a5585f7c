// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: what DNSBLs (RFC 5782) and reverse names tell of clients that are no gateway.
//!
//! All zones are asked at once. A zone that fails its self-test, refuses us, says what no DNSBL says or does not answer
//! any more is switched off, with a warning; it counts nothing until a later test finds it in order. A question that is
//! not answered within 3 s is unknown. Private addresses are not asked about, because nobody lists them.
//!
//! Answers are kept for their TTL, 60 s to 1 h, denials too; failures for 10 s. What is kept and what is under way at one time has a
//! bound; beyond the latter nothing is asked, and that is unknown.

mod kept;
mod reverse;
mod zone;

pub use zone::{Fault, ZoneState};

use crate::config;
use crate::dns::Dns;
use crate::mail::is_private;
use crate::policy::{Listing, Listings, ReverseName};
use futures_util::future::join_all;
use kept::Kept;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use zone::{Standing, Zone};

/// How long one question may take: long enough for a second attempt, and below what the gate gives all of them.
const QUESTION: Duration = Duration::from_secs(3);
/// How long a failure is kept.
const FAILURE: Duration = Duration::from_secs(10);
/// How short and how long an answer is kept, whatever its TTL.
const KEPT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// Answers of zones that are kept, about 150 octets each.
const LISTINGS_KEPT: usize = 65_536;
/// Reverse names that are kept.
const NAMES_KEPT: usize = 16_384;
/// Clients that zones and names are asked about at one time, for each zone.
const UNDER_WAY: usize = 1000;
/// How often a zone that is in use is tested.
const TEST: Duration = Duration::from_secs(3600);
/// How soon a zone that is switched off is tested again, at first and at last; each time it is twice as long.
const RETEST: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));
/// How often it is said that too much is under way.
const SAY_FULL: Duration = Duration::from_secs(60);

/// Asks about clients, and keeps what was answered.
pub struct Reputation<D> {
    dns: Arc<D>,
    zones: Vec<Zone>,
    said: Kept<(usize, IpAddr), Said>,
    names: Kept<IpAddr, ReverseName>,
    permits: Semaphore,
    said_full: Mutex<Option<Instant>>,
}

/// How one zone is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneStatus {
    /// The zone.
    pub zone: Arc<str>,
    /// What a listing counts.
    pub weight: u32,
    /// Whether it is in use, and why not.
    pub state: ZoneState,
}

/// What one zone says of one client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Said {
    /// It lists the client, with this code.
    Listed(Ipv4Addr),
    /// It does not.
    NotListed,
    /// It gave no answer.
    Unanswered,
    /// It is not in use.
    Nothing,
}

impl<D: Dns> Reputation<D> {
    /// Asks these zones. Until [`Self::watch`] or [`Self::test`] has tested them, none of them answers.
    pub fn new(dns: Arc<D>, config: &config::Reputation) -> Self {
        // What the sum of weights and a reverse name mean is policy's.
        let config::Reputation { zones, threshold: _, reverse: _ } = config;
        let zones: Vec<_> = zones
            .iter()
            .map(|config::DnsblZone { zone, weight, place: _ }| Zone::new(zone.as_str().into(), *weight))
            .collect();
        let permits = Semaphore::new(UNDER_WAY * (zones.len() + 1));
        let (said, names) = (Kept::new(LISTINGS_KEPT), Kept::new(NAMES_KEPT));
        Self { dns, zones, said, names, permits, said_full: Mutex::new(None) }
    }

    /// What the zones say of a client.
    pub async fn listings(&self, client: IpAddr) -> Listings {
        let client = client.to_canonical();
        let mut listings = Listings::default();
        if is_private(client) {
            return listings;
        }
        let said = join_all((0..self.zones.len()).map(|at| self.said_of(at, client))).await;
        for (zone, said) in self.zones.iter().zip(said) {
            match said {
                Said::Listed(code) => {
                    listings.listed.push(Listing { zone: Arc::clone(&zone.name), weight: zone.weight, code });
                }
                Said::Unanswered => listings.unanswered = listings.unanswered.saturating_add(zone.weight),
                Said::NotListed | Said::Nothing => {}
            }
        }
        listings
    }

    /// The name that a client's address points to.
    pub async fn reverse(&self, client: IpAddr) -> ReverseName {
        let client = client.to_canonical();
        let ask = async {
            let Ok(_permit) = self.permits.try_acquire() else {
                self.full();
                return (ReverseName::Unknown, Duration::ZERO);
            };
            reverse::ask(&*self.dns, client).await
        };
        self.names.find(client, ask).await
    }

    /// Tests every zone now and then, for as long as it is polled: at once, hourly while it is in use, and soon and then ever
    /// less often while it is switched off.
    pub async fn watch(&self) {
        join_all(self.zones.iter().map(|zone| self.watch_zone(zone))).await;
    }

    /// Tests every zone once, now.
    pub async fn test(&self) {
        join_all(self.zones.iter().map(|zone| zone.test(&*self.dns))).await;
    }

    /// How the zones are, in the order of the configuration.
    pub fn status(&self) -> Vec<ZoneStatus> {
        let status = |zone: &Zone| ZoneStatus {
            zone: Arc::clone(&zone.name),
            weight: zone.weight,
            state: zone.state(),
        };
        self.zones.iter().map(status).collect()
    }

    async fn watch_zone(&self, zone: &Zone) {
        let (first, last) = RETEST;
        let mut pause = first;
        loop {
            zone.test(&*self.dns).await;
            if zone.is_in_use() && timeout(TEST, zone.went_off()).await.is_err() {
                // Only a zone that lasts is soon forgiven the next time.
                pause = first;
                continue;
            }
            sleep(pause).await;
            pause = (pause * 2).min(last);
        }
    }

    async fn said_of(&self, at: usize, client: IpAddr) -> Said {
        let zone = &self.zones[at];
        match zone.standing(client) {
            Standing::InUse => self.said.find((at, client), self.ask(zone, client)).await,
            Standing::Untested => Said::Unanswered,
            Standing::Off => Said::Nothing,
        }
    }

    /// Puts the question, and says how long the answer is kept.
    async fn ask(&self, zone: &Zone, client: IpAddr) -> (Said, Duration) {
        let Ok(_permit) = self.permits.try_acquire() else {
            self.full();
            return (Said::Unanswered, Duration::ZERO);
        };
        let began = Instant::now();
        match zone.ask(&*self.dns, client).await {
            Ok((None, ttl)) => {
                zone.answered();
                (Said::NotListed, kept_for(ttl))
            }
            Ok((Some(code), ttl)) => {
                zone.answered();
                (Said::Listed(code), kept_for(ttl))
            }
            Err(zone::Trouble::Fault(fault)) => {
                zone.switch_off(&fault);
                (Said::Nothing, Duration::ZERO)
            }
            Err(zone::Trouble::NoAnswer(why)) => {
                zone.failed(began, &why);
                (Said::Unanswered, FAILURE)
            }
        }
    }

    fn full(&self) {
        let now = Instant::now();
        let mut said = self.said_full.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| now.duration_since(said) >= SAY_FULL) {
            *said = Some(now);
            tracing::warn!(
                limit = UNDER_WAY,
                "too many clients are being asked about at one time: some are unknown; see that the name servers in [dns] answer quickly"
            );
        }
    }
}

impl<D> fmt::Debug for Reputation<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reputation").field("zones", &self.zones).finish_non_exhaustive()
    }
}

fn kept_for(ttl: Duration) -> Duration {
    ttl.clamp(KEPT.0, KEPT.1)
}

#[cfg(test)]
mod tests;
