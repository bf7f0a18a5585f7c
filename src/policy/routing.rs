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

use super::membership::{Asked, Found};
use super::rules::Standing;
use super::{
    Answer, Check, DomainPolicy, Finding, Policy, Reason, RecipientMode, Rule, ServerId, Unready, decide,
};
use crate::mail::{Domain, DomainPattern, Mailbox, MailboxSet, Recipient};
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
    pub(super) fn is_for_everyone(&self) -> bool {
        self.groups.is_empty() && self.recipients.is_empty()
    }

    /// Whether it is for some recipients of a listed domain; what is said of one, is said of its aliases.
    pub fn is_for(&self, pattern: &DomainPattern, alias_of: Option<&Domain>) -> bool {
        let covers = |written: &DomainPattern| match written {
            DomainPattern::Exact(domain) => written == pattern || alias_of == Some(domain),
            DomainPattern::Below(_) => written == pattern,
        };
        self.domains.as_ref().is_none_or(|domains| domains.iter().any(covers))
    }

    fn is_for_domain(&self, own: &DomainPolicy) -> bool {
        self.is_for(&own.pattern, own.recipients.alias_of.as_ref())
    }
}
