// SPDX-License-Identifier: GPL-3.0-or-later
//! Locks between processes: a file that one of them has at a time (`flock(2)`), with its number in it. A process that
//! ends has none any more.

use super::{Store, StoreError, at, file};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// A lock that we have until it is dropped.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "it is held")] Flock<File>);

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another has it.
    #[error("{} is locked by {holder}", path.display())]
    Held {
        /// The lock.
        path: PathBuf,
        /// Who has it: `process 4711`.
        holder: String,
    },
    /// The system says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Takes the lock of this name, waiting at most so long for another to give it back.
    pub fn lock(&self, name: &str, patience: Duration) -> Result<Lock, LockError> {
        let path = self.dir.join(name);
        let file = file::open_or_make(&self.dir, &path).map_err(|error| at(&path, error))?;
        let taken = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Some(Ok(lock)),
            // The thread ends when the other gives it back, and gives it back at once if we are gone by then.
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
                let (sender, receiver) = mpsc::channel();
                std::thread::spawn(move || {
                    drop(sender.send(Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)));
                });
                receiver.recv_timeout(patience).ok()
            }
            Err((_, errno)) => Some(Err(errno)),
        };
        let Some(taken) = taken else {
            let number = fs::read_to_string(&path).unwrap_or_default();
            let number = number.trim();
            let holder =
                if number.is_empty() { "another process".to_owned() } else { format!("process {number}") };
            return Err(LockError::Held { path, holder });
        };
        let lock = taken.map_err(|errno| at(&path, errno.into()))?;
        let written = || -> io::Result<()> {
            lock.set_len(0)?;
            (&*lock).write_all(format!("{}\n", std::process::id()).as_bytes())
        };
        // The number only says who it is; a full disk must keep nobody from his work.
        drop(written());
        Ok(Lock(lock))
    }
}
