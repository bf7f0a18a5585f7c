// SPDX-License-Identifier: GPL-3.0-or-later
//! `type = "list"`: a text file with one address a line, read with the configuration, or watched where it has a `refresh`.

mod watched;

pub use watched::List;

use crate::config::{DataFile, Entry, Problem, Problems};
use crate::mail::{Domain, Host, LocalPart, Mailbox, MailboxSet, MailboxSetBuilder};
use std::collections::HashSet;

/// Different domains that are remembered. With more, nobody is told that a domain has no addresses.
const MAX_DOMAINS: usize = 10_000;

/// Reads a list: its recipients, and the domains that they are in.
pub(super) fn read(file: &DataFile, problems: &mut Problems) -> (MailboxSet, Option<HashSet<Domain>>) {
    let mut mailboxes = MailboxSetBuilder::new();
    let mut domains = HashSet::new();
    let whole = file.read("address", problems, |entry, found| match parse(entry) {
        Ok(listed) => {
            let domain = match listed {
                Listed::Whole(domain) => {
                    mailboxes.insert_domain(domain.clone());
                    Some(domain)
                }
                Listed::Mailbox(mailbox) => {
                    mailboxes.insert(&mailbox);
                    mailbox.domain().cloned()
                }
            };
            if let Some(domain) = domain
                && domains.len() <= MAX_DOMAINS
                && !domains.contains(&domain)
            {
                domains.insert(domain);
            }
        }
        Err(problem) => found.push(problem),
    });
    (mailboxes.build(), (whole && domains.len() <= MAX_DOMAINS).then_some(domains))
}

/// What a line says.
enum Listed {
    /// Every address of a domain exists.
    Whole(Domain),
    /// This address exists.
    Mailbox(Mailbox),
}

/// Reads a line.
fn parse(entry: &Entry<'_>) -> Result<Listed, Problem> {
    if let Some(domain) = entry.text.strip_prefix('@') {
        return match Domain::parse(domain) {
            Ok(domain) => Ok(Listed::Whole(domain)),
            Err(error) => Err(entry
                .error(format!("this is no domain: {error}"))
                .help("write `@` and a domain: @example.com; there are no wildcards here")),
        };
    }
    let mailbox = Mailbox::parse_strict(entry.text)
        .map_err(|error| entry.error(format!("this is no address: {error}")).help(instead(entry.text)))?;
    match (mailbox.local(), mailbox.host()) {
        (LocalPart::Valid(local), host) if **local == *"*" => Err(entry
            .error("`*` stands for nothing here")
            .help(format!("write `@{host}` if every address of the domain exists"))),
        (_, Host::Literal(_)) => Err(entry
            .error("this address is in no domain, so nobody ever asks for it")
            .help("write the address with a domain, or take the line out")),
        (_, Host::Domain(_)) => Ok(Listed::Mailbox(mailbox)),
    }
}

/// What was probably meant.
fn instead(text: &str) -> String {
    let is_address = |text: &str| Mailbox::parse_strict(text).is_ok();
    let first = text.split([' ', '\t', ',', ';', '#']).next().unwrap_or_default();
    let bare = text.trim_matches(['<', '>', '"', '\'']);
    let own = text.split_once(':').map(|(_, address)| address.trim());
    if first != text && is_address(first) {
        return "write one address a line and nothing after it; a comment has a line of its own".to_owned();
    }
    if bare != text && is_address(bare) {
        return format!("write `{bare}` without anything around it");
    }
    if let Some(address) = own.filter(|address| is_address(address)) {
        return format!("write `{address}` alone");
    }
    if text.contains('.') && Domain::parse(text).is_ok() {
        return format!("write `@{text}` if every address of the domain exists");
    }
    "write an address such as ann@example.com, or `@example.com` for every address of a domain".to_owned()
}
