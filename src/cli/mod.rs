// SPDX-License-Identifier: GPL-3.0-or-later
//! The roof: the commands, and the service that wires the rooms together.
//!
//! `arguments` defines every command; help, man pages and completions are made from it.

pub mod arguments;
pub mod assemble;
mod check;
pub mod log;
mod log_queue;
mod run;

use crate::config::Problems;
use arguments::{Arguments, Command};
use clap::Parser;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

/// Exit code of a command that could not do its work.
pub(crate) const FAILED: u8 = 2;

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    match command {
        Command::Run(options) => run::run(&config, options.log_format, options.log_level),
        Command::Check(options) => check::check(&config, options.json),
    }
}

/// Problems as a compiler shows them, on standard error; in colour on a terminal.
fn print_problems(problems: &Problems) {
    if !problems.is_empty() {
        eprint!("{}", problems.render(colour(&io::stderr())));
    }
}

/// Colour on a terminal only, and not where `NO_COLOR` is set (no-color.org).
fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
