// SPDX-License-Identifier: GPL-3.0-or-later
//! `[server.NAME]`, `[[route]]`, `unrouted`, `[domain.X.scan]` and `[scan]`.

use super::Check;
use crate::config::Problem;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::{Domain, DomainScan, Gateway, Route, ScanKeys, Server, ServerKind, Unrouted};
use crate::config::table::Table;
use crate::config::text_or::TextOr;
use crate::config::wording::{header, meant, quoted};
use crate::config::words::{ServerType, TlsWish as Wish};
use crate::mail::{CertificatePattern, DomainPattern, HopHost, Mailbox, NextHop};
use crate::policy::{GroupName, TlsWish};
use std::sync::Arc;
use std::time::Duration;

/// What all hosts of Exchange Online have in their certificates.
const MICROSOFT_365: &str = "*.mail.protection.outlook.com";
/// Longest time between two looks at a server.
const MAX_HEALTH: Duration = Duration::from_secs(3600);
/// Longest time that a scan token may be valid, and between two keys.
const MAX_SCAN: Duration = Duration::from_secs(90 * 24 * 3600);

impl Check<'_> {
    pub(super) fn servers(&mut self, tables: &Named<file::Server>) -> Vec<Server> {
        tables.iter().map(|(name, table)| self.server(name, table)).collect()
    }

    fn server(&mut self, name: &Placed<String>, table: &Table<file::Server>) -> Server {
        let file::Server { kind, hosts, tls, certificate, health } = &***table;
        self.name(name);
        let path = ["server", name, "hosts"];
        let help = "write its hosts: `hosts = [\"mail.example.com\", \"192.0.2.7:2525\"]`";
        let mut hops: Vec<NextHop> = Vec::new();
        match hosts {
            None if self.lost.touches(&path) => {}
            None => self.error(name, format!("`hosts` is missing in {}", header(&path[..2])), help),
            Some(list) => {
                self.not_empty(list, &path, "mail could go nowhere", help);
                for written in self.once(list) {
                    match NextHop::parse(written) {
                        Ok(hop) => hops.push(hop),
                        Err(error) => {
                            self.error(written, format!("{} is no host: {error}", quoted(written)), help)
                        }
                    }
                }
            }
        }
        let kind = match **kind {
            ServerType::Microsoft365 => ServerKind::Microsoft365,
            ServerType::Exchange => ServerKind::Exchange,
            ServerType::Smtp => ServerKind::Smtp,
        };
        let names = certificate.as_ref().map(|list| self.expected(name, list));
        let usual = if kind == ServerKind::Microsoft365 { Wish::Verify } else { Wish::May };
        let tls = match tls.as_ref().map_or(usual, |tls| **tls) {
            Wish::May => TlsWish::May,
            Wish::Encrypt => TlsWish::Encrypt,
            Wish::Dane => TlsWish::Dane,
            Wish::Verify => TlsWish::Verify(names.unwrap_or_else(|| usual_names(kind, &hops)).into()),
        };
        let health = health
            .as_ref()
            .map(|written| self.duration(written, MAX_HEALTH, "write a number and s or m: \"30s\", \"5m\""));
        Server { name: Arc::from(name.as_str()), kind, hosts: hops, tls, health, place: self.place(name) }
    }

    fn expected(&mut self, server: &str, list: &Placed<Vec<Placed<String>>>) -> Vec<CertificatePattern> {
        let help = "write the name that the server's certificate has, or leave the key out";
        self.not_empty(list, &["server", server, "certificate"], "no certificate would do", help);
        let mut patterns = Vec::new();
        for written in self.once(list) {
            match CertificatePattern::parse(written) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => {
                    let what = format!("{} is no name of a certificate: {error}", quoted(written));
                    self.error(
                        written,
                        what,
                        "write \"mail.example.com\", or \"*.example.com\" for any host below",
                    );
                }
            }
        }
        patterns
    }

    pub(super) fn routes(
        &mut self,
        tables: &[Table<file::Route>],
        servers: &Named<file::Server>,
    ) -> Vec<Route> {
        tables.iter().filter_map(|table| self.route(table, servers)).collect()
    }

    fn route(&mut self, table: &Table<file::Route>, servers: &Named<file::Server>) -> Option<Route> {
        let file::Route { name, groups, recipients, domains, to } = &***table;
        let missing = |key: &str| format!("`{key}` is missing in [[route]]");
        if name.is_none() && !self.lost.touches(&["route"]) {
            self.error(table, missing("name"), "write a name for it, such as `name = \"sales\"`");
        }
        if to.is_none() && !self.lost.touches(&["route"]) {
            self.error(table, missing("to"), "write the server that this mail goes to: `to = \"exchange\"`");
        }
        if let Some(to) = to {
            self.defined("server", to, servers.keys().map(|name| name.as_str()));
        }
        let groups =
            groups.iter().flat_map(|list| list.iter()).filter_map(|group| self.group(group)).collect();
        let mut addresses = Vec::new();
        for written in recipients.iter().flat_map(|list| list.iter()) {
            match Mailbox::parse_strict(written) {
                Ok(mailbox) => addresses.push(mailbox),
                Err(error) => {
                    let what = format!("{} is no address: {error}", quoted(written));
                    self.error(written, what, "write an address such as \"ann@example.com\"");
                }
            }
        }
        let domains = domains.as_ref().map(|list| {
            let mut patterns = Vec::new();
            for written in list.iter() {
                match DomainPattern::parse(written) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(error) => {
                        let what = format!("{} is no domain: {error}", quoted(written));
                        self.error(written, what, "write a domain that is listed in this file");
                    }
                }
            }
            patterns
        });
        Some(Route {
            name: Arc::from(name.as_ref()?.as_str()),
            groups,
            recipients: addresses,
            domains,
            to: Arc::from(to.as_ref()?.as_str()),
            place: self.place(table),
        })
    }

    fn group(&mut self, written: &Placed<TextOr<file::GroupOf>>) -> Option<GroupName> {
        match &**written {
            TextOr::Text(name) => Some(GroupName { directory: None, name: name.to_lowercase().into() }),
            TextOr::Table(file::GroupOf { directory, name }) => Some(GroupName {
                directory: Some(Arc::from(directory.as_ref()?.as_str())),
                name: name.as_ref()?.to_lowercase().into(),
            }),
        }
    }

    pub(super) fn unrouted(&mut self, written: &Placed<String>) -> Option<Unrouted> {
        match written.as_str() {
            "reject" => Some(Unrouted::Reject),
            "pass" => Some(Unrouted::Pass),
            other => match other.strip_prefix("default:") {
                Some(server) => Some(Unrouted::Server(Arc::from(server))),
                None => {
                    let help = "write \"reject\", \"pass\", or \"default:\" and a server, such as \"default:exchange\"";
                    self.error(written, format!("{} says nowhere to go", quoted(written)), help);
                    None
                }
            },
        }
    }

    pub(super) fn domain_scan(
        &mut self,
        domain: &Placed<String>,
        table: &Table<file::DomainScan>,
    ) -> Option<DomainScan> {
        let file::DomainScan { via, gateway, on_return, valid, on_scanner_down } = &***table;
        if via.is_none() && !self.lost.touches(&["domain", domain, "scan"]) {
            let what = format!("`via` is missing in {}", header(&["domain", domain, "scan"]));
            self.error(table, what, "write the server that scans its mail: `via = \"scanner\"`");
        }
        let valid = self.duration(valid, MAX_SCAN, "write a number and m, h or d: \"90m\", \"24h\", \"3d\"");
        let via = via.as_ref()?;
        Some(DomainScan {
            via: Arc::from(via.as_str()),
            gateway: Arc::from(gateway.as_ref().unwrap_or(via).as_str()),
            on_return: (**on_return).into(),
            valid,
            on_scanner_down: (**on_scanner_down).into(),
            place: self.place(table),
        })
    }

    pub(super) fn scan_keys(&mut self, table: &Table<file::Scan>) -> ScanKeys {
        let file::Scan { keys, rotate } = &***table;
        ScanKeys {
            shared: keys.as_ref().and_then(|written| self.scan_key_file(written)),
            rotate: self.duration(rotate, MAX_SCAN, "write a number and h or d: \"24h\", \"30d\""),
        }
    }

    /// What names something that nobody defined.
    pub(super) fn routing(
        &mut self,
        domains: &[Domain],
        servers: &[Server],
        gateways: &[Gateway],
        _routes: &[Route],
    ) {
        for domain in domains.iter().filter(|domain| domain.alias_of.is_none()) {
            let mut lacks = |kind: &str, name: &str| {
                let what = format!("there is no {kind} {}", quoted(name));
                let help = format!("write a table {}", header(&[kind, name]));
                self.problems.push(Problem::error(domain.place.clone(), what).help(help));
            };
            let is_server = |name: &str| servers.iter().any(|server| *server.name == *name);
            if let Some(Unrouted::Server(name)) = &domain.unrouted
                && !is_server(name)
            {
                lacks("server", name);
            }
            if let Some(DomainScan { via, gateway, .. }) = &domain.scan {
                if !is_server(via) {
                    lacks("server", via);
                }
                if !gateways.iter().any(|known| known.name == *gateway) {
                    lacks("gateway", gateway);
                }
            }
        }
    }

    /// Something that must be defined.
    fn defined<'a>(
        &mut self,
        kind: &str,
        written: &Placed<String>,
        defined: impl Iterator<Item = &'a str> + Clone,
    ) {
        if defined.clone().any(|name| name == written.as_str()) || self.lost.touches(&[kind, written]) {
            return;
        }
        let help = match meant(written, defined) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("write a table {}", header(&[kind, written])),
        };
        self.error(written, format!("there is no {kind} {}", quoted(written)), help);
    }
}

/// Whose certificate is expected where none is named.
fn usual_names(kind: ServerKind, hops: &[NextHop]) -> Vec<CertificatePattern> {
    let own = || {
        hops.iter().filter_map(|hop| match &hop.host {
            HopHost::Name(name) | HopHost::Mx(name) => CertificatePattern::parse(name.as_str()).ok(),
            HopHost::Address(_) => None,
        })
    };
    match kind {
        ServerKind::Microsoft365 => CertificatePattern::parse(MICROSOFT_365).into_iter().collect(),
        ServerKind::Exchange | ServerKind::Smtp => own().collect(),
    }
}
