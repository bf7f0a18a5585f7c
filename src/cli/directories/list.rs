// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories`: each with its recipients, its groups, its age, how its last sync went and when the next one is.

use super::json::DirectoryJson;
use super::{COLUMN, Opened, count, records};
use crate::cli::output::{self, Mood, Page};
use crate::cli::span::{ago, span, until};
use crate::config::Directory;
use crate::directories::{Invalid, Meta, State, Which};
use crate::mail::RecipientKind;
use crate::store::Stamp;
use std::io;
use std::process::ExitCode;

/// How a directory stands.
pub(super) struct Standing<'a> {
    pub(super) directory: &'a Directory,
    /// Nothing for a list that is read with the configuration.
    pub(super) kept: Option<Result<(State, Option<Meta>), String>>,
    /// Of such a list, how many addresses and whole domains it has, or why it cannot be read.
    pub(super) listed: Option<Result<u64, String>>,
}

/// Lists them. That one needs somebody is shown, and is no failure of the command.
pub(super) fn list(opened: &Opened, json: bool) -> io::Result<ExitCode> {
    let all: Vec<Standing<'_>> =
        opened.config.directories.iter().map(|directory| standing(opened, directory)).collect();
    if json {
        let all: Vec<DirectoryJson<'_>> =
            all.iter().map(|standing| DirectoryJson::of(standing, opened.now)).collect();
        output::print_json(&all)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    if all.is_empty() {
        page.line(Mood::Plain, "no directory is defined");
    }
    for standing in &all {
        page.gap();
        standing.show(opened.now, &mut page);
    }
    if all.len() > 1 {
        let troubled: Vec<&str> = all
            .iter()
            .filter(|standing| standing.mood(opened.now) != Mood::Good)
            .map(|standing| &*standing.directory.name)
            .collect();
        page.gap();
        let label = format!("{} directories:", all.len());
        if troubled.is_empty() {
            page.entry_in(Mood::Good, 0, &label, label.len() + 1, "all in order");
        } else {
            let text = format!("look at {}", troubled.join(", "));
            page.entry_in(Mood::Doubtful, 0, &label, label.len() + 1, &text);
        }
    }
    output::print(&page.into_text())?;
    Ok(ExitCode::SUCCESS)
}

/// Looks at one.
pub(super) fn standing<'a>(opened: &Opened, directory: &'a Directory) -> Standing<'a> {
    if !directory.is_synced() {
        let listed = records::count(directory).map_err(|error| error.to_string());
        return Standing { directory, kept: None, listed: Some(listed) };
    }
    let shelf = opened.shelf(directory);
    let kept = shelf.state().map_err(|error| error.to_string()).and_then(|state| {
        if state.in_force.is_none() {
            return Ok((state, None));
        }
        let snapshot = shelf.open(Which::InForce).map_err(|error| error.to_string())?;
        Ok((state, Some(snapshot.meta().clone())))
    });
    Standing { directory, kept: Some(kept), listed: None }
}

impl Standing<'_> {
    /// Whether what it says can be older than `max_age`.
    pub(super) fn is_overdue(&self, now: Stamp) -> bool {
        let Some(Ok((state, _))) = &self.kept else { return false };
        let Some((max_age, as_of)) = self.directory.rules.max_age.zip(state.as_of) else { return false };
        now.since(as_of) > max_age
    }

    pub(super) fn mood(&self, now: Stamp) -> Mood {
        match (&self.kept, &self.listed) {
            (None, Some(Ok(_))) => Mood::Good,
            (None | Some(Err(_)), _) => Mood::Bad,
            (Some(Ok((state, meta))), _) => {
                if meta.is_none() || self.is_overdue(now) {
                    Mood::Bad
                } else if state.trouble.is_some() || state.pending.is_some() || state.pinned.is_some() {
                    Mood::Doubtful
                } else {
                    Mood::Good
                }
            }
        }
    }

    fn show(&self, now: Stamp, page: &mut Page) {
        page.line(self.mood(now), &self.directory.name);
        let kind = self.directory.source.kind();
        match (&self.kept, &self.listed) {
            (None, Some(Ok(number))) => {
                page.entry(2, "type", COLUMN, &format!("{kind}, read with the configuration"));
                page.entry(2, "recipients", COLUMN, &count(*number, "address", "addresses"));
            }
            (None, Some(Err(error))) | (Some(Err(error)), _) => {
                page.entry(2, "type", COLUMN, kind);
                page.entry_in(Mood::Bad, 2, "trouble", COLUMN, error);
            }
            (None, None) => page.entry(2, "type", COLUMN, kind),
            (Some(Ok((state, meta))), _) => {
                page.entry(2, "type", COLUMN, kind);
                match meta {
                    None => {
                        let text = "none known yet, so those who are in no other directory are deferred";
                        page.entry_in(Mood::Bad, 2, "recipients", COLUMN, text);
                    }
                    Some(meta) => show_meta(meta, page),
                }
                self.show_state(state, now, page);
                if let Some(meta) = meta {
                    show_findings(meta, page);
                }
            }
        }
    }

    fn show_state(&self, state: &State, now: Stamp, page: &mut Page) {
        let State { in_force, pending, pinned, as_of, tried, due, failures, trouble, notes, .. } = state;
        if let Some(in_force) = in_force {
            let text = format!("{}, in force since {}", in_force.serial, ago(now, in_force.since));
            page.entry(2, "snapshot", COLUMN, &text.replace("since ", "for ").replace(" ago", ""));
        }
        if let Some(as_of) = as_of {
            page.entry(2, "confirmed", COLUMN, &ago(now, *as_of));
            if self.is_overdue(now) {
                let text = "older than max_age: who is not in it is deferred";
                page.entry_in(Mood::Bad, 2, "OVERDUE", COLUMN, text);
            }
        }
        if let Some(tried) = tried.filter(|tried| Some(*tried) != *as_of) {
            page.entry(2, "asked", COLUMN, &ago(now, tried));
        }
        match (due, self.directory.rules.refresh) {
            (_, None) => page.entry(2, "next", COLUMN, "when it is imported again"),
            (Some(due), Some(_)) => page.entry(2, "next", COLUMN, &until(now, *due)),
            (None, Some(refresh)) => {
                page.entry(2, "next", COLUMN, &format!("every {} while the server runs", span(refresh)));
            }
        }
        if let Some(trouble) = trouble {
            let times = if *failures > 1 { format!("{failures} times in a row: ") } else { String::new() };
            page.entry_in(Mood::Bad, 2, "trouble", COLUMN, &format!("{times}{trouble}"));
        }
        let name = &self.directory.name;
        if let Some(pending) = pending {
            let text = format!(
                "{}; look with `directories diff {name}`, take it with `directories accept {name}`",
                pending.why.join("; ")
            );
            page.entry_in(Mood::Doubtful, 2, "held", COLUMN, &text);
        }
        if pinned.is_some() {
            let text = format!("rolled back: every change waits for `directories accept {name}`");
            page.entry_in(Mood::Doubtful, 2, "pinned", COLUMN, &text);
        }
        for note in notes {
            page.entry(2, "note", COLUMN, note);
        }
    }
}

fn show_meta(meta: &Meta, page: &mut Page) {
    let Meta { addresses, leaving, whole_domains, patterns, internal_only, counts, groups, .. } = meta;
    let kinds: Vec<String> = counts
        .kinds
        .iter()
        .filter(|(kind, _)| **kind != RecipientKind::Unspecified)
        .map(|(kind, number)| match kind {
            RecipientKind::Unspecified | RecipientKind::Shared => count(*number, "shared", "shared"),
            RecipientKind::User
            | RecipientKind::Room
            | RecipientKind::Group
            | RecipientKind::Contact
            | RecipientKind::PublicFolder => count(*number, kind.as_str(), &format!("{kind}s")),
        })
        .collect();
    let mut text = count(*addresses, "address", "addresses");
    if !kinds.is_empty() {
        text.extend([" of ", &kinds.join(", ")]);
    }
    page.entry(2, "recipients", COLUMN, &text);
    if *leaving > 0 {
        let text = format!("{} gone, and valid until removal_grace is over", super::grouped(*leaving));
        page.entry(2, "leaving", COLUMN, &text);
    }
    for (label, number) in [("domains", whole_domains.len()), ("patterns", patterns.len())] {
        if number > 0 {
            let what = if label == "domains" { " with every address in them" } else { "" };
            page.entry(2, label, COLUMN, &format!("{}{what}", super::grouped(number as u64)));
        }
    }
    if *internal_only > 0 {
        page.entry(
            2,
            "internal",
            COLUMN,
            &format!("{} for internal clients alone", super::grouped(*internal_only)),
        );
    }
    if groups.groups > 0 {
        page.entry(2, "groups", COLUMN, &super::grouped(groups.groups));
    }
}

/// What a sync found that is not as it should be.
fn show_findings(meta: &Meta, page: &mut Page) {
    let Meta { counts, invalid, collisions, groups, .. } = meta;
    if counts.outside > 0 {
        let text = format!("{} in domains that are not served, dropped", super::grouped(counts.outside));
        page.entry(2, "outside", COLUMN, &text);
    }
    if let Some(first) = invalid.first() {
        let Invalid { place, what, why } = first;
        // Where nothing else names an object, its address does.
        let place = if place == what { String::new() } else { format!("at {place}: ") };
        let text = format!("{}, first {place}`{what}`: {why}", super::grouped(counts.invalid));
        page.entry_in(Mood::Doubtful, 2, "invalid", COLUMN, &text);
    }
    if let Some(first) = collisions.first() {
        let [one, other] = &first.spellings;
        let [its, others] = &first.keys;
        let text = format!(
            "{} differ by case alone, first `{one}` ({its}) and `{other}` ({others})",
            collisions.len()
        );
        page.entry_in(Mood::Doubtful, 2, "collisions", COLUMN, &text);
    }
    if groups.cyclic > 0 {
        let text = format!("{} in a circle of groups", count(groups.cyclic, "group", "groups"));
        page.entry_in(Mood::Doubtful, 2, "circles", COLUMN, &text);
    }
}
