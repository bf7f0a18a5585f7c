// SPDX-License-Identifier: GPL-3.0-or-later
//! `[domain.X.scan]` and `[scan]`: mail that goes through a scanning gateway, and must neither go round in circles nor be
//! delivered unscanned because something is missing here.

use super::Check;
use super::listed::ListedDomains;
use super::reach::default_server;
use super::references::Tables;
use super::routes::Rule;
use crate::config::Problem;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::{DomainScan, Gateway, ScanKeys, Server};
use crate::config::table::Table;
use crate::config::wording::{header, quoted};
use crate::config::words::{Mode, OnReturn, OnScannerDown};
use crate::policy::{self, Require};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Shortest and longest time that a scan may take.
const MIN_VALID: Duration = Duration::from_secs(60);
const MAX_VALID: Duration = Duration::from_secs(90 * 24 * 3600);
/// Shortest and longest time from one key to the next.
const MIN_ROTATE: Duration = Duration::from_secs(3600);
const MAX_ROTATE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Longest label of a domain name, in octets: under Sendmail a scanner's name is one of an address.
const MAX_LABEL: usize = 63;

/// What a scan depends on elsewhere in the file.
pub(super) struct Around<'a> {
    pub(super) has_milter: bool,
    pub(super) internal: &'a policy::Internal,
    pub(super) loops: &'a Table<file::Loop>,
    pub(super) server_tables: &'a Named<file::Server>,
    pub(super) servers: &'a [Server],
    pub(super) gateways: &'a [Gateway],
}

impl Check<'_> {
    pub(super) fn domain_scan<'a>(
        &mut self,
        domain: &Placed<String>,
        table: &'a Table<file::DomainScan>,
        names: &mut Tables<'a>,
    ) -> Option<DomainScan> {
        let file::DomainScan { via, gateway, on_return, valid, on_scanner_down } = &***table;
        let path = ["domain", domain, "scan", "via"];
        if via.is_none() && !self.lost.touches(&path) {
            let what = format!("`via` is missing in {}", header(&path[..3]));
            self.error(table, what, "write the server that scans its mail: `via = \"scanner\"`");
        }
        let valid = self.between(
            valid,
            MIN_VALID,
            MAX_VALID,
            "write a number and m, h or d: \"90m\", \"24h\", \"3d\"",
        );
        if let Some(gateway) = gateway {
            self.refer(gateway, gateway.as_str(), &mut names.gateways, None);
        }
        let via = via.as_ref()?;
        self.refer(via, via.as_str(), &mut names.servers, None);
        if names.servers.has(via) {
            self.name_in_address(via, &names.servers.alike(via));
            if gateway.is_none() && !self.lost.touches(&["domain", domain, "scan", "gateway"]) {
                let help = format!(
                    "write {}, which says where it delivers from, or `gateway = \"...\"` for the one that it is",
                    header(&["gateway", via])
                );
                self.refer(via, via.as_str(), &mut names.gateways, Some(&help));
            }
        }
        Some(DomainScan {
            via: Arc::from(via.as_str()),
            gateway: Arc::from(gateway.as_ref().unwrap_or(via).as_str()),
            on_return: (**on_return).into(),
            valid,
            on_scanner_down: (**on_scanner_down).into(),
            place: self.place(table),
        })
    }

    /// Sendmail is steered by an address with the scanner's name in it.
    fn name_in_address(&mut self, via: &Placed<String>, alike: &[&str]) {
        let fits =
            via.len() <= MAX_LABEL && !via.contains('.') && !via.starts_with('-') && !via.ends_with('-');
        if !fits {
            let what = format!(
                "{} cannot be the name of a scanner: it becomes one label of a domain name",
                quoted(via)
            );
            let help = format!(
                "give the server a name without dots, of at most {MAX_LABEL} characters, such as \"scanner\""
            );
            self.error(via, what, help);
        }
        if let Some(other) = alike.first() {
            let what = format!("{} and {} are one name in an address", quoted(via), quoted(other));
            self.error(via, what, "give one of the two servers another name");
        }
    }

    pub(super) fn scan_keys(&mut self, table: &Table<file::Scan>, is_scanned: bool) -> ScanKeys {
        let file::Scan { keys, rotate } = &***table;
        if !is_scanned && table.span().is_some() && !self.lost.touches(&["domain"]) {
            let help = "write [domain.\"example.com\".scan] for the domains whose mail is to be scanned, or take it out";
            self.warning(table, "no domain's mail is scanned, so these keys are for nothing", help);
        }
        if keys.is_some() && rotate.span().is_some() {
            let what = "the keys of this file are made by whoever brings it there, and not here";
            self.warning(rotate, what, "leave it out");
        }
        ScanKeys {
            shared: keys.as_ref().and_then(|written| self.scan_key_file(written)),
            rotate: self.between(
                rotate,
                MIN_ROTATE,
                MAX_ROTATE,
                "write a number and h or d: \"24h\", \"30d\"",
            ),
        }
    }

    fn between(&mut self, written: &Placed<String>, least: Duration, most: Duration, help: &str) -> Duration {
        let known = self.problems.len();
        let time = self.duration(written, most, help);
        if time < least && self.problems.len() == known {
            let least = if least < MIN_ROTATE { "1m" } else { "1h" };
            self.error(
                written,
                format!("{} is too short", quoted(written)),
                format!("write \"{least}\" or more"),
            );
        }
        time
    }

    /// What a domain's scan needs, and what would send its mail in circles.
    pub(super) fn scans(&mut self, domains: &ListedDomains<'_>, rules: &[Rule<'_>], around: &Around<'_>) {
        let mut first = true;
        for (_, listed) in domains.iter().filter(|(_, listed)| listed.alias_of.is_none()) {
            let Some(table) = &listed.table.scan else { continue };
            if first {
                self.needs_once(table, around);
            }
            first = false;
            self.needs(listed.name, listed.table, table, around);
        }
        self.circles(domains, rules, around);
    }

    /// What scanning needs, whoever's mail it is.
    fn needs_once(&mut self, scan: &Table<file::DomainScan>, around: &Around<'_>) {
        if !around.has_milter && !self.lost.touches(&["milter"]) {
            let what = "only the milter can send mail to a scanner and see that it came back, and there is no [milter]";
            self.error(scan, what, "write [milter], and below it `listen = [\"inet:127.0.0.1:8890\"]`");
        }
        let max_passes = &around.loops.max_passes;
        if **max_passes == 0 {
            let what = "mail that goes to a scanner for ever is a loop all the same; nothing else is";
            let problem =
                Problem::note(self.place(max_passes), what).help("write `max_passes = 3` to find others");
            self.problems.push(problem.see("scanned here", self.place(scan)));
        }
    }

    fn needs(
        &mut self,
        domain: &Placed<String>,
        table: &file::Domain,
        scan: &Table<file::DomainScan>,
        around: &Around<'_>,
    ) {
        let Around { has_milter: _, internal, loops: _, server_tables, servers: _, gateways } = *around;
        let file::DomainScan { via, gateway, on_return, valid: _, on_scanner_down } = &***scan;
        match *table.mode {
            Mode::Inactive | Mode::Monitor => {
                let mode = if matches!(*table.mode, Mode::Inactive) { "inactive" } else { "monitor" };
                let what = format!(
                    "while {} is in mode `{mode}`, its mail is not sent to the scanner",
                    quoted(domain)
                );
                self.note(scan, what, "write `mode = \"soft\"` or \"enforce\" for the domain");
            }
            Mode::Soft | Mode::Enforce => {}
        }
        let Some(via) = via else { return };
        let gateway = gateway.as_ref().unwrap_or(via);
        let known = gateways.iter().find(|known| *known.name == **gateway);
        let mut networks = known.into_iter().flat_map(|known| &known.networks);
        if let Some(network) = networks.find_map(|network| internal.networks.find(network.first())) {
            let what = format!(
                "the gateway {} is in `{network}`, which is internal: its mail is not scanned",
                quoted(gateway)
            );
            self.warning(gateway, what, "take its addresses out of `networks` below [internal]");
        }
        match **on_return {
            OnReturn::Token => {}
            OnReturn::Strip => self.constant(on_return, gateway, known),
        }
        match **on_scanner_down {
            OnScannerDown::Wait => {}
            OnScannerDown::Deliver => {
                let server = server_tables.get(via.as_str());
                if server.is_some_and(|server| server.health.is_none())
                    && !self.lost.touches(&["server", via, "health"])
                {
                    let what = format!("nobody looks whether {} is down", quoted(via));
                    let help = format!("write `health = \"30s\"` below {}", header(&["server", via]));
                    self.error(on_scanner_down, what, help);
                }
            }
        }
    }

    /// What stays the same on every message shows that it was scanned only if nobody can do without it.
    fn constant(&mut self, on_return: &Placed<OnReturn>, name: &str, gateway: Option<&Gateway>) {
        let Some(gateway) = gateway.filter(|_| !self.lost.touches(&["gateway", name])) else { return };
        let requires = match gateway.require {
            Require::Any => false,
            Require::All { address: _, certificate: _, header } => header,
        };
        let table = header(&["gateway", name]);
        if gateway.header.is_none() {
            let what = format!("{table} has no `header` that could show that mail was scanned");
            self.error(
                on_return,
                what,
                format!("write {}, or \"token\" here", header(&["gateway", name, "header"])),
            );
        } else if !requires {
            let what = format!("{table} does not require its `header`, so mail could come back without it");
            self.error(
                on_return,
                what,
                "write `require = [\"address\", \"header\"]` there, or \"token\" here",
            );
        }
    }

    /// Mail that was scanned must go on to somewhere else than the scanner.
    fn circles(&mut self, domains: &ListedDomains<'_>, rules: &[Rule<'_>], around: &Around<'_>) {
        let by_name: HashMap<&str, &Server> =
            around.servers.iter().map(|server| (&*server.name, server)).collect();
        let is_one = |a: &str, b: &str| {
            let hosts = |name| by_name.get(name).map_or(&[][..], |server: &&Server| server.hosts.as_slice());
            a == b || hosts(a).iter().any(|host| hosts(b).contains(host))
        };
        // The domains of each scanner, with the gateway that their mail comes back from.
        let mut scanners: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (at, listed) in domains.iter() {
            let Some(file::DomainScan { via: Some(via), gateway, .. }) =
                listed.table.scan.as_ref().map(|t| &***t)
            else {
                continue;
            };
            let gateway = gateway.as_ref().unwrap_or(via);
            scanners.entry((via, gateway)).or_default().push(at);
            let default = listed.table.unrouted.as_ref().filter(|_| listed.alias_of.is_none());
            if let Some((written, to)) = default.and_then(|written| Some((written, default_server(written)?)))
            {
                self.goes_back(written, to, (via, gateway), is_one(to, via), listed.name, via);
            }
        }
        for rule in rules {
            let Some(to) = rule.to else { continue };
            let mut found = scanners.iter().filter_map(|(&(via, gateway), scanned)| {
                let is_one = is_one(to, via);
                let at = scanned.iter().find(|at| rule.covers(**at)).filter(|_| is_one || **to == gateway)?;
                Some((is_one, via, gateway, domains.get(*at)))
            });
            // One circle is enough, and the certain one is told.
            let first = found.next();
            let worst =
                first.filter(|(is_one, ..)| *is_one).or_else(|| found.find(|(is_one, ..)| *is_one)).or(first);
            if let Some((is_one, via, gateway, listed)) = worst
                && let Some(written) = listed.table.scan.as_ref().and_then(|scan| scan.via.as_ref())
            {
                self.goes_back(to, to, (via, gateway), is_one, listed.name, written);
            }
        }
    }

    fn goes_back(
        &mut self,
        at: &Placed<String>,
        to: &str,
        (via, gateway): (&str, &str),
        is_scanner: bool,
        domain: &Placed<String>,
        scan: &Placed<String>,
    ) {
        let problem = if is_scanner {
            let what = if to == via {
                format!("mail of {} that was scanned by {} would go there again", quoted(domain), quoted(via))
            } else {
                format!(
                    "mail of {} that was scanned by {} would go there again: {} has the same host",
                    quoted(domain),
                    quoted(via),
                    quoted(to)
                )
            };
            Problem::error(self.place(at), what)
        } else if to == gateway {
            let what = format!(
                "mail of {} goes on to {}, which by its name is the gateway that it comes back from when it was scanned",
                quoted(domain),
                quoted(to)
            );
            Problem::warning(self.place(at), what)
        } else {
            return;
        };
        let problem = problem.help("write the server that its mailboxes are on");
        self.problems.push(problem.see("scanned here", self.place(scan)));
    }
}
