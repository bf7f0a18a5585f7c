// SPDX-License-Identifier: GPL-3.0-or-later
//! The door on one end of a socket pair, and Postfix on the other.

use crate::milter_support::GATEWAY;
use postern::gate::{Event, Gate, Judge};
use postern::listen::{Drain, Draining, Peer};
use postern::policy::{Policy, Reason, Verdict};
use postern::policyd::{self, Manner, Shared};
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

/// A door for policy delegation.
pub(crate) struct Door<J = Gate> {
    pub(crate) judge: Arc<J>,
    pub(crate) drain: Drain,
    draining: Draining,
    shared: Arc<Shared>,
    manner: Manner,
}

impl Door {
    pub(crate) fn alone(policy: Policy) -> Self {
        Self::of(Arc::new(Gate::new(policy)), Manner { alone: true })
    }

    pub(crate) fn beside(policy: Policy) -> Self {
        Self::of(Arc::new(Gate::new(policy)), Manner { alone: false })
    }

    pub(crate) fn count(&self, event: Event) -> u64 {
        self.judge.counters().of(event)
    }

    /// How many decisions are on record.
    pub(crate) fn decisions(&self) -> u64 {
        let counters = self.judge.counters();
        let all = Reason::ALL.into_iter().flat_map(|reason| Verdict::ALL.map(|verdict| (reason, verdict)));
        all.map(|(reason, verdict)| counters.decisions(reason, verdict)).sum()
    }
}

impl<J: Judge> Door<J> {
    pub(crate) fn of(judge: Arc<J>, manner: Manner) -> Self {
        let (drain, draining) = Drain::new();
        Self { judge, drain, draining, shared: Arc::default(), manner }
    }

    /// One end of a connection that the door serves.
    pub(crate) fn connect(&self) -> (UnixStream, JoinHandle<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let judge = Arc::clone(&self.judge);
        let set = (self.manner, Arc::clone(&self.shared));
        (ours, tokio::spawn(policyd::serve(theirs, Peer::Unix, judge, set, self.draining.clone())))
    }

    pub(crate) fn smtpd(&self) -> Smtpd {
        Smtpd { stream: self.connect().0 }
    }

    /// Drops the door's own hold on draining, so that only connections are waited for.
    pub(crate) fn into_drain(self) -> Drain {
        self.drain
    }
}

/// One smtpd process of Postfix.
pub(crate) struct Smtpd {
    stream: UnixStream,
}

impl Smtpd {
    /// The action that a request is answered with; the reference is cut off.
    pub(crate) async fn ask(&mut self, request: &str) -> String {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        short(&self.answer().await)
    }

    /// The next answer, whole.
    pub(crate) async fn answer(&mut self) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(b"\n\n") {
            let octet = self.stream.read_u8().await.expect("an answer");
            heard.push(octet);
        }
        let text = String::from_utf8(heard).unwrap();
        text.strip_prefix("action=").expect("an action").trim_end().to_owned()
    }

    pub(crate) async fn rcpt(&mut self, client: &str, instance: &str, recipient: &str) -> String {
        self.ask(&rcpt(client, instance, recipient)).await
    }
}

/// Cuts the reference off, and the text of a refusal, which others look at.
pub(crate) fn short(action: &str) -> String {
    let Some((head, reference)) = action.rsplit_once(" (ref ") else { return action.to_owned() };
    assert_eq!(reference.len(), 13, "{action}");
    if head.starts_with(|c: char| c.is_ascii_digit()) {
        return head.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
    }
    head.to_owned()
}

/// A request with these attributes in the place of Postfix's own, in its order.
pub(crate) fn request(attributes: &[(&str, &str)]) -> String {
    let usual = [
        ("request", "smtpd_access_policy"),
        ("protocol_state", "RCPT"),
        ("protocol_name", "ESMTP"),
        ("client_address", GATEWAY),
        ("client_name", "unknown"),
        ("client_port", "4711"),
        ("reverse_client_name", "unknown"),
        ("server_address", "127.0.0.1"),
        ("server_port", "25"),
        ("helo_name", "client.example"),
        ("sender", "sender@elsewhere.example"),
        ("recipient", "ann@a.example"),
        ("recipient_count", "0"),
        ("queue_id", ""),
        ("instance", "359f.6b01d60d.ecd37.0"),
        ("size", "0"),
        ("etrn_domain", ""),
        ("stress", ""),
        ("sasl_method", ""),
        ("sasl_username", ""),
        ("sasl_sender", ""),
        ("ccert_subject", ""),
        ("ccert_issuer", ""),
        ("ccert_fingerprint", ""),
        ("ccert_pubkey_fingerprint", ""),
        ("encryption_protocol", ""),
        ("encryption_cipher", ""),
        ("encryption_keysize", "0"),
        ("policy_context", ""),
    ];
    let mut text = String::new();
    for (name, value) in usual {
        let given = attributes.iter().find(|(given, _)| *given == name);
        writeln!(text, "{name}={}", given.map_or(value, |(_, value)| value)).unwrap();
    }
    text.push('\n');
    text
}

pub(crate) fn rcpt(client: &str, instance: &str, recipient: &str) -> String {
    request(&[("client_address", client), ("instance", instance), ("recipient", recipient)])
}

impl Smtpd {
    pub(crate) async fn write(&mut self, octets: &str) {
        self.stream.write_all(octets.as_bytes()).await.unwrap();
    }
}
