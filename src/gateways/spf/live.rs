// SPDX-License-Identifier: GPL-3.0-or-later
//! Asks about one client whether an SPF name passes it, for names that cannot be enumerated.
//!
//! The evaluation is viaspf's. The client's address is all that is told about a message: the sender is
//! `postmaster@` our own domain and the HELO name is that domain, so that no provider learns who writes to whom. An answer is
//! kept for the shortest TTL it was made of, from a minute to an hour, an unknown for 5 s, 65,536 of them; the same
//! question put twice at one time is asked once. It is unknown after 3 s.
//!
//! A pass by a term that is too wide for a gateway is unknown too, unless its record was found under a name made of the
//! client's address: a provider that says `+all` at any other place would open the gate to everyone.

use super::lookup::{OneEvaluation, is_too_wide};
use super::{MAX_TERMS, record};
use crate::dns::Dns;
use crate::policy::{Answer, LiveName};
use lru::LruCache;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tracing::warn;
use viaspf::{Config, Sender, SpfResult, SpfResultCause, evaluate_sender};

/// How long one question may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long its evaluation may take: less, so that an evaluation that took too long is known to have.
const EVALUATION: Duration = Duration::from_millis(2500);
/// How long an answer is kept at least.
const MIN_KEPT: Duration = Duration::from_secs(60);
/// How long an answer is kept at most.
const MAX_KEPT: Duration = Duration::from_secs(3600);
/// How long an unknown is kept.
const UNKNOWN_KEPT: Duration = Duration::from_secs(5);
/// How many answers are kept.
const ANSWERS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();
/// How many names are remembered as warned about.
const WARNED: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Whose domain we are when we have none that DNS could have.
const NOBODY: &str = "postern.invalid";

/// The answer to one question, and until when it is kept; nothing before the first. Whoever asks DNS holds the lock.
type Kept = Arc<tokio::sync::Mutex<Option<(Answer, Instant)>>>;

/// Asks live names.
pub struct Live<D> {
    dns: Arc<D>,
    /// Nothing would be an own domain that cannot be asked for, and then every answer is unknown.
    sender: Option<Sender>,
    config: Config,
    kept: Mutex<LruCache<(LiveName, IpAddr), Kept>>,
    warned: Mutex<LruCache<LiveName, ()>>,
}

impl<D> fmt::Debug for Live<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl<D: Dns> Live<D> {
    /// Asks in the name of this domain, which is what the macros d, o and h stand for in a live name. Where it is no domain
    /// of two labels, `postern.invalid` stands for it.
    pub fn new(dns: Arc<D>, own_domain: &str) -> Self {
        let sender = Sender::from_domain(own_domain).or_else(|_| Sender::from_domain(NOBODY)).ok();
        // The record of our own is one more term. Look-ups that find nothing are counted by the look-ups.
        let config = Config::builder()
            .max_lookups(MAX_TERMS + 1)
            .max_void_lookups(usize::MAX)
            .timeout(EVALUATION)
            .capture_trace(true)
            .build();
        let (kept, warned) = (Mutex::new(LruCache::new(ANSWERS)), Mutex::new(LruCache::new(WARNED)));
        Self { dns, sender, config, kept, warned }
    }

    /// Whether `include:NAME` matches this client: yes when the name passes it, no when it says anything else, unknown when
    /// that cannot be had or the records are wrong.
    pub async fn passes(&self, name: &LiveName, client: IpAddr) -> Answer {
        let client = client.to_canonical();
        let kept = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.get_or_insert((name.clone(), client), Kept::default))
        };
        let answered = timeout(DEADLINE, async {
            let mut kept = kept.lock().await;
            if let Some((answer, until)) = *kept
                && Instant::now() < until
            {
                return answer;
            }
            let (answer, ttl) = self.ask(name, client).await;
            *kept = Some((answer, Instant::now() + ttl));
            answer
        });
        answered.await.unwrap_or(Answer::Unknown)
    }

    /// The answer, and how long to keep it.
    async fn ask(&self, name: &LiveName, client: IpAddr) -> (Answer, Duration) {
        let Some(term) = record::own_term(name.as_str()) else {
            self.warn(name, "not a name that could stand behind include:");
            return (Answer::Unknown, UNKNOWN_KEPT);
        };
        let view = OneEvaluation::of(&term, &*self.dns);
        let Some(sender) = &self.sender else { return (Answer::Unknown, UNKNOWN_KEPT) };
        let result = evaluate_sender(&view, &self.config, client, sender, Some(sender.domain())).await;
        let answer = match result.spf_result {
            SpfResult::Pass if result.trace.is_some_and(|trace| is_too_wide(&trace)) => {
                self.warn(name, "its records pass more than a gateway can have");
                Answer::Unknown
            }
            SpfResult::Pass => Answer::Yes,
            SpfResult::Fail(_) | SpfResult::Softfail | SpfResult::Neutral | SpfResult::None => Answer::No,
            SpfResult::Temperror if view.refused() => {
                self.warn(name, "its records ask for more than they may");
                Answer::Unknown
            }
            SpfResult::Temperror => Answer::Unknown,
            SpfResult::Permerror => {
                let why = match result.cause {
                    Some(SpfResultCause::Error(cause)) => cause.to_string(),
                    Some(SpfResultCause::Match(_)) | None => "the records are wrong".to_owned(),
                };
                self.warn(name, &why);
                Answer::Unknown
            }
        };
        let ttl = match answer {
            Answer::Unknown => UNKNOWN_KEPT,
            Answer::Yes | Answer::No => view.ttl().unwrap_or_default().clamp(MIN_KEPT, MAX_KEPT),
        };
        (answer, ttl)
    }

    /// Warns about a name, once.
    fn warn(&self, name: &LiveName, why: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.put(name.clone(), ()).is_none() {
            warn!(%name, why, "an SPF name that is asked live cannot be evaluated: its clients are unknown");
        }
    }
}
