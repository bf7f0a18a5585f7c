// SPDX-License-Identifier: GPL-3.0-or-later
//! `[dns]` and `[reputation]`: what is asked of the network, and whom.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::published;
use crate::config::settings::{Dns, DnsblZone, Domain, Gateway, Reputation, Source};
use crate::config::table::Table;
use crate::config::text_or::TextOr;
use crate::config::wording::{header, quoted};
use crate::policy::{ReverseRule, Verdict};
use std::net::{IpAddr, SocketAddr};

/// Where name servers listen (RFC 1035 4.2).
const PORT: u16 = 53;
/// Most that one zone, or all together, may count.
const MAX_WEIGHT: i64 = 1000;

impl Check<'_> {
    pub(super) fn dns(&mut self, table: &Table<file::Dns>) -> Dns {
        let file::Dns { servers, dnssec } = &***table;
        let mut list = Vec::new();
        if let Some(servers) = servers {
            let help = "write the addresses of name servers, or leave the key out to ask those of the system";
            self.not_empty(servers, &["dns", "servers"], "nobody could be asked", help);
            let mut firsts: Vec<(SocketAddr, &Placed<String>)> = Vec::new();
            for written in servers.iter() {
                let Some(server) = name_server(written) else {
                    let what = format!("{} is no name server", quoted(written));
                    let help =
                        "write an IP address, with or without a port: 127.0.0.1, 192.0.2.53:5353 or [::1]:53";
                    self.error(written, what, help);
                    continue;
                };
                if let Some((_, first)) = firsts.iter().find(|(known, _)| *known == server) {
                    self.twice(written, first, format!("{} is listed twice", quoted(written)));
                    continue;
                }
                firsts.push((server, written));
                list.push(server);
            }
        }
        Dns { servers: list, dnssec: *dnssec }
    }

    pub(super) fn reputation(&mut self, table: Option<&Table<file::Reputation>>) -> Reputation {
        let Some(table) = table else { return Reputation::default() };
        let file::Reputation { dnsbl, threshold, reverse_name } = &***table;
        let mut zones: Vec<DnsblZone> = Vec::new();
        if let Some(list) = dnsbl {
            let help = "write the zones of block lists, or leave the key out";
            self.not_empty(list, &["reputation", "dnsbl"], "nobody could be asked", help);
            let mut firsts: Vec<&Placed<TextOr<file::Dnsbl>>> = Vec::new();
            for written in list.iter() {
                let Some(zone) = self.zone(written) else { continue };
                if let Some(at) = zones.iter().position(|known| known.zone == zone.zone) {
                    self.twice(written, firsts[at], format!("`{}` is listed twice", zone.zone));
                    continue;
                }
                firsts.push(written);
                zones.push(zone);
            }
        }
        let reverse = ReverseRule::from(*reverse_name);
        if dnsbl.is_none() && reverse == ReverseRule::Off && !self.lost.touches(&["reputation"]) {
            let help =
                "write `dnsbl = [\"zen.example\"]` or `reverse_name = \"present\"`, or leave the table out";
            self.warning(table, "nothing is asked for in [reputation]", help);
        }
        let threshold = self.threshold(threshold.as_ref(), &zones);
        Reputation { zones, threshold, reverse }
    }

    fn zone(&mut self, written: &Placed<TextOr<file::Dnsbl>>) -> Option<DnsblZone> {
        let (zone, weight) = match &**written {
            TextOr::Text(zone) => (Placed::at(written, zone.clone()), None),
            TextOr::Table(file::Dnsbl { zone: Some(zone), weight }) => (zone.clone(), weight.as_ref()),
            TextOr::Table(file::Dnsbl { zone: None, .. }) => {
                if !self.lost.touches(&["reputation", "dnsbl"]) {
                    let what = format!("`zone` is missing in {}", header(&["reputation", "dnsbl"]));
                    self.error(written, what, "write `{ zone = \"bl.example\", weight = 2 }`");
                }
                return None;
            }
        };
        let weight = match weight.map(|weight| (weight, u32::try_from(**weight))) {
            None => 1,
            Some((written, Ok(weight))) if (1..=MAX_WEIGHT).contains(&**written) => weight,
            Some((written, _)) => {
                let what = format!("`weight` cannot be {}", **written);
                self.error(written, what, format!("write a number from 1 to {MAX_WEIGHT}"));
                1
            }
        };
        let Ok(name) = published::host(&zone) else {
            let what = format!("{} is no zone of a block list", quoted(&zone));
            self.error(&zone, what, "write its domain name, such as \"zen.example.org\"");
            return None;
        };
        Some(DnsblZone { zone: name, weight, place: Some(self.place(written)) })
    }

    fn threshold(&mut self, written: Option<&Placed<i64>>, zones: &[DnsblZone]) -> u32 {
        let Some(written) = written else { return 1 };
        let sum = zones.iter().fold(0u32, |sum, zone| sum.saturating_add(zone.weight));
        match u32::try_from(**written) {
            Ok(threshold @ 1..) if threshold <= sum => return threshold,
            _ if self.lost.touches(&["reputation", "dnsbl"]) => {}
            Ok(1..) if zones.is_empty() => {
                let what = "`threshold` is for block lists, and there is none";
                self.error(written, what, "leave it out, or write `dnsbl = [\"zen.example\"]`");
            }
            Ok(threshold @ 1..) => {
                let what =
                    format!("no client can reach {threshold}: the weights of all block lists make {sum}");
                self.error(written, what, format!("write a number from 1 to {sum}"));
            }
            Ok(0) | Err(_) => {
                let what = format!("`threshold` cannot be {}", **written);
                self.error(written, what, format!("write a number from 1 to {}", sum.max(1)));
            }
        }
        1
    }

    /// Says that nobody is ever asked about.
    pub(super) fn use_of_reputation(
        &mut self,
        table: Option<&Table<file::Reputation>>,
        reputation: &Reputation,
        domains: &[Domain],
        gateways: &[Gateway],
    ) {
        let Some(table) = table else { return };
        let asks = !reputation.zones.is_empty() || reputation.reverse != ReverseRule::Off;
        let strangers = domains.iter().any(|domain| match domain.source {
            Source::Any => true,
            Source::Gateways(_) => matches!(domain.verdicts.source, Verdict::Accept | Verdict::Tag),
        });
        let behind = gateways.iter().any(|gateway| gateway.behind.is_some());
        if !asks || strangers || behind || self.lost.touches(&["domain"]) || self.lost.touches(&["gateway"]) {
            return;
        }
        let what = "nobody is asked about: every domain takes mail from its gateways only";
        let help = "reputation is for domains with `gateways = \"any\"`, for strangers that `verdict.source` lets in, and \
                    for gateways with `behind`";
        self.note(table, what, help);
    }
}

/// An address, with or without a port.
fn name_server(written: &str) -> Option<SocketAddr> {
    let bare = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(written);
    match bare.parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, PORT)),
        Err(_) => written.parse().ok().filter(|server: &SocketAddr| server.port() != 0),
    }
}
