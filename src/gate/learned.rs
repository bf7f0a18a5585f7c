// SPDX-License-Identifier: GPL-3.0-or-later
//! Unknown recipients that were accepted because their domain learns, until somebody collects them.
//!
//! At most [`MOST`] addresses between two collections: whoever sends through a gateway can invent as many as he likes. One
//! too many is counted and not noted, and the log says so once until the next collection. Nothing waits here but for the
//! lock, and only for messages to unknown recipients.

use crate::policy;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Addresses between two collections.
const MOST: usize = 10_000;

/// What was learned since it was last collected.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// The addresses: local parts folded, domains those that aliases stand for.
    pub addresses: HashMap<Arc<str>, Noted>,
    /// How many recipients were not noted, because there were too many.
    pub missed: u64,
}

impl Learned {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        let Self { addresses, missed } = self;
        addresses.is_empty() && *missed == 0
    }

    /// Takes in what was learned after this; no more addresses stay than between two collections.
    pub fn absorb(&mut self, later: Self) {
        let Self { addresses, missed } = later;
        self.missed = self.missed.saturating_add(missed);
        for (address, noted) in addresses {
            if let Some(known) = self.addresses.get_mut(&address) {
                known.count = known.count.saturating_add(noted.count);
                known.gateway = noted.gateway;
            } else if self.addresses.len() < MOST {
                self.addresses.insert(address, noted);
            } else {
                self.missed = self.missed.saturating_add(noted.count);
            }
        }
    }
}

/// How an address was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Noted {
    /// How many messages there were for it.
    pub count: u64,
    /// The gateway that the last came through; nothing where any client may deliver.
    pub gateway: Option<Arc<str>>,
}

/// Where they are noted.
#[derive(Debug, Default)]
pub(super) struct Learner(Mutex<Learned>);

impl Learner {
    /// Notes a recipient.
    pub(super) fn note(&self, recipient: policy::Learned) {
        let policy::Learned { address, gateway } = recipient;
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(noted) = learned.addresses.get_mut(&address) {
            noted.count = noted.count.saturating_add(1);
            noted.gateway = gateway;
        } else if learned.addresses.len() < MOST {
            learned.addresses.insert(address, Noted { count: 1, gateway });
        } else {
            learned.missed = learned.missed.saturating_add(1);
            if learned.missed == 1 {
                drop(learned);
                tracing::warn!(
                    most = MOST,
                    "too many unknown recipients to learn at one time; more are accepted and not recorded. If \
                     somebody tries out addresses, write `recipients = \"quarantine\"` or \"reject\" for the domain"
                );
            }
        }
    }

    /// Gives what was noted, and begins anew.
    pub(super) fn collect(&self) -> Learned {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::super::hidden::tests::Log;
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_said_once() {
        let (log, _guard) = Log::keep();
        let learner = Learner::default();
        let recipient = |n: usize| policy::Learned {
            address: format!("u{n}@a.example").into(),
            gateway: Some("seg".into()),
        };
        (0..MOST + 5).for_each(|n| learner.note(recipient(n)));
        // Those that are noted are counted further.
        learner.note(recipient(1));
        let found = learner.collect();
        assert_eq!((found.addresses.len(), found.missed), (MOST, 5));
        assert_eq!(found.addresses["u1@a.example"], Noted { count: 2, gateway: Some("seg".into()) });
        assert_eq!(log.take().len(), 1);
        assert!(learner.collect().addresses.is_empty());
        (0..=MOST).for_each(|n| learner.note(recipient(n)));
        assert_eq!(log.take().len(), 1, "once more after a collection");
    }
}
