// SPDX-License-Identifier: GPL-3.0-or-later
//! Beside a milter: refusals are given here, and what was decided is not decided again there.

use crate::milter_support::{self, GATEWAY, Peer, STRANGER, mail, policy, rcpt as rcpt_command, shown};
use crate::support::*;
use indymilter::MacroStage;
use postern::gate::{Event, Gate};
use postern::policy::Policy;
use postern::policyd::Manner;
use std::sync::Arc;

/// Both doors of one gate.
struct Both {
    milter: milter_support::Door,
    policyd: Door,
}

impl Both {
    fn new(policy: Policy) -> Self {
        let milter = milter_support::Door::new(policy);
        let policyd = Door::of(Arc::clone(&milter.judge), Manner { alone: false });
        Self { milter, policyd }
    }

    /// Postfix: a milter session and a policy client.
    async fn session(&self, client: &str) -> (Peer, Smtpd) {
        let mut peer = self.milter.mta().await;
        peer.greet(client).await;
        (peer, self.policyd.smtpd())
    }

    fn gate(&self) -> &Gate {
        &self.milter.judge
    }
}

#[tokio::test]
async fn each_recipient_is_decided_about_once() {
    let both = Both::new(policy());
    for (number, (client, recipient, first, then)) in [
        (GATEWAY, "ann@a.example", "DUNNO", Some("continue")),
        (GATEWAY, "Ann+x@A.Example", "DUNNO", Some("continue")),
        (GATEWAY, "nobody@a.example", "550 5.1.1", None),
        (STRANGER, "ann@a.example", "550 5.7.1", None),
        (STRANGER, "ann@b.example", "DUNNO", Some("continue")),
        (STRANGER, "ann@d.example", "DUNNO", Some("continue")),
        (STRANGER, "ann@t.example", "DUNNO", Some("continue")),
        (STRANGER, "ann@m.example", "DUNNO", Some("continue")),
        (STRANGER, "ann@elsewhere.example", "DUNNO", Some("continue")),
        ("10.1.2.3", "ann@a.example", "DUNNO", Some("continue")),
        ("2001:db8:1::7", "ann@a.example", "DUNNO", Some("continue")),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut peer, mut smtpd) = both.session(client).await;
        peer.begin().await;
        let before = both.policyd.decisions();
        assert_eq!(smtpd.rcpt(client, &format!("a.b.{number}.0"), recipient).await, first, "{recipient}");
        if let Some(then) = then {
            peer.mta
                .define(MacroStage::Rcpt, &[("{rcpt_addr}", &recipient.to_ascii_lowercase())])
                .await
                .unwrap();
            let answer = peer.mta.send(rcpt_command(&format!("<{recipient}>"))).await.unwrap();
            assert_eq!(shown(&answer), then, "{recipient}");
        }
        assert_eq!(both.policyd.decisions(), before + 1, "{client} {recipient}");
    }
}

/// Tags, holding, discarding and parting are the milter's.
#[tokio::test]
async fn what_is_for_the_whole_message_is_left_to_the_milter() {
    let both = Both::new(policy());
    for (number, (recipients, answers, end)) in [
        (&["ann@b.example"][..], &["continue"][..], "hold source-not-gateway"),
        (&["ann@t.example"], &["continue"], "add X-Postern-Tag: source-not-gateway"),
        (&["ann@m.example", "ann@d.example"], &["continue", "continue"], "delete <ann@d.example>"),
        (&["ann@m.example", "ann@b.example"], &["continue", "452 4.5.3"], "add X-Postern-Loop: mx.example"),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut peer, mut smtpd) = both.session(STRANGER).await;
        peer.begin().await;
        for (recipient, answer) in recipients.iter().zip(answers) {
            let asked = smtpd.rcpt(STRANGER, &format!("a.b.{number}.0"), recipient).await;
            assert_eq!(asked, "DUNNO", "{recipient}");
            assert_eq!(peer.rcpt(recipient).await, *answer, "{recipient}");
        }
        let ended = peer.content(&[("Subject", "x")]).await;
        assert!(ended.iter().any(|edit| edit == end), "{recipients:?}: {ended:?}");
    }
    // Each recipient once, and each message's headers.
    assert_eq!(both.policyd.decisions(), 6 + 4);
    assert_eq!(both.policyd.count(Event::Parted), 1);
}

/// Postfix tells too little of these; the milter hears what it makes of them.
#[tokio::test]
async fn unclear_recipients_are_left_to_the_milter() {
    let both = Both::new(policy());
    let (mut peer, mut smtpd) = both.session(STRANGER).await;
    for (number, (told, argument, resolved, want)) in [
        ("ann%a.example", "<ann%a.example>", "ann@a.example", "550 5.7.1"),
        ("a.example!ann", "<a.example!ann>", "ann@a.example", "550 5.7.1"),
        ("ann@a", "<ann@a>", "ann@a.example", "550 5.7.1"),
        ("ann@m", "<ann@m>", "ann@m.example", "continue"),
        // Postfix tells the address behind a route, and not the route.
        ("ann@elsewhere.example", "<@a.example:ann@elsewhere.example>", "ann@elsewhere.example", "451 4.7.1"),
    ]
    .into_iter()
    .enumerate()
    {
        peer.begin().await;
        assert_eq!(smtpd.rcpt(STRANGER, &format!("a.b.c.{number}"), told).await, "DUNNO", "{told}");
        peer.mta.define(MacroStage::Rcpt, &[("{rcpt_addr}", resolved)]).await.unwrap();
        assert_eq!(shown(&peer.mta.send(rcpt_command(argument)).await.unwrap()), want, "{argument}");
    }
    // The last was decided about twice.
    assert_eq!(both.policyd.decisions(), 5 + 1);
}

/// A ruling is for one recipient of one message of one session, and for once.
#[tokio::test]
async fn a_ruling_for_another_is_not_taken() {
    let both = Both::new(policy());
    let counted = async |both: &Both, peer: &mut Peer, recipient: &str| {
        let before = both.policyd.decisions();
        peer.rcpt(recipient).await;
        both.policyd.decisions() - before
    };
    let (mut peer, mut smtpd) = both.session(GATEWAY).await;
    peer.begin().await;
    smtpd.rcpt(GATEWAY, "a.b.c.0", "ann@a.example").await;
    assert_eq!(counted(&both, &mut peer, "ann@a.example").await, 0);
    assert_eq!(counted(&both, &mut peer, "ann@a.example").await, 1, "once");
    smtpd.rcpt(GATEWAY, "a.b.c.0", "bob@a.example").await;
    assert_eq!(counted(&both, &mut peer, "ann@m.example").await, 1, "another recipient");
    assert_eq!(counted(&both, &mut peer, "bob@a.example").await, 0);

    let asked = [("client_port", "4712"), ("instance", "a.b.d.0")];
    smtpd.ask(&request(&asked)).await;
    assert_eq!(counted(&both, &mut peer, "ann@a.example").await, 1, "another port");
    smtpd.rcpt("192.0.2.10", "a.b.e.0", "ann@a.example").await;
    assert_eq!(counted(&both, &mut peer, "ann@a.example").await, 1, "another address");

    smtpd.rcpt(GATEWAY, "a.b.f.0", "ann@a.example").await;
    peer.mta.send(mail("<other@elsewhere.example>")).await.unwrap();
    assert_eq!(counted(&both, &mut peer, "ann@a.example").await, 1, "another sender");

    smtpd.rcpt(GATEWAY, "a.b.g.0", "ann@a.example").await;
    let (mut later, _) = both.session(GATEWAY).await;
    later.begin().await;
    assert_eq!(counted(&both, &mut later, "ann@a.example").await, 1, "an earlier session's");

    let (mut peer, mut smtpd) = both.session(GATEWAY).await;
    peer.begin().await;
    both.gate().replace(policy());
    smtpd.rcpt(GATEWAY, "a.b.h.0", "ann@a.example").await;
    assert_eq!(counted(&both, &mut peer, "ann@a.example").await, 1, "another policy");
}

/// The same messages with odd senders: both doors read them alike.
#[tokio::test]
async fn senders_are_the_same_at_both_doors() {
    let both = Both::new(policy());
    let (mut peer, mut smtpd) = both.session(GATEWAY).await;
    for (number, (told, argument)) in [
        ("", "<>"),
        ("s@x.example", "<s@x.example>"),
        ("S@X.Example", "<S@X.Example>"),
        ("s@x.example", "<@r:s@x.example>"),
        ("s@x.example", "<\"s\"@x.example>"),
        ("a b@x.example", "<\"a b\"@x.example>"),
        ("bob", "<bob>"),
        ("s%x.example", "<s%x.example>"),
    ]
    .into_iter()
    .enumerate()
    {
        peer.mta.send(mail(argument)).await.unwrap();
        let instance = format!("a.b.c.{number}");
        let asked = [("sender", told), ("instance", &instance)];
        assert_eq!(smtpd.ask(&request(&asked)).await, "DUNNO");
        let before = both.policyd.decisions();
        assert_eq!(peer.rcpt("ann@a.example").await, "continue");
        assert_eq!(both.policyd.decisions(), before, "{argument}");
    }
}
