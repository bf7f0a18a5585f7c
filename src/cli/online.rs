// SPDX-License-Identifier: GPL-3.0-or-later
//! The part of `postern check` that asks the network: does every source of a gateway answer, and can its answer be used?
//!
//! A name that does not exist is an error, because it can only be a slip of the pen or a provider's that is gone; a server
//! that gives no answer now is a warning, because the service copes with that.

use super::gateways::{asker, diff};
use crate::config::{AddressSource, Config, Place, Problem, Problems};
use crate::gateways::{Fetched, Plan, SourceError, label};
use tokio::runtime;

/// Asks every source once and says what is wrong.
pub(super) fn check(config: &Config, plan: &Plan, problems: &mut Problems) -> std::io::Result<()> {
    let sources: Vec<AddressSource> = plan.sources().keys().cloned().collect();
    if sources.is_empty() {
        return Ok(());
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let answers =
        runtime.block_on(async { Ok::<_, std::io::Error>(diff::ask(&asker(config)?, sources).await) })?;
    for (source, answer) in answers {
        let used_by = plan.sources().get(&source).and_then(|shared| shared.gateways.first());
        let Some(gateway) = used_by.and_then(|place| config.gateways.get(*place)) else { continue };
        for problem in problems_of(&source, &answer, &gateway.place) {
            problems.push(problem);
        }
    }
    problems.sort();
    Ok(())
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
