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

    /// Whether it is IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.first().is_ipv4()
    }

    /// Its mask as an address, `255.255.255.0`.
    pub fn mask(&self) -> IpAddr {
        self.0.netmask()
    }

    /// The same addresses in networks of at least this prefix length; a network that has it already is left whole.
    pub fn split(&self, prefix_len: u8) -> impl Iterator<Item = Self> {
        let longest = if self.is_ipv4() { 32 } else { 128 };
        let prefix_len = prefix_len.clamp(self.prefix_len(), longest);
        self.0.subnets(prefix_len).into_iter().flatten().map(Self)
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

/// The fewest networks that hold the same addresses: what lies in another is left out, neighbours are put together.
pub fn aggregate(networks: impl IntoIterator<Item = Network>) -> Vec<Network> {
    let networks: Vec<IpNet> = networks.into_iter().map(|network| network.0).collect();
    IpNet::aggregate(&networks).into_iter().map(Network).collect()
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

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap().network
    }

    #[test]
    fn networks_are_split_and_put_together() {
        for (text, prefix, want) in [
            ("192.0.2.0/23", 24, &["192.0.2.0/24", "192.0.3.0/24"][..]),
            ("192.0.2.0/25", 24, &["192.0.2.0/25"]),
            ("192.0.2.8/31", 99, &["192.0.2.8/32", "192.0.2.9/32"]),
            ("2001:db8::/47", 48, &["2001:db8::/48", "2001:db8:1::/48"]),
        ] {
            let got: Vec<String> = network(text).split(prefix).map(|n| n.to_string()).collect();
            assert_eq!(got, want, "{text} /{prefix}");
        }
        let networks =
            ["192.0.2.128/25", "2001:db8::/32", "192.0.2.0/25", "192.0.2.7", "198.51.100.0/24"].map(network);
        let got: Vec<String> = aggregate(networks).iter().map(ToString::to_string).collect();
        assert_eq!(got, ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]);
        assert_eq!(network("192.0.2.0/23").mask().to_string(), "255.255.254.0");
    }

    #[test]
    fn networks_around_addresses() {
        for (address, prefix, want) in [
            ("192.0.2.7", 24, Some("192.0.2.0/24")),
            ("192.0.2.7", 0, Some("0.0.0.0/0")),
            ("192.0.2.7", 33, None),
            ("2001:db8::7", 32, Some("2001:db8::/32")),
            ("::ffff:192.0.2.7", 128, Some("::ffff:192.0.2.7/128")),
            ("::1", 129, None),
        ] {
            let network = Network::around(address.parse().unwrap(), prefix);
            assert_eq!(network.map(|n| n.to_string()).as_deref(), want, "{address}/{prefix}");
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
