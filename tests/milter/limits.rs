// SPDX-License-Identifier: GPL-3.0-or-later
//! Peers and decisions that are slow, silent, hostile or gone; and stopping. Time is tokio's paused clock: it moves only
//! when everything waits for it.

use crate::stand_in::{StandIn, Stuck};
use crate::support::*;
use indymilter::MacroStage;
use indymilter::message::command::Command;
use postern::gate::{Counters, Event};
use postern::milter::{DECISION_LIMIT, FRAME_LIMIT, IDLE_LIMIT, NEGOTIATION_LIMIT, WRITE_LIMIT};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, Instant, timeout};

async fn ends_after(served: tokio::task::JoinHandle<()>, limit: Duration) {
    let began = Instant::now();
    timeout(limit + Duration::from_secs(1), served).await.expect("disconnected in time").unwrap();
    assert!(began.elapsed() >= limit, "not before its time: {:?}", began.elapsed());
}

fn count(counters: &Counters, event: Event) -> u64 {
    counters.of(event)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing() {
    let door = Door::new(policy());
    let (_stream, served) = door.connect();
    ends_after(served, NEGOTIATION_LIMIT).await;
    assert_eq!(count(door.judge.counters(), Event::Garbage), 1);
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_never_ends() {
    let door = Door::new(policy());
    for octets in [&b"\0"[..], b"\0\0\0\x0d", b"\0\0\0\x0dO\0\0\0\x06"] {
        let (mut stream, served) = door.connect();
        stream.write_all(octets).await.unwrap();
        ends_after(served, FRAME_LIMIT).await;
    }
    assert_eq!(count(door.judge.counters(), Event::Broken), 3);
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_and_one_that_is_only_slow() {
    let door = Door::new(policy());
    let mut peer = door.mta().await;
    peer.greet(GATEWAY).await;
    peer.begin().await;
    peer.rcpt("ann@a.example").await;
    // A client that takes an hour over its DATA is slow, not gone.
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(peer.content(&[]).await.last().unwrap(), "continue");
    ends_after(peer.served, IDLE_LIMIT).await;
}

#[tokio::test]
async fn garbage_is_disconnected_and_counted() {
    let door = Door::new(policy());
    let mut too_long = u32::MAX.to_be_bytes().to_vec();
    too_long.push(b'O');
    for octets in [
        &b"EHLO client.example\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        &too_long,
        b"\0\0\0\x01M",
        b"\0\0\0\x05O\0\0\0\x06",
        b"\0\0\0\x0dO\0\0\0\x01\0\0\0\0\0\0\0\0",
    ] {
        let before = count(door.judge.counters(), Event::Garbage);
        let (mut stream, served) = door.connect();
        stream.write_all(octets).await.unwrap();
        let mut rest = Vec::new();
        // Reading to the end shows that nothing was answered; a reset is as good.
        let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("disconnected");
        assert_eq!(rest, b"", "{octets:?}");
        served.await.unwrap();
        assert_eq!(count(door.judge.counters(), Event::Garbage), before + 1, "{octets:?}");
    }
}

#[tokio::test]
async fn a_peer_that_hangs_up_anywhere() {
    let door = Door::new(policy());
    for steps in 0..6 {
        let mut peer = door.mta().await;
        for step in 0..steps {
            match step {
                0 => peer.greet(GATEWAY).await,
                1 => peer.begin().await,
                2 => drop(peer.rcpt("ann@a.example").await),
                3 => drop(peer.mta.send(Command::Data).await.unwrap()),
                _ => drop(peer.mta.send(header("Subject", "x")).await.unwrap()),
            }
        }
        drop(peer.mta);
        timeout(Duration::from_secs(20), peer.served).await.expect("ends").expect("without a panic");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read() {
    let door = Door::new(policy());
    let (mut stream, served) = door.connect();
    let mut octets = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\0\0\0".to_vec();
    for _ in 0..200_000 {
        octets.extend_from_slice(b"\0\0\0\x03Hx\0");
    }
    // Every HELO is answered with five octets; nobody reads them, so one end or the other fills up.
    let writer = tokio::spawn(async move {
        let _ = stream.write_all(&octets).await;
        std::future::pending::<()>().await;
    });
    timeout(WRITE_LIMIT * 3, served).await.expect("disconnected in time").unwrap();
    assert_eq!(count(door.judge.counters(), Event::Broken), 1);
    writer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_stuck_decision_is_not_ready_well_before_the_mta_gives_up() {
    let door = Door::of(StandIn::new(policy(), Stuck::Everywhere));
    let mut peer = door.mta().await;
    peer.greet(GATEWAY).await;
    peer.begin().await;
    // In the recipient's own mode: monitored mail passes.
    for (rcpt, want) in
        [("ann@a.example", "451 4.7.1"), ("ann@m.example", "continue"), ("ann@elsewhere.example", "continue")]
    {
        let began = Instant::now();
        assert_eq!(peer.rcpt(rcpt).await, want, "{rcpt}");
        assert!(began.elapsed() >= DECISION_LIMIT && began.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(count(door.judge.gate.counters(), Event::Overdue), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_decision_by_headers_is_made_without_what_is_late() {
    let door = Door::of(StandIn::new(policy(), Stuck::AtHeaders));
    let mut peer = door.mta().await;
    peer.greet(GATEWAY).await;
    for (passes, want) in [(2, "continue"), (3, "554 5.4.6")] {
        peer.begin().await;
        assert_eq!(peer.rcpt("ann@a.example").await, "continue");
        let began = Instant::now();
        let headers = [("X-Postern-Loop", "mx.example"); 3];
        assert_eq!(peer.content(&headers[..passes]).await.last().unwrap(), want);
        assert!(began.elapsed() >= DECISION_LIMIT && began.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(count(door.judge.gate.counters(), Event::Overdue), 2);
}

#[tokio::test]
async fn stopping_lets_messages_under_way_finish() {
    let door = Door::new(policy());
    let mut under_way = door.mta().await;
    under_way.greet(GATEWAY).await;
    under_way.begin().await;
    under_way.rcpt("ann@a.example").await;
    let mut idle = door.mta().await;
    idle.greet(GATEWAY).await;
    let _ = idle.message(&["ann@a.example"], &[]).await;
    let stopping = tokio::spawn(door.into_drain().finish());
    // Idle sessions end at once; the other goes on to the end of its message, and no further.
    timeout(Duration::from_secs(20), idle.served).await.expect("ended").unwrap();
    assert!(!under_way.served.is_finished());
    assert_eq!(under_way.rcpt("bob@a.example").await, "continue");
    assert_eq!(under_way.content(&[]).await.last().unwrap(), "continue");
    timeout(Duration::from_secs(20), under_way.served).await.expect("ended").unwrap();
    timeout(Duration::from_secs(20), stopping).await.expect("drained").unwrap();
}

#[tokio::test]
async fn the_queue_id_may_come_late() {
    let door = Door::new(policy());
    let mut peer = door.mta().await;
    peer.greet(GATEWAY).await;
    peer.mta.send(mail("<>")).await.unwrap();
    assert_eq!(peer.rcpt("ann@a.example").await, "continue");
    peer.mta
        .define(MacroStage::Rcpt, &[("i", "A8DFB994020"), ("{rcpt_addr}", "bob@a.example")])
        .await
        .unwrap();
    assert_eq!(shown(&peer.mta.send(rcpt("<bob@a.example>")).await.unwrap()), "continue");
    assert_eq!(peer.content(&[]).await.last().unwrap(), "continue");
}
