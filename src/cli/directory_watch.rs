// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done about directories while Postern serves: those that are synced are kept true, what domains learn is written
//! down, and what an administrator has approved of it is put in force.

use super::status::LoadedDirectory;
use crate::config::Config;
use crate::directories::{Keeper, Known, Learned, Published, Task, source_of};
use crate::gate::Gate;
use crate::policy::{self, Directories, Policy};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;

/// How often it is looked whether a command has put anything in force.
const LOOK: Duration = Duration::from_secs(1);

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
    /// Begins, with what is loaded. To be called when the policy of the configuration is in force.
    pub(super) fn begin(gate: &Arc<Gate>, config: &Config, known: Known) -> Self {
        let directories: Vec<_> =
            config.directories.iter().filter(|directory| directory.is_synced()).cloned().collect();
        let names: Vec<Arc<str>> = directories.iter().map(|directory| Arc::clone(&directory.name)).collect();
        let shared = Arc::new(Mutex::new(known.clone()));
        let learning = Learning::begin(&config.state_dir);
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

    /// Ends it. From then on no directory changes by itself; what is loaded may be used further.
    pub(super) fn end(self) -> Known {
        self.keeper.map_or_else(Known::new, Keeper::stop)
    }
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
struct Learning {
    file: PathBuf,
    /// As it was when it was last read.
    read: Option<SystemTime>,
    /// What is done beside everything else: the disk may be slow.
    work: Option<JoinHandle<Option<policy::Directory>>>,
}

impl Learning {
    fn begin(state_dir: &Path) -> Self {
        let file = Learned::file(state_dir);
        // It was read with the configuration, if perhaps a moment before; what changed in that moment is read again.
        Self { read: None, file, work: None }
    }

    async fn look(&mut self, gate: &Arc<Gate>, state_dir: &Path) {
        if let Some(work) = self.work.take_if(|work| work.is_finished())
            && let Ok(Some(directory)) = work.await
        {
            let directory = Arc::new(directory);
            gate.renew(|policy| with(policy, [&directory].into_iter()));
        }
        if self.work.is_some() {
            return;
        }
        let noted = gate.learned();
        let nothing_noted = noted.addresses.is_empty() && noted.missed == 0;
        let written = std::fs::metadata(&self.file).and_then(|file| file.modified()).ok();
        if nothing_noted && written == self.read {
            return;
        }
        self.read = written;
        let state_dir = state_dir.to_owned();
        self.work = Some(tokio::task::spawn_blocking(move || {
            if !nothing_noted
                && let Err(error) =
                    Learned::update(&state_dir, |learned| learned.merge(noted, SystemTime::now()))
            {
                tracing::warn!(%error, "cannot write down what was learned of recipients; it is lost");
            }
            match Learned::read(&state_dir) {
                Ok(learned) => Some(learned.directory()),
                Err(error) => {
                    tracing::warn!(%error, "cannot read what was learned; who was approved stays as it was");
                    None
                }
            }
        }));
    }
}
