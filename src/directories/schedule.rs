// SPDX-License-Identifier: GPL-3.0-or-later
//! When a directory is asked again.
//!
//! | last sync | next |
//! |---|---|
//! | complete, also one that was held | after `refresh`, give or take a tenth |
//! | failed | after 30 s, twice as long each time, up to 15 min, and never later than `refresh` asks |
//! | failed, and nothing was ever known | after 5 s, twice as long each time, up to 15 min |
//! | "leave me alone" (HTTP 429, 503) | when the source says, up to 24 h |

use std::time::Duration;

/// First pause after a failure: with something in force, and without.
const PAUSE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Longest pause that a source can ask for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What the last sync came to, as far as the next one depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    /// The source gave a complete answer.
    Complete,
    /// It did not.
    Failed {
        /// How often in a row.
        failures: u32,
        /// Whether anything is in force.
        known: bool,
        /// How long it asks to be left alone.
        later: Option<Duration>,
    },
}

/// The pause before the next sync. `number` is any number; from it comes how far the pause is from its middle.
pub(super) fn pause(last: Last, refresh: Duration, number: u64) -> Duration {
    match last {
        Last::Complete => jitter(refresh, number),
        Last::Failed { later: Some(time), .. } => time.clamp(PAUSE, LONGEST),
        Last::Failed { failures, known, later: None } => {
            let first = if known { PAUSE } else { FIRST_PAUSE };
            let doublings = failures.saturating_sub(1).min(16);
            jitter((first * (1 << doublings)).min(LONGEST_PAUSE).min(refresh.max(FIRST_PAUSE)), number)
        }
    }
}

/// From a tenth too early to a tenth too late, so that many do not come at once for ever.
fn jitter(time: Duration, number: u64) -> Duration {
    let thousandths = u32::try_from(900 + number % 201).unwrap_or(1000);
    time / 1000 * thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_the_table() {
        let seconds = Duration::from_secs;
        let failed = |failures, known| Last::Failed { failures, known, later: None };
        for (last, refresh, want) in [
            (Last::Complete, 900, 900),
            (failed(1, true), 900, 30),
            (failed(3, true), 900, 120),
            (failed(20, true), 86_400, 900),
            (failed(u32::MAX, true), 86_400, 900),
            (failed(3, true), 60, 60),
            (failed(1, false), 900, 5),
            (failed(2, false), 900, 10),
            (Last::Failed { failures: 9, known: true, later: Some(seconds(3600)) }, 900, 3600),
            (Last::Failed { failures: 9, known: true, later: Some(seconds(1)) }, 900, 30),
            (Last::Failed { failures: 9, known: true, later: Some(seconds(1 << 40)) }, 900, 86_400),
        ] {
            assert_eq!(pause(last, seconds(refresh), 100), seconds(want), "{last:?}, refresh {refresh}");
        }
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        for number in [0, 1, 100, 200, 201, u64::MAX] {
            let hour = Duration::from_secs(3600);
            let apart = pause(Last::Complete, hour, number).abs_diff(hour);
            assert!(apart <= hour / 10, "{number}: {apart:?}");
        }
    }
}
