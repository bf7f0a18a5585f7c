// SPDX-License-Identifier: GPL-3.0-or-later
//! What one door has found out and another one needs: rulings that were made by policy delegation, and fingerprints of
//! certificates that were heard there, for the milter session of the same client address and port.
//!
//! A ruling is taken once, within [`RULING_LIFE`], by a session that began before it was made, under the same policy, for
//! the same sender and mailbox; else the session decides for itself. Fingerprints stay for [`FINGERPRINTS_LIFE`], and what
//! is heard later takes their place. Both are bounded, and the oldest make room. Every lock is held for one look-up;
//! where nothing was ever kept, asking is one load.

use super::{Case, Ruling};
use crate::mail::{CertificateFingerprints, LocalPart, Mailbox, Recipient, ReversePath};
use crate::policy::{Policy, Reason};
use lru::LruCache;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a ruling waits: Postfix asks the milter as soon as its own lists are through, which may put questions to the DNS.
const RULING_LIFE: Duration = Duration::from_secs(300);
/// How long fingerprints stay; Postfix tells them again for each recipient.
const FINGERPRINTS_LIFE: Duration = Duration::from_secs(3600);
/// Parts that are locked on their own.
const SHARDS: usize = 16;
/// Rulings in one part, and certificates.
const MOST: usize = 4096;

/// A client's address and port.
type Place = (IpAddr, u16);

/// What was kept.
#[derive(Debug)]
pub(super) struct Recall {
    /// Whether anything ever was.
    any: AtomicBool,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug)]
struct Shard {
    rulings: LruCache<(Place, Box<str>), Kept>,
    fingerprints: LruCache<Place, (CertificateFingerprints, Instant)>,
}

#[derive(Debug)]
struct Kept {
    ruling: Ruling,
    sender: Option<ReversePath>,
    /// Not kept alive for this.
    policy: Weak<Policy>,
    made: Instant,
}

/// What is recalled for a recipient.
#[derive(Debug, Default)]
pub struct Recalled {
    /// The ruling that was made about it.
    pub ruling: Option<Ruling>,
    /// The fingerprints of the client's certificate.
    pub fingerprints: CertificateFingerprints,
}

impl Default for Recall {
    fn default() -> Self {
        let shard = || Shard { rulings: LruCache::unbounded(), fingerprints: LruCache::unbounded() };
        Self {
            any: AtomicBool::new(false),
            hasher: RandomState::new(),
            shards: [(); SHARDS].map(|()| Mutex::new(shard())),
        }
    }
}

impl Recall {
    /// Keeps a ruling.
    pub(super) fn keep(&self, policy: &Arc<Policy>, case: Case<'_>, recipient: &Recipient, ruling: Ruling) {
        self.keep_at(Instant::now(), policy, case, recipient, ruling);
    }

    fn keep_at(
        &self,
        now: Instant,
        policy: &Arc<Policy>,
        case: Case<'_>,
        recipient: &Recipient,
        ruling: Ruling,
    ) {
        let Some((place, mailbox)) = place(case).zip(recipient.mailbox()) else { return };
        let kept =
            Kept { ruling, sender: case.message.sender.clone(), policy: Arc::downgrade(policy), made: now };
        let mut shard = self.shard(place);
        shard.rulings.put((place, key(mailbox)), kept);
        let is_old = |kept: &Kept| now.duration_since(kept.made) > RULING_LIFE;
        while shard.rulings.len() > MOST || shard.rulings.peek_lru().is_some_and(|(_, kept)| is_old(kept)) {
            shard.rulings.pop_lru();
        }
        drop(shard);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Keeps what is known of a client's certificate.
    pub(super) fn hear(&self, place: Place, fingerprints: CertificateFingerprints) {
        let now = Instant::now();
        let mut shard = self.shard(place);
        shard.fingerprints.put(place, (fingerprints, now));
        let is_old = |heard: &Instant| now.duration_since(*heard) > FINGERPRINTS_LIFE;
        while shard.fingerprints.len() > MOST
            || shard.fingerprints.peek_lru().is_some_and(|(_, (_, heard))| is_old(heard))
        {
            shard.fingerprints.pop_lru();
        }
        drop(shard);
        self.any.store(true, Ordering::Relaxed);
    }

    /// What is known for a recipient of a session that began at `since`.
    pub(super) fn find(
        &self,
        policy: &Arc<Policy>,
        case: Case<'_>,
        recipient: &Recipient,
        since: Instant,
    ) -> Recalled {
        self.find_at(Instant::now, policy, case, recipient, since)
    }

    fn find_at(
        &self,
        now: impl FnOnce() -> Instant,
        policy: &Arc<Policy>,
        case: Case<'_>,
        recipient: &Recipient,
        since: Instant,
    ) -> Recalled {
        // Postfix writes to the milter after it has read the answer to what made us keep something, so this is not too early.
        if !self.any.load(Ordering::Relaxed) {
            return Recalled::default();
        }
        let Some(place) = place(case) else { return Recalled::default() };
        let now = now();
        let fresh = |made: Instant, life| made >= since && now.duration_since(made) <= life;
        let mut shard = self.shard(place);
        let heard = shard.fingerprints.get(&place).filter(|(_, heard)| fresh(*heard, FINGERPRINTS_LIFE));
        let fingerprints = heard.map(|(fingerprints, _)| fingerprints.clone()).unwrap_or_default();
        let kept = recipient.mailbox().and_then(|mailbox| shard.rulings.pop(&(place, key(mailbox))));
        drop(shard);
        let fits = |kept: &Kept| {
            // What names a listed domain without being plain is more than Postfix had told.
            let is_all =
                kept.ruling.decision.reason != Reason::NotOurDomain || recipient.written_mailbox().is_some();
            fresh(kept.made, RULING_LIFE)
                && is_all
                && std::ptr::eq(kept.policy.as_ptr(), Arc::as_ptr(policy))
                && is_same(kept.sender.as_ref(), case.message.sender.as_ref())
        };
        Recalled { ruling: kept.filter(fits).map(|kept| kept.ruling), fingerprints }
    }

    fn shard(&self, place: Place) -> MutexGuard<'_, Shard> {
        let [first, ..] = self.hasher.hash_one(place).to_le_bytes();
        self.shards[usize::from(first) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(case: Case<'_>) -> Option<Place> {
    let client = &case.session.client;
    client.address.zip(client.port)
}

/// A mailbox as it is compared. Postfix tells one door the case that was written, and the other lower case.
fn key(mailbox: &Mailbox) -> Box<str> {
    match mailbox.folded_local() {
        Some(local) => format!("{local}@{}", mailbox.host()).into(),
        None => String::from_utf8_lossy(mailbox.written()).to_lowercase().into(),
    }
}

fn is_same(one: Option<&ReversePath>, other: Option<&ReversePath>) -> bool {
    match (one, other) {
        (Some(ReversePath::Mailbox(one)), Some(ReversePath::Mailbox(other))) => {
            let is_valid = |mailbox: &Mailbox| *mailbox.local() != LocalPart::Opaque;
            key(one) == key(other) && is_valid(one) == is_valid(other)
        }
        (one, other) => one == other,
    }
}
