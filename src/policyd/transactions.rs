// SPDX-License-Identifier: GPL-3.0-or-later
//! Messages under way, by the name that Postfix gives each (`instance`): who was decided about, and what can still be done
//! to the message as a whole.
//!
//! Postfix asks about one recipient as often as the service stands in its lists, at DATA and after it again, and may
//! connect anew in between (`smtpd_policy_service_max_ttl`), so messages belong to the door and not to a connection.
//! An SMTP session has one message at a time; the next takes the place of the one before. Memory is bounded: what
//! was asked for the longest time ago makes room, and what is older than an hour goes when something is noted. Who is
//! forgotten is decided about anew. No lock is held while anything is decided.

use super::answer::Action;
use crate::gate::{Reference, Ruling, SessionId};
use crate::policy::{Decision, Reason, Verdict};
use lru::LruCache;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Parts that are locked on their own.
const SHARDS: usize = 16;
/// Recipients remembered in one part.
const MAX_REMEMBERED: usize = 12_500;
/// Recipients remembered for one message; ten times what Postfix takes by default (`smtpd_recipient_limit`).
const MAX_RECIPIENTS: usize = 10_000;
/// Longest name of a message; Postfix's have about 30 characters.
const MAX_NAME: usize = 128;
/// How long a message is remembered that is not asked about any more: ten times what Postfix waits for a command.
const LIFE: Duration = Duration::from_secs(3600);

/// All messages under way.
#[derive(Debug)]
pub(super) struct Transactions {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Transactions {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: [(); SHARDS].map(|()| Mutex::new(Shard::default())) }
    }
}

#[derive(Debug)]
struct Shard {
    sessions: LruCache<Vec<u8>, Transaction>,
    /// Recipients of all of them, and one for each session.
    remembered: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { sessions: LruCache::unbounded(), remembered: 0 }
    }
}

/// One SMTP session's message.
#[derive(Debug)]
struct Transaction {
    id: SessionId,
    /// The part of its name that differs from that of the session's other messages.
    number: Box<[u8]>,
    answers: HashMap<Box<[u8]>, Action>,
    fate: Option<Fate>,
    discard: Option<(Reason, Reference)>,
    tags: Vec<Reason>,
    asked: Instant,
}

impl Transaction {
    fn weight(&self) -> usize {
        self.answers.len() + 1
    }
}

/// What happens to a whole message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Passed,
    Held,
    Discarded,
}

/// A message's name: the SMTP session's (process, time), and its number there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Name<'a> {
    session: &'a [u8],
    number: &'a [u8],
}

impl<'a> Name<'a> {
    /// Reads the attribute `instance`; one that is too long names nothing.
    pub(super) fn of(instance: &'a [u8]) -> Option<Self> {
        if instance.len() > MAX_NAME {
            return None;
        }
        let dot = instance.iter().rposition(|&b| b == b'.').unwrap_or(instance.len());
        Some(Self { session: &instance[..dot], number: &instance[dot..] })
    }
}

/// What is known of a message and of one recipient.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Known {
    /// The SMTP session's name in the log.
    pub(super) id: SessionId,
    /// How many recipients of the message were decided about.
    pub(super) recipients: usize,
    /// What is answered when the same recipient is asked about again.
    pub(super) answer: Option<Action>,
    /// That the message is to be discarded, once all of its recipients are known.
    pub(super) discard: Option<(Reason, Reference)>,
}

/// Whether a recipient can have what its verdict asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admitted {
    /// It can; nothing is to be done where something was done for the message already.
    Yes {
        /// Whether a recipient before it has brought the same tag.
        tagged: bool,
    },
    /// It would need another fate than the message has.
    Parted,
    /// The message has too many recipients.
    TooMany,
}

impl Transactions {
    /// What is known; nothing where the SMTP session is new.
    pub(super) fn known(&self, name: Name<'_>, recipient: &[u8]) -> Option<Known> {
        let mut shard = self.shard(name);
        let transaction = shard.sessions.get_mut(name.session)?;
        let same = &*transaction.number == name.number;
        Some(Known {
            id: transaction.id,
            recipients: if same { transaction.answers.len() } else { 0 },
            answer: transaction.answers.get(recipient).filter(|_| same).map(Action::again),
            discard: transaction.discard.filter(|_| same),
        })
    }

    /// Takes in that a recipient is to have this done to it, which is for the whole message where it is no plain yes.
    pub(super) fn admit(&self, name: Name<'_>, id: SessionId, ruling: &Ruling) -> Admitted {
        let Decision { applied, reason, .. } = ruling.decision;
        let fate = match applied {
            Verdict::Accept | Verdict::Tag => Fate::Passed,
            Verdict::Quarantine => Fate::Held,
            Verdict::Discard => Fate::Discarded,
            // These are refused, and have no part in the message.
            Verdict::Defer | Verdict::Reject => return Admitted::Yes { tagged: false },
        };
        let mut shard = self.shard(name);
        let transaction = shard.begin(name, id);
        if transaction.answers.len() >= MAX_RECIPIENTS {
            return Admitted::TooMany;
        }
        if *transaction.fate.get_or_insert(fate) != fate {
            return Admitted::Parted;
        }
        if fate == Fate::Discarded {
            transaction.discard = Some((reason, ruling.reference));
        }
        let tagged = transaction.tags.contains(&reason);
        if applied == Verdict::Tag && !tagged {
            transaction.tags.push(reason);
        }
        Admitted::Yes { tagged }
    }

    /// Remembers what was answered about a recipient.
    pub(super) fn note(&self, name: Name<'_>, id: SessionId, recipient: &[u8], action: Action) {
        let mut shard = self.shard(name);
        let transaction = shard.begin(name, id);
        if transaction.answers.len() < MAX_RECIPIENTS
            && transaction.answers.insert(recipient.into(), action).is_none()
        {
            shard.remembered += 1;
        }
        shard.make_room(Instant::now());
    }

    fn shard(&self, name: Name<'_>) -> MutexGuard<'_, Shard> {
        let [place, ..] = self.hasher.hash_one(name.session).to_le_bytes();
        self.shards[usize::from(place) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// The message of this name, which may begin with this.
    fn begin(&mut self, name: Name<'_>, id: SessionId) -> &mut Transaction {
        let Self { sessions, remembered } = self;
        let fresh = || Transaction {
            id,
            number: name.number.into(),
            answers: HashMap::new(),
            fate: None,
            discard: None,
            tags: Vec::new(),
            asked: Instant::now(),
        };
        let transaction = sessions.get_or_insert_mut_ref(name.session, || {
            *remembered += 1;
            fresh()
        });
        if &*transaction.number != name.number {
            *remembered -= transaction.answers.len();
            *transaction = Transaction { id: transaction.id, ..fresh() };
        }
        transaction.asked = Instant::now();
        transaction
    }

    fn make_room(&mut self, now: Instant) {
        while self.sessions.len() > 1
            && let Some((_, oldest)) = self.sessions.peek_lru()
            && (self.remembered > MAX_REMEMBERED || now.duration_since(oldest.asked) > LIFE)
        {
            self.remembered -= oldest.weight();
            self.sessions.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Case, Gate, Judge};
    use crate::mail::Recipient;
    use crate::policy::Policy;

    fn name(instance: &str) -> Name<'_> {
        Name::of(instance.as_bytes()).unwrap()
    }

    fn id() -> SessionId {
        Gate::new(Policy::default()).session_id()
    }

    fn ruling(applied: Verdict, reason: Reason) -> Ruling {
        let gate = Gate::new(Policy::default());
        let (session, message) = (&<_>::default(), &<_>::default());
        let case = Case { id: gate.session_id(), session, message, sees_headers: false };
        let mut ruling = gate.overdue(&gate.policy(), case, &Recipient::unclear(b""));
        (ruling.decision.applied, ruling.decision.reason) = (applied, reason);
        ruling
    }

    #[test]
    fn a_message_is_known_until_the_next_of_its_session() {
        let (all, id) = (Transactions::default(), id());
        let (first, second) = (name("359f.6b01d60d.ecd37.0"), name("359f.6b01d60d.ecd37.1"));
        let known = |recipients, answer| Some(Known { id, recipients, answer, discard: None });
        assert_eq!(all.known(first, b"ann"), None);
        all.note(first, id, b"ann", Action::Dunno);
        all.note(first, id, b"ann", Action::Dunno);
        all.note(first, id, b"bob", Action::Tag(Reason::Passed));
        assert_eq!(all.known(first, b"bob"), known(2, Some(Action::Dunno)), "a line is added once");
        assert_eq!(all.known(first, b"eve"), known(2, None));
        assert_eq!(all.known(second, b"ann"), known(0, None));
        all.note(second, id, b"ann", Action::Dunno);
        assert_eq!(all.known(first, b"ann"), known(0, None));
        assert_eq!(all.known(second, b"ann"), known(1, Some(Action::Dunno)));
        assert_eq!(all.known(name("359f.6b01d60d.ecd38.1"), b"ann"), None, "another session");
    }

    #[test]
    fn the_first_recipient_decides_what_happens_to_the_message() {
        use Verdict::{Accept, Defer, Discard, Quarantine, Reject, Tag};
        const YES: Admitted = Admitted::Yes { tagged: false };
        const SAME: Admitted = Admitted::Yes { tagged: true };
        for (verdicts, want) in [
            (
                &[Accept, Tag, Tag, Discard, Quarantine][..],
                &[YES, YES, SAME, Admitted::Parted, Admitted::Parted][..],
            ),
            (&[Quarantine, Accept, Quarantine, Discard], &[YES, Admitted::Parted, YES, Admitted::Parted]),
            (&[Reject, Defer, Discard, Accept], &[YES, YES, YES, Admitted::Parted]),
        ] {
            let (all, id) = (Transactions::default(), id());
            let admit = |&verdict: &Verdict| all.admit(name("a.b.c.0"), id, &ruling(verdict, Reason::Listed));
            assert_eq!(verdicts.iter().map(admit).collect::<Vec<_>>(), want, "{verdicts:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (all, id) = (Transactions::default(), id());
        let big = name("a.b.c.0");
        for n in 0..MAX_RECIPIENTS + 5 {
            all.note(big, id, n.to_string().as_bytes(), Action::Dunno);
        }
        assert_eq!(all.known(big, b"0").unwrap().recipients, MAX_RECIPIENTS);
        assert_eq!(all.admit(big, id, &ruling(Verdict::Accept, Reason::Passed)), Admitted::TooMany);
        for n in 0..20 * MAX_REMEMBERED {
            all.note(name(&format!("{n}.b.c.0")), id, b"ann", Action::Dunno);
        }
        for shard in &all.shards {
            let shard = shard.lock().unwrap();
            assert!(shard.remembered <= MAX_REMEMBERED);
            let counted: usize = shard.sessions.iter().map(|(_, transaction)| transaction.weight()).sum();
            assert_eq!(shard.remembered, counted);
        }
        assert_eq!(all.known(big, b"0"), None);
        assert_eq!(Name::of(&[b'x'; MAX_NAME + 1]), None);
    }

    #[test]
    fn what_is_old_goes() {
        let (all, id) = (Transactions::default(), id());
        all.note(name("a.0"), id, b"ann", Action::Dunno);
        let mut shard = all.shard(name("a.0"));
        shard.begin(name("b.0"), id);
        let later = Instant::now() + LIFE + Duration::from_secs(1);
        shard.make_room(later);
        assert_eq!((shard.sessions.len(), shard.remembered), (1, 1), "the last stays until another comes");
    }
}
