// SPDX-License-Identifier: GPL-3.0-or-later
//! Addresses that mean somebody else in every network: what stands behind one is no business of the Internet's, and
//! several clients may share one without knowing.

use super::network::canonical;
use std::net::IpAddr;

/// Whether this is a private (RFC 1918), loopback, link-local, carrier-grade NAT (RFC 6598) or unique local (RFC 4193)
/// address, or the unspecified one. An IPv4-mapped address is its IPv4 address.
pub fn is_private(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let is_carrier_nat = first == 100 && second & 0xc0 == 64;
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || is_carrier_nat
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local() || v6.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_public_addresses() {
        for (address, want) in [
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("127.0.0.1", true),
            ("127.255.255.255", true),
            ("169.254.1.1", true),
            ("100.64.0.1", true),
            ("100.127.255.255", true),
            ("100.128.0.1", false),
            ("100.63.255.255", false),
            ("0.0.0.0", true),
            ("192.0.2.1", false),
            ("203.0.113.9", false),
            ("::1", true),
            ("::", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("fc00::1", true),
            ("2001:db8::1", false),
            ("2603:10a6::1", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), want, "{address}");
        }
    }
}
