// SPDX-License-Identifier: GPL-3.0-or-later
//! What a source told, as it lies in a snapshot: entries in blocks, each with its length and its checksum.

use super::SnapshotError;
use super::layout::{Medium, Stretch};
use crate::directories::record::Record;
use serde::{Deserialize, Serialize};
use std::io::Read as _;

/// A block is full from this many octets on.
pub(super) const FULL: usize = 64 * 1024;
/// Largest block, in octets: one entry, a group with millions of members.
pub(super) const MOST: usize = 512 * 1024 * 1024;

/// One thing that a source told. The numbers of the variants are kept on disk.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::directories) enum Entry {
    /// An object.
    Object(Record),
    /// A group's name or key, and the key or address of a member.
    Membership(Box<str>, Box<str>),
    /// There is no object of this key any more; it only matters while a snapshot is made.
    Gone(Box<str>),
}

/// Entries one by one. After an error it ends.
#[derive(Debug)]
pub(in crate::directories) struct Entries {
    medium: Medium,
    stretch: Stretch,
    block: Vec<u8>,
    at: usize,
    over: bool,
}

impl Entries {
    /// What lies in a stretch of a file.
    pub(super) fn new(medium: &Medium, begin: u64, length: u64) -> Self {
        let stretch = Stretch::new(medium, begin, length);
        Self { medium: medium.clone(), stretch, block: Vec::new(), at: 0, over: false }
    }

    /// Reads all blocks for their checksums alone.
    pub(super) fn verify(mut self) -> Result<(), SnapshotError> {
        while self.stretch.left() > 0 {
            self.fill()?;
        }
        Ok(())
    }

    fn entry(&mut self) -> Result<Option<Entry>, SnapshotError> {
        if self.at == self.block.len() {
            if self.stretch.left() == 0 {
                return Ok(None);
            }
            self.fill()?;
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let (entry, after) = postcard::take_from_bytes(rest)
            .map_err(|error| self.medium.damaged(format!("a record cannot be read: {error}")))?;
        self.at = self.block.len() - after.len();
        Ok(Some(entry))
    }

    fn fill(&mut self) -> Result<(), SnapshotError> {
        let mut numbers = [[0; 4]; 2];
        for number in &mut numbers {
            self.stretch.read_exact(number).map_err(|error| self.medium.io(error))?;
        }
        let [length, checksum] = numbers.map(u32::from_le_bytes);
        let length = length as usize;
        if length == 0 || length > MOST || length as u64 > self.stretch.left() {
            return Err(self.medium.damaged("a block of records has an impossible length"));
        }
        self.block.resize(length, 0);
        self.at = 0;
        self.stretch.read_exact(&mut self.block).map_err(|error| self.medium.io(error))?;
        if crc32fast::hash(&self.block) != checksum {
            return Err(self.medium.damaged("the checksum of a block of records is wrong"));
        }
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let entry = self.entry();
        self.over = !matches!(entry, Ok(Some(_)));
        entry.transpose()
    }
}
