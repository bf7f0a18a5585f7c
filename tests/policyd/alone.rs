// SPDX-License-Identifier: GPL-3.0-or-later
//! Without a milter: every verdict is carried out here, as far as that hurts no other recipient of the message.

use crate::milter_support::{GATEWAY, STRANGER, policy, policy_of};
use crate::support::*;
use postern::gate::Event;
use postern::policy::{Mode, Verdicts};

#[tokio::test]
async fn each_verdict_has_its_action() {
    let door = Door::alone(policy());
    let mut smtpd = door.smtpd();
    for (number, (client, recipient, want)) in [
        (GATEWAY, "ann@a.example", "DUNNO"),
        (GATEWAY, "nobody@a.example", "550 5.1.1"),
        (GATEWAY, "ann+x@A.Example", "DUNNO"),
        (STRANGER, "ann@a.example", "550 5.7.1"),
        (STRANGER, "ann@b.example", "HOLD source-not-gateway"),
        (STRANGER, "ann@d.example", "451 4.7.1"),
        (STRANGER, "ann@t.example", "PREPEND X-Postern-Tag: source-not-gateway"),
        (STRANGER, "ann@m.example", "DUNNO"),
        (STRANGER, "ann@off.example", "DUNNO"),
        (STRANGER, "ann@elsewhere.example", "DUNNO"),
        (STRANGER, "ann@[192.0.2.7]", "DUNNO"),
        ("10.1.2.3", "nobody@a.example", "DUNNO"),
        ("unknown", "ann@a.example", "451 4.7.1"),
        ("2001:db8:1::7", "ann@a.example", "DUNNO"),
        ("::ffff:192.0.2.9", "ann@a.example", "DUNNO"),
        ("2001:db8:2::7", "ann@a.example", "550 5.7.1"),
        (GATEWAY, "ann%a.example", "451 4.7.1"),
        (GATEWAY, "a.example!ann", "451 4.7.1"),
        (GATEWAY, "ann@a", "451 4.7.1"),
        (GATEWAY, "ann", "451 4.7.1"),
        (GATEWAY, "ann%x@elsewhere.example", "451 4.7.1"),
        ("10.1.2.3", "ann@a", "DUNNO"),
        (GATEWAY, "a b@a.example", "550 5.1.1"),
    ]
    .into_iter()
    .enumerate()
    {
        let got = smtpd.rcpt(client, &format!("a.b.c.{number}"), recipient).await;
        assert_eq!(got, want, "{client} {recipient}");
    }
}

#[tokio::test]
async fn nobody_is_refused_where_all_are_monitored() {
    let door = Door::alone(policy_of(&[("m.example", Mode::Monitor, Verdicts::default())]));
    let mut smtpd = door.smtpd();
    for recipient in ["ann@m.example", "nobody@m.example", "ann%m.example", "ann@m", ""] {
        assert_eq!(smtpd.rcpt(STRANGER, "a.b.c.0", recipient).await, "DUNNO", "{recipient}");
    }
    assert_eq!(door.decisions(), 5, "all are on record");
}

#[tokio::test]
async fn who_has_logged_in_is_internal_and_anonymous_is_not() {
    let door = Door::alone(policy());
    let mut smtpd = door.smtpd();
    for (number, (method, name, want)) in [
        ("PLAIN", "joe", "DUNNO"),
        ("EXTERNAL", "", "DUNNO"),
        ("ANONYMOUS", "joe", "550 5.7.1"),
        ("", "", "550 5.7.1"),
    ]
    .into_iter()
    .enumerate()
    {
        let instance = format!("a.b.c.{number}");
        let asked = [
            ("client_address", STRANGER),
            ("instance", &instance),
            ("sasl_method", method),
            ("sasl_username", name),
        ];
        assert_eq!(smtpd.ask(&request(&asked)).await, want, "{method}");
    }
}

/// Postfix asks as often as the service stands in its lists, and the answer is the same, reference and all.
#[tokio::test]
async fn the_same_question_is_decided_once() {
    let door = Door::alone(policy());
    let (mut one, mut other) = (door.smtpd(), door.smtpd());
    let asked = rcpt(STRANGER, "a.b.c.0", "ann@a.example");
    let mut answers = Vec::new();
    for smtpd in [&mut one, &mut other] {
        for _ in 0..4 {
            smtpd.write(&asked).await;
            answers.push(smtpd.answer().await);
        }
    }
    assert!(answers[0].starts_with("550 5.7.1 ") && answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(door.decisions(), 1);
    // What is for the whole message is done once.
    for (recipient, first) in [
        ("ann@t.example", "PREPEND X-Postern-Tag: source-not-gateway"),
        ("bob@t.example", "DUNNO"),
        ("ann@b.example", "452 4.5.3"),
        ("ann@d.example", "451 4.7.1"),
    ] {
        let again = if first.starts_with("45") { first } else { "DUNNO" };
        assert_eq!(one.rcpt(STRANGER, "a.b.c.1", recipient).await, first, "{recipient}");
        assert_eq!(one.rcpt(STRANGER, "a.b.c.1", recipient).await, again, "{recipient}");
        assert_eq!(other.rcpt(STRANGER, "a.b.c.1", recipient).await, again, "{recipient}");
    }
    assert_eq!((door.decisions(), door.count(Event::Parted)), (5, 1));
    assert_eq!(
        one.rcpt(STRANGER, "a.b.c.2", "ann@t.example").await,
        "PREPEND X-Postern-Tag: source-not-gateway"
    );
}

#[tokio::test]
async fn recipients_of_other_fates_are_parted() {
    let door = Door::alone(policy());
    let mut smtpd = door.smtpd();
    smtpd.ask(&request(&[("protocol_state", "DATA")])).await;
    const HOLD: &str = "HOLD source-not-gateway";
    const DISCARD: &str = "DUNNO";
    const TAG: &str = "PREPEND X-Postern-Tag: source-not-gateway";
    for (number, message) in [
        &[
            ("ann@b.example", HOLD),
            ("bob@b.example", HOLD),
            ("ann@t.example", "452 4.5.3"),
            ("ann@m.example", "452 4.5.3"),
        ][..],
        &[
            ("ann@m.example", "DUNNO"),
            ("ann@b.example", "452 4.5.3"),
            ("ann@t.example", TAG),
            ("ann@d.example", "452 4.5.3"),
        ],
        &[
            ("ann@d.example", DISCARD),
            ("ann@b.example", "452 4.5.3"),
            ("bob@d.example", DISCARD),
            ("ann@elsewhere.example", "452 4.5.3"),
        ],
        &[("ann@a.example", "550 5.7.1"), ("ann@b.example", HOLD), ("ann@a.example", "550 5.7.1")],
    ]
    .into_iter()
    .enumerate()
    {
        for (recipient, want) in message {
            let got = smtpd.rcpt(STRANGER, &format!("a.b.c.{number}"), recipient).await;
            assert_eq!(got, *want, "{number} {recipient}");
        }
    }
}

/// Told so at RCPT, Postfix would ask about no further recipient.
#[tokio::test]
async fn discarding_waits_until_all_recipients_are_known() {
    let door = Door::alone(policy());
    let mut smtpd = door.smtpd();
    assert_eq!(
        smtpd.rcpt(STRANGER, "a.b.c.0", "ann@d.example").await,
        "451 4.7.1",
        "it may never be asked at DATA"
    );
    let ask = |state: &str, instance: &str, recipient: &str| {
        let asked = [("protocol_state", state), ("instance", instance), ("client_address", STRANGER)];
        request(&[&asked[..], &[("recipient", recipient)]].concat())
    };
    assert_eq!(smtpd.ask(&ask("DATA", "x.y.z.0", "")).await, "451 4.7.1");
    for recipients in [&["ann@d.example"][..], &["ann@d.example", "bob@d.example"]] {
        let instance = format!("a.b.c.{}", recipients.len());
        for recipient in recipients {
            assert_eq!(smtpd.rcpt(STRANGER, &instance, recipient).await, "DUNNO");
            assert_eq!(smtpd.rcpt(STRANGER, &instance, recipient).await, "DUNNO");
        }
        for state in ["DATA", "END-OF-MESSAGE"] {
            let alone = if recipients.len() == 1 { "ann@d.example" } else { "" };
            assert_eq!(
                smtpd.ask(&ask(state, &instance, alone)).await,
                "DISCARD source-not-gateway",
                "{state}"
            );
        }
    }
    assert_eq!(smtpd.rcpt(STRANGER, "a.b.c.9", "ann@m.example").await, "DUNNO");
    assert_eq!(smtpd.ask(&ask("DATA", "a.b.c.9", "ann@m.example")).await, "DUNNO", "the message after it");
    // Another listener has not asked at DATA yet.
    let elsewhere = [("server_port", "587"), ("client_address", STRANGER), ("recipient", "ann@d.example")];
    assert_eq!(smtpd.ask(&request(&elsewhere)).await, "451 4.7.1");
}

#[tokio::test]
async fn commands_other_than_rcpt() {
    let door = Door::alone(policy());
    let mut smtpd = door.smtpd();
    let mut ask = async |state: &str, instance: &str, recipient: &str, client: &str| {
        let asked = [
            ("protocol_state", state),
            ("instance", instance),
            ("recipient", recipient),
            ("client_address", client),
        ];
        smtpd.ask(&request(&asked)).await
    };
    for state in ["CONNECT", "HELO", "EHLO", "MAIL", "VRFY", "ETRN", "AUTH"] {
        assert_eq!(ask(state, "", "ann@a.example", STRANGER).await, "DUNNO", "{state}");
    }
    assert_eq!(door.decisions(), 0);
    for (number, state) in ["DATA", "END-OF-MESSAGE"].into_iter().enumerate() {
        let instance = |n: usize| format!("a.{number}.c.{n}");
        // One recipient, not decided about yet.
        assert_eq!(ask(state, &instance(0), "ann@a.example", STRANGER).await, "550 5.7.1", "{state}");
        assert_eq!(ask(state, &instance(1), "ann@b.example", STRANGER).await, "HOLD source-not-gateway");
        assert_eq!(ask(state, &instance(2), "ann@d.example", STRANGER).await, "DISCARD source-not-gateway");
        let tagged = if state == "DATA" { "PREPEND X-Postern-Tag: source-not-gateway" } else { "451 4.7.1" };
        assert_eq!(ask(state, &instance(3), "ann@t.example", STRANGER).await, tagged, "{state}");
        // Several, and nothing is known of them.
        assert_eq!(ask(state, &instance(4), "", GATEWAY).await, "451 4.7.1", "{state}");
        assert_eq!(ask(state, &instance(5), "", "10.0.0.1").await, "DUNNO", "{state}");
        // All were decided about.
        assert_eq!(ask("RCPT", &instance(6), "ann@a.example", GATEWAY).await, "DUNNO");
        let before = door.decisions();
        for recipient in ["ann@a.example", ""] {
            assert_eq!(ask(state, &instance(6), recipient, GATEWAY).await, "DUNNO", "{state}");
        }
        assert_eq!(door.decisions(), before);
    }
}

/// Postfix of old had no `instance`: each request stands for itself.
#[tokio::test]
async fn a_message_without_a_name() {
    let door = Door::alone(policy());
    let mut smtpd = door.smtpd();
    for (recipient, want) in [
        ("ann@a.example", "550 5.7.1"),
        ("ann@a.example", "550 5.7.1"),
        ("ann@m.example", "DUNNO"),
        // Who else is in the message cannot be told.
        ("ann@b.example", "451 4.7.1"),
        ("ann@d.example", "451 4.7.1"),
    ] {
        assert_eq!(smtpd.rcpt(STRANGER, "", recipient).await, want, "{recipient}");
    }
    assert_eq!(door.decisions(), 5);
}
