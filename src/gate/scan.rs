// SPDX-License-Identifier: GPL-3.0-or-later
//! The keys of scan tokens, and which tokens have been used: each counts once for each of its recipients.
//!
//! At most [`MOST`] uses are remembered, each until its token expires by itself. When that is not enough, no token is taken
//! any more until some have expired: mail that comes back is scanned again, or waits at the scanner rather than being a loop.
//! Keys and uses are given and taken by whoever keeps them; without keys, or with a clock that is wrong by years, mail that
//! needs a token is deferred. Nothing waits here but for a lock, and only for messages that come back scanned.

use crate::mail::{HeaderFacts, ScanKeys, SpentToken, TokenFault};
use crate::policy::{self, Decision, Tokens};
use arc_swap::ArcSwapOption;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Uses that are remembered: with tokens that are valid for a day, eleven scanned recipients a second. They take 32 MB.
const MOST: usize = 1_000_000;
/// How often it is looked at most which have expired, and the same is said, in seconds.
const WHILE: u64 = 60;
/// 2025-01-01T00:00:00Z: no clock that is right is before it.
const EPOCH: u64 = 1_735_689_600;

/// Keys and uses.
#[derive(Debug)]
pub(super) struct Scan {
    keys: ArcSwapOption<ScanKeys>,
    /// What tells tokens of one second apart. It begins anywhere, for other machines may have the same keys.
    numbers: AtomicU64,
    spent: Mutex<Spent>,
    /// When it was last said that there are no keys.
    said: AtomicU64,
}

/// The uses that are remembered.
#[derive(Debug)]
struct Spent {
    uses: HashMap<[u8; 12], u32>,
    most: usize,
    swept: u64,
    /// When it was last said that there are too many.
    said: u64,
    changed: bool,
}

impl Default for Scan {
    fn default() -> Self {
        let anywhere = RandomState::new().build_hasher().finish();
        Self {
            keys: ArcSwapOption::default(),
            numbers: AtomicU64::new(anywhere),
            spent: Mutex::default(),
            said: AtomicU64::default(),
        }
    }
}

impl Default for Spent {
    fn default() -> Self {
        Self { uses: HashMap::new(), most: MOST, swept: 0, said: 0, changed: false }
    }
}

impl Scan {
    pub(super) fn set_keys(&self, keys: Option<ScanKeys>) {
        self.keys.store(keys.map(Arc::new));
    }

    /// Reads the tokens of a message.
    pub(super) fn read(&self, recipients: &[&Decision], headers: &HeaderFacts) -> Tokens {
        let Some((keys, now)) = self.ready() else { return Tokens::default() };
        let mut tokens = Tokens::read(recipients, headers, Some(&keys), now);
        if tokens.read.iter().any(Result::is_ok) {
            let mut spent = self.spent();
            for token in &mut tokens.read {
                *token = token.and_then(|token| spent.unused(token, now));
            }
        }
        tokens
    }

    /// Signs the tokens that a message is sent to the scanner with; nothing where that cannot be done.
    pub(super) fn sign(&self, recipients: &[&Decision]) -> Option<Vec<String>> {
        let to_sign = policy::to_sign(recipients);
        if to_sign.is_empty() {
            return Some(Vec::new());
        }
        let (keys, now) = self.ready()?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mint = |(domain, addresses): (_, Vec<_>)| keys.signing().mint(domain, now, number, addresses);
        Some(to_sign.into_iter().flat_map(mint).collect())
    }

    /// Remembers that tokens have been used; false, and nothing is remembered, when one has been meanwhile.
    pub(super) fn spend(&self, tokens: &[SpentToken]) -> bool {
        if tokens.is_empty() {
            return true;
        }
        let Some(now) = now() else { return false };
        let mut spent = self.spent();
        if tokens.iter().any(|token| spent.unused(*token, now).is_err()) {
            return false;
        }
        spent.remember(tokens);
        true
    }

    /// All that is remembered, if anything has changed since it was last collected.
    pub(super) fn collect(&self) -> Option<Vec<SpentToken>> {
        let mut spent = self.spent();
        if !std::mem::take(&mut spent.changed) {
            return None;
        }
        if let Some(now) = now() {
            spent.sweep(now);
        }
        Some(spent.uses.iter().map(|(&mark, &until)| SpentToken { mark, until }).collect())
    }

    /// Remembers what was remembered before a restart.
    pub(super) fn recall(&self, tokens: &[SpentToken]) {
        let mut spent = self.spent();
        let room = spent.most.saturating_sub(spent.uses.len());
        spent.remember(&tokens[..tokens.len().min(room)]);
        spent.changed = false;
    }

    /// What was collected could not be kept.
    pub(super) fn keep(&self) {
        self.spent().changed = true;
    }

    /// The keys and the time, in seconds since 1970.
    fn ready(&self) -> Option<(Arc<ScanKeys>, u64)> {
        let keys = self.keys.load_full();
        let now = now();
        if let (Some(keys), Some(now)) = (&keys, now) {
            return Some((Arc::clone(keys), now));
        }
        let last = self.said.load(Ordering::Relaxed);
        let since = now.unwrap_or_default();
        if last == 0 || since.saturating_sub(last) >= WHILE {
            self.said.store(since.max(1), Ordering::Relaxed);
            let why = if keys.is_none() { "there are no keys" } else { "the clock is wrong" };
            tracing::warn!(why, "no scan token can be signed or checked; mail that needs one is deferred");
        }
        None
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    /// The token, if it was not used and can be remembered when it is.
    fn unused(&mut self, token: SpentToken, now: u64) -> Result<SpentToken, TokenFault> {
        if self.uses.contains_key(&token.mark) {
            return Err(TokenFault::Spent);
        }
        if self.uses.len() >= self.most && now.saturating_sub(self.swept) >= WHILE {
            self.sweep(now);
        }
        if self.uses.len() < self.most {
            return Ok(token);
        }
        if now.saturating_sub(self.said) >= WHILE {
            self.said = now;
            tracing::warn!(
                most = self.most,
                "too many scan tokens have been used to remember one more; mail is scanned again until some have \
                 expired. A shorter `valid` in [domain.X.scan] helps"
            );
        }
        Err(TokenFault::Unremembered)
    }

    fn remember(&mut self, tokens: &[SpentToken]) {
        self.uses.extend(tokens.iter().map(|token| (token.mark, token.until)));
        self.changed = true;
    }

    fn sweep(&mut self, now: u64) {
        self.swept = now;
        self.uses.retain(|_, until| u64::from(*until) >= now);
    }
}

/// Seconds since 1970; nothing where the clock is wrong by years.
fn now() -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    (now >= EPOCH).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::super::hidden::tests::Log;
    use super::*;

    const NOW: u64 = EPOCH + 1000;

    fn token(n: u8, until: u64) -> SpentToken {
        SpentToken { mark: [n; 12], until: u32::try_from(until).unwrap() }
    }

    /// A token that two sessions bring at one time counts for one of them.
    #[test]
    fn a_token_is_used_once() {
        let scan = Scan::default();
        let (one, two) = (token(1, u64::from(u32::MAX)), token(2, u64::from(u32::MAX)));
        assert!(scan.spend(&[one]) && !scan.spend(&[two, one]), "all or nothing");
        assert!(scan.spend(&[two, two]) && scan.spend(&[]));
        assert_eq!(scan.collect().map(|tokens| tokens.len()), Some(2));
        assert!(scan.collect().is_none());
        scan.keep();
        assert!(scan.collect().is_some());
        let after = Scan::default();
        after.recall(&[one]);
        assert!(!after.spend(&[one]) && after.collect().is_none());
    }

    #[test]
    fn memory_is_bounded_and_what_expires_makes_room() {
        let (log, _guard) = Log::keep();
        let mut spent = Spent { most: 2, ..Spent::default() };
        spent.remember(&[token(1, NOW + 10), token(2, NOW + 100)]);
        for _ in 0..5 {
            assert_eq!(spent.unused(token(3, NOW), NOW), Err(TokenFault::Unremembered));
        }
        assert_eq!(log.take().len(), 1);
        // What is known to have been used is no less so.
        assert_eq!(spent.unused(token(1, NOW), NOW), Err(TokenFault::Spent));
        let later = NOW + WHILE;
        assert_eq!(spent.unused(token(3, later), later), Ok(token(3, later)));
        assert_eq!(spent.uses.len(), 1);
        let scan = Scan { spent: Mutex::new(Spent { most: 2, ..Spent::default() }), ..Scan::default() };
        scan.recall(&[token(1, NOW), token(2, NOW), token(3, NOW)]);
        assert_eq!(scan.spent().uses.len(), 2, "no more than there is room for");
    }

    #[test]
    fn that_there_are_no_keys_is_said_and_not_every_time() {
        let (log, _guard) = Log::keep();
        let scan = Scan::default();
        (0..5).for_each(|_| assert!(scan.ready().is_none()));
        let said = log.take();
        assert!(said.len() == 1 && said[0].contains("there are no keys"), "{said:?}");
    }
}
