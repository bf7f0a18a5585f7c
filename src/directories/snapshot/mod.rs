// SPDX-License-Identifier: GPL-3.0-or-later
//! Snapshots: one complete answer of a directory's source in one file.
//!
//! The file begins with `postern snap`, the number of its form and a checksum of both. Sections follow one after the other:
//! records, fingerprints, first-seen dates, what is leaving, what is for internal clients alone, groups, and [`Meta`]; a table
//! of contents and its place end it, so that a file that was never finished has no end. Every section has a checksum (CRC-32),
//! that of records one to each block. Numbers are little-endian. A file is never changed once it is there.

mod entry;
mod groups;
mod layout;
mod meta;
mod numbers;
mod recipients;
mod writer;

pub(super) use entry::{Entries, Entry};
pub(super) use groups::{Placed, encode as encode_places};
pub(super) use layout::Part;
pub(super) use numbers::Numbers;
pub(super) use writer::Writer;

pub use meta::{Collision, Counts, Found, Group, GroupCounts, Invalid, Leaving, Meta, Wide};

use super::record::Record;
use super::shelf::Grace;
use crate::mail::MailboxKey;
use crate::store::Stamp;
use layout::{Medium, Section};
use numbers::Checked;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest [`Meta`], in octets: a million whole domains take less.
const MOST_META: u64 = 256 * 1024 * 1024;

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The system says no.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// It ends too early, a checksum is wrong, or it contradicts itself.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Another version of Postern has written it.
    #[error(
        "{} has form {form}, which this version of Postern does not know: use the version that wrote it, or remove the file \
         and sync again",
        path.display()
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// The number of its form.
        form: u32,
    },
    /// It is another directory's.
    #[error("{} is of directory {found:?}, not of {wanted:?}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Box<str>,
        /// Whose it should be.
        wanted: Box<str>,
    },
}

/// A moment and the rules of grace to look at a snapshot by: who has left and is still valid depends on them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct View {
    /// Now.
    pub now: Stamp,
    /// `removal_grace`.
    pub grace: Duration,
    /// From when on those are leaving that went with this snapshot.
    pub from: Grace,
}

impl View {
    /// Until when those stay that are missed since then, in a snapshot that was built then; nothing when they are gone already.
    pub(super) fn until(self, since: Stamp, built: Stamp) -> Option<Stamp> {
        let since = match self.from {
            Grace::Missed => since,
            _ if since != built => since,
            Grace::Accepted(at) => at.max(since),
            Grace::Over => return None,
        };
        let until = since.after(self.grace);
        (until > self.now).then_some(until)
    }
}

/// An open snapshot. Opening reads and checks what it says of itself, nothing else.
#[derive(Debug)]
pub struct Snapshot {
    medium: Medium,
    sections: Vec<Section>,
    meta: Meta,
}

impl Snapshot {
    /// Opens a snapshot of the directory of this name.
    pub fn open(path: &Path, directory: &str) -> Result<Self, SnapshotError> {
        let medium = Medium::open(path)?;
        let sections = medium.contents()?;
        let mut snapshot = Self { medium, sections, meta: Meta::default() };
        snapshot.meta = snapshot.read_meta()?;
        if *snapshot.meta.directory != *directory {
            let (path, found) = (path.to_owned(), snapshot.meta.directory);
            return Err(SnapshotError::Foreign { path, found, wanted: directory.into() });
        }
        let Meta { addresses, leaving, internal_only, groups, .. } = &snapshot.meta;
        for (part, count) in [
            (Part::Fingerprints, addresses),
            (Part::FirstSeen, addresses),
            (Part::Leaving, leaving),
            (Part::InternalOnly, internal_only),
            (Part::Groups, &groups.groups),
        ] {
            if snapshot.section(part)?.count != *count {
                return Err(snapshot.medium.damaged("it contradicts itself"));
            }
        }
        Ok(snapshot)
    }

    fn read_meta(&self) -> Result<Meta, SnapshotError> {
        let section = self.section(Part::Meta)?;
        if section.length > MOST_META {
            return Err(self.medium.damaged("what it says of itself is too long"));
        }
        let mut octets = vec![0; usize::try_from(section.length).unwrap_or(0)];
        self.medium.read_at(section.begin, &mut octets)?;
        if crc32fast::hash(&octets) != section.checksum {
            return Err(self.medium.damaged("the checksum of what it says of itself is wrong"));
        }
        serde_json::from_slice(&octets)
            .map_err(|error| self.medium.damaged(format!("what it says of itself cannot be read: {error}")))
    }

    fn section(&self, part: Part) -> Result<Section, SnapshotError> {
        let found = self.sections.iter().find(|section| section.part == part);
        found.copied().ok_or_else(|| self.medium.damaged(format!("its section {part:?} is not there")))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.medium.path
    }

    /// What it says of itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Everything that a source told, one by one.
    pub(super) fn entries(&self) -> Result<Entries, SnapshotError> {
        let section = self.section(Part::Records)?;
        Ok(Entries::new(&self.medium, section.begin, section.length))
    }

    /// Reads everything for its checksums, so that what is damaged is found before something is built upon it.
    pub(super) fn verify(&self) -> Result<(), SnapshotError> {
        let all = View { now: Stamp::default(), grace: Duration::MAX, from: Grace::Missed };
        let mut before = None;
        for dated in self.dated()? {
            let (fingerprint, _) = dated?;
            if before >= Some(fingerprint) {
                return Err(self.medium.damaged("its fingerprints are not in order"));
            }
            before = Some(fingerprint);
        }
        self.internal_only()?.try_for_each(|number| number.map(drop))?;
        self.leaving(all)?.try_for_each(|leaving| leaving.map(drop))?;
        for placed in self.placed_groups()? {
            self.members(&placed?)?;
        }
        self.entries()?.verify()
    }

    /// All records, one by one, in no order.
    pub fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<Record, SnapshotError>> + use<>, SnapshotError> {
        Ok(self.entries()?.filter_map(|entry| match entry {
            Ok(Entry::Object(record)) => Some(Ok(record)),
            Ok(Entry::Membership(..) | Entry::Gone(_)) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// The key of its fingerprints.
    pub(super) fn key(&self) -> Result<MailboxKey, SnapshotError> {
        Ok(self.keyed()?.0)
    }

    fn keyed(&self) -> Result<(MailboxKey, Numbers<8>), SnapshotError> {
        let section = self.section(Part::Fingerprints)?;
        let mut checked = Checked::new(&self.medium, section);
        let key = checked.take::<16>()?.ok_or_else(|| self.medium.damaged("it has no key"))?;
        Ok((MailboxKey::from_octets(key), Numbers::new(checked, section.count)))
    }

    /// The fingerprints of all addresses, ascending; those that are leaving are not among them.
    pub(super) fn fingerprints(&self) -> Result<Numbers<8>, SnapshotError> {
        Ok(self.keyed()?.1)
    }

    /// When each of [`Self::fingerprints`] first came, seconds since 1970.
    pub(super) fn first_seen(&self) -> Result<Numbers<4>, SnapshotError> {
        let section = self.section(Part::FirstSeen)?;
        Ok(Numbers::new(Checked::new(&self.medium, section), section.count))
    }

    /// Fingerprints, ascending, and when each of them first came.
    pub(super) fn dated(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, u32), SnapshotError>> + use<>, SnapshotError> {
        let (mut fingerprints, mut dates) = (self.fingerprints()?, self.first_seen()?);
        // Both are read to their ends, where their checksums are.
        Ok(std::iter::from_fn(move || match (fingerprints.next(), dates.next()) {
            (Some(Err(error)), _) | (_, Some(Err(error))) => Some(Err(error)),
            (Some(Ok(fingerprint)), Some(Ok(date))) => {
                Some(Ok((fingerprint, u32::try_from(date).unwrap_or(u32::MAX))))
            }
            // There are as many of one as of the other.
            (None, _) | (_, None) => None,
        }))
    }

    /// The fingerprints of addresses for internal clients alone, ascending; those that are leaving are not among them.
    pub(super) fn internal_only(&self) -> Result<Numbers<8>, SnapshotError> {
        let section = self.section(Part::InternalOnly)?;
        Ok(Numbers::new(Checked::new(&self.medium, section), section.count))
    }

    /// Those that are gone and still valid by `view`, one by one.
    pub fn leaving(
        &self,
        view: View,
    ) -> Result<impl Iterator<Item = Result<Leaving, SnapshotError>> + use<>, SnapshotError> {
        let mut checked = Checked::new(&self.medium, self.section(Part::Leaving)?);
        let built = self.meta.built;
        let mut over = false;
        let next = move || {
            if over {
                return None;
            }
            let next = checked.piece().and_then(|piece| match piece {
                None => Ok(None),
                Some(piece) => Leaving::decode(&piece)
                    .map(Some)
                    .map_err(|error| checked.medium.damaged(format!("who leaves cannot be read: {error}"))),
            });
            over = !matches!(next, Ok(Some(_)));
            next.transpose()
        };
        let is_valid = move |leaving: &Result<Leaving, SnapshotError>| {
            leaving.as_ref().map_or(true, |leaving| view.until(leaving.since, built).is_some())
        };
        Ok(std::iter::from_fn(next).filter(is_valid))
    }

    /// When the next of those who are leaving is to go, if any is: recipients have to be loaded again then.
    pub fn next_expiry(&self, view: View) -> Result<Option<Stamp>, SnapshotError> {
        let built = self.meta.built;
        let wide = self.meta.whole_domains.iter().chain(&self.meta.patterns).filter_map(|wide| wide.gone);
        let mut next = wide.filter_map(|since| view.until(since, built)).min();
        for leaving in self.leaving(view)? {
            let until = view.until(leaving?.since, built);
            next = [next, until].into_iter().flatten().min();
        }
        Ok(next)
    }
}

/// A moment from its seconds since 1970.
fn stamp(seconds: u64) -> Stamp {
    Stamp::default().after(Duration::from_secs(seconds))
}
