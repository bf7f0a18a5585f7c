// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways test NAME IP`: whether a client is the gateway, decided as a message from it would be, for a domain
//! that has no gateway but this one.

use super::Opened;
use crate::cli::output::{self, Mood, Page};
use crate::cli::question::ClientAddress;
use crate::cli::trial::FindingJson;
use crate::cli::{outside, trial};
use crate::gate::ask_about;
use crate::gateways::GatewayStatus;
use crate::mail::{Client, ClientCertificate, DomainPattern, DomainTable, Recipient, Session};
use crate::policy::{
    self, Answer, Answers, Check, Directories, DomainPolicy, Finding, Gateways, Internal, LoopRule, Mode,
    Policy, RecipientRules, Replies, Reputation, Source, Unlisted, Verdicts,
};
use serde::Serialize;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

/// Where texts begin, below those of the findings.
const COLUMN: usize = 20;

/// The recipient that is asked for; nobody has this domain (RFC 6761).
const RECIPIENT: &str = "postmaster@gateway.invalid";

/// Tests a client: 0 when it is the gateway, 1 when it is not or nobody can tell.
pub(super) async fn test(
    opened: &Opened,
    name: &str,
    (client, certificate): (ClientAddress, Option<String>),
    json: bool,
) -> io::Result<ExitCode> {
    let GatewayStatus { gateway, sources, networks: _ } = opened.find(name)?;
    let mut gateways = Gateways::default();
    let id = gateways.add(policy::Gateway::clone(&gateway));
    let policy = alone(gateways, Source::Gateways(vec![id]))?;
    let certificate = certificate.map(|name| ClientCertificate::Trusted(name.into())).unwrap_or_default();
    let client = Client { address: client.0, certificate, ..Client::default() };
    let session = Session { client, ..Session::default() };
    let recipient = Recipient::new(RECIPIENT.as_bytes(), Some(RECIPIENT.as_bytes()), None);
    let mut answers = Answers::default();
    if let Some(questions) = policy::questions(&policy, &session, &recipient, &answers) {
        let outside = outside::for_once(&opened.config, &policy).await;
        ask_about(&*outside, &policy, (&session, &recipient), questions, &mut answers).await;
    }
    let decision = policy::recipient(&policy, &session, &recipient, &answers);
    let found: Vec<&Finding> =
        decision.findings.iter().filter(|finding| finding.check == Check::Source).collect();
    let is_gateway = !found.is_empty() && found.iter().all(|finding| finding.answer == Answer::Yes);
    if json {
        let told = TestJson {
            gateway: name,
            is_gateway,
            awaits_header: is_gateway && gateway.require.needs_header(),
            findings: found.into_iter().map(FindingJson::new).collect(),
        };
        output::print_json(&told)?;
        return Ok(ExitCode::from(u8::from(!is_gateway)));
    }
    let mut page = Page::new(output::colour(&io::stdout()));
    trial::show_findings(found, 0, &mut page);
    if is_gateway && let Some(header) = gateway.header.as_ref().filter(|_| gateway.require.needs_header()) {
        page.entry(
            0,
            "header",
            COLUMN,
            &format!("{} comes with the message; see `postern try --header`", header.name),
        );
    }
    if !is_gateway && gateway.addresses.as_ref().is_some_and(|addresses| !addresses.complete) {
        for source in sources.iter().filter(|source| source.loaded.is_none()) {
            let why = source.trouble.as_ref().map_or("not asked yet", |trouble| &trouble.why);
            page.entry_in(Mood::Doubtful, 0, "never loaded", COLUMN, &format!("{}: {why}", source.name));
        }
    }
    output::print(&page.into_text())?;
    Ok(ExitCode::from(u8::from(!is_gateway)))
}

/// A test as JSON.
#[derive(Serialize)]
struct TestJson<'a> {
    gateway: &'a str,
    /// As far as that is known before the message has come.
    is_gateway: bool,
    /// Whether a header line is still to come with the message.
    awaits_header: bool,
    findings: Vec<FindingJson<'a>>,
}

/// A policy of one domain, in which nothing but the source is looked at.
fn alone(gateways: Gateways, source: Source) -> io::Result<Policy> {
    let pattern = DomainPattern::parse("gateway.invalid").map_err(io::Error::other)?;
    let domain = DomainPolicy {
        pattern: pattern.clone(),
        mode: Mode::Enforce,
        source,
        directories: Vec::new(),
        subaddress: Box::default(),
        recipients: RecipientRules::default(),
        unrouted: policy::Unrouted::Pass,
        scan: None,
        verdicts: Verdicts::default(),
        replies: Replies::default(),
    };
    let mut domains = DomainTable::default();
    domains.insert(pattern, Arc::new(domain));
    Ok(Policy::new(
        Internal::default(),
        Unlisted::default(),
        domains,
        gateways,
        Directories::default(),
        LoopRule::default(),
        Reputation::default(),
    ))
}
