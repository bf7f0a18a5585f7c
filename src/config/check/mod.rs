// SPDX-License-Identifier: GPL-3.0-or-later
//! From the file as it is written to checked values. Each check says everything it finds and puts something in the
//! place of what is wrong, so that the next one can go on; with an error nobody will ever see those values.

mod addresses;
mod alias;
mod directory;
mod domains;
mod doors;
mod factors;
mod gateway;
mod groups;
mod headers;
mod listed;
mod loops;
mod outside;
mod overlap;
mod preset;
mod reach;
mod recipients;
mod references;
mod replies;
mod routes;
mod scan;
mod scan_keys;
mod secrets;
mod servers;
mod socket;
mod tls;

pub use loops::is_loop_id;

use doors::Sockets;
use listed::ListedDomains;
use references::Tables;
use scan::Around;

use super::file::{File, Internal, Unlisted};
use super::networks::NetworkList;
use super::placed::Placed;
use super::providers::Providers;
use super::settings::Config;
use super::text::Text;
use super::tree::{Lost, Tree};
use super::wording::quoted;
use super::{DataFile, Place, Problem, Problems, Severity};
use crate::mail::Network;
use crate::policy;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What every check needs.
struct Check<'a> {
    text: &'a Text,
    lost: &'a Lost,
    problems: &'a mut Problems,
    /// Networks of gateways that stand in the file itself.
    own_networks: Vec<overlap::OwnNetwork>,
}

/// Checks what was read.
pub(super) fn check(text: &Text, tree: Tree<File>, problems: &mut Problems) -> Config {
    let Tree { file, lost } = tree;
    let File {
        state_dir,
        milter,
        policyd,
        socketmap,
        dns,
        reputation: reputation_table,
        internal,
        unlisted,
        providers,
        gateway,
        directory,
        server,
        route,
        scan,
        domain,
        verdict,
        reply,
        loops,
    } = file;
    let mut check = Check { text, lost: &lost, problems, own_networks: Vec::new() };
    let has_milter = milter.is_some();
    check.some_door(has_milter || policyd.is_some() || socketmap.is_some());
    let mut sockets = Sockets::default();
    let (milter, drain_timeout) = milter.as_ref().map(|table| check.milter(table, &mut sockets)).unzip();
    let policyd_door = policyd.as_ref().map(|table| check.policyd(table, has_milter, &mut sockets));
    let socketmap = socketmap.as_ref().map(|table| check.socketmap(table, &mut sockets));
    let reputation = check.reputation(reputation_table.as_ref());
    let providers = check.providers(providers.as_ref());
    let gateways = check.gateways(&gateway, &providers, &reputation);
    if let Some(policyd) = &policyd {
        check.without_headers(policyd, has_milter, &gateway, &gateways, &loops);
    }
    check.use_of_fingerprints(&gateway, policyd.is_some());
    let mut directories = check.directories(&directory);
    let servers = check.servers(&server, &sockets, loops.id.as_ref().map(|id| id.as_str()));
    let mut names = Tables::new(&gateway, &directory, &server);
    let verdicts = domains::verdicts(&verdict, policy::Verdicts::default());
    let mut used =
        replies::Use { domains: &[], unlisted: None, reputation: &reputation, has_rules: !route.is_empty() };
    let domains = check.domains(&domain, verdicts, &reply, &mut names, &used);
    check.overlaps(&domain);
    check.use_of_reputation(reputation_table.as_ref(), &reputation, &domains, &gateways);
    let unlisted = check.unlisted(&unlisted, &reply);
    (used.domains, used.unlisted) = (&domains, Some(unlisted.verdict));
    check.use_of_replies(&reply, &used);
    let listed = ListedDomains::new(&domain);
    check.own_mx(&server, |domain| listed.covering(domain).is_some());
    let rules = check.rules(&route, &directory, &listed, &mut names);
    check.reach(&rules, &listed);
    let internal = check.internal(&internal);
    let around = Around {
        has_milter,
        internal: &internal,
        loops: &loops,
        server_tables: &server,
        servers: &servers,
        gateways: &gateways,
    };
    check.scans(&listed, &rules, &around);
    check.unused(&names);
    let routes = check.settled_routes(&rules);
    for directory in &mut directories {
        directory.rules.groups = directory.groups_of(&routes);
    }
    let is_scanned = domains.iter().any(|domain| domain.scan.is_some());
    Config {
        state_dir: check.path(&state_dir),
        milter,
        policyd: policyd_door,
        socketmap,
        drain_timeout: drain_timeout.unwrap_or(doors::DRAIN),
        dns: check.dns(&dns),
        reputation,
        internal,
        unlisted,
        providers,
        gateways,
        directories,
        servers,
        routes,
        scan: check.scan_keys(&scan, is_scanned),
        domains,
        loops: check.loops(&loops),
    }
}

impl Check<'_> {
    /// Where something stands; a default stands at the beginning of the file.
    fn place<T>(&self, at: &Placed<T>) -> Place {
        self.text.place(at.span().unwrap_or_default())
    }

    fn say<T>(
        &mut self,
        severity: Severity,
        at: &Placed<T>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.place(at);
        self.problems.push(Problem::new(severity, Some(place), what).help(help));
    }

    fn error<T>(&mut self, at: &Placed<T>, what: impl Into<String>, help: impl Into<String>) {
        self.say(Severity::Error, at, what, help);
    }

    fn warning<T>(&mut self, at: &Placed<T>, what: impl Into<String>, help: impl Into<String>) {
        self.say(Severity::Warning, at, what, help);
    }

    fn note<T>(&mut self, at: &Placed<T>, what: impl Into<String>, help: impl Into<String>) {
        self.say(Severity::Note, at, what, help);
    }

    /// Something is there a second time.
    fn twice<T>(&mut self, at: &Placed<T>, first: &Placed<T>, what: impl Into<String>) {
        let problem = Problem::error(self.place(at), what).help("keep one of the two");
        self.problems.push(problem.see("listed here", self.place(first)));
    }

    /// Says which elements of a list stand there before, and gives the others.
    fn once<'p, T: PartialEq + Display>(&mut self, list: &'p [Placed<T>]) -> Vec<&'p Placed<T>> {
        let mut firsts: Vec<&Placed<T>> = Vec::new();
        for written in list {
            match firsts.iter().find(|first| **first == written) {
                Some(first) => {
                    self.twice(
                        written,
                        first,
                        format!("{} is listed twice", quoted(&(**written).to_string())),
                    );
                }
                None => firsts.push(written),
            }
        }
        firsts
    }

    /// Says that a list is empty, unless something was taken out of it.
    fn not_empty<T>(&mut self, list: &Placed<Vec<T>>, path: &[&str], what: &str, help: &str) {
        if list.is_empty() && !self.lost.touches(path) {
            self.error(list, format!("the list is empty: {what}"), help);
        }
    }

    /// A path, relative to the configuration file.
    fn path(&mut self, written: &Placed<String>) -> PathBuf {
        if written.is_empty() {
            self.error(written, "the path is empty", "write a path, relative to this file or absolute");
        }
        self.text.base().join(&**written)
    }

    fn data_file(&mut self, written: &Placed<String>) -> Option<DataFile> {
        let path = Arc::from(self.path(written));
        (!written.is_empty()).then(|| DataFile { path, named: self.place(written) })
    }

    /// The built-in providers, and those of the directory that the file names.
    fn providers(&mut self, dir: Option<&Placed<String>>) -> Providers {
        let mut providers = Providers::built_in();
        if let Some(written) = dir {
            let path = self.path(written);
            if !written.is_empty() {
                providers.add_directory(&path, &self.place(written), self.problems);
            }
        }
        providers
    }

    fn internal(&mut self, internal: &Internal) -> policy::Internal {
        let Internal { networks, authenticated } = internal;
        let mut list = NetworkList::default();
        for written in networks {
            if Network::parse(written).is_ok_and(|parsed| parsed.network.prefix_len() == 0) {
                let what = "with this network everyone is internal, and nothing is checked";
                self.error(written, what, "write the networks of your own machines only");
                continue;
            }
            list.add(written, &self.place(written), |problem| self.problems.push(problem));
        }
        let networks = list.finish(|problem| self.problems.push(problem));
        policy::Internal { networks: networks.into_iter().collect(), authenticated: *authenticated }
    }

    fn unlisted(&mut self, unlisted: &Unlisted, replies: &super::file::Replies) -> policy::Unlisted {
        let Unlisted { verdict } = unlisted;
        let standard = policy::Reason::NotOurDomain.default_verdict();
        let verdict = verdict.map_or(standard, Into::into);
        policy::Unlisted { verdict, replies: self.replies(replies, None) }
    }

    /// A length of time: a number and its unit. `help` says how it is written.
    fn duration(&mut self, written: &Placed<String>, longest: Duration, help: &str) -> Duration {
        let (digits, unit) = written.split_at(written.bytes().take_while(u8::is_ascii_digit).count());
        let millis = match unit {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60 * 1000),
            "h" => Some(60 * 60 * 1000),
            "d" => Some(24 * 60 * 60 * 1000),
            _ => None,
        };
        let value = digits.parse::<u64>().ok().zip(millis).and_then(|(n, millis)| n.checked_mul(millis));
        match value.map(Duration::from_millis) {
            Some(duration) if duration <= longest => return duration,
            Some(_) => {
                let hours = longest.as_secs() / 3600;
                let most = if hours > 24 { format!("{}d", hours / 24) } else { format!("{hours}h") };
                self.error(
                    written,
                    format!("{} is too long", quoted(written)),
                    format!("write \"{most}\" or less"),
                );
            }
            None => self.error(written, format!("{} is no length of time", quoted(written)), help),
        }
        Duration::ZERO
    }

    /// A name of a gateway or directory: it appears in logs and reports.
    fn name(&mut self, name: &Placed<String>) {
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if !fits {
            let what = format!("{} cannot be a name", quoted(name));
            self.error(name, what, "a name has letters, digits, `.`, `-` and `_`, at most 64");
        }
    }
}
