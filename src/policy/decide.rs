// SPDX-License-Identifier: GPL-3.0-or-later
//! The decision itself, in the order: internal, ours, source, recipient, route, reputation; and, once headers are known, what
//! they tell of the source, loop, and who is behind the gateway.
//!
//! Every function here is pure. Three answers run through all of it: yes, no, unknown; unknown always asks for
//! `defer`, never for a rejection, and never passes as a yes.

use super::rules::Standing;
use super::scan::{Scanning, Scans};
use super::source::Checked;
use super::{
    Answer, Answers, Check, Decision, DomainPolicy, Finding, Mode, Policy, Questions, Reason, Replies, Rule,
    Verdict, existence, reputation, routing, source,
};
use crate::mail::{Domain, HeaderFacts, Mailbox, Recipient, Session};
use std::sync::Arc;

/// Decides about one recipient by what is known at RCPT and what was answered to [`questions`].
pub fn recipient(policy: &Policy, session: &Session, recipient: &Recipient, answers: &Answers) -> Decision {
    let standing = policy.standing(recipient);
    let mut candidates = Vec::new();
    let mut scanning = None;
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
            let Checked { finding, candidates: left, stranger } =
                source::check(policy, own, &session.client, answers);
            candidates = left;
            // A stranger gets the same answer for every recipient, so that nobody can ask who exists.
            let goes_on = finding.verdict <= Verdict::Tag;
            scanning = Scanning::begin(policy, own, (mailbox, domain), &session.client, answers);
            let mut findings = Vec::with_capacity(3);
            findings.push(finding);
            if goes_on {
                check_destination(policy, own, (mailbox, domain), &mut findings);
                if let Some(stranger) = stranger {
                    reputation::check(policy, own, stranger, answers, &mut findings);
                }
            }
            findings
        }
    };
    Decision { candidates, scanning, ..conclude(policy, &standing, findings) }
}

/// The same where the headers will never be known: a gateway whose header line is awaited cannot be told then.
pub fn without_headers(decision: Decision) -> Decision {
    let Some(doubt) = source::in_doubt(&decision.candidates) else { return decision };
    let Decision { domain, mut findings, .. } = decision;
    for finding in &mut findings {
        if finding.check == Check::Source {
            *finding = doubt.clone();
        }
    }
    match domain {
        Some(domain) => Decision::weigh(findings, Some(Arc::clone(&domain)), domain.mode, &domain.replies),
        // Candidates are a listed domain's.
        None => Decision::weigh(findings, None, Mode::Enforce, &Replies::default()),
    }
}

/// Decides about a recipient of a listed domain by what does not depend on the client: whether it exists, and whether there
/// is a server for it. Nothing where it is not listed, or nobody knows where it would be delivered.
pub fn destination(policy: &Policy, recipient: &Recipient) -> Option<Decision> {
    let standing = policy.standing(recipient);
    let Standing::Listed(own, mailbox, domain) = &standing else { return None };
    let mut findings = Vec::with_capacity(2);
    if own.mode == Mode::Inactive {
        findings.push(accepting(Check::Domain, Rule::SwitchedOff, Reason::Inactive));
    } else {
        check_destination(policy, own, (mailbox, domain), &mut findings);
    }
    Some(conclude(policy, &standing, findings))
}

/// Whether a recipient exists; if it may come, where it goes.
fn check_destination(
    policy: &Policy,
    own: &DomainPolicy,
    (mailbox, domain): (&Mailbox, &Domain),
    findings: &mut Vec<Finding>,
) {
    let exists = existence::check(policy, own, mailbox, domain);
    let may_come = exists.verdict <= Verdict::Tag;
    findings.push(exists);
    if may_come {
        findings.extend(routing::check(policy, own, mailbox, domain));
    }
}

/// What the network has to be asked before [`recipient`] can decide, beside what it has been; nothing for nearly every
/// message. Whether a client is a gateway comes first, because a gateway's reputation is never asked.
pub fn questions(
    policy: &Policy,
    session: &Session,
    recipient: &Recipient,
    answered: &Answers,
) -> Option<Questions> {
    let client = &session.client;
    if !policy.asks() || policy.internal().find(client).is_some() {
        return None;
    }
    let address = client.address?;
    let Standing::Listed(domain, _, _) = policy.standing(recipient) else { return None };
    if domain.mode == Mode::Inactive {
        return None;
    }
    let live = source::unasked(policy, domain, client, answered);
    if !live.is_empty() {
        return Some(Questions { client: address, live, listings: false, reverse: false });
    }
    let Checked { finding, candidates: _, stranger } = source::check(policy, domain, client, answered);
    let stranger = stranger.filter(|_| finding.verdict <= Verdict::Tag)?;
    policy.reputation().questions(stranger, answered)
}

/// What the network has to be asked about the client in front of the gateway that a message came through, where
/// a gateway is to be looked behind.
pub fn behind(policy: &Policy, recipients: &[&Decision], headers: &HeaderFacts) -> Option<Questions> {
    if policy.reputation().threshold == 0 {
        return None;
    }
    let client = looked_at(recipients).find_map(|(decision, domain)| {
        let (gateway, _) = source::settle(domain, &decision.candidates, headers);
        reputation::client_behind(gateway.filter(|gateway| gateway.behind.is_some())?, headers)
    })?;
    Some(Questions { client, live: Vec::new(), listings: true, reverse: false })
}

/// Decides about a message by its headers and what was answered to [`behind`]. `recipients` are the decisions about those
/// that were accepted; the strongest verdict over those it will be delivered to or held for answers for all of them.
/// Nothing when no such recipient's domain looks at headers.
pub fn headers(
    policy: &Policy,
    recipients: &[&Decision],
    headers: &HeaderFacts,
    answers: &Answers,
) -> Option<Decision> {
    // Gateways of different domains may have different clients in front; only the first of them was asked about.
    let asked = behind(policy, recipients, headers).map(|questions| questions.client);
    let scans = Scans::of(policy, recipients, headers, &answers.tokens);
    let decisions = looked_at(recipients).filter_map(|(decision, domain)| {
        let mut findings = Vec::with_capacity(3);
        let (gateway, finding) = source::settle(domain, &decision.candidates, headers);
        findings.extend(finding);
        findings.extend(scans.findings(domain));
        check_loops(policy, domain, headers, scans.came_back(domain), &mut findings);
        let listings = answers.listings.as_ref();
        findings.extend(gateway.and_then(|gateway| {
            let listings_of = |address| listings.filter(|_| asked == Some(address));
            reputation::check_behind(policy, gateway, headers, listings_of)
        }));
        if findings.is_empty() {
            return None;
        }
        Some(Decision::weigh(findings, Some(Arc::clone(domain)), domain.mode, &domain.replies))
    });
    let strongest = decisions.fold(None, |strongest: Option<Decision>, decision| match strongest {
        Some(strongest) if (strongest.applied, strongest.verdict) >= (decision.applied, decision.verdict) => {
            Some(strongest)
        }
        _ => Some(decision),
    });
    strongest.map(|decision| Decision { passage: scans.passage, ..decision })
}

/// Decisions about recipients whom the message will be delivered to or held for, and whose domains look at headers;
/// of several in a row that cannot but come to the same, the first.
fn looked_at<'a>(
    recipients: &'a [&'a Decision],
) -> impl Iterator<Item = (&'a Decision, &'a Arc<DomainPolicy>)> {
    let staying = recipients.iter().filter(|decision| decision.applied != Verdict::Discard);
    let listed = staying.filter_map(|decision| Some((*decision, decision.domain.as_ref()?)));
    let mut last: Option<(&Decision, &Arc<DomainPolicy>)> = None;
    listed.filter(|(_, domain)| domain.mode > Mode::Inactive).filter(move |&(decision, domain)| {
        let same = last.is_some_and(|(before, its_domain)| {
            Arc::ptr_eq(its_domain, domain) && before.candidates == decision.candidates
        });
        last = Some((decision, domain));
        !same
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

fn check_loops(
    policy: &Policy,
    domain: &DomainPolicy,
    headers: &HeaderFacts,
    came_back: bool,
    findings: &mut Vec<Finding>,
) {
    let rule = policy.loops();
    let mut judge = |check, is_loop: bool, rule: Rule, reason| {
        findings.push(if is_loop {
            failing(check, rule, reason, domain.verdicts.loops)
        } else {
            passing(check, rule)
        });
    };
    if rule.max_passes > 0 {
        // The way to the scanner and back is one pass, and the one under way.
        let under_way = u32::from(came_back && headers.unanswered_scans() > 0);
        let seen = headers.passes().saturating_sub(under_way);
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
}

pub(super) fn passing(check: Check, rule: Rule) -> Finding {
    Finding { check, answer: Answer::Yes, rule, reason: Reason::Passed, verdict: Verdict::Accept }
}

/// A yes that ends the checks, for a reason of its own.
fn accepting(check: Check, rule: Rule, reason: Reason) -> Finding {
    Finding { check, answer: Answer::Yes, rule, reason, verdict: Verdict::Accept }
}

pub(super) fn failing(check: Check, rule: Rule, reason: Reason, verdict: Verdict) -> Finding {
    Finding { check, answer: Answer::No, rule, reason, verdict }
}

fn not_listed(verdict: Verdict) -> Finding {
    failing(Check::Domain, Rule::Unlisted, Reason::NotOurDomain, verdict)
}

pub(super) fn unknown(check: Check, rule: Rule) -> Finding {
    Finding { check, answer: Answer::Unknown, rule, reason: Reason::NotReady, verdict: Verdict::Defer }
}
