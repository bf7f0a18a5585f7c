// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done about scan tokens while Postern serves: keys are made, renewed and given to the gate, and what it remembers
//! of used tokens is kept for the next start.
//!
//! The disk is looked at every [`LOOK`] and at the stop. A Postern that is killed forgets the uses since the last look, so
//! that a token of theirs could count once more. Where keys cannot be read there are none, and it is tried again; where new
//! ones cannot be written they are used all the same, and a restart before that works makes mail be scanned again.

use crate::config::{self, Config};
use crate::gate::{Gate, Judge as _};
use crate::mail::{ScanKeys, SpentToken};
use crate::policy::Policy;
use crate::store::{Stamp, StoreError};
use crate::tokens::{KeyRing, read_spent, write_spent};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often keys are looked at and uses are kept.
const LOOK: Duration = Duration::from_secs(15);
/// How long uses may take to be kept at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// All that is done about scan tokens.
pub(super) struct ScanWatch {
    wanted: Wanted,
    held: Held,
    /// Whether uses from before the start have been recalled.
    recalled: bool,
    looked: Instant,
    /// What is done beside everything else: the disk may be slow.
    work: Option<JoinHandle<Done>>,
    /// What was last complained of.
    complaint: Option<String>,
}

/// What a configuration wants.
#[derive(Clone)]
struct Wanted {
    /// Nothing where no mail is scanned.
    keys: Option<Keys>,
    state_dir: PathBuf,
}

#[derive(Clone)]
enum Keys {
    /// These, which somebody else renews.
    Shared(ScanKeys),
    /// Some that are made here.
    Own { rotate: Duration, longest: Duration },
}

/// The keys that were made here.
#[derive(Clone, Debug, Default)]
struct Held {
    ring: Option<KeyRing>,
    /// Whether they still have to be written.
    unsaved: bool,
}

/// What came of a look at the disk.
struct Done {
    held: Held,
    /// Whether the gate has the same keys as before.
    same: bool,
    /// Uses from before the start, when they were read.
    recalled: Option<Vec<SpentToken>>,
    /// Whether uses could not be kept.
    lost: bool,
    trouble: Option<String>,
}

impl ScanWatch {
    /// Begins, and reads or makes keys. To be called when the policy of the configuration is in force, before anyone is
    /// served.
    pub(super) fn begin(gate: &Gate, config: &Config) -> Self {
        let wanted = Wanted::of(config, &gate.policy());
        let mut watch = Self {
            wanted,
            held: Held::default(),
            recalled: false,
            looked: Instant::now(),
            work: None,
            complaint: None,
        };
        if watch.wanted.keys.is_some() {
            let done = Done::of(&watch.wanted, Held::default(), true, None);
            watch.take(done, gate);
        }
        watch
    }

    /// Goes on for another configuration, which is in force; the next look is due at once.
    pub(super) fn change(&mut self, gate: &Gate, config: &Config) {
        let wanted = Wanted::of(config, &gate.policy());
        if wanted.state_dir != self.wanted.state_dir {
            // Keys of the old place count until there are some of the new one; what is remembered goes there, too.
            self.held = Held::default();
            self.work = None;
            gate.spent_tokens_lost();
        }
        match &wanted.keys {
            None => gate.set_scan_keys(None),
            Some(Keys::Shared(keys)) => gate.set_scan_keys(Some(keys.clone())),
            Some(Keys::Own { .. }) => {
                if let Some(ring) = &self.held.ring {
                    gate.set_scan_keys(ring.keys());
                }
            }
        }
        self.wanted = wanted;
        self.looked = Instant::now().checked_sub(LOOK).unwrap_or_else(Instant::now);
    }

    /// Renews keys and keeps uses, where it is time.
    pub(super) async fn look(&mut self, gate: &Arc<Gate>) {
        if let Some(work) = self.work.take_if(|work| work.is_finished())
            && let Ok(done) = work.await
        {
            self.take(done, gate);
        }
        if self.work.is_some() || self.wanted.keys.is_none() || self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let (wanted, held, recall) = (self.wanted.clone(), self.held.clone(), !self.recalled);
        let gate = Arc::clone(gate);
        self.work = Some(tokio::task::spawn_blocking(move || {
            // What is there must be known before it is written over.
            let spent = if recall { None } else { gate.spent_tokens() };
            Done::of(&wanted, held, recall, spent)
        }));
    }

    /// Takes in what came of a look.
    fn take(&mut self, done: Done, gate: &Gate) {
        let Done { held, same, recalled, lost, trouble } = done;
        if let Some(tokens) = recalled {
            self.recalled = true;
            gate.recall_spent_tokens(&tokens);
        }
        if lost {
            gate.spent_tokens_lost();
        }
        match &self.wanted.keys {
            None => {}
            Some(Keys::Shared(keys)) => gate.set_scan_keys(Some(keys.clone())),
            Some(Keys::Own { .. }) => {
                if !same || self.held.ring.is_none() {
                    gate.set_scan_keys(held.ring.as_ref().and_then(KeyRing::keys));
                }
                self.held = held;
            }
        }
        if trouble != self.complaint
            && let Some(why) = &trouble
        {
            tracing::warn!(why, "scan tokens: trying on");
        }
        self.complaint = trouble;
    }

    /// Keeps what is left, within a time.
    pub(super) async fn finish(mut self, gate: &Arc<Gate>) {
        let last = async {
            if let Some(work) = self.work.take()
                && let Ok(done) = work.await
            {
                self.take(done, gate);
            }
            if self.wanted.keys.is_none() || !self.recalled {
                return;
            }
            let (wanted, held, gate) = (self.wanted.clone(), self.held.clone(), Arc::clone(gate));
            let work = tokio::task::spawn_blocking(move || {
                let spent = gate.spent_tokens();
                Done::of(&wanted, held, false, spent)
            });
            if let Ok(Done { lost: true, trouble: Some(why), .. }) = work.await {
                tracing::warn!(why, "cannot keep which scan tokens were used; each could count once more");
            }
        };
        // A disk that hangs must not keep us.
        let _ = tokio::time::timeout(LAST_WORDS, last).await;
    }
}

impl Wanted {
    fn of(config: &Config, policy: &Policy) -> Self {
        let config::ScanKeys { shared, rotate } = &config.scan;
        let longest = Duration::from_secs(policy.longest_scan().into());
        let keys = policy.scans().then(|| match shared {
            Some(keys) => Keys::Shared(keys.clone()),
            None => Keys::Own { rotate: *rotate, longest },
        });
        Self { keys, state_dir: config.state_dir.clone() }
    }
}

impl Done {
    /// Looks at the disk: renews keys, reads uses from before the start, or keeps new ones.
    fn of(wanted: &Wanted, held: Held, recall: bool, spent: Option<Vec<SpentToken>>) -> Self {
        let mut done = Self { held, same: true, recalled: None, lost: false, trouble: None };
        if let Some(Keys::Own { rotate, longest }) = wanted.keys {
            done.renew(wanted, rotate, longest);
        }
        if recall {
            match read_spent(&wanted.state_dir) {
                Ok(tokens) => done.recalled = Some(tokens),
                Err(error @ StoreError::Damaged(_)) => {
                    done.recalled = Some(Vec::new());
                    done.trouble = Some(format!("{error}; tokens that were used could count once more"));
                }
                Err(error) => done.trouble = Some(error.to_string()),
            }
        }
        if let Some(spent) = spent
            && let Err(error) = write_spent(&wanted.state_dir, &spent)
        {
            done.lost = true;
            done.trouble = Some(format!("cannot keep which were used: {error}"));
        }
        done
    }

    fn renew(&mut self, wanted: &Wanted, rotate: Duration, longest: Duration) {
        let now = Stamp::from(SystemTime::now());
        if self.held.ring.is_none() {
            match KeyRing::read(&wanted.state_dir) {
                Ok(ring) => self.held = Held { ring, unsaved: false },
                // It would never be better, and mail that is away is only scanned again.
                Err(error @ StoreError::Damaged(_)) => {
                    self.trouble = Some(format!("{error}; new keys are made"));
                }
                Err(error) => {
                    self.trouble = Some(format!("cannot read keys: {error}"));
                    return;
                }
            }
        }
        let renewed = match &self.held.ring {
            Some(ring) => ring.renewed(rotate, longest, now),
            None => KeyRing::first(now).map(Some),
        };
        match renewed {
            Ok(Some(ring)) => {
                self.held = Held { ring: Some(ring), unsaved: true };
                self.same = false;
            }
            Ok(None) => {}
            Err(error) => self.trouble = Some(format!("cannot make a key: {error}")),
        }
        if let Some(ring) = self.held.ring.as_ref().filter(|_| self.held.unsaved) {
            match ring.write(&wanted.state_dir) {
                Ok(()) => self.held.unsaved = false,
                Err(error) => self.trouble = Some(format!("cannot keep keys: {error}")),
            }
        }
    }
}

/// The keys that a command reads tokens with; it makes none.
pub(super) fn for_once(config: &Config, policy: &Policy) -> Option<ScanKeys> {
    match Wanted::of(config, policy).keys? {
        Keys::Shared(keys) => Some(keys),
        Keys::Own { .. } => match KeyRing::read(&config.state_dir) {
            Ok(ring) => ring?.keys(),
            Err(error) => {
                super::output::complain(&format!("postern: no scan token can be checked: {error}\n"));
                None
            }
        },
    }
}
