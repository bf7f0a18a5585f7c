// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern.pid` in `state_dir`: who serves. A server holds a lock on it for as long as it lives, so a number that was
//! left behind by one that was killed is never taken for a server, and no other process gets a signal that would kill it.

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Its name.
const NAME: &str = "postern.pid";

/// The server's own; the file is removed when this is dropped.
pub(super) struct PidFile {
    path: PathBuf,
    /// Held, not read.
    _lock: Flock<File>,
}

impl PidFile {
    /// Writes our number, unless another server serves from this directory.
    pub(super) fn write(state_dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(state_dir)?;
        let path = state_dir.join(NAME);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            if errno == nix::errno::Errno::EWOULDBLOCK {
                io::Error::other("another server has it")
            } else {
                errno.into()
            }
        })?;
        lock.set_len(0)?;
        (&*lock).write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Gone already is what was wanted.
        let _ = fs::remove_file(&self.path);
    }
}

/// The server that serves from this directory, if one does.
pub(super) fn server(state_dir: &Path) -> io::Result<Option<Pid>> {
    let path = state_dir.join(NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    };
    // Whoever can lock it is alone.
    if Flock::lock(file, FlockArg::LockSharedNonblock).is_ok() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path)?;
    Ok(text.trim().parse().ok().map(Pid::from_raw))
}

/// Tells a server that an order was left for it.
pub(super) fn tell(server: Pid) -> io::Result<()> {
    kill(server, Signal::SIGUSR1)
        .map_err(|errno| io::Error::other(format!("cannot tell the server, process {server}: {errno}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_lock() {
        let dir = std::env::temp_dir().join(format!("postern-pid-{}", std::process::id()));
        assert_eq!(server(&dir).unwrap(), None);
        let own = PidFile::write(&dir).unwrap();
        let me = Pid::this();
        assert_eq!(server(&dir).unwrap(), Some(me));
        assert!(PidFile::write(&dir).is_err(), "two servers in one directory");
        assert_eq!(server(&dir).unwrap(), Some(me), "the second has not overwritten it");
        drop(own);
        assert!(!dir.join(NAME).exists());
        // A number left behind, as after a kill.
        fs::write(dir.join(NAME), "1\n").unwrap();
        assert_eq!(server(&dir).unwrap(), None);
        fs::remove_dir_all(dir).unwrap();
    }
}
