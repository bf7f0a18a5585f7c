// SPDX-License-Identifier: GPL-3.0-or-later
//! Answers that are kept for a while, a bounded number of them, the one that was not asked for the longest going first. The
//! same question put twice at one time is asked once.

use lru::LruCache;
use std::future::Future;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Who asks holds the slot, and whoever asks the same waits for it.
type Slot<V> = Arc<tokio::sync::Mutex<Option<(V, Instant)>>>;

pub(super) struct Kept<K, V>(Mutex<LruCache<K, Slot<V>>>);

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// Keeps at most this many.
    pub(super) fn new(most: usize) -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN))))
    }

    /// The answer that is kept, or else the one that `ask` gives, with how long it may be kept.
    pub(super) async fn find(&self, key: K, ask: impl Future<Output = (V, Duration)>) -> V {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.get_or_insert_mut(key, Slot::default))
        };
        let mut kept = slot.lock().await;
        if let Some((answer, until)) = &*kept
            && Instant::now() < *until
        {
            return answer.clone();
        }
        *kept = None;
        let (answer, time) = ask.await;
        *kept = Some((answer.clone(), Instant::now() + time));
        answer
    }
}
