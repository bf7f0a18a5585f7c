// SPDX-License-Identifier: GPL-3.0-or-later
//! Keeps directories true while Postern serves: syncs each when it is due, loads what commands have put in force, lets those
//! go whose grace is over, and says when data are older than they may be.
//!
//! It has threads of its own, at a lower priority than those that decide, so that no decision waits for a sync. At most
//! [`AT_ONCE`] directories are synced at one time. Large sets are freed here and not by whichever session used them last. A
//! keeper that was stopped publishes nothing any more.

mod job;
mod turn;

use super::shelf::Loaded;
use super::source::Source;
use super::sync::Clock;
use crate::config;
use crate::mail::DomainPattern;
use crate::policy;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use turn::Turn;

/// Directories that are synced at one time: each may need memory for all of its recipients once more.
const AT_ONCE: usize = 2;
/// How much later than others these threads get the processor (`nice(2)`).
const NICE: i32 = 10;

/// What is loaded of directories, by their names.
pub type Known = HashMap<Arc<str>, Loaded>;

/// Gives who is asked about a directory.
pub type SourceOf = Box<dyn Fn(&config::Directory) -> Box<dyn Source> + Send>;

/// What a keeper works with.
pub struct Task {
    /// The directories that are synced.
    pub directories: Vec<config::Directory>,
    /// Who is asked about each of them.
    pub source_of: SourceOf,
    /// Where snapshots are kept.
    pub state_dir: Arc<Path>,
    /// The domains that Postern serves.
    pub served: Arc<[DomainPattern]>,
    /// What is loaded already.
    pub known: Known,
    /// Tells the time.
    pub clock: Clock,
    /// How often it is looked what is due, and whether a command has changed anything.
    pub look: Duration,
}

/// A directory as it is from now on.
#[derive(Clone, Debug)]
pub struct Published {
    /// The directory.
    pub directory: Arc<policy::Directory>,
    /// What is loaded of it.
    pub loaded: Option<Loaded>,
}

/// A keeper at work.
#[derive(Debug)]
pub struct Keeper {
    stop: Arc<Stop>,
    thread: thread::JoinHandle<Known>,
}

/// The word to stop, for those who wait and those who work.
#[derive(Debug, Default)]
pub(super) struct Stop {
    said: AtomicBool,
    wake: Notify,
}

impl Stop {
    /// Whether it was said.
    fn is_said(&self) -> bool {
        self.said.load(Ordering::Acquire)
    }

    /// Waits until it is said.
    async fn heard(&self) {
        let wake = self.wake.notified();
        tokio::pin!(wake);
        // Enlisted before looking, so that a word in between is not missed.
        wake.as_mut().enable();
        if !self.is_said() {
            wake.await;
        }
    }

    fn say(&self) {
        self.said.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }
}

impl Keeper {
    /// Sets one to work; `publish` is called on its thread with each directory that has changed. An error says that the system
    /// has no thread for it.
    pub fn start(task: Task, publish: impl FnMut(&[Published]) + Send + 'static) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = Arc::new(Stop::default());
        let heard = Arc::clone(&stop);
        let thread = thread::Builder::new().name("postern-dirs".into()).spawn(move || {
            // Threads that this one starts inherit it. Not being nicer is no reason not to work.
            let _ = rustix::process::setpriority_process(None, NICE);
            runtime.block_on(keep(task, publish, heard))
        })?;
        Ok(Self { stop, thread })
    }

    /// Stops it, waits until it has stopped, and takes over what it has loaded. A sync under way is given up.
    pub fn stop(self) -> Known {
        self.stop.say();
        // One that panicked has said so on standard error; what it had kept is on disk.
        self.thread.join().unwrap_or_default()
    }
}

/// Syncs in time, until it is told to stop.
pub(super) async fn keep(task: Task, mut publish: impl FnMut(&[Published]), stop: Arc<Stop>) -> Known {
    let mut looks = interval(task.look);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns: Vec<Turn> = Turn::all(task);
    let mut jobs: JoinSet<(usize, job::Done)> = JoinSet::new();
    let mut retired: Vec<Arc<policy::Recipients>> = Vec::new();
    loop {
        tokio::select! {
            () = stop.heard() => break,
            _ = looks.tick() => {
                retired.retain(|recipients| Arc::strong_count(recipients) > 1);
                let aged: Vec<_> = turns.iter_mut().filter_map(Turn::look).collect();
                if !aged.is_empty() {
                    publish(&aged);
                }
            }
            Some(done) = jobs.join_next() => {
                if let Some((place, done)) = told(done)
                    && let Some(turn) = turns.get_mut(place)
                    && let Some((directory, old)) = turn.take(done)
                {
                    publish(&[directory]);
                    retired.extend(old);
                } else if jobs.is_empty() {
                    // A job that panicked cannot say whose it was.
                    turns.iter_mut().for_each(Turn::release);
                }
            }
        }
        while jobs.len() < AT_ONCE {
            let Some((place, job)) = Turn::next(&mut turns) else { break };
            let (stop, runtime) = (Arc::clone(&stop), runtime::Handle::current());
            jobs.spawn_blocking(move || (place, runtime.block_on(job.run(&stop))));
        }
    }
    // They have been told, too.
    while let Some(done) = jobs.join_next().await {
        if let Some((place, done)) = told(done)
            && let Some(turn) = turns.get_mut(place)
        {
            drop(turn.take(done));
        }
    }
    turns.into_iter().filter_map(Turn::into_loaded).collect()
}

fn told(done: Result<(usize, job::Done), JoinError>) -> Option<(usize, job::Done)> {
    done.inspect_err(|error| tracing::error!(%error, "a sync went wrong; what was in force stays")).ok()
}

#[cfg(test)]
mod simulation;
