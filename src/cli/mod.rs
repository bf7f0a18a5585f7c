// SPDX-License-Identifier: GPL-3.0-or-later
//! The roof: the commands, and the service that wires the rooms together.
//!
//! `arguments` defines every command; help, man pages and completions are made from it.

pub mod arguments;
mod ask;
pub mod assemble;
mod cases;
mod check;
mod content;
mod directories;
mod directory_watch;
mod doors;
mod expectation;
mod first_word;
mod gateways;
mod generate;
pub mod interrupt;
mod live;
pub mod log;
mod log_queue;
mod log_text;
mod man;
mod manual;
mod mta;
mod online;
mod output;
mod outside;
mod pid_file;
mod progress;
mod question;
mod reload;
mod roof;
mod route;
mod route_groups;
mod routing;
mod run;
mod scan_watch;
mod server_watch;
mod servers;
mod span;
mod status;
mod test;
mod trial;
mod watches;

use crate::config::{Problems, Severity};
use arguments::{Arguments, Command};
use clap::Parser;
use std::io;
use std::process::ExitCode;

/// Exit code of a command that could not do its work.
pub(crate) const FAILED: u8 = 2;

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let done = match command {
        Command::Run(options) => Ok(run::run(&config, options.log_format, options.log_level)),
        Command::Check(options) => check::check(&config, options.offline, options.json),
        Command::Try(options) => ask::ask(&config, options),
        Command::Test(options) => test::test(&config, &options.files, options.json),
        Command::Gateways(options) => gateways::gateways(&config, options),
        Command::Directories(options) => directories::directories(&config, options),
        Command::Route(options) => route::route(&config, &options),
        Command::Servers(options) => servers::servers(&config, options),
        Command::Mta(options) => mta::mta(&config, &options),
        Command::Generate(options) => generate::generate(&options.what).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        output::complain(&format!("postern: {error}\n"));
        ExitCode::from(FAILED)
    })
}

/// Why a configuration cannot be used; `check` and `run` show the rest, too.
fn print_errors(mut problems: Problems) {
    problems.retain(|problem| problem.severity == Severity::Error);
    print_problems(&problems);
}

/// Problems as a compiler shows them, on standard error; in colour on a terminal.
fn print_problems(problems: &Problems) {
    output::complain(&problems.render(output::colour(&io::stderr())));
}
