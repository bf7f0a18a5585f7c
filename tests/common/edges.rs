// SPDX-License-Identifier: GPL-3.0-or-later
//! Addresses that tell one set of networks from another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use postern::mail::Network;

/// Nobody's addresses.
const ELSEWHERE: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 200)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// The first and last address of each network, and those beside them; and some that nobody names.
pub(crate) fn edges(networks: &[Network]) -> Vec<IpAddr> {
    let mut found = ELSEWHERE.to_vec();
    for network in networks {
        for (address, step) in [(network.first(), -1), (network.last(), 1)] {
            found.push(address);
            found.push(match address {
                IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4).wrapping_add_signed(step)).into(),
                IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).wrapping_add_signed(step.into())).into(),
            });
        }
    }
    found
}
