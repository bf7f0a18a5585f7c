// SPDX-License-Identifier: GPL-3.0-or-later
//! Postfix's side: the lines of main.cf that a configuration needs, and what a running Postfix has instead.

mod check;
mod list;
mod listeners;
mod running;
mod settings;
mod snippet;
mod version;

pub(in crate::cli) use version::Version;

use super::needs::Needs;
use crate::cli::arguments::MtaPostfix;
use crate::cli::output;
use running::Running;
use settings::Postfix;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Where Postfix's queue is unless it says otherwise.
const QUEUE: &str = "/var/spool/postfix";

/// Prints the lines, or what differs from them.
pub(super) fn postfix(needs: &Needs, file: &Path, options: &MtaPostfix) -> io::Result<ExitCode> {
    let MtaPostfix { check, postfix_config, postfix_version, postscreen, json } = options;
    if *check {
        let running = Running::read(postfix_config.as_deref())?;
        let queue = running.queue();
        let version = postfix_version.or_else(|| running.version()).unwrap_or(Version::NEWEST);
        let postfix = Postfix { version, queue: &queue };
        let settings = postfix.settings(needs, *postscreen);
        return check::check(needs, postfix, &running, &settings).show(&running.place(), *json);
    }
    let installed = match (running::installed(postfix_config.as_deref()), postfix_config) {
        (Ok(installed), _) => installed,
        (Err(error), Some(_)) => return Err(error),
        (Err(_), None) => (None, QUEUE.into()),
    };
    let (version, queue) = (postfix_version.or(installed.0).unwrap_or(Version::NEWEST), installed.1);
    let postfix = Postfix { version, queue: &queue };
    let settings = postfix.settings(needs, *postscreen);
    if *json {
        output::print_json(&snippet::json(&settings))?;
    } else {
        output::print(&snippet::text(needs, postfix, &settings, file))?;
    }
    Ok(ExitCode::SUCCESS)
}
