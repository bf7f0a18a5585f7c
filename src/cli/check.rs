// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern check`: every problem of a configuration at once.

use super::FAILED;
use super::assemble::{self, Assembled};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Checks; 0 when the configuration can be used, 1 when it cannot, 2 when there is none.
pub(super) fn check(config: &Path, json: bool) -> ExitCode {
    let Assembled { problems, outcome, found } = assemble::assemble(config);
    let mut out = io::stdout();
    // A reader that has gone away (a pipe into `head`) has seen enough.
    let _ = if json {
        serde_json::to_string_pretty(&problems)
            .map_err(io::Error::from)
            .and_then(|text| writeln!(out, "{text}"))
    } else {
        write!(out, "{}", problems.render(super::colour(&out))).and_then(|()| {
            let verdict = if outcome.is_some() { "can be used" } else { "cannot be used" };
            writeln!(out, "{} {verdict}: {problems}", config.display())
        })
    };
    match (found, outcome) {
        (false, _) => ExitCode::from(FAILED),
        (true, None) => ExitCode::from(1),
        (true, Some(_)) => ExitCode::SUCCESS,
    }
}
