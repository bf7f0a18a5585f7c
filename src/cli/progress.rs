// SPDX-License-Identifier: GPL-3.0-or-later
//! How far long work has come: a line on standard error, on a terminal only, gone when the work is done.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};

/// Work of so many steps.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Begins; `what` is said before the count.
    pub(super) fn begin(what: &'static str, steps: usize) -> Self {
        let shown = io::stderr().is_terminal() && steps > 0;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos} of {len}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.tick();
        Self(bar)
    }

    /// One step is done.
    pub(super) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Work whose end is not known before: a count that grows.
pub(super) struct Counter(ProgressBar);

impl Counter {
    /// Begins; `name` is whose work it is.
    pub(super) fn begin(name: &str) -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {spinner} {msg} {human_pos} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    /// How far it is.
    pub(super) fn show(&self, what: &'static str, done: u64, of: Option<u64>) {
        if let Some(of) = of {
            self.0.set_length(of);
        }
        self.0.set_message(what);
        self.0.set_position(done);
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
