// SPDX-License-Identifier: GPL-3.0-or-later
//! The part of `postern check` that looks at servers' hosts. What is wrong with one is a warning: the MTA keeps the mail and
//! tries again.

use crate::config::{Config, Problem, Problems, Server};
use crate::mail::NextHop;
use crate::servers::{Looked, Outcome, Visit};
use std::io;

/// Looks at every host of every server once and says what is wrong.
pub(in crate::cli) async fn check(config: &Config, problems: &mut Problems) -> io::Result<()> {
    if config.servers.is_empty() {
        return Ok(());
    }
    let servers: Vec<&Server> = config.servers.iter().collect();
    for (server, hosts) in super::look(config, &servers).await? {
        for (hop, looked) in hosts {
            for problem in problems_of(server, hop, &looked) {
                problems.push(problem);
            }
        }
    }
    Ok(())
}

fn problems_of(server: &Server, hop: &NextHop, looked: &Looked) -> Vec<Problem> {
    let takes_mail = looked.takes_mail() == Some(true);
    let problem = |visit: &Visit| {
        let Visit { host, address, steps: _, outcome } = visit;
        let advice = outcome.advice()?;
        let name = &server.name;
        let what = match (outcome, address) {
            (Outcome::NoAddress(why) | Outcome::Unresolved(why), _) => {
                format!("`{name}` has the host `{hop}`, and {why}")
            }
            (outcome, Some(address)) if address.ip().to_string() != *host => {
                format!("`{name}`: `{hop}`, at {host} ({address}), {outcome}")
            }
            (outcome, _) => format!("`{name}`: `{hop}` {outcome}"),
        };
        // Where mail gets through at another address, only one of several is lost.
        if takes_mail && !outcome.is_tls_trouble() {
            let help = format!("another of its addresses takes mail; {advice}");
            return Some(Problem::note(server.place.clone(), what).help(help));
        }
        Some(Problem::warning(server.place.clone(), what).help(advice))
    };
    looked.visits.iter().filter_map(problem).collect()
}
