// SPDX-License-Identifier: GPL-3.0-or-later
//! A file that is read again when it has changed.
//!
//! Its cookie is what the file system says of it: device, inode, size, and both times to the nanosecond. It is of no use for
//! a file that was written to within the last [`SETTLED`], because it may be written to once more in the same tick of the clock.
//! A file that is written to while it is read is incomplete. One that is replaced meanwhile was read whole as it was.

use super::source::{Cookie, SourceError};
use crate::config::{DataFile, ReadError};
use siphasher::sip::SipHasher13;
use std::fs::{File, Metadata};
use std::hash::Hasher;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// How long nobody may have written to a file before it counts as unchanged later.
const SETTLED: Duration = Duration::from_secs(2);
/// Largest file, in octets: a hundred million addresses.
const MAX_FILE: u64 = 4 * 1024 * 1024 * 1024;

/// A file as it was when it was opened.
#[derive(Debug)]
pub(super) struct WatchedFile {
    file: File,
    name: String,
    before: Stamp,
    question: u64,
    settled: bool,
}

/// What tells whether a file has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What opening a file came to.
#[derive(Debug)]
pub(super) enum Opened {
    /// It is as it was.
    Unchanged(Cookie),
    /// It has to be read.
    ToRead(WatchedFile),
}

/// What a file is called in messages.
pub(super) fn name(file: &DataFile) -> String {
    let path = file.path();
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

impl WatchedFile {
    /// Opens a file, unless it is as it was. `question` is everything that the answer depends on beside the file.
    pub(super) fn open(
        file: &DataFile,
        question: &str,
        since: Option<&Cookie>,
    ) -> Result<Opened, SourceError> {
        let name = name(file);
        let wrong = |error: ReadError| match error {
            ReadError::Denied => SourceError::Refused(format!("{name}: {error}")),
            ReadError::Missing
            | ReadError::Directory
            | ReadError::Irregular
            | ReadError::TooLarge { .. }
            | ReadError::LineTooLong { .. }
            | ReadError::Io(_) => SourceError::Wrong(format!("{name}: {error}")),
        };
        let opened = file.open().map_err(wrong)?;
        let metadata = opened.metadata().map_err(|error| wrong(error.into()))?;
        if metadata.len() > MAX_FILE {
            return Err(wrong(ReadError::TooLarge { limit: MAX_FILE }));
        }
        let age = metadata.modified().ok().and_then(|written| SystemTime::now().duration_since(written).ok());
        let mut hasher = SipHasher13::new();
        hasher.write(question.as_bytes());
        // Another version may read the same file in another way.
        hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
        let watched = Self {
            file: opened,
            name,
            before: Stamp::of(&metadata),
            question: hasher.finish(),
            settled: age.is_some_and(|age| age >= SETTLED),
        };
        Ok(match watched.cookie() {
            Some(cookie) if since == Some(&cookie) => Opened::Unchanged(cookie),
            Some(_) | None => Opened::ToRead(watched),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Says that it was read to its end, and gives its cookie.
    pub(super) fn finish(&self) -> Result<Option<Cookie>, SourceError> {
        let name = &self.name;
        let after = self.file.metadata().map_err(|error| SourceError::Wrong(format!("{name}: {error}")))?;
        let Stamp { device: _, inode: _, size, modified, changed: _ } = Stamp::of(&after);
        if (size, modified) != (self.before.size, self.before.modified) {
            return Err(SourceError::Incomplete(format!("{name} was written to while it was read")));
        }
        Ok(self.cookie())
    }

    fn cookie(&self) -> Option<Cookie> {
        let Stamp { device, inode, size, modified, changed } = self.before;
        self.settled.then(|| {
            let times = format!("{}.{:09} {}.{:09}", modified.0, modified.1, changed.0, changed.1);
            Cookie(format!("{device} {inode} {size} {times} {:016x}", self.question).into())
        })
    }
}
