// SPDX-License-Identifier: GPL-3.0-or-later
//! A list of networks as somebody wrote it: what is malformed, imprecise, suspiciously wide or there twice.

use super::wording::quoted;
use super::{Place, Problem};
use crate::mail::{Network, NetworkError};
use std::net::IpAddr;

/// An IPv4 network with a shorter prefix than this is suspicious.
const WIDE_V4: u8 = 8;
/// An IPv6 network with a shorter prefix than this is suspicious.
const WIDE_V6: u8 = 16;
/// More IPv4 addresses than this are suspicious for one gateway: those of one /8.
const WIDE_SUM: u64 = 1 << 24;

/// Networks with their places.
#[derive(Debug, Default)]
pub struct NetworkList {
    entries: Vec<(Network, Place)>,
    /// Whether private networks are worth a warning.
    suspects_private: bool,
}

impl NetworkList {
    /// A list of a gateway's networks, which should not be private ones unless that is meant.
    pub fn of_gateway(accept_private: bool) -> Self {
        Self { entries: Vec::new(), suspects_private: !accept_private }
    }

    /// Reads one network and says what is wrong with it.
    pub fn add(&mut self, written: &str, place: &Place, mut say: impl FnMut(Problem)) {
        let parsed = match Network::parse(written) {
            Ok(parsed) => parsed,
            Err(error) => {
                say(Problem::error(place.clone(), format!("{} is {}", quoted(written), what(&error)))
                    .help(instead(written, &error)));
                return;
            }
        };
        let network = parsed.network;
        if parsed.host_bits {
            let what = format!("{} has bits set beyond its prefix; {network} is used", quoted(written));
            say(Problem::warning(place.clone(), what)
                .help(format!("write `{network}`, or the address without a prefix for one machine alone")));
        }
        let wide = match network.first() {
            IpAddr::V4(_) => WIDE_V4,
            IpAddr::V6(_) => WIDE_V6,
        };
        if network.prefix_len() < wide {
            say(Problem::warning(place.clone(), format!("`{network}` is a very wide network"))
                .help(format!("networks of one operator are seldom wider than /{wide}; check the prefix")));
        }
        if self.suspects_private
            && let Some(kind) = private_kind(&network)
        {
            // Once is enough for a list.
            self.suspects_private = false;
            let help = "behind a proxy or a container bridge every client looks like this; if the gateway itself is \
                        there, write `accept_private = true`";
            say(Problem::warning(place.clone(), format!("`{network}` is {kind}")).help(help));
        }
        self.entries.push((network, place.clone()));
    }

    /// The networks so far, with their places.
    pub(super) fn entries(&self) -> &[(Network, Place)] {
        &self.entries
    }

    /// All networks; says which of them another one holds already.
    pub fn finish(mut self, mut say: impl FnMut(Problem)) -> Vec<Network> {
        // By first address, wide before narrow, so that each network follows the one that holds it.
        self.entries.sort_by_key(|(network, _)| (network.first(), network.prefix_len()));
        let mut around: Vec<&(Network, Place)> = Vec::new();
        for entry in &self.entries {
            let (network, place) = entry;
            while around.last().is_some_and(|(outer, _)| outer.last() < network.first()) {
                around.pop();
            }
            if let Some((outer, first)) = around.last() {
                let what = if outer == network {
                    format!("`{network}` is listed twice")
                } else {
                    format!("`{network}` lies in `{outer}`, which is listed too")
                };
                say(Problem::warning(place.clone(), what)
                    .help("keep one of the two")
                    .see("listed here", first.clone()));
                if outer == network {
                    continue;
                }
            }
            around.push(entry);
        }
        self.entries.into_iter().map(|(network, _)| network).collect()
    }
}

/// Says that a gateway's networks, all taken together, are suspiciously many. `place` is that of the gateway.
pub fn wide_sum(networks: &[Network], place: &Place) -> Option<Problem> {
    let mut ranges: Vec<(u32, u32)> = networks
        .iter()
        .filter_map(|network| match (network.first(), network.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Some((first.into(), last.into())),
            (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
        })
        .collect();
    ranges.sort_unstable();
    let (mut sum, mut free) = (0, 0u64);
    for (first, last) in ranges {
        let first = u64::from(first).max(free);
        free = free.max(u64::from(last) + 1);
        sum += free.saturating_sub(first);
    }
    // One that is too wide by itself has been named.
    let alone = networks.iter().any(|network| network.first().is_ipv4() && network.prefix_len() < WIDE_V4);
    (sum > WIDE_SUM && !alone).then(|| {
        let what = format!("this gateway has {sum} IPv4 addresses, more than a /{WIDE_V4} network");
        let help = "write only those that it delivers from: whoever has one of them is let in";
        Problem::warning(place.clone(), what).help(help)
    })
}

/// What kind of private network this is, if it is one.
fn private_kind(network: &Network) -> Option<&'static str> {
    let (first, last) = (private_address(network.first())?, private_address(network.last())?);
    (first == last).then_some(first)
}

fn private_address(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(a) if a.is_loopback() => Some("a loopback network"),
        IpAddr::V4(a) if a.is_private() => Some("a private network"),
        IpAddr::V4(a) if a.is_link_local() => Some("a link-local network"),
        // RFC 6598: between a carrier and its customers.
        IpAddr::V4(a) if a.octets()[0] == 100 && a.octets()[1] & 0xc0 == 64 => {
            Some("a network behind carrier-grade NAT")
        }
        IpAddr::V6(a) if a.is_loopback() => Some("a loopback network"),
        IpAddr::V6(a) if a.is_unicast_link_local() => Some("a link-local network"),
        IpAddr::V6(a) if a.is_unique_local() => Some("a unique local network"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn what(error: &NetworkError) -> &'static str {
    match error {
        NetworkError::Malformed => "no IP address or network",
        NetworkError::BadPrefix { .. } => "no network: its prefix length is wrong",
    }
}

fn instead(written: &str, error: &NetworkError) -> String {
    match error {
        NetworkError::BadPrefix { max } => match written.split_once('/') {
            Some((_, mask)) if mask.parse::<IpAddr>().is_ok() => {
                "write the mask as a prefix length: 255.255.255.0 is /24".to_owned()
            }
            Some(_) | None => format!("a prefix length is a number from 0 to {max}"),
        },
        NetworkError::Malformed => {
            let before = written.trim();
            if let Some((first, last)) = before.split_once('-')
                && first.trim().parse::<IpAddr>().is_ok()
                && last.trim().parse::<IpAddr>().is_ok()
            {
                return "write a range as networks with a prefix, such as 192.0.2.0/24".to_owned();
            }
            if before != written && Network::parse(before).is_ok() {
                return format!("write `{before}` without blanks");
            }
            "write an address or a network with its prefix length: 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
                .to_owned()
        }
    }
}
