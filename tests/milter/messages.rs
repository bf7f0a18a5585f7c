// SPDX-License-Identifier: GPL-3.0-or-later
//! Whole messages: what recipients are answered, and what the end of a message edits.

use crate::support::*;
use indymilter::MacroStage;
use postern::gate::{Event, Judge};
use postern::policy::{LoopRule, Mode, Reason, Verdict, Verdicts};

const LOOP: &str = "add X-Postern-Loop: mx.example";

#[tokio::test]
async fn recipients_and_the_end_of_their_message() {
    let door = Door::new(policy());
    for (client, rcpts, headers, want_rcpts, want_end) in [
        (GATEWAY, &["ann@a.example"][..], &[][..], &["continue"][..], &[LOOP, "continue"][..]),
        (GATEWAY, &["zoe@a.example", "Ann@A.EXAMPLE"], &[], &["550 5.1.1", "continue"], &[LOOP, "continue"]),
        (STRANGER, &["ann@a.example", "postmaster@a.example"], &[], &["550 5.7.1", "550 5.7.1"], &[]),
        (STRANGER, &["ann@elsewhere.example"], &[("X-Postern-Tag", "mine")], &["continue"], &["continue"]),
        (STRANGER, &["ann@off.example"], &[("X-Postern-Tag", "mine")], &["continue"], &["continue"]),
        (STRANGER, &["ann@m.example"], &[], &["continue"], &[LOOP, "continue"]),
        (
            STRANGER,
            &["ann@b.example", "bob@b.example"],
            &[],
            &["continue", "continue"],
            &[LOOP, "hold source-not-gateway", "continue"],
        ),
        // Held and not held cannot share; discarded goes with anyone, monitored is "not held".
        (
            STRANGER,
            &["ann@b.example", "ann@m.example"],
            &[],
            &["continue", "452 4.5.3"],
            &[LOOP, "hold source-not-gateway", "continue"],
        ),
        (STRANGER, &["ann@m.example", "ann@b.example"], &[], &["continue", "452 4.5.3"], &[LOOP, "continue"]),
        (
            STRANGER,
            &["ann@d.example", "ann@b.example", "ann@t.example"],
            &[],
            &["continue", "continue", "452 4.5.3"],
            &[LOOP, "delete <ann@d.example>", "hold source-not-gateway", "continue"],
        ),
        (STRANGER, &["ann@d.example", "bob@d.example"], &[], &["continue", "continue"], &["discard"]),
        (
            STRANGER,
            &["ann@d.example", "ann@elsewhere.example"],
            &[],
            &["continue", "continue"],
            &["delete <ann@d.example>", "continue"],
        ),
        (
            STRANGER,
            &["ann@t.example", "bob@t.example"],
            &[],
            &["continue", "continue"],
            &[LOOP, "add X-Postern-Tag: source-not-gateway", "continue"],
        ),
        (STRANGER, &["zoe@t.example"], &[], &["550 5.1.1"], &[]),
        // Forged lines go, the last of a name first; loop tokens, ours and foreign, stay.
        (
            GATEWAY,
            &["ann@a.example"],
            &[
                ("X-Postern-Tag", "a"),
                ("x-postern-tag", "b"),
                ("X-Postern-Loop", "other.example"),
                ("X-Postern-Loop", "mx.example"),
            ],
            &["continue"],
            &["remove X-Postern-Tag 2", "remove X-Postern-Tag 1", LOOP, "continue"],
        ),
        ("10.1.1.1", &["zoe@a.example"], &[("X-Postern-Tag", "a")], &["continue"], &[LOOP, "continue"]),
        (
            "10.1.1.1",
            &["zoe@a.example"],
            &[
                ("X-Postern-Loop", "MX.example; x"),
                ("X-Postern-Loop", "mx.EXAMPLE"),
                ("X-Postern-Loop", "mx.example"),
            ],
            &["continue"],
            &["554 5.4.6"],
        ),
    ] {
        let mut peer = door.mta().await;
        peer.greet(client).await;
        let (got_rcpts, got_end) = peer.message(rcpts, headers).await;
        assert_eq!(
            (
                got_rcpts.iter().map(String::as_str).collect::<Vec<_>>(),
                got_end.iter().map(String::as_str).collect::<Vec<_>>()
            ),
            (want_rcpts.to_vec(), want_end.to_vec()),
            "{client} {rcpts:?} {headers:?}"
        );
    }
}

#[tokio::test]
async fn hops_and_modes() {
    let domains = [
        ("a.example", Mode::Enforce, Verdicts::default()),
        ("s.example", Mode::Soft, Verdicts::default()),
        ("m.example", Mode::Monitor, Verdicts::default()),
    ];
    let door = Door::new(policy_of(&domains));
    let hops = vec![("Received", "from x"); 51];
    for (rcpts, want) in [
        (&["ann@a.example"][..], "554 5.4.6"),
        (&["ann@s.example"], "451 4.4.6"),
        (&["ann@m.example", "ann@s.example"], "451 4.4.6"),
        (&["ann@m.example"], LOOP),
    ] {
        let mut peer = door.mta().await;
        peer.greet(GATEWAY).await;
        let (_, end) = peer.message(rcpts, &hops).await;
        assert_eq!(end[0], want, "{rcpts:?}");
        let mut peer = door.mta().await;
        peer.greet(GATEWAY).await;
        let (_, end) = peer.message(rcpts, &hops[1..]).await;
        assert_eq!(end[0], LOOP, "{rcpts:?}");
    }
}

#[tokio::test]
async fn header_verdicts_of_every_kind() {
    for (verdict, want) in [
        (Verdict::Accept, &[LOOP, "continue"][..]),
        (Verdict::Tag, &[LOOP, "add X-Postern-Tag: loop-detected", "continue"]),
        (Verdict::Quarantine, &[LOOP, "hold loop-detected", "continue"]),
        (Verdict::Discard, &["discard"]),
        (Verdict::Defer, &["451 4.4.6"]),
        (Verdict::Reject, &["554 5.4.6"]),
    ] {
        let verdicts = Verdicts { loops: verdict, ..Verdicts::default() };
        let door = Door::new(policy_of(&[("a.example", Mode::Enforce, verdicts)]));
        let mut peer = door.mta().await;
        peer.greet(GATEWAY).await;
        let (_, end) = peer.message(&["ann@a.example"], &[("X-Postern-Loop", "mx.example"); 3]).await;
        assert_eq!(end, want, "{verdict}");
    }
}

#[tokio::test]
async fn several_messages_share_nothing_but_the_session() {
    let door = Door::new(policy());
    let mut peer = door.mta().await;
    peer.greet(GATEWAY).await;
    let loops = [("X-Postern-Loop", "mx.example"); 2];
    for _ in 0..3 {
        let (_, end) = peer.message(&["ann@a.example"], &loops).await;
        assert_eq!(end, [LOOP, "continue"]);
    }
    // What an aborted message had counted is gone, as is its claim to be held.
    peer.begin().await;
    peer.rcpt("ann@a.example").await;
    for (name, value) in loops {
        peer.mta.send(header(name, value)).await.unwrap();
    }
    for _ in 0..3 {
        peer.mta.send(indymilter::message::command::Command::Abort).await.unwrap();
    }
    let (_, end) = peer.message(&["ann@a.example"], &loops[1..]).await;
    assert_eq!(end, [LOOP, "continue"]);
    assert_eq!(door.judge.counters().of(Event::Message), 4);
}

#[tokio::test]
async fn a_session_keeps_the_policy_that_it_began_with() {
    let door = Door::new(policy());
    let mut old = door.mta().await;
    old.greet(STRANGER).await;
    door.judge.replace(policy_of(&[("a.example", Mode::Monitor, Verdicts::default())]));
    let mut new = door.mta().await;
    new.greet(STRANGER).await;
    for _ in 0..2 {
        assert_eq!(old.message(&["ann@a.example"], &[]).await.0, ["550 5.7.1"]);
        assert_eq!(new.message(&["ann@a.example"], &[]).await.0, ["continue"]);
    }
    assert_eq!(door.judge.counters().decisions(Reason::SourceNotGateway, Verdict::Reject), 2);
}

#[tokio::test]
async fn the_macro_decides_and_a_stale_one_does_not() {
    let door = Door::new(policy());
    let mut peer = door.mta().await;
    peer.greet(STRANGER).await;
    peer.begin().await;
    // Spelled so that a reader of the raw argument would take it for somebody else's.
    for argument in [
        "<ann%a.example>",
        "<a.example!ann>",
        "<\"ann@a.example\">",
        "<ann@ a.example>",
        "<ann@a.example(x)>",
        "<g:ann@a.example;>",
    ] {
        peer.mta.define(MacroStage::Rcpt, &[("{rcpt_addr}", "ann@a.example")]).await.unwrap();
        assert_eq!(shown(&peer.mta.send(rcpt(argument)).await.unwrap()), "550 5.7.1", "{argument}");
        // Without the macro nobody knows, and the one before must not be taken for it.
        assert_eq!(shown(&peer.mta.send(rcpt(argument)).await.unwrap()), "451 4.7.1", "{argument}");
    }
    assert_eq!(shown(&peer.mta.send(rcpt("<ann@elsewhere.example>")).await.unwrap()), "continue");
}

#[tokio::test]
async fn clients_without_an_address_are_not_ready() {
    use indymilter::message::command::{Command, ConnInfoPayload};
    let door = Door::new(policy());
    let mut peer = door.mta().await;
    peer.mta
        .send(Command::ConnInfo(ConnInfoPayload {
            hostname: string("localhost"),
            socket_info: indymilter::SocketInfo::Unknown,
        }))
        .await
        .unwrap();
    assert_eq!(peer.message(&["ann@a.example", "ann@m.example"], &[]).await.0, ["451 4.7.1", "continue"]);
}

#[tokio::test]
async fn whoever_has_logged_in_is_internal() {
    let door = Door::new(policy());
    for (method, login, want) in
        [("PLAIN", "ann", "continue"), ("ANONYMOUS", "anonymous", "550 5.7.1"), ("", "", "550 5.7.1")]
    {
        let mut peer = door.mta().await;
        peer.greet(STRANGER).await;
        peer.mta
            .define(MacroStage::Mail, &[("{auth_type}", method), ("{auth_authen}", login)])
            .await
            .unwrap();
        peer.mta.send(mail("<x@y.example>")).await.unwrap();
        assert_eq!(peer.rcpt("zoe@a.example").await, want, "{method}");
        // The next message of the session without logging in (after STARTTLS, say) is a stranger's.
        peer.begin().await;
        assert_eq!(peer.rcpt("zoe@a.example").await, "550 5.7.1", "{method}");
    }
}

#[tokio::test]
async fn round_trips_are_counted_on_the_wire() {
    for (loops, most) in [((3, 50), 3), ((0, 0), 3)] {
        let rule = LoopRule { id: "mx.example".into(), max_passes: loops.0, max_received: loops.1 };
        let door = Door::new(policy_with_loops(&[("a.example", Mode::Enforce, Verdicts::default())], rule));
        let mut peer = door.mta().await;
        peer.greet(GATEWAY).await;
        let headers = vec![("Subject", "x"); 12];
        let (rcpts, _) = peer.message(&["ann@a.example"], &headers).await;
        assert_eq!(rcpts, ["continue"]);
        peer.mta.send(indymilter::message::command::Command::Quit).await.unwrap();
        assert_eq!(peer.mta.answers(), most, "negotiation, recipient, end of message");
        peer.served.await.unwrap();
    }
}

#[tokio::test]
async fn hostile_text_never_breaks_an_answer() {
    let door = Door::new(policy());
    let mut peer = door.mta().await;
    peer.greet(STRANGER).await;
    for hostile in ["a\r\n250 ok", "100%s%n", "größe", "x\u{7f}\u{1b}[31m", "a b c"] {
        peer.mta.send(mail(&format!("<{hostile}>"))).await.unwrap();
        let address = format!("{hostile}@a.example");
        // `show` parses the reply, finds its reference, and the codec finds its one NUL.
        assert_eq!(peer.rcpt(&address).await, "550 5.7.1", "{hostile:?}");
    }
    assert!(door.judge.policy().domains().len() == 6);
}
