// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: what is kept on disk from one start to the next, below `state_dir`.
//!
//! A file is written whole beside its old self, brought to the disk and put in its place, so that a reader sees the old
//! or the new and never a part; a checksum tells a file that something else has damaged.

use std::io;
use std::path::{Path, PathBuf};

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
#[derive(Clone, Debug)]
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
}
