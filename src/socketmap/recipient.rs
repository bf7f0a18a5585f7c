// SPDX-License-Identifier: GPL-3.0-or-later
//! The table `recipient`: who exists (`relay_recipient_maps`).
//!
//! It knows no client: what an internal client may send to and others may not exists here, and the door that knows the client
//! decides. A recipient that its domain's mode and verdicts would let pass exists here, too, whoever knows it.

use super::key::Key;
use super::{Answer, Found, Why};
use crate::mail::{Domain, Mailbox, Recipient};
use crate::policy::{self, DomainPolicy, Mode, Policy, Reason, RecipientMode, Routed, Rule, Verdict};
use std::sync::Arc;

/// What is behind a recipient that exists: Postfix wants anything but nothing.
const EXISTS: Answer = Answer::Found(std::borrow::Cow::Borrowed("exists"));
/// Why nobody can tell.
const NOT_READY: Answer = Answer::Temp("cannot tell yet whether this recipient exists");
/// Why an unknown recipient is not refused for good.
const SOFT: Answer = Answer::Temp("this recipient is refused for now");

pub(super) fn find(policy: &Policy, key: &[u8]) -> Found {
    match Key::parse(key) {
        Key::Mailbox(mailbox) => mailbox_exists(policy, mailbox),
        Key::Domain(domain) => all_exist(policy, &domain),
        Key::Other => Found::new(Answer::NotFound, Why::NoSuchKey),
    }
}

fn mailbox_exists(policy: &Policy, mailbox: Mailbox) -> Found {
    let listed = mailbox.domain().and_then(|domain| policy.domains().find(domain)).cloned();
    let Some(domain) = listed else { return Found::new(Answer::NotFound, Why::Unlisted) };
    if domain.mode == Mode::Inactive {
        return Found::new(EXISTS, Why::Recipient(Rule::SwitchedOff, domain));
    }
    let recipient = Recipient::at(mailbox);
    let Some(finding) = policy::existence(policy, &recipient) else {
        return Found::new(NOT_READY, Why::Recipient(Rule::RecipientUnclear, domain));
    };
    let exists = match finding.answer {
        policy::Answer::Yes => EXISTS,
        policy::Answer::No if finding.reason == Reason::RecipientInternal => EXISTS,
        policy::Answer::No => refusal(domain.mode, finding.verdict, SOFT),
        policy::Answer::Unknown => refusal(domain.mode, finding.verdict, NOT_READY),
    };
    let by_recipient = Found::new(exists, Why::Recipient(finding.rule, Arc::clone(&domain)));
    match by_recipient.answer {
        // What nobody would route does not exist, but only where it would not be refused anyway.
        Answer::Found(_) => routed(policy, &recipient, &domain).unwrap_or(by_recipient),
        Answer::NotFound | Answer::Temp(_) | Answer::Perm(_) => by_recipient,
    }
}

/// What keeps a recipient that exists from being routed.
fn routed(policy: &Policy, recipient: &Recipient, domain: &DomainPolicy) -> Option<Found> {
    match policy::route(policy, recipient)? {
        Routed::To { .. } | Routed::Pass => None,
        Routed::Nowhere => {
            let exists = refusal(domain.mode, domain.verdicts.route, SOFT);
            Some(Found::new(exists, Why::Route(Rule::NoRoute, domain.mode)))
        }
        Routed::Unknown { route, directory, why } => Some(Found::new(
            refusal(domain.mode, Verdict::Defer, NOT_READY),
            Why::Route(Rule::GroupUnknown { route, directory, why }, domain.mode),
        )),
    }
}

/// What a verdict comes to in a domain of this mode.
fn refusal(mode: Mode, verdict: Verdict, for_now: Answer) -> Answer {
    match mode.apply(verdict) {
        Verdict::Accept | Verdict::Tag | Verdict::Quarantine | Verdict::Discard => EXISTS,
        Verdict::Defer => for_now,
        Verdict::Reject => Answer::NotFound,
    }
}

/// Whether everyone in a domain exists: an MTA that asks for the domain would ask no further.
fn all_exist(policy: &Policy, domain: &Domain) -> Found {
    let Some(own) = policy.domains().find(domain) else { return Found::new(Answer::NotFound, Why::Unlisted) };
    let whole = |domain: &Domain| {
        own.directories.iter().filter_map(|id| policy.directories().find(*id)).any(|directory| {
            directory.recipients.as_deref().is_some_and(|known| known.mailboxes.contains_whole(domain))
        })
    };
    let unchecked = match own.recipients.mode {
        RecipientMode::Off => true,
        RecipientMode::Learn => false,
        RecipientMode::Check => own.directories.is_empty() && own.recipients.learned.is_none(),
    };
    let routed = policy.routes().is_empty() || policy::route_of_all(policy, own).is_some();
    let known = own.mode == Mode::Inactive
        || unchecked
        || whole(domain)
        || own.recipients.alias_of.as_ref().is_some_and(whole);
    if known && routed {
        return Found::new(EXISTS, Why::Listed(Arc::clone(own)));
    }
    Found::new(Answer::NotFound, Why::NotWhole(Arc::clone(own)))
}
