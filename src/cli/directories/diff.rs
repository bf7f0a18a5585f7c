// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories diff`: what accepting would change, or what a sync would.
//!
//! Where nothing waits, the source is asked on the spot, into a place of its own that goes afterwards, so that nothing of the
//! directory changes.

use super::{Opened, sync};
use crate::cli::output::{self, Mood, Page};
use crate::config::Directory;
use crate::directories::{Applied, Diff, Listed, Outcome, Which};
use crate::mail::Escaped;
use serde::Serialize;
use std::io;
use std::process::ExitCode;

/// A diff for a machine.
#[derive(Serialize)]
struct DiffJson<'a> {
    /// Why it waits; empty where nothing does.
    held: Vec<String>,
    added: ListedJson<'a>,
    removed: ListedJson<'a>,
    groups_added: ListedJson<'a>,
    groups_removed: ListedJson<'a>,
    groups_changed: ListedJson<'a>,
}

#[derive(Serialize)]
struct ListedJson<'a> {
    count: u64,
    first: Vec<&'a str>,
}

impl<'a> From<&'a Listed> for ListedJson<'a> {
    fn from(listed: &'a Listed) -> Self {
        Self { count: listed.count, first: listed.first.iter().map(AsRef::as_ref).collect() }
    }
}

/// Shows it; 1 when something would be held.
pub(super) fn diff(opened: &Opened, directory: &Directory, limit: usize, json: bool) -> io::Result<ExitCode> {
    let directory = opened.synced(&directory.name)?;
    let shelf = opened.shelf(directory);
    let state = shelf.state().map_err(io::Error::other)?;
    if let Some(pending) = state.pending {
        let diff = shelf.diff(Which::InForce, Which::Pending, limit).map_err(io::Error::other)?;
        return tell(&diff, &pending.why, json);
    }
    let trial = sync::Trial::of(opened, directory)?;
    let (after, held) = match trial.outcome() {
        Outcome::Applied(Applied { first: true, total, .. }) => {
            let (name, total) = (&directory.name, super::count(*total, "address", "addresses"));
            let what = format!(
                "nothing of `{name}` is known yet; `postern directories sync {name}` would bring {total}"
            );
            return Err(io::Error::other(what));
        }
        Outcome::Unchanged { .. } => return tell(&Diff::default(), &[], json),
        Outcome::Applied(_) => (Which::InForce, Vec::new()),
        Outcome::Held { serial: _, why } => (Which::Pending, why.clone()),
        Outcome::Failed { error, .. } => {
            return Err(io::Error::other(format!("nothing to compare with: {error}")));
        }
    };
    let Some(diff) = trial.diff(after, limit)? else {
        let name = &directory.name;
        let what =
            format!("nothing of `{name}` is known yet; `postern directories sync {name}` takes all there is");
        return Err(io::Error::other(what));
    };
    tell(&diff, &held, json)
}

fn tell(diff: &Diff, held: &[String], json: bool) -> io::Result<ExitCode> {
    let Diff { added, removed, groups_added, groups_removed, groups_changed } = diff;
    let code = ExitCode::from(u8::from(!held.is_empty()));
    if json {
        output::print_json(&DiffJson {
            held: held.to_vec(),
            added: added.into(),
            removed: removed.into(),
            groups_added: groups_added.into(),
            groups_removed: groups_removed.into(),
            groups_changed: groups_changed.into(),
        })?;
        return Ok(code);
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    for why in held {
        page.entry_in(Mood::Doubtful, 0, "held:", 6, why);
    }
    for (sign, mood, what, listed) in [
        ("-", Mood::Bad, "addresses", removed),
        ("+", Mood::Good, "addresses", added),
        ("- group", Mood::Bad, "groups", groups_removed),
        ("+ group", Mood::Good, "groups", groups_added),
        ("~ group", Mood::Doubtful, "groups", groups_changed),
    ] {
        for text in &listed.first {
            page.line(mood, &format!("{sign} {}", Escaped(text.as_bytes())));
        }
        let more = listed.count.saturating_sub(listed.first.len() as u64);
        if more > 0 {
            page.line(mood, &format!("{} {} more {what}", &sign[..1], super::grouped(more)));
        }
    }
    if [added, removed, groups_added, groups_removed, groups_changed].iter().all(|listed| listed.count == 0) {
        page.line(Mood::Plain, "nothing would change");
    } else {
        page.gap();
        let text =
            format!("{} would go, {} would come", super::grouped(removed.count), super::grouped(added.count));
        page.line(Mood::Plain, &text);
    }
    output::print(&page.into_text())?;
    Ok(code)
}
