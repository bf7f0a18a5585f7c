// SPDX-License-Identifier: GPL-3.0-or-later
//! Which server a recipient's mail goes to: rules in order, of which the first that matches decides.

use super::{Policy, ServerId, Unready};
use crate::mail::{DomainPattern, MailboxSet, Recipient};
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

/// Where a recipient's mail goes; nothing where its domain is not listed, or nobody knows where it would be delivered.
pub fn route(_policy: &Policy, _recipient: &Recipient) -> Option<Routed> {
    None
}
