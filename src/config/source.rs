// SPDX-License-Identifier: GPL-3.0-or-later
//! The one function that reads files: the configuration, and every file that it names.
//!
//! A file is handed over line by line and never held whole, so a directory of a million lines costs what is kept
//! of it and no more. A line has a cap, the caller may set one for the whole file. Only regular files are read: a
//! pipe or a device could keep the reader waiting for ever.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

/// Longest line, in octets, its end included. The longest address has 320.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// Octets read at once.
const BUFFER: usize = 64 * 1024;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is nothing of that name.
    #[error("there is no such file")]
    Missing,
    /// It is a directory.
    #[error("it is a directory, not a file")]
    Directory,
    /// It is a pipe, a socket or a device.
    #[error("it is not a regular file")]
    Irregular,
    /// The rights do not suffice.
    #[error("this user may not read it")]
    Denied,
    /// It is larger than the caller takes.
    #[error("it is larger than {limit} octets")]
    TooLarge {
        /// The caller's limit.
        limit: u64,
    },
    /// One line is longer than [`MAX_LINE`].
    #[error("line {line} is longer than {MAX_LINE} octets")]
    LineTooLong {
        /// The line, counted from 1.
        line: usize,
    },
    /// Reading failed.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Missing
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Self::Denied
        } else if error.kind() == io::ErrorKind::IsADirectory {
            Self::Directory
        } else {
            Self::Io(error)
        }
    }
}

/// Reads a file of at most `limit` octets and gives each line, its end included, to `each` with its number from 1,
/// until `each` breaks off.
pub(super) fn read_lines(
    path: &Path,
    limit: u64,
    mut each: impl FnMut(usize, &[u8]) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(ReadError::Directory);
    }
    if !kind.is_file() {
        return Err(ReadError::Irregular);
    }
    // One octet over the limit tells a file that is too large from one that fits exactly.
    let mut reader = BufReader::with_capacity(BUFFER, File::open(path)?.take(limit.saturating_add(1)));
    let mut line = Vec::new();
    let mut total = 0u64;
    for number in 1.. {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        total += length as u64;
        if total > limit {
            return Err(ReadError::TooLarge { limit });
        }
        if length > MAX_LINE {
            return Err(ReadError::LineTooLong { line: number });
        }
        if each(number, &line).is_break() {
            break;
        }
    }
    Ok(())
}
