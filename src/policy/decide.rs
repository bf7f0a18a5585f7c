// SPDX-License-Identifier: GPL-3.0-or-later
//! The decision itself, in the order: internal, ours, source, recipient; and, once headers are known, loop.
//!
//! Every function here is pure. Three answers run through all of it: yes, no, unknown; unknown always asks for
//! `defer` with reason `not-ready`, never for a rejection, and never passes as a yes.

use super::rules::Standing;
use super::{
    Answer, Answers, Check, Decision, Directory, DomainPolicy, Entry, Finding, Mode, Policy, Questions,
    Reason, Rule, Source, Verdict,
};
use crate::mail::{Client, Domain, HeaderFacts, Mailbox, Recipient, Session};
use std::sync::Arc;

/// Decides about one recipient by what is known at RCPT and what was answered to [`questions`].
pub fn recipient(policy: &Policy, session: &Session, recipient: &Recipient, answers: &Answers) -> Decision {
    let standing = policy.standing(recipient);
    if let Some(rule) = policy.internal().find(&session.client) {
        return conclude(policy, &standing, vec![accepting(Check::Internal, rule, Reason::Internal)]);
    }
    let findings = match &standing {
        Standing::Unclear => vec![unknown(Check::Domain, Rule::RecipientUnclear)],
        Standing::Unlisted => vec![not_listed(policy.unlisted().verdict)],
        Standing::Listed(domain, _, _) if domain.mode == Mode::Inactive => {
            vec![accepting(Check::Domain, Rule::SwitchedOff, Reason::Inactive)]
        }
        Standing::Listed(own, mailbox, domain) => {
            let source = check_source(policy, own, &session.client, answers);
            // A stranger gets the same answer for every recipient, so that nobody can ask who exists.
            let goes_on = source.verdict <= Verdict::Tag;
            let mut findings = vec![source];
            if goes_on {
                findings.push(check_recipient(own, mailbox, domain));
            }
            findings
        }
    };
    conclude(policy, &standing, findings)
}

/// What the network has to be asked before [`recipient`] can decide; nothing for nearly every message.
pub fn questions(policy: &Policy, session: &Session, recipient: &Recipient) -> Option<Questions> {
    let _ = (policy, session, recipient);
    None
}

/// Decides about a message by its headers. `recipients` are the decisions about those that were accepted; the strongest
/// verdict over those it will be delivered to or held for answers for all of them. Nothing when no such recipient's
/// domain looks at headers.
pub fn headers(policy: &Policy, recipients: &[&Decision], headers: &HeaderFacts) -> Option<Decision> {
    if !policy.loops.is_on() {
        return None;
    }
    let staying = recipients.iter().filter(|decision| decision.applied != Verdict::Discard);
    let looked_at = staying.filter_map(|decision| decision.domain.as_ref());
    let domains = looked_at.filter(|domain| domain.mode > Mode::Inactive);
    let decisions = domains.map(|domain| {
        let findings = check_headers(policy, domain, headers);
        Decision::weigh(findings, Some(Arc::clone(domain)), domain.mode, &domain.replies)
    });
    decisions.fold(None, |strongest: Option<Decision>, decision| match strongest {
        Some(strongest) if (strongest.applied, strongest.verdict) >= (decision.applied, decision.verdict) => {
            Some(strongest)
        }
        _ => Some(decision),
    })
}

/// The decision when none came in time: `not-ready`, in the recipient's own mode.
pub fn overdue(policy: &Policy, recipient: &Recipient) -> Decision {
    let standing = policy.standing(recipient);
    let finding = match &standing {
        // For these the verdict depends on nothing that could be late.
        Standing::Unlisted => not_listed(policy.unlisted().verdict),
        Standing::Listed(..) | Standing::Unclear => unknown(Check::Domain, Rule::Overdue),
    };
    conclude(policy, &standing, vec![finding])
}

fn conclude(policy: &Policy, standing: &Standing<'_>, findings: Vec<Finding>) -> Decision {
    match standing {
        Standing::Listed(domain, _, _) => {
            Decision::weigh(findings, Some(Arc::clone(domain)), domain.mode, &domain.replies)
        }
        Standing::Unlisted => Decision::weigh(findings, None, Mode::Enforce, &policy.unlisted().replies),
        Standing::Unclear => {
            Decision::weigh(findings, None, policy.strictest_mode(), &policy.unlisted().replies)
        }
    }
}

fn check_source(policy: &Policy, domain: &DomainPolicy, client: &Client, answers: &Answers) -> Finding {
    let gateways = match &domain.source {
        Source::Any => return passing(Check::Source, Rule::AnyClient),
        Source::Gateways(gateways) => gateways,
    };
    let Some(address) = client.address else {
        return unknown(Check::Source, Rule::ClientUnknown);
    };
    let gateways = || gateways.iter().filter_map(|id| policy.gateways().find(*id));
    let found = gateways().find_map(|gateway| {
        let network = *gateway.addresses.as_ref()?.networks.find(address)?;
        Some(Rule::Gateway { gateway: Arc::clone(&gateway.name), network })
    });
    let _ = answers;
    match found {
        Some(rule) => passing(Check::Source, rule),
        None => failing(Check::Source, Rule::NoGateway, Reason::SourceNotGateway, domain.verdicts.source),
    }
}

fn check_recipient(policy: &DomainPolicy, mailbox: &Mailbox, domain: &Domain) -> Finding {
    if policy.directories.is_empty() {
        return passing(Check::Recipient, Rule::NoDirectories);
    }
    match known_by(policy, mailbox, domain) {
        Some(rule) => passing(Check::Recipient, rule),
        None => failing(
            Check::Recipient,
            Rule::InNoDirectory,
            Reason::RecipientUnknown,
            policy.verdicts.recipient,
        ),
    }
}

fn known_by(policy: &DomainPolicy, mailbox: &Mailbox, domain: &Domain) -> Option<Rule> {
    let listed =
        |directory: &Arc<Directory>, entry| Rule::Directory { directory: Arc::clone(&directory.name), entry };
    if let Some(local) = mailbox.folded_local() {
        let base = base_of(&local, &policy.subaddress);
        if [Some(local.as_str()), base].iter().flatten().any(|name| matches!(*name, "postmaster" | "abuse")) {
            return Some(Rule::RoleAddress);
        }
        for (name, entry) in [(Some(local.as_str()), Entry::Exact), (base, Entry::Base)] {
            let Some(name) = name else { continue };
            if let Some(directory) = policy.directories.iter().find(|d| d.mailboxes.contains(name, domain)) {
                return Some(listed(directory, entry));
            }
        }
    }
    let directory = policy.directories.iter().find(|d| d.mailboxes.contains_whole(domain))?;
    Some(listed(directory, Entry::WholeDomain))
}

/// What precedes the first delimiter, unless that is nothing.
fn base_of<'a>(local: &'a str, delimiters: &str) -> Option<&'a str> {
    let at = local.find(|c| delimiters.contains(c))?;
    (at > 0).then(|| &local[..at])
}

fn check_headers(policy: &Policy, domain: &DomainPolicy, headers: &HeaderFacts) -> Vec<Finding> {
    let rule = policy.loops();
    let mut findings = Vec::with_capacity(2);
    let mut judge = |check, is_loop: bool, rule: Rule, reason| {
        findings.push(if is_loop {
            failing(check, rule, reason, domain.verdicts.loops)
        } else {
            passing(check, rule)
        });
    };
    if rule.max_passes > 0 {
        let seen = headers.passes();
        let passes = Rule::Passes { seen, limit: rule.max_passes };
        judge(Check::Loop, seen >= rule.max_passes, passes, Reason::LoopDetected);
    }
    if rule.max_received > 0 {
        let seen = headers.received();
        let hops = Rule::Hops { seen, limit: rule.max_received };
        judge(Check::Hops, seen > rule.max_received, hops, Reason::TooManyHops);
    }
    if headers.overflowed() {
        findings.push(unknown(Check::Loop, Rule::ForgedHeaders));
    }
    findings
}

fn passing(check: Check, rule: Rule) -> Finding {
    Finding { check, answer: Answer::Yes, rule, reason: Reason::Passed, verdict: Verdict::Accept }
}

/// A yes that ends the checks, for a reason of its own.
fn accepting(check: Check, rule: Rule, reason: Reason) -> Finding {
    Finding { check, answer: Answer::Yes, rule, reason, verdict: Verdict::Accept }
}

fn failing(check: Check, rule: Rule, reason: Reason, verdict: Verdict) -> Finding {
    Finding { check, answer: Answer::No, rule, reason, verdict }
}

fn not_listed(verdict: Verdict) -> Finding {
    failing(Check::Domain, Rule::Unlisted, Reason::NotOurDomain, verdict)
}

fn unknown(check: Check, rule: Rule) -> Finding {
    Finding { check, answer: Answer::Unknown, rule, reason: Reason::NotReady, verdict: Verdict::Defer }
}
