// SPDX-License-Identifier: GPL-3.0-or-later
//! Which server a recipient's mail goes to: rules in order, of which the first that matches decides.
//!
//! A rule is for the members of its groups and for its own recipients, in the domains that it names. Somebody is a member
//! under every address under which he exists: without a subaddress, without a bounce signature, under the other name of a
//! domain that is an alias; but one whose address is listed itself is not taken for whom it is derived from. What is last
//! known of an overdue directory counts, except that nobody is refused by it.
//!
//! What exists by the form of its address alone (postmaster and abuse, bounces to a forwarder of ours or to list software)
//! is refused by no rule, and nobody is where the domain learns: it goes where `unrouted` says, else where the MTA thinks.

use super::rules::Standing;
use super::spelling::{Meaning, meanings};
use super::{
    Answer, Check, Directory, DomainPolicy, Entry, Finding, Policy, Reason, RecipientMode, Rule, ServerId,
    Unready, decide,
};
use crate::mail::{self, Domain, DomainPattern, Escaped, Mailbox, MailboxSet, Recipient};
use std::fmt;
use std::sync::Arc;

/// A rule: for whom, and where to.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Whose members it is for. Where both these and `recipients` are empty, it is for everyone.
    pub groups: Box<[GroupName]>,
    /// For whom it is besides.
    pub recipients: Arc<MailboxSet>,
    /// The listed domains that it is for; nothing means all of them.
    pub domains: Option<Box<[DomainPattern]>>,
    /// Where their mail goes.
    pub to: ServerId,
}

/// A group of a directory.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct GroupName {
    /// The directory that it is in; nothing means any.
    pub directory: Option<Arc<str>>,
    /// Its name, in lower case.
    pub name: Arc<str>,
}

/// Where mail goes that no rule is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unrouted {
    /// Nowhere: there is no such recipient.
    Reject,
    /// To this server.
    Server(ServerId),
    /// Wherever the MTA thinks.
    Pass,
}

/// Where a recipient's mail goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Routed {
    /// To this server.
    To {
        /// The server.
        server: ServerId,
        /// The rule that says so; nothing where none does and `unrouted` names the server.
        route: Option<Arc<str>>,
    },
    /// Wherever the MTA thinks.
    Pass,
    /// Nowhere.
    Nowhere,
    /// Whether this rule is for the recipient cannot be told yet.
    Unknown {
        /// The rule.
        route: Arc<str>,
        /// The directory that cannot say.
        directory: Arc<str>,
        /// Why not.
        why: Unready,
    },
}

/// How one rule answers for a recipient, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// The rule.
    pub route: Arc<str>,
    /// Where it sends its mail.
    pub to: ServerId,
    /// Whether it is for the recipient.
    pub answer: Answer,
    /// Why, in words.
    pub why: String,
}

/// Where a recipient's mail goes, whatever the mode of its domain; nothing where that is not listed, or nobody knows where it
/// would be delivered.
pub fn route(policy: &Policy, recipient: &Recipient) -> Option<Routed> {
    match policy.standing(recipient) {
        Standing::Listed(own, mailbox, domain) => Some(routed(policy, own, mailbox, domain)),
        Standing::Unlisted | Standing::Unclear => None,
    }
}

/// The server that all mail of a domain goes to, and the rule that says so where one does; nothing where it depends on
/// the recipient.
pub fn route_of_all(policy: &Policy, own: &DomainPolicy) -> Option<(ServerId, Option<Arc<str>>)> {
    let mut servers = Vec::new();
    for route in policy.routes().iter().filter(|route| route.is_for_domain(own)) {
        servers.push(route.to);
        if route.is_for_everyone() {
            let alone = servers.iter().all(|server| *server == route.to);
            return alone.then(|| (route.to, Some(Arc::clone(&route.name))));
        }
    }
    match own.unrouted {
        Unrouted::Server(server) => servers.iter().all(|other| *other == server).then_some((server, None)),
        Unrouted::Reject | Unrouted::Pass => None,
    }
}

/// How each rule answers for a recipient, in order; those behind the one that decides, too. Nothing where [`route`] says
/// nothing.
pub fn explain_route(policy: &Policy, recipient: &Recipient) -> Option<Vec<Explained>> {
    let Standing::Listed(own, mailbox, domain) = policy.standing(recipient) else { return None };
    let local = mailbox.folded_local();
    let asked = Asked::new(policy, own, local.as_deref(), domain);
    let explain = |route: &Route| {
        let found = asked.ask(route);
        let (route, to) = (Arc::clone(&route.name), route.to);
        Explained { route, to, answer: found.answer(), why: found.to_string() }
    };
    Some(policy.routes().iter().map(explain).collect())
}

/// Checks the route of a recipient that exists; nothing where its domain has no rules.
pub(super) fn check(
    policy: &Policy,
    own: &DomainPolicy,
    mailbox: &Mailbox,
    domain: &Domain,
) -> Option<Finding> {
    if own.unrouted == Unrouted::Pass && !policy.routes().iter().any(|route| route.is_for_domain(own)) {
        return None;
    }
    let name = |server| policy.servers().find(server).map_or_else(|| Arc::from("?"), |s| Arc::clone(&s.name));
    Some(match routed(policy, own, mailbox, domain) {
        Routed::To { server, route } => {
            decide::passing(Check::Route, Rule::Routed { server: name(server), route })
        }
        Routed::Pass => decide::passing(Check::Route, Rule::NotRouted),
        Routed::Nowhere => decide::failing(Check::Route, Rule::NoRoute, Reason::NoRoute, own.verdicts.route),
        Routed::Unknown { route, directory, why } => {
            decide::unknown(Check::Route, Rule::GroupUnknown { route, directory, why })
        }
    })
}

fn routed(policy: &Policy, own: &DomainPolicy, mailbox: &Mailbox, domain: &Domain) -> Routed {
    let local = mailbox.folded_local();
    let asked = Asked::new(policy, own, local.as_deref(), domain);
    let mut stale = None;
    for route in policy.routes() {
        let name = || Arc::clone(&route.name);
        match asked.ask(route) {
            Found::Member(_) => return Routed::To { server: route.to, route: Some(name()) },
            Found::Unknown { group: _, directory, why } => {
                return Routed::Unknown { route: name(), directory, why };
            }
            Found::Nobody { overdue: Some(directory) } if stale.is_none() => {
                stale = Some((name(), Arc::clone(directory)));
            }
            Found::OtherDomain | Found::Nobody { .. } => {}
        }
    }
    match (own.unrouted, stale) {
        (Unrouted::Server(server), _) => Routed::To { server, route: None },
        (Unrouted::Pass, _) => Routed::Pass,
        (Unrouted::Reject, _) if asked.is_nobody || own.recipients.mode == RecipientMode::Learn => {
            Routed::Pass
        }
        (Unrouted::Reject, Some((route, directory))) => {
            Routed::Unknown { route, directory, why: Unready::Overdue }
        }
        (Unrouted::Reject, None) => Routed::Nowhere,
    }
}

impl Route {
    /// Whether it is for all recipients of its domains.
    fn is_for_everyone(&self) -> bool {
        self.groups.is_empty() && self.recipients.is_empty()
    }

    /// Whether it is for some recipients of a domain; what is said of one, is said of its aliases.
    pub(super) fn is_for_domain(&self, own: &DomainPolicy) -> bool {
        let is_alias_of = |pattern: &DomainPattern| match pattern {
            DomainPattern::Exact(domain) => own.recipients.alias_of.as_ref() == Some(domain),
            DomainPattern::Below(_) => false,
        };
        let covers = |pattern: &DomainPattern| *pattern == own.pattern || is_alias_of(pattern);
        self.domains.as_ref().is_none_or(|domains| domains.iter().any(covers))
    }
}

/// A recipient for whom rules are asked.
struct Asked<'a> {
    policy: &'a Policy,
    own: &'a DomainPolicy,
    domain: &'a Domain,
    /// The local parts of the one who is meant, and what was taken off.
    locals: [Option<(&'a str, Entry)>; 3],
    /// The name under which the domain is listed that this one is an alias of.
    target: Option<DomainPattern>,
    /// Whether the address exists by its form alone.
    is_nobody: bool,
}

/// What a rule answers.
enum Found<'a> {
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
enum By<'a> {
    Everyone,
    Recipient(Under<'a>),
    Group { group: &'a GroupName, directory: &'a Arc<str>, under: Under<'a> },
}

/// The address under which somebody is known.
#[derive(Clone, Copy)]
struct Under<'a> {
    local: &'a str,
    domain: &'a Domain,
    /// Whether that is the address as it is.
    exactly: bool,
}

impl<'a> Asked<'a> {
    fn new(policy: &'a Policy, own: &'a DomainPolicy, local: Option<&'a str>, domain: &'a Domain) -> Self {
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

    fn ask(&self, route: &'a Route) -> Found<'a> {
        let Route { name: _, groups, recipients, domains: _, to: _ } = route;
        if !route.is_for_domain(self.own) {
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
                    if !recipients.serves([&self.own.pattern].into_iter().chain(&self.target)) {
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
    fn answer(&self) -> Answer {
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
            Self::Nobody { overdue: None } => f.write_str("no member"),
            Self::Nobody { overdue: Some(directory) } => {
                write!(f, "no member when last known: {}", Unready::Overdue.of(directory))
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
