// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways refresh`: asks sources now. A running server does it; where none runs, it is done here, and what is
//! heard is kept for its next start.

use super::Opened;
use crate::cli::output::{self, Mood, Page};
use crate::cli::pid_file;
use crate::cli::progress::Progress;
use crate::config::AddressSource;
use crate::gateways::{Archive, Fetch, Item, Order, Snapshot, Stamp, Stock, label, refresh_now};
use serde::Serialize;
use std::collections::HashMap;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// How long a server may take: every source once, several at a time.
const LIMIT: Duration = Duration::from_secs(120);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(100);

/// Refreshes; 1 when a source has trouble afterwards or its change was held.
pub(super) async fn refresh<F: Fetch>(
    opened: Opened,
    order: Order,
    fetch: &F,
    json: bool,
) -> io::Result<ExitCode> {
    for name in &order.gateways {
        opened.find(name)?;
    }
    let sources: Vec<AddressSource> = opened.plan.sources_of(&order.gateways).into_iter().collect();
    if sources.is_empty() && !json {
        output::print("all networks stand in the configuration; nothing is kept fresh\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let archive = Archive::new(&opened.config.state_dir);
    let before = opened.snapshots.clone();
    let after = if let Some(pid) = pid_file::server(&opened.config.state_dir)? {
        let since = next_second(&before).await;
        order.leave(&opened.config.state_dir).map_err(io::Error::other)?;
        pid_file::tell(pid)?;
        by_server(&archive, &sources, since).await?
    } else {
        let Opened { plan, snapshots, .. } = opened;
        let mut stock = Stock::new(plan, snapshots, Some(archive.clone()), Arc::new(SystemTime::now));
        let progress = Progress::begin("asking sources", sources.len());
        let done = refresh_now(&mut stock, fetch, &order, || progress.step()).await;
        drop(progress);
        let after: HashMap<_, _> =
            done.into_iter().map(|refreshed| (refreshed.source, refreshed.after)).collect();
        // What the next start does not find was asked for in vain, and nobody reads a log here.
        for (source, snapshot) in &after {
            archive.write(source, snapshot).map_err(|error| {
                io::Error::other(format!("what the sources answered cannot be kept: {error}"))
            })?;
        }
        after
    };
    if json { tell_json(&after) } else { tell(&before, &after) }
}

/// How a source stands after a refresh.
#[derive(Serialize)]
struct RefreshedJson<'a> {
    source: String,
    /// Networks and live names that are in force or held.
    entries: usize,
    trouble: Option<&'a str>,
    /// What a guard stopped, in words.
    held: Option<String>,
}

fn tell_json(after: &HashMap<AddressSource, Snapshot>) -> io::Result<ExitCode> {
    let mut told: Vec<RefreshedJson<'_>> = after
        .iter()
        .map(|(source, snapshot)| RefreshedJson {
            source: label(source),
            entries: snapshot.entries.len(),
            trouble: snapshot.trouble.as_ref().map(|trouble| trouble.why.as_str()),
            held: snapshot.held.as_ref().map(super::list::held_text),
        })
        .collect();
    told.sort_by(|a, b| a.source.cmp(&b.source));
    output::print_json(&told)?;
    let all_well = told.iter().all(|source| source.trouble.is_none() && source.held.is_none());
    Ok(ExitCode::from(u8::from(!all_well)))
}

/// Waits until no source was asked in this second, so that what is asked from now on can be told by its time.
async fn next_second(before: &HashMap<AddressSource, Snapshot>) -> Stamp {
    let last = before.values().filter_map(|snapshot| snapshot.checked).max();
    loop {
        let now = Stamp::from(SystemTime::now());
        // A clock that was turned back would keep us here for ever.
        if last.is_none_or(|last| last != now) {
            return now;
        }
        sleep(LOOK).await;
    }
}

/// Waits until the server has asked every source.
async fn by_server(
    archive: &Archive,
    sources: &[AddressSource],
    since: Stamp,
) -> io::Result<HashMap<AddressSource, Snapshot>> {
    let progress = Progress::begin("the server is asking", sources.len());
    let began = Instant::now();
    let mut after = HashMap::new();
    while after.len() < sources.len() {
        if began.elapsed() > LIMIT {
            let what =
                format!("the server has not asked every source within {} s; see its log", LIMIT.as_secs());
            return Err(io::Error::other(what));
        }
        for source in sources {
            if after.contains_key(source) {
                continue;
            }
            // One that is being written is there the next time.
            let Ok(Some(snapshot)) = archive.read(source) else { continue };
            if snapshot.checked >= Some(since) {
                progress.step();
                after.insert(source.clone(), snapshot);
            }
        }
        sleep(LOOK).await;
    }
    Ok(after)
}

fn tell(
    before: &HashMap<AddressSource, Snapshot>,
    after: &HashMap<AddressSource, Snapshot>,
) -> io::Result<ExitCode> {
    let mut page = Page::new(output::colour(&io::stdout()));
    let mut all_well = true;
    let mut sorted: Vec<_> = after.iter().collect();
    sorted.sort_by_key(|(source, _)| label(source));
    for (source, snapshot) in sorted {
        let had = before.get(source).filter(|before| before.is_loaded());
        let has = amount(snapshot);
        let (mood, text) = match (&snapshot.trouble, &snapshot.held) {
            (Some(trouble), _) => (Mood::Bad, trouble.why.clone()),
            (None, Some(held)) => (Mood::Doubtful, super::list::held_text(held)),
            (None, None) => match had.map(amount) {
                None => (Mood::Good, format!("{has}, for the first time")),
                Some(had) if had == has => (Mood::Good, has),
                Some(had) => (Mood::Good, format!("{has}; {had} before")),
            },
        };
        all_well &= mood == Mood::Good;
        page.line(mood, &label(source));
        page.entry(2, "", 2, &text);
    }
    output::print(&page.into_text())?;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What a source has: networks, and names that are asked live.
fn amount(snapshot: &Snapshot) -> String {
    let live = snapshot.entries.iter().filter(|entry| matches!(entry.item, Item::Live(_))).count();
    let networks = super::list::networks(snapshot.entries.len() - live);
    match live {
        0 => networks,
        1 => format!("{networks} and 1 live name"),
        _ => format!("{networks} and {live} live names"),
    }
}
