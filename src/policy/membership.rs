// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether a routing rule is for a recipient: yes, no, or nobody can tell; and by which address and group.

use super::spelling::{Meaning, meanings};
use super::{Answer, Directory, DomainPolicy, Entry, GroupName, Policy, Route, Unready};
use crate::mail::{self, Domain, DomainPattern, Escaped, MailboxSet};
use std::fmt;
use std::sync::Arc;

/// A recipient for whom rules are asked.
pub(super) struct Asked<'a> {
    policy: &'a Policy,
    own: &'a DomainPolicy,
    domain: &'a Domain,
    /// The local parts of the one who is meant, and what was taken off.
    locals: [Option<(&'a str, Entry)>; 3],
    /// The name under which the domain is listed that this one is an alias of.
    target: Option<DomainPattern>,
    /// Whether the address exists by its form alone.
    pub(super) is_nobody: bool,
}

/// What a rule answers.
pub(super) enum Found<'a> {
    /// It is for the recipient.
    Member(By<'a>),
    /// It is for other domains.
    OtherDomain,
    /// It is not for the recipient.
    Nobody {
        /// A directory that says so, and is overdue.
        overdue: Option<&'a Arc<str>>,
    },
    /// This directory cannot say whether the recipient is in the group.
    Unknown { group: &'a GroupName, directory: Arc<str>, why: Unready },
}

/// By what a rule is for a recipient.
pub(super) enum By<'a> {
    Everyone,
    Recipient(Under<'a>),
    Group { group: &'a GroupName, directory: &'a Arc<str>, under: Under<'a> },
}

/// The address under which somebody is known.
#[derive(Clone, Copy)]
pub(super) struct Under<'a> {
    local: &'a str,
    domain: &'a Domain,
    /// Whether that is the address as it is.
    exactly: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        own: &'a DomainPolicy,
        local: Option<&'a str>,
        domain: &'a Domain,
    ) -> Self {
        let target = own.recipients.alias_of.clone().map(DomainPattern::Exact);
        let mut asked = Self { policy, own, domain, locals: [const { None }; 3], target, is_nobody: false };
        let mut free = asked.locals.iter_mut();
        for meaning in local.into_iter().flat_map(|local| meanings(own, local, true)) {
            match meaning {
                Meaning::Role => asked.is_nobody = true,
                Meaning::Mailbox { local, entry, batv: _ } => {
                    if let Some(free) = free.next() {
                        *free = Some((local, entry));
                    }
                    // Whoever is known by an address of his own is no other.
                    let mut names = own.names(domain);
                    if names.any(|(domain, _)| knows(policy, own, local, domain)) {
                        break;
                    }
                }
                Meaning::Sender(_) | Meaning::OwnBounce(_) => {
                    asked.is_nobody = true;
                    break;
                }
                Meaning::Any(_) => break,
            }
        }
        asked
    }

    /// Asks a rule.
    pub(super) fn ask(&self, route: &'a Route) -> Found<'a> {
        let Route { name: _, groups, recipients, domains: _, to: _ } = route;
        if !route.is_for(&self.own.pattern, self.own.recipients.alias_of.as_ref()) {
            return Found::OtherDomain;
        }
        if route.is_for_everyone() {
            return Found::Member(By::Everyone);
        }
        if let Some(under) = self.under(recipients) {
            return Found::Member(By::Recipient(under));
        }
        let mut found = Found::Nobody { overdue: None };
        for group in groups {
            match self.group(group) {
                Found::Nobody { overdue: None } => {}
                Found::Member(by) => return Found::Member(by),
                other => {
                    if !matches!(found, Found::Unknown { .. }) {
                        found = other;
                    }
                }
            }
        }
        found
    }

    /// Whether the recipient is in a group of any directory that it may be of.
    fn group(&self, group: &'a GroupName) -> Found<'a> {
        let mut found = Found::Nobody { overdue: None };
        let mut defined = false;
        let is_its =
            |directory: &&Arc<Directory>| group.directory.as_ref().is_none_or(|of| *of == directory.name);
        for directory in self.policy.directories().iter().filter(is_its) {
            defined = true;
            let unknown = |why| Found::Unknown { group, directory: Arc::clone(&directory.name), why };
            let other = match directory.recipients.as_deref() {
                None => unknown(Unready::NotLoaded),
                Some(recipients) => {
                    let members = recipients.groups.get(&*group.name);
                    if let Some(under) = members.and_then(|members| self.under(members)) {
                        return Found::Member(By::Group { group, directory: &directory.name, under });
                    }
                    if members.is_none() && group.directory.is_some() {
                        // Nobody has looked for it in the data.
                        unknown(Unready::NotLoaded)
                    } else if !recipients.serves([&self.own.pattern].into_iter().chain(&self.target)) {
                        unknown(Unready::NotServed)
                    } else if directory.overdue {
                        Found::Nobody { overdue: Some(&directory.name) }
                    } else {
                        continue;
                    }
                }
            };
            if !matches!(found, Found::Unknown { .. }) {
                found = other;
            }
        }
        match &group.directory {
            // Nobody takes a directory away; if somebody did, nothing would be known of its groups.
            Some(directory) if !defined => {
                Found::Unknown { group, directory: Arc::clone(directory), why: Unready::NotLoaded }
            }
            _ => found,
        }
    }

    /// The first address of the recipient that is in a set.
    fn under(&self, set: &MailboxSet) -> Option<Under<'a>> {
        self.locals.iter().flatten().find_map(|(local, entry)| {
            let (domain, is_alias) =
                self.own.names(self.domain).find(|(domain, _)| set.contains(local, domain))?;
            let first = self.locals.first().and_then(Option::as_ref);
            let exactly =
                !is_alias && *entry == Entry::Exact && first.is_some_and(|(first, _)| first == local);
            Some(Under { local, domain, exactly })
        })
    }
}

/// Whether any directory of the domain has this mailbox itself.
fn knows(policy: &Policy, own: &DomainPolicy, local: &str, domain: &Domain) -> bool {
    policy.known_directories(own).any(|(_, known)| known.mailboxes.contains(local, domain))
}

impl Found<'_> {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Member(_) => Answer::Yes,
            Self::OtherDomain | Self::Nobody { .. } => Answer::No,
            Self::Unknown { .. } => Answer::Unknown,
        }
    }
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(By::Everyone) => f.write_str("for everyone"),
            Self::Member(By::Recipient(under)) => write!(f, "among its recipients{under}"),
            Self::Member(By::Group { group, directory, under }) => {
                write!(f, "in group {} of directory {directory}{under}", Escaped(group.name.as_bytes()))
            }
            Self::OtherDomain => f.write_str("for other domains"),
            Self::Nobody { overdue: None } => f.write_str("for other recipients"),
            Self::Nobody { overdue: Some(directory) } => {
                write!(f, "for other recipients when last known: {}", Unready::Overdue.of(directory))
            }
            Self::Unknown { group, directory, why } => {
                write!(f, "group {} cannot be asked: {}", Escaped(group.name.as_bytes()), why.of(directory))
            }
        }
    }
}

impl fmt::Display for Under<'_> {
    /// What follows; nothing where it is the address as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exactly {
            return Ok(());
        }
        write!(f, ", as {}", Escaped(mail::address(self.local, self.domain).as_bytes()))
    }
}
