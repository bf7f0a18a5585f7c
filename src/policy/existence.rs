// SPDX-License-Identifier: GPL-3.0-or-later
//! Does the recipient exist?

use super::decide::{failing, passing, unknown};
use super::{Check, Directory, DirectoryId, DomainPolicy, Entry, Finding, Policy, Reason, Rule, Unready};
use crate::mail::{Domain, Mailbox};
use std::sync::Arc;

/// Checks a recipient of a listed domain.
pub(super) fn check(policy: &Policy, own: &DomainPolicy, mailbox: &Mailbox, domain: &Domain) -> Finding {
    if own.directories.is_empty() {
        return passing(Check::Recipient, Rule::NoDirectories);
    }
    if let Some(rule) = known_by(policy, own, mailbox, domain) {
        return passing(Check::Recipient, rule);
    }
    if let Some(rule) = unready(policy, own) {
        return unknown(Check::Recipient, rule);
    }
    failing(Check::Recipient, Rule::InNoDirectory, Reason::RecipientUnknown, own.verdicts.recipient)
}

fn known_by(policy: &Policy, own: &DomainPolicy, mailbox: &Mailbox, domain: &Domain) -> Option<Rule> {
    let loaded = || {
        let directories = own.directories.iter().filter_map(|id| policy.directories().find(*id));
        directories.filter_map(|directory| Some((directory, directory.recipients.as_deref()?)))
    };
    let listed =
        |directory: &Arc<Directory>, entry| Rule::Directory { directory: Arc::clone(&directory.name), entry };
    if let Some(local) = mailbox.folded_local() {
        let base = base_of(&local, &own.subaddress);
        if [Some(local.as_str()), base].iter().flatten().any(|name| matches!(*name, "postmaster" | "abuse")) {
            return Some(Rule::RoleAddress);
        }
        for (name, entry) in [(Some(local.as_str()), Entry::Exact), (base, Entry::Base)] {
            let Some(name) = name else { continue };
            if let Some((directory, _)) = loaded().find(|(_, known)| known.mailboxes.contains(name, domain)) {
                return Some(listed(directory, entry));
            }
        }
        for (directory, known) in loaded() {
            if let Some(pattern) = known.pattern(&local, domain) {
                return Some(listed(directory, Entry::Pattern(pattern.clone())));
            }
        }
    }
    let (directory, _) = loaded().find(|(_, known)| known.mailboxes.contains_whole(domain))?;
    Some(listed(directory, Entry::WholeDomain))
}

/// The first directory that cannot say that the recipient does not exist.
fn unready(policy: &Policy, own: &DomainPolicy) -> Option<Rule> {
    let why = |id: &DirectoryId| match policy.directories().find(*id) {
        Some(directory) => {
            let why = directory.unready([&own.pattern])?;
            Some(Rule::DirectoryUnready { directory: Arc::clone(&directory.name), why })
        }
        // Nobody takes a place away; if somebody did, nothing would be known of it.
        None => Some(Rule::DirectoryUnready { directory: Arc::from("?"), why: Unready::NotLoaded }),
    };
    own.directories.iter().find_map(why)
}

/// What precedes the first delimiter, unless that is nothing.
fn base_of<'a>(local: &'a str, delimiters: &str) -> Option<&'a str> {
    let at = local.find(|c| delimiters.contains(c))?;
    (at > 0).then(|| &local[..at])
}
