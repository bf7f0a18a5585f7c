// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways diff NAME`: asks the gateway's sources now and shows what a refresh would change. Nothing is kept.

use super::Opened;
use super::list::held_text;
use crate::cli::output::{self, Mood, Page};
use crate::cli::progress::Progress;
use crate::cli::span::span;
use crate::config::AddressSource;
use crate::gateways::{Answered, Entry, Fetch, Fetched, Item, Snapshot, SourceError, ask_anew, label, merge};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::io;
use std::process::ExitCode;

/// Where it is said what a network comes from.
const COLUMN: usize = 26;

/// Asks sources, and shows how far that is.
pub(in crate::cli) async fn ask<F: Fetch>(fetch: &F, sources: Vec<AddressSource>) -> Vec<Answered> {
    let progress = Progress::begin("asking sources", sources.len());
    ask_anew(fetch, sources, || progress.step()).await
}

/// Shows what would change; 1 when a source gives nothing that can be used.
pub(super) async fn diff<F: Fetch>(
    opened: &Opened,
    name: &str,
    fetch: &F,
    json: bool,
) -> io::Result<ExitCode> {
    let sources: Vec<AddressSource> =
        opened.find(name)?.sources.into_iter().map(|status| status.source).collect();
    if json {
        let answers = ask(fetch, sources).await;
        let told: Vec<DiffJson> =
            answers.iter().map(|(source, answer)| DiffJson::of(opened, source, answer)).collect();
        output::print_json(&told)?;
        return Ok(ExitCode::from(u8::from(answers.iter().any(|(_, answer)| answer.is_err()))));
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    if sources.is_empty() {
        page.line(Mood::Plain, "all networks stand in the configuration; nothing is kept fresh");
    }
    let mut all_well = true;
    for (source, answer) in ask(fetch, sources).await {
        page.gap();
        page.line(Mood::Heading, &label(&source));
        all_well &= answer.is_ok();
        show(opened, &source, &answer, &mut page);
    }
    output::print(&page.into_text())?;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn show(opened: &Opened, source: &AddressSource, answer: &Result<Fetched, SourceError>, page: &mut Page) {
    if let Err(error) = answer {
        page.entry_in(Mood::Bad, 2, "trouble", 12, &error.to_string());
        page.entry(2, "", 12, "the last good set would stay");
        return;
    }
    let hold = opened.plan.sources().get(source).map(|shared| shared.guard.removal_hold).unwrap_or_default();
    let (before, after) = around(opened, source, answer);
    let changes = changes(&before, &after);
    for (entry, change) in &changes {
        let (mood, sign, more) = match change {
            Change::Came => (Mood::Good, "+", String::new()),
            Change::Missing => (Mood::Doubtful, "-", format!("; stays for {}", span(hold))),
            Change::Gone => (Mood::Bad, "-", "; goes now".to_owned()),
            Change::Back => (Mood::Good, "+", "; was gone".to_owned()),
        };
        page.entry_in(
            mood,
            2,
            &format!("{sign} {}", item(&entry.item)),
            COLUMN,
            &format!("{}{more}", entry.via),
        );
    }
    if let Some(held) = &after.held {
        page.entry_in(Mood::Doubtful, 2, "held", 12, &held_text(held));
        let known: HashSet<&Item> = after.entries.iter().map(|entry| &entry.item).collect();
        for entry in held.proposed.iter().filter(|entry| !known.contains(&entry.item)) {
            page.entry(2, &format!("? {}", item(&entry.item)), COLUMN, &entry.via);
        }
    } else if let Some(trouble) = &after.trouble {
        page.entry_in(Mood::Bad, 2, "trouble", 12, &trouble.why);
    } else if changes.is_empty() {
        page.entry(2, "nothing would change", 0, "");
    }
}

/// What one source would change, as JSON.
#[derive(Serialize)]
struct DiffJson {
    source: String,
    /// Why its last good set would stay as it is.
    trouble: Option<String>,
    came: Vec<String>,
    /// Published no longer; they stay for `removal_hold`.
    missing: Vec<String>,
    gone: Vec<String>,
    back: Vec<String>,
    /// What a guard would stop, in words.
    held: Option<String>,
}

impl DiffJson {
    fn of(opened: &Opened, source: &AddressSource, answer: &Result<Fetched, SourceError>) -> Self {
        let (before, after) = around(opened, source, answer);
        let changes = changes(&before, &after);
        let named = |wanted| {
            let fitting = changes.iter().filter(|(_, change)| *change == wanted);
            fitting.map(|(entry, _)| item(&entry.item)).collect()
        };
        Self {
            source: label(source),
            trouble: after.trouble.as_ref().map(|trouble| trouble.why.clone()),
            came: named(Change::Came),
            missing: named(Change::Missing),
            gone: named(Change::Gone),
            back: named(Change::Back),
            held: after.held.as_ref().map(held_text),
        }
    }
}

/// The snapshot of a source as it is, and as it would be.
fn around(
    opened: &Opened,
    source: &AddressSource,
    answer: &Result<Fetched, SourceError>,
) -> (Snapshot, Snapshot) {
    let before = opened.snapshots.get(source).cloned().unwrap_or_default();
    let guard = opened.plan.sources().get(source).map(|shared| shared.guard).unwrap_or_default();
    let (after, _) = merge(&before, answer, opened.now, guard, false);
    (before, after)
}

/// What happens to one entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Came,
    Missing,
    Gone,
    Back,
}

fn changes<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<(&'a Entry, Change)> {
    let old: HashMap<&Item, &Entry> = before.entries.iter().map(|entry| (&entry.item, entry)).collect();
    let new: HashMap<&Item, &Entry> = after.entries.iter().map(|entry| (&entry.item, entry)).collect();
    let mut changes: Vec<(&Entry, Change)> = Vec::new();
    for entry in &after.entries {
        match old.get(&entry.item).map(|old| (old.missing_since.is_some(), entry.missing_since.is_some())) {
            None => changes.push((entry, Change::Came)),
            Some((false, true)) => changes.push((entry, Change::Missing)),
            Some((true, false)) => changes.push((entry, Change::Back)),
            Some((true, true) | (false, false)) => {}
        }
    }
    changes.extend(
        before
            .entries
            .iter()
            .filter(|entry| !new.contains_key(&entry.item))
            .map(|entry| (entry, Change::Gone)),
    );
    changes
}

fn item(item: &Item) -> String {
    match item {
        Item::Network(network) => network.to_string(),
        Item::Live(name) => name.to_string(),
    }
}
