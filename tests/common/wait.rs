// SPDX-License-Identifier: GPL-3.0-or-later
//! Waiting for a condition, the only way a test may wait.

use std::time::{Duration, Instant};

/// How long anything that is bound to happen may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(5);

/// Waits until `condition` holds; panics with `what` after `limit`.
pub(crate) fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}

/// Waits until `look` finds something; panics with `what` after `limit`.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    found_within(limit, look).unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}"))
}

/// Looks again and again until something is found or `limit` is over.
pub(crate) fn found_within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() > limit {
            return None;
        }
        pause();
    }
}

#[allow(clippy::disallowed_methods, reason = "the pause between two looks at a condition")]
fn pause() {
    std::thread::sleep(POLL);
}
