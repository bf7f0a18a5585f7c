// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways`: each gateway with its size, its factors, and how each of its sources stands; then what the running
//! server tells of itself.

use super::json::{GatewayJson, ListJson};
use super::{Opened, server};
use crate::cli::output::{self, Mood, Page};
use crate::cli::span::{ago, span, until};
use crate::cli::status::{self, Told};
use crate::gateways::{Change, GatewayStatus, Held, SourceStatus, Stamp};
use crate::policy::{Gateway, Require};
use std::io;
use std::process::ExitCode;

/// Where texts begin.
pub(super) const COLUMN: usize = 14;

/// Lists them.
pub(super) fn list(opened: &Opened, json: bool) -> io::Result<ExitCode> {
    let all = opened.status();
    let told = status::read(&opened.config.state_dir).unwrap_or_else(|error| {
        output::complain(&format!("postern: cannot tell whether a server runs: {error}\n"));
        Told::NoServer
    });
    if json {
        let gateways = all.iter().map(|status| GatewayJson::of(opened, status, false)).collect();
        output::print_json(&ListJson { gateways, server: server::json(&told) })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    if all.is_empty() {
        page.line(Mood::Plain, "no gateway is defined");
    }
    for status in &all {
        page.gap();
        head(opened, status, &mut page);
        for source in &status.sources {
            show_source(source, opened.now, &mut page);
        }
    }
    sum_up(&all, &mut page);
    server::show(&told, opened.now, &mut page);
    output::print(&page.into_text())?;
    Ok(ExitCode::SUCCESS)
}

/// Which of many to look at: the end of a long list is what stays on the screen.
fn sum_up(all: &[GatewayStatus], page: &mut Page) {
    if all.len() < 2 {
        return;
    }
    let troubled: Vec<&str> =
        all.iter().filter(|status| mood(status) != Mood::Good).map(|status| &*status.gateway.name).collect();
    page.gap();
    let count = format!("{} gateways", all.len());
    if troubled.is_empty() {
        page.entry_in(Mood::Good, 0, &count, COLUMN, "all in order");
    } else {
        page.entry_in(Mood::Doubtful, 0, &count, COLUMN, &format!("look at {}", troubled.join(", ")));
    }
}

/// The gateway's name, where it is from, how many networks it has and what it must show.
pub(super) fn head(opened: &Opened, status: &GatewayStatus, page: &mut Page) {
    let gateway = &status.gateway;
    page.line(mood(status), &gateway.name);
    if let Some(provider) = opened.written(&gateway.name).and_then(|written| written.provider.as_deref()) {
        page.entry(2, "provider", COLUMN, provider);
    }
    page.entry(2, "networks", COLUMN, &size(status));
    page.entry(2, "requires", COLUMN, &requires(gateway));
}

/// How many networks, and whether that is all.
pub(super) fn size(status: &GatewayStatus) -> String {
    let Some(addresses) = &status.gateway.addresses else { return "known without its address".to_owned() };
    let mut text = networks(addresses.networks.len());
    text.push_str(if status.sources.is_empty() { ", static" } else { ", kept fresh" });
    if status.sources.iter().all(|source| source.loaded.is_none()) && addresses.networks.is_empty() {
        "none known yet, so its clients are deferred".clone_into(&mut text);
    } else if !addresses.complete {
        text.push_str("; a source never answered, so other clients are unknown and deferred");
    }
    match addresses.live.len() {
        0 => {}
        1 => text.push_str("; 1 name is asked live"),
        count => text.extend(["; ", &count.to_string(), " names are asked live"]),
    }
    text
}

/// So many networks.
pub(super) fn networks(count: usize) -> String {
    if count == 1 { "1 network".to_owned() } else { format!("{count} networks") }
}

fn requires(gateway: &Gateway) -> String {
    let mut factors = Vec::new();
    match gateway.require {
        Require::Any => return "address or certificate".to_owned(),
        Require::All { address, certificate, header } => {
            factors.extend(address.then(|| "address".to_owned()));
            factors.extend(certificate.then(|| {
                let names = gateway.certificate.iter().map(ToString::to_string);
                let prints = gateway.fingerprints.iter().map(|print| format!("fingerprint {print}"));
                let all: Vec<String> = names.chain(prints).collect();
                format!("certificate of {}", all.join(" or "))
            }));
            let name = gateway.header.as_ref().map(|header| &*header.name).unwrap_or_default();
            factors.extend(header.then(|| format!("header {name}")));
        }
    }
    factors.join(" and ")
}

fn show_source(source: &SourceStatus, now: Stamp, page: &mut Page) {
    let SourceStatus {
        name,
        networks: count,
        live,
        loaded,
        checked,
        due,
        trouble,
        validated,
        notes,
        held,
        ..
    } = source;
    page.entry_in(source_mood(source), 2, name, COLUMN, "");
    let mut text = match loaded {
        None if checked.is_none() => "never loaded; `postern run` or `gateways refresh` asks".to_owned(),
        None => "never loaded".to_owned(),
        Some(loaded) => {
            let mut text = format!("{}, good {}", networks(*count), ago(now, *loaded));
            if *validated {
                text.push_str(", validated");
            }
            text
        }
    };
    if let Some(checked) = checked.filter(|checked| Some(*checked) != *loaded) {
        text.extend([", asked ", &ago(now, checked)]);
    }
    if let Some(due) = due {
        text.extend([", next ", &until(now, *due)]);
    }
    page.entry(4, "", COLUMN, &text);
    for name in live {
        page.entry(4, "live", COLUMN, name.as_str());
    }
    if let Some(trouble) = trouble {
        let text = format!("for {}: {}", span(now.since(trouble.since)), trouble.why);
        page.entry_in(Mood::Bad, 4, "trouble", COLUMN, &text);
    }
    if let Some(held) = held {
        page.entry_in(Mood::Doubtful, 4, "held", COLUMN, &held_text(held));
    }
    for note in notes {
        page.entry(4, "note", COLUMN, note);
    }
}

/// What a guard stopped, and what to do about it.
pub(super) fn held_text(held: &Held) -> String {
    let Held { change, had, has, gone, proposed: _ } = held;
    let what = match change {
        Change::Shrink => format!("{gone} of {had} would go"),
        Change::Growth => format!("{had} would become {has}"),
    };
    format!("{what}; look with `gateways diff`, take it with `gateways refresh --force`")
}

/// How a gateway stands: as its worst source.
fn mood(status: &GatewayStatus) -> Mood {
    status.sources.iter().map(source_mood).fold(Mood::Good, worse)
}

fn source_mood(source: &SourceStatus) -> Mood {
    if source.loaded.is_none() {
        Mood::Bad
    } else if source.trouble.is_some() || source.held.is_some() {
        Mood::Doubtful
    } else {
        Mood::Good
    }
}

fn worse(one: Mood, other: Mood) -> Mood {
    let rank = |mood: Mood| match mood {
        Mood::Plain | Mood::Heading | Mood::Good => 0,
        Mood::Doubtful => 1,
        Mood::Bad => 2,
    };
    if rank(other) > rank(one) { other } else { one }
}
