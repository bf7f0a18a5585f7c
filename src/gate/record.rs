// SPDX-License-Identifier: GPL-3.0-or-later
//! One event for each verdict, with the same fields in the same order. Everything that comes from outside is escaped.

use super::{Case, Ruling};
use crate::mail::{Escaped, Recipient};
use crate::policy::{Mode, Rule};
use tracing::field::{DisplayValue, display};

/// Where verdict events can be told from others.
const TARGET: &str = "postern::verdict";

pub(super) fn recipient(case: Case<'_>, recipient: &Recipient, ruling: &Ruling) {
    verdict("recipient", case, Some(recipient), ruling);
}

pub(super) fn message(case: Case<'_>, ruling: &Ruling) {
    verdict("message", case, None, ruling);
}

fn verdict(about: &'static str, case: Case<'_>, recipient: Option<&Recipient>, ruling: &Ruling) {
    let decision = &ruling.decision;
    if let Some(Rule::ScannerDown { server }) = decision.scan().map(|finding| &finding.rule)
        && decision.mode > Mode::Monitor
    {
        tracing::warn!(%server, r#ref = %ruling.reference, "the scanner is down; mail is delivered without having been scanned");
    }
    let client = &case.session.client;
    tracing::info!(
        target: TARGET,
        about,
        session = %case.id,
        queue_id = case.message.queue_id.as_ref().map(display),
        client = client.address.map(display),
        client_name = escaped(client.name.as_ref().map(|name| name.as_bytes())),
        certificate = escaped(client.certificate.trusted_name().map(str::as_bytes)),
        login = escaped(client.login.as_ref().map(|login| login.as_bytes())),
        helo = escaped(case.session.helo.as_deref()),
        sender = case.message.sender.as_ref().map(display),
        recipient = recipient.map(display),
        address = recipient.and_then(Recipient::mailbox).map(display),
        domain = decision.domain.as_ref().map(|domain| display(&domain.pattern)),
        gateway = decision.gateway(),
        rule = decision.deciding().map(|finding| display(&finding.rule)),
        scan = decision.scan().map(|finding| display(&finding.rule)),
        reason = decision.reason.as_str(),
        verdict = decision.verdict.as_str(),
        mode = decision.mode.as_str(),
        applied = decision.applied.as_str(),
        reply = decision.reply.as_ref().map(display),
        r#ref = %ruling.reference,
        "verdict"
    );
}

fn escaped(octets: Option<&[u8]>) -> Option<DisplayValue<Escaped<'_>>> {
    octets.map(|octets| display(Escaped(octets)))
}
