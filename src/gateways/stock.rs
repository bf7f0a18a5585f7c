// SPDX-License-Identifier: GPL-3.0-or-later
//! Snapshots in use: takes answers in, tells of what they did, keeps them on disk, and puts the gateways together anew
//! where something in them has changed. It does not ask, and it does not wait.

use super::archive::{Archive, Snapshots};
use super::fetch::Fetched;
use super::merge::{Event, merge};
use super::plan::{Composed, Plan};
use super::schedule::{self, Jitter};
use super::snapshot::Snapshot;
use super::source::{SourceError, label};
use crate::config::{AddressSource, Guard};
use crate::policy::{self, Gateways};
use crate::store::Stamp;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A plan and what is known of its sources.
pub struct Stock {
    plan: Plan,
    snapshots: Snapshots,
    /// Nothing where nothing is to be kept: for a look at what would change.
    archive: Option<Archive>,
    clock: Clock,
    composed: Vec<Composed>,
    /// Whether the last writing went wrong, so that it is told once and not for each source.
    unwritable: bool,
}

impl Stock {
    /// A plan with the snapshots there are of its sources; they are kept in this archive, or not at all.
    pub fn new(plan: Plan, snapshots: Snapshots, archive: Option<Archive>, clock: Clock) -> Self {
        let composed: Vec<Composed> =
            plan.gateways().iter().map(|planned| planned.compose(&snapshots)).collect();
        Self { plan, snapshots, archive, clock, composed, unwritable: false }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is known of a source; of one that was never asked, nothing.
    pub fn snapshot(&self, source: &AddressSource) -> Option<&Snapshot> {
        self.snapshots.get(source)
    }

    /// What is known of all of them, for whoever follows.
    pub fn into_snapshots(self) -> Snapshots {
        self.snapshots
    }

    /// The gateways as they are now.
    pub fn gateways(&self) -> Gateways {
        self.composed.iter().map(|composed| Arc::clone(&composed.gateway)).collect()
    }

    /// Tells of each gateway that is kept fresh how it stands.
    pub(super) fn announce(&self) {
        for (planned, composed) in self.plan.gateways().iter().zip(&self.composed) {
            let sources = planned.sources();
            let Some(addresses) = composed.gateway.addresses.as_ref().filter(|_| !sources.is_empty()) else {
                continue;
            };
            let is_loaded =
                |source: &&AddressSource| self.snapshots.get(*source).is_some_and(Snapshot::is_loaded);
            let never_loaded = sources.len() - sources.iter().filter(is_loaded).count();
            let (networks, live) = (addresses.networks.len(), addresses.live.len());
            let gateway = &*composed.gateway.name;
            if never_loaded == 0 {
                tracing::info!(gateway, networks, live, sources = sources.len(), "gateway");
            } else {
                let sources = sources.len();
                tracing::warn!(
                    gateway,
                    networks,
                    live,
                    sources,
                    never_loaded,
                    "gateway: not all of its addresses are known yet; clients that may be its own are deferred"
                );
            }
            warn_of_outside(composed);
        }
    }

    /// Removes from the disk what was left behind.
    pub(super) fn clean(&self) {
        let used: HashSet<AddressSource> = self.plan.sources().keys().cloned().collect();
        let cleaned = self.archive.as_ref().map(|archive| archive.clean(&used, (self.clock)()));
        if let Some(Err(error)) = cleaned {
            tracing::warn!(%error, "cannot tidy up what is kept of gateways");
        }
    }

    /// When a source is due, from now.
    pub(super) fn due_in(&self, source: &AddressSource) -> Duration {
        let now = Stamp::from((self.clock)());
        let known = self.snapshots.get(source).filter(|snapshot| snapshot.is_loaded());
        let times = known.and_then(|snapshot| Some((snapshot.checked?, snapshot.due?)));
        // What was asked in the future was asked by a clock that was wrong, and must not be waited for.
        let due = times.filter(|(checked, _)| *checked <= now).map(|(_, due)| due);
        due.map_or(Duration::ZERO, |due| due.since(now).min(schedule::LONGEST))
    }

    /// Takes an answer in: what it did, and the pause until the next question.
    pub(super) fn take(
        &mut self,
        source: &AddressSource,
        answer: &Result<Fetched, SourceError>,
        force: bool,
    ) -> (Vec<Event>, Duration) {
        let now = Stamp::from((self.clock)());
        let guard = self.plan.sources().get(source).map_or_else(Guard::default, |shared| shared.guard);
        let before = self.snapshots.remove(source).unwrap_or_default();
        let (mut next, events) = merge(&before, answer, now, guard, force);
        let pause = pause(answer, &next);
        next.due = Some(now.after(pause));
        self.tell(source, &events, next.is_loaded());
        self.snapshots.insert(source.clone(), next);
        self.keep(source);
        (events, pause)
    }

    fn tell(&self, source: &AddressSource, events: &[Event], loaded: bool) {
        let (gateway, source) = (self.plan.users(source), label(source));
        for event in events {
            match event {
                Event::Loaded(entries) => {
                    tracing::info!(gateway, source, entries, "gateway: loaded for the first time");
                }
                Event::Changed { added, missing, returned, removed } => {
                    tracing::info!(gateway, source, added, missing, returned, removed, "gateway: changed");
                }
                Event::Recovered => tracing::info!(gateway, source, "gateway: answers again as it should"),
                Event::Failed(why) if loaded => {
                    tracing::warn!(
                        gateway,
                        source,
                        why,
                        "gateway: not refreshed, the last good set stays in force"
                    );
                }
                Event::Failed(why) => {
                    tracing::warn!(
                        gateway,
                        source,
                        why,
                        "gateway: not refreshed, its addresses are still unknown"
                    );
                }
                Event::Stopped(why) => tracing::warn!(
                    gateway,
                    source,
                    why,
                    "gateway: a change was stopped; see `postern gateways diff`, take it with `refresh --force`"
                ),
                Event::Noted(why) => tracing::info!(gateway, source, why, "gateway: worth knowing"),
            }
        }
    }

    fn keep(&mut self, source: &AddressSource) {
        let (Some(snapshot), Some(archive)) = (self.snapshots.get(source), &self.archive) else { return };
        match archive.write(source, snapshot) {
            Ok(()) => self.unwritable = false,
            Err(error) if !self.unwritable => {
                self.unwritable = true;
                tracing::warn!(%error, "cannot keep what is known of gateways; serving from memory");
            }
            Err(_) => {}
        }
    }

    /// Puts the gateways of a source together again; says whether any has changed.
    pub(super) fn recompose(&mut self, source: &AddressSource) -> bool {
        let mut changed = false;
        let Some(shared) = self.plan.sources().get(source) else { return false };
        for place in &shared.gateways {
            let (Some(planned), Some(old)) =
                (self.plan.gateways().get(*place), self.composed.get_mut(*place))
            else {
                continue;
            };
            let new = planned.compose(&self.snapshots);
            if new.outside != old.outside {
                warn_of_outside(&new);
            }
            changed |= !is_same(&old.gateway, &new.gateway);
            *old = new;
        }
        changed
    }
}

impl fmt::Debug for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stock")
            .field("plan", &self.plan)
            .field("archive", &self.archive)
            .finish_non_exhaustive()
    }
}

fn pause(answer: &Result<Fetched, SourceError>, next: &Snapshot) -> Duration {
    let jitter = Jitter::of(RandomState::new().hash_one(0));
    match answer {
        Ok(fetched) if next.failures == 0 => schedule::after_success(fetched.ttl(), jitter),
        // An answer that names nothing is none.
        Ok(_) => schedule::after_failure(None, next.failures, next.is_loaded(), jitter),
        Err(error) => schedule::after_failure(Some(error), next.failures, next.is_loaded(), jitter),
    }
}

fn warn_of_outside(composed: &Composed) {
    /// As many are named.
    const SHOWN: usize = 5;
    let Composed { gateway, outside } = composed;
    if outside.is_empty() {
        return;
    }
    let shown: Vec<String> = outside.iter().take(SHOWN).map(ToString::to_string).collect();
    tracing::warn!(
        gateway = &*gateway.name,
        networks = outside.len(),
        why = shown.join(" "),
        "gateway: published networks outside subset_of are not used"
    );
}

/// Whether two states of one gateway let in the same clients.
fn is_same(one: &policy::Gateway, other: &policy::Gateway) -> bool {
    match (&one.addresses, &other.addresses) {
        (Some(one), Some(other)) => {
            one.complete == other.complete
                && one.live == other.live
                && one.networks.iter().eq(other.networks.iter())
        }
        (one, other) => one.is_none() && other.is_none(),
    }
}
