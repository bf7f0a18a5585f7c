// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern servers`: each server with its hosts in the order of now, as the running server tells it, and who uses it.

use super::{certificate, json, wish};
use crate::cli::output::{self, Mood, Page};
use crate::cli::span::span;
use crate::cli::status::{self, HostStanding, ServerHost, ServerStatus, Told};
use crate::config::{Config, Server, ServerKind, Unrouted};
use crate::gateways::Stamp;
use std::io;
use std::process::ExitCode;
use std::time::SystemTime;

/// Where texts begin.
const COLUMN: usize = 14;

/// What is known of a server.
pub(super) struct Known<'a> {
    pub(super) server: &'a Server,
    /// In the order of now; nothing of a host that the running server, if any, does not know.
    pub(super) hosts: Vec<(String, Option<&'a ServerHost>)>,
    pub(super) down: bool,
    pub(super) used: Uses<'a>,
}

/// Who sends mail to a server.
pub(super) struct Uses<'a> {
    /// Routing rules.
    pub(super) routes: Vec<&'a str>,
    /// Domains whose other mail goes to it.
    pub(super) unrouted: Vec<String>,
    /// Domains whose mail it scans.
    pub(super) scan: Vec<String>,
}

/// Lists them.
pub(super) fn list(config: &Config, json: bool) -> io::Result<ExitCode> {
    let told = status::read(&config.state_dir).unwrap_or_else(|error| {
        output::complain(&format!("postern: cannot tell whether a server runs: {error}\n"));
        Told::NoServer
    });
    let (serves, statuses): (bool, &[ServerStatus]) = match &told {
        Told::NoServer => (false, &[]),
        Told::Nothing { .. } => (true, &[]),
        Told::Status(status) => (true, &status.servers),
    };
    let known: Vec<Known<'_>> = config.servers.iter().map(|server| known(config, server, statuses)).collect();
    if json {
        output::print_json(&json::listed(&known, serves))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    if known.is_empty() {
        page.line(Mood::Plain, "no server is defined");
    }
    let now = SystemTime::now().into();
    for known in &known {
        page.gap();
        show(known, serves, now, &mut page);
    }
    sum_up(&known, &mut page);
    output::print(&page.into_text())?;
    Ok(ExitCode::SUCCESS)
}

/// Which of many to look at: the end of a long list is what stays on the screen.
fn sum_up(all: &[Known<'_>], page: &mut Page) {
    let watched: Vec<&Known<'_>> = all.iter().filter(|known| known.server.health.is_some()).collect();
    if all.len() < 2 || watched.iter().all(|known| known.mood() == Mood::Heading) {
        return;
    }
    let troubled: Vec<&str> =
        watched.iter().filter(|known| known.mood() != Mood::Good).map(|known| &*known.server.name).collect();
    page.gap();
    let count = format!("{} servers", all.len());
    if troubled.is_empty() {
        page.entry_in(Mood::Good, 0, &count, COLUMN, "all that are looked at take mail");
    } else {
        page.entry_in(Mood::Doubtful, 0, &count, COLUMN, &format!("look at {}", troubled.join(", ")));
    }
}

impl Known<'_> {
    /// How it stands: down, or as its worst host; a heading where nobody knows.
    fn mood(&self) -> Mood {
        let mut moods = self.hosts.iter().filter_map(|(_, host)| host.map(mood)).peekable();
        if self.down {
            Mood::Bad
        } else if moods.peek().is_none() {
            Mood::Heading
        } else if moods.all(|mood| mood == Mood::Good) {
            Mood::Good
        } else {
            Mood::Doubtful
        }
    }
}

fn known<'a>(config: &'a Config, server: &'a Server, statuses: &'a [ServerStatus]) -> Known<'a> {
    let name = &*server.name;
    // The running server may have been started with another configuration.
    let status = statuses.iter().find(|status| *status.name == *name && server.health.is_some());
    let configured: Vec<String> = server.hosts.iter().map(ToString::to_string).collect();
    let told = status.iter().flat_map(|status| &status.hosts).filter(|host| configured.contains(&host.host));
    let mut hosts: Vec<(String, Option<&ServerHost>)> =
        told.map(|host| (host.host.clone(), Some(host))).collect();
    for host in configured {
        if !hosts.iter().any(|(known, _)| *known == host) {
            hosts.push((host, None));
        }
    }
    let domains = || config.domains.iter();
    let routes = config.routes.iter().filter(|route| *route.to == *name).map(|route| &*route.name).collect();
    let unrouted = domains()
        .filter(|domain| match &domain.unrouted {
            Some(Unrouted::Server(to)) => **to == *name,
            Some(Unrouted::Reject | Unrouted::Pass) | None => false,
        })
        .map(|domain| domain.pattern.to_string())
        .collect();
    let scan = domains()
        .filter(|domain| domain.scan.as_ref().is_some_and(|scan| *scan.via == *name))
        .map(|domain| domain.pattern.to_string())
        .collect();
    let down = status.is_some_and(|status| status.down);
    Known { server, hosts, down, used: Uses { routes, unrouted, scan } }
}

fn show(known: &Known<'_>, serves: bool, now: Stamp, page: &mut Page) {
    let Known { server, hosts, down, used } = known;
    page.line(known.mood(), &server.name);
    page.entry(2, "type", COLUMN, kind(server.kind));
    let names = certificate(&server.tls);
    let tls = wish(&server.tls);
    if names.is_empty() {
        page.entry(2, "tls", COLUMN, tls);
    } else {
        page.entry(2, "tls", COLUMN, &format!("{tls}, with a certificate of {}", names.join(" or ")));
    }
    let health = match server.health {
        None => "never: `health` is not written; `postern servers probe` looks now".to_owned(),
        Some(every) => {
            let every = span(crate::servers::shortest(every));
            let pause = if serves { "" } else { " while a server runs, and none does" };
            format!("every {every}{pause}")
        }
    };
    page.entry(2, "looked at", COLUMN, &health);
    page.entry(2, "used by", COLUMN, &used_by(used));
    if *down {
        page.entry_in(
            Mood::Bad,
            2,
            "DOWN",
            COLUMN,
            "none of its hosts takes mail; they are tried in the configured order, and the MTA keeps the mail",
        );
    }
    for (number, (name, host)) in (1..).zip(hosts) {
        let mood = host.map_or(Mood::Plain, mood);
        page.entry_in(mood, 2, &format!("host {number}"), COLUMN, name);
        if let Some(host) = host {
            show_host(host, now, page);
        }
    }
}

fn show_host(host: &ServerHost, now: Stamp, page: &mut Page) {
    let ServerHost { host: _, state, since, failing, text, tls } = host;
    let long = since.map(|since| span(now.since(since))).unwrap_or_default();
    let text = match (state, text.as_str()) {
        (HostStanding::Unknown, "") => "not looked at yet".to_owned(),
        (HostStanding::Unknown, text) => format!("not known yet; the first look: {text}"),
        (HostStanding::TakesMail, text) if *failing => {
            format!("takes mail for {long}; the last look: {text}")
        }
        (HostStanding::TakesMail, text) => format!("for {long}; the last look: {text}"),
        (HostStanding::Back, text) => format!("stands behind the others for {long}: {text}"),
    };
    page.entry(4, "", COLUMN, &text);
    if let Some(trouble) = tls {
        let text = format!("for {}: {}", span(now.since(trouble.since)), trouble.text);
        page.entry_in(Mood::Doubtful, 4, "TLS", COLUMN, &text);
    }
}

fn mood(host: &ServerHost) -> Mood {
    match host.state {
        HostStanding::Back => Mood::Bad,
        HostStanding::Unknown => Mood::Doubtful,
        HostStanding::TakesMail if host.failing || host.tls.is_some() => Mood::Doubtful,
        HostStanding::TakesMail => Mood::Good,
    }
}

fn used_by(used: &Uses<'_>) -> String {
    let Uses { routes, unrouted, scan } = used;
    let mut parts = Vec::new();
    parts.extend(routes.iter().map(|route| format!("route {route}")));
    parts.extend(unrouted.iter().map(|domain| format!("{domain} (unrouted)")));
    parts.extend(scan.iter().map(|domain| format!("{domain} (scan)")));
    if parts.is_empty() { "nobody".to_owned() } else { parts.join(", ") }
}

/// As it is written.
pub(super) fn kind(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Microsoft365 => "microsoft365",
        ServerKind::Exchange => "exchange",
        ServerKind::Smtp => "smtp",
    }
}
