// SPDX-License-Identifier: GPL-3.0-or-later
//! When a source is asked again.
//!
//! | last answer | next |
//! |---|---|
//! | usable | after its TTL, from 5 min to 24 h, give or take a tenth |
//! | none, but there is a good set | after 30 s, twice as long each time, up to 15 min |
//! | none, and there never was one | after 5 s, twice as long each time, up to 15 min |
//! | "leave me alone" (HTTP 429, 503) | when it says, from 5 min to 24 h |

use super::source::SourceError;
use std::time::Duration;

/// Shortest and longest time from one usable answer to the next question.
const SHORTEST: Duration = Duration::from_secs(5 * 60);
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// First pause after a failure: with a good set in force, and without.
const PAUSE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// How far from its time a question is put, in thousandths of that time; so that many do not come at once for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Jitter(i16);

impl Jitter {
    /// Made of any number: from a tenth too early to a tenth too late.
    pub(super) fn of(number: u64) -> Self {
        Self(i16::try_from(number % 201).map_or(0, |thousandths| thousandths - 100))
    }

    fn apply(self, time: Duration) -> Duration {
        time * u32::try_from(1000 + i32::from(self.0)).unwrap_or(1000) / 1000
    }
}

/// The pause after an answer that may be kept for this long.
pub(super) fn after_success(ttl: Duration, jitter: Jitter) -> Duration {
    jitter.apply(ttl.clamp(SHORTEST, LONGEST)).clamp(SHORTEST, LONGEST)
}

/// The pause after this many failures in a row, the last of which was this error or an answer of no use.
pub(super) fn after_failure(
    error: Option<&SourceError>,
    failures: u32,
    loaded: bool,
    jitter: Jitter,
) -> Duration {
    match error {
        Some(SourceError::Later(time)) => (*time).clamp(SHORTEST, LONGEST),
        Some(SourceError::Unreachable(_) | SourceError::Wrong(_)) | None => {
            let first = if loaded { PAUSE } else { FIRST_PAUSE };
            let doublings = failures.saturating_sub(1).min(16);
            jitter.apply((first * (1 << doublings)).min(LONGEST_PAUSE))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_the_table() {
        let seconds = Duration::from_secs;
        let none = Jitter::of(100);
        for (ttl, want) in [(0, 300), (299, 300), (3600, 3600), (1 << 40, 86_400)] {
            assert_eq!(after_success(seconds(ttl), none), seconds(want), "TTL {ttl}");
        }
        let unreachable = SourceError::Unreachable("x".into());
        for (failures, loaded, want) in [
            (0, true, 30),
            (1, true, 30),
            (2, true, 60),
            (5, true, 480),
            (6, true, 900),
            (u32::MAX, true, 900),
            (1, false, 5),
            (2, false, 10),
            (9, false, 900),
        ] {
            let pause = after_failure(Some(&unreachable), failures, loaded, none);
            assert_eq!(pause, seconds(want), "{failures} failures, loaded {loaded}");
        }
        for (asked, want) in [(1, 300), (3600, 3600), (1 << 40, 86_400)] {
            let pause = after_failure(Some(&SourceError::Later(seconds(asked))), 9, true, none);
            assert_eq!(pause, seconds(want), "asked for {asked}");
        }
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_the_limits() {
        for number in [0, 1, 100, 200, 201, u64::MAX] {
            let hour = Duration::from_secs(3600);
            let apart = after_success(hour, Jitter::of(number)).abs_diff(hour);
            assert!(apart <= hour / 10, "{number}: {apart:?}");
            assert!(after_success(Duration::ZERO, Jitter::of(number)) >= SHORTEST, "{number}");
            assert!(after_success(LONGEST, Jitter::of(number)) <= LONGEST, "{number}");
        }
    }
}
