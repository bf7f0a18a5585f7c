// SPDX-License-Identifier: GPL-3.0-or-later
//! Who answers questions about one client: the back rooms, with all that they have kept of earlier answers.
//!
//! A reload takes over whatever asks the same servers the same, so that nothing is asked twice and no DNSBL is untested for
//! a while. Of what a reload makes anew, DNSBLs are tested before it is in force.

use crate::config::{self, Config};
use crate::dns::{Resolver, ResolverError};
use crate::gate::{Asked, Outside};
use crate::gateways::spf::Live;
use crate::mail::Domain;
use crate::policy::{Answer, Listings, LiveName, Policy, ReverseName};
use crate::reputation::{Reputation, ZoneStatus};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Answers with what the back rooms know. A clone shares everything.
#[derive(Clone)]
pub(super) struct Roof {
    resolver: Arc<Resolver>,
    own: Arc<str>,
    live: Arc<Live<Resolver>>,
    zones: Arc<[(Domain, u32)]>,
    reputation: Arc<Reputation<Resolver>>,
}

impl Roof {
    /// A new one, whose DNSBLs have not been tested.
    pub(super) fn new(config: &Config, policy: &Policy) -> Result<Self, ResolverError> {
        Ok(Self::asking(Arc::new(Resolver::new(&config.dns)?), config, policy))
    }

    fn asking(resolver: Arc<Resolver>, config: &Config, policy: &Policy) -> Self {
        let own: Arc<str> = own_name(policy).into();
        let live = Arc::new(Live::new(Arc::clone(&resolver), &own));
        let reputation = Arc::new(Reputation::new(Arc::clone(&resolver), &config.reputation));
        Self { resolver, own, live, zones: zones(&config.reputation), reputation }
    }

    /// The one after this for another configuration, with its DNSBLs tested, which takes 3 s at most.
    pub(super) async fn next(
        before: Option<&Self>,
        config: &Config,
        policy: &Policy,
    ) -> Result<Self, ResolverError> {
        let resolver = Resolver::new(&config.dns)?;
        let Some(before) = before.filter(|before| before.resolver.asks_like(&resolver)) else {
            let next = Self::asking(Arc::new(resolver), config, policy);
            next.reputation.test().await;
            return Ok(next);
        };
        let mut next = before.clone();
        let own = own_name(policy);
        if *own != *next.own {
            next.live = Arc::new(Live::new(Arc::clone(&next.resolver), &own));
            next.own = own.into();
        }
        let zones = zones(&config.reputation);
        if zones != next.zones {
            next.reputation = Arc::new(Reputation::new(Arc::clone(&next.resolver), &config.reputation));
            next.zones = zones;
            next.reputation.test().await;
        }
        Ok(next)
    }

    /// Tests every DNSBL once, now.
    pub(super) async fn test(&self) {
        self.reputation.test().await;
    }

    /// Tests DNSBLs now and then, for as long as it is polled.
    pub(super) async fn watch(self) {
        self.reputation.watch().await;
    }

    /// How DNSBLs are.
    pub(super) fn zones(&self) -> Vec<ZoneStatus> {
        self.reputation.status()
    }
}

/// The name that live names are asked in.
fn own_name(policy: &Policy) -> String {
    match &*policy.loops().id {
        "" => nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
        id => id.to_owned(),
    }
}

/// What makes one set of DNSBLs another; where they are written does not.
fn zones(config: &config::Reputation) -> Arc<[(Domain, u32)]> {
    config.zones.iter().map(|zone| (zone.zone.clone(), zone.weight)).collect()
}

impl Outside for Roof {
    fn live<'a>(&'a self, name: &'a LiveName, client: IpAddr) -> Asked<'a, Answer> {
        Box::pin(self.live.passes(name, client))
    }

    fn listings(&self, client: IpAddr) -> Asked<'_, Listings> {
        Box::pin(self.reputation.listings(client))
    }

    fn reverse(&self, client: IpAddr) -> Asked<'_, ReverseName> {
        Box::pin(self.reputation.reverse(client))
    }
}

impl fmt::Debug for Roof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roof")
            .field("live", &self.live)
            .field("reputation", &self.reputation)
            .finish_non_exhaustive()
    }
}
