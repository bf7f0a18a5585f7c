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

mod data;
mod dialogue;
mod drive;
mod held;
mod process;
mod smtp;
mod wire;

use clap::{Args, Parser, Subcommand};
use dialogue::{Content, Mix, Writes};
use drive::{Expect, Job, Tally, Target};
use held::Held;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use process::Usage;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
    sync::{atomic::AtomicU32, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Plays the MTA against a milter, or an SMTP client against an MTA, and measures.
#[derive(Parser)]
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
    Run(Run),
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

#[derive(Args)]
struct Run {
    /// The milter: `inet:ADDRESS:PORT` or `unix:PATH`.
    #[arg(long)]
    to: Target,
    #[command(flatten)]
    size: Size,
    /// Messages to send; without --seconds 20,000.
    #[arg(long)]
    messages: Option<u32>,
    /// Time to send for.
    #[arg(long)]
    seconds: Option<f64>,
    /// Connections at a time.
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// Threads of this program that share the connections.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Messages on each connection.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    reuse: u32,
    /// Headers of a message.
    #[arg(long, default_value_t = 12)]
    headers: usize,
    /// Bytes of the body, in one packet of at most 65,535.
    #[arg(long, default_value_t = 2000)]
    body: usize,
    /// Which messages to send.
    #[arg(long, value_enum, default_value = "accepted")]
    mix: Mix,
    /// Which outcome of a message is right.
    #[arg(long, value_enum, default_value = "policy")]
    expect: Expect,
    /// How packets share writes.
    #[arg(long, value_enum, default_value = "joined")]
    writes: Writes,
    /// Acknowledge half an answer at once: spares a milter that leaves Nagle on the 40 ms that MTAs cost it.
    #[arg(long)]
    quick_ack: bool,
    /// The milter's loop id, for the messages of the mix that loop.
    #[arg(long, default_value = "mx.example.net")]
    loop_id: String,
    /// Connections to negotiate first and hold idle meanwhile; each carries a message at the end.
    #[arg(long, default_value_t = 0)]
    held: usize,
    /// The milter's process, for its CPU time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Send SIGHUP to --pid at this interval, in seconds.
    #[arg(long, requires = "pid")]
    reload_every: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(run) => load(&run),
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
    let hex: String = held.negotiated().unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{hex}");
    Ok(true)
}

fn free_port() -> Result<bool, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    println!("{}", listener.map_err(|e| e.to_string())?.port());
    Ok(true)
}

fn idle_session(to: SocketAddr, mails: u32, from: &str, rcpt: &str, json: bool) -> Result<bool, String> {
    let millis = smtp::run(to, mails, from, rcpt)?;
    let at = |share: f64| millis.get((millis.len() as f64 * share) as usize).copied().unwrap_or_default();
    let (quarter, median, high) = (at(0.25), at(0.5), at(0.99));
    if json {
        println!("{}", serde_json::json!({"p25_ms": quarter, "median_ms": median, "p99_ms": high}));
    } else {
        println!("{mails} mails: median {median:.2} ms, p25 {quarter:.2} ms, p99 {high:.2} ms");
    }
    Ok(true)
}

fn load(run: &Run) -> Result<bool, String> {
    let content =
        Content { writes: run.writes, headers: run.headers, body: run.body, loop_id: run.loop_id.clone() };
    let held = Held::open(&run.to, &content, run.held)?;
    let messages = run.messages.unwrap_or(if run.seconds.is_some() { u32::MAX / 2 } else { 20_000 });
    let usage = || run.pid.map(Usage::of).transpose().map_err(|e| format!("--pid: {e}"));
    let (before, own_before) = (usage()?, Usage::own().map_err(|e| e.to_string())?);
    let begin = Instant::now();
    let job = Job {
        target: run.to.clone(),
        content,
        mix: run.mix,
        expect: run.expect,
        networks: run.size.networks,
        recipients: run.size.recipients,
        reuse: run.reuse,
        quick_ack: run.quick_ack,
        messages,
        until: run.seconds.map(|seconds| begin + Duration::from_secs_f64(seconds)),
    };
    let (mut tally, reloads) = drive_all(run, &job)?;
    let elapsed = begin.elapsed().as_secs_f64();
    let (after, own_after) = (usage()?, Usage::own().map_err(|e| e.to_string())?);
    let lost = held.finish(&job);
    for text in &lost {
        tally.note(text.clone());
    }
    tally.micros.sort_unstable();
    let count = tally.micros.len();
    let per_message = |micros: u64| micros as f64 / count.max(1) as f64;
    let at = |percent: usize| tally.micros.get(count * percent / 100).copied().unwrap_or_default();
    let (before, after, pid) = (before.unwrap_or_default(), after.unwrap_or_default(), run.pid.is_some());
    let cpu = per_message(after.cpu_micros - before.cpu_micros);
    let own = per_message(own_after.cpu_micros - own_before.cpu_micros);
    let rate = count as f64 / elapsed;
    let trips = per_message(tally.trips);
    if run.json {
        let mut report = serde_json::json!({
            "messages": count, "seconds": elapsed, "messages_per_second": rate, "p50_us": at(50), "p99_us": at(99),
            "trips_per_message": trips, "wrong": tally.wrong, "failed": tally.failed, "held": run.held,
            "held_wrong": lost.len(), "reloads": reloads, "driver_cpu_us_per_message": own, "notes": tally.notes,
        });
        if pid {
            report["cpu_us_per_message"] = cpu.into();
            report["rss_before_kib"] = before.rss_kib.into();
            report["rss_after_kib"] = after.rss_kib.into();
            report["peak_kib"] = after.peak_kib.into();
        }
        println!("{report}");
    } else {
        println!("{count} messages in {elapsed:.2} s: {rate:.0} messages/s, p50 {} us, p99 {} us", at(50), at(99));
        println!("{trips:.2} answered round trips a message; this program used {own:.1} us CPU a message");
        if pid {
            println!("milter: {cpu:.1} us CPU a message, peak memory {} KiB", after.peak_kib);
            println!("milter: resident {} KiB before, {} KiB after", before.rss_kib, after.rss_kib);
        }
        if run.held > 0 {
            println!("{} connections held, {} of them answered wrong or not at all", run.held, lost.len());
        }
        println!("{reloads} reloads, {} wrong outcomes, {} failed connections", tally.wrong, tally.failed);
        for note in &tally.notes {
            println!("  {note}");
        }
    }
    Ok(tally.wrong == 0 && tally.failed == 0 && lost.is_empty() && count > 0)
}

/// Runs the job on all threads, with reloads beside it; returns what they saw and the number of reloads.
fn drive_all(run: &Run, job: &Job) -> Result<(Tally, u32), String> {
    let next = AtomicU32::new(0);
    let (stop, stopped) = mpsc::channel::<()>();
    let threads = run.threads.clamp(1, run.concurrency.max(1));
    let share = |index: usize| run.concurrency / threads + usize::from(index < run.concurrency % threads);
    thread::scope(|scope| {
        let reloads = scope.spawn(move || reload(run, &stopped));
        let next = &next;
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let slots = share(index);
                scope.spawn(move || drive::run(job, next, slots))
            })
            .collect();
        let mut tally = Tally::default();
        let mut problem = None;
        for worker in workers {
            match worker.join() {
                Ok(Ok(seen)) => tally.add(seen),
                Ok(Err(error)) => problem = Some(error.to_string()),
                Err(_) => problem = Some("a driver thread panicked".into()),
            }
        }
        drop(stop);
        let reloads = reloads.join().map_err(|_| "the reload thread panicked")?;
        problem.map_or(Ok((tally, reloads?)), Err)
    })
}

/// Sends SIGHUP at the interval asked for until the run is over.
fn reload(run: &Run, stopped: &mpsc::Receiver<()>) -> Result<u32, String> {
    let (Some(pid), Some(seconds)) = (run.pid, run.reload_every) else { return Ok(0) };
    let pid = Pid::from_raw(i32::try_from(pid).map_err(|e| e.to_string())?);
    let interval = Duration::from_secs_f64(seconds);
    let mut sent = 0;
    while stopped.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
        kill(pid, Signal::SIGHUP).map_err(|e| format!("SIGHUP: {e}"))?;
        sent += 1;
    }
    Ok(sent)
}
