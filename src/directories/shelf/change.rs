// SPDX-License-Identifier: GPL-3.0-or-later
//! Changes of what is in force: each is one new `state.json`, written under the lock. Snapshots are put in their place before,
//! and removed afterwards.

use super::{FORM, Grace, InForce, Pending, STATE, Shelf, ShelfError, State, file_name};
use crate::directories::build::Built;
use crate::directories::source::Cookie;
use crate::store::{Lock, Stamp};
use std::time::Duration;

/// How long a change waits for another to be done.
const PATIENCE: Duration = Duration::from_secs(5);

/// A state on its way to the disk.
#[derive(serde::Serialize)]
struct Written<'a> {
    form: u32,
    #[serde(flatten)]
    state: &'a State,
}

/// Where a source is to go on, and with which question.
#[derive(Clone, Debug, Default)]
pub(in crate::directories) struct Onward {
    pub(in crate::directories) cookie: Option<Cookie>,
    pub(in crate::directories) question: Box<str>,
}

/// What became of a new snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::directories) enum Taken {
    Applied {
        serial: u64,
    },
    Held {
        serial: u64,
        why: Vec<String>,
    },
    /// What it was compared with is no longer in force.
    Overtaken,
}

impl Shelf {
    fn lock(&self) -> Result<Lock, ShelfError> {
        Ok(self.store.lock("lock", PATIENCE)?)
    }

    /// Whoever has this is the only one who syncs.
    pub(in crate::directories) fn lock_sync(&self) -> Result<Lock, ShelfError> {
        Ok(self.store.lock("syncing", PATIENCE)?)
    }

    fn write(&self, state: &State) -> Result<(), ShelfError> {
        let wrong = |error: serde_json::Error| ShelfError::State {
            path: self.dir().join(STATE),
            what: error.to_string(),
        };
        let octets = serde_json::to_vec_pretty(&Written { form: FORM, state }).map_err(wrong)?;
        Ok(self.store.write(STATE, &octets)?)
    }

    /// Changes the state under the lock.
    pub(in crate::directories) fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, ShelfError>,
    ) -> Result<T, ShelfError> {
        let _lock = self.lock()?;
        let mut state = match self.state() {
            // What it said is lost; what follows is all there is.
            Err(ShelfError::Store(crate::store::StoreError::Damaged(_))) => self.salvaged()?,
            state => state?,
        };
        let done = change(&mut state)?;
        self.write(&state)?;
        Ok(done)
    }

    /// What can be told without a state: the newest snapshot that was not kept back is in force.
    fn salvaged(&self) -> Result<State, ShelfError> {
        let mut state = State::default();
        for serial in self.serials()? {
            state.newest = serial;
            if let Ok(snapshot) = self.open_serial(serial)
                && snapshot.meta().held.is_empty()
            {
                let since = snapshot.meta().built;
                state.as_of = Some(since);
                state.in_force = Some(InForce { serial, since, grace: Grace::Missed });
            }
        }
        Ok(state)
    }

    /// Takes a new snapshot, compared with the one in force of this number: puts it in force, or keeps it back.
    pub(in crate::directories) fn take(
        &self,
        built: Built,
        base: Option<u64>,
        onward: Onward,
        now: Stamp,
        keep: usize,
    ) -> Result<Taken, ShelfError> {
        let taken = self.change(|state| {
            if state.in_force.as_ref().map(|in_force| in_force.serial) != base {
                return Ok(Taken::Overtaken);
            }
            let Built { staged, meta, .. } = built;
            let mut why = meta.held.clone();
            if let Some(since) = state.pinned {
                why.push(format!("{} was put in force by hand on {since}", shown(base)));
            }
            state.answered = Some(now);
            let held_before = state.pending.as_ref().filter(|_| !why.is_empty());
            if let Some(pending) = held_before
                && let Ok(snapshot) = self.open_serial(pending.serial)
                && snapshot.meta().digest == meta.digest
                && snapshot.meta().served == meta.served
            {
                // The same answer as before waits already.
                return Ok(Taken::Held { serial: pending.serial, why: pending.why.clone() });
            }
            let serial = state.newest + 1;
            staged.put(&file_name(serial))?;
            state.newest = serial;
            let Onward { cookie, question } = onward;
            if why.is_empty() {
                state.in_force = Some(InForce { serial, since: now, grace: Grace::Missed });
                state.pending = None;
                state.as_of = Some(now);
                (state.cookie, state.question) = (cookie, question);
                return Ok(Taken::Applied { serial });
            }
            state.pending = Some(Pending { serial, since: now, why: why.clone(), cookie, question });
            Ok(Taken::Held { serial, why })
        })?;
        self.tidy(keep)?;
        Ok(taken)
    }

    /// The source has what is in force; nothing waits any more.
    pub(in crate::directories) fn confirm(
        &self,
        base: Option<u64>,
        onward: Onward,
        now: Stamp,
        keep: usize,
    ) -> Result<bool, ShelfError> {
        let is_so = self.change(|state| {
            if state.in_force.as_ref().map(|in_force| in_force.serial) != base {
                return Ok(false);
            }
            state.pending = None;
            (state.as_of, state.answered) = (Some(now), Some(now));
            (state.cookie, state.question) = (onward.cookie, onward.question);
            Ok(true)
        })?;
        self.tidy(keep)?;
        Ok(is_so)
    }

    /// Puts what is pending in force, also when this empties the directory, and ends pinning. With `at_once` nobody has
    /// grace: those whom it removes are gone, and those who were leaving before. Gives the number of what is in force now.
    pub fn accept(&self, at_once: bool, now: Stamp) -> Result<u64, ShelfError> {
        self.change(|state| {
            let pending = state.pending.take().ok_or(ShelfError::NothingPending)?;
            let Pending { serial, since, why: _, cookie, question } = pending;
            // What is damaged is not put in force.
            self.open_serial(serial)?.verify()?;
            let grace = if at_once { Grace::Over } else { Grace::Accepted(now) };
            state.in_force = Some(InForce { serial, since: now, grace });
            (state.pinned, state.as_of) = (None, Some(since));
            (state.cookie, state.question) = (cookie, question);
            Ok(serial)
        })
    }

    /// Throws away what is pending. The next sync may bring it again.
    pub fn reject(&self) -> Result<u64, ShelfError> {
        let serial =
            self.change(|state| Ok(state.pending.take().ok_or(ShelfError::NothingPending)?.serial))?;
        self.store.remove(&file_name(serial))?;
        Ok(serial)
    }

    /// Puts an older snapshot in force, by default the newest good one before that in force, and pins it: what later syncs bring
    /// has to be accepted. Gives its number.
    pub fn rollback(&self, to: Option<u64>, now: Stamp) -> Result<u64, ShelfError> {
        self.change(|state| {
            let current = state.in_force.as_ref().ok_or(ShelfError::Empty)?.serial;
            let mut serials = self.serials()?;
            let waits = state.pending.as_ref().map(|pending| pending.serial);
            serials.retain(|serial| *serial <= state.newest && Some(*serial) != waits);
            let serial = match to {
                Some(to) if serials.contains(&to) => to,
                Some(to) => return Err(ShelfError::NoSnapshot(to)),
                None => {
                    let mut older = serials.into_iter().rev().filter(|serial| *serial < current);
                    let is_good = |serial: &u64| {
                        self.open_serial(*serial).is_ok_and(|snapshot| snapshot.verify().is_ok())
                    };
                    older.find(is_good).ok_or(ShelfError::NothingOlder)?
                }
            };
            let snapshot = self.open_serial(serial)?;
            snapshot.verify()?;
            state.in_force = Some(InForce { serial, since: now, grace: Grace::Missed });
            (state.pinned, state.as_of) = (Some(now), Some(snapshot.meta().built));
            // Changes since then were told already.
            (state.cookie, state.question) = (None, "".into());
            Ok(serial)
        })
    }

    /// Notes when the source is to be asked next.
    pub fn set_due(&self, due: Stamp) -> Result<(), ShelfError> {
        self.change(|state| {
            state.due = Some(due);
            Ok(())
        })
    }

    /// Removes the oldest snapshots until so many are left; that in force and the pending one always stay.
    fn tidy(&self, keep: usize) -> Result<(), ShelfError> {
        let _lock = self.lock()?;
        let State { in_force, pending, newest, .. } = self.state()?;
        let in_force = in_force.map(|in_force| in_force.serial);
        let mut serials = self.serials()?;
        serials.retain(|serial| pending.as_ref().is_none_or(|pending| pending.serial != *serial));
        // What was put in its place by one who was killed before he could say so.
        for lost in serials.iter().filter(|serial| **serial > newest) {
            self.store.remove(&file_name(*lost))?;
        }
        serials.retain(|serial| *serial <= newest);
        let surplus = serials.len().saturating_sub(keep.max(1));
        let oldest = serials.into_iter().filter(|serial| Some(*serial) != in_force);
        for serial in oldest.take(surplus) {
            self.store.remove(&file_name(serial))?;
        }
        Ok(())
    }
}

fn shown(serial: Option<u64>) -> String {
    serial.map_or_else(|| "nothing".to_owned(), |serial| format!("snapshot {serial}"))
}
