// SPDX-License-Identifier: GPL-3.0-or-later
//! A gateway's networks as firewalls and MTAs read them, so that one list, kept fresh in one place, can feed them all.
//!
//! Networks are put together first, and then split where the reader takes small ones only. What is written is complete:
//! a file to load, not a fragment to edit.

use crate::mail::{Network, aggregate};
use clap::ValueEnum;
use std::fmt::Write;

/// Most lines that splitting may come to; more help nobody.
const MAX_NETWORKS: usize = 1 << 16;

/// How networks are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// One network a line
    Cidr,
    /// A table of type cidr for Postfix, each network with `OK`
    Postfix,
    /// JSON, each network with where it comes from
    Json,
    /// A table with one set for each address family, for `nft -f`
    Nftables,
    /// An object group
    CiscoAsa,
}

/// What is left of a set for a reader.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// No network is wider than this prefix length (IPv4).
    pub(super) split: Option<u8>,
    /// IPv6 is left out.
    pub(super) ipv4_only: bool,
}

/// Splitting would come to too many networks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("more than {MAX_NETWORKS} networks of /{0}; split into wider ones")]
pub(super) struct TooMany(u8);

impl Shape {
    /// The networks as the reader takes them, ascending.
    pub(super) fn fit(self, networks: impl IntoIterator<Item = Network>) -> Result<Vec<Network>, TooMany> {
        let mut networks = aggregate(networks);
        networks.retain(|network| !self.ipv4_only || network.is_ipv4());
        networks.sort_unstable();
        let Some(prefix_len) = self.split else { return Ok(networks) };
        let mut parts = Vec::new();
        for network in networks {
            let wanted = if network.is_ipv4() { prefix_len } else { network.prefix_len() };
            parts.extend(network.split(wanted).take(MAX_NETWORKS + 1 - parts.len().min(MAX_NETWORKS)));
            if parts.len() > MAX_NETWORKS {
                return Err(TooMany(prefix_len));
            }
        }
        Ok(parts)
    }
}

/// The networks of a gateway as text; nothing for JSON, which says more of each.
pub(super) fn text(format: Format, gateway: &str, networks: &[Network]) -> Option<String> {
    Some(match format {
        Format::Cidr => networks.iter().fold(String::new(), |text, network| text + &format!("{network}\n")),
        Format::Postfix => postfix(gateway, networks),
        Format::Nftables => nftables(gateway, networks),
        Format::CiscoAsa => cisco_asa(gateway, networks),
        Format::Json => return None,
    })
}

/// Lines of `cidr_table(5)`.
fn postfix(gateway: &str, networks: &[Network]) -> String {
    let mut text = format!("# Gateway {gateway}, for check_client_access cidr:...\n");
    for network in networks {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:<43} OK", network.to_string());
    }
    text
}

/// A table of sets; loading it again replaces them in one step.
fn nftables(gateway: &str, networks: &[Network]) -> String {
    let table = format!("postern_{}", identifier(gateway));
    let mut text = format!(
        "# Gateway {gateway}\nadd table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n"
    );
    for (set, kind, ipv4) in [("v4", "ipv4_addr", true), ("v6", "ipv6_addr", false)] {
        let of_family: Vec<String> =
            networks.iter().filter(|network| network.is_ipv4() == ipv4).map(ToString::to_string).collect();
        let _ = writeln!(text, "\tset {set} {{\n\t\ttype {kind}\n\t\tflags interval");
        if !of_family.is_empty() {
            let _ = writeln!(text, "\t\telements = {{\n\t\t\t{}\n\t\t}}", of_family.join(",\n\t\t\t"));
        }
        text.push_str("\t}\n");
    }
    text.push_str("}\n");
    text
}

/// An object group of the Adaptive Security Appliance (`object-group network`).
fn cisco_asa(gateway: &str, networks: &[Network]) -> String {
    let mut text = format!("object-group network POSTERN-{gateway}\n");
    for network in networks {
        let (first, whole) = (network.first(), network.first() == network.last());
        let _ = match (network.is_ipv4(), whole) {
            (true, true) => writeln!(text, " network-object host {first}"),
            (true, false) => writeln!(text, " network-object {first} {}", network.mask()),
            (false, _) => writeln!(text, " network-object {network}"),
        };
    }
    text
}

/// A gateway's name in the letters that every firewall takes.
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| Network::parse(text).unwrap().network).collect()
    }

    fn fit(shape: Shape, texts: &[&str]) -> Vec<String> {
        shape.fit(networks(texts)).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_set_is_fitted_to_its_reader() {
        let all = ["192.0.2.0/23", "192.0.2.7", "2001:db8::/32", "198.51.100.9"];
        assert_eq!(fit(Shape::default(), &all), ["192.0.2.0/23", "198.51.100.9/32", "2001:db8::/32"]);
        let exchange = Shape { split: Some(24), ipv4_only: true };
        assert_eq!(fit(exchange, &all), ["192.0.2.0/24", "192.0.3.0/24", "198.51.100.9/32"]);
        let narrow = Shape { split: Some(32), ipv4_only: false };
        assert_eq!(narrow.fit(networks(&["10.0.0.0/15"])), Err(TooMany(32)));
        assert_eq!(narrow.fit(networks(&["10.0.0.0/16"])).unwrap().len(), MAX_NETWORKS);
        assert_eq!(narrow.fit(networks(&["10.0.0.0/16", "11.0.0.0"])), Err(TooMany(32)));
    }

    #[test]
    fn each_format_is_what_its_reader_loads() {
        let set = networks(&["192.0.2.0/23", "198.51.100.9", "2001:db8::/32"]);
        let written = |format| text(format, "tmes-eu.1", &set).unwrap();
        assert_eq!(written(Format::Cidr), "192.0.2.0/23\n198.51.100.9/32\n2001:db8::/32\n");
        assert_eq!(
            written(Format::CiscoAsa),
            "object-group network POSTERN-tmes-eu.1\n network-object 192.0.2.0 255.255.254.0\n \
             network-object host 198.51.100.9\n network-object 2001:db8::/32\n"
        );
        let postfix = written(Format::Postfix);
        assert!(postfix.lines().skip(1).all(|line| line.ends_with(" OK")), "{postfix}");
        assert_eq!(postfix.lines().count(), 4);
        let nft = written(Format::Nftables);
        assert!(nft.contains("table inet postern_tmes_eu_1 {"), "{nft}");
        assert!(nft.contains("192.0.2.0/23,\n\t\t\t198.51.100.9/32\n"), "{nft}");
        assert!(text(Format::Json, "x", &set).is_none());
    }
}
