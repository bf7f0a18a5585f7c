// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories learned`: unknown recipients that domains in learn mode have accepted mail for. Approved ones exist from
//! then on, for every domain that checks its recipients; a running server knows of them within seconds.

use super::{Opened, change};
use crate::cli::directory_watch::written;
use crate::cli::output::{self, Mood, Page};
use crate::cli::span::ago;
use crate::directories::{Address, Learned, Seen};
use crate::mail::Mailbox;
use crate::store::Stamp;
use serde::Serialize;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// What is to be done.
pub(super) struct Order {
    pub(super) approve: Vec<String>,
    pub(super) approve_all: bool,
    pub(super) forget: Vec<String>,
}

#[derive(Serialize)]
struct LearnedJson<'a> {
    waiting: Vec<SeenJson<'a>>,
    approved: Vec<SeenJson<'a>>,
    /// How many were seen and are not here, because there were too many.
    lost: u64,
}

#[derive(Serialize)]
struct SeenJson<'a> {
    address: &'a str,
    #[serde(flatten)]
    seen: &'a Seen,
}

/// Does it; 1 when an address was not there.
pub(super) fn learned(opened: &Opened, order: Order, json: bool) -> io::Result<ExitCode> {
    let Order { approve, approve_all, forget } = order;
    let state_dir = &opened.config.state_dir;
    if !approve.is_empty() || approve_all || !forget.is_empty() {
        let approve = mailboxes(&approve)?;
        let forget = mailboxes(&forget)?;
        let (number, strange) = Learned::update(state_dir, |learned| {
            let all: Vec<Mailbox> = if approve_all {
                let waiting = learned.waiting().map(|(address, _)| address.as_str());
                waiting.filter_map(|address| Mailbox::parse_strict(address).ok()).collect()
            } else {
                Vec::new()
            };
            learned.approve(&all);
            let mut strange: Vec<String> =
                learned.approve(&approve).into_iter().map(ToString::to_string).collect();
            strange.extend(learned.forget(&forget).into_iter().map(ToString::to_string));
            (all.len(), strange)
        })
        .map_err(io::Error::other)?;
        for address in &strange {
            output::complain(&format!("postern: {address} was not learned\n"));
        }
        let served = in_service(opened)?;
        let asked = if approve_all { number } else { approve.len() + forget.len() };
        let done = super::count(asked.saturating_sub(strange.len()) as u64, "address", "addresses");
        let what = if forget.is_empty() { "approved" } else { "forgotten" };
        let served = if served { "; the server knows" } else { "" };
        output::print(&format!("{done} {what}{served}\n"))?;
        return Ok(ExitCode::from(u8::from(!strange.is_empty())));
    }
    let learned = Learned::read(state_dir).map_err(io::Error::other)?;
    if json {
        output::print_json(&LearnedJson {
            waiting: learned.waiting().map(SeenJson::of).collect(),
            approved: learned.approved().map(SeenJson::of).collect(),
            lost: learned.lost(),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    for (mood, heading, list) in [
        (Mood::Doubtful, "waiting", learned.waiting().collect::<Vec<_>>()),
        (Mood::Good, "approved", learned.approved().collect()),
    ] {
        if list.is_empty() {
            continue;
        }
        page.gap();
        page.line(mood, heading);
        for (address, seen) in list {
            page.entry(2, &address.to_string(), 34, &describe(seen, opened.now));
        }
    }
    if learned.lost() > 0 {
        page.gap();
        page.line(Mood::Doubtful, &format!("{} more were seen and are not here: too many", learned.lost()));
    }
    let text = page.into_text();
    output::print(if text.is_empty() { "nothing was learned\n" } else { &text })?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until a server that runs has read it; says whether one runs.
fn in_service(opened: &Opened) -> io::Result<bool> {
    let file = std::fs::metadata(Learned::file(&opened.config.state_dir));
    // Nothing was learned, and there is nothing to read.
    let Some(now) = file.and_then(|file| file.modified()).ok().and_then(written) else { return Ok(false) };
    change::wait(opened, "read what was approved", |status| {
        status.learned.is_some_and(|read| read >= now).then_some(true)
    })
}

fn describe(seen: &Seen, now: Stamp) -> String {
    let Seen { count, first: _, last, gateway } = seen;
    let messages = super::count(*count, "message", "messages");
    let last = ago(now, Stamp::default().after(Duration::from_secs(*last)));
    match gateway {
        Some(gateway) => format!("{messages}, last {last} through {gateway}"),
        None => format!("{messages}, last {last}"),
    }
}

fn mailboxes(written: &[String]) -> io::Result<Vec<Mailbox>> {
    let read = |text: &String| {
        Mailbox::parse_strict(text)
            .map_err(|error| io::Error::other(format!("`{text}` is no address: {error}")))
    };
    written.iter().map(read).collect()
}

impl<'a> SeenJson<'a> {
    fn of((address, seen): (&'a Address, &'a Seen)) -> Self {
        Self { address: address.as_str(), seen }
    }
}
