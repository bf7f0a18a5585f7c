// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept of one directory: `STATE_DIR/directories/NAME/` with `NNNNNNNN.snapshot`, `state.json`, `lock` and `syncing`.
//!
//! Reading needs no lock. Changes are made under `lock`, one after the other; who waits for longer than a few seconds is told
//! which process has it. Whoever syncs holds `syncing` from beginning to end. `state.json` alone says which snapshot is in
//! force, and is replaced whole, so that a process that is killed leaves the old state or the new one.

mod diff;
mod state;

pub use diff::{Diff, Listed};
pub use state::{Grace, InForce, Pending, State};

use super::snapshot::{Meta, Snapshot, SnapshotError};
use crate::config::SyncRules;
use crate::policy::Recipients;
use crate::store::{Stamp, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a change was not made, or nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// A snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The state cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process is at work here.
    #[error("{} is locked by {holder}", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// Who has it: `process 4711`.
        holder: String,
    },
    /// Nothing waits to be accepted.
    #[error("nothing is pending")]
    NothingPending,
    /// There is no such snapshot.
    #[error("there is no snapshot {0}")]
    NoSnapshot(u64),
    /// There is nothing to go back to.
    #[error("there is no older snapshot")]
    NothingOlder,
    /// There is nothing yet.
    #[error("nothing was ever synced")]
    Empty,
}

/// Which snapshot is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// The one in force.
    InForce,
    /// The one that waits to be accepted.
    Pending,
    /// The one of this number.
    Serial(u64),
}

/// One snapshot that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its number.
    pub serial: u64,
    /// Octets on disk.
    pub size: u64,
    /// Whether it is in force.
    pub in_force: bool,
    /// Whether it waits to be accepted.
    pub pending: bool,
    /// What it says of itself, or why it cannot be used, in words.
    pub meta: Result<Meta, String>,
}

/// What decisions are made by.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The number of the snapshot.
    pub serial: u64,
    /// Its recipients.
    pub recipients: Arc<Recipients>,
    /// What it says of itself.
    pub meta: Meta,
    /// When it is to be loaded again, because somebody's grace is over then.
    pub next_expiry: Option<Stamp>,
    /// Why an older snapshot than the one in force was taken, in a sentence. For a loud warning.
    pub fallback: Option<String>,
}

/// What is kept of one directory.
#[derive(Clone, Debug)]
pub struct Shelf {
    name: Arc<str>,
    dir: PathBuf,
}

impl Shelf {
    /// What is kept of the directory of this name below `state_dir`, which need not be there yet.
    pub fn new(state_dir: &Path, name: &Arc<str>) -> Self {
        Self { name: Arc::clone(name), dir: state_dir.join("directories").join(&**name) }
    }

    /// The directory's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The place on disk.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How it stands; the empty state where nothing was ever synced.
    pub fn state(&self) -> Result<State, ShelfError> {
        Ok(State::default())
    }

    /// Loads what is in force; where that is damaged, the newest good one before it. Nothing, when nothing is known: never an
    /// empty set instead.
    pub fn load(&self, rules: &SyncRules, now: Stamp) -> Result<Option<Loaded>, ShelfError> {
        let _ = (rules, now);
        Ok(None)
    }

    /// Opens a snapshot to look into it.
    pub fn open(&self, which: Which) -> Result<Snapshot, ShelfError> {
        let _ = which;
        Err(ShelfError::Empty)
    }

    /// All snapshots that are kept, newest first.
    pub fn history(&self) -> Result<Vec<Kept>, ShelfError> {
        Ok(Vec::new())
    }

    /// What changes from one snapshot to another; of each kind, the first so many are spelled out.
    pub fn diff(&self, from: Which, to: Which, first: usize) -> Result<Diff, ShelfError> {
        let _ = (from, to, first);
        Err(ShelfError::Empty)
    }

    /// Puts what is pending in force, also when this empties the directory, and ends pinning. With `at_once` those whom it
    /// removes get no grace. Gives the number of what is in force now.
    pub fn accept(&self, at_once: bool, now: Stamp) -> Result<u64, ShelfError> {
        let _ = (at_once, now);
        Err(ShelfError::NothingPending)
    }

    /// Throws away what is pending. The next sync may bring it again.
    pub fn reject(&self) -> Result<u64, ShelfError> {
        Err(ShelfError::NothingPending)
    }

    /// Puts an older snapshot in force, by default the newest good one before that in force, and pins it: what later syncs bring
    /// has to be accepted. Gives its number.
    pub fn rollback(&self, to: Option<u64>, now: Stamp) -> Result<u64, ShelfError> {
        let _ = (to, now);
        Err(ShelfError::NothingOlder)
    }

    /// Notes when the source is to be asked next.
    pub fn set_due(&self, due: Stamp) -> Result<(), ShelfError> {
        let _ = due;
        Ok(())
    }
}
