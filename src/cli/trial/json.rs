// SPDX-License-Identifier: GPL-3.0-or-later
//! A trial as JSON: everything that the text says, under names that stay.

use super::{End, Message, Outcome, Trial, Tried};
use crate::mail::{EnhancedCode, HeaderToRemove, Reply};
use crate::policy::{Decision, Finding};
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::net::IpAddr;

/// A whole trial.
#[derive(Serialize)]
pub(in crate::cli) struct TrialJson<'a> {
    client: Option<IpAddr>,
    login: Option<&'a str>,
    certificate: Option<&'a str>,
    helo: Option<&'a str>,
    mail: String,
    recipients: Vec<RecipientJson<'a>>,
    message: Option<MessageJson<'a>>,
}

#[derive(Serialize)]
struct RecipientJson<'a> {
    recipient: &'a str,
    /// What is done in the end: a verdict, or `parted`.
    outcome: &'static str,
    /// What the client sees in the end, if it is refused.
    reply: Option<ReplyJson<'a>>,
    #[serde(flatten)]
    decision: DecisionJson<'a>,
}

#[derive(Serialize)]
struct MessageJson<'a> {
    passes: u32,
    received: u32,
    decision: Option<DecisionJson<'a>>,
    /// `accepted`, `held`, `discarded` or `refused`.
    end: &'static str,
    reply: Option<ReplyJson<'a>>,
    removed: Vec<RemovedJson<'a>>,
    added: Vec<AddedJson<'a>>,
}

#[derive(Serialize)]
struct DecisionJson<'a> {
    domain: Option<String>,
    mode: &'static str,
    verdict: &'static str,
    applied: &'static str,
    reason: &'static str,
    gateway: Option<&'a str>,
    findings: Vec<FindingJson<'a>>,
}

/// One check's result.
#[derive(Serialize)]
pub(in crate::cli) struct FindingJson<'a> {
    check: &'static str,
    answer: &'static str,
    #[serde(serialize_with = "display")]
    rule: &'a dyn Display,
    reason: &'static str,
    verdict: &'static str,
}

#[derive(Serialize)]
struct ReplyJson<'a> {
    code: u16,
    #[serde(serialize_with = "display")]
    enhanced: EnhancedCode,
    text: &'a str,
}

#[derive(Serialize)]
struct RemovedJson<'a> {
    name: std::borrow::Cow<'a, str>,
    index: u32,
}

#[derive(Serialize)]
struct AddedJson<'a> {
    name: &'static str,
    value: &'a str,
}

impl Trial<'_> {
    /// The whole trial for programs.
    pub(in crate::cli) fn to_json(&self) -> TrialJson<'_> {
        let question = self.question;
        TrialJson {
            client: question.client.0,
            login: question.login.as_deref(),
            certificate: question.certificate.as_deref(),
            helo: question.helo.as_deref(),
            mail: question.sender.in_brackets(),
            recipients: self.outcomes().map(|(tried, outcome)| RecipientJson::new(tried, &outcome)).collect(),
            message: self.message.as_ref().map(MessageJson::new),
        }
    }
}

impl<'a> RecipientJson<'a> {
    fn new(tried: &'a Tried, outcome: &Outcome<'a>) -> Self {
        Self {
            recipient: tried.address.as_str(),
            outcome: outcome.fate.as_str(),
            reply: outcome.reply.map(ReplyJson::new),
            decision: DecisionJson::new(&tried.decision),
        }
    }
}

impl<'a> MessageJson<'a> {
    fn new(message: &'a Message) -> Self {
        let Message { headers, decision, end } = message;
        let (end, removed, added) = match end {
            End::Refused => ("refused", &[][..], &[][..]),
            End::Discarded => ("discarded", &[][..], &[][..]),
            End::Passed { removed, added, held: true } => ("held", &removed[..], &added[..]),
            End::Passed { removed, added, held: false } => ("accepted", &removed[..], &added[..]),
        };
        let removed = removed.iter().map(|HeaderToRemove { name, index }| RemovedJson {
            name: String::from_utf8_lossy(name),
            index: *index,
        });
        Self {
            passes: headers.passes(),
            received: headers.received(),
            decision: decision.as_ref().map(DecisionJson::new),
            end,
            reply: decision.as_ref().and_then(|decision| decision.reply.as_ref()).map(ReplyJson::new),
            removed: removed.collect(),
            added: added.iter().map(|(name, value)| AddedJson { name, value }).collect(),
        }
    }
}

impl<'a> DecisionJson<'a> {
    fn new(decision: &'a Decision) -> Self {
        Self {
            domain: decision.domain.as_ref().map(|domain| domain.pattern.to_string()),
            mode: decision.mode.as_str(),
            verdict: decision.verdict.as_str(),
            applied: decision.applied.as_str(),
            reason: decision.reason.as_str(),
            gateway: decision.gateway(),
            findings: decision.findings.iter().map(FindingJson::new).collect(),
        }
    }
}

impl<'a> FindingJson<'a> {
    /// One finding.
    pub(in crate::cli) fn new(finding: &'a Finding) -> Self {
        let Finding { check, answer, rule, reason, verdict } = finding;
        Self {
            check: check.as_str(),
            answer: answer.as_str(),
            rule,
            reason: reason.as_str(),
            verdict: verdict.as_str(),
        }
    }
}

impl<'a> ReplyJson<'a> {
    fn new(reply: &'a Reply) -> Self {
        Self { code: reply.code(), enhanced: reply.enhanced(), text: reply.text() }
    }
}

fn display<S: Serializer>(value: impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&value)
}
