// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern servers probe`: each step at each address, and what came of it.

use super::{Probed, json};
use crate::cli::output::{self, Mood, Page};
use crate::servers::{Outcome, Visit};
use std::io;
use std::process::ExitCode;

/// Where texts begin.
const COLUMN: usize = 18;

/// Shows it; 1 where anything is wrong.
pub(super) fn tell(probed: &[Probed<'_>], json: bool) -> io::Result<ExitCode> {
    if json {
        output::print_json(&json::probed(probed))?;
    } else {
        output::print(&text(probed))?;
    }
    let all_well = probed.iter().flat_map(|(_, hosts)| hosts).all(|(_, looked)| looked.is_fine());
    Ok(ExitCode::from(u8::from(!all_well)))
}

fn text(probed: &[Probed<'_>]) -> String {
    let mut page = Page::new(output::colour(&io::stdout()));
    if probed.is_empty() {
        page.line(Mood::Plain, "no server is defined");
    }
    for (server, hosts) in probed {
        page.gap();
        page.line(Mood::Heading, &server.name);
        for (hop, looked) in hosts {
            for visit in &looked.visits {
                let Visit { host, address, steps, outcome } = visit;
                let hop = hop.to_string();
                let at = match address {
                    Some(address) if address.ip().to_string() == *host => hop,
                    Some(address) if hop.starts_with(&**host) => format!("{hop} at {address}"),
                    Some(address) => format!("{hop}, {host} at {address}"),
                    None => hop,
                };
                page.line(Mood::Plain, &format!("  {at}"));
                for (step, text) in steps {
                    page.entry(4, step.as_str(), COLUMN, text);
                }
                page.entry_in(mood(outcome), 4, "outcome", COLUMN, &outcome.to_string());
                if let Some(advice) = outcome.advice() {
                    page.entry(4, "what to do", COLUMN, advice);
                }
            }
        }
    }
    page.into_text()
}

fn mood(outcome: &Outcome) -> Mood {
    match outcome.takes_mail() {
        Some(true) if outcome.is_tls_trouble() => Mood::Doubtful,
        Some(true) => Mood::Good,
        Some(false) => Mood::Bad,
        None => Mood::Doubtful,
    }
}
