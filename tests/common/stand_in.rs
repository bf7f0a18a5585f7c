// SPDX-License-Identifier: GPL-3.0-or-later
//! A judge in the gate's place: one that is stuck, or that can be looked into.

use postern::gate::{Case, Event, Gate, Judge, Outcome, Patience, Recalled, Ruling, SessionId, Table};
use postern::mail::{CertificateFingerprints, Recipient, SpentToken};
use postern::policy::{Decision, Policy, Vouched};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// Which of a gate's decisions never come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(dead_code, reason = "not every test needs all of them")]
pub(crate) enum Stuck {
    /// All of them come.
    Nowhere,
    /// Those by headers do not.
    AtHeaders,
    /// None comes.
    Everywhere,
}

/// A gate that can be stuck, and of which the last decision about a recipient can be looked at.
pub(crate) struct StandIn {
    pub(crate) gate: Gate,
    stuck: Stuck,
    last: Mutex<Option<Decision>>,
}

impl StandIn {
    pub(crate) fn new(policy: Policy, stuck: Stuck) -> Self {
        Self { gate: Gate::new(policy), stuck, last: Mutex::new(None) }
    }

    /// What was decided last; what is asked again is not decided again.
    #[allow(dead_code, reason = "not every test looks at it")]
    pub(crate) fn last(&self) -> Decision {
        self.last.lock().unwrap().clone().expect("a decision")
    }
}

impl Judge for StandIn {
    fn policy(&self) -> Arc<Policy> {
        self.gate.policy()
    }
    fn session_id(&self) -> SessionId {
        self.gate.session_id()
    }
    fn arrived(&self, policy: &Policy, case: Case<'_>) {
        self.gate.arrived(policy, case);
    }
    async fn recipient(&self, policy: &Policy, case: Case<'_>, recipient: &Recipient) -> Ruling {
        if self.stuck == Stuck::Everywhere {
            std::future::pending::<()>().await;
        }
        let ruling = self.gate.recipient(policy, case, recipient).await;
        *self.last.lock().unwrap() = Some(ruling.decision.clone());
        ruling
    }
    async fn headers(&self, policy: &Policy, case: Case<'_>, recipients: &[&Decision]) -> Option<Ruling> {
        if self.stuck != Stuck::Nowhere {
            std::future::pending::<()>().await;
        }
        self.gate.headers(policy, case, recipients).await
    }
    fn overdue(&self, policy: &Policy, case: Case<'_>, recipient: &Recipient) -> Ruling {
        self.gate.overdue(policy, case, recipient)
    }
    fn overdue_headers(&self, policy: &Policy, case: Case<'_>, recipients: &[&Decision]) -> Option<Ruling> {
        self.gate.overdue_headers(policy, case, recipients)
    }
    fn sign(&self, recipients: &[&Decision]) -> Option<Vec<String>> {
        self.gate.sign(recipients)
    }
    fn spend(&self, tokens: &[SpentToken]) -> bool {
        self.gate.spend(tokens)
    }
    async fn vouched(&self, policy: &Policy, client: IpAddr, patience: Patience) -> Vouched {
        self.gate.vouched(policy, client, patience).await
    }
    fn hand_over(&self, policy: &Arc<Policy>, case: Case<'_>, recipient: &Recipient, ruling: Ruling) {
        self.gate.hand_over(policy, case, recipient, ruling);
    }
    fn heard(&self, address: Option<IpAddr>, port: Option<u16>, fingerprints: CertificateFingerprints) {
        self.gate.heard(address, port, fingerprints);
    }
    fn recall(
        &self,
        policy: &Arc<Policy>,
        case: Case<'_>,
        recipient: &Recipient,
        since: std::time::Instant,
    ) -> Recalled {
        self.gate.recall(policy, case, recipient, since)
    }
    fn count(&self, event: Event) {
        self.gate.count(event);
    }
    fn looked_up(&self, table: Table, outcome: Outcome) -> u64 {
        self.gate.looked_up(table, outcome)
    }
}
