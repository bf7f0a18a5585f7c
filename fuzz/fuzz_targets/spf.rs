// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as the zone that an SPF name is expanded over: never a panic, a bounded number of questions, no network that a
//! gateway cannot have; and a name that was enumerated says the same when it is asked about one client.
//!
//! A line is a name, a blank, and an address, `MX` and a host, `!` for no answer, or a TXT record. The first name is expanded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::dns::{Dns, DnsError, Records};
use postern::gateways::spf::{Live, expand};
use postern::mail::Network;
use postern::policy::{Answer, LiveName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Far more than ten terms with ten hosts each come to.
const MOST_QUESTIONS: usize = 1000;
/// Networks of which two clients each are asked about.
const SAMPLES: usize = 4;

struct Zone {
    lines: Vec<(String, Vec<u8>)>,
    asked: AtomicUsize,
}

impl Zone {
    fn new(data: &[u8]) -> Self {
        let lines = data.split(|&b| b == b'\n').filter_map(|line| {
            let blank = line.iter().position(|&b| b == b' ')?;
            let name = String::from_utf8_lossy(&line[..blank]).to_ascii_lowercase();
            Some((name, line[blank + 1..].to_vec()))
        });
        Self { lines: lines.collect(), asked: AtomicUsize::new(0) }
    }

    fn find<T>(&self, name: &str, read: impl Fn(&[u8]) -> Option<T>) -> Result<Records<T>, DnsError> {
        assert!(self.asked.fetch_add(1, Ordering::Relaxed) < MOST_QUESTIONS);
        let name = name.to_ascii_lowercase();
        let of_name = || self.lines.iter().filter(|(owner, _)| *owner == name);
        if of_name().any(|(_, data)| data == b"!") {
            return Err(DnsError { name, why: "no answer".into() });
        }
        let found = of_name().filter_map(|(_, data)| read(data)).collect();
        Ok(Records {
            found,
            exists: of_name().next().is_some(),
            ttl: Duration::from_secs(300),
            validated: false,
        })
    }
}

fn address<T: std::str::FromStr>(data: &[u8]) -> Option<T> {
    std::str::from_utf8(data).ok()?.parse().ok()
}

fn host(data: &[u8]) -> Option<String> {
    data.strip_prefix(b"MX ").map(|host| String::from_utf8_lossy(host).into_owned())
}

impl Dns for Zone {
    async fn texts(&self, name: &str) -> Result<Records<Vec<u8>>, DnsError> {
        let is_other = |data: &[u8]| address::<IpAddr>(data).is_some() || host(data).is_some();
        self.find(name, |data| (!is_other(data)).then(|| data.to_vec()))
    }

    async fn ipv4(&self, name: &str) -> Result<Records<Ipv4Addr>, DnsError> {
        self.find(name, address)
    }

    async fn ipv6(&self, name: &str) -> Result<Records<Ipv6Addr>, DnsError> {
        self.find(name, address)
    }

    async fn exchangers(&self, name: &str) -> Result<Records<String>, DnsError> {
        self.find(name, host)
    }

    async fn names(&self, _: IpAddr) -> Result<Records<String>, DnsError> {
        unreachable!("ptr never matches, and is not asked for")
    }
}

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let zone = Arc::new(Zone::new(data));
        let Some((name, _)) = zone.lines.first() else { return };
        let Ok(published) = expand(&*zone, name).await else { return };
        let networks: Vec<Network> = published.networks.iter().map(|found| found.network).collect();
        for network in &networks {
            assert!(network.prefix_len() >= if network.is_ipv4() { 8 } else { 19 }, "{network}");
        }
        if !published.live.is_empty() {
            return;
        }
        let (live, name) = (Live::new(Arc::clone(&zone), "mx.example"), LiveName::new(name.as_str()));
        let holds = |client: IpAddr| {
            networks.iter().any(|network| (network.first()..=network.last()).contains(&client))
        };
        for network in networks.iter().take(SAMPLES) {
            for client in [network.first(), network.last(), beyond(network.last())] {
                zone.asked.store(0, Ordering::Relaxed);
                let wrong = if holds(client) { Answer::No } else { Answer::Yes };
                assert_ne!(live.passes(&name, client).await, wrong, "{client} of {networks:?}");
            }
        }
    });
});

/// The next address.
fn beyond(last: IpAddr) -> IpAddr {
    match last {
        IpAddr::V4(last) => Ipv4Addr::from_bits(last.to_bits().wrapping_add(1)).into(),
        IpAddr::V6(last) => Ipv6Addr::from_bits(last.to_bits().wrapping_add(1)).into(),
    }
}
