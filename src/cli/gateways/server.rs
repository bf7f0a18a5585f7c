// SPDX-License-Identifier: GPL-3.0-or-later
//! What a running server tells of itself, below the list of gateways: addresses that hide clients, DNSBLs, DNSSEC.

use super::list::COLUMN;
use crate::cli::output::{Mood, Page};
use crate::cli::span::span;
use crate::cli::status::{State, Status, Told, Zone};
use crate::gateways::Stamp;

/// What to do about an address that hides clients.
const UNHIDE: &str = "many unrelated clients arrive from this address, so that the source address is lost on the way: it is \
    no gateway's until that ends. Let the proxy, load balancer or container network in front of the MTA pass the client's \
    address on, or set accept_private = true at a gateway that nobody else can be behind";

/// Shows it, if a server runs.
pub(super) fn show(told: &Told, now: Stamp, page: &mut Page) {
    let status = match told {
        Told::NoServer => return,
        Told::Nothing { pid } => {
            page.gap();
            let text = format!("process {pid}, which has told nothing of itself yet");
            page.entry_in(Mood::Doubtful, 0, "server", COLUMN, &text);
            return;
        }
        Told::Status(status) => status,
    };
    let Status { pid, written, dnssec, trouble, hidden, zones, directories: _, learned: _, servers: _ } =
        status;
    page.gap();
    let mood = if trouble.is_some() || !hidden.is_empty() { Mood::Bad } else { Mood::Good };
    let text = format!("process {pid}, nothing new for {}", span(now.since(*written)));
    page.entry_in(mood, 0, "server", COLUMN, &text);
    page.entry(2, "dnssec", COLUMN, if *dnssec { "on" } else { "off" });
    if let Some(trouble) = trouble {
        let text = format!("no names can be asked for, which is tried again: {trouble}");
        page.entry_in(Mood::Bad, 2, "trouble", COLUMN, &text);
    }
    for address in hidden {
        page.entry_in(Mood::Bad, 2, "HIDDEN", COLUMN, &format!("{address}: {UNHIDE}"));
    }
    show_zones(zones, page);
}

/// The same for a machine.
pub(super) fn json(told: &Told) -> Option<&Status> {
    match told {
        Told::NoServer | Told::Nothing { .. } => None,
        Told::Status(status) => Some(status),
    }
}

fn show_zones(zones: &[Zone], page: &mut Page) {
    if zones.is_empty() {
        return;
    }
    let in_use = zones.iter().filter(|zone| zone.state == State::InUse).count();
    if in_use == zones.len() {
        page.entry(2, "dnsbl", COLUMN, &format!("{in_use}, all in use"));
        return;
    }
    page.entry(2, "dnsbl", COLUMN, &format!("{in_use} of {} in use", zones.len()));
    for Zone { name, weight: _, state, text, advice } in zones {
        let mood = match state {
            State::InUse => continue,
            State::Untested => Mood::Doubtful,
            State::Off => Mood::Bad,
        };
        let text = match advice {
            Some(advice) => format!("{name} {text}, so that it counts nothing; {advice}"),
            None => format!("{name} {text}"),
        };
        page.entry_in(mood, 4, "", COLUMN, &text);
    }
}
