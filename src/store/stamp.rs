// SPDX-License-Identifier: GPL-3.0-or-later
//! A moment on the wall clock as it is kept on disk: whole seconds since 1970 (UTC).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, SystemTime};

/// A moment, to the second.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Stamp(u64);

impl Stamp {
    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// How long after an earlier moment this is; nothing at all where the clock was turned back in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// The moment this much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_secs()))
    }
}

impl From<SystemTime> for Stamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

impl From<Stamp> for SystemTime {
    fn from(stamp: Stamp) -> Self {
        SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.0)
    }
}

/// As HTTP writes it (RFC 9110 5.6.7), or the bare number where no calendar reaches.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Years beyond 9999 have no date.
        const LAST: u64 = 253_402_300_799;
        if self.0 > LAST {
            return write!(f, "{}", self.0);
        }
        httpdate::HttpDate::from(SystemTime::from(*self)).fmt(f)
    }
}
