// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways show NAME`: every network and where it comes from, or the networks alone for something else to read.

use super::Opened;
use super::export::{self, Format, Shape};
use super::json::{GatewayJson, NetworkJson};
use super::list;
use crate::cli::output::{self, Mood, Page};
use crate::cli::span::span;
use crate::gateways::{NetworkStatus, Origin};
use crate::policy::{Gateway, LiveName};
use std::io;
use std::process::ExitCode;

/// Where it is said what a network comes from.
const COLUMN: usize = 24;

/// Shows one gateway.
pub(super) fn show(
    opened: &Opened,
    name: &str,
    format: Option<Format>,
    shape: Shape,
    json: bool,
) -> io::Result<ExitCode> {
    let status = opened.find(name)?;
    if json {
        output::print_json(&GatewayJson::of(opened, &status, true))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(format) = format else {
        let mut page = Page::new(output::colour(&io::stdout()));
        list::head(opened, &status, &mut page);
        page.gap();
        for found in &status.networks {
            show_network(found, opened, &mut page);
        }
        output::print(&page.into_text())?;
        return Ok(ExitCode::SUCCESS);
    };
    for live in live_names(&status.gateway) {
        output::complain(&format!(
            "postern: {live} can only be asked for each client and is not in this list\n"
        ));
    }
    let networks = status.gateway.addresses.iter().flat_map(|addresses| addresses.networks.iter().copied());
    let fitting = shape.fit(networks).map_err(io::Error::other)?;
    if fitting.is_empty() {
        // An empty list would open or close whatever it is fed to.
        return Err(io::Error::other(format!("no network of `{name}` is known, so nothing is written")));
    }
    if let Some(text) = export::text(format, name, &fitting) {
        output::print(&text)?;
    } else {
        let described: Vec<NetworkJson> =
            fitting.iter().map(|network| NetworkJson::of_part(*network, &status)).collect();
        output::print_json(&described)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn live_names(gateway: &Gateway) -> impl Iterator<Item = &str> {
    gateway.addresses.iter().flat_map(|addresses| addresses.live.iter().map(LiveName::as_str))
}

fn show_network(found: &NetworkStatus, opened: &Opened, page: &mut Page) {
    let NetworkStatus { network, origin } = found;
    let Some(Origin { source: _, via, first_seen, last_seen: _, missing_since, outside }) = origin else {
        page.entry(0, &network.to_string(), COLUMN, "configuration");
        return;
    };
    let mut text = format!("{via}; known for {}", span(opened.now.since(*first_seen)));
    let mut mood = Mood::Plain;
    if let Some(since) = missing_since {
        text.extend(["; gone for ", &span(opened.now.since(*since)), ", still used"]);
        mood = Mood::Doubtful;
    }
    if *outside {
        text.push_str("; outside subset_of, not used there");
        mood = Mood::Doubtful;
    }
    page.entry_in(mood, 0, &network.to_string(), COLUMN, &text);
}
