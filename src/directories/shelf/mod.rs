// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept of one directory: `STATE_DIR/directories/NAME/` with `NNNNNNNN.snapshot`, `state.json`, `lock` and `syncing`.
//!
//! Reading needs no lock. Changes are made under `lock`, one after the other; who waits for longer than a few seconds is told
//! which process has it. Whoever syncs holds `syncing` from beginning to end. `state.json` alone says which snapshot is in
//! force, and is replaced whole, so that a process that is killed leaves the old state or the new one.

mod change;
mod diff;
mod state;

pub(super) use change::{Onward, Taken};
pub use diff::{Diff, Listed};
pub use state::{Grace, InForce, Pending, State};

use super::snapshot::{Meta, Snapshot, SnapshotError, View};
use crate::config::SyncRules;
use crate::policy::Recipients;
use crate::store::{LockError, Stamp, Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The file that says which snapshot is in force.
const STATE: &str = "state.json";
/// The form of it that is written and read.
const FORM: u32 = 1;

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
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state is there, but cannot be read.
    #[error("{} cannot be read: {what}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
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
    /// There are snapshots, and none can be used; why the first cannot.
    #[error("no snapshot can be used: {0}")]
    NoneGood(String),
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
    /// The `removal_grace` that it was loaded by.
    pub grace: Duration,
    /// The groups that were wanted when it was loaded, as [`SyncRules::groups`].
    pub groups: Vec<Arc<str>>,
    /// When it is to be loaded again, because somebody's grace is over then.
    pub next_expiry: Option<Stamp>,
    /// Why an older snapshot than the one in force was taken, in a sentence. For a loud warning.
    pub fallback: Option<String>,
}

/// What is kept of one directory.
#[derive(Clone, Debug)]
pub struct Shelf {
    name: Arc<str>,
    pub(super) store: Store,
}

/// An open snapshot, and how to look at it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) serial: u64,
    pub(super) snapshot: Snapshot,
    pub(super) view: View,
    pub(super) fallback: Option<String>,
}

impl Shelf {
    /// What is kept of the directory of this name below `state_dir`, which need not be there yet.
    pub fn new(state_dir: &Path, name: &Arc<str>) -> Self {
        let store = Store::new(state_dir.join("directories").join(&**name));
        Self { name: Arc::clone(name), store }
    }

    /// The directory's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The place on disk.
    pub fn dir(&self) -> &Path {
        self.store.dir()
    }

    /// How it stands; the empty state where nothing was ever synced.
    pub fn state(&self) -> Result<State, ShelfError> {
        let Some(octets) = self.store.read(STATE)? else { return Ok(State::default()) };
        let wrong = |what: String| ShelfError::State { path: self.dir().join(STATE), what };
        let Form { form } = serde_json::from_slice(&octets).map_err(|error| wrong(error.to_string()))?;
        if form != FORM {
            let what = format!(
                "it has form {form}, which this version of Postern does not know: use the version that wrote it"
            );
            return Err(wrong(what));
        }
        serde_json::from_slice(&octets).map_err(|error| wrong(error.to_string()))
    }

    /// Loads what is in force; where that is damaged, the newest good one before it. Nothing, when nothing is known: never an
    /// empty set instead.
    pub fn load(&self, rules: &SyncRules, now: Stamp) -> Result<Option<Loaded>, ShelfError> {
        self.newest_good(rules, now, |opened| {
            let Opened { serial, snapshot, view, fallback } = opened;
            let recipients = Arc::new(snapshot.recipients(view, &rules.groups)?);
            let next_expiry = snapshot.next_expiry(view)?;
            let (meta, grace, groups) = (snapshot.meta().clone(), rules.removal_grace, rules.groups.clone());
            Ok(Loaded { serial, recipients, meta, grace, groups, next_expiry, fallback })
        })
    }

    /// Does something with what is in force; where that is damaged, with the newest good one before it.
    pub(super) fn newest_good<T>(
        &self,
        rules: &SyncRules,
        now: Stamp,
        mut with: impl FnMut(Opened) -> Result<T, SnapshotError>,
    ) -> Result<Option<T>, ShelfError> {
        let view = |from| View { now, grace: rules.removal_grace, from };
        let (in_force, pending, mut trouble) = match self.state() {
            Ok(State { in_force: None, .. }) => return Ok(None),
            Ok(State { in_force, pending, .. }) => (in_force, pending, None),
            // Without the state nobody knows which one was in force; one that was kept back never is.
            Err(ShelfError::Store(StoreError::Damaged(path))) => {
                (None, None, Some(format!("{} is damaged", path.display())))
            }
            Err(error @ ShelfError::State { .. }) => (None, None, Some(error.to_string())),
            Err(error) => return Err(error),
        };
        let newest = in_force.as_ref().map_or(u64::MAX, |in_force| in_force.serial);
        let mut serials = self.serials()?;
        serials.retain(|serial| *serial < newest && pending.as_ref().is_none_or(|one| one.serial != *serial));
        let first = in_force.map(|in_force| (in_force.serial, in_force.grace));
        let others = serials.into_iter().rev().map(|serial| (serial, Grace::Missed));
        for (serial, grace) in first.into_iter().chain(others) {
            let fallback = trouble.clone();
            let tried = Snapshot::open(&self.path(serial), &self.name).and_then(|snapshot| {
                if fallback.is_some() && !snapshot.meta().held.is_empty() {
                    return Ok(None);
                }
                with(Opened { serial, snapshot, view: view(grace), fallback }).map(Some)
            });
            match tried {
                Ok(Some(done)) => return Ok(Some(done)),
                Ok(None) => {}
                Err(error) => {
                    trouble.get_or_insert_with(|| error.to_string());
                }
            }
        }
        match trouble {
            Some(trouble) => Err(ShelfError::NoneGood(trouble)),
            None => Ok(None),
        }
    }

    /// Opens a snapshot to look into it.
    pub fn open(&self, which: Which) -> Result<Snapshot, ShelfError> {
        let state = self.state()?;
        let serial = match which {
            Which::InForce => state.in_force.ok_or(ShelfError::Empty)?.serial,
            Which::Pending => state.pending.ok_or(ShelfError::NothingPending)?.serial,
            Which::Serial(serial) => serial,
        };
        self.open_serial(serial)
    }

    fn open_serial(&self, serial: u64) -> Result<Snapshot, ShelfError> {
        let path = self.path(serial);
        match Snapshot::open(&path, &self.name) {
            Err(SnapshotError::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(ShelfError::NoSnapshot(serial))
            }
            opened => Ok(opened?),
        }
    }

    /// How to look at what is in force now.
    pub fn view(&self, rules: &SyncRules, now: Stamp) -> Result<View, ShelfError> {
        let from = self.state()?.in_force.map(|in_force| in_force.grace).unwrap_or_default();
        Ok(View { now, grace: rules.removal_grace, from })
    }

    /// All snapshots that are kept, newest first.
    pub fn history(&self) -> Result<Vec<Kept>, ShelfError> {
        let State { in_force, pending, newest, .. } = self.state()?;
        let mut serials = self.serials()?;
        serials.retain(|serial| *serial <= newest);
        let kept = |serial| {
            let path = self.path(serial);
            let meta = Snapshot::open(&path, &self.name).map(|snapshot| snapshot.meta().clone());
            Kept {
                serial,
                size: path.metadata().map_or(0, |metadata| metadata.len()),
                in_force: in_force.as_ref().is_some_and(|one| one.serial == serial),
                pending: pending.as_ref().is_some_and(|one| one.serial == serial),
                meta: meta.map_err(|error| error.to_string()),
            }
        };
        Ok(serials.into_iter().rev().map(kept).collect())
    }

    /// What changes from one snapshot to another; of each kind, the first so many are spelled out.
    pub fn diff(&self, from: Which, to: Which, first: usize) -> Result<Diff, ShelfError> {
        Ok(diff::diff(&self.open(from)?, &self.open(to)?, first)?)
    }

    fn path(&self, serial: u64) -> PathBuf {
        self.dir().join(file_name(serial))
    }

    /// The numbers of all snapshots, ascending.
    fn serials(&self) -> Result<Vec<u64>, ShelfError> {
        let names = self.store.files()?.into_iter();
        let mut serials: Vec<u64> =
            names.filter_map(|(name, _)| name.strip_suffix(".snapshot")?.parse().ok()).collect();
        serials.sort_unstable();
        Ok(serials)
    }
}

/// The number of a state's form, beside everything else in it.
#[derive(serde::Deserialize, serde::Serialize)]
struct Form {
    form: u32,
}

fn file_name(serial: u64) -> String {
    format!("{serial:08}.snapshot")
}
