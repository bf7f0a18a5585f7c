// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the sections of a snapshot lie: the first octets of the file, its table of contents, and its last octets.

use super::SnapshotError;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// The form that is written and read.
pub(super) const FORM: u32 = 1;
/// What a snapshot begins with.
const MARK: [u8; 12] = *b"postern snap";
/// What it ends with.
const END: [u8; 8] = *b"snap end";
/// Octets before the first section: the mark, the form, a checksum of both.
pub(super) const HEAD: u64 = HEAD_OCTETS as u64;
const HEAD_OCTETS: usize = 20;
/// Octets after the table of contents: where that begins, its length, a checksum of it and of both, the end.
const TAIL: usize = 24;
/// Longest table of contents, in octets.
const MOST_CONTENTS: u32 = 4096;

/// The sections, in the order in which they lie. Their numbers are kept on disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::directories) enum Part {
    /// Blocks of entries, each with its length and its checksum.
    Records,
    /// The key of the fingerprints, 16 octets, and the fingerprints of all addresses, ascending, 8 octets each.
    Fingerprints,
    /// When each of them first came, seconds since 1970, 4 octets each.
    FirstSeen,
    /// Those that are gone and have grace, ascending by fingerprint.
    Leaving,
    /// Fingerprints of addresses for internal clients alone, ascending.
    InternalOnly,
    /// Of each group the places of its addresses in the fingerprints, ascending, each as the distance from the one before.
    Members,
    /// The groups, and where their members lie.
    Groups,
    /// [`super::Meta`].
    Meta,
}

/// Where a section lies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::directories) struct Section {
    pub(super) part: Part,
    pub(super) begin: u64,
    pub(super) length: u64,
    /// How many of what it holds.
    pub(super) count: u64,
    /// Of the whole section; 0 for records and members, which have their own.
    pub(super) checksum: u32,
}

/// The first octets of a file.
pub(super) fn head() -> Vec<u8> {
    let mut head = [MARK.as_slice(), &FORM.to_le_bytes()].concat();
    head.extend(crc32fast::hash(&head).to_le_bytes());
    head
}

/// What ends a file in which sections lie up to `begin`.
pub(super) fn end(sections: &[Section], begin: u64) -> io::Result<Vec<u8>> {
    let mut end = postcard::to_stdvec(sections).map_err(io::Error::other)?;
    let length = u32::try_from(end.len()).map_err(io::Error::other)?;
    end.extend(begin.to_le_bytes());
    end.extend(length.to_le_bytes());
    end.extend(crc32fast::hash(&end).to_le_bytes());
    end.extend(END);
    Ok(end)
}

/// The file that sections are read from.
#[derive(Clone, Debug)]
pub(in crate::directories) struct Medium {
    pub(super) file: Arc<File>,
    pub(super) path: Arc<Path>,
}

impl Medium {
    pub(in crate::directories) fn new(file: File, path: &Path) -> Self {
        Self { file: Arc::new(file), path: path.into() }
    }

    pub(in crate::directories) fn open(path: &Path) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(|error| SnapshotError::Io { path: path.to_owned(), error })?;
        Ok(Self::new(file, path))
    }

    pub(in crate::directories) fn damaged(&self, what: impl Into<String>) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.to_path_buf(), what: what.into() }
    }

    pub(super) fn io(&self, error: io::Error) -> SnapshotError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return self.damaged("it ends too early");
        }
        SnapshotError::Io { path: self.path.to_path_buf(), error }
    }

    /// Reads exactly these octets.
    pub(super) fn read_at(&self, at: u64, octets: &mut [u8]) -> Result<(), SnapshotError> {
        self.file.read_exact_at(octets, at).map_err(|error| self.io(error))
    }

    /// The table of contents, checked as far as that can be without the sections.
    pub(super) fn contents(&self) -> Result<Vec<Section>, SnapshotError> {
        let size = self.file.metadata().map_err(|error| self.io(error))?.len();
        let mut first = [0; HEAD_OCTETS];
        self.read_at(0, &mut first)?;
        let (mark, rest) = first.split_at(MARK.len());
        let (form, checksum) = rest.split_at(4);
        if mark != MARK {
            return Err(self.damaged("it does not begin as a snapshot does"));
        }
        if checksum != crc32fast::hash(&[mark, form].concat()).to_le_bytes() {
            return Err(self.damaged("its first octets are not as they were written"));
        }
        if form != FORM.to_le_bytes() {
            let form = form.iter().rev().fold(0, |form, octet| form << 8 | u32::from(*octet));
            return Err(SnapshotError::Form { path: self.path.to_path_buf(), form });
        }
        let unfinished = || self.damaged("it was never finished, or its end is lost");
        let tail_at = size.checked_sub(TAIL as u64).filter(|at| *at >= HEAD).ok_or_else(unfinished)?;
        let mut tail = [0; TAIL];
        self.read_at(tail_at, &mut tail)?;
        let [b0, b1, b2, b3, b4, b5, b6, b7, l0, l1, l2, l3, c0, c1, c2, c3, end @ ..] = tail;
        if end != END {
            return Err(unfinished());
        }
        let begin = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length > MOST_CONTENTS || begin < HEAD || begin.checked_add(u64::from(length)) != Some(tail_at) {
            return Err(self.damaged("its table of contents is not where it should be"));
        }
        let mut table = vec![0; length as usize + 12];
        self.read_at(begin, &mut table)?;
        if crc32fast::hash(&table) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(self.damaged("the checksum of its table of contents is wrong"));
        }
        let sections: Vec<Section> = postcard::from_bytes(&table)
            .map_err(|error| self.damaged(format!("its table of contents cannot be read: {error}")))?;
        let ends = sections
            .iter()
            .try_fold(HEAD, |at, section| (section.begin == at).then(|| at.checked_add(section.length))?);
        if ends != Some(begin) {
            return Err(self.damaged("its sections do not follow one after the other"));
        }
        Ok(sections)
    }
}

/// Reads a stretch of a file from beginning to end. Several may read one file.
#[derive(Debug)]
pub(super) struct Stretch {
    medium: Medium,
    at: u64,
    end: u64,
}

impl Stretch {
    pub(super) fn new(medium: &Medium, begin: u64, length: u64) -> Self {
        Self { medium: medium.clone(), at: begin, end: begin.saturating_add(length) }
    }

    pub(super) fn left(&self) -> u64 {
        self.end - self.at
    }
}

impl Read for Stretch {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left()).unwrap_or(usize::MAX).min(octets.len());
        let read = self.medium.file.read_at(octets.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
