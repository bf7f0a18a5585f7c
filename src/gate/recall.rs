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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Gate, Judge};
    use crate::mail::{CertificateFingerprint, Message, Session};

    /// What is found of a ruling about ann@a.example that was made so long ago, by a session that began so long ago.
    fn found(recall: &Recall, gate: &Gate, made: Duration, began: Duration) -> bool {
        let policy = gate.policy();
        let (session, message) = (client(4711), Message::default());
        let case = Case { id: gate.session_id(), session: &session, message: &message, sees_headers: true };
        let recipient = Recipient::new(b"<ann@a.example>", None, None);
        let now = Instant::now() + RULING_LIFE * 3;
        let ruling = gate.overdue(&policy, case, &recipient);
        let ago = |time: Duration| now.checked_sub(time).unwrap();
        recall.keep_at(ago(made), &policy, case, &recipient, ruling);
        recall.find_at(|| now, &policy, case, &recipient, ago(began)).ruling.is_some()
    }

    fn client(port: u16) -> Session {
        let mut session = Session::default();
        session.client.address = Some([192, 0, 2, 1].into());
        session.client.port = Some(port);
        session
    }

    #[test]
    fn a_ruling_waits_for_a_while() {
        let (recall, gate) = (Recall::default(), Gate::new(Policy::default()));
        let second = Duration::from_secs(1);
        for (made, began, want) in [
            (Duration::ZERO, second, true),
            (RULING_LIFE, RULING_LIFE + second, true),
            (RULING_LIFE + second, RULING_LIFE * 2, false),
            (second, Duration::ZERO, false),
        ] {
            assert_eq!(found(&recall, &gate, made, began), want, "{made:?} {began:?}");
        }
        assert!(
            recall.shards.iter().all(|shard| shard.lock().unwrap().rulings.is_empty()),
            "what is asked for goes"
        );
    }

    #[test]
    fn what_is_heard_later_counts() {
        let (recall, gate) = (Recall::default(), Gate::new(Policy::default()));
        let told =
            |text: &str| CertificateFingerprints::Told([CertificateFingerprint::parse(text).unwrap()].into());
        let print = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let (session, message, recipient) =
            (client(4711), Message::default(), Recipient::new(b"<ann@a.example>", None, None));
        let case = Case { id: gate.session_id(), session: &session, message: &message, sees_headers: true };
        let before = Instant::now();
        let find = |since| recall.find(&gate.policy(), case, &recipient, since).fingerprints;
        assert_eq!(find(before), CertificateFingerprints::NotTold);
        for heard in [CertificateFingerprints::None, told(print)] {
            recall.hear(([192, 0, 2, 1].into(), 4711), heard.clone());
            recall.hear(([192, 0, 2, 1].into(), 4712), CertificateFingerprints::None);
            assert_eq!(find(before), heard, "and stays for the next recipient");
            assert_eq!(find(before), heard);
        }
        assert_eq!(find(Instant::now()), CertificateFingerprints::NotTold, "of a session that began later");
    }

    #[test]
    fn memory_is_bounded() {
        let (recall, gate) = (Recall::default(), Gate::new(Policy::default()));
        let (policy, message) = (gate.policy(), Message::default());
        let recipient = Recipient::new(b"<ann@a.example>", None, None);
        for port in 1..=u16::MAX {
            for last in 1..=2 {
                let mut session = client(port);
                session.client.address = Some([192, 0, 2, last].into());
                let case =
                    Case { id: gate.session_id(), session: &session, message: &message, sees_headers: true };
                let ruling = gate.overdue(&policy, case, &recipient);
                recall.keep(&policy, case, &recipient, ruling);
                recall.hear(([192, 0, 2, last].into(), port), CertificateFingerprints::None);
            }
        }
        for shard in &recall.shards {
            let shard = shard.lock().unwrap();
            assert_eq!((shard.rulings.len(), shard.fingerprints.len()), (MOST, MOST));
        }
    }
}
