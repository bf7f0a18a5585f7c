// SPDX-License-Identifier: GPL-3.0-or-later
//! Sets of addresses that can be added to, taken from and cut: ranges, disjoint and ascending, each family on its own.
//!
//! | set | and | union | intersection | difference |
//! |---|---|---|---|---|
//! | `192.0.2.0/24` | `192.0.2.128/25` | `192.0.2.0/24` | `192.0.2.128/25` | `192.0.2.0/25` |
//! | `192.0.2.0/24` | `2001:db8::/32` | both | nothing | `192.0.2.0/24` |
//!
//! Made for building a set once; [`super::NetworkSet`] is for asking it. Each operation is linear in the number of ranges.

use super::Network;
use super::network::{bits, canonical};
use ipnet::{Ipv4Subnets, Ipv6Subnets};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A set of addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AddressRanges {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// First and last address of each range; at least one address lies between two ranges.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Ranges<A>(Vec<(A, A)>);

/// Addresses of one family as numbers.
trait Line: Copy + Ord {
    fn before(self) -> Option<Self>;
    fn after(self) -> Option<Self>;
}

impl Line for u32 {
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Line for u128 {
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl AddressRanges {
    /// Every address there is.
    pub fn all() -> Self {
        Self { v4: Ranges(vec![(0, u32::MAX)]), v6: Ranges(vec![(0, u128::MAX)]) }
    }

    /// Whether it has no address.
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// Whether it has this address; an IPv4-mapped one is its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match canonical(address) {
            IpAddr::V4(v4) => self.v4.contains(u32::from(v4)),
            IpAddr::V6(v6) => self.v6.contains(bits(v6)),
        }
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { v4: self.v4.intersection(&other.v4), v6: self.v6.intersection(&other.v6) }
    }

    /// What is in this and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self { v4: self.v4.difference(&other.v4), v6: self.v6.difference(&other.v6) }
    }

    /// The fewest networks that have these addresses and no others, ascending, IPv4 first.
    pub fn networks(&self) -> impl Iterator<Item = Network> {
        let v4 = self.v4.0.iter().flat_map(|&(first, last)| {
            Ipv4Subnets::new(Ipv4Addr::from(first), Ipv4Addr::from(last), 0).map(Network::from_v4)
        });
        let v6 = self.v6.0.iter().flat_map(|&(first, last)| {
            Ipv6Subnets::new(Ipv6Addr::from(first), Ipv6Addr::from(last), 0).map(Network::from_v6)
        });
        v4.chain(v6)
    }
}

impl From<Network> for AddressRanges {
    fn from(network: Network) -> Self {
        let mut set = Self::default();
        match (network.first(), network.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => set.v4.0.push((first.into(), last.into())),
            (IpAddr::V6(first), IpAddr::V6(last)) => set.v6.0.push((bits(first), bits(last))),
            // The first and last address of one network are of one family.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
        set
    }
}

impl FromIterator<Network> for AddressRanges {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for network in networks {
            let Self { v4: more4, v6: more6 } = network.into();
            v4.extend(more4.0);
            v6.extend(more6.0);
        }
        Self { v4: Ranges::joined(v4), v6: Ranges::joined(v6) }
    }
}

impl<A: Line> Ranges<A> {
    /// Ranges in any order, overlapping or not.
    fn joined(mut ranges: Vec<(A, A)>) -> Self {
        // Two sorted lists, one behind the other, are merged by a stable sort in one pass.
        ranges.sort();
        let mut joined: Vec<(A, A)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                // They overlap, or no address lies between.
                Some((_, end)) if end.after().is_none_or(|after| first <= after) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    fn contains(&self, address: A) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= address);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|&(_, last)| address <= last)
    }

    fn union(&self, other: &Self) -> Self {
        if self.0.is_empty() || other.0.is_empty() {
            return if self.0.is_empty() { other.clone() } else { self.clone() };
        }
        Self::joined(self.0.iter().chain(&other.0).copied().collect())
    }

    fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(first, last)), Some(&&(other_first, other_last))) = (mine.peek(), theirs.peek()) {
            let overlap = (first.max(other_first), last.min(other_last));
            if overlap.0 <= overlap.1 {
                both.push(overlap);
            }
            if last < other_last {
                mine.next();
            } else {
                theirs.next();
            }
        }
        Self(both)
    }

    fn difference(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut cuts = other.0.iter().peekable();
        for &(first, last) in &self.0 {
            // Where what has not been cut yet begins; nothing when the end of the line was cut away.
            let mut from = Some(first);
            while let Some(&&(cut_first, cut_last)) = cuts.peek() {
                if cut_first > last {
                    break;
                }
                if let (Some(begin), Some(end)) = (from, cut_first.before())
                    && begin <= end
                {
                    left.push((begin, end));
                }
                from = match (from, cut_last.after()) {
                    (Some(begin), Some(after)) => Some(begin.max(after)),
                    (None, _) | (_, None) => None,
                };
                if cut_last > last {
                    break;
                }
                cuts.next();
            }
            if let Some(begin) = from
                && begin <= last
            {
                left.push((begin, last));
            }
        }
        Self(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap().network
    }

    fn set(texts: &[&str]) -> AddressRanges {
        texts.iter().map(|text| network(text)).collect()
    }

    fn shown(set: &AddressRanges) -> Vec<String> {
        set.networks().map(|network| network.to_string()).collect()
    }

    #[test]
    fn sets_are_joined_and_cut() {
        let left = set(&["192.0.2.0/24", "192.0.3.0/24", "2001:db8::/32"]);
        assert_eq!(shown(&left), ["192.0.2.0/23", "2001:db8::/32"], "neighbours are one");
        let right = set(&["192.0.2.128/25", "198.51.100.1", "2001:db8:8000::/33"]);
        assert_eq!(shown(&left.difference(&right)), ["192.0.2.0/25", "192.0.3.0/24", "2001:db8::/33"]);
        assert_eq!(shown(&left.intersection(&right)), ["192.0.2.128/25", "2001:db8:8000::/33"]);
        assert_eq!(shown(&left.union(&right)), ["192.0.2.0/23", "198.51.100.1/32", "2001:db8::/32"]);
    }

    #[test]
    fn the_ends_of_the_line() {
        let all = AddressRanges::all();
        assert_eq!(shown(&all), ["0.0.0.0/0", "::/0"]);
        assert!(all.difference(&all).is_empty() && !all.is_empty());
        let ends = set(&["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
        let middle = all.difference(&ends);
        assert_eq!(middle.union(&ends), all);
        assert_eq!(all.difference(&middle), ends);
        for network in ends.networks() {
            assert!(ends.contains(network.first()) && !middle.contains(network.first()), "{network}");
        }
        assert!(set(&["192.0.2.1"]).contains("::ffff:192.0.2.1".parse().unwrap()), "mapped is IPv4");
    }

    /// Few enough addresses that sets meet often, at both ends of the line and at the sign.
    fn some() -> impl Strategy<Value = Vec<Network>> {
        let v4 = (0usize..3, 0u32..64, 24u8..=32).prop_map(|(place, low, prefix)| {
            let high = [0, u32::MAX - 63, 0x7fff_ffe0][place];
            network(&format!("{}/{prefix}", Ipv4Addr::from(high + low)))
        });
        let v6 = (0usize..2, 0u128..64, 121u8..=128).prop_map(|(place, low, prefix)| {
            let high = [1 << 112, u128::MAX - 63][place];
            network(&format!("{}/{prefix}", Ipv6Addr::from(high + low)))
        });
        prop::collection::vec(prop_oneof![v4, v6], 0..8)
    }

    fn everywhere() -> impl Iterator<Item = IpAddr> {
        let v4 =
            [0, u32::MAX - 299, 0x7fff_fe00].into_iter().flat_map(|high| (0..300).map(move |low| high + low));
        let v6 = [1 << 112, u128::MAX - 299].into_iter().flat_map(|high| (0..300).map(move |low| high + low));
        v4.map(|bits| IpAddr::from(Ipv4Addr::from(bits)))
            .chain(v6.map(|bits| IpAddr::from(Ipv6Addr::from(bits))))
    }

    proptest! {
        /// Every operation agrees with looking at each address.
        #[test]
        fn agrees_with_a_scan(left in some(), right in some()) {
            let has = |networks: &[Network], address: IpAddr| {
                networks.iter().any(|n| n.first() <= address && address <= n.last())
            };
            let (one, other): (AddressRanges, AddressRanges) =
                (left.iter().copied().collect(), right.iter().copied().collect());
            let results = [one.union(&other), one.intersection(&other), one.difference(&other), one.clone()];
            for result in &results {
                let again: AddressRanges = result.networks().collect();
                prop_assert_eq!(&again, result, "networks and back");
            }
            let [union, intersection, difference, same] = results;
            for address in everywhere() {
                let (a, b) = (has(&left, address), has(&right, address));
                prop_assert_eq!(same.contains(address), a, "{}", address);
                prop_assert_eq!(union.contains(address), a || b, "{}", address);
                prop_assert_eq!(intersection.contains(address), a && b, "{}", address);
                prop_assert_eq!(difference.contains(address), a && !b, "{}", address);
            }
        }
    }
}
