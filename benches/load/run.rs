// SPDX-License-Identifier: GPL-3.0-or-later
//! `load run`: drives the connections, sends reloads beside them, and reports what was seen.

use crate::{
    Size,
    drive::{self, Expect, Job, Tally, Target},
    held::Held,
    message::{Content, Mix, Writes},
    process::Usage,
};
use clap::Args;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    sync::{atomic::AtomicU32, mpsc},
    thread,
    time::{Duration, Instant},
};

const DEFAULT_MESSAGES: u32 = 20_000;

#[derive(Args)]
pub(crate) struct Run {
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

/// What one run showed; per message where not said otherwise.
struct Report {
    messages: usize,
    seconds: f64,
    p50_us: u32,
    p99_us: u32,
    p999_us: u32,
    max_us: u32,
    trips: f64,
    driver_cpu_us: f64,
    /// The milter's CPU time, and its memory before and after.
    milter: Option<(f64, Usage, Usage)>,
    held: usize,
    held_wrong: usize,
    reloads: u32,
    tally: Tally,
}

/// Does the run and prints its report; false when an answer was wrong or missing.
pub(crate) fn load(run: &Run) -> Result<bool, String> {
    let content =
        Content { writes: run.writes, headers: run.headers, body: run.body, loop_id: run.loop_id.clone() };
    let held = Held::open(&run.to, &content, run.held)?;
    let usage = || run.pid.map(Usage::of).transpose().map_err(|e| format!("--pid: {e}"));
    let own = || Usage::own().map_err(|e| e.to_string());
    let (before, own_before) = (usage()?, own()?);
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
        messages: run.messages.unwrap_or(if run.seconds.is_some() { u32::MAX / 2 } else { DEFAULT_MESSAGES }),
        until: run.seconds.map(|seconds| begin + Duration::from_secs_f64(seconds)),
    };
    let (mut tally, reloads) = drive_all(run, &job)?;
    let seconds = begin.elapsed().as_secs_f64();
    let (after, own_after) = (usage()?, own()?);
    let lost = held.finish(&job);
    for text in &lost {
        tally.note(text.clone());
    }
    tally.micros.sort_unstable();
    let messages = tally.micros.len();
    let per_message = |total: u64| total as f64 / messages.max(1) as f64;
    let at = |per_mille: usize| tally.micros.get(messages * per_mille / 1000).copied().unwrap_or_default();
    let report = Report {
        messages,
        seconds,
        p50_us: at(500),
        p99_us: at(990),
        p999_us: at(999),
        max_us: tally.micros.last().copied().unwrap_or_default(),
        trips: per_message(tally.trips),
        driver_cpu_us: per_message(own_after.cpu_micros - own_before.cpu_micros),
        milter: before
            .zip(after)
            .map(|(before, after)| (per_message(after.cpu_micros - before.cpu_micros), before, after)),
        held: run.held,
        held_wrong: lost.len(),
        reloads,
        tally,
    };
    if run.json {
        println!("{}", report.json());
    } else {
        report.print();
    }
    let tally = &report.tally;
    Ok(tally.wrong == 0 && tally.failed == 0 && report.held_wrong == 0 && messages > 0)
}

impl Report {
    fn json(&self) -> serde_json::Value {
        let mut json = serde_json::json!({
            "messages": self.messages,
            "seconds": self.seconds,
            "messages_per_second": self.messages as f64 / self.seconds,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "p999_us": self.p999_us,
            "max_us": self.max_us,
            "trips_per_message": self.trips,
            "driver_cpu_us_per_message": self.driver_cpu_us,
            "held": self.held,
            "held_wrong": self.held_wrong,
            "reloads": self.reloads,
            "wrong": self.tally.wrong,
            "failed": self.tally.failed,
            "notes": self.tally.notes,
        });
        if let Some((cpu, before, after)) = self.milter {
            json["cpu_us_per_message"] = cpu.into();
            json["rss_before_kib"] = before.rss_kib.into();
            json["rss_after_kib"] = after.rss_kib.into();
            json["peak_kib"] = after.peak_kib.into();
        }
        json
    }

    fn print(&self) {
        let Self { messages, seconds, p50_us, p99_us, p999_us, max_us, trips, driver_cpu_us, .. } = self;
        let rate = *messages as f64 / seconds;
        println!(
            "{messages} messages in {seconds:.2} s: {rate:.0} messages/s, p50 {p50_us} us, p99 {p99_us} us, \
             p99.9 {p999_us} us, {max_us} us at most"
        );
        println!(
            "{trips:.2} answered round trips a message; the load program: {driver_cpu_us:.1} us CPU a message"
        );
        if let Some((cpu, before, after)) = &self.milter {
            let (from, to, peak) = (before.rss_kib, after.rss_kib, after.peak_kib);
            println!(
                "milter: {cpu:.1} us CPU a message; resident {from} KiB before, {to} after, {peak} at most"
            );
        }
        if self.held > 0 {
            println!(
                "{} connections held, {} of them answered wrong or not at all",
                self.held, self.held_wrong
            );
        }
        let Tally { wrong, failed, notes, .. } = &self.tally;
        println!("{} reloads, {wrong} wrong outcomes, {failed} failed connections", self.reloads);
        for note in notes {
            println!("  {note}");
        }
    }
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
