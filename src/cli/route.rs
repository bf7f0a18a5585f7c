// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern route`: which server the mail of a recipient goes to, by which rule, and what every rule says of it.
//!
//! Whether a host takes connections now, only a running server knows; the order is that of the configuration.

use super::arguments::RouteOptions;
use super::output::{self, Mood, Page};
use super::question::Address;
use super::{FAILED, assemble};
use crate::mail::{Escaped, HopHost, NextHop};
use crate::policy::{self, Answer, Check, Decision, Explained, Policy, Routed, Server, TlsWish};
use serde::Serialize;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Where texts begin.
const COLUMN: usize = 13;

/// Where one recipient's mail goes.
#[derive(Serialize)]
struct RouteJson<'a> {
    address: &'a str,
    /// The pattern that its domain is listed under; nothing where it is not listed.
    domain: Option<String>,
    mode: Option<&'static str>,
    /// `yes`, `no` or `unknown`; nothing where nobody is asked.
    exists: Option<&'static str>,
    /// Why, in words.
    exists_rule: Option<String>,
    rules: Vec<RuleJson>,
    /// `server`, `pass`, `nowhere` or `unknown`; nothing where the domain is not listed.
    outcome: Option<&'static str>,
    /// The rule that decides, if one does.
    route: Option<String>,
    server: Option<ServerJson>,
    /// The server that its mail is scanned by before, if it is.
    scanner: Option<String>,
    /// What becomes of it, before the domain's mode and after, and why.
    verdict: Option<&'static str>,
    applied: Option<&'static str>,
    reason: Option<&'static str>,
    reply: Option<String>,
}

#[derive(Serialize)]
struct RuleJson {
    route: String,
    answer: &'static str,
    why: String,
    server: Option<String>,
}

#[derive(Serialize)]
struct ServerJson {
    name: String,
    hosts: Vec<String>,
    postfix: String,
    /// `may`, `encrypt`, `dane` or `verify`.
    tls: &'static str,
    /// The names of which the certificate has to have one.
    certificate: Vec<String>,
}

/// What is known of one recipient.
struct Found<'a> {
    address: &'a Address,
    /// Nothing where its domain is not listed.
    listed: Option<Listed<'a>>,
    /// Whether it is clear where it would be delivered.
    is_clear: bool,
}

struct Listed<'a> {
    policy: &'a Policy,
    decision: Decision,
    routed: Routed,
    rules: Vec<Explained>,
}

/// Says where mail goes: 1 when not all of it is taken and goes somewhere.
pub(super) fn route(path: &Path, options: &RouteOptions) -> io::Result<ExitCode> {
    let RouteOptions { addresses, json } = options;
    let assembled = assemble::assemble(path);
    let Some((_, policy)) = assembled.outcome else {
        super::print_errors(assembled.problems);
        return Ok(ExitCode::from(FAILED));
    };
    let found: Vec<Found<'_>> = addresses.iter().map(|address| Found::of(&policy, address)).collect();
    if *json {
        output::print_json(&found.iter().map(Found::to_json).collect::<Vec<_>>())?;
    } else {
        let mut page = Page::new(output::colour(&io::stdout()));
        for found in &found {
            page.gap();
            found.show(&mut page);
        }
        output::print(&page.into_text())?;
    }
    Ok(ExitCode::from(u8::from(!found.iter().all(Found::goes_somewhere))))
}

impl<'a> Found<'a> {
    fn of(policy: &'a Policy, address: &'a Address) -> Self {
        let recipient = address.as_recipient();
        let listed = || {
            Some(Listed {
                policy,
                decision: policy::destination(policy, &recipient)?,
                routed: policy::route(policy, &recipient)?,
                rules: policy::explain_route(policy, &recipient)?,
            })
        };
        Self { address, listed: listed(), is_clear: recipient.mailbox().is_some() }
    }

    fn goes_somewhere(&self) -> bool {
        let Some(Listed { decision, routed, .. }) = &self.listed else { return false };
        match routed {
            Routed::To { .. } | Routed::Pass => !decision.verdict.refuses(),
            Routed::Nowhere | Routed::Unknown { .. } => false,
        }
    }

    fn show(&self, page: &mut Page) {
        let mood = if self.goes_somewhere() { Mood::Good } else { Mood::Bad };
        let address = Escaped(self.address.as_str().as_bytes()).to_string();
        match &self.listed {
            Some(listed) => {
                page.line(mood, &address);
                listed.show(page);
            }
            None => {
                page.line(Mood::Plain, &address);
                let why = if self.is_clear { "not listed" } else { "unclear where the MTA would deliver" };
                page.entry(2, "domain", COLUMN, why);
            }
        }
    }

    fn to_json(&self) -> RouteJson<'_> {
        let address = self.address.as_str();
        let Some(Listed { policy, decision, routed, rules }) = &self.listed else {
            return RouteJson {
                address,
                domain: None,
                mode: None,
                exists: None,
                exists_rule: None,
                rules: Vec::new(),
                outcome: None,
                route: None,
                server: None,
                scanner: None,
                verdict: None,
                applied: None,
                reason: None,
                reply: None,
            };
        };
        let exists = decision.findings.iter().find(|finding| finding.check == Check::Recipient);
        let name = |id| policy.servers().find(id).map(|server| server.name.to_string());
        let scan = decision.domain.as_ref().and_then(|domain| domain.scan.as_ref());
        let (outcome, route, server) = match routed {
            Routed::To { server, route } => ("server", route.as_ref(), policy.servers().find(*server)),
            Routed::Pass => ("pass", None, None),
            Routed::Nowhere => ("nowhere", None, None),
            Routed::Unknown { route, .. } => ("unknown", Some(route), None),
        };
        RouteJson {
            address,
            domain: decision.domain.as_ref().map(|domain| domain.pattern.to_string()),
            mode: Some(decision.mode.as_str()),
            exists: exists.map(|finding| finding.answer.as_str()),
            exists_rule: exists.map(|finding| finding.rule.to_string()),
            rules: rules
                .iter()
                .map(|Explained { route, to, answer, why }| RuleJson {
                    route: route.to_string(),
                    answer: answer.as_str(),
                    why: why.clone(),
                    server: name(*to),
                })
                .collect(),
            outcome: Some(outcome),
            route: route.map(ToString::to_string),
            server: server.map(|server| ServerJson::of(server)),
            scanner: scan.and_then(|scan| name(scan.via)),
            verdict: Some(decision.verdict.as_str()),
            applied: Some(decision.applied.as_str()),
            reason: Some(decision.reason.as_str()),
            reply: decision.reply.as_ref().map(ToString::to_string),
        }
    }
}

impl Listed<'_> {
    fn show(&self, page: &mut Page) {
        let Self { policy, decision, routed, rules } = self;
        if let Some(domain) = &decision.domain {
            page.entry(2, "domain", COLUMN, &format!("{}, mode {}", domain.pattern, domain.mode));
        }
        for finding in decision.findings.iter().filter(|finding| finding.check == Check::Recipient) {
            let text = format!("{}, {}", finding.answer.as_str(), finding.rule);
            page.entry_in(Mood::from(finding.answer), 2, "exists", COLUMN, &text);
        }
        for Explained { route, to: _, answer, why } in rules {
            let mood = match answer {
                Answer::Yes => Mood::Good,
                Answer::No => Mood::Plain,
                Answer::Unknown => Mood::Doubtful,
            };
            page.entry_in(mood, 2, "rule", COLUMN, &format!("{}: {}, {why}", shown(route), answer.as_str()));
        }
        match routed {
            Routed::To { server, route } => {
                let Some(server) = policy.servers().find(*server) else { return };
                let by = route
                    .as_ref()
                    .map_or("by `unrouted`".to_owned(), |route| format!("by rule {}", shown(route)));
                page.entry_in(
                    Mood::Good,
                    2,
                    "goes to",
                    COLUMN,
                    &format!("server {}, {by}", shown(&server.name)),
                );
                let hosts: Vec<String> = server.hosts.iter().map(in_words).collect();
                page.entry(2, "hosts", COLUMN, &hosts.join(", then "));
                page.entry(2, "postfix", COLUMN, &server.for_postfix());
                page.entry(2, "tls", COLUMN, &tls(&server.tls));
            }
            Routed::Pass => page.entry(2, "goes to", COLUMN, "wherever the MTA's own routes lead"),
            Routed::Nowhere => page.entry_in(Mood::Bad, 2, "goes to", COLUMN, "no server: no rule is for it"),
            Routed::Unknown { route, .. } => {
                let text = format!("nobody can tell, as long as rule {} has no answer", shown(route));
                page.entry_in(Mood::Doubtful, 2, "goes to", COLUMN, &text);
            }
        }
        let scan = decision.domain.as_ref().and_then(|domain| domain.scan.as_ref());
        if let Some(scanner) = scan.and_then(|scan| policy.servers().find(scan.via)) {
            let text = format!("by server {} before, unless it comes back from there", shown(&scanner.name));
            page.entry(2, "scanned", COLUMN, &text);
        }
        let Decision { verdict, applied, mode, reason, .. } = decision;
        let mut text = format!("{verdict}, {reason}");
        if applied != verdict {
            text = format!("{text} -> {applied}, by mode {mode}");
        }
        if let Some(reply) = &decision.reply {
            text = format!("{text}: {reply}");
        }
        page.entry_in(Mood::from(*verdict), 2, "decision", COLUMN, &text);
    }
}

fn shown(name: &str) -> String {
    Escaped(name.as_bytes()).to_string()
}

/// A next hop in words.
fn in_words(NextHop { host, port }: &NextHop) -> String {
    match host {
        HopHost::Name(name) => format!("host {name} port {port}"),
        HopHost::Address(address) => format!("host {address} port {port}"),
        HopHost::Mx(domain) => format!("the MX hosts of {domain} port {port}"),
    }
}

/// What a connection must be, in words.
fn tls(wish: &TlsWish) -> String {
    match wish {
        TlsWish::May => "encrypted where the server offers it".to_owned(),
        TlsWish::Encrypt => "encrypted, whoever the server is".to_owned(),
        TlsWish::Dane => "as the server's TLSA records say".to_owned(),
        TlsWish::Verify(names) => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            format!("encrypted, with a trusted certificate of {}", names.join(" or "))
        }
    }
}

impl ServerJson {
    fn of(server: &Server) -> Self {
        let (tls, certificate) = match &server.tls {
            TlsWish::May => ("may", &[][..]),
            TlsWish::Encrypt => ("encrypt", &[][..]),
            TlsWish::Dane => ("dane", &[][..]),
            TlsWish::Verify(names) => ("verify", &**names),
        };
        Self {
            name: server.name.to_string(),
            hosts: server.hosts.iter().map(ToString::to_string).collect(),
            postfix: server.for_postfix(),
            tls,
            certificate: certificate.iter().map(ToString::to_string).collect(),
        }
    }
}
