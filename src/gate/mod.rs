// SPDX-License-Identifier: GPL-3.0-or-later
//! The gate: holds the policy now in force, decides, records each verdict as one event, and counts.
//!
//! It knows no protocol. A door brings the facts of its session, and carries out the [`Ruling`] it is given. A
//! session keeps the policy that it began with; [`Gate::replace`] or [`Gate::renew`] is seen by sessions that begin later.

mod counters;
mod hidden;
mod learned;
mod outside;
mod recall;
mod record;
mod reference;
mod scan;
mod table;

pub use counters::{Counters, Event};
pub use hidden::Hidden;
pub use learned::{Learned, Noted};
pub use outside::{Asked, Nobody, Outside, ask_about, ask_apart};
pub use recall::Recalled;
pub use reference::{Reference, SessionId};
pub use table::{Outcome, Table};

use crate::mail::{CertificateFingerprints, Message, Recipient, ScanKeys, Session, SpentToken};
use crate::policy::{self, Answers, Decision, Policy, Verdict, Vouched};
use arc_swap::ArcSwap;
use learned::Learner;
use recall::Recall;
use reference::References;
use scan::Scan;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// The facts that a decision is about.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The session's name in the log.
    pub id: SessionId,
    /// The session's facts.
    pub session: &'a Session,
    /// The message's facts.
    pub message: &'a Message,
    /// Whether the message's headers will be known too, here or at another door.
    pub sees_headers: bool,
}

/// A decision on record.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// What was decided, and why.
    pub decision: Decision,
    /// Its name, for the reply and the log.
    pub reference: Reference,
}

impl AsRef<Decision> for Ruling {
    fn as_ref(&self) -> &Decision {
        &self.decision
    }
}

/// What a door asks. The gate is the one judge that serves; a test may stand another in its place.
pub trait Judge: Send + Sync + 'static {
    /// The policy for a session that begins now.
    fn policy(&self) -> Arc<Policy>;

    /// A name for a session that begins now.
    fn session_id(&self) -> SessionId;

    /// Takes in that a message has come, which has a recipient. To be called once for each, before it is decided about.
    fn arrived(&self, policy: &Policy, case: Case<'_>);

    /// Decides about one recipient. May wait for answers from outside; the door sets the deadline.
    fn recipient(
        &self,
        policy: &Policy,
        case: Case<'_>,
        recipient: &Recipient,
    ) -> impl Future<Output = Ruling> + Send;

    /// Decides about a message whose headers are known; nothing when no recipient's domain looks at headers. May wait for
    /// answers about who is behind a gateway; the door sets the deadline.
    fn headers(
        &self,
        policy: &Policy,
        case: Case<'_>,
        recipients: &[&Decision],
    ) -> impl Future<Output = Option<Ruling>> + Send;

    /// What is decided when [`Self::recipient`] did not come in time.
    fn overdue(&self, policy: &Policy, case: Case<'_>, recipient: &Recipient) -> Ruling;

    /// What is decided when [`Self::headers`] did not come in time.
    fn overdue_headers(&self, policy: &Policy, case: Case<'_>, recipients: &[&Decision]) -> Option<Ruling>;

    /// Signs the scan tokens that a message is sent to the scanner with, for those of its recipients whose mail is scanned;
    /// nothing where there are no keys, and then it cannot be sent. To be called when it is certain to go.
    fn sign(&self, recipients: &[&Decision]) -> Option<Vec<String>>;

    /// Remembers that scan tokens have been used. To be called when their message is accepted; false when it must not be,
    /// because one of them was used since it was looked at.
    fn spend(&self, tokens: &[SpentToken]) -> bool;

    /// Who a client with this address is, whatever its mail is for. `Patience::Waits` may wait for answers from outside, for
    /// seconds.
    fn vouched(
        &self,
        policy: &Policy,
        client: IpAddr,
        patience: Patience,
    ) -> impl Future<Output = Vouched> + Send;

    /// Keeps a ruling for the milter session of the same client, which will name the same recipient.
    fn hand_over(&self, policy: &Arc<Policy>, case: Case<'_>, recipient: &Recipient, ruling: Ruling);

    /// Takes in what another door tells of a client's certificate, by its address and port.
    fn heard(&self, address: Option<IpAddr>, port: Option<u16>, fingerprints: CertificateFingerprints);

    /// What another door has found out about a recipient and its client, in a session that began at `since`. A ruling that
    /// is given is on record, and not given again.
    fn recall(&self, policy: &Arc<Policy>, case: Case<'_>, recipient: &Recipient, since: Instant)
    -> Recalled;

    /// Counts something that happened.
    fn count(&self, event: Event);

    /// Counts a look-up in a table, and gives how many of these came to the same before.
    fn looked_up(&self, table: Table, outcome: Outcome) -> u64;
}

/// Whether whoever asks can wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Patience {
    /// For answers from the network.
    Waits,
    /// For nothing.
    None,
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    policy: ArcSwap<Policy>,
    outside: ArcSwap<Box<dyn Outside>>,
    references: References,
    counters: Counters,
    hidden: Hidden,
    learner: Learner,
    scan: Scan,
    recall: Recall,
}

impl Gate {
    /// A gate with its first policy.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy: ArcSwap::from_pointee(policy),
            outside: ArcSwap::from_pointee(Box::new(Nobody)),
            references: References::new(),
            counters: Counters::default(),
            hidden: Hidden::default(),
            learner: Learner::default(),
            scan: Scan::default(),
            recall: Recall::default(),
        }
    }

    /// Puts another policy in force for sessions that begin from now on.
    pub fn replace(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// Puts a policy in force that is made from the one that is: whoever keeps one part of it fresh changes that part, and
    /// takes back nothing of what another has changed meanwhile. `change` may be called more than once.
    pub fn renew(&self, change: impl Fn(&Policy) -> Policy) {
        self.policy.rcu(|policy| change(policy));
    }

    /// Puts questions to another outside from now on.
    pub fn ask(&self, outside: Box<dyn Outside>) {
        self.outside.store(Arc::new(outside));
    }

    /// What was counted since start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Addresses that many clients seem to hide behind.
    pub fn hidden(&self) -> Vec<IpAddr> {
        self.hidden.hidden()
    }

    /// The unknown recipients that were accepted, to be recorded, since they were last collected.
    pub fn learned(&self) -> Learned {
        self.learner.collect()
    }

    /// Signs and checks scan tokens with these keys from now on, or not at all.
    pub fn set_scan_keys(&self, keys: Option<ScanKeys>) {
        self.scan.set_keys(keys);
    }

    /// Uses of scan tokens that are remembered, if anything has changed since they were last collected.
    pub fn spent_tokens(&self) -> Option<Vec<SpentToken>> {
        self.scan.collect()
    }

    /// Says that what was collected could not be kept, so that it is collected again.
    pub fn spent_tokens_lost(&self) {
        self.scan.keep();
    }

    /// Remembers uses of scan tokens from before a restart.
    pub fn recall_spent_tokens(&self, tokens: &[SpentToken]) {
        self.scan.recall(tokens);
    }

    /// What the gate itself knows of a client, before anyone is asked.
    fn known(&self, client: Option<IpAddr>) -> Answers {
        let hidden = client.is_some_and(|address| self.hidden.hides(address));
        Answers { hidden, ..Answers::default() }
    }

    fn rule_headers(
        &self,
        policy: &Policy,
        case: Case<'_>,
        recipients: &[&Decision],
        mut answers: Answers,
    ) -> Option<Ruling> {
        if policy.scans() {
            answers.tokens = self.scan.read(recipients, &case.message.headers);
        }
        let decision = policy::headers(policy, recipients, &case.message.headers, &answers)?;
        // What the headers have ruled out came from nobody that may be learned from.
        if decision.verdict <= Verdict::Tag {
            let learned = |decision: &&Decision| policy::learned(decision, Some(&case.message.headers));
            recipients.iter().filter_map(learned).for_each(|learned| self.learner.note(learned));
        }
        let ruling = self.rule(decision);
        record::message(case, &ruling);
        Some(ruling)
    }

    fn rule(&self, decision: Decision) -> Ruling {
        self.counters.decided(decision.reason, decision.applied);
        Ruling { decision, reference: self.references.next() }
    }
}

impl Judge for Gate {
    fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    fn session_id(&self) -> SessionId {
        self.references.next_session()
    }

    fn arrived(&self, policy: &Policy, case: Case<'_>) {
        let Session { client, helo, .. } = case.session;
        let Some(address) = client.address else { return };
        // Whoever is internal, or has logged in, may write whatever names there are.
        if client.login.is_none() && policy.trusts_addresses() && !policy.is_internal(client) {
            self.hidden.note(address, helo.as_deref(), case.message.sender.as_ref());
        }
    }

    async fn recipient(&self, policy: &Policy, case: Case<'_>, recipient: &Recipient) -> Ruling {
        let mut answers = self.known(case.session.client.address);
        // Nearly every message asks nothing, and then nothing is loaded or waited for.
        if let Some(questions) = policy::questions(policy, case.session, recipient, &answers) {
            let outside = self.outside.load_full();
            ask_about(&**outside, policy, (case.session, recipient), questions, &mut answers).await;
        }
        let mut decision = policy::recipient(policy, case.session, recipient, &answers);
        if !case.sees_headers {
            decision = policy::without_headers(decision);
        }
        let ruling = self.rule(decision);
        if let Some(learned) = policy::learned(&ruling.decision, None) {
            self.learner.note(learned);
        }
        record::recipient(case, recipient, &ruling);
        ruling
    }

    async fn headers(&self, policy: &Policy, case: Case<'_>, recipients: &[&Decision]) -> Option<Ruling> {
        let answers = match policy::behind(policy, recipients, &case.message.headers) {
            Some(questions) => ask_apart(&**self.outside.load_full(), &questions).await,
            None => Answers::default(),
        };
        self.rule_headers(policy, case, recipients, answers)
    }

    fn overdue(&self, policy: &Policy, case: Case<'_>, recipient: &Recipient) -> Ruling {
        let ruling = self.rule(policy::overdue(policy, recipient));
        record::recipient(case, recipient, &ruling);
        ruling
    }

    /// Only an answer about who is behind a gateway can be late, and without it nothing else is unknown.
    fn overdue_headers(&self, policy: &Policy, case: Case<'_>, recipients: &[&Decision]) -> Option<Ruling> {
        self.rule_headers(policy, case, recipients, Answers::default())
    }

    fn sign(&self, recipients: &[&Decision]) -> Option<Vec<String>> {
        self.scan.sign(recipients)
    }

    fn spend(&self, tokens: &[SpentToken]) -> bool {
        self.scan.spend(tokens)
    }

    async fn vouched(&self, policy: &Policy, client: IpAddr, patience: Patience) -> Vouched {
        let mut answers = self.known(Some(client));
        let questions = match patience {
            Patience::Waits => policy::unvouched(policy, client, &answers),
            Patience::None => None,
        };
        if let Some(questions) = questions {
            answers.live = ask_apart(&**self.outside.load_full(), &questions).await.live;
        }
        policy::vouched(policy, client, &answers)
    }

    fn hand_over(&self, policy: &Arc<Policy>, case: Case<'_>, recipient: &Recipient, ruling: Ruling) {
        self.recall.keep(policy, case, recipient, ruling);
    }

    fn heard(&self, address: Option<IpAddr>, port: Option<u16>, fingerprints: CertificateFingerprints) {
        if let Some(place) = address.zip(port) {
            self.recall.hear(place, fingerprints);
        }
    }

    fn recall(
        &self,
        policy: &Arc<Policy>,
        case: Case<'_>,
        recipient: &Recipient,
        since: Instant,
    ) -> Recalled {
        self.recall.find(policy, case, recipient, since)
    }

    fn count(&self, event: Event) {
        self.counters.count(event);
    }

    fn looked_up(&self, table: Table, outcome: Outcome) -> u64 {
        self.counters.looked_up(table, outcome)
    }
}

#[cfg(test)]
mod tests;
