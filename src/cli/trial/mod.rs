// SPDX-License-Identifier: GPL-3.0-or-later
//! A message decided without an MTA: the same policy functions in the same order as in a milter session whose MTA can
//! carry out every verdict. No log, no journal. Nobody is asked anything over the network: what a decision needs from
//! there is unknown. Scan tokens are read with the keys at hand; whether one was used before is not known, and none is used.

mod json;
mod report;

pub(super) use json::FindingJson;
pub(super) use report::show_findings;

use super::question::{Address, Question};
use crate::gate::{Outside, ask_about, ask_apart};
use crate::mail::{
    HeaderFacts, HeaderToRemove, LOOP_HEADER, Reply, SCAN_HEADER, ScanKeys, TAG_HEADER, VIA_HEADER,
};
use crate::milter::via;
use crate::policy::{
    self, Answers, Decision, Ending, Finding, Marks, Mode, Policy, Reason, Sharing, Steering, Tokens, Verdict,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// A message, decided.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    question: &'a Question,
    recipients: Vec<Tried>,
    /// What came after the recipients, if any was accepted.
    message: Option<Message>,
}

/// A recipient, decided.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) address: Address,
    pub(super) decision: Decision,
    /// The answer to a recipient that cannot share the message with those before it.
    pub(super) parted: Option<Reply>,
}

#[derive(Debug)]
struct Message {
    headers: HeaderFacts,
    /// Nothing when no recipient's domain looks at headers.
    decision: Option<Decision>,
    end: End,
}

/// The end of the message.
#[derive(Debug)]
enum End {
    Refused,
    Discarded,
    Passed { removed: Vec<HeaderToRemove>, added: Vec<(&'static str, String)>, held: bool },
}

/// What becomes of a message for one recipient.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) fate: Fate,
    /// What was asked for before the domain's mode.
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    /// The refusal that the client sees.
    pub(super) reply: Option<&'a Reply>,
}

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// A verdict is applied.
    Applied(Verdict),
    /// The recipient has to come again in a message of its own.
    Parted,
}

impl Fate {
    /// The word used in output.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Applied(verdict) => verdict.as_str(),
            Self::Parted => "parted",
        }
    }

    /// Whether the message is delivered.
    pub(super) fn passes(self) -> bool {
        match self {
            Self::Applied(verdict) => verdict <= Verdict::Tag,
            Self::Parted => false,
        }
    }
}

impl<'a> Trial<'a> {
    /// Decides, and asks outside what has to be asked.
    pub(super) async fn hold(
        policy: &Policy,
        question: &'a Question,
        (outside, keys): (&dyn Outside, Option<&ScanKeys>),
    ) -> Self {
        let session = question.session();
        let mut sharing = Sharing::default();
        let mut recipients = Vec::new();
        for address in &question.recipients {
            let recipient = address.as_recipient();
            let mut answers = Answers::default();
            if let Some(questions) = policy::questions(policy, &session, &recipient, &answers) {
                ask_about(outside, policy, (&session, &recipient), questions, &mut answers).await;
            }
            let decision = policy::recipient(policy, &session, &recipient, &answers);
            let refused = decision.applied.refuses();
            let parted = (!refused && !sharing.takes(&decision, Steering::Message)).then(policy::parted);
            recipients.push(Tried { address: address.clone(), decision, parted });
        }
        let accepted: Vec<&Decision> =
            recipients.iter().filter(|tried| tried.is_accepted()).map(|tried| &tried.decision).collect();
        let message = if accepted.is_empty() {
            None
        } else {
            Some(Message::decide(policy, question, &accepted, (outside, keys)).await)
        };
        Self { question, recipients, message }
    }

    /// Each recipient, and what becomes of the message for it.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (&Tried, Outcome<'_>)> {
        self.recipients.iter().map(|tried| (tried, self.outcome(tried)))
    }

    /// Whether the message is delivered to all.
    pub(super) fn passes(&self) -> bool {
        self.outcomes().all(|(_, outcome)| outcome.fate.passes())
    }

    /// What the checks found that decided about a recipient: its own, and those of the headers if it was accepted.
    pub(super) fn findings<'b>(&'b self, tried: &'b Tried) -> impl Iterator<Item = &'b Finding> {
        let message = self.message.as_ref().filter(|_| tried.is_accepted());
        let by_headers = message.and_then(|message| message.decision.as_ref());
        tried.decision.findings.iter().chain(by_headers.into_iter().flat_map(|decision| &decision.findings))
    }

    fn outcome<'b>(&'b self, tried: &'b Tried) -> Outcome<'b> {
        let own = &tried.decision;
        if let Some(reply) = &tried.parted {
            let Decision { verdict, reason, .. } = *own;
            return Outcome { fate: Fate::Parted, verdict, reason, reply: Some(reply) };
        }
        let by_headers = self.message.as_ref().and_then(|message| message.decision.as_ref());
        let decided_by = match by_headers {
            Some(decision) if tried.is_accepted() && outweighs(decision, own) => decision,
            Some(_) | None => own,
        };
        Outcome {
            fate: Fate::Applied(decided_by.applied),
            verdict: decided_by.verdict,
            reason: decided_by.reason,
            reply: decided_by.reply.as_ref(),
        }
    }
}

/// Whether what the headers say is stronger for this recipient. What is done to a message is done to all of them;
/// what would be done concerns those whose domain looks at headers.
fn outweighs(by_headers: &Decision, own: &Decision) -> bool {
    let looks = own.domain.as_ref().is_some_and(|domain| domain.mode > Mode::Inactive);
    by_headers.applied > own.applied
        || (looks && by_headers.applied == own.applied && by_headers.verdict > own.verdict)
}

impl Tried {
    fn is_accepted(&self) -> bool {
        self.parted.is_none() && !self.decision.applied.refuses()
    }
}

impl Message {
    async fn decide(
        policy: &Policy,
        question: &Question,
        accepted: &[&Decision],
        (outside, keys): (&dyn Outside, Option<&ScanKeys>),
    ) -> Self {
        let mut headers = HeaderFacts::default();
        if policy.needs_headers() {
            for line in &question.content.headers {
                headers.note(&line.name, &line.value, policy.watch());
            }
        }
        let mut answers = match policy::behind(policy, accepted, &headers) {
            Some(questions) => ask_apart(outside, &questions).await,
            None => Answers::default(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        answers.tokens = Tokens::read(accepted, &headers, keys, now);
        let decision = policy::headers(policy, accepted, &headers, &answers);
        let end = match policy::ending(policy, accepted.iter().copied(), decision.as_ref()) {
            Ending::Refused(_) => End::Refused,
            Ending::Discarded => End::Discarded,
            Ending::Passed(marks) => End::passed(&marks, &headers, policy, accepted),
        };
        Self { headers, decision, end }
    }
}

impl End {
    fn passed(
        marks: &Marks<'_, Decision>,
        headers: &HeaderFacts,
        policy: &Policy,
        accepted: &[&Decision],
    ) -> Self {
        let mut removed = headers.removals(marks.remove_forged, &marks.remove);
        removed.sort_by(|a, b| (&a.name, b.index).cmp(&(&b.name, a.index)));
        let mut added = Vec::new();
        if marks.loop_token {
            let id = &policy.loops().id;
            added.push((
                LOOP_HEADER,
                marks.note.map_or_else(|| id.to_string(), |note| format!("{id}; {note}")),
            ));
        }
        if marks.away {
            // Every one has its own, and this one would not be known.
            added.extend(
                policy::to_sign(accepted)
                    .keys()
                    .map(|domain| (SCAN_HEADER, format!("k=...; d={domain}; ..."))),
            );
            let server = accepted.iter().find_map(|decision| policy.servers().find(decision.scanner()?));
            added.extend(server.map(|server| (VIA_HEADER, via(server))));
        }
        added.extend(marks.tags.iter().map(|reason| (TAG_HEADER, reason.to_string())));
        Self::Passed { removed, added, held: marks.hold.is_some() }
    }
}
