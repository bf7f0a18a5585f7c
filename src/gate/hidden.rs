// SPDX-License-Identifier: GPL-3.0-or-later
//! Notices when an address hides many clients: behind a proxy, a load balancer or a container network that does not pass
//! the source address on, whoever connects looks like the proxy, and would be a gateway if the proxy's address were one.
//!
//! An address hides clients from when, within an hour, [`UNRELATED`] HELO names and as many envelope sender domains, no
//! two of one organisation, came from it, until that has not been so for an hour. Private addresses are always watched,
//! the last [`ADDRESSES`] of them; any other address once the last [`RUN`] messages came from nowhere else, over
//! [`RUN_TIME`] or more. A gateway brings many sender domains and one HELO name, or several of its own, and is never meant.
//!
//! Memory is bounded, whatever is noted. A restart forgets everything. Noting never waits: what two workers bring at
//! one moment may be noted once, and a message from another public address than the last one takes no lock at all.

use crate::mail::{Escaped, ReversePath, is_private};
use lru::LruCache;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Names of unrelated organisations, HELO names and sender domains each, that no single client has.
const UNRELATED: usize = 8;
/// How long a name counts, how long an address stays hidden after it was last seen to be, and how often that is said.
const HOUR: Duration = Duration::from_secs(3600);
/// Private addresses that are watched; the one that has been quiet the longest makes room.
const ADDRESSES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Messages in a row from one address after which it is taken for the only one there is.
const RUN: u32 = 200;
/// How long these must have taken at least; a single client can be quicker.
const RUN_TIME: Duration = Duration::from_secs(600);
/// Octets kept of a name.
const MAX_NAME: usize = 64;
/// Labels directly below a country's domain under which anybody registers names.
const REGISTRIES: [&str; 9] = ["co", "com", "net", "org", "ac", "gov", "edu", "or", "ne"];

/// What was noticed so far.
#[derive(Debug)]
pub struct Hidden {
    noticed: Mutex<Noticed>,
    /// Whether any address may be hidden, so that asking costs nothing where none is.
    any: AtomicBool,
    /// The [`mark`] of the public address that the last message came from, if the last one came from such a one.
    last: AtomicU64,
    /// How often that has changed: a run of messages has ended when it has.
    changes: AtomicU64,
}

#[derive(Debug)]
struct Noticed {
    watched: LruCache<IpAddr, Watched>,
    run: Option<Run>,
}

/// Who has come from one address.
#[derive(Debug, Default)]
struct Watched {
    helo: Names,
    senders: Names,
    hiding: Option<Hiding>,
}

/// Messages in a row from one address that is not private.
#[derive(Debug)]
struct Run {
    address: IpAddr,
    /// [`Hidden::changes`] when it began.
    changes: u64,
    since: Instant,
    messages: u32,
    watched: Watched,
}

#[derive(Clone, Copy, Debug)]
struct Hiding {
    /// When it was last seen that the address hides clients.
    seen: Instant,
    /// When that was last said.
    said: Instant,
}

impl Default for Hidden {
    fn default() -> Self {
        let noticed = Noticed { watched: LruCache::new(ADDRESSES), run: None };
        Self {
            noticed: Mutex::new(noticed),
            any: AtomicBool::new(false),
            last: AtomicU64::new(NONE),
            changes: AtomicU64::new(0),
        }
    }
}

impl Hidden {
    /// Takes in a message from a client that is neither internal nor logged in. To be called once for each message:
    /// more calls do no harm, but each counts as one.
    pub fn note(&self, client: IpAddr, helo: Option<&[u8]>, sender: Option<&ReversePath>) {
        self.note_at(Instant::now(), client, helo, sender);
    }

    /// Whether many clients seem to hide behind the address, which then says nothing about who they are.
    pub fn hides(&self, client: IpAddr) -> bool {
        self.hides_at(Instant::now(), client)
    }

    /// All addresses that many clients seem to hide behind.
    pub fn hidden(&self) -> Vec<IpAddr> {
        self.hidden_at(Instant::now())
    }

    fn note_at(&self, now: Instant, client: IpAddr, helo: Option<&[u8]>, sender: Option<&ReversePath>) {
        let client = client.to_canonical();
        let mark = if is_private(client) { NONE } else { mark(client) };
        if self.last.load(Ordering::Relaxed) != mark {
            self.last.store(mark, Ordering::Relaxed);
            self.changes.fetch_add(1, Ordering::Relaxed);
            // Where many public clients come and go, that is all.
            if mark != NONE && !self.any.load(Ordering::Acquire) {
                return;
            }
        }
        let mut noticed = match self.noticed.try_lock() {
            Ok(noticed) => noticed,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Others bring enough.
            Err(TryLockError::WouldBlock) => return,
        };
        let helo = helo.filter(|name| !name.is_empty()).map(organisation);
        let sender = sender.and_then(sender_domain).map(|domain| organisation(domain.as_bytes()));
        if noticed.note(now, client, self.changes.load(Ordering::Relaxed), helo, sender) {
            self.any.store(true, Ordering::Release);
        }
    }

    fn hides_at(&self, now: Instant, client: IpAddr) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let client = client.to_canonical();
        let mut noticed = self.lock();
        noticed.watched.get_mut(&client).is_some_and(|watched| watched.hides(now, client))
    }

    fn hidden_at(&self, now: Instant) -> Vec<IpAddr> {
        let mut noticed = self.lock();
        let hidden = noticed.watched.iter_mut().filter_map(|(address, watched)| {
            let hides = watched.hides(now, *address);
            hides.then_some(*address)
        });
        let mut hidden: Vec<IpAddr> = hidden.collect();
        hidden.sort_unstable();
        // Still locked, so that nothing noticed meanwhile is lost.
        self.any.store(!hidden.is_empty(), Ordering::Release);
        hidden
    }

    fn lock(&self) -> MutexGuard<'_, Noticed> {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noticed {
    /// Whether the address hides clients now.
    fn note(
        &mut self,
        now: Instant,
        client: IpAddr,
        changes: u64,
        helo: Option<&[u8]>,
        sender: Option<&[u8]>,
    ) -> bool {
        if is_private(client) {
            let watched = self.watched.get_or_insert_mut(client, Watched::default);
            watched.note(now, helo, sender);
            return watched.judge(now, client);
        }
        if let Some(watched) = self.watched.get_mut(&client) {
            // Hidden before, as the only address there was.
            watched.note(now, helo, sender);
            return watched.judge(now, client);
        }
        let is_going_on = |run: &Run| run.address == client && run.changes == changes;
        if !self.run.as_ref().is_some_and(is_going_on) {
            // The message before this one was the first of the run; all that was taken in of it is whence it came.
            let watched = Watched::default();
            self.run = Some(Run { address: client, changes, since: now, messages: 1, watched });
        }
        let Some(run) = &mut self.run else { return false };
        run.messages = run.messages.saturating_add(1);
        run.watched.note(now, helo, sender);
        let is_only_one = run.messages >= RUN && now.duration_since(run.since) >= RUN_TIME;
        if !is_only_one || !run.watched.judge(now, client) {
            return false;
        }
        if let Some(run) = self.run.take() {
            self.watched.put(client, run.watched);
        }
        true
    }
}

impl Watched {
    fn note(&mut self, now: Instant, helo: Option<&[u8]>, sender: Option<&[u8]>) {
        if let Some(name) = helo {
            self.helo.note(now, name);
        }
        if let Some(name) = sender {
            self.senders.note(now, name);
        }
    }

    /// Looks at the names, and says so when they tell that the address hides clients.
    fn judge(&mut self, now: Instant, address: IpAddr) -> bool {
        if !self.helo.are_many(now) || !self.senders.are_many(now) {
            return self.hides(now, address);
        }
        let said = self.hiding.map(|hiding| hiding.said).filter(|said| now.duration_since(*said) < HOUR);
        if said.is_none() {
            tracing::warn!(
                %address,
                helo = %self.helo,
                sender_domains = %self.senders,
                "many unrelated clients arrive from one address, so that the source address is lost on the way: it is no \
                 gateway's until that ends. Let the proxy, load balancer or container network in front of the MTA pass \
                 the client's address on (PROXY protocol, XCLIENT, host networking); if this address is the gateway and \
                 nobody else can use it, set accept_private = true there"
            );
        }
        self.hiding = Some(Hiding { seen: now, said: said.unwrap_or(now) });
        true
    }

    /// Whether the address hides clients, as was last seen; says so when that is over.
    fn hides(&mut self, now: Instant, address: IpAddr) -> bool {
        let Some(hiding) = self.hiding else { return false };
        if now.duration_since(hiding.seen) < HOUR {
            return true;
        }
        self.hiding = None;
        tracing::info!(%address, "no longer many unrelated clients from one address");
        false
    }
}

/// The names that were seen last, in lower case, no two alike, the latest first; never more than are needed to be many.
#[derive(Debug, Default)]
struct Names(Vec<(Vec<u8>, Instant)>);

impl Names {
    /// Takes a name in. Once there are many, nothing is allocated any more.
    fn note(&mut self, now: Instant, name: &[u8]) {
        let at = match self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(at) => at,
            None if self.0.len() < UNRELATED => {
                self.0.push((name.to_ascii_lowercase(), now));
                self.0.len() - 1
            }
            None => {
                let oldest = &mut self.0[UNRELATED - 1].0;
                oldest.clear();
                oldest.extend(name.iter().map(u8::to_ascii_lowercase));
                UNRELATED - 1
            }
        };
        self.0[at].1 = now;
        self.0[..=at].rotate_right(1);
    }

    fn are_many(&self, now: Instant) -> bool {
        let recent = self.0.iter().filter(|(_, seen)| now.duration_since(*seen) < HOUR);
        recent.count() >= UNRELATED
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", Escaped(name))?;
        }
        Ok(())
    }
}

fn sender_domain(sender: &ReversePath) -> Option<&str> {
    match sender {
        ReversePath::Mailbox(mailbox) => Some(mailbox.domain()?.as_str()),
        ReversePath::Null | ReversePath::Opaque(_) => None,
    }
}

/// Whose name it is: the last two labels, or three below a country's registry (`a.co.uk`); an address or a bare word is its
/// own. This need not be exact: taking two for one, or one for two, now and then, changes nothing.
fn organisation(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_address = name.starts_with(b"[") || name.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    let part = if is_address { name } else { registered(name) };
    &part[part.len().saturating_sub(MAX_NAME)..]
}

fn registered(name: &[u8]) -> &[u8] {
    let mut labels = name.rsplit(|&b| b == b'.');
    let (Some(top), Some(second)) = (labels.next(), labels.next()) else { return name };
    let is_registry =
        top.len() == 2 && REGISTRIES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(second));
    let third = labels.next().filter(|_| is_registry).map_or(0, |label| label.len() + 1);
    &name[name.len() - (top.len() + 1 + second.len() + third)..]
}

/// No public address.
const NONE: u64 = 0;

/// A number for a public address. Two may share one now and then; whose run it is, is looked at again.
fn mark(address: IpAddr) -> u64 {
    let number = match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.segments().iter().fold(0, |sum, part| sum * 31 + u64::from(*part)),
    };
    number | 1 << 63
}

#[cfg(test)]
pub(super) mod tests;
