// SPDX-License-Identifier: GPL-3.0-or-later
//! What an administrator puts in force: `accept`, `import`, `rollback`. A running server is waited for, so that the command
//! ends when it is so.

use super::{Opened, count, sync};
use crate::cli::output;
use crate::cli::status::{self, Status, Told};
use crate::config::Directory;
use crate::directories::{Which, source_of_import};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a server may take to load a snapshot: some seconds for ten million.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(100);

/// Puts in force what waits.
pub(super) fn accept(opened: &Opened, directory: &Directory, at_once: bool) -> io::Result<ExitCode> {
    let serial = opened.shelf(directory).accept(at_once, opened.now).map_err(io::Error::other)?;
    told(opened, directory, serial, "accepted")
}

/// Goes back to an earlier snapshot.
pub(super) fn rollback(opened: &Opened, directory: &Directory, to: Option<u64>) -> io::Result<ExitCode> {
    let serial = opened.shelf(directory).rollback(to, opened.now).map_err(io::Error::other)?;
    told(opened, directory, serial, "rolled back")
}

/// Takes a file for the whole directory.
pub(super) fn import(opened: &Opened, directory: &Directory, file: &Path) -> io::Result<ExitCode> {
    let name = &directory.name;
    let Some(source) = source_of_import(directory, file) else {
        let what = format!("`{name}` has a source of its own; only a `csv` without a `path` is imported");
        return Err(io::Error::other(what));
    };
    let synced = sync::once(opened, directory, &*source, false)?;
    if let crate::directories::Outcome::Applied(applied) = synced.outcome {
        in_service(opened, directory, applied.serial)?;
    }
    sync::tell(&[(directory, synced)], false)
}

fn told(opened: &Opened, directory: &Directory, serial: u64, what: &str) -> io::Result<ExitCode> {
    let snapshot = opened.shelf(directory).open(Which::InForce).map_err(io::Error::other)?;
    let addresses = count(snapshot.meta().addresses, "address", "addresses");
    let served = in_service(opened, directory, serial)?;
    let served = if served { "; the server uses it" } else { "" };
    output::print(&format!("{}: {what} snapshot {serial}, {addresses}{served}\n", directory.name))?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the server, if one runs, has loaded a snapshot; says whether one runs.
pub(super) fn in_service(opened: &Opened, directory: &Directory, serial: u64) -> io::Result<bool> {
    let shelf = opened.shelf(directory);
    wait(opened, &format!("loaded snapshot {serial}"), |status| {
        // Where it was started with another configuration, it does not know the directory.
        let Some(loaded) = status.directories.iter().find(|loaded| *loaded.name == *directory.name) else {
            return Some(false);
        };
        let overtaken = || {
            shelf.state().is_ok_and(|state| state.in_force.is_none_or(|in_force| in_force.serial != serial))
        };
        (loaded.snapshot == Some(serial) || overtaken()).then_some(true)
    })
}

/// Waits until the server, if one runs, is as `is_so` wants it; gives what that says, and no where none runs.
pub(super) fn wait(opened: &Opened, what: &str, is_so: impl Fn(&Status) -> Option<bool>) -> io::Result<bool> {
    let (began, runtime) = (Instant::now(), super::runtime()?);
    loop {
        match status::read(&opened.config.state_dir)? {
            Told::NoServer => return Ok(false),
            Told::Status(status) => {
                if let Some(so) = is_so(&status) {
                    return Ok(so);
                }
            }
            Told::Nothing { .. } => {}
        }
        if began.elapsed() > LIMIT {
            let what = format!("the server has not {what} within {} s; see its log", LIMIT.as_secs());
            return Err(io::Error::other(what));
        }
        // The timer is the runtime's, and is made inside it.
        runtime.block_on(async { sleep(LOOK).await });
    }
}
