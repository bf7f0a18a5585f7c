// SPDX-License-Identifier: GPL-3.0-or-later
//! How much of the address line networks cover, however they are cut: two halves and their whole are the same.

use crate::mail::Network;
use std::net::IpAddr;

/// The addresses that networks cover, as disjoint ranges of each family, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Extent {
    pub(super) v4: Ranges,
    pub(super) v6: Ranges,
}

/// Disjoint ranges, ascending; first and last address of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(Vec<(u128, u128)>);

impl Extent {
    /// Whether all of a network is covered.
    pub(super) fn covers(&self, network: Network) -> bool {
        let one = Self::from_iter([network]);
        one.v4.common(&self.v4) == one.v4.size() && one.v6.common(&self.v6) == one.v6.size()
    }
}

impl FromIterator<Network> for Extent {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match (network.first(), network.last()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    v4.push((u32::from(first).into(), u32::from(last).into()));
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((u128::from(first), u128::from(last))),
                // The first and last address of one network are of one family.
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
            }
        }
        Self { v4: Ranges::joined(v4), v6: Ranges::joined(v6) }
    }
}

impl Ranges {
    fn joined(mut ranges: Vec<(u128, u128)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                Some(_) | None => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    /// How many addresses there are. Of all IPv6 addresses the last is not counted.
    pub(super) fn size(&self) -> u128 {
        self.0.iter().fold(0, |size, &(first, last)| size.saturating_add(count(first, last)))
    }

    /// How many addresses are in both.
    pub(super) fn common(&self, other: &Self) -> u128 {
        let within = |&(first, last): &(u128, u128)| {
            let from = other.0.partition_point(|&(_, end)| end < first);
            let there = other.0.get(from..).unwrap_or_default();
            let met = there.iter().take_while(move |&&(start, _)| start <= last);
            met.fold(0, |size: u128, &(start, end)| {
                size.saturating_add(count(start.max(first), end.min(last)))
            })
        };
        self.0.iter().map(within).fold(0, u128::saturating_add)
    }
}

fn count(first: u128, last: u128) -> u128 {
    (last - first).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(texts: &[&str]) -> Extent {
        texts.iter().map(|text| Network::parse(text).unwrap().network).collect()
    }

    #[test]
    fn networks_are_measured_however_they_are_cut() {
        for (networks, v4, v6) in [
            (&[][..], 0, 0),
            (&["192.0.2.0/24"], 256, 0),
            (&["192.0.2.0/25", "192.0.2.128/25", "192.0.2.7"], 256, 0),
            (&["192.0.2.0/25", "198.51.100.0/25", "2001:db8::/127"], 256, 2),
            (&["0.0.0.0/0"], 1 << 32, 0),
            (&["::/0"], 0, u128::MAX),
            (&["::/1", "8000::/1"], 0, u128::MAX),
        ] {
            let extent = extent(networks);
            assert_eq!((extent.v4.size(), extent.v6.size()), (v4, v6), "{networks:?}");
        }
    }

    #[test]
    fn a_network_is_covered_by_its_parts() {
        let halves = extent(&["192.0.2.0/25", "192.0.2.128/25", "10.0.0.0/8", "2001:db8::/32"]);
        for (network, want) in [
            ("192.0.2.0/24", true),
            ("192.0.2.0/23", false),
            ("10.9.8.7", true),
            ("2001:db8:1::/48", true),
            ("2001:db9::/48", false),
            ("::/0", false),
        ] {
            assert_eq!(halves.covers(Network::parse(network).unwrap().network), want, "{network}");
        }
        let other = extent(&["192.0.2.64/26", "192.0.2.192/26", "9.0.0.0/8"]);
        assert_eq!((halves.v4.common(&other.v4), other.v4.common(&halves.v4)), (128, 128));
    }
}
