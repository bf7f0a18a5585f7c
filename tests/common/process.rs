// SPDX-License-Identifier: GPL-3.0-or-later
//! A server of somebody else's as a child process: named, slapd, PostgreSQL, MariaDB.
//!
//! What it says goes into a file that begins anew with each start. It is killed, frozen and thawed together with the
//! processes that it has started itself (PostgreSQL has one for each connection), and ends with the test, however the
//! test ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::leash::{Leash, is_alive, signal, signalled};
use super::wait::{SOON, found_within, wait_for, wait_until};

/// A running server.
pub(crate) struct Process {
    name: String,
    child: Child,
    leash: Leash,
    log: PathBuf,
}

impl Process {
    /// Starts it. If its program cannot be found, `missing` says what to do.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path, missing: &str) -> Self {
        let output = File::create(log).expect("the log opens");
        let second = output.try_clone().expect("the log opens");
        command.stdin(Stdio::null()).stdout(second).stderr(output);
        let spawned = command.spawn();
        let child =
            spawned.unwrap_or_else(|error| panic!("{}: {error}; {missing}", command.get_program().display()));
        let leash = Leash::new(child.id());
        Self { name: name.to_owned(), child, leash, log: log.to_owned() }
    }

    /// Waits until its log satisfies; panics with the log if it ends before.
    pub(crate) fn wait_until_said(&mut self, satisfies: impl Fn(&str) -> bool) {
        let Self { name, child, log, .. } = self;
        wait_for(&format!("{name} to serve"), SOON, || {
            // Asked first, so that the log is whole when it has ended.
            let ended = child.try_wait().expect("the server's status");
            let said = fs::read(&log).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            if let Some(status) = ended {
                panic!("{name} ended ({status}):\n{said}");
            }
            satisfies(&said).then_some(())
        });
    }

    /// Ends it at once, with all its processes.
    pub(crate) fn kill(mut self) {
        // So that it starts no others meanwhile.
        self.signal("STOP");
        self.wait_until_still(self.child.id());
        let offspring = offspring(self.child.id());
        self.child.kill().expect("the server is killed");
        self.child.wait().expect("the server's status");
        self.leash.release();
        for pid in offspring {
            // Some end with their parent.
            signalled(pid, "KILL");
            wait_until(&format!("process {pid} to end"), SOON, || !is_alive(pid));
        }
    }

    /// Asks it to end, by a signal that makes it clean up, and waits until it has.
    pub(crate) fn stop(mut self, name: &str) {
        self.signal(name);
        // Only now can a frozen one see it.
        self.thaw();
        let child = &mut self.child;
        if found_within(SOON, || (!matches!(child.try_wait(), Ok(None))).then_some(())).is_some() {
            self.leash.release();
        } else {
            self.kill();
        }
    }

    /// Stops it where it stands: connections are taken, but nothing is answered.
    pub(crate) fn freeze(&self) {
        let id = self.child.id();
        self.signal("STOP");
        self.wait_until_still(id);
        // It can start no others now.
        for pid in offspring(id) {
            // Some come and go.
            signalled(pid, "STOP");
            self.wait_until_still(pid);
        }
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        for pid in offspring(self.child.id()) {
            signalled(pid, "CONT");
        }
        self.signal("CONT");
    }

    /// Each of a process's threads runs on until it sees the signal.
    fn wait_until_still(&self, pid: u32) {
        wait_until(&format!("{} to stand still", self.name), SOON, || {
            states(pid).iter().all(|&state| matches!(state, 'T' | 'Z'))
        });
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }
}

/// In which state each thread of a process is (`proc(5)`).
fn states(pid: u32) -> Vec<char> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let state = |thread: std::io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    threads.filter_map(state).collect()
}

/// The processes that this one has started. No server here has grandchildren.
fn offspring(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let child = |process: std::io::Result<fs::DirEntry>| {
        let process = process.ok()?;
        let pid = process.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(process.path().join("stat")).ok()?;
        // state, parent
        let of = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
        (of == parent.to_string()).then_some(pid)
    };
    processes.filter_map(child).collect()
}
