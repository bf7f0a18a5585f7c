// SPDX-License-Identifier: GPL-3.0-or-later
//! Stopping processes, however the test ends.
//!
//! A leash is a small shell that holds a process id and waits for the end of its input. The input ends
//! when the leash is dropped, and also when the test process dies without dropping anything, so that no
//! server outlives its test.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::wait::{SOON, wait_until};

/// Ends the process with this id when it is dropped.
pub(crate) struct Leash {
    pid: u32,
    shell: Child,
    released: bool,
}

impl Leash {
    /// Takes the process on the leash.
    pub(crate) fn new(pid: u32) -> Self {
        let shell = Command::new("sh")
            .args(["-c", "read -r line; kill -TERM \"$1\" 2>/dev/null", "leash", &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Self { pid, shell, released: false }
    }

    /// Lets go of a process that has ended already, so that its id, which may be another's by now, is
    /// not used again.
    pub(crate) fn release(mut self) {
        drop(self.shell.kill());
        drop(self.shell.wait());
        self.released = true;
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
        if !std::thread::panicking() {
            wait_until(&format!("process {} to end", self.pid), SOON, || !is_alive(self.pid));
        }
    }
}

/// Sends a signal, named as `kill` names it.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent =
        Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &pid.to_string()]).status();
    assert!(sent.expect("sh starts").success(), "signal {name} to {pid}");
}

/// Is there such a process, and is it more than a zombie that nobody has waited for?
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(") ").next().unwrap_or_default().starts_with(['Z', 'X'])
}
