// SPDX-License-Identifier: GPL-3.0-or-later
//! A reputation that asks the test's own name server, and what it has logged.

use std::io::Write;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use postern::config::{self, DnsblZone};
use postern::dns::Resolver;
use postern::mail::Domain;
use postern::reputation::Reputation;
use tracing::subscriber::DefaultGuard;

use crate::common::name_server::NameServer;

/// Asks these zones, each with its weight.
pub(crate) fn reputation(server: &NameServer, zones: &[(&str, u32)]) -> Reputation<Resolver> {
    let dns = config::Dns { servers: vec![server.address()], dnssec: false };
    let zones = zones.iter().map(|(zone, weight)| DnsblZone {
        zone: Domain::parse(zone).unwrap(),
        weight: *weight,
        place: None,
    });
    let config = config::Reputation { zones: zones.collect(), threshold: 1, ..config::Reputation::default() };
    Reputation::new(Arc::new(Resolver::new(&dns).unwrap()), &config)
}

/// What zones say of a client, as `ZONE WEIGHT CODE`, and the weights of those that do not answer.
pub(crate) async fn listings(reputation: &Reputation<Resolver>, client: &str) -> (Vec<String>, u32) {
    let listings = reputation.listings(address(client)).await;
    let listed = listings.listed.iter().map(|one| format!("{} {} {}", one.zone, one.weight, one.code));
    (listed.collect(), listings.unanswered)
}

/// How each zone is.
pub(crate) fn states(reputation: &Reputation<Resolver>) -> Vec<String> {
    reputation.status().iter().map(|zone| zone.state.to_string()).collect()
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What this thread logs at info and above while the guard lives.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn keep() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        let octets = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(octets).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
