// SPDX-License-Identifier: GPL-3.0-or-later
//! How long a busy server is waited for within one sync: as it says by `Retry-After`, else 1, 2, 4 and 8 s; never longer than
//! a minute at one time and five minutes in all.

use super::super::source::SourceError;
use super::answer::Busy;
use std::time::Duration;

/// How long is waited at one time. Who asks for more is left alone until a later sync.
const LONGEST: Duration = Duration::from_secs(60);
/// How long is waited in one sync, all together.
const ALTOGETHER: Duration = Duration::from_secs(300);
/// Who says "at once" while being busy is not asked without a pause either.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often one request is repeated where the server says when to come again, and where it does not.
const TOLD: u32 = 20;
const UNTOLD: u32 = 4;

/// How long has been waited.
#[derive(Debug, Default)]
pub(super) struct Patience {
    pub(super) waited: Duration,
}

impl Patience {
    /// How long to wait before a request is made again that so many times was not answered; an error when that is too long.
    pub(super) fn wait(
        &mut self,
        busy: &Busy,
        told: Option<Duration>,
        tries: u32,
    ) -> Result<Duration, SourceError> {
        let most = if told.is_some() { TOLD } else { UNTOLD };
        let wait = told.unwrap_or_else(|| Duration::from_secs(1 << tries.min(3))).max(SHORTEST);
        if tries < most && wait <= LONGEST && self.waited + wait <= ALTOGETHER {
            self.waited += wait;
            return Ok(wait);
        }
        Err(if busy.throttles || told.is_some() {
            SourceError::Later(wait)
        } else {
            SourceError::Unreachable(busy.why.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stays_busy_is_left_alone() {
        for (throttles, told, waits, want) in [
            (true, Some(1), vec![1; 20], "asks to be left alone for 1 s"),
            (true, Some(0), vec![1; 20], "asks to be left alone for 1 s"),
            (true, Some(30), vec![30; 10], "asks to be left alone for 30 s"),
            (false, Some(30), vec![30; 10], "asks to be left alone for 30 s"),
            (true, Some(60), vec![60; 5], "asks to be left alone for 60 s"),
            (true, Some(61), vec![], "asks to be left alone for 61 s"),
            (true, Some(u64::MAX), vec![], "asks to be left alone for 18446744073709551615 s"),
            (true, None, vec![1, 2, 4, 8], "asks to be left alone for 8 s"),
            (false, None, vec![1, 2, 4, 8], "no answer: it is down"),
        ] {
            let busy = Busy { throttles, why: "it is down".into() };
            let (mut patience, mut found) = (Patience::default(), Vec::new());
            let error = loop {
                let tries = u32::try_from(found.len()).unwrap();
                match patience.wait(&busy, told.map(Duration::from_secs), tries) {
                    Ok(wait) => found.push(wait.as_secs()),
                    Err(error) => break error.to_string(),
                }
            };
            assert_eq!((found, error), (waits, want.to_owned()), "{throttles} {told:?}");
        }
    }
}
