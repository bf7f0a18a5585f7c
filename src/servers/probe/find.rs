// SPDX-License-Identifier: GPL-3.0-or-later
//! Which addresses a next hop has: as an MTA finds them (RFC 5321 5.1), the first [`HOSTS`] hosts of an MX record and
//! the first [`ADDRESSES`] addresses.

use super::outcome::Outcome;
use crate::dns::{Dns, DnsError};
use crate::mail::{HopHost, NextHop};
use std::net::{IpAddr, SocketAddr};

/// Hosts of an MX record that are looked at.
const HOSTS: usize = 8;
/// Addresses that are looked at.
const ADDRESSES: usize = 16;

/// A host by name, and one of its addresses.
pub(super) type Place = (String, SocketAddr);
/// A host by name, and why no address of it is known.
pub(super) type Missing = (String, Outcome);

/// Finds them, and hosts that have none.
pub(super) async fn find<D: Dns>(dns: Result<D, String>, hop: &NextHop) -> (Vec<Place>, Vec<Missing>) {
    let name = match &hop.host {
        HopHost::Address(address) => {
            return (vec![(address.to_string(), SocketAddr::new(*address, hop.port))], Vec::new());
        }
        HopHost::Name(name) | HopHost::Mx(name) => name.as_str(),
    };
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    let dns = match dns {
        Ok(dns) => dns,
        Err(why) => return (places, vec![(name.to_owned(), Outcome::Unresolved(why))]),
    };
    let hosts = match &hop.host {
        HopHost::Mx(_) => match exchangers(&dns, name).await {
            Ok(hosts) => hosts,
            Err(outcome) => return (places, vec![(name.to_owned(), outcome)]),
        },
        HopHost::Name(_) | HopHost::Address(_) => vec![name.to_owned()],
    };
    for host in hosts {
        match addresses(&dns, &host).await {
            Ok(found) => {
                let found = found.into_iter().map(|address| SocketAddr::new(address, hop.port));
                places.extend(found.map(|address| (host.clone(), address)));
            }
            Err(outcome) => missing.push((host, outcome)),
        }
    }
    places.truncate(ADDRESSES);
    (places, missing)
}

/// The hosts in a domain's MX record, the most preferred first; the domain itself where it has none.
async fn exchangers(dns: &impl Dns, domain: &str) -> Result<Vec<String>, Outcome> {
    let records = dns.exchangers(domain).await.map_err(unresolved)?;
    if !records.exists {
        return Err(Outcome::NoAddress(format!("there is no name {domain} in DNS")));
    }
    let mut hosts = records.found;
    if hosts.is_empty() {
        return Ok(vec![domain.to_owned()]);
    }
    // RFC 7505.
    hosts.retain(|host| !host.is_empty());
    if hosts.is_empty() {
        return Err(Outcome::NoAddress(format!("{domain} says in DNS that it takes no mail (null MX)")));
    }
    hosts.truncate(HOSTS);
    Ok(hosts)
}

async fn addresses(dns: &impl Dns, host: &str) -> Result<Vec<IpAddr>, Outcome> {
    let (four, six) = tokio::join!(dns.ipv4(host), dns.ipv6(host));
    let mut found: Vec<IpAddr> = Vec::new();
    found.extend(four.iter().flat_map(|records| &records.found).copied().map(IpAddr::from));
    found.extend(six.iter().flat_map(|records| &records.found).copied().map(IpAddr::from));
    if !found.is_empty() {
        return Ok(found);
    }
    let exists = four.map_err(unresolved)?.exists | six.map_err(unresolved)?.exists;
    Err(Outcome::NoAddress(if exists {
        format!("{host} has no address in DNS")
    } else {
        format!("there is no name {host} in DNS")
    }))
}

fn unresolved(error: DnsError) -> Outcome {
    let DnsError { name, why } = error;
    Outcome::Unresolved(format!("{name} cannot be looked up: {why}"))
}
