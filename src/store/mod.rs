// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: what is kept on disk from one start to the next, below `state_dir`.
//!
//! A file is written whole beside its old self, brought to the disk and put in its place, so that a reader sees the old
//! or the new and never a part. Its first line, `postern 1 sha256 HEX LENGTH`, tells a file that something else has
//! damaged. What a killed writer left behind begins with a dot, is never read, and goes after an hour.

mod envelope;
mod file;
mod lock;
mod staged;
mod stamp;

pub use lock::{Lock, LockError};
pub use staged::Staged;
pub use stamp::Stamp;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Largest content, in octets: a hundred thousand networks take a quarter of it.
const MOST: usize = 64 * 1024 * 1024;
/// How long a file that nobody finished may be under way.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The checksum is wrong, or there is none.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
    /// The system says no.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

/// A directory of small files.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// What is kept in this directory, which need not be there yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is kept in a directory of this name below it.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self { dir: self.dir.join(name) }
    }

    /// The content of a file; nothing when there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.dir.join(name);
        let read = file::read(&path, envelope::LONGEST + MOST);
        let Some(found) = absent_is_none(read).map_err(|error| at(&path, error))? else { return Ok(None) };
        envelope::open(found).map(Some).ok_or(StoreError::Damaged(path))
    }

    /// Writes a file whole. On an error the old one, if any, is as it was. Of several writers the last one stays.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        if content.len() > MOST {
            return Err(at(&path, io::ErrorKind::FileTooLarge.into()));
        }
        file::replace(&path, (&envelope::first_line(content), content), file::FILE_MODE)
            .map_err(|error| at(&path, error))
    }

    /// The same for a secret: nobody but the file's owner may read it.
    pub fn write_private(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        file::replace(&path, (&envelope::first_line(content), content), file::PRIVATE_MODE)
            .map_err(|error| at(&path, error))
    }

    /// Removes a file; one that is not there is fine.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        absent_is_none(std::fs::remove_file(&path)).map(drop).map_err(|error| at(&path, error))
    }

    /// The names of all files, and when each was last written; none when there is no such directory.
    pub fn files(&self) -> Result<Vec<(String, SystemTime)>, StoreError> {
        let found = file::list(&self.dir).map_err(|error| at(&self.dir, error))?;
        let mut kept: Vec<_> = found.into_iter().filter(|(name, _)| !file::is_unfinished(name)).collect();
        kept.sort();
        Ok(kept)
    }

    /// Removes what killed writers have left behind.
    pub fn clean(&self, now: SystemTime) -> Result<(), StoreError> {
        for (name, written) in file::list(&self.dir).map_err(|error| at(&self.dir, error))? {
            if file::is_unfinished(&name) && now.duration_since(written).is_ok_and(|age| age > UNFINISHED) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }
}

fn at(path: &Path, error: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), error }
}

fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
