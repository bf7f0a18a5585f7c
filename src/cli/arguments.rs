// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line. One definition feeds `--help`, the man pages and the completions.
#![allow(clippy::doc_markdown)] // The comments are help texts, where backticks would be shown.

use super::log;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Locks a mail server behind its secure email gateway.
///
/// Postern is asked by Postfix or Sendmail about every message: did it come through the gateway that the recipient's
/// domain uses, does the recipient exist, has it been here before? Each answer becomes a verdict that the MTA carries
/// out: accept, tag, quarantine, discard, defer, reject.
///
/// Begin with `postern check`, then `postern try --client 192.0.2.1 --rcpt ann@example.com`, then `postern run`.
#[derive(Debug, Parser)]
#[command(name = "postern", version, max_term_width = 100)]
pub struct Arguments {
    /// The configuration file
    #[arg(long, short, global = true, value_name = "FILE", default_value = "/etc/postern/postern.toml")]
    pub config: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM; SIGHUP reloads
    ///
    /// SIGHUP reads the configuration and every file it names again; unless all of it is right nothing changes.
    /// SIGTERM stops accepting and lets messages under way finish within drain_timeout.
    ///
    /// Exit code: 0 after an orderly stop, 2 when it could not serve.
    Run(RunOptions),
    /// Check the configuration and everything it names
    ///
    /// Prints every problem with its file, line and column, and what to write instead.
    ///
    /// Exit code: 0 when it can be used, 1 when there are errors, 2 when there is no such file.
    Check(CheckOptions),
}

/// Options of `run`.
#[derive(Args, Debug)]
pub struct RunOptions {
    /// How events are written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: log::Format,

    /// The least important events that are written
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub log_level: log::Threshold,
}

/// Options of `check`.
#[derive(Args, Debug)]
pub struct CheckOptions {
    /// Print the problems as JSON
    #[arg(long)]
    pub json: bool,
}
