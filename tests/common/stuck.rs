// SPDX-License-Identifier: GPL-3.0-or-later
//! A judge whose decisions never come, for what doors do then.

use postern::gate::{Case, Event, Gate, Judge, Outcome, Patience, Recalled, Ruling, SessionId, Table};
use postern::mail::{CertificateFingerprints, Recipient, SpentToken};
use postern::policy::{Decision, Policy, Vouched};
use std::net::IpAddr;
use std::sync::Arc;

/// A gate whose decisions by headers never come, nor those about recipients where it says so.
pub(crate) struct Stuck {
    pub(crate) gate: Gate,
    pub(crate) at_rcpt: bool,
}

impl Judge for Stuck {
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
        if self.at_rcpt {
            std::future::pending::<()>().await;
        }
        self.gate.recipient(policy, case, recipient).await
    }
    async fn headers(&self, _: &Policy, _: Case<'_>, _: &[&Decision]) -> Option<Ruling> {
        std::future::pending().await
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
