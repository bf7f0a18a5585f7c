// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories show`: who is in a directory, and its groups.

use super::{Opened, count, records};
use crate::cli::output::{self, Mood, Page};
use crate::cli::span::ago;
use crate::config::Directory;
use crate::directories::{Record, View, Which};
use crate::mail::{Escaped, RecipientKind};
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;

/// Where addresses begin beside what they are.
const COLUMN: usize = 14;

/// A text to look for in addresses.
struct Wanted(Vec<String>);

impl Wanted {
    /// With `*` it has to be the whole address, without it a part; by case nothing differs.
    fn parse(pattern: Option<&str>) -> Self {
        let Some(pattern) = pattern else { return Self(Vec::new()) };
        let pattern = pattern.to_lowercase();
        if pattern.contains('*') {
            return Self(pattern.split('*').map(str::to_owned).collect());
        }
        Self(vec![String::new(), pattern, String::new()])
    }

    fn is_in(&self, address: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else { return true };
        let address = address.to_lowercase();
        let Some(rest) =
            address.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        // The earliest place of each part leaves most to those behind it.
        middle
            .iter()
            .try_fold(rest, |rest, part| rest.find(part.as_str()).map(|at| &rest[at + part.len()..]))
            .is_some()
    }
}

/// Shows its recipients.
pub(super) fn show(
    opened: &Opened,
    directory: &Directory,
    pattern: Option<&str>,
    limit: usize,
    json: bool,
) -> io::Result<ExitCode> {
    let wanted = Wanted::parse(pattern);
    let mut found: Vec<Record> = Vec::new();
    let mut more = false;
    records::each(opened, directory, |record| {
        // A group without an address is for routing, and nobody writes to it.
        if record.addresses.is_empty() || !record.addresses.iter().any(|address| wanted.is_in(address)) {
            return ControlFlow::Continue(());
        }
        more = found.len() >= limit;
        if more {
            return ControlFlow::Break(());
        }
        found.push(record);
        ControlFlow::Continue(())
    })?;
    found.sort_by(|a, b| a.addresses.cmp(&b.addresses));
    if json {
        output::print_json(&found)?;
    } else {
        let mut page = Page::new(output::colour(&io::stdout()));
        for record in &found {
            show_record(record, &mut page);
        }
        if pattern.is_none() {
            show_leaving(opened, directory, &mut page)?;
        }
        if found.is_empty() {
            page.line(
                Mood::Plain,
                if pattern.is_some() { "nothing like that is in it" } else { "nobody is in it" },
            );
        }
        if more {
            page.gap();
            page.line(Mood::Doubtful, &format!("the first {limit} are shown; --limit shows more"));
        }
        output::print(&page.into_text())?;
    }
    Ok(ExitCode::from(u8::from(found.is_empty())))
}

fn show_record(record: &Record, page: &mut Page) {
    let escape = |text: &str| Escaped(text.as_bytes()).to_string();
    let mut text: Vec<String> = record.addresses.iter().map(|address| escape(address)).collect();
    if let Some(line) = record.line {
        text.push(format!("(line {line})"));
    }
    if record.internal_only {
        text.push("(internal clients only)".to_owned());
    }
    let kind = match record.kind {
        RecipientKind::Unspecified => "address",
        kind @ (RecipientKind::User
        | RecipientKind::Shared
        | RecipientKind::Room
        | RecipientKind::Group
        | RecipientKind::Contact
        | RecipientKind::PublicFolder) => kind.as_str(),
    };
    page.entry(0, kind, COLUMN, &text.join(" "));
}

fn show_leaving(opened: &Opened, directory: &Directory, page: &mut Page) -> io::Result<()> {
    if !directory.is_synced() {
        return Ok(());
    }
    let shelf = opened.shelf(directory);
    let Some(in_force) = shelf.state().map_err(io::Error::other)?.in_force else { return Ok(()) };
    let view = View { now: opened.now, grace: directory.rules.removal_grace, from: in_force.grace };
    let snapshot = shelf.open(Which::InForce).map_err(io::Error::other)?;
    for leaving in snapshot.leaving(view).map_err(io::Error::other)?.take(1000) {
        let leaving = leaving.map_err(io::Error::other)?;
        let text =
            format!("{} (gone {})", Escaped(leaving.address.as_bytes()), ago(opened.now, leaving.since));
        page.entry_in(Mood::Doubtful, 0, "leaving", COLUMN, &text);
    }
    Ok(())
}

/// A group.
#[derive(Serialize)]
struct GroupJson {
    name: String,
    key: String,
    members: u64,
}

/// Shows its groups.
pub(super) fn groups(
    opened: &Opened,
    directory: &Directory,
    limit: usize,
    json: bool,
) -> io::Result<ExitCode> {
    let directory = opened.synced(&directory.name)?;
    let snapshot = opened.shelf(directory).open(Which::InForce).map_err(io::Error::other)?;
    let all = snapshot.groups().map_err(io::Error::other)?;
    let shown = all.iter().take(limit);
    if json {
        let shown: Vec<GroupJson> = shown
            .map(|group| GroupJson {
                name: group.name.to_string(),
                key: group.key.to_string(),
                members: group.members,
            })
            .collect();
        output::print_json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    for group in shown {
        let name = Escaped(group.name.as_bytes()).to_string();
        page.entry(0, &name, 30, &count(group.members, "address", "addresses"));
    }
    if all.is_empty() {
        page.line(Mood::Plain, "there is no group in it");
    }
    if all.len() > limit {
        page.gap();
        page.line(
            Mood::Doubtful,
            &format!("the first {limit} of {} are shown; --limit shows more", all.len()),
        );
    }
    output::print(&page.into_text())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_parts_or_wholes() {
        for (pattern, address, want) in [
            (None, "ann@a.example", true),
            (Some("ANN"), "Ann@a.example", true),
            (Some("n@a"), "Ann@a.example", true),
            (Some("bob"), "Ann@a.example", false),
            (Some("ann@*"), "Ann@a.example", true),
            (Some("ann@*"), "joann@a.example", false),
            (Some("*@a.example"), "Ann@a.example", true),
            (Some("a*n*e"), "Ann@a.example", true),
            (Some("ann*ann"), "ann", false),
            (Some("*"), "anything", true),
        ] {
            assert_eq!(Wanted::parse(pattern).is_in(address), want, "{pattern:?} {address}");
        }
    }
}
