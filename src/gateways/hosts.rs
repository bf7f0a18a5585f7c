// SPDX-License-Identifier: GPL-3.0-or-later
//! The addresses of a host that hands us mail: its A and AAAA records, asked for at once.

use super::{Published, PublishedNetwork, SourceError};
use crate::dns::Dns;
use crate::mail::{Domain, Network};
use std::net::IpAddr;
use std::sync::Arc;

/// Finds the addresses that a host has now. A host without any is wrong; where one of the two kinds cannot be had, nothing is.
pub async fn look_up(dns: &impl Dns, host: &Domain) -> Result<Published, SourceError> {
    let name = host.as_str();
    let (v4, v6) = tokio::join!(dns.ipv4(name), dns.ipv6(name));
    let (v4, v6) = (v4?, v6?);
    if v4.found.is_empty() && v6.found.is_empty() {
        let what = if v4.exists || v6.exists { "has no addresses" } else { "does not exist" };
        return Err(SourceError::Wrong(format!("{name} {what}")));
    }
    // What only one of them has says nothing about how long the other's absence lasts, so both count.
    let ttl = v4.ttl.min(v6.ttl);
    let validated = v4.validated && v6.validated;
    let via: Arc<str> = name.into();
    let addresses = v4.found.into_iter().map(IpAddr::from).chain(v6.found.into_iter().map(IpAddr::from));
    let mut networks: Vec<Network> = addresses.map(Network::host).collect();
    networks.sort_unstable();
    networks.dedup();
    let networks = networks.into_iter().map(|network| PublishedNetwork { network, via: Arc::clone(&via) });
    Ok(Published { networks: networks.collect(), ttl, validated, ..Published::default() })
}
