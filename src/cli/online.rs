// SPDX-License-Identifier: GPL-3.0-or-later
//! The part of `postern check` that asks the network: does every source of a gateway answer, and can its answer be used? Is
//! every DNSBL in order? Do directories and mailbox servers answer?
//!
//! A name that does not exist is an error, because it can only be a slip of the pen or a provider's that is gone; a server
//! that gives no answer now is a warning, because the service copes with that. It copes with a DNSBL that is out of order,
//! too, so that this is a warning.

use super::first_word;
use super::gateways::{asker, diff};
use super::servers;
use crate::config::{self, AddressSource, Config, Place, Problem, Problems};
use crate::dns::Resolver;
use crate::gateways::{Fetched, Plan, SourceError, label};
use crate::reputation::{Reputation, ZoneState, ZoneStatus};
use std::io;
use std::sync::Arc;
use tokio::runtime;

/// Asks every source, every DNSBL, every server of a directory and every host of a mailbox server once and says what is
/// wrong.
pub(super) fn check(config: &Config, plan: &Plan, problems: &mut Problems) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(first_word::check(config, problems));
    runtime.block_on(servers::check(config, problems))?;
    let sources: Vec<AddressSource> = plan.sources().keys().cloned().collect();
    if sources.is_empty() && config.reputation.zones.is_empty() {
        problems.sort();
        return Ok(());
    }
    let (answers, zones) = runtime.block_on(async {
        let asker = asker(config)?;
        let resolver = Resolver::new(&config.dns).map_err(io::Error::other)?;
        let reputation = Reputation::new(Arc::new(resolver), &config.reputation);
        let (answers, ()) = tokio::join!(diff::ask(&asker, sources), reputation.test());
        Ok::<_, io::Error>((answers, reputation.status()))
    })?;
    for (source, answer) in answers {
        let used_by = plan.sources().get(&source).and_then(|shared| shared.gateways.first());
        let Some(gateway) = used_by.and_then(|place| config.gateways.get(*place)) else { continue };
        for problem in problems_of(&source, &answer, &gateway.place) {
            problems.push(problem);
        }
    }
    for (written, found) in config.reputation.zones.iter().zip(zones) {
        if let Some(problem) = problem_of(written, &found) {
            problems.push(problem);
        }
    }
    problems.sort();
    Ok(())
}

fn problem_of(written: &config::DnsblZone, found: &ZoneStatus) -> Option<Problem> {
    match &found.state {
        ZoneState::Untested | ZoneState::InUse { .. } => None,
        ZoneState::Off(fault) => {
            let what = format!("DNSBL `{}` {fault}: it counts nothing until it is in order", found.zone);
            Some(Problem::warning(written.place.clone()?, what).help(fault.advice()))
        }
    }
}

fn problems_of(source: &AddressSource, answer: &Result<Fetched, SourceError>, place: &Place) -> Vec<Problem> {
    let name = label(source);
    let later =
        "its clients are deferred until it answers for the first time; after that the last good set stays";
    match answer {
        Err(SourceError::Wrong(why)) => vec![
            Problem::error(place.clone(), format!("`{name}` cannot be used: {why}"))
                .help("check the name; `--offline` leaves such checks out"),
        ],
        Err(error @ (SourceError::Unreachable(_) | SourceError::Later(_))) => {
            vec![Problem::warning(place.clone(), format!("`{name}`: {error}")).help(later)]
        }
        Ok(Fetched::Unchanged(_)) => Vec::new(),
        Ok(Fetched::Published(published, _)) => {
            let empty = published.networks.is_empty() && published.live.is_empty();
            let nothing = empty.then(|| {
                Problem::error(place.clone(), format!("`{name}` names no address at all"))
                    .help("nobody would be let in; check the name")
            });
            let notes = published.notes.iter().map(|note| {
                Problem::note(place.clone(), format!("`{name}`: {note}")).help("nothing has to be done")
            });
            nothing.into_iter().chain(notes).collect()
        }
    }
}
