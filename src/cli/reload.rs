// SPDX-License-Identifier: GPL-3.0-or-later
//! Reading the configuration anew while Postern serves, and putting it in force: all of it or nothing.

use super::assemble::{self, Assembled};
use super::directory_watch::{DirectoryWatch, keep_approved};
use super::doors::{most_connections, warn_of_sockets};
use super::outside::Watch;
use super::roof::Roof;
use super::run::{Service, is_urgent, make_room};
use super::server_watch::{ServerWatch, arranged};
use super::watches::Watches;
use crate::config::Config;
use crate::directories::{Known, LoadedSnapshot};
use crate::gate::Judge as _;
use crate::gateways::{Plan, Snapshots};
use crate::policy::Policy;
use sd_notify::NotifyState;
use std::path::Path;

/// What was read of a configuration in which nothing is wrong.
pub(super) struct New {
    pub(super) config: Config,
    pub(super) policy: Policy,
    pub(super) plan: Plan,
    pub(super) snapshots: Snapshots,
    pub(super) known: Known,
}

impl New {
    /// Nothing when something is wrong.
    pub(super) fn of(assembled: Assembled) -> Option<Self> {
        let Assembled { problems: _, outcome, found: _, plan, snapshots, known } = assembled;
        outcome.map(|(config, policy)| Self { config, policy, plan, snapshots, known })
    }
}

/// Reads everything anew; nothing when not all of it is right, and then everything stays as it was.
pub(super) async fn read_anew(path: &Path, loaded: Known) -> Option<New> {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
    }
    let owned = path.to_owned();
    let assembled = tokio::task::spawn_blocking(move || assemble::assemble_with(&owned, &loaded)).await;
    let assembled = assembled
        .inspect_err(|error| tracing::error!(%error, "reload failed; the old configuration stays in force"))
        .ok();
    let problems = assembled.iter().flat_map(|assembled| &assembled.problems);
    for problem in problems.filter(|problem| is_urgent(problem)) {
        tracing::warn!(problem = %problem, "configuration");
    }
    let failed = assembled.is_none();
    let new = assembled.and_then(New::of);
    if new.is_none() {
        if !failed {
            tracing::warn!("reload refused; the old configuration and data stay in force");
        }
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }
    new
}

/// Puts what was read in force.
pub(super) async fn change(old: &Config, watches: Watches, new: New, service: &Service) -> (Config, Watches) {
    let Watches { gateways: watch, directories, servers, mut scan } = watches;
    let New { config, policy, plan, mut snapshots, mut known } = new;
    let policy = keep_approved(policy, &service.gate.policy());
    // All that can wait is done while the old policy is in force and its gateways are kept fresh.
    let roof = Roof::next(watch.roof(), &config, &policy).await;
    // It may be writing to a slow disk just now.
    let end = || (watch.end(), directories.end(), servers.end());
    let ended = tokio::task::spawn_blocking(end).await;
    let (asked, (loaded, learning), states) = ended.map_or_else(
        |_| Default::default(),
        |(asked, (loaded, learning), states)| (asked, (loaded, Some(learning)), states),
    );
    let policy = arranged(&policy, &config, &states);
    // A sync may have ended since the configuration was read.
    for (name, loaded) in loaded {
        // With other groups it is loaded again by the next keeper, and until then what was read is good enough.
        let is_newer = |known: &LoadedSnapshot| known.serial < loaded.serial && known.groups == loaded.groups;
        if known.get(&name).is_some_and(is_newer) {
            known.insert(name, loaded);
        }
    }
    // What it knew is never older than what it had kept, and the disk may have refused that.
    let still_used = asked.into_iter().filter(|(source, _)| plan.sources().contains_key(source));
    snapshots.extend(still_used);
    let watch = Watch::begin(&service.gate, &config, &policy, (plan, snapshots), roof);
    let directories = DirectoryWatch::begin(&service.gate, &config, known, learning);
    let servers = ServerWatch::begin(&service.gate, &config, states);
    scan.change(&service.gate, &config);
    make_room(most_connections(&config));
    service.doors.set(&config);
    warn_of_sockets(&config, old);
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    (config, Watches { gateways: watch, directories, servers, scan })
}
