// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done about directories while Postern serves: those that are synced are kept true, what domains learn is written
//! down, and what an administrator has approved of it is put in force.

use super::status::LoadedDirectory;
use crate::config::Config;
use crate::directories::{Keeper, Known, LEARNED, Learned, Published, Task, source_of};
use crate::gate::{self, Gate};
use crate::policy::{self, Directories, Policy};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;

/// How often it is looked whether a command has put anything in force.
const LOOK: Duration = Duration::from_secs(1);
/// How long what was learned may take to be written down at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// All that watches directories for the configuration in force.
pub(super) struct DirectoryWatch {
    /// Nothing where no directory is synced.
    keeper: Option<Keeper>,
    known: Arc<Mutex<Known>>,
    /// Names of those that are synced.
    names: Vec<Arc<str>>,
    learning: Learning,
}

impl DirectoryWatch {
    /// Begins, with what is loaded, after `before` if there was another configuration. To be called when the policy of the
    /// configuration is in force.
    pub(super) fn begin(gate: &Arc<Gate>, config: &Config, known: Known, before: Option<Learning>) -> Self {
        let directories: Vec<_> =
            config.directories.iter().filter(|directory| directory.is_synced()).cloned().collect();
        let names: Vec<Arc<str>> = directories.iter().map(|directory| Arc::clone(&directory.name)).collect();
        let shared = Arc::new(Mutex::new(known.clone()));
        let learning = Learning::begin(&config.state_dir, before);
        if directories.is_empty() {
            return Self { keeper: None, known: shared, names, learning };
        }
        let task = Task {
            directories,
            source_of: Box::new(source_of),
            state_dir: Arc::from(config.state_dir.as_path()),
            served: config.domains.iter().map(|domain| domain.pattern.clone()).collect(),
            known,
            clock: Arc::new(SystemTime::now),
            look: LOOK,
        };
        let (gate, loaded) = (Arc::clone(gate), Arc::clone(&shared));
        let publish = move |published: &[Published]| {
            let mut known = loaded.lock().unwrap_or_else(PoisonError::into_inner);
            for Published { directory, loaded } in published {
                match loaded {
                    Some(loaded) => drop(known.insert(Arc::clone(&directory.name), loaded.clone())),
                    None => drop(known.remove(&directory.name)),
                }
            }
            drop(known);
            gate.renew(|policy| with(policy, published.iter().map(|published| &published.directory)));
        };
        let keeper = Keeper::start(task, publish)
            .inspect_err(
                |error| tracing::warn!(%error, "cannot keep directories true; they stay as they are"),
            )
            .ok();
        Self { keeper, known: shared, names, learning }
    }

    /// What is loaded of those that are synced, for a reload.
    pub(super) fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, as it is told to commands.
    pub(super) fn loaded(&self) -> Vec<LoadedDirectory> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = |name: &Arc<str>| LoadedDirectory {
            name: name.to_string(),
            snapshot: known.get(name).map(|loaded| loaded.serial),
        };
        self.names.iter().map(loaded).collect()
    }

    /// Writes down what domains have learned, and looks whether anything was approved.
    pub(super) async fn look(&mut self, gate: &Arc<Gate>, config: &Config) {
        self.learning.look(gate, &config.state_dir).await;
    }

    /// Which state of the file with what was learned is in force: when it was written, in nanoseconds since 1970.
    pub(super) fn learned(&self) -> Option<u64> {
        written(self.learning.in_force?)
    }

    /// Ends it for another configuration. From then on no directory changes by itself; what is loaded may be used further.
    pub(super) fn end(self) -> (Known, Learning) {
        (self.keeper.map_or_else(Known::new, Keeper::stop), self.learning)
    }

    /// Ends it for good.
    pub(super) async fn finish(self, gate: &Arc<Gate>, config: &Config) {
        let Self { keeper, known: _, names: _, learning } = self;
        learning.end(gate, &config.state_dir).await;
        drop(keeper.map(Keeper::stop));
    }
}

/// The policy with who was approved until now, where that cannot be read anew.
pub(super) fn keep_approved(policy: Policy, old: &Policy) -> Policy {
    let find = |policy: &Policy| policy.directories().iter().find(|one| *one.name == *LEARNED).cloned();
    match (find(&policy), find(old)) {
        (Some(new), Some(old)) if new.recipients.is_none() => with(&policy, [&old].into_iter()),
        (Some(_) | None, _) => policy,
    }
}

/// When a file was written, in nanoseconds since 1970.
pub(super) fn written(time: SystemTime) -> Option<u64> {
    u64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos()).ok()
}

/// A policy in which these directories have taken the places of those of the same names.
fn with<'a>(policy: &Policy, directories: impl Iterator<Item = &'a Arc<policy::Directory>>) -> Policy {
    let new: Vec<&Arc<policy::Directory>> = directories.collect();
    let all = policy.directories().iter().map(|old| {
        let found = new.iter().find(|new| new.name == old.name);
        Arc::clone(found.map_or(old, |new| *new))
    });
    policy.with_directories(all.collect::<Directories>())
}

/// What domains learn.
#[derive(Debug)]
pub(super) struct Learning {
    file: PathBuf,
    /// As it was when it was last read.
    read: Option<SystemTime>,
    /// As it was when what is in force was read.
    in_force: Option<SystemTime>,
    /// What the disk has refused; for the next time.
    unsaved: gate::Learned,
    /// What was last complained of the disk.
    complaint: Option<String>,
    /// What is done beside everything else: the disk may be slow.
    work: Option<JoinHandle<Looked>>,
}

/// What came of a look at the disk.
#[derive(Debug)]
struct Looked {
    /// Nothing where it cannot be read; who was approved then stays as it was.
    directory: Option<policy::Directory>,
    /// What could not be written.
    unsaved: gate::Learned,
    /// What the disk says.
    trouble: Option<String>,
}

impl Learning {
    /// Begins, or goes on after another configuration.
    fn begin(state_dir: &Path, before: Option<Self>) -> Self {
        let file = Learned::file(state_dir);
        // It was read with the configuration, if perhaps a moment before; what changed in that moment is read again.
        let new = Self {
            file,
            read: None,
            in_force: None,
            unsaved: gate::Learned::default(),
            complaint: None,
            work: None,
        };
        match before {
            Some(Self { unsaved, complaint, work, .. }) => Self { unsaved, complaint, work, ..new },
            None => new,
        }
    }

    async fn look(&mut self, gate: &Arc<Gate>, state_dir: &Path) {
        if let Some(work) = self.work.take_if(|work| work.is_finished())
            && let Ok(looked) = work.await
        {
            self.take(looked, gate);
        }
        if self.work.is_some() {
            return;
        }
        self.unsaved.absorb(gate.learned());
        let written = std::fs::metadata(&self.file).and_then(|file| file.modified()).ok();
        if self.unsaved.is_empty() && written == self.read {
            return;
        }
        self.read = written;
        let (state_dir, noted) = (state_dir.to_owned(), std::mem::take(&mut self.unsaved));
        self.work = Some(tokio::task::spawn_blocking(move || Looked::at(&state_dir, noted)));
    }

    /// Takes in what came of a look.
    fn take(&mut self, looked: Looked, gate: &Arc<Gate>) {
        let Looked { directory, unsaved, trouble } = looked;
        self.unsaved.absorb(unsaved);
        if trouble != self.complaint
            && let Some(why) = &trouble
        {
            tracing::warn!(why, "cannot keep what is learned of recipients; trying on");
        }
        self.complaint = trouble;
        if let Some(directory) = directory {
            let directory = Arc::new(directory);
            gate.renew(|policy| with(policy, [&directory].into_iter()));
            self.in_force = self.read;
        }
    }

    /// Writes down what is left, within a time.
    async fn end(mut self, gate: &Arc<Gate>, state_dir: &Path) {
        let last = async {
            if let Some(work) = self.work.take()
                && let Ok(looked) = work.await
            {
                self.take(looked, gate);
            }
            self.unsaved.absorb(gate.learned());
            if self.unsaved.is_empty() {
                return;
            }
            let (state_dir, noted) = (state_dir.to_owned(), std::mem::take(&mut self.unsaved));
            let work = tokio::task::spawn_blocking(move || Looked::at(&state_dir, noted)).await;
            if let Ok(Looked { trouble: Some(why), unsaved, .. }) = work {
                tracing::warn!(
                    why,
                    lost = unsaved.addresses.len(),
                    "cannot keep what is learned of recipients"
                );
            }
        };
        // A disk that hangs must not keep us.
        let _ = tokio::time::timeout(LAST_WORDS, last).await;
    }
}

impl Looked {
    /// Writes down what was noted, and reads what is there then.
    fn at(state_dir: &Path, noted: gate::Learned) -> Self {
        let mut looked = Self { directory: None, unsaved: gate::Learned::default(), trouble: None };
        if !noted.is_empty()
            && let Err(error) =
                Learned::update(state_dir, |learned| learned.merge(noted.clone(), SystemTime::now()))
        {
            looked.trouble = Some(error.to_string());
            looked.unsaved = noted;
        }
        match Learned::read(state_dir) {
            Ok(learned) => looked.directory = Some(learned.directory()),
            Err(error) => looked.trouble = Some(error.to_string()),
        }
        looked
    }
}
