// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories`: how directories stand, who is in them, and what an administrator can do about it.
//!
//! Everything is read from the configuration and from what is kept in `state_dir`, so that it works beside a running server
//! and without one. What a command changes there, a running server puts in force by itself within seconds.

mod change;
mod diff;
mod json;
mod learned;
mod list;
mod lookup;
mod records;
mod show;
mod sync;

use super::arguments::{Directories, DirectoriesOptions};
use super::interrupt::Interrupt;
use crate::config::{self, Config, Directory, Problems};
use crate::directories::Shelf;
use crate::mail::DomainPattern;
use crate::store::Stamp;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::{self, Runtime};

/// Where texts begin.
const COLUMN: usize = 14;

/// The configuration.
struct Opened {
    config: Config,
    now: Stamp,
    /// Heard from the beginning.
    interrupt: Arc<Interrupt>,
}

/// Does what is asked.
pub(super) fn directories(path: &Path, options: DirectoriesOptions) -> io::Result<ExitCode> {
    let DirectoriesOptions { what, json } = options;
    let opened = open(path)?;
    let Some(what) = what else { return list::list(&opened, json) };
    if json {
        return Err(io::Error::other("--json stands behind the word that says what to do"));
    }
    match what {
        Directories::Show { name, pattern, groups, limit, json } => {
            let directory = opened.find(&name)?;
            if groups {
                return show::groups(&opened, directory, limit, json);
            }
            show::show(&opened, directory, pattern.as_deref(), limit, json)
        }
        Directories::Lookup { addresses, json } => lookup::lookup(path, &opened, &addresses, json),
        Directories::Diff { name, limit, json } => diff::diff(&opened, opened.find(&name)?, limit, json),
        Directories::Sync { names, full, json } => sync::sync(&opened, &names, full, json),
        Directories::Accept { name, now } => change::accept(&opened, opened.synced(&name)?, now),
        Directories::Import { name, file } => change::import(&opened, opened.find(&name)?, &file),
        Directories::Rollback { name, to } => change::rollback(&opened, opened.synced(&name)?, to),
        Directories::Learned { approve, approve_all, forget, json } => {
            let order = learned::Order { approve, approve_all, forget };
            learned::learned(&opened, order, json)
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

fn open(path: &Path) -> io::Result<Opened> {
    let mut problems = Problems::default();
    let config = config::read(path, &mut problems).ok().flatten();
    problems.sort();
    let Some(config) = config.filter(|_| !problems.has_errors()) else {
        super::print_errors(problems);
        return Err(io::Error::other(format!("{} cannot be used", path.display())));
    };
    Ok(Opened { config, now: SystemTime::now().into(), interrupt: Interrupt::watch()? })
}

impl Opened {
    /// A directory by its name.
    fn find(&self, name: &str) -> io::Result<&Directory> {
        let all = &self.config.directories;
        all.iter().find(|directory| *directory.name == *name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|directory| &*directory.name).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            io::Error::other(format!("there is no directory `{name}`; defined: {known}"))
        })
    }

    /// A directory that has snapshots.
    fn synced(&self, name: &str) -> io::Result<&Directory> {
        let directory = self.find(name)?;
        if directory.is_synced() {
            return Ok(directory);
        }
        Err(io::Error::other(format!(
            "`{name}` is a list that is read with the configuration; it has no snapshots"
        )))
    }

    fn shelf(&self, directory: &Directory) -> Shelf {
        Shelf::new(&self.config.state_dir, &directory.name)
    }

    /// The domains that are served.
    fn served(&self) -> Vec<DomainPattern> {
        self.config.domains.iter().map(|domain| domain.pattern.clone()).collect()
    }
}

/// So many of something.
fn count(number: u64, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {more}", grouped(number)) }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, want) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (25_000, "25,000"), (10_000_000, "10,000,000")]
        {
            assert_eq!(grouped(number), want);
        }
        assert_eq!(count(1, "group", "groups"), "1 group");
        assert_eq!(count(2, "group", "groups"), "2 groups");
    }
}
