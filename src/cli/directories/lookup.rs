// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories lookup`: does an address exist, by which entry of which directory and by which rule; and of one that
//! does not, what is most like it.

use super::{COLUMN, Opened, records};
use crate::cli::assemble;
use crate::cli::output::{self, Mood, Page};
use crate::cli::span::ago;
use crate::config::Directory;
use crate::directories::{Found, View, Which};
use crate::mail::{Escaped, Mailbox, Recipient};
use crate::policy::{self, Answer, Entry, Finding, Policy, Rule};
use crate::store::Stamp;
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

/// How many addresses that are like an unknown one are shown.
const NEAREST: usize = 5;
/// From which likeness on (Jaro-Winkler, 0 to 1) an address is like another.
const SIMILAR: f64 = 0.85;

/// What is known of an address.
#[derive(Serialize)]
struct LookedUp {
    address: String,
    /// `yes`, `no` or `unknown`; nothing where the domain is not listed.
    exists: Option<&'static str>,
    /// Why, in words.
    rule: String,
    directory: Option<String>,
    entry: Option<EntryJson>,
    nearest: Vec<String>,
}

/// The entry that knows it.
#[derive(Serialize)]
struct EntryJson {
    key: Option<String>,
    line: Option<u64>,
    kind: Option<&'static str>,
    addresses: Vec<String>,
    first_seen: Option<u64>,
    gone_since: Option<u64>,
    groups: Vec<String>,
}

/// Looks addresses up; 1 when not all of them exist.
pub(super) fn lookup(path: &Path, opened: &Opened, addresses: &[String], json: bool) -> io::Result<ExitCode> {
    let mut mailboxes = Vec::new();
    for written in addresses {
        let mailbox = Mailbox::parse(written.as_bytes())
            .map_err(|error| io::Error::other(format!("`{written}` is no address: {error}")))?;
        mailboxes.push(mailbox);
    }
    let assembled = assemble::assemble(path);
    let Some((_, policy)) = assembled.outcome else {
        crate::cli::print_errors(assembled.problems);
        return Err(io::Error::other(format!("{} cannot be used", path.display())));
    };
    let mut found = Vec::new();
    for mailbox in mailboxes {
        found.push(look_up(opened, &policy, &mailbox)?);
    }
    let all = found.iter().all(|found| found.exists == Some(Answer::Yes.as_str()));
    if json {
        output::print_json(&found)?;
    } else {
        let mut page = Page::new(output::colour(&io::stdout()));
        for found in &found {
            page.gap();
            found.show(opened, &mut page);
        }
        output::print(&page.into_text())?;
    }
    Ok(ExitCode::from(u8::from(!all)))
}

fn look_up(opened: &Opened, policy: &Policy, mailbox: &Mailbox) -> io::Result<LookedUp> {
    let address = mailbox.to_string();
    let Some(Finding { answer, rule, .. }) = policy::existence(policy, &Recipient::at(mailbox.clone()))
    else {
        let rule = "the domain is not listed".to_owned();
        return Ok(LookedUp {
            address,
            exists: None,
            rule,
            directory: None,
            entry: None,
            nearest: Vec::new(),
        });
    };
    let directory = directory_of(&rule);
    let written = directory.and_then(|name| opened.find(name).ok());
    let entry = match written {
        Some(directory) => entry(opened, directory, policy, mailbox, &rule)?,
        None => None,
    };
    let nearest = if answer == Answer::Yes { Vec::new() } else { nearest(opened, policy, mailbox) };
    Ok(LookedUp {
        address,
        exists: Some(answer.as_str()),
        rule: rule.to_string(),
        directory: directory.map(str::to_owned),
        entry,
        nearest,
    })
}

/// The directory that a rule names.
fn directory_of(rule: &Rule) -> Option<&str> {
    if let Rule::Directory { directory, .. } | Rule::InternalOnly { directory } = rule {
        return Some(directory);
    }
    None
}

/// The entry of a directory that a recipient was found by.
fn entry(
    opened: &Opened,
    directory: &Directory,
    policy: &Policy,
    mailbox: &Mailbox,
    rule: &Rule,
) -> io::Result<Option<EntryJson>> {
    if !directory.is_synced() {
        return Ok(None);
    }
    let shelf = opened.shelf(directory);
    let Some(in_force) = shelf.state().map_err(io::Error::other)?.in_force else { return Ok(None) };
    let view = View { now: opened.now, grace: directory.rules.removal_grace, from: in_force.grace };
    let snapshot = shelf.open(Which::InForce).map_err(io::Error::other)?;
    for spelling in spellings(policy, mailbox, rule) {
        if let Some(found) = snapshot.find(&spelling, view).map_err(io::Error::other)? {
            return Ok(Some(EntryJson::of(&found)));
        }
    }
    Ok(None)
}

/// The addresses that a recipient may be listed under: as it is, without its subaddress, in the domain that its own is an
/// alias of.
fn spellings(policy: &Policy, mailbox: &Mailbox, rule: &Rule) -> Vec<Mailbox> {
    let mut all = vec![mailbox.clone()];
    let (Some(local), Some(domain)) = (mailbox.folded_local(), mailbox.domain()) else { return all };
    let Some(own) = policy.domains().find(domain) else { return all };
    let mut locals = vec![local.clone()];
    if let Rule::Directory { entry: Entry::Base, .. } = rule
        && let Some(at) = local.find(|c| own.subaddress.contains(c))
    {
        locals.push(local[..at].to_owned());
    }
    if let Some(bare) = crate::mail::batv_mailbox(&local) {
        locals.push(bare.to_owned());
    }
    if let Some(sender) = crate::mail::srs_sender(&local) {
        all.extend(Mailbox::parse(crate::mail::address(&sender.local, &sender.domain).as_bytes()));
    }
    let target = own.recipients.alias_of.as_ref();
    for domain in [Some(domain), target].into_iter().flatten() {
        for local in &locals {
            all.extend(Mailbox::parse(crate::mail::address(local, domain).as_bytes()));
        }
    }
    all
}

/// Addresses of the same domain, or the same before the `@`, that are most like this one.
fn nearest(opened: &Opened, policy: &Policy, mailbox: &Mailbox) -> Vec<String> {
    let (Some(local), Some(domain)) = (mailbox.folded_local(), mailbox.domain()) else {
        return Vec::new();
    };
    let alias_of = policy.domains().find(domain).and_then(|own| own.recipients.alias_of.as_ref());
    let mut best: Vec<(f64, String)> = Vec::new();
    for directory in &opened.config.directories {
        let read = records::each(opened, directory, |record| {
            for address in &record.addresses {
                let Ok(known) = Mailbox::parse_strict(address) else { continue };
                let (Some(its_local), Some(its_domain)) = (known.folded_local(), known.domain()) else {
                    continue;
                };
                let likeness = if its_domain == domain || Some(its_domain) == alias_of {
                    strsim::jaro_winkler(&its_local, &local)
                } else if its_local == local {
                    1.0
                } else {
                    continue;
                };
                if likeness >= SIMILAR {
                    note(&mut best, likeness, known.to_string());
                }
            }
            ControlFlow::Continue(())
        });
        // Of one that was never synced, or cannot be read, nobody is shown; the list of directories says why.
        drop(read);
    }
    best.into_iter().map(|(_, address)| address).collect()
}

/// Keeps the best few.
fn note(best: &mut Vec<(f64, String)>, likeness: f64, address: String) {
    if best.iter().any(|(_, known)| *known == address) {
        return;
    }
    let at = best.partition_point(|(known, _)| *known >= likeness);
    best.insert(at, (likeness, address));
    best.truncate(NEAREST);
}

impl EntryJson {
    fn of(found: &Found) -> Self {
        let record = found.records.first();
        let texts = |texts: &[Box<str>]| texts.iter().map(ToString::to_string).collect();
        Self {
            key: record.map(|record| record.key.to_string()),
            line: record.and_then(|record| record.line),
            kind: record.map(|record| record.kind.as_str()),
            addresses: record.map(|record| texts(&record.addresses)).unwrap_or_default(),
            first_seen: found.first_seen.map(Stamp::seconds),
            gone_since: found.leaving.map(Stamp::seconds),
            groups: record.map(|record| texts(&record.groups)).unwrap_or_default(),
        }
    }
}

impl LookedUp {
    fn show(&self, opened: &Opened, page: &mut Page) {
        let Self { address, exists, rule, directory: _, entry, nearest } = self;
        let mood = match *exists {
            Some("yes") => Mood::Good,
            Some("no") => Mood::Bad,
            Some(_) => Mood::Doubtful,
            None => Mood::Plain,
        };
        page.line(mood, address);
        page.entry(2, "exists", COLUMN, exists.unwrap_or("not asked"));
        page.entry(2, "why", COLUMN, rule);
        if let Some(entry) = entry {
            let escape = |text: &str| Escaped(text.as_bytes()).to_string();
            if !entry.addresses.is_empty() {
                let all: Vec<String> = entry.addresses.iter().map(|address| escape(address)).collect();
                let kind = entry.kind.unwrap_or("recipient");
                page.entry(2, "entry", COLUMN, &format!("{kind} {}", all.join(" ")));
            }
            if let Some(line) = entry.line {
                page.entry(2, "line", COLUMN, &line.to_string());
            } else if let Some(key) = &entry.key {
                page.entry(2, "key", COLUMN, &escape(key));
            }
            if let Some(first_seen) = entry.first_seen {
                let then = Stamp::default().after(std::time::Duration::from_secs(first_seen));
                page.entry(2, "known for", COLUMN, &ago(opened.now, then).replace(" ago", ""));
            }
            if let Some(gone) = entry.gone_since {
                let then = Stamp::default().after(std::time::Duration::from_secs(gone));
                let text = format!("gone {}, valid until removal_grace is over", ago(opened.now, then));
                page.entry_in(Mood::Doubtful, 2, "leaving", COLUMN, &text);
            }
            if !entry.groups.is_empty() {
                let all: Vec<String> = entry.groups.iter().map(|group| escape(group)).collect();
                page.entry(2, "groups", COLUMN, &all.join(", "));
            }
        }
        if !nearest.is_empty() {
            page.entry(2, "like it", COLUMN, &nearest.join(" "));
        }
    }
}
