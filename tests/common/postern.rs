// SPDX-License-Identifier: GPL-3.0-or-later
//! Postern as a child process.
//!
//! It is ready when each of its listeners accepts. Its log is the file `postern.log` beside its
//! configuration; several runs in one directory append to it.

use std::fmt;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::leash::{Leash, signal};
use super::wait::{SOON, wait_for};

/// Where a server listens or is to be found.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// A TCP socket.
    Inet(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    fn accepts(&self) -> bool {
        match self {
            Self::Inet(address) => TcpStream::connect(address).is_ok(),
            Self::Unix(path) => UnixStream::connect(path).is_ok(),
        }
    }
}

/// As Postern's configuration and Postfix write it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "inet:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A running `postern run`.
pub(crate) struct Postern {
    child: Child,
    leash: Option<Leash>,
    log: PathBuf,
}

impl Postern {
    /// Starts it with the configuration file `postern.toml` in `dir` and waits until `listens` accept.
    pub(crate) fn start(dir: &Path, listens: &[Endpoint]) -> Self {
        Self::launch(Self::command(dir), dir, listens)
    }

    /// The command that [`Self::start`] runs.
    pub(crate) fn command(dir: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command.args(["run", "--config"]).arg(dir.join("postern.toml")).stdin(Stdio::null());
        command
    }

    /// Starts it with a command of the test's own, which becomes Postern without a further process, and waits until
    /// `listens` accept.
    pub(crate) fn launch(mut command: Command, dir: &Path, listens: &[Endpoint]) -> Self {
        let log = dir.join("postern.log");
        let output = File::options().create(true).append(true).open(&log).expect("the log opens");
        let mut child = command.stderr(output).spawn().expect("postern starts");
        // What the command holds, such as sockets that it passes on, is the child's alone.
        drop(command);
        let leash = Leash::new(child.id());
        for listen in listens {
            wait_for(&format!("postern on {listen}"), SOON, || {
                if let Some(status) = child.try_wait().expect("postern's status") {
                    panic!("postern ended ({status}):\n{}", fs::read_to_string(&log).unwrap_or_default());
                }
                listen.accepts().then_some(())
            });
        }
        Self { child, leash: Some(leash), log }
    }

    /// Waits until it has logged this, since the log had the given length, and returns what it has logged since.
    pub(crate) fn logged(&self, since: usize, what: &str) -> String {
        wait_for(&format!("{what:?} in {}", self.log.display()), SOON, || {
            let log = self.log();
            let new = log.get(since..)?;
            new.contains(what).then(|| new.to_owned())
        })
    }

    /// Asks it to read its configuration again.
    pub(crate) fn reload(&self) {
        self.signal("HUP");
    }

    /// Asks it to finish what is under way and end.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, named as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("postern is killed");
        self.child.wait().expect("postern's status");
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait()
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("postern to end", SOON, || child.try_wait().expect("postern's status"))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Postern {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(leash) = self.leash.take() {
            leash.release();
        }
    }
}
