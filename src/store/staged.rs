// SPDX-License-Identifier: GPL-3.0-or-later
//! Large files that are written piece by piece: one that is put in its place when it is whole, and one that is only worked
//! with. The content carries its own checksums.

use super::{Store, StoreError, absent_is_none, at, file};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Octets that are written at one time.
const BUFFER: usize = 256 * 1024;

/// A file on its way. Dropped before it is [put in its place](Self::put), it is gone.
#[derive(Debug)]
pub struct Staged {
    file: BufWriter<File>,
    unfinished: file::Unfinished,
    dir: PathBuf,
}

impl Store {
    /// Begins a large file, beside those that are there. `label` is what [`Store::sweep`] knows it by.
    pub fn stage(&self, label: &str) -> Result<Staged, StoreError> {
        let (file, unfinished) =
            file::begin(&self.dir, label, file::FILE_MODE).map_err(|error| at(&self.dir, error))?;
        let dir = self.dir.clone();
        Ok(Staged { file: BufWriter::with_capacity(BUFFER, file), unfinished, dir })
    }

    /// Removes what killed writers of this label have left behind. Only for one who knows that nobody else writes.
    pub fn sweep(&self, label: &str) -> Result<(), StoreError> {
        for (name, _) in file::list(&self.dir).map_err(|error| at(&self.dir, error))? {
            if name
                .strip_prefix('.')
                .and_then(|name| name.strip_prefix(label))
                .is_some_and(|rest| rest.starts_with('.'))
            {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// A file without a name to read and write; it is gone with its value, and with the process.
    pub fn scratch(&self) -> Result<File, StoreError> {
        let (file, unfinished) =
            file::begin(&self.dir, "scratch", file::FILE_MODE).map_err(|error| at(&self.dir, error))?;
        drop(unfinished);
        Ok(file)
    }

    /// Opens a file to read; nothing when there is none.
    pub fn open(&self, name: &str) -> Result<Option<File>, StoreError> {
        let path = self.dir.join(name);
        absent_is_none(File::open(&path)).map_err(|error| at(&path, error))
    }
}

impl Staged {
    /// Where it is for now.
    pub fn path(&self) -> &Path {
        self.unfinished.path()
    }

    /// What has been written so far, to read.
    pub fn reader(&mut self) -> Result<File, StoreError> {
        let read = self.file.flush().and_then(|()| File::open(self.unfinished.path()));
        read.map_err(|error| at(self.unfinished.path(), error))
    }

    /// Brings it to the disk and puts it in the place of the file of this name, if there is one.
    pub fn put(self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.dir.join(name);
        let Self { file, unfinished, dir } = self;
        let put = || {
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(unfinished.path(), &path)?;
            // The rename itself has to reach the disk, too.
            File::open(&dir)?.sync_all()
        };
        put().map_err(|error| at(&path, error))?;
        Ok(path)
    }
}

impl Write for Staged {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
