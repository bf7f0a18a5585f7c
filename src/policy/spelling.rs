// SPDX-License-Identifier: GPL-3.0-or-later
//! What a local part may stand for, and under which names of its domain: shared by all that look a recipient up, so that
//! somebody who exists under an address is in the groups of the one who is meant by it.
//!
//! Nothing here verifies a signature: whoever forges one reaches a mailbox that exists, and no other.

use super::{Directory, DomainPolicy, Entry, Policy, Recipients};
use crate::mail::{Domain, LocalPattern, SrsSender, batv_mailbox, srs_sender};
use std::iter;
use std::sync::Arc;

/// Whom Postfix never splits (`split_addr(3)`): postmaster, and its own names for what sends bounces and probes.
const NEVER_SPLIT: [&str; 3] = ["postmaster", "mailer-daemon", "double-bounce"];

/// One thing that a local part may stand for.
#[derive(Debug)]
pub(super) enum Meaning<'a> {
    /// `postmaster` or `abuse`.
    Role,
    /// A mailbox.
    Mailbox {
        /// Its local part, folded.
        local: &'a str,
        /// Whether a subaddress was taken off.
        entry: Entry,
        /// Whether the signature of a bounce address was.
        batv: bool,
    },
    /// The sender whom a forwarder's address stands for. What comes after it is no longer meant.
    Sender(SrsSender),
    /// A bounce address of the domain's own list software.
    OwnBounce(&'a LocalPattern),
    /// Whatever patterns and whole domains cover; this is its local part without a signature.
    Any(&'a str),
}

/// What a folded local part may stand for, the plainest first. Forwarders' addresses are read where `srs` is set and the
/// domain forwards.
pub(super) fn meanings<'a>(
    own: &'a DomainPolicy,
    local: &'a str,
    srs: bool,
) -> impl Iterator<Item = Meaning<'a>> + use<'a> {
    let (strip, delimiters) = (own.recipients.strip, &*own.subaddress);
    let signed = batv_mailbox(local).filter(|_| strip.batv);
    let batv = signed.is_some();
    let bare = signed.unwrap_or(local);
    let role = move || {
        let is_role = is_role(local) || base_of(local, delimiters).is_some_and(is_role);
        is_role.then_some(Meaning::Role)
    };
    let exact = |local, batv| Meaning::Mailbox { local, entry: Entry::Exact, batv };
    lazily(role)
        .chain([exact(local, false)])
        .chain(signed.filter(|bare| is_role(bare)).map(|_| Meaning::Role))
        .chain(signed.map(|bare| exact(bare, true)))
        .chain(lazily(move || srs_sender(bare).filter(|_| srs && strip.srs).map(Meaning::Sender)))
        .chain(lazily(move || own.recipients.verp.find(bare).map(Meaning::OwnBounce)))
        .chain(lazily(move || {
            let local = base_of(bare, delimiters)?;
            Some(Meaning::Mailbox { local, entry: Entry::Base, batv })
        }))
        .chain([Meaning::Any(bare)])
}

/// What a function gives, as late as it is asked for.
fn lazily<T>(one: impl FnOnce() -> Option<T>) -> impl Iterator<Item = T> {
    iter::once_with(one).flatten()
}

impl DomainPolicy {
    /// The names under which a recipient of `domain`, which is listed here, is looked up, and whether that is the one that it
    /// is an alias of.
    pub(super) fn names<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> impl Iterator<Item = (&'a Domain, bool)> + use<'a> {
        let target = self.recipients.alias_of.as_ref();
        [Some((domain, false)), target.map(|target| (target, true))].into_iter().flatten()
    }
}

impl Policy {
    /// Those of a domain's directories of which something is known.
    pub(super) fn known_directories<'a>(
        &'a self,
        own: &'a DomainPolicy,
    ) -> impl Iterator<Item = (&'a Arc<Directory>, &'a Recipients)> + use<'a> {
        let directories = own.directories.iter().chain(&own.recipients.learned);
        let found = directories.filter_map(|id| self.directories().find(*id));
        found.filter_map(|directory| Some((directory, directory.recipients.as_deref()?)))
    }
}

/// RFC 5321 4.5.1, RFC 2142.
fn is_role(local: &str) -> bool {
    matches!(local, "postmaster" | "abuse")
}

/// What precedes the first delimiter, unless that is nothing, or Postfix would not split here (`split_addr(3)`; its
/// `owner_request_special` is on by default).
fn base_of<'a>(local: &'a str, delimiters: &str) -> Option<&'a str> {
    let at = local.find(|c| delimiters.contains(c)).filter(|at| *at > 0)?;
    let of_a_list =
        || local.starts_with("owner-") || local.strip_suffix("-request").is_some_and(|list| !list.is_empty());
    let whole = NEVER_SPLIT.contains(&local) || (delimiters.contains('-') && of_a_list());
    (!whole).then(|| &local[..at])
}
