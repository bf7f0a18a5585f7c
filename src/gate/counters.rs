// SPDX-License-Identifier: GPL-3.0-or-later
//! What happened since start, in numbers.

use super::{Outcome, Table};
use crate::policy::{Reason, Verdict};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that a door counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A session began.
    Session,
    /// A message ended with everything answered.
    Message,
    /// A peer that does not speak the protocol was disconnected.
    Garbage,
    /// A connection was closed at once because there were too many.
    TooMany,
    /// Accepting a connection failed.
    AcceptFailed,
    /// A peer was too slow, or was gone, in the middle of a packet or an answer.
    Broken,
    /// A decision did not come in time.
    Overdue,
    /// A recipient was sent away with 452, because its message could not be held for it alone.
    Parted,
    /// A request came by policy delegation.
    Asked,
}

impl Event {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Session, "sessions"),
        (Self::Message, "messages"),
        (Self::Garbage, "garbage"),
        (Self::TooMany, "too-many-connections"),
        (Self::AcceptFailed, "accept-failed"),
        (Self::Broken, "broken"),
        (Self::Overdue, "overdue"),
        (Self::Parted, "parted"),
        (Self::Asked, "policy-requests"),
    ];
}

/// Numbers since start. They are read without a lock, so a sum over them may be one off.
#[derive(Debug, Default)]
pub struct Counters {
    events: [AtomicU64; Event::ALL.len()],
    decisions: [[AtomicU64; Verdict::ALL.len()]; Reason::ALL.len()],
    lookups: [[AtomicU64; Outcome::ALL.len()]; Table::ALL.len()],
}

impl Counters {
    pub(super) fn count(&self, event: Event) {
        self.events[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn decided(&self, reason: Reason, applied: Verdict) {
        self.decisions[reason as usize][applied as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a look-up, and gives how many came to this before.
    pub(super) fn looked_up(&self, table: Table, outcome: Outcome) -> u64 {
        self.lookups[table as usize][outcome as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// How often something was counted.
    pub fn of(&self, event: Event) -> u64 {
        self.events[event as usize].load(Ordering::Relaxed)
    }

    /// How often this came out of a decision.
    pub fn decisions(&self, reason: Reason, applied: Verdict) -> u64 {
        self.decisions[reason as usize][applied as usize].load(Ordering::Relaxed)
    }

    /// How often a look-up in this table came to this.
    pub fn lookups(&self, table: Table, outcome: Outcome) -> u64 {
        self.lookups[table as usize][outcome as usize].load(Ordering::Relaxed)
    }
}

impl fmt::Display for Counters {
    /// `sessions=3 messages=2 passed/accept=2 recipient/found=2 ...`; what is nought is left out, but for sessions and messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sessions={} messages={}", self.of(Event::Session), self.of(Event::Message))?;
        for (event, name) in &Event::ALL[2..] {
            let count = self.of(*event);
            if count > 0 {
                write!(f, " {name}={count}")?;
            }
        }
        for reason in Reason::ALL {
            for verdict in Verdict::ALL {
                let count = self.decisions(reason, verdict);
                if count > 0 {
                    write!(f, " {reason}/{verdict}={count}")?;
                }
            }
        }
        for table in Table::ALL {
            for outcome in Outcome::ALL {
                let count = self.lookups(table, outcome);
                if count > 0 {
                    write!(f, " {}/{}={count}", table.as_str(), outcome.as_str())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_by_name() {
        let counters = Counters::default();
        for (at, (event, _)) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, at);
        }
        for (at, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, at);
        }
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at);
        }
        counters.count(Event::Session);
        counters.count(Event::Garbage);
        counters.decided(Reason::Passed, Verdict::Accept);
        assert_eq!(counters.looked_up(Table::Tls, Outcome::NotFound), 0);
        assert_eq!(counters.looked_up(Table::Tls, Outcome::NotFound), 1);
        let told = "sessions=1 messages=0 garbage=1 passed/accept=1 tls/not-found=2";
        assert_eq!(counters.to_string(), told);
    }
}
