// SPDX-License-Identifier: GPL-3.0-or-later
//! Peers and decisions that are slow, silent or gone; and stopping. Time is tokio's paused clock: it moves only when
//! everything waits for it.

use crate::milter_support::{GATEWAY, policy};
use crate::stand_in::{StandIn, Stuck};
use crate::support::*;
use postern::gate::Event;
use postern::policyd::{DECISION_LIMIT, FIRST_LIMIT, IDLE_LIMIT, Manner, REQUEST_LIMIT, WRITE_LIMIT};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, Instant, timeout};

async fn ends_after(served: tokio::task::JoinHandle<()>, limit: Duration) {
    let began = Instant::now();
    timeout(limit + Duration::from_secs(1), served).await.expect("disconnected in time").unwrap();
    assert!(began.elapsed() >= limit, "not before its time: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_nothing() {
    let door = Door::alone(policy());
    let (_stream, served) = door.connect();
    ends_after(served, FIRST_LIMIT).await;
    assert_eq!(door.count(Event::Broken), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends() {
    let door = Door::alone(policy());
    let (mut stream, served) = door.connect();
    stream.write_all(b"request=smtpd_access_policy\n").await.unwrap();
    ends_after(served, REQUEST_LIMIT).await;
    assert_eq!(door.count(Event::Broken), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_stays_far_longer_than_postfix_keeps_it() {
    let door = Door::alone(policy());
    let (mut stream, served) = door.connect();
    for n in 0..3 {
        stream.write_all(rcpt(GATEWAY, &format!("a.b.c.{n}"), "ann@a.example").as_bytes()).await.unwrap();
        let mut heard = [0; 14];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"action=DUNNO\n\n");
        tokio::time::sleep(Duration::from_secs(1000)).await;
    }
    // The last of the thousand seconds were idle already.
    ends_after(served, IDLE_LIMIT.saturating_sub(Duration::from_secs(1000))).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read() {
    let door = Door::alone(policy());
    let (stream, served) = door.connect();
    let (_read, mut write) = stream.into_split();
    let writer = tokio::spawn(async move {
        let request = rcpt("198.51.100.1", "a.b.c.0", "ann@a.example");
        while write.write_all(request.as_bytes()).await.is_ok() {}
    });
    timeout(WRITE_LIMIT * 3, served).await.expect("disconnected in time").unwrap();
    assert_eq!(door.count(Event::Broken), 1);
    writer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_stuck_decision_is_not_ready_well_before_postfix_gives_up() {
    let door = Door::of(Arc::new(StandIn::new(policy(), Stuck::Everywhere)), Manner { alone: true });
    let mut smtpd = door.smtpd();
    // In the recipient's own mode: monitored mail passes.
    for (rcpt, want) in
        [("ann@a.example", "451 4.7.1"), ("ann@m.example", "DUNNO"), ("ann@elsewhere.example", "DUNNO")]
    {
        let began = Instant::now();
        assert_eq!(smtpd.rcpt(GATEWAY, "a.b.c.0", rcpt).await, want, "{rcpt}");
        assert!(began.elapsed() >= DECISION_LIMIT && began.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(door.judge.gate.counters().of(Event::Overdue), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_idle_connections_and_answers_what_is_asked() {
    let door = Door::of(Arc::new(StandIn::new(policy(), Stuck::Everywhere)), Manner { alone: true });
    let mut asking = door.smtpd();
    let (mut idle, idle_served) = door.connect();
    idle.write_all(rcpt(GATEWAY, "x.y.z.0", "ann@m.example").as_bytes()).await.unwrap();
    idle.read_exact(&mut [0; 14]).await.unwrap();
    let (fresh, fresh_served) = door.connect();
    let (half, half_served) = door.connect();
    let (mut half_read, mut half_write) = half.into_split();
    half_write.write_all(b"request=smtpd_access_policy\n").await.unwrap();

    let asked = tokio::spawn(async move { asking.rcpt(GATEWAY, "a.b.c.0", "ann@a.example").await });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let stopped = tokio::spawn(door.into_drain().finish());
    idle_served.await.unwrap();
    fresh_served.await.unwrap();
    assert_eq!(asked.await.unwrap(), "451 4.7.1", "what is under way is answered");
    assert!(!stopped.is_finished());
    half_write.write_all(b"protocol_state=MAIL\n\n").await.unwrap();
    let mut heard = String::new();
    half_read.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "action=DUNNO\n\n");
    half_served.await.unwrap();
    timeout(Duration::from_secs(1), stopped).await.expect("all are gone").unwrap();
    drop(fresh);
}
