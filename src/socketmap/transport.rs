// SPDX-License-Identifier: GPL-3.0-or-later
//! The tables `transport` (Postfix's `transport_maps`) and `mailertable` (Sendmail's): where mail goes.
//!
//! Where no rule is for a recipient, and its domain's mode and verdict refuse it, the value is an error that both MTAs give to
//! the client, and for which they bounce mail that is queued already: nobody would ever take it. Where that cannot be told
//! yet, mail waits, whatever the mode, because mail that was sent elsewhere cannot be called back.
//!
//! Hosts stand in the order in which they are to be tried. Sendmail has one port for each mailer, so of a server with
//! hosts on several ports it gets those that are on the port of the first.

use super::key::Key;
use super::{Answer, Found, Why};
use crate::mail::{NextHop, Recipient, Reply, ReplyClass};
use crate::policy::{self, DomainPolicy, Policy, Reason, Routed, Rule, Server, ServerId};
use std::sync::Arc;

/// The port that Sendmail's own mailers go to.
const SMTP: u16 = 25;

const NOT_READY: Answer = Answer::Temp("cannot tell yet where this mail goes");

/// As Postfix writes it (`transport(5)`): `smtp:[a.example], [b.example]:26`.
pub(super) fn find(policy: &Policy, key: &[u8]) -> Found {
    look_up(policy, key, Server::for_postfix, |reply| match reply.class() {
        // Postfix adds 550 and 450 itself.
        ReplyClass::Permanent => format!("error:{} {}", reply.enhanced(), reply.text()),
        ReplyClass::Transient => format!("retry:{} {}", reply.enhanced(), reply.text()),
    })
}

/// As Sendmail writes it: `esmtp:[a.example]:[b.example]`.
pub(super) fn find_mailer(policy: &Policy, key: &[u8]) -> Found {
    look_up(policy, key, for_sendmail, |reply| {
        format!("error:{}:{} {}", reply.enhanced(), reply.code(), reply.text())
    })
}

fn look_up(
    policy: &Policy,
    key: &[u8],
    write_server: fn(&Server) -> String,
    write_error: fn(&Reply) -> String,
) -> Found {
    match Key::parse(key) {
        Key::Mailbox(mailbox) => {
            let listed = mailbox.domain().and_then(|domain| policy.domains().find(domain)).cloned();
            let Some(domain) = listed else { return Found::new(Answer::NotFound, Why::Unlisted) };
            match policy::route(policy, &Recipient::at(mailbox)) {
                Some(routed) => answer(policy, &domain, routed, write_server, write_error),
                None => Found::new(Answer::NotFound, Why::Unlisted),
            }
        }
        Key::Domain(domain) => match policy.domains().find(&domain) {
            Some(own) => match policy::route_of_all(policy, own) {
                Some(routed) => to(policy, own, routed, write_server),
                None => Found::new(Answer::NotFound, Why::Mixed),
            },
            None => Found::new(Answer::NotFound, Why::Unlisted),
        },
        Key::Other => Found::new(Answer::NotFound, Why::NoSuchKey),
    }
}

fn answer(
    policy: &Policy,
    domain: &DomainPolicy,
    routed: Routed,
    write_server: fn(&Server) -> String,
    write_error: fn(&Reply) -> String,
) -> Found {
    match routed {
        Routed::To { server, route } => to(policy, domain, (server, route), write_server),
        Routed::Pass => Found::new(Answer::NotFound, Why::Route(Rule::NotRouted, domain.mode)),
        Routed::Nowhere => {
            let verdict = domain.mode.apply(domain.verdicts.route);
            let refusal = domain.replies.reply(Reason::NoRoute, verdict).map(write_error);
            let answer = refusal.map_or(Answer::NotFound, |refusal| Answer::Found(refusal.into()));
            Found::new(answer, Why::Route(Rule::NoRoute, domain.mode))
        }
        Routed::Unknown { route, directory, why } => {
            Found::new(NOT_READY, Why::Route(Rule::GroupUnknown { route, directory, why }, domain.mode))
        }
    }
}

fn to(
    policy: &Policy,
    domain: &DomainPolicy,
    (server, route): (ServerId, Option<Arc<str>>),
    write_server: fn(&Server) -> String,
) -> Found {
    // Nobody takes a place away; if somebody did, nothing would be known of the server.
    let Some(server) = policy.servers().find(server) else {
        return Found::new(NOT_READY, Why::NoServer);
    };
    let rule = Rule::Routed { server: Arc::clone(&server.name), route };
    Found::new(Answer::Found(write_server(server).into()), Why::Route(rule, domain.mode))
}

fn for_sendmail(server: &Server) -> String {
    let port = server.hosts.first().map_or(SMTP, |hop| hop.port);
    let hosts = server.hosts.iter().filter(|hop| hop.port == port).map(NextHop::for_sendmail);
    std::iter::once(mailer(port)).chain(hosts).collect::<Vec<_>>().join(":")
}

/// The Sendmail mailer that goes to a port: its own for 25, for any other one that has to be defined, `postern2525`.
pub fn mailer(port: u16) -> String {
    if port == SMTP { "esmtp".to_owned() } else { format!("postern{port}") }
}
