// SPDX-License-Identifier: GPL-3.0-or-later
//! Stopping processes, however the test ends.
//!
//! A leash is a small shell that holds a process id and waits for the end of its input. The input ends
//! when the leash is dropped, and also when the test process dies without dropping anything, so that no
//! server outlives its test, not even one that is stopped (SIGSTOP), or whose children are.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::wait::{SOON, wait_until};

/// What the shell does: a stopped process sees the signal only when it goes on, and a parent waits for its children.
const ENDING: &str = r#"
read -r line
exec 2>/dev/null
kill -TERM "$1"
for stat in /proc/[0-9]*/stat; do
    read -r line <"$stat" || continue
    pid=${line%% *} line=${line##*) }
    parent=${line#* }
    [ "${parent%% *}" != "$1" ] || kill -CONT "$pid"
done
kill -CONT "$1"
"#;

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
            .args(["-c", ENDING, "leash", &pid.to_string()])
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
    assert!(signalled(pid, name), "signal {name} to {pid}");
}

/// Sends a signal to a process that may have ended already; false if it has.
pub(crate) fn signalled(pid: u32, name: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &pid.to_string()]).stderr(Stdio::null());
    command.status().expect("sh starts").success()
}

/// Is there such a process, and is it more than a zombie that nobody has waited for?
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(") ").next().unwrap_or_default().starts_with(['Z', 'X'])
}
