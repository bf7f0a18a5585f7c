// SPDX-License-Identifier: GPL-3.0-or-later
//! What one request is answered. No I/O.
//!
//! RCPT decides. At DATA and END-OF-MESSAGE a message is passed over of which a recipient was decided about; else its only
//! recipient is decided about now, and of several, which Postfix does not name there, it is unclear who they are. At all
//! other commands there is nothing to decide; certificates are heard at each. What was asked before is answered as
//! before, without deciding, counting or recording it again.
//!
//! Beside a milter (`alone = false`) refusals are given here, and the rest is left to the milter, which takes over the ruling from
//! the gate; a recipient of which Postfix tells too little is left to it altogether, because it hears what Postfix made of
//! the address.

use super::answer::Action;
use super::request::{Request, State};
use super::transactions::{Admitted, Known, Name};
use super::{DECISION_LIMIT, Manner, Shared, facts};
use crate::gate::{Case, Event, Judge, Ruling, SessionId};
use crate::mail::{Recipient, Reply};
use crate::policy::{Policy, Reason, Replies, Verdict, parted, too_many};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::timeout;

/// Answers requests.
#[derive(Debug)]
pub struct Session<J> {
    judge: Arc<J>,
    manner: Manner,
    shared: Arc<Shared>,
    id: SessionId,
}

/// The message that a request is about.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    /// Its name; nothing where Postfix gives none.
    name: Option<Name<'a>>,
    /// The SMTP session's name in the log.
    id: SessionId,
    /// Whether a recipient of it was decided about before.
    is_new: bool,
}

impl<J: Judge> Session<J> {
    /// A connection of Postfix that begins now.
    pub fn new(judge: Arc<J>, manner: Manner, shared: Arc<Shared>) -> Self {
        Self { id: judge.session_id(), judge, manner, shared }
    }

    /// The connection's name in the log.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// What is answered to a request, within [`DECISION_LIMIT`].
    pub async fn answer(&self, request: &Request<'_>) -> Action {
        self.judge.count(Event::Asked);
        let policy = self.judge.policy();
        if policy.needs_fingerprints() {
            self.hear(request);
        }
        let state = request.state();
        match state {
            State::Data | State::EndOfMessage => self.shared.listeners.note(request),
            State::Rcpt | State::Other => {}
        }
        let recipient = match (state, request.recipient) {
            (State::Other, _) => return Action::Dunno,
            (State::Rcpt | State::Data | State::EndOfMessage, Some(address)) => facts::recipient(address),
            // Several, whom Postfix does not name.
            (State::Rcpt | State::Data | State::EndOfMessage, None) => Recipient::unclear(b""),
        };
        let name = request.instance.and_then(Name::of);
        let known = name.and_then(|name| self.shared.transactions.known(name, recipient.argument()));
        let known = known.unwrap_or_else(|| {
            let id = if name.is_some() { self.judge.session_id() } else { self.id };
            Known { id, recipients: 0, answer: None, discard: None }
        });
        let Known { id, recipients, answer, discard } = known;
        // Of a message that has come this far, whoever is in it was decided about at RCPT.
        if state != State::Rcpt && recipients > 0 {
            return discard.map_or(Action::Dunno, |(reason, reference)| Action::Discard(reason, reference));
        }
        if let Some(answer) = answer {
            return answer;
        }
        if !self.manner.alone && recipient.mailbox().is_none() {
            return Action::Dunno;
        }
        let asked = Asked { name, id, is_new: recipients == 0 };
        let action = self.decide(&policy, request, asked, &recipient).await;
        if let Some(name) = name {
            self.shared.transactions.note(name, id, recipient.argument(), action.clone());
        }
        action
    }

    /// Takes in what is told of the client's certificate, for the milter session of the same client.
    fn hear(&self, request: &Request<'_>) {
        match facts::fingerprints(request) {
            Ok(fingerprints) if !self.manner.alone => {
                let (address, port) = facts::client_port(request);
                self.judge.heard(address, port, fingerprints);
            }
            Ok(_) => {}
            Err(error) => {
                if !self.shared.told_of_digest.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        %error,
                        "the MTA tells fingerprints of certificates that can match none: set \
                         smtpd_tls_fingerprint_digest = sha256 in main.cf"
                    );
                }
            }
        }
    }

    async fn decide(
        &self,
        policy: &Arc<Policy>,
        request: &Request<'_>,
        asked: Asked<'_>,
        recipient: &Recipient,
    ) -> Action {
        let (session, message) = (facts::session(request), facts::message(request));
        let sees_headers = !self.manner.alone;
        let case = Case { id: asked.id, session: &session, message: &message, sees_headers };
        if asked.is_new {
            self.judge.arrived(policy, case);
        }
        let decision = self.judge.recipient(policy, case, recipient);
        let ruling = timeout(DECISION_LIMIT, decision).await.unwrap_or_else(|_| {
            self.judge.count(Event::Overdue);
            self.judge.overdue(policy, case, recipient)
        });
        if let Some(reply) = &ruling.decision.reply {
            return Action::Refuse(reply.clone(), ruling.reference);
        }
        if self.manner.alone {
            return self.carry_out(asked, request, recipient, &ruling);
        }
        self.judge.hand_over(policy, case, recipient, ruling);
        Action::Dunno
    }

    /// What is for the whole message is done as far as that hurts no other recipient of it.
    fn carry_out(
        &self,
        asked: Asked<'_>,
        request: &Request<'_>,
        recipient: &Recipient,
        ruling: &Ruling,
    ) -> Action {
        let Asked { name, id, is_new: _ } = asked;
        let state = request.state();
        let (reason, reference) = (ruling.decision.reason, ruling.reference);
        let applied = ruling.decision.applied;
        let for_all = matches!(applied, Verdict::Quarantine | Verdict::Discard);
        let too_early = state == State::Rcpt && !self.shared.listeners.ask_at_data(request);
        let admitted = match name {
            _ if applied == Verdict::Discard && too_early => return cannot_discard(ruling),
            Some(name) => self.shared.transactions.admit(name, id, ruling),
            // Who else is in the message cannot be told.
            None if for_all => return cannot_carry_out(ruling),
            None => Admitted::Yes { tagged: false },
        };
        let part = |reply: Reply| {
            self.judge.count(Event::Parted);
            tracing::info!(session = %id, %recipient, %reply, r#ref = %reference, "parted");
            Action::Refuse(reply, reference)
        };
        let tagged = match admitted {
            Admitted::Yes { tagged } => tagged,
            Admitted::Parted => return part(parted()),
            Admitted::TooMany => return part(too_many()),
        };
        match applied {
            Verdict::Accept => Action::Dunno,
            // After the content Postfix adds no line any more.
            Verdict::Tag if state == State::EndOfMessage => cannot_carry_out(ruling),
            Verdict::Tag if tagged => Action::Dunno,
            Verdict::Tag => Action::Tag(reason),
            Verdict::Quarantine => Action::Hold(reason, reference),
            Verdict::Discard if state == State::Rcpt => Action::Dunno,
            Verdict::Discard => Action::Discard(reason, reference),
            // These have a reply and were refused before.
            Verdict::Defer | Verdict::Reject => cannot_carry_out(ruling),
        }
    }
}

/// Told to discard at RCPT, Postfix would lose the mail of all recipients that follow.
fn cannot_discard(ruling: &Ruling) -> Action {
    tracing::warn!(
        r#ref = %ruling.reference,
        "nothing can be discarded before this listener of Postfix has asked at DATA: name the policy service in \
         smtpd_data_restrictions, too"
    );
    not_ready(ruling)
}

/// Postfix cannot do what the verdict takes. Passing the message would be wrong and refusing it for good too.
fn cannot_carry_out(ruling: &Ruling) -> Action {
    tracing::warn!(applied = %ruling.decision.applied, r#ref = %ruling.reference, "the MTA cannot carry out this verdict; deferred");
    not_ready(ruling)
}

fn not_ready(ruling: &Ruling) -> Action {
    let standard = Replies::default();
    let replies = ruling.decision.domain.as_ref().map_or(&standard, |domain| &domain.replies);
    let reply = replies.reply(Reason::NotReady, Verdict::Defer);
    Action::Refuse(reply.cloned().unwrap_or_else(parted), ruling.reference)
}
