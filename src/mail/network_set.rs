// SPDX-License-Identifier: GPL-3.0-or-later
//! An immutable set of networks that answers "which of them holds this address?" in O(log n).
//!
//! | set holds | asked | answer |
//! |---|---|---|
//! | `192.0.2.0/24`, `192.0.2.8/29` | 192.0.2.9 | `192.0.2.8/29`: the longest prefix |
//! | `192.0.2.0/24` | `::ffff:192.0.2.9` | `192.0.2.0/24`: mapped addresses are IPv4 |
//! | `::/0` | 192.0.2.9 | nothing: an IPv6 network holds no IPv4 address |
//! | nothing | any | nothing |
//!
//! CIDR networks either nest or are disjoint, so they flatten into disjoint segments of the address line; a
//! look-up is one binary search over the segments' first addresses. 100,000 networks take about 2 MB.

use super::Network;
use super::network::{bits, canonical};
use std::net::IpAddr;

/// Marks a segment that no network covers.
const GAP: u32 = u32::MAX;

/// Networks, flattened for look-up.
#[derive(Clone, Debug, Default)]
pub struct NetworkSet {
    networks: Box<[Network]>,
    v4: Segments<u32>,
    v6: Segments<u128>,
}

#[derive(Clone, Debug, Default)]
struct Segments<A> {
    /// First address of each segment, ascending.
    starts: Vec<A>,
    /// Index into `networks` for each segment, or `GAP`.
    owners: Vec<u32>,
}

impl NetworkSet {
    /// How many different networks there are.
    pub fn len(&self) -> usize {
        self.networks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// All networks, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter()
    }

    /// The narrowest network that holds the address.
    pub fn find(&self, address: IpAddr) -> Option<&Network> {
        let owner = match canonical(address) {
            IpAddr::V4(v4) => self.v4.owner(u32::from(v4)),
            IpAddr::V6(v6) => self.v6.owner(bits(v6)),
        }?;
        self.networks.get(owner)
    }
}

impl FromIterator<Network> for NetworkSet {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let mut networks: Vec<Network> = networks.into_iter().collect();
        // By first address, wide before narrow: each network then follows the one that holds it.
        networks.sort_unstable_by_key(|n| (n.first(), n.prefix_len()));
        networks.dedup();
        let mut v4 = Flattener::new();
        let mut v6 = Flattener::new();
        for (index, network) in (0u32..).zip(&networks) {
            match (network.first(), network.last()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    v4.add(u32::from(first), u32::from(last), u32::from(last).checked_add(1), index);
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    v6.add(bits(first), bits(last), bits(last).checked_add(1), index);
                }
                // The first and last address of one network are of one family.
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
            }
        }
        Self { v4: v4.finish(), v6: v6.finish(), networks: networks.into_boxed_slice() }
    }
}

impl<A: Copy + Ord> Segments<A> {
    fn owner(&self, address: A) -> Option<usize> {
        let after = self.starts.partition_point(|&start| start <= address);
        let owner = *self.owners.get(after.checked_sub(1)?)?;
        (owner != GAP).then_some(owner as usize)
    }
}

/// Walks sorted networks once, with the stack of those that are still open.
struct Flattener<A> {
    out: Segments<A>,
    /// Last address, the address after it (none at the end of the line), and the owner.
    open: Vec<(A, Option<A>, u32)>,
}

impl<A: Copy + Ord> Flattener<A> {
    fn new() -> Self {
        Self { out: Segments { starts: Vec::new(), owners: Vec::new() }, open: Vec::new() }
    }

    fn add(&mut self, first: A, last: A, after: Option<A>, owner: u32) {
        while let Some(&(open_last, open_after, _)) = self.open.last() {
            if open_last >= first {
                break;
            }
            self.open.pop();
            self.close(open_after);
        }
        self.begin(first, owner);
        self.open.push((last, after, owner));
    }

    /// A network ended: what follows belongs to the one around it.
    fn close(&mut self, after: Option<A>) {
        if let Some(after) = after {
            let around = self.open.last().map_or(GAP, |&(_, _, owner)| owner);
            self.begin(after, around);
        }
    }

    fn begin(&mut self, start: A, owner: u32) {
        // A later network that begins where the last segment began takes it over.
        if self.out.starts.last() == Some(&start) {
            self.out.owners.pop();
            self.out.starts.pop();
        }
        self.out.starts.push(start);
        self.out.owners.push(owner);
    }

    fn finish(mut self) -> Segments<A> {
        while let Some((_, after, _)) = self.open.pop() {
            self.close(after);
        }
        self.out.starts.shrink_to_fit();
        self.out.owners.shrink_to_fit();
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(texts: &[&str]) -> NetworkSet {
        texts.iter().map(|t| Network::parse(t).unwrap().network).collect()
    }

    #[test]
    fn the_narrowest_network_answers() {
        let set = set(&[
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.2.255",
            "10.255.255.255",
            "255.255.255.255",
            "0.0.0.0/7",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "10.1.2.0/24",
        ]);
        assert_eq!(set.len(), 9);
        for (address, want) in [
            ("10.0.0.1", Some("10.0.0.0/8")),
            ("10.1.0.1", Some("10.1.0.0/16")),
            ("10.1.2.3", Some("10.1.2.0/24")),
            ("10.1.2.255", Some("10.1.2.255/32")),
            ("10.1.3.0", Some("10.1.0.0/16")),
            ("10.2.0.0", Some("10.0.0.0/8")),
            ("10.255.255.255", Some("10.255.255.255/32")),
            ("11.0.0.0", None),
            ("1.2.3.4", Some("0.0.0.0/7")),
            ("255.255.255.255", Some("255.255.255.255/32")),
            ("::ffff:10.2.0.0", Some("10.0.0.0/8")),
            ("2001:db8:1::5", Some("2001:db8:1::/48")),
            ("2001:db8:2::5", Some("2001:db8::/32")),
            ("::1", None),
        ] {
            let found = set.find(address.parse().unwrap()).map(ToString::to_string);
            assert_eq!(found.as_deref(), want, "{address}");
        }
    }

    #[test]
    fn an_empty_set_and_the_whole_line() {
        assert!(set(&[]).find("192.0.2.1".parse().unwrap()).is_none());
        let all = set(&["0.0.0.0/0", "::/0"]);
        for address in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert!(all.find(address.parse().unwrap()).is_some(), "{address}");
        }
    }

    proptest! {
        /// The flattened set agrees with a plain scan for the longest prefix.
        #[test]
        fn agrees_with_a_scan(nets in prop::collection::vec((any::<u32>(), 0u8..=32), 0..40), asked in prop::collection::vec(any::<u32>(), 40)) {
            let nets: Vec<Network> = nets.iter()
                .map(|&(a, p)| Network::parse(&format!("{}/{p}", std::net::Ipv4Addr::from(a & 0x0f0f_ffff))).unwrap().network)
                .collect();
            let set: NetworkSet = nets.iter().copied().collect();
            let edges = nets.iter().flat_map(|n| [n.first(), n.last()]);
            for address in asked.iter().map(|&a| IpAddr::from(std::net::Ipv4Addr::from(a & 0x0f0f_ffff))).chain(edges) {
                let want = nets.iter().filter(|n| n.first() <= address && address <= n.last()).max_by_key(|n| n.prefix_len());
                prop_assert_eq!(set.find(address), want);
            }
        }
    }
}
