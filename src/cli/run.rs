// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern run`: reads everything, listens, serves until told to stop.
//!
//! Sessions run on one single-threaded runtime for each core; every worker accepts from every socket. SIGHUP reads
//! everything anew on a thread of its own, and nothing changes unless all of it is right. SIGUSR1 refreshes gateways now.
//! SIGTERM and SIGINT stop accepting, let messages under way finish within `drain_timeout`, and end; a second one ends at once.

use super::assemble;
use super::directory_watch::DirectoryWatch;
use super::doors::{self, Door, Doors, Trouble, most_connections, welcome};
use super::log::{self, Log};
use super::outside::Watch;
use super::pid_file::PidFile;
use super::reload::{New, change, read_anew};
use super::roof::Roof;
use super::scan_watch::ScanWatch;
use super::server_watch::ServerWatch;
use super::status::Reporter;
use super::watches::Watches;
use crate::config::{Config, Problem, Severity};
use crate::gate::Gate;
use crate::listen::{BoundSocket, Drain, Draining};
use crate::servers::States;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout};

/// File descriptors that are not connections: sockets, log, data files, runtimes.
const OTHER_DESCRIPTORS: u64 = 64;
/// How often it is looked whether something has changed that is told to others, or can be done that could not.
const LOOK: Duration = Duration::from_secs(1);
/// Serves; the exit code is 0 after an orderly stop and 2 when there was nothing to serve.
pub(super) fn run(config: &Path, format: log::Format, threshold: log::Threshold) -> ExitCode {
    // Before anything that takes time: a signal that comes while a million recipients are read must not kill.
    let attended = runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let signals = {
            let _inside = runtime.enter();
            Signals::new()?
        };
        Ok((runtime, signals))
    });
    let mut assembled = assemble::assemble(config);
    assembled.problems.retain(is_urgent);
    super::print_problems(&assembled.problems);
    let Some(new) = New::of(assembled) else {
        return ExitCode::from(super::FAILED);
    };
    let served = attended.map_err(Into::into).and_then(|(runtime, signals)| {
        let served = serve(config, new, (format, threshold), &runtime, signals);
        // A reload that hangs on a file must not keep us.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::output::complain(&format!("postern: {error}\n"));
            ExitCode::from(super::FAILED)
        }
    }
}

/// Whether somebody should look; notes are for `postern check`, and there may be one for each of many domains.
pub(super) fn is_urgent(problem: &Problem) -> bool {
    match problem.severity {
        Severity::Error | Severity::Warning => true,
        Severity::Note => false,
    }
}

fn serve(
    path: &Path,
    New { config, policy, plan, snapshots, known }: New,
    (format, threshold): (log::Format, log::Threshold),
    runtime: &Runtime,
    signals: Signals,
) -> Result<(), Box<dyn std::error::Error>> {
    let sockets = doors::bind(&config, workers())?;
    let log = log::begin(format, threshold)
        .map_err(|error| format!("cannot reach the systemd journal: {error}"))?;
    let pid_file = PidFile::write(&config.state_dir)
        .inspect_err(|error| {
            tracing::warn!(state_dir = %config.state_dir.display(), %error, "cannot write the pid file; serving without");
        })
        .ok();
    let reporter = Reporter::begin(pid_file.as_ref().map(|_| &*config.state_dir));
    make_room(most_connections(&config));
    let service = Arc::new(Service {
        gate: Arc::new(Gate::new(policy.clone())),
        doors: Doors::new(&config),
        trouble: Trouble::default(),
    });
    let watch = {
        let _inside = runtime.enter();
        let roof = Roof::new(&config, &policy);
        Watch::begin(&service.gate, &config, &policy, (plan, snapshots), roof)
    };
    let directories = DirectoryWatch::begin(&service.gate, &config, known, None);
    let servers = ServerWatch::begin(&service.gate, &config, States::default());
    let scan = ScanWatch::begin(&service.gate, &config);
    let watches = Watches { gateways: watch, directories, servers, scan };
    let (drain, draining) = Drain::new();
    let (stop, stopped) = watch::channel(false);
    let workers = start_workers(&service, &sockets, &draining, &stopped)?;
    drop(draining);
    for (door, socket) in &sockets {
        tracing::info!(listen = socket.describe(), door = door.as_str(), "listening");
    }
    let place = Place { path, sockets, service: &service, log: &log };
    runtime.block_on(attend(place, (config, watches), reporter, drain, signals));
    // Workers hear it, or are gone.
    let _ = stop.send(true);
    for worker in workers {
        // A worker that panicked has said so on standard error.
        let _ = worker.join();
    }
    tracing::info!(counts = %service.gate.counters(), log_lines_dropped = log.dropped(), "stopped");
    Ok(())
}

/// What the workers share.
pub(super) struct Service {
    pub(super) gate: Arc<Gate>,
    pub(super) doors: Doors,
    pub(super) trouble: Trouble,
}

/// One worker for each core.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Raises the limit of open files to what the connections need, as far as the system lets us.
pub(super) fn make_room(max_connections: usize) {
    let wanted = max_connections as u64 + OTHER_DESCRIPTORS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft >= wanted {
        return;
    }
    let raised = wanted.min(hard);
    if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_err() || raised < wanted {
        tracing::warn!(
            limit = raised,
            wanted,
            "fewer open files allowed than max_connections needs: raise LimitNOFILE= or ulimit -n"
        );
    }
}

fn start_workers(
    service: &Arc<Service>,
    sockets: &[(Door, BoundSocket)],
    draining: &Draining,
    stopped: &watch::Receiver<bool>,
) -> io::Result<Vec<thread::JoinHandle<()>>> {
    let start = |number| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let attached = {
            let _inside = runtime.enter();
            let attach = |(door, socket): &(Door, BoundSocket)| Ok((*door, socket.attach(number)?));
            sockets.iter().map(attach).collect::<io::Result<Vec<_>>>()?
        };
        let (service, draining, mut stopped) = (Arc::clone(service), draining.clone(), stopped.clone());
        thread::Builder::new().name(format!("postern-{number}")).spawn(move || {
            runtime.block_on(async move {
                for (door, socket) in attached {
                    tokio::spawn(welcome(Arc::clone(&service), door, socket, draining.clone()));
                }
                drop(draining);
                // An error says that the service is gone.
                let _ = stopped.wait_for(|&stopped| stopped).await;
            });
        })
    };
    (0..workers()).map(start).collect()
}

/// Where signals are waited for, and what is at hand there.
struct Place<'a> {
    path: &'a Path,
    sockets: Vec<(Door, BoundSocket)>,
    service: &'a Arc<Service>,
    log: &'a Log,
}

/// Waits for signals until it is time to go, and goes.
async fn attend(
    place: Place<'_>,
    (mut config, mut watches): (Config, Watches),
    mut reporter: Reporter,
    drain: Drain,
    mut signals: Signals,
) {
    let Place { path, sockets, service, log } = place;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Not run by systemd is fine.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), "ready");
    loop {
        tokio::select! {
            _ = signals.hang_up.recv() => {
                let began = Instant::now();
                let new = tokio::select! {
                    new = read_anew(path, watches.directories.known()) => new,
                    () = either(&mut signals.terminate, &mut signals.interrupt) => break,
                };
                if let Some(new) = new {
                    (config, watches) = change(&config, watches, new, service).await;
                    let (took, counts) = (began.elapsed(), service.gate.counters());
                    tracing::info!(?took, %counts, log_lines_dropped = log.dropped(), "reloaded");
                }
            }
            _ = looks.tick() => {
                watches.look(&service.gate, &config).await;
                reporter.tell(watches.status(&config, &service.gate)).await;
            }
            _ = signals.user1.recv() => watches.gateways.refresh(&config.state_dir),
            () = either(&mut signals.terminate, &mut signals.interrupt) => break,
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    // Workers let go of theirs too: an MTA that connects from now on is refused at once, and does not hang in the backlog
    // of a server that will not serve it. A socket from systemd stays open there, for the next start.
    drop(sockets);
    let limit = config.drain_timeout;
    tracing::info!(connections = service.doors.inside(), limit = ?limit, "stopping; messages under way may finish");
    tokio::select! {
        drained = timeout(limit, drain.finish()) => {
            if drained.is_err() {
                tracing::warn!(connections = service.doors.inside(), "sessions cut off: drain_timeout is over");
            }
        }
        () = either(&mut signals.terminate, &mut signals.interrupt) => {
            tracing::warn!("told twice to stop; stopping at once");
        }
    }
    watches.finish(&service.gate, &config).await;
}

/// The signals that are attended to, from the moment this is made.
struct Signals {
    hang_up: Signal,
    user1: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
