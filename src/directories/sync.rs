// SPDX-License-Identifier: GPL-3.0-or-later
//! One sync of one directory: asks, collects, compares, and puts in force what may be.
//!
//! A service and a command do it alike. Whatever goes wrong, and at whatever point the process is killed, what was in force
//! stays in force; the failure is noted in the state. What is put in force is always one complete answer of the source.

use super::build::{BuildError, Built, Finished, LABEL, Terms};
use super::shelf::{Grace, Onward, Shelf, ShelfError, Taken};
use super::snapshot::{Counts, Meta, Snapshot, SnapshotError, View};
use super::source::{Complete, Cookie, Extent, SinkError, Source, SourceError};
use crate::config;
use crate::mail::DomainPattern;
use crate::store::{Stamp, StoreError};
use sha2::{Digest as _, Sha256};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How far a sync is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// What it does.
    pub step: Step,
    /// Records so far in this step.
    pub records: u64,
    /// How many there will be, where that is known.
    pub of: Option<u64>,
}

/// What a sync does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// It reads what the source tells.
    Asking,
    /// It puts together and compares.
    Comparing,
    /// It writes.
    Writing,
}

/// What a sync works with. `watch` is called every few thousand records and where a step begins; a break ends the sync, which then has failed.
pub struct Syncing<'a> {
    /// The directory.
    pub directory: &'a config::Directory,
    /// Who is asked; of an import another one than the directory's own.
    pub source: &'a dyn Source,
    /// Whether that is the directory's own source, and not an import: only then changes alone can be asked for.
    pub own: bool,
    /// Where it is kept.
    pub shelf: &'a Shelf,
    /// The domains that Postern serves, aliases among them. Addresses elsewhere are dropped.
    pub served: &'a [DomainPattern],
    /// Tells the time.
    pub clock: &'a Clock,
    /// Is told how far it is.
    pub watch: &'a (dyn Fn(Progress) -> ControlFlow<()> + Send + Sync),
}

/// What came of a sync.
#[derive(Debug)]
pub struct Synced {
    /// What happened to what is in force.
    pub outcome: Outcome,
    /// Whether the sync before this one had failed, and this one has not.
    pub recovered: bool,
    /// What was counted; of changes, those alone. Nothing where the sync failed.
    pub counts: Option<Counts>,
    /// What the source says that an administrator should know.
    pub notes: Vec<String>,
}

/// What happened to what is in force.
#[derive(Debug)]
pub enum Outcome {
    /// A new snapshot is in force. It has to be loaded.
    Applied(Applied),
    /// The source has what is in force.
    Unchanged {
        /// How many addresses there are.
        total: u64,
    },
    /// A new snapshot waits to be accepted; the old one is in force.
    Held {
        /// Its number.
        serial: u64,
        /// Why, a sentence each.
        why: Vec<String>,
    },
    /// Nothing came of it.
    Failed {
        /// Why.
        error: SyncError,
        /// How old what is in force is; nothing where nothing is.
        as_of: Option<Stamp>,
        /// How long the source asks to be left alone.
        later: Option<Duration>,
        /// How many failures in a row there are now.
        failures: u32,
    },
}

/// What a new snapshot changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Applied {
    /// Its number.
    pub serial: u64,
    /// Addresses, whole domains and patterns that were not there before.
    pub added: u64,
    /// Those that are gone; they are leaving as long as they have grace.
    pub removed: u64,
    /// How many addresses there are.
    pub total: u64,
    /// Whether nothing was in force before.
    pub first: bool,
}

/// Why a sync came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What is kept cannot be read, written or locked.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// A snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The source has nobody, which nobody was ever known to mean.
    #[error("the source has no recipient in the domains that are served ({0})")]
    Empty(String),
    /// What is in force changed in the meantime, by hand.
    #[error("another snapshot was put in force in the meantime")]
    Overtaken,
}

impl From<BuildError> for SyncError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Sink(error) => SourceError::from(error).into(),
            BuildError::Store(error) => ShelfError::from(error).into(),
            BuildError::Snapshot(error) => error.into(),
            BuildError::Resync => SourceError::Resync.into(),
        }
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        ShelfError::from(error).into()
    }
}

impl SyncError {
    /// Whether it was only told to stop.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Source(SourceError::Sink(SinkError::Stopped)))
    }
}

/// What a sync has come to, before it is told.
struct Done {
    outcome: Outcome,
    meta: Meta,
}

impl Syncing<'_> {
    /// Does it. Runs on a thread where waiting for a file is allowed; to be dropped where it waits means to end it.
    pub async fn run(&self) -> Synced {
        let before = self.shelf.state().unwrap_or_default();
        match self.attempt().await {
            Ok(Done { outcome, meta }) => {
                let told = self.shelf.change(|state| {
                    state.tried = Some(self.now());
                    (state.failures, state.trouble) = (0, None);
                    state.notes.clone_from(&meta.notes);
                    Ok(())
                });
                if let Err(error) = told {
                    tracing::warn!(directory = &**self.shelf.name(), %error, "cannot note how a sync went");
                }
                let Meta { counts, notes, .. } = meta;
                Synced { outcome, recovered: before.failures > 0, counts: Some(counts), notes }
            }
            Err(error) => self.failed(error),
        }
    }

    fn now(&self) -> Stamp {
        Stamp::from((self.clock)())
    }

    /// Notes a failure, as far as that can be.
    fn failed(&self, error: SyncError) -> Synced {
        let later = match &error {
            SyncError::Source(SourceError::Later(pause)) => Some(*pause),
            SyncError::Source(_)
            | SyncError::Shelf(_)
            | SyncError::Snapshot(_)
            | SyncError::Empty(_)
            | SyncError::Overtaken => None,
        };
        if error.is_stop() {
            // That tells nothing of the source.
            let super::shelf::State { as_of, failures, .. } = self.shelf.state().unwrap_or_default();
            let outcome = Outcome::Failed { error, as_of, later, failures };
            return Synced { outcome, recovered: false, counts: None, notes: Vec::new() };
        }
        let noted = self.shelf.change(|state| {
            state.tried = Some(self.now());
            state.failures = state.failures.saturating_add(1);
            state.trouble = Some(error.to_string());
            Ok((state.as_of, state.failures))
        });
        let (as_of, failures) = noted.unwrap_or_else(|_| {
            let state = self.shelf.state().unwrap_or_default();
            (state.as_of, state.failures.saturating_add(1))
        });
        let outcome = Outcome::Failed { error, as_of, later, failures };
        Synced { outcome, recovered: false, counts: None, notes: Vec::new() }
    }

    async fn attempt(&self) -> Result<Done, SyncError> {
        let Self { directory, shelf, .. } = self;
        let _alone = shelf.lock_sync()?;
        shelf.store.sweep(LABEL)?;
        let now = self.now();
        let opened = shelf.newest_good(&directory.rules, now, |opened| {
            opened.snapshot.verify()?;
            Ok(opened)
        });
        // With nothing good left, what comes is the first there is.
        let opened = match opened {
            Err(ShelfError::NoneGood(why)) => {
                tracing::warn!(
                    directory = &**shelf.name(),
                    why,
                    "no snapshot can be used; everything is asked for"
                );
                None
            }
            opened => opened?,
        };
        let state = match shelf.state() {
            Err(ShelfError::Store(StoreError::Damaged(_))) => shelf.change(|state| Ok(state.clone()))?,
            state => state?,
        };
        let question = self.question();
        let is_sound = opened.as_ref().is_some_and(|opened| opened.fallback.is_none());
        let cookie = state.cookie.filter(|_| self.own && is_sound && state.question == question);
        let attempt = Attempt {
            sync: self,
            now,
            base: state.in_force.map(|in_force| in_force.serial),
            old: opened.as_ref().map(|opened| &opened.snapshot),
            view: opened
                .as_ref()
                .map_or(View { now, grace: directory.rules.removal_grace, from: Grace::Missed }, |opened| {
                    opened.view
                }),
            anew: !is_sound,
            question,
        };
        if let Some(cookie) = cookie {
            match attempt.ask(Some(&cookie)).await {
                Err(SyncError::Source(SourceError::Resync)) => {}
                done => return done,
            }
        }
        attempt.ask(None).await
    }

    /// Stands for what is asked and how the answer is taken: where it is another one, changes are of no use.
    fn question(&self) -> Box<str> {
        let config::Directory { name: _, source, rules, place: _ } = self.directory;
        let config::SyncRules { include, patterns, .. } = rules;
        let mut served: Vec<String> = self.served.iter().map(ToString::to_string).collect();
        served.sort();
        // Secrets do not show themselves, and another password is no other question.
        let all = format!("{source:?} {include:?} {patterns} {served:?}");
        let digest = Sha256::digest(all);
        digest.iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}")).into()
    }
}

/// One question to the source.
struct Attempt<'a> {
    sync: &'a Syncing<'a>,
    now: Stamp,
    base: Option<u64>,
    old: Option<&'a Snapshot>,
    view: View,
    /// Whether what is in force is damaged.
    anew: bool,
    question: Box<str>,
}

impl Attempt<'_> {
    async fn ask(&self, since: Option<&Cookie>) -> Result<Done, SyncError> {
        let Syncing { directory, source, shelf, served, watch, .. } = *self.sync;
        let terms = Terms {
            directory: &directory.name,
            rules: &directory.rules,
            served,
            store: &shelf.store,
            old: self.old,
            view: self.view,
            anew: self.anew,
        };
        let of =
            since.is_none().then(|| self.old.map(|old| old.meta().counts.kinds.values().sum())).flatten();
        let at = |step, records| watch(Progress { step, records, of });
        let tell = |records| at(Step::Asking, records);
        let mut intake = terms.intake(since.is_some(), &tell)?;
        let complete = source.sync(since, &mut intake).await?;
        let Complete { extent, cookie, notes } = complete;
        if at(Step::Comparing, 0).is_break() {
            return Err(SourceError::from(SinkError::Stopped).into());
        }
        let cookie = cookie.filter(|_| self.sync.own);
        let onward = Onward { cookie, question: self.question.clone() };
        let keep = directory.rules.keep;
        let unchanged = match (extent, since, self.old) {
            (Extent::Nothing, Some(_), Some(old)) => {
                let Meta { digest, addresses, .. } = old.meta().clone();
                Some(Meta { addresses, notes, digest, ..Meta::default() })
            }
            (Extent::Nothing, ..) => return Err(SourceError::Resync.into()),
            (Extent::Everything | Extent::Changes, ..) => match terms.finish(intake, extent, notes)? {
                Finished::Unchanged(meta) => Some(*meta),
                Finished::New(built) => return self.take(*built, onward),
            },
        };
        let Some(meta) = unchanged else { return Err(SyncError::Overtaken) };
        if !shelf.confirm(self.base, onward, self.now, keep)? {
            return Err(SyncError::Overtaken);
        }
        Ok(Done { outcome: Outcome::Unchanged { total: meta.addresses }, meta })
    }

    fn take(&self, built: Built, onward: Onward) -> Result<Done, SyncError> {
        let Syncing { directory, shelf, .. } = *self.sync;
        let meta = built.meta.clone();
        let (added, removed, total) = (built.added, built.removed, meta.addresses);
        if self.old.is_none() && meta.is_empty() {
            let Counts { seen, invalid, outside, .. } = meta.counts;
            let what = format!("{seen} addresses, {invalid} of them invalid, {outside} elsewhere");
            return Err(SyncError::Empty(what));
        }
        let outcome = match shelf.take(built, self.base, onward, self.now, directory.rules.keep)? {
            Taken::Applied { serial } => {
                Outcome::Applied(Applied { serial, added, removed, total, first: self.base.is_none() })
            }
            Taken::Held { serial, why } => Outcome::Held { serial, why },
            Taken::Overtaken => return Err(SyncError::Overtaken),
        };
        Ok(Done { outcome, meta })
    }
}
