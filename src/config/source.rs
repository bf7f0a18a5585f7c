// SPDX-License-Identifier: GPL-3.0-or-later
//! The one function that reads files: the configuration, and every file that it names.
//!
//! A file is handed over line by line and never held whole, so a directory of a million lines costs what is kept
//! of it and no more. A line has a cap, the caller may set one for the whole file. Only regular files are read: a
//! pipe or a device could keep the reader waiting for ever.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
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
    // One octet over the limit tells a file that is too large from one that fits exactly.
    let mut reader = BufReader::with_capacity(BUFFER, open(path)?.take(limit.saturating_add(1)));
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

/// Reads a file of at most `limit` octets whole, and its access rights (`st_mode`) with it.
pub(super) fn read_whole(path: &Path, limit: u64) -> Result<(Vec<u8>, u32), ReadError> {
    let file = open(path)?;
    let mode = file.metadata()?.mode();
    let mut octets = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut octets)?;
    if octets.len() as u64 > limit {
        return Err(ReadError::TooLarge { limit });
    }
    Ok((octets, mode))
}

/// Access rights (`st_mode`) of a file; nothing when they cannot be told.
pub(super) fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.mode())
}

/// Opens a regular file.
pub(super) fn open(path: &Path) -> Result<File, ReadError> {
    // Looked at before it is opened: opening a pipe waits for whoever writes into it.
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(ReadError::Directory);
    }
    if !kind.is_file() {
        return Err(ReadError::Irregular);
    }
    Ok(File::open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn file(name: &str, content: &[u8]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("postern-source-{name}-{}", std::process::id()));
        fs::write(&path, content).unwrap();
        path
    }

    fn read(content: &[u8], limit: u64, name: &str) -> Result<Vec<(usize, Vec<u8>)>, ReadError> {
        let path = file(name, content);
        let mut lines = Vec::new();
        let outcome = read_lines(&path, limit, |number, line| {
            lines.push((number, line.to_vec()));
            ControlFlow::Continue(())
        });
        fs::remove_file(path).unwrap();
        outcome.map(|()| lines)
    }

    #[test]
    fn lines_keep_their_ends_and_numbers() {
        let lines = read(b"a\r\n\nb", 100, "lines").unwrap();
        assert_eq!(lines, [(1, b"a\r\n".to_vec()), (2, b"\n".to_vec()), (3, b"b".to_vec())]);
        assert!(read(b"", 100, "none").unwrap().is_empty());
    }

    #[test]
    fn caps_hold_to_the_octet() {
        assert_eq!(read(b"12345\n", 6, "fits").unwrap().len(), 1);
        assert!(matches!(read(b"123456\n", 6, "large"), Err(ReadError::TooLarge { limit: 6 })));
        let mut line = vec![b'x'; MAX_LINE - 1];
        line.push(b'\n');
        assert_eq!(read(&line, u64::MAX, "line").unwrap().len(), 1);
        line.insert(0, b'x');
        assert!(matches!(read(&line, u64::MAX, "long"), Err(ReadError::LineTooLong { line: 1 })));
    }

    #[test]
    fn only_regular_files_are_read() {
        let read = |path: &str| read_lines(Path::new(path), 100, |_, _| ControlFlow::Continue(()));
        assert!(matches!(read("/nonexistent"), Err(ReadError::Missing)));
        assert!(matches!(read("/"), Err(ReadError::Directory)));
        assert!(matches!(read("/dev/zero"), Err(ReadError::Irregular)));
    }
}
