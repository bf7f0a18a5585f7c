// SPDX-License-Identifier: GPL-3.0-or-later
//! Spans of time as people say them, in their largest unit: `40 s`, `5 min`, `3 h`, `12 d`.

use crate::store::Stamp;
use std::time::Duration;

/// A span.
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// How long ago a moment was.
pub(super) fn ago(now: Stamp, then: Stamp) -> String {
    format!("{} ago", span(now.since(then)))
}

/// How long it is until a moment.
pub(super) fn until(now: Stamp, then: Stamp) -> String {
    if then <= now { "now".to_owned() } else { format!("in {}", span(then.since(now))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_in_their_largest_unit() {
        for (seconds, want) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 d")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), want);
        }
        let now = Stamp::default().after(Duration::from_secs(1000));
        assert_eq!(ago(now, Stamp::default()), "16 min ago");
        assert_eq!(until(now, now.after(Duration::from_secs(90))), "in 90 s");
        assert_eq!(until(now, Stamp::default()), "now");
    }
}
