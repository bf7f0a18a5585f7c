// SPDX-License-Identifier: GPL-3.0-or-later
//! Writes a snapshot, section by section.

use super::entry::{Entry, FULL, MOST};
use super::layout::{HEAD, Medium, Part, Section, end, head};
use super::{Entries, Meta};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// A snapshot that is being written; its records come first.
#[derive(Debug)]
pub(in crate::directories) struct Writer<W> {
    out: W,
    at: u64,
    block: Vec<u8>,
    sections: Vec<Section>,
    open: Option<Open>,
}

/// A section that is being written.
#[derive(Debug)]
struct Open {
    part: Part,
    begin: u64,
    count: u64,
    hasher: crc32fast::Hasher,
}

impl<W: Write> Writer<W> {
    /// Begins a snapshot, and in it the records.
    pub(in crate::directories) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&head())?;
        Ok(Self { out, at: HEAD, block: Vec::new(), sections: Vec::new(), open: None })
    }

    /// What it writes to.
    pub(in crate::directories) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Adds an entry. One that is too large is an error of kind `InvalidInput`.
    pub(in crate::directories) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.block = postcard::to_extend(entry, std::mem::take(&mut self.block)).map_err(io::Error::other)?;
        if self.block.len() > MOST {
            self.block.clear();
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if self.block.len() >= FULL { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&crc32fast::hash(&self.block).to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.at += 8 + u64::from(length);
        self.block.clear();
        self.block.shrink_to(4 * FULL);
        Ok(())
    }

    /// Ends the records. `count` is how many entries there are.
    pub(in crate::directories) fn end_records(&mut self, count: u64) -> io::Result<()> {
        self.end_block()?;
        let length = self.at - HEAD;
        self.sections.push(Section { part: Part::Records, begin: HEAD, length, count, checksum: 0 });
        Ok(())
    }

    /// The entries that were written, after [`Self::end_records`]; `file` is the same file, to read.
    pub(in crate::directories) fn entries(&self, file: File, path: &Path) -> Entries {
        let length = self.sections.first().map_or(0, |records| records.length);
        Entries::new(&Medium::new(file, path), HEAD, length)
    }

    /// Begins a section.
    pub(in crate::directories) fn begin(&mut self, part: Part) {
        self.open = Some(Open { part, begin: self.at, count: 0, hasher: crc32fast::Hasher::new() });
    }

    /// How far the section has come, in octets.
    pub(in crate::directories) fn written(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| self.at - open.begin)
    }

    /// Writes octets of a section that are no item of it.
    pub(in crate::directories) fn prologue(&mut self, octets: &[u8]) -> io::Result<()> {
        self.out.write_all(octets)?;
        self.at += octets.len() as u64;
        if let Some(open) = &mut self.open {
            open.hasher.update(octets);
        }
        Ok(())
    }

    /// Writes an item of a section.
    pub(in crate::directories) fn item(&mut self, octets: &[u8]) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            open.count += 1;
        }
        self.prologue(octets)
    }

    /// Writes an item of any length, with its length before it.
    pub(in crate::directories) fn piece(&mut self, octets: &[u8]) -> io::Result<()> {
        let length = u32::try_from(octets.len()).map_err(io::Error::other)?;
        self.prologue(&length.to_le_bytes())?;
        self.item(octets)
    }

    /// Ends a section.
    pub(in crate::directories) fn end(&mut self) {
        let Some(Open { part, begin, count, hasher }) = self.open.take() else { return };
        let checksum = if part == Part::Members { 0 } else { hasher.finalize() };
        self.sections.push(Section { part, begin, length: self.at - begin, count, checksum });
    }

    /// Writes what it says of itself, and the end.
    pub(in crate::directories) fn finish(mut self, meta: &Meta) -> io::Result<W> {
        self.begin(Part::Meta);
        self.item(&serde_json::to_vec(meta)?)?;
        self.end();
        let end = end(&self.sections, self.at)?;
        self.out.write_all(&end)?;
        Ok(self.out)
    }
}
