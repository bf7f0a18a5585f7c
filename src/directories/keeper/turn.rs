// SPDX-License-Identifier: GPL-3.0-or-later
//! One directory that is kept: when its turn is, and what is loaded of it.

use super::job::{Done, Job};
use super::{Published, Task};
use crate::config;
use crate::directories::schedule::{Last, pause};
use crate::directories::shelf::{InForce, Loaded, Shelf, State};
use crate::directories::source::Source;
use crate::directories::sync::{Applied, Clock, Outcome, Synced};
use crate::mail::DomainPattern;
use crate::policy::{self, Recipients};
use crate::store::Stamp;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// One directory.
pub(super) struct Turn {
    directory: Arc<config::Directory>,
    source: Arc<dyn Source>,
    shelf: Shelf,
    served: Arc<[DomainPattern]>,
    clock: Clock,
    loaded: Option<Loaded>,
    /// What was in force when it was loaded.
    in_force: Option<InForce>,
    /// When the source last confirmed it.
    as_of: Option<Stamp>,
    overdue: bool,
    /// When the source is asked next; nothing where nobody can be asked.
    due: Option<Stamp>,
    /// Whether what is on disk has to be loaded.
    stale: bool,
    working: bool,
    /// What was last complained of the disk.
    complaint: Option<String>,
}

impl Turn {
    /// The directories of a task.
    pub(super) fn all(task: Task) -> Vec<Self> {
        let Task { directories, source_of, state_dir, served, mut known, clock, look: _ } = task;
        let now = Stamp::from(clock());
        let turn = |directory: config::Directory| {
            let shelf = Shelf::new(&state_dir, &directory.name);
            let loaded = known.remove(&directory.name);
            let state = shelf.state().unwrap_or_default();
            let is_whole = loaded.as_ref().is_some_and(|loaded| is_whole(loaded, &served));
            let due = directory.rules.refresh.map(|_| state.due.filter(|_| is_whole).unwrap_or(now));
            let mut turn = Self {
                source: source_of(&directory).into(),
                directory: Arc::new(directory),
                shelf,
                served: Arc::clone(&served),
                clock: Arc::clone(&clock),
                in_force: state.in_force.clone().filter(|in_force| is_loaded(in_force, loaded.as_ref())),
                as_of: state.as_of,
                loaded,
                overdue: false,
                due,
                stale: false,
                working: false,
                complaint: None,
            };
            turn.limit_due(now);
            turn.overdue = turn.is_overdue(now);
            turn
        };
        directories.into_iter().map(turn).collect()
    }

    /// What is next to be done of all, the longest waiting first.
    pub(super) fn next(turns: &mut [Self]) -> Option<(usize, Job)> {
        let now = turns.first().map(Self::now)?;
        let waiting = turns.iter_mut().enumerate().filter(|(_, turn)| !turn.working);
        let ready = waiting.filter(|(_, turn)| turn.stale || turn.due.is_some_and(|due| due <= now));
        // Loading takes no more than a moment, so it comes first.
        let (place, turn) = ready.min_by_key(|(place, turn)| (!turn.stale, turn.due, *place))?;
        let sync = turn.due.is_some_and(|due| due <= now);
        turn.working = true;
        let job = Job {
            directory: Arc::clone(&turn.directory),
            source: Arc::clone(&turn.source),
            shelf: turn.shelf.clone(),
            served: Arc::clone(&turn.served),
            clock: Arc::clone(&turn.clock),
            sync,
            load: turn.stale,
        };
        Some((place, job))
    }

    /// Looks whether anything has changed but by a sync of ours; gives the directory when it is overdue now and was not, or
    /// the other way round.
    pub(super) fn look(&mut self) -> Option<Published> {
        let now = self.now();
        match self.shelf.state() {
            Ok(state) => {
                self.complaint = None;
                self.note(state, now);
            }
            Err(error) => self.complain(&error.to_string()),
        }
        self.stale |= self.loaded.as_ref().and_then(|loaded| loaded.next_expiry).is_some_and(|at| at <= now);
        let overdue = self.is_overdue(now);
        if std::mem::replace(&mut self.overdue, overdue) == overdue {
            return None;
        }
        if overdue {
            let age = self.as_of.map(|as_of| now.since(as_of));
            tracing::warn!(
                directory = %self.directory.name,
                ?age,
                "directory is older than max_age: who is not in it is deferred from now on"
            );
        }
        Some(self.publishable())
    }

    /// Takes in how it stands on disk.
    fn note(&mut self, state: State, now: Stamp) {
        let State { in_force, as_of, due, .. } = state;
        if !self.working && in_force != self.in_force {
            self.stale = true;
        }
        if as_of > self.as_of {
            // A command has asked the source.
            self.as_of = as_of;
            if let (Some(next), Some(_)) = (due, self.directory.rules.refresh) {
                self.due = Some(next);
                self.limit_due(now);
            }
        }
    }

    /// Takes in what came of a job; gives the directory when it is to be published, and recipients that are used no more.
    pub(super) fn take(&mut self, done: Done) -> Option<(Published, Option<Arc<Recipients>>)> {
        self.working = false;
        let now = self.now();
        let Done { synced, loaded } = done;
        if let Some(synced) = synced {
            self.schedule(&synced, now);
            self.tell(&synced);
        }
        let loaded = match loaded? {
            Ok(loaded) => loaded,
            Err(error) => {
                self.complain(&error.to_string());
                return None;
            }
        };
        self.stale = false;
        let state = self.shelf.state().unwrap_or_default();
        self.in_force = state.in_force;
        self.as_of = state.as_of;
        self.overdue = self.is_overdue(now);
        if let Some(why) = loaded.as_ref().and_then(|loaded| loaded.fallback.as_ref()) {
            tracing::warn!(directory = %self.directory.name, why, "an older snapshot is in force");
        }
        let old = std::mem::replace(&mut self.loaded, loaded).map(|loaded| loaded.recipients);
        self.tell_of_groups(old.as_deref());
        Some((self.publishable(), old))
    }

    /// Its job has come to nothing at all.
    pub(super) fn release(&mut self) {
        if std::mem::take(&mut self.working) {
            let last = Last::Failed { failures: 4, known: self.loaded.is_some(), later: None };
            self.wait(last, self.now());
        }
    }

    /// What is loaded, for the keeper after this one.
    pub(super) fn into_loaded(self) -> Option<(Arc<str>, Loaded)> {
        Some((Arc::clone(&self.directory.name), self.loaded?))
    }

    fn schedule(&mut self, synced: &Synced, now: Stamp) {
        let last = match &synced.outcome {
            Outcome::Applied(_) | Outcome::Unchanged { .. } | Outcome::Held { .. } => {
                self.as_of = self.shelf.state().map_or(self.as_of, |state| state.as_of);
                Last::Complete
            }
            Outcome::Failed { error: _, as_of: _, later, failures } => {
                Last::Failed { failures: *failures, known: self.loaded.is_some(), later: *later }
            }
        };
        self.wait(last, now);
        if let Some(due) = self.due
            && let Err(error) = self.shelf.set_due(due)
        {
            self.complain(&error.to_string());
        }
    }

    fn wait(&mut self, last: Last, now: Stamp) {
        let number = RandomState::new().hash_one(&self.directory.name);
        self.due = self.directory.rules.refresh.map(|refresh| now.after(pause(last, refresh, number)));
    }

    /// Nobody waits longer than `refresh` asks: it may have been made shorter, or the clock turned back.
    fn limit_due(&mut self, now: Stamp) {
        if let (Some(due), Some(refresh)) = (&mut self.due, self.directory.rules.refresh) {
            *due = (*due).min(now.after(refresh + refresh / 10));
        }
    }

    fn is_overdue(&self, now: Stamp) -> bool {
        let too_old = |max_age: Duration| self.as_of.is_some_and(|as_of| now.since(as_of) > max_age);
        self.directory.rules.max_age.is_some_and(too_old)
    }

    fn publishable(&self) -> Published {
        let directory = Arc::new(policy::Directory {
            name: Arc::clone(&self.directory.name),
            recipients: self.loaded.as_ref().map(|loaded| Arc::clone(&loaded.recipients)),
            overdue: self.overdue,
        });
        Published { directory, loaded: self.loaded.clone() }
    }

    /// Says which groups nobody is in any more by whom mail is routed.
    fn tell_of_groups(&self, old: Option<&Recipients>) {
        let Some((old, new)) = old.zip(self.loaded.as_ref().map(|loaded| &loaded.recipients)) else { return };
        for (group, _) in new.groups.iter().filter(|(_, members)| members.is_empty()) {
            if old.groups.get(group).is_some_and(|members| !members.is_empty()) {
                let directory = &*self.directory.name;
                tracing::warn!(
                    directory,
                    group = &**group,
                    "nobody is in this group any more, which a route names"
                );
            }
        }
    }

    fn now(&self) -> Stamp {
        Stamp::from((self.clock)())
    }

    fn complain(&mut self, error: &str) {
        if self.complaint.as_deref() != Some(error) {
            tracing::warn!(directory = %self.directory.name, error, "cannot use what is kept of a directory");
            self.complaint = Some(error.to_owned());
        }
    }

    fn tell(&self, synced: &Synced) {
        let Synced { outcome, recovered, counts: _, notes: _ } = synced;
        let directory = &*self.directory.name;
        if *recovered {
            tracing::info!(directory, "directory answers again");
        }
        match outcome {
            Outcome::Applied(Applied { serial, added, removed, total, first: _ }) => {
                tracing::info!(directory, snapshot = serial, added, removed, total, "directory synced");
            }
            Outcome::Unchanged { total } => tracing::debug!(directory, total, "directory unchanged"),
            Outcome::Held { serial, why } => tracing::warn!(
                directory,
                snapshot = serial,
                why = why.join("; "),
                "sync held; the old data stay in force: look with `postern directories diff`, take it with `accept`"
            ),
            Outcome::Failed { error, as_of: None, later: _, failures } => {
                tracing::warn!(directory, %error, failures, "sync failed; nothing is known of the directory yet");
            }
            Outcome::Failed { error, as_of: Some(as_of), later: _, failures } => {
                tracing::warn!(
                    directory,
                    %error,
                    failures,
                    age = ?self.now().since(*as_of),
                    "sync failed; what was in force stays"
                );
            }
        }
    }
}

/// Whether it knows of every domain that is served and is no older one in the place of one that is damaged: what is not, is
/// mended by a sync, and that need not wait.
fn is_whole(loaded: &Loaded, served: &[DomainPattern]) -> bool {
    let Loaded { meta, fallback, .. } = loaded;
    let knows = |pattern: &DomainPattern| {
        let pattern = pattern.to_string();
        meta.served.iter().any(|known| **known == *pattern)
    };
    fallback.is_none() && served.iter().all(knows)
}

/// Whether what is loaded is what is in force.
fn is_loaded(in_force: &InForce, loaded: Option<&Loaded>) -> bool {
    loaded.is_some_and(|loaded| loaded.serial == in_force.serial)
}
