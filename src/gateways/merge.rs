// SPDX-License-Identifier: GPL-3.0-or-later
//! What an answer makes of a snapshot. Pure: the moment and the guard come from outside.
//!
//! | answer | becomes |
//! |---|---|
//! | none, or one that names nothing | the last good set stays; trouble |
//! | more than ten times as much | the last good set stays; held |
//! | too much is gone | what is new is added, nothing goes; held |
//! | otherwise | what is new is added at once; what is gone goes when it was gone for `removal_hold` |
//!
//! How much is gone or new is measured in networks and in addresses of each family, against everything in force, so that
//! neither many small steps nor a set that is cut otherwise deceive. A small set may grow to a hundred networks, a /15 and an
//! IPv6 /32. By force, an answer that names anything is taken as it is.

use super::fetch::{Fetched, Validators};
use super::measure::Measured;
use super::snapshot::{Change, Entry, Held, Item, Snapshot, Trouble};
use super::source::{Published, SourceError};
use crate::config::Guard;
use crate::store::Stamp;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// Something that an answer did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The first good set there ever was.
    Loaded(usize),
    /// The set is another now.
    Changed {
        /// How many came.
        added: usize,
        /// How many are published no longer, and stay for `removal_hold`.
        missing: usize,
        /// How many of those came back.
        returned: usize,
        /// How many of those went.
        removed: usize,
    },
    /// Nothing usable came.
    Failed(String),
    /// A guard stopped it.
    Stopped(String),
    /// What was wrong is no longer.
    Recovered,
    /// An administrator should know this about the set.
    Noted(String),
}

/// The snapshot after an answer, and what that did.
pub fn merge(
    before: &Snapshot,
    answer: &Result<Fetched, SourceError>,
    now: Stamp,
    guard: Guard,
    force: bool,
) -> (Snapshot, Vec<Event>) {
    let mut next = Snapshot { checked: Some(now), ..before.clone() };
    let events = match answer {
        Err(error) => next.fail(error.to_string(), now),
        Ok(Fetched::Published(published, _))
            if published.networks.is_empty() && published.live.is_empty() =>
        {
            next.fail("the answer is empty".to_owned(), now)
        }
        Ok(Fetched::Published(published, validators)) => {
            let items = items(published);
            match next.stopped(&items, now, guard).filter(|_| !force) {
                Some(held) => next.hold(held, &items, now),
                None => next.accept(published, validators, &items, now, guard, force),
            }
        }
        Ok(Fetched::Unchanged(_)) if !before.is_loaded() => {
            next.fail("\"not modified\" to a question without a condition".to_owned(), now)
        }
        Ok(Fetched::Unchanged(_)) => {
            let published = before.entries.iter().filter(|entry| entry.missing_since.is_none());
            let items = published.map(|entry| (entry.item.clone(), Arc::clone(&entry.via))).collect();
            next.take(&items, now, guard, force)
        }
    };
    (next, events)
}

/// What an answer names, and the way to each.
type Items = HashMap<Item, Arc<str>>;

fn items(published: &Published) -> Items {
    let Published { networks, live, ttl: _, validated: _, notes: _ } = published;
    let live = live.iter().map(|name| (Item::Live(name.clone()), Arc::from(name.as_str())));
    let networks = networks.iter().map(|found| (Item::Network(found.network), Arc::clone(&found.via)));
    live.chain(networks).collect()
}

impl Snapshot {
    fn fail(&mut self, why: String, now: Stamp) -> Vec<Event> {
        self.failures = self.failures.saturating_add(1);
        self.worry(why.clone(), now);
        vec![Event::Failed(why)]
    }

    fn worry(&mut self, why: String, now: Stamp) {
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, why });
    }

    /// What is too large a change to happen by itself, if this is one. The first good set is compared to nothing.
    fn stopped(&self, items: &Items, now: Stamp, guard: Guard) -> Option<Held> {
        if !self.is_loaded() {
            return None;
        }
        let old = Measured::new(self.entries.iter().map(|entry| &entry.item));
        let new = Measured::new(items.keys());
        let gone = old.missing_in(&new);
        let change = if new.outgrows(&old) {
            Change::Growth
        } else if old.loses_too_much(gone, &new, guard.max_shrink) {
            Change::Shrink
        } else {
            return None;
        };
        let entry = |(item, via): (&Item, &Arc<str>)| {
            let known = self.entries.iter().find(|entry| entry.item == *item);
            let first_seen = known.map_or(now, |entry| entry.first_seen);
            Entry {
                item: item.clone(),
                via: Arc::clone(via),
                first_seen,
                last_seen: now,
                missing_since: None,
            }
        };
        let mut proposed: Vec<Entry> = items.iter().map(entry).collect();
        sort(&mut proposed);
        Some(Held { change, had: self.entries.len(), has: items.len(), gone, proposed })
    }

    /// Takes of an answer what the guard lets pass: nothing of too large a growth, what is new of too large a shrink.
    fn hold(&mut self, held: Held, items: &Items, now: Stamp) -> Vec<Event> {
        let mut events = vec![Event::Stopped(held.to_string())];
        self.failures = 0;
        self.worry(held.to_string(), now);
        match held.change {
            Change::Growth => {}
            Change::Shrink => {
                let (added, returned) = self.add(items, now);
                if added + returned > 0 {
                    events.push(Event::Changed { added, missing: 0, returned, removed: 0 });
                }
            }
        }
        self.held = Some(held);
        events
    }

    fn accept(
        &mut self,
        published: &Published,
        validators: &Validators,
        items: &Items,
        now: Stamp,
        guard: Guard,
        force: bool,
    ) -> Vec<Event> {
        let fresh = published.notes.iter().filter(|note| !self.notes.contains(note));
        let notes: Vec<Event> = fresh.map(|note| Event::Noted(note.clone())).collect();
        self.notes.clone_from(&published.notes);
        self.validated = published.validated;
        self.validators = validators.clone();
        let mut events = self.take(items, now, guard, force);
        events.extend(notes);
        events
    }

    /// Makes these the last good set.
    fn take(&mut self, items: &Items, now: Stamp, guard: Guard, force: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let first = !self.is_loaded();
        if self.trouble.take().is_some() && !first {
            events.push(Event::Recovered);
        }
        self.failures = 0;
        self.held = None;
        self.loaded = Some(now);
        let mut missing = 0;
        for entry in self.entries.iter_mut().filter(|entry| !items.contains_key(&entry.item)) {
            missing += usize::from(entry.missing_since.is_none());
            entry.missing_since.get_or_insert(now);
        }
        let before = self.entries.len();
        self.entries.retain(|entry| {
            entry.missing_since.is_none() || items.contains_key(&entry.item) || {
                !force && entry.stays(now, guard.removal_hold)
            }
        });
        let removed = before - self.entries.len();
        let (added, returned) = self.add(items, now);
        if first {
            events.push(Event::Loaded(added));
        } else if added + missing + returned + removed > 0 {
            events.push(Event::Changed { added, missing, returned, removed });
        }
        events
    }

    /// Adds what is new of these and brings back what was missing: how many of each.
    fn add(&mut self, items: &Items, now: Stamp) -> (usize, usize) {
        let mut returned = 0;
        let mut known = HashSet::new();
        for entry in &mut self.entries {
            let Some((item, via)) = items.get_key_value(&entry.item) else { continue };
            known.insert(item);
            entry.via = Arc::clone(via);
            entry.last_seen = now;
            returned += usize::from(entry.missing_since.take().is_some());
        }
        let new = items.iter().filter(|(item, _)| !known.contains(item));
        let new = new.map(|(item, via)| Entry {
            item: item.clone(),
            via: Arc::clone(via),
            first_seen: now,
            last_seen: now,
            missing_since: None,
        });
        let before = self.entries.len();
        self.entries.extend(new);
        sort(&mut self.entries);
        (self.entries.len() - before, returned)
    }
}

/// Networks first, ascending; so that the same set is the same file.
fn sort(entries: &mut [Entry]) {
    entries.sort_by(|a, b| match (&a.item, &b.item) {
        (Item::Network(a), Item::Network(b)) => a.cmp(b),
        (Item::Live(a), Item::Live(b)) => a.as_str().cmp(b.as_str()),
        (Item::Network(_), Item::Live(_)) => std::cmp::Ordering::Less,
        (Item::Live(_), Item::Network(_)) => std::cmp::Ordering::Greater,
    });
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, had, has, gone, proposed: _ } = self;
        match change {
            Change::Shrink => {
                write!(f, "{gone} of {had} networks would be gone: too many at once, all are kept")
            }
            Change::Growth => {
                write!(f, "{had} networks would be {has}, or far wider: too much at once, nothing is taken")
            }
        }
    }
}

#[cfg(test)]
mod tests;
