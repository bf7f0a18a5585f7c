// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern mta`: the MTA's side of a configuration. From one list of what is needed and why come the lines to paste and, with
//! `--check`, what a running MTA has instead.
//!
//! Only the configuration file is read of Postern's, and nothing at all is changed.

mod child;
mod finding;
mod needs;
mod postfix;
mod sendmail;

pub(super) use postfix::Version as PostfixVersion;

use super::arguments::{Mta, MtaOptions};
use crate::config::{self, Config, Problems};
use needs::Needs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Prints the lines, or what differs.
pub(super) fn mta(path: &Path, options: &MtaOptions) -> io::Result<ExitCode> {
    let needs = Needs::of(&read(path)?);
    match &options.which {
        Mta::Postfix(options) => postfix::postfix(&needs, path, options),
        Mta::Sendmail(options) => sendmail::sendmail(&needs, path, options),
    }
}

fn read(path: &Path) -> io::Result<Config> {
    let mut problems = Problems::default();
    let config = config::read(path, &mut problems).ok().flatten();
    problems.sort();
    config.filter(|_| !problems.has_errors()).ok_or_else(|| {
        super::print_errors(problems);
        io::Error::other(format!("{} cannot be used", path.display()))
    })
}
