// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways providers`: which providers are known, what is known of them, from where and how certain it is.

use crate::cli::output::{self, Mood, Page};
use crate::config::{Certainty, Fact, Known, Provider, Providers, Region};
use serde::Serialize;
use std::io;
use std::process::ExitCode;

/// Where texts begin.
const COLUMN: usize = 30;

/// Lists them all, or shows one.
pub(super) fn providers(providers: &Providers, name: Option<&str>, json: bool) -> io::Result<ExitCode> {
    let shown: Vec<&Provider> = match name {
        None => providers.iter().collect(),
        Some(name) => vec![find(providers, name)?],
    };
    if json {
        let all: Vec<ProviderJson<'_>> = shown.into_iter().map(ProviderJson::of).collect();
        output::print_json(&all)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    for provider in shown {
        match name {
            None => list(provider, &mut page),
            Some(_) => show(provider, &mut page),
        }
    }
    output::print(&page.into_text())?;
    Ok(ExitCode::SUCCESS)
}

/// Says whose mail host this is: 1 when nobody knows.
pub(super) fn suggest(providers: &Providers, host: &str) -> io::Result<ExitCode> {
    let Some(suggestion) = providers.suggest(host) else {
        output::print(&format!("no provider that is known has the mail host {host}\n"))?;
        return Ok(ExitCode::from(1));
    };
    let mut page = Page::new(output::colour(&io::stdout()));
    page.line(Mood::Heading, &suggestion.provider.title);
    let regions: Vec<&Region> = match suggestion.region {
        Some(region) => vec![region],
        None => suggestion.provider.regions.iter().collect(),
    };
    for region in regions.into_iter().filter(|region| region.has_addresses()) {
        page.entry(2, &format!("provider = \"{}\"", region.written), COLUMN + 12, &region.title);
    }
    output::print(&page.into_text())?;
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(providers: &'a Providers, name: &str) -> io::Result<&'a Provider> {
    let is_meant = |provider: &&Provider| {
        *provider.name == *name
            || provider.aliases.iter().any(|alias| **alias == *name)
            || provider.regions.iter().any(|region| *region.written == *name)
    };
    providers.iter().find(is_meant).ok_or_else(|| {
        let near = providers.iter().max_by(|a, b| {
            let close = |provider: &Provider| strsim::jaro_winkler(&provider.name, name);
            close(a).total_cmp(&close(b))
        });
        let near = near.map(|provider| format!("; did you mean `{}`?", provider.name)).unwrap_or_default();
        io::Error::other(format!("there is no provider `{name}`{near}"))
    })
}

fn list(provider: &Provider, page: &mut Page) {
    for region in &provider.regions {
        let mut text = region.title.to_string();
        if !region.has_addresses() {
            text.push_str("; no addresses known");
        } else if region.needs_customer() {
            text.push_str("; needs `customer`");
        }
        page.entry(0, &region.written, COLUMN, &text);
    }
}

fn show(provider: &Provider, page: &mut Page) {
    page.line(Mood::Heading, &provider.title);
    if !provider.aliases.is_empty() {
        page.entry(2, "also called", 16, &provider.aliases.join(", "));
    }
    if let Some(customer) = &provider.customer {
        page.entry(2, "customer", 16, customer);
    }
    if let Some(note) = &provider.note {
        page.entry(2, "note", 16, note);
    }
    for region in &provider.regions {
        page.gap();
        page.line(Mood::Good, &region.written);
        page.entry(2, "", 2, &region.title);
        for fact in &region.facts {
            show_fact(fact, Mood::Plain, page);
        }
        for fact in &region.unverified {
            show_fact(fact, Mood::Doubtful, page);
        }
    }
}

fn show_fact(fact: &Fact, mood: Mood, page: &mut Page) {
    let Fact { known, source, date, certainty } = fact;
    let used = if mood == Mood::Doubtful { ", not used" } else { "" };
    let text = format!("{} ({}{used}; {source}, {date})", value(known), word(*certainty));
    page.entry_in(mood, 2, known.kind(), 20, &text);
}

fn value(known: &Known) -> String {
    match known {
        Known::Mx(domain) | Known::Host(domain) => domain.to_string(),
        Known::Spf(name) | Known::Certificate(name) | Known::AlternativeName(name) => name.to_string(),
        Known::Feed(feed) => feed.url.to_string(),
        Known::Network(network) => network.to_string(),
    }
}

fn word(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Low => "low certainty",
        Certainty::Medium => "medium certainty",
        Certainty::High => "high certainty",
    }
}

#[derive(Serialize)]
struct ProviderJson<'a> {
    name: &'a str,
    title: &'a str,
    aliases: Vec<&'a str>,
    customer: Option<&'a str>,
    note: Option<&'a str>,
    regions: Vec<RegionJson<'a>>,
}

#[derive(Serialize)]
struct RegionJson<'a> {
    provider: &'a str,
    title: &'a str,
    needs_customer: bool,
    facts: Vec<FactJson<'a>>,
    unverified: Vec<FactJson<'a>>,
}

#[derive(Serialize)]
struct FactJson<'a> {
    kind: &'static str,
    value: String,
    certainty: &'static str,
    source: &'a str,
    date: &'a str,
}

impl<'a> ProviderJson<'a> {
    fn of(provider: &'a Provider) -> Self {
        Self {
            name: &provider.name,
            title: &provider.title,
            aliases: provider.aliases.iter().map(|alias| &**alias).collect(),
            customer: provider.customer.as_deref(),
            note: provider.note.as_deref(),
            regions: provider.regions.iter().map(RegionJson::of).collect(),
        }
    }
}

impl<'a> RegionJson<'a> {
    fn of(region: &'a Region) -> Self {
        Self {
            provider: &region.written,
            title: &region.title,
            needs_customer: region.needs_customer(),
            facts: region.facts.iter().map(FactJson::of).collect(),
            unverified: region.unverified.iter().map(FactJson::of).collect(),
        }
    }
}

impl<'a> FactJson<'a> {
    fn of(fact: &'a Fact) -> Self {
        let Fact { known, source, date, certainty } = fact;
        let certainty = match certainty {
            Certainty::Low => "low",
            Certainty::Medium => "medium",
            Certainty::High => "high",
        };
        Self { kind: known.kind(), value: value(known), certainty, source, date }
    }
}
