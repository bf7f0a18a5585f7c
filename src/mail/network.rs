// SPDX-License-Identifier: GPL-3.0-or-later
//! One network in CIDR notation (RFC 4632, RFC 4291 2.3), and what counts as the same address.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Why a text is no network.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor address/prefix.
    #[error("not an IP address or network")]
    Malformed,
    /// The prefix length is not a number, or longer than the address.
    #[error("the prefix length must be a number from 0 to {max}")]
    BadPrefix {
        /// 32 or 128.
        max: u8,
    },
}

/// A network without host bits. An IPv4-mapped one (`::ffff:192.0.2.0/120`) is kept as its IPv4 form.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network(IpNet);

/// A network as it was read, with what had to be corrected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParsedNetwork {
    /// The network, host bits cleared.
    pub network: Network,
    /// Whether host bits were set (`192.0.2.7/24`): worth a warning, because one of the two numbers is wrong.
    pub host_bits: bool,
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or a lone address.
    pub fn parse(text: &str) -> Result<ParsedNetwork, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => max,
            // `+8` and `08` are numbers to Rust, not to an administrator.
            Some(digits) if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(NetworkError::BadPrefix { max });
            }
            Some(digits) => digits
                .parse::<u8>()
                .ok()
                .filter(|&prefix| prefix <= max)
                .ok_or(NetworkError::BadPrefix { max })?,
        };
        let written = match address {
            IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new_assert(v4, prefix)),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) if prefix >= 96 => IpNet::V4(Ipv4Net::new_assert(v4, prefix - 96)),
                _ => IpNet::V6(Ipv6Net::new_assert(v6, prefix)),
            },
        };
        let network = written.trunc();
        Ok(ParsedNetwork { network: Self(network), host_bits: written != network })
    }

    /// The network that holds one address alone.
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(canonical(address)))
    }

    /// The network of this prefix length around an address; nothing where the length is none. An IPv4-mapped address is
    /// not made IPv4.
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        IpNet::new(address, prefix).ok().map(|net| Self(net.trunc()))
    }

    pub(super) fn from_v4(net: Ipv4Net) -> Self {
        Self(net.into())
    }

    pub(super) fn from_v6(net: Ipv6Net) -> Self {
        Self(net.into())
    }

    /// The prefix length, in bits.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        self.0.network()
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        self.0.broadcast()
    }
}

/// One address has one form: an IPv4-mapped IPv6 address is its IPv4 address.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// IPv6 as one number, so that ranges compare.
pub(super) fn bits(address: Ipv6Addr) -> u128 {
    u128::from(address)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_canonicalised() {
        for (text, want, host_bits) in [
            ("192.0.2.0/24", "192.0.2.0/24", false),
            ("192.0.2.7/24", "192.0.2.0/24", true),
            ("192.0.2.7", "192.0.2.7/32", false),
            ("0.0.0.0/0", "0.0.0.0/0", false),
            ("2001:db8::1/32", "2001:db8::/32", true),
            ("2001:DB8::1", "2001:db8::1/128", false),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24", false),
            ("::ffff:192.0.2.9", "192.0.2.9/32", false),
            ("::/0", "::/0", false),
        ] {
            let parsed = Network::parse(text).unwrap();
            assert_eq!((parsed.network.to_string().as_str(), parsed.host_bits), (want, host_bits), "{text}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in [
            "",
            "example.com",
            "192.0.2",
            "192.0.2.0/33",
            "::1/129",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "1.2.3.4/a",
        ] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
