// SPDX-License-Identifier: GPL-3.0-or-later
//! Records as large as they may be, and larger.

use std::time::{Duration, Instant};

use postern::gateways::spf::expand;

use crate::memory::{Host, Memory};

/// One record with so many networks, every second address of each excluded before.
fn record(networks: u32) -> Memory {
    let terms = (0..networks / 2).flat_map(|at| {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + at * 4);
        [format!("-ip4:{address}"), format!("ip4:{address}/31")]
    });
    let terms: Vec<_> = terms.collect();
    let record = Host { texts: vec![format!("v=spf1 {} -all", terms.join(" "))], ..Host::default() };
    Memory::new([("spf.test".to_owned(), record)])
}

#[tokio::test]
async fn four_thousand_networks_take_a_moment() {
    let start = Instant::now();
    let published = expand(&record(4096), "spf.test").await.unwrap();
    assert_eq!(published.networks.len(), 2048);
    assert_eq!(published.networks[0].network.to_string(), "10.0.0.1/32");
    // Far more than it takes.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn more_are_refused() {
    let error = expand(&record(4098), "spf.test").await.unwrap_err();
    assert!(error.to_string().ends_with("more than 4096 networks"), "{error}");
}

/// A few terms that cut one network into very many.
#[tokio::test]
async fn what_is_cut_into_more_is_refused() {
    let cuts = (0u32..300).map(|at| format!("-ip6:2001:db8:{at:x}:{at:x}::{at:x}")).collect::<Vec<_>>();
    let record = format!("v=spf1 {} ip6:2001:db8::/32 -all", cuts.join(" "));
    let memory = Memory::new([("spf.test".to_owned(), Host { texts: vec![record], ..Host::default() })]);
    let error = expand(&memory, "spf.test").await.unwrap_err();
    assert!(error.to_string().ends_with("ip6:2001:db8::/32: more than 4096 networks"), "{error}");
}
