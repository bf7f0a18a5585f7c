// SPDX-License-Identifier: GPL-3.0-or-later
//! One at a time: whoever reads a file to change it holds the lock on its directory meanwhile (`flock(2)`), so that of a
//! server and a command neither takes back what the other has written. It ends with its holder, however that ends.

use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long somebody else may hold it; a file is read and written in far less.
const LIMIT: Duration = Duration::from_secs(10);
/// How long to wait before it is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock; it is held until this is dropped. A directory that was not there is nobody's.
#[derive(Debug)]
pub struct Lock {
    /// Held, not read.
    _held: Option<Flock<File>>,
}

/// Waits for the lock on a directory.
pub(super) fn lock(dir: &Path) -> io::Result<Lock> {
    // The directory itself, because a file made by root could not be opened by the service.
    let mut file = match File::open(dir) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock { _held: None }),
        Err(error) => return Err(error),
    };
    let until = Instant::now() + LIMIT;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(Lock { _held: Some(held) }),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < until => file = back,
            Err((_, errno)) => return Err(errno.into()),
        }
        // flock(2) waits without an end or not at all, and tells nobody in between.
        #[allow(clippy::disallowed_methods)]
        sleep(PAUSE);
    }
}
