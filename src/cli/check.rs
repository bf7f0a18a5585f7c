// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern check`: every problem of a configuration at once.

use super::assemble::{self, Assembled};
use super::{FAILED, online, output};
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Checks; 0 when the configuration can be used, 1 when it cannot, 2 when there is none.
pub(super) fn check(path: &Path, offline: bool, json: bool) -> io::Result<ExitCode> {
    let Assembled { mut problems, outcome, found, plan, snapshots: _, known: _ } = assemble::assemble(path);
    if let Some((config, _)) = outcome.as_ref().filter(|_| !offline) {
        online::check(config, &plan, &mut problems)?;
    }
    let outcome = outcome.filter(|_| !problems.has_errors());
    if json {
        output::print_json(&problems)?;
    } else {
        let verdict = if outcome.is_some() { "can be used" } else { "cannot be used" };
        let shown = problems.render(output::colour(&io::stdout()));
        output::print(&format!("{shown}{} {verdict}: {problems}\n", path.display()))?;
    }
    Ok(match (found, outcome) {
        (false, _) => ExitCode::from(FAILED),
        (true, None) => ExitCode::from(1),
        (true, Some(_)) => ExitCode::SUCCESS,
    })
}
