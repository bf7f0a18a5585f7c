// SPDX-License-Identifier: GPL-3.0-or-later
//! Packets in every order, and MTAs of every age: nothing is answered that is not waited for, nothing waited for is
//! left unanswered.

use crate::support::*;
use indymilter::message::command::{Command, UnknownPayload};
use indymilter::message::reply::ReplyKind;
use indymilter::message::{self, Message};
use postern::milter::Exchange;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::time::{Duration, timeout};

/// Where libmilter passes a packet over without an answer, the next one is answered as if it had not come.
#[tokio::test]
async fn packets_out_of_order() {
    let door = Door::new(policy());
    // An MTA that has no no-reply options waits for every answer that there is.
    let mut peer = door.mta_offering(offer(6, 0x1ff, 0)).await;
    for (command, answered) in
        [(Command::Abort, false), (rcpt("<ann@a.example>"), false), (end(), false), (connect(GATEWAY), false)]
    {
        let name = format!("{command:?}");
        if answered {
            assert!(peer.mta.send(command).await.unwrap().last().is_some(), "{name}");
        } else {
            let (stream, _served) = door.connect();
            let mut mta = postern::milter::Mta::open(stream, offer(6, 0x1ff, 0)).await.unwrap();
            if name.starts_with("ConnInfo") {
                mta.send(connect(GATEWAY)).await.unwrap();
            }
            let silent = timeout(Duration::from_millis(50), mta.send(command)).await;
            assert!(matches!(silent, Err(_) | Ok(Ok(Exchange::Unanswered))), "{name}");
        }
    }
    peer.greet(GATEWAY).await;
    assert_eq!(shown(&peer.mta.send(mail("<>")).await.unwrap()), "continue");
    // A second HELO, after STARTTLS say, ends the message; a second MAIL begins another.
    assert_eq!(shown(&peer.mta.send(helo()).await.unwrap()), "continue");
    assert_eq!(shown(&peer.mta.send(mail("<>")).await.unwrap()), "continue");
    assert_eq!(shown(&peer.mta.send(mail("<>")).await.unwrap()), "continue");
    assert_eq!(peer.rcpt("ann@a.example").await, "continue");
    assert_eq!(shown(&peer.mta.send(Command::Data).await.unwrap()), "continue");
    // Another milter refused DATA: the client may name more recipients.
    assert_eq!(peer.rcpt("bob@a.example").await, "continue");
    assert_eq!(shown(&peer.mta.send(Command::Data).await.unwrap()), "continue");
    // No headers, no end of headers, no body.
    assert_eq!(shown_all(&peer.mta.send(end()).await.unwrap()).last().unwrap(), "continue");
    assert_eq!(
        shown(&peer.mta.send(Command::Unknown(UnknownPayload { arg: string("FOO") })).await.unwrap()),
        "continue"
    );
    // K begins another SMTP session on this connection.
    peer.mta.send(Command::QuitNc).await.unwrap();
    peer.greet(STRANGER).await;
    assert_eq!(peer.message(&["ann@a.example"], &[]).await.0, ["550 5.7.1"]);
    peer.mta.send(Command::Quit).await.unwrap();
    peer.served.await.unwrap();
}

#[tokio::test]
async fn mtas_of_every_age_get_right_answers() {
    for (version, actions, options) in [
        (2, 0x1f, 0x7f),
        (2, 0x3f, 0),
        (3, 0x3f, 0x17f),
        (4, 0x3f, 0x37f),
        (6, 0x1ff, 0),
        (6, 0x1ff, 0x1f_ffff),
        (6, 0x1ff, 0x400),
        (7, 0xffff, 0x7fff_ffff),
        (6, 0xff, 0x1f_ffff),
    ] {
        let door = Door::new(policy());
        let mut peer = door.mta_offering(offer(version, actions, options)).await;
        assert!(peer.mta.version() <= version && peer.mta.version() <= 6);
        assert_eq!(peer.mta.actions().bits() & !actions, 0);
        assert_eq!(peer.mta.options().bits() & !options, 0);
        peer.greet(GATEWAY).await;
        for _ in 0..2 {
            let (rcpts, end) = peer
                .message(&["ann@a.example", "zoe@a.example"], &[("Subject", "x"), ("X-Postern-Tag", "x")])
                .await;
            assert_eq!(rcpts, ["continue", "550 5.1.1"], "{version} {actions:x} {options:x}");
            let mut want = vec!["remove X-Postern-Tag 1", "add X-Postern-Loop: mx.example", "continue"];
            if peer.mta.options().contains(indymilter::ProtoOpts::NO_HEADER) {
                want.remove(0);
            }
            assert_eq!(end, want, "{version} {actions:x} {options:x}");
        }
    }
}

/// What the MTA cannot carry out is never passed off as done.
#[tokio::test]
async fn edits_that_the_mta_does_not_offer() {
    let door = Door::new(policy());
    for (actions, rcpt, want, end) in [
        (0x1ff & !0x20, "ann@b.example", "451 4.7.1", &[][..]),
        (0x1ff & !0x8, "ann@d.example", "451 4.7.1", &[]),
        (0x1ff & !0x1, "ann@t.example", "continue", &["remove X-Postern-Tag 1", "continue"]),
        (0x1ff & !0x10, "ann@m.example", "continue", &["add X-Postern-Loop: mx.example", "continue"]),
    ] {
        let mut peer = door.mta_offering(offer(6, actions, 0x1f_ffff)).await;
        peer.greet(STRANGER).await;
        let (rcpts, got) = peer.message(&[rcpt], &[("X-Postern-Tag", "x")]).await;
        assert_eq!(
            (rcpts[0].as_str(), got.iter().map(String::as_str).collect::<Vec<_>>()),
            (want, end.to_vec()),
            "{actions:x} {rcpt}"
        );
    }
}

fn any_packet() -> impl Strategy<Value = Message> {
    let kinds = prop::sample::select(b"ABCDEHKLMNRTUO".to_vec());
    let strings = prop_oneof![
        Just(&b""[..]),
        Just(&b"<ann@a.example>\0"[..]),
        Just(&b"a\0b\0"[..]),
        Just(&b"x\x004\0\x19192.0.2.1\0"[..]),
        Just(&b"R{rcpt_addr}\0ann@b.example\0"[..]),
        Just(&b"X-Postern-Tag\0v\0"[..]),
        Just(&b"M{auth_type}\0PLAIN\0"[..]),
        Just(&b"no end"[..]),
        Just(&b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"[..]),
    ];
    (kinds, strings).prop_map(|(kind, payload)| Message::new(kind, payload.to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any packets in any order: the door answers what the protocol knows, each command at most once, or hangs up.
    #[test]
    fn any_packets_in_any_order(packets in prop::collection::vec(any_packet(), 0..40), options in any::<u32>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let door = Door::new(policy());
            let (mut stream, served) = door.connect();
            let mut octets = Vec::new();
            let negotiation = [&6u32.to_be_bytes()[..], &0x1ffu32.to_be_bytes(), &options.to_be_bytes()].concat();
            message::write(&mut octets, Message::new(b'O', negotiation)).await.unwrap();
            for packet in &packets {
                message::write(&mut octets, packet.clone()).await.unwrap();
            }
            message::write(&mut octets, Message::new(b'Q', "")).await.unwrap();
            // The door may have hung up already.
            let _ = stream.write_all(&octets).await;
            timeout(Duration::from_secs(20), served).await.expect("the session ends").expect("without a panic");
            let mut finals = 0;
            while let Ok(answer) = message::read(&mut stream).await {
                let kind = ReplyKind::try_from(answer.kind).expect("an answer of the protocol");
                match kind {
                    ReplyKind::OptNeg | ReplyKind::Continue | ReplyKind::Skip | ReplyKind::Discard => finals += 1,
                    ReplyKind::ReplyCode => {
                        finals += 1;
                        assert_eq!(answer.buffer.iter().position(|&b| b == 0), Some(answer.buffer.len() - 1));
                    }
                    ReplyKind::AddHeader | ReplyKind::ChangeHeader | ReplyKind::DeleteRcpt | ReplyKind::Quarantine => {}
                    // Accept would end filtering for the whole message, and the others are never meant.
                    other => panic!("{other:?}"),
                }
            }
            assert!(finals <= packets.len() + 1);
        });
    }
}
