// SPDX-License-Identifier: GPL-3.0-or-later
//! Sections that are read from beginning to end with one checksum: numbers of the same width, and lengths with their content.
//!
//! What they gave before their end counts only when the end came without an error.

use super::SnapshotError;
use super::layout::{Medium, Section, Stretch};
use std::io::Read as _;

/// Octets that are read at one time; all widths divide it.
const BUFFER: usize = 64 * 1024;
/// Longest piece, in octets.
const MOST_PIECE: usize = 64 * 1024;

/// A section as a stream of octets, its checksum taken along.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) medium: Medium,
    stretch: Stretch,
    part: Section,
    hasher: crc32fast::Hasher,
    buffer: Vec<u8>,
    at: usize,
}

impl Checked {
    pub(super) fn new(medium: &Medium, section: Section) -> Self {
        Self {
            medium: medium.clone(),
            stretch: Stretch::new(medium, section.begin, section.length),
            part: section,
            hasher: crc32fast::Hasher::new(),
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// The next octets; nothing at the end, when the checksum is right.
    pub(super) fn take<const N: usize>(&mut self) -> Result<Option<[u8; N]>, SnapshotError> {
        if let Some(taken) = self.buffer.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            self.at += N;
            return Ok(Some(*taken));
        }
        let mut taken = [0; N];
        Ok(self.fill(&mut taken)?.then_some(taken))
    }

    /// Fills it with what follows, if anything does.
    fn fill(&mut self, octets: &mut [u8]) -> Result<bool, SnapshotError> {
        let mut filled = 0;
        while filled < octets.len() {
            if self.at == self.buffer.len() && !self.refill()? {
                if filled > 0 {
                    return Err(self.medium.damaged("a section ends too early"));
                }
                return Ok(octets.is_empty());
            }
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let wanted = octets.get_mut(filled..).unwrap_or_default();
            let some = rest.len().min(wanted.len());
            for (to, from) in wanted.iter_mut().zip(rest) {
                *to = *from;
            }
            filled += some;
            self.at += some;
        }
        Ok(true)
    }

    fn refill(&mut self) -> Result<bool, SnapshotError> {
        let length = usize::try_from(self.stretch.left()).unwrap_or(usize::MAX).min(BUFFER);
        self.at = 0;
        self.buffer.resize(length, 0);
        if length == 0 {
            let checksum = self.hasher.clone().finalize();
            if checksum != self.part.checksum {
                let part = self.part.part;
                return Err(self.medium.damaged(format!("the checksum of its section {part:?} is wrong")));
            }
            return Ok(false);
        }
        self.stretch.read_exact(&mut self.buffer).map_err(|error| self.medium.io(error))?;
        self.hasher.update(&self.buffer);
        Ok(true)
    }

    /// A length of four octets and that many octets; nothing at the end.
    pub(super) fn piece(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let Some(length) = self.take::<4>()? else { return Ok(None) };
        let length = u32::from_le_bytes(length) as usize;
        if length > MOST_PIECE {
            return Err(self.medium.damaged("a piece has an impossible length"));
        }
        let mut piece = vec![0; length];
        if !self.fill(&mut piece)? {
            return Err(self.medium.damaged("a section ends too early"));
        }
        Ok(Some(piece))
    }
}

/// Numbers of so many octets. The iterator ends after an error, and gives one instead of its end if the checksum is wrong.
#[derive(Debug)]
pub(in crate::directories) struct Numbers<const N: usize> {
    checked: Option<Checked>,
    left: u64,
}

impl<const N: usize> Numbers<N> {
    pub(super) fn new(checked: Checked, count: u64) -> Self {
        Self { checked: Some(checked), left: count }
    }
}

impl<const N: usize> Iterator for Numbers<N> {
    type Item = Result<u64, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        let checked = self.checked.as_mut()?;
        let taken = checked.take::<N>();
        let number = match taken {
            Ok(Some(octets)) if self.left > 0 => {
                self.left -= 1;
                Ok(octets.iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet)))
            }
            Ok(None) if self.left == 0 => {
                self.checked = None;
                return None;
            }
            Ok(_) => Err(checked.medium.damaged("a section is not as long as it says")),
            Err(error) => Err(error),
        };
        if number.is_err() {
            self.checked = None;
        }
        Some(number)
    }
}
