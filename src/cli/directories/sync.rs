// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories sync`: asks sources now. It is done here, whether a server runs or not; a running one loads what came
//! of it.

use super::{COLUMN, Opened, change};
use crate::cli::output::{self, Mood, Page};
use crate::cli::progress::Counter;
use crate::config::Directory;
use crate::directories::{
    Applied, Diff, Outcome, Progress, Shelf, Source, Step, Synced, Syncing, Which, source_of,
};
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

/// What came of one sync, for a machine.
#[derive(Serialize)]
struct SyncedJson<'a> {
    directory: &'a str,
    /// `applied`, `unchanged`, `held` or `failed`.
    outcome: &'static str,
    added: u64,
    removed: u64,
    total: Option<u64>,
    snapshot: Option<u64>,
    why: Vec<String>,
    notes: &'a [String],
}

/// Syncs; 1 when one of them failed or was held.
pub(super) fn sync(opened: &Opened, names: &[String], full: bool, json: bool) -> io::Result<ExitCode> {
    let directories: Vec<&Directory> = if names.is_empty() {
        opened.config.directories.iter().filter(|directory| can_be_asked(directory)).collect()
    } else {
        names.iter().map(|name| opened.synced(name)).collect::<io::Result<_>>()?
    };
    for directory in &directories {
        if !can_be_asked(directory) {
            let name = &directory.name;
            let what = format!(
                "`{name}` has nobody to ask; give it a file with `postern directories import {name} FILE`"
            );
            return Err(io::Error::other(what));
        }
    }
    if directories.is_empty() && !json {
        output::print("no directory is synced: all of them are read with the configuration\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut done = Vec::new();
    for directory in directories {
        let synced = once(opened, directory, &*source_of(directory), !full)?;
        done.push((directory, synced));
    }
    for (directory, synced) in &done {
        if let Outcome::Applied(Applied { serial, .. }) = synced.outcome {
            change::in_service(opened, directory, serial)?;
        }
    }
    tell(&done, json)
}

/// Whether there is a source to ask.
fn can_be_asked(directory: &Directory) -> bool {
    directory.is_synced() && directory.rules.refresh.is_some()
}

/// Syncs one directory with this source.
pub(super) fn once(
    opened: &Opened,
    directory: &Directory,
    source: &dyn Source,
    own: bool,
) -> io::Result<Synced> {
    on_shelf(opened, directory, source, own, &opened.shelf(directory))
}

fn on_shelf(
    opened: &Opened,
    directory: &Directory,
    source: &dyn Source,
    own: bool,
    shelf: &Shelf,
) -> io::Result<Synced> {
    let counter = Counter::begin(&directory.name);
    let interrupt = &opened.interrupt;
    let _held = interrupt.hold();
    let watch = |Progress { step, records, of }| {
        let what = match step {
            Step::Asking => "asking",
            Step::Comparing => "comparing",
            Step::Writing => "writing",
        };
        counter.show(what, records, of);
        if interrupt.came() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let syncing = Syncing {
        directory,
        source,
        own,
        shelf,
        served: &opened.served(),
        clock: &(Arc::new(SystemTime::now) as _),
        watch: &watch,
    };
    let synced = super::runtime()?.block_on(async {
        tokio::select! {
            synced = syncing.run() => Some(synced),
            () = interrupt.comes() => None,
        }
    });
    drop(counter);
    let was_stopped =
        |synced: &Synced| matches!(&synced.outcome, Outcome::Failed { error, .. } if error.is_stop());
    synced.filter(|synced| !was_stopped(synced)).ok_or_else(|| {
        io::Error::other(format!("interrupted; what is in force of `{}` stays", directory.name))
    })
}

/// Tells what came of syncs.
pub(super) fn tell(done: &[(&Directory, Synced)], json: bool) -> io::Result<ExitCode> {
    let all_well = done
        .iter()
        .all(|(_, synced)| matches!(synced.outcome, Outcome::Applied(_) | Outcome::Unchanged { .. }));
    if json {
        let told: Vec<SyncedJson<'_>> =
            done.iter().map(|(directory, synced)| SyncedJson::of(directory, synced)).collect();
        output::print_json(&told)?;
    } else {
        let mut page = Page::new(output::colour(&io::stdout()));
        for (directory, synced) in done {
            show(directory, synced, &mut page);
        }
        output::print(&page.into_text())?;
    }
    Ok(ExitCode::from(u8::from(!all_well)))
}

fn show(directory: &Directory, synced: &Synced, page: &mut Page) {
    let name = &directory.name;
    let number = super::grouped;
    let (mood, text) = match &synced.outcome {
        Outcome::Applied(Applied { serial, added, removed, total, first }) => {
            let had = if *first {
                "for the first time".to_owned()
            } else {
                format!("{} new, {} gone", number(*added), number(*removed))
            };
            let total = super::count(*total, "address", "addresses");
            (Mood::Good, format!("{total}, {had} (snapshot {serial})"))
        }
        Outcome::Unchanged { total } => {
            (Mood::Good, format!("{}, nothing has changed", super::count(*total, "address", "addresses")))
        }
        Outcome::Held { serial: _, why } => (
            Mood::Doubtful,
            format!(
                "held: {}; look with `directories diff {name}`, take it with `directories accept {name}`",
                why.join("; ")
            ),
        ),
        Outcome::Failed { error, as_of, later: _, failures: _ } => {
            let stays = if as_of.is_some() { "; what was in force stays" } else { "; nothing is known yet" };
            (Mood::Bad, format!("{error}{stays}"))
        }
    };
    page.entry_in(mood, 0, name, COLUMN, &text);
    if let Some(counts) = &synced.counts {
        for (many, what) in [
            (counts.invalid, "invalid"),
            (counts.outside, "in domains that are not served"),
            (counts.duplicates, "more than once"),
            (counts.passed_over, "of kinds that are no recipients"),
        ] {
            if many > 0 {
                page.entry(2, "", COLUMN, &format!("{} {what}", number(many)));
            }
        }
    }
    for note in &synced.notes {
        page.entry(2, "note", COLUMN, note);
    }
}

impl<'a> SyncedJson<'a> {
    fn of(directory: &'a Directory, synced: &'a Synced) -> Self {
        let empty = Self {
            directory: &directory.name,
            outcome: "failed",
            added: 0,
            removed: 0,
            total: None,
            snapshot: None,
            why: Vec::new(),
            notes: &synced.notes,
        };
        match &synced.outcome {
            Outcome::Applied(Applied { serial, added, removed, total, first: _ }) => Self {
                outcome: "applied",
                added: *added,
                removed: *removed,
                total: Some(*total),
                snapshot: Some(*serial),
                ..empty
            },
            Outcome::Unchanged { total } => Self { outcome: "unchanged", total: Some(*total), ..empty },
            Outcome::Held { serial, why } => {
                Self { outcome: "held", snapshot: Some(*serial), why: why.clone(), ..empty }
            }
            Outcome::Failed { error, .. } => Self { why: vec![error.to_string()], ..empty },
        }
    }
}

/// A sync whose outcome is put in force nowhere.
pub(super) struct Trial {
    shelf: Shelf,
    synced: Synced,
    /// What is in force.
    before: Option<u64>,
    /// Goes with this value.
    _place: Place,
}

impl Trial {
    /// Asks the source of a directory for everything, beside a copy of what is kept of it.
    pub(super) fn of(opened: &Opened, directory: &Directory) -> io::Result<Self> {
        if !can_be_asked(directory) {
            return Err(io::Error::other(format!(
                "`{}` has nobody to ask, and nothing of it waits",
                directory.name
            )));
        }
        let kept = opened.shelf(directory);
        let before = kept.state().map_err(io::Error::other)?.in_force.map(|in_force| in_force.serial);
        sweep(&opened.config.state_dir);
        let place = Place(opened.config.state_dir.join(format!("{TRIAL}{}", std::process::id())));
        let shelf = Shelf::new(&place.0, &directory.name);
        link_files(kept.dir(), shelf.dir())?;
        let synced = on_shelf(opened, directory, &*source_of(directory), false, &shelf)?;
        Ok(Self { shelf, synced, before, _place: place })
    }

    /// What would come of it.
    pub(super) fn outcome(&self) -> &Outcome {
        &self.synced.outcome
    }

    /// What it would change; of each kind, the first so many are spelled out.
    pub(super) fn diff(&self, after: Which, limit: usize) -> io::Result<Option<Diff>> {
        let Some(before) = self.before else { return Ok(None) };
        self.shelf.diff(Which::Serial(before), after, limit).map(Some).map_err(io::Error::other)
    }
}

/// Removes what trials of processes have left that were killed.
fn sweep(state_dir: &Path) {
    for entry in std::fs::read_dir(state_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(TRIAL)).and_then(|pid| pid.parse().ok());
        let is_gone = |pid| {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH)
        };
        if pid.is_some_and(is_gone) {
            // Nobody reads what stays.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Gives every file of a directory a second name in another. Files that are kept are never changed, only replaced.
fn link_files(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    let entries = match std::fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".snapshot") || name.ends_with(".json") {
            std::fs::hard_link(entry.path(), to.join(&*name))?;
        }
    }
    Ok(())
}

/// How the names of places for trials begin; the number of the process follows.
const TRIAL: &str = ".trial-";

/// A place that goes.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        // What stays is a hidden directory that nobody reads.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
