// SPDX-License-Identifier: GPL-3.0-or-later
//! Sendmail's side: the lines of sendmail.mc that a configuration needs, and what a running Sendmail has instead.
//!
//! Sendmail has no policy delegation, so the milter decides there. What its tables cannot tell (which server one recipient of
//! a domain belongs to, which scanner a message goes to) rules of ours do.

mod check;
mod file;
mod lines;
mod rules;

use super::needs::Needs;
use crate::cli::arguments::MtaSendmail;
use crate::cli::output;
use file::Cf;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Prints the lines, or what differs from them.
pub(super) fn sendmail(needs: &Needs, file: &Path, options: &MtaSendmail) -> io::Result<ExitCode> {
    let MtaSendmail { check, sendmail_cf, json } = options;
    if needs.milter.is_none() {
        return Err(io::Error::other(format!(
            "Sendmail asks by the milter protocol only, and {} has no [milter]",
            file.display()
        )));
    }
    if *check {
        let running = Cf::read(sendmail_cf)?;
        return check::check(needs, &running).show(&sendmail_cf.display().to_string(), *json);
    }
    output::print(&lines::text(needs, file))?;
    Ok(ExitCode::SUCCESS)
}
