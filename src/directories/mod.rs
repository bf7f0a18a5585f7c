// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: who exists, from the files that the configuration names.
//!
//! A list has one address a line, or `@domain` for every address of a domain. There are no comments behind an address,
//! because `#` may be part of one. A malformed line refuses the whole file. Nothing is kept fresh by itself yet: a
//! reload reads everything again.

use crate::config::{self, DirectorySource, Entry, Problem, Problems};
use crate::mail::{Domain, Mailbox, MailboxSetBuilder};
use crate::policy;
use std::sync::Arc;

/// Reads the recipients of a directory.
pub fn load(directory: &config::Directory, problems: &mut Problems) -> policy::Directory {
    let config::Directory { name, source } = directory;
    let mut mailboxes = MailboxSetBuilder::new();
    match source {
        DirectorySource::List(file) => file.read("address", problems, |entry, found| {
            if let Err(problem) = add(entry, &mut mailboxes) {
                found.push(problem);
            }
        }),
    }
    policy::Directory { name: Arc::clone(name), mailboxes: mailboxes.build() }
}

fn add(entry: &Entry<'_>, mailboxes: &mut MailboxSetBuilder) -> Result<(), Problem> {
    if let Some(domain) = entry.text.strip_prefix('@') {
        let domain = Domain::parse(domain).map_err(|error| entry.error(error.to_string()))?;
        mailboxes.insert_domain(domain);
        return Ok(());
    }
    let mailbox = Mailbox::parse_strict(entry.text).map_err(|error| entry.error(error.to_string()))?;
    mailboxes.insert(&mailbox);
    Ok(())
}
