// SPDX-License-Identifier: GPL-3.0-or-later
//! The load program: plays the MTA against a running milter and measures what comes back.
//!
//!     cargo bench --bench load -- data --dir D            the networks and recipients that the milter loads
//!     cargo bench --bench load -- run --to inet:H:P ...   messages over many connections, each answer checked
//!     cargo bench --bench load -- negotiate --to ...      the milter's answer to Postfix's offer, in hex
//!     cargo bench --bench load -- smtp --to H:P           ms a mail through one idle session of a real MTA
//!
//! It shares the machine's cores with what it measures, so compare figures of one run only.
//! Exit status: 0, 1 when an answer was wrong or a connection failed, 2 for wrong arguments.
#![allow(missing_docs)]
#![allow(clippy::cast_precision_loss)] // counts and microseconds stay far below 2^52

mod data;
mod dialogue;
mod drive;
mod held;
mod message;
mod process;
mod run;
mod smtp;
mod wire;

use clap::{Args, CommandFactory, Parser, Subcommand};
use drive::Target;
use held::Held;
use message::{Content, Writes};
use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
};

/// Plays the MTA against a milter, or an SMTP client against an MTA, and measures.
#[derive(Parser)]
#[command(name = "load")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Cargo passes this to every bench program.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Sends messages to a milter over many connections and checks every answer.
    Run(run::Run),
    /// Writes networks.txt and recipients.txt, the data that `run` expects the milter to have loaded.
    Data {
        /// The directory to write to; it is made when it is not there.
        #[arg(long)]
        dir: PathBuf,
        #[command(flatten)]
        size: Size,
    },
    /// Prints the milter's answer to what Postfix offers, in hex.
    Negotiate {
        /// The milter: `inet:ADDRESS:PORT` or `unix:PATH`.
        #[arg(long)]
        to: Target,
    },
    /// Prints a TCP port of 127.0.0.1 that is free now, for the scripts.
    FreePort,
    /// Sends mails through one idle SMTP session and prints what a mail takes.
    Smtp {
        /// The MTA: `ADDRESS:PORT`.
        #[arg(long)]
        to: SocketAddr,
        #[arg(long, default_value_t = 100)]
        messages: u32,
        #[arg(long, default_value = "newsletter@sender.example")]
        from: String,
        #[arg(long, default_value = "anna.abel@harbour.example")]
        rcpt: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Clone, Copy)]
struct Size {
    /// Networks of the gateways, one IPv6 in four.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=i64::from(data::MAX_NETWORKS)))]
    networks: u32,
    /// Existing recipients, in eight domains.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(data::MAX_RECIPIENTS)))]
    recipients: u32,
}

fn main() -> ExitCode {
    // What a plain `cargo test --all-targets` or `cargo bench --benches` asks: nothing.
    if env::args().skip(1).all(|argument| argument == "--bench") {
        return Cli::command().print_help().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let result = match Cli::parse().command {
        Command::Run(arguments) => run::load(&arguments),
        Command::Data { dir, size } => fs::create_dir_all(&dir)
            .and_then(|()| data::write(&dir, size.networks, size.recipients))
            .map(|()| true)
            .map_err(|e| format!("{}: {e}", dir.display())),
        Command::Negotiate { to } => negotiate(&to),
        Command::FreePort => free_port(),
        Command::Smtp { to, messages, from, rcpt, json } => idle_session(to, messages, &from, &rcpt, json),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn negotiate(to: &Target) -> Result<bool, String> {
    let content = Content { writes: Writes::Joined, headers: 0, body: 0, loop_id: String::new() };
    let held = Held::open(to, &content, 1)?;
    for byte in held.negotiated().unwrap_or_default() {
        print!("{byte:02x}");
    }
    println!();
    Ok(true)
}

fn free_port() -> Result<bool, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    println!("{}", listener.map_err(|e| e.to_string())?.port());
    Ok(true)
}

fn idle_session(to: SocketAddr, mails: u32, from: &str, rcpt: &str, json: bool) -> Result<bool, String> {
    let millis = smtp::run(to, mails, from, rcpt)?;
    let at = |percent: usize| {
        let value: f64 = millis.get(millis.len() * percent / 100).copied().unwrap_or_default();
        (value * 100.0).round() / 100.0
    };
    let (quarter, median, high) = (at(25), at(50), at(99));
    if json {
        println!("{}", serde_json::json!({"p25_ms": quarter, "median_ms": median, "p99_ms": high}));
    } else {
        println!("{mails} mails: median {median:.2} ms, p25 {quarter:.2} ms, p99 {high:.2} ms");
    }
    Ok(true)
}
