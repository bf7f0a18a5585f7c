// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections: many requests on one, and what ends one before its time.

use crate::support::{Caller, Door, netstring};
use crate::world;
use postern::gate::{Event, Gate, Outcome, Table};
use postern::policy::Policy;
use postern::socketmap::{IDLE_LIMIT, MAX_REQUEST, REQUEST_LIMIT, WRITE_LIMIT};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Duration, Instant, timeout};

fn door() -> Door {
    Door::new(Gate::new(world::policy()))
}

async fn ends_after(caller: Caller, limit: Duration) {
    let began = Instant::now();
    timeout(limit + Duration::from_secs(1), caller.served).await.expect("disconnected in time").unwrap();
    assert!(began.elapsed() >= limit, "not before its time: {:?}", began.elapsed());
}

#[tokio::test]
async fn several_tables_on_one_connection() {
    let door = door();
    let mut caller = door.connect();
    for (request, want) in [
        ("recipient ann@a.example", "OK exists"),
        ("recipient nobody@a.example", "NOTFOUND "),
        ("recipient ", "NOTFOUND "),
        ("transport *", "NOTFOUND "),
        ("domain a.example", "OK a.example"),
        ("recipient ann@late.example", "TEMP cannot tell yet whether this recipient exists"),
        ("aliases x", "PERM there is no table of this name"),
        ("", "PERM the request has no key"),
        ("access 192.0.2.9", "OK permit"),
    ] {
        assert_eq!(caller.ask(request).await.as_deref(), Some(want), "{request}");
    }
    let counters = door.gate.counters();
    assert_eq!(counters.lookups(Table::Recipient, Outcome::NotFound), 2);
    assert_eq!(counters.lookups(Table::Recipient, Outcome::Found), 1);
    assert_eq!(counters.lookups(Table::Recipient, Outcome::Temporary), 1);
    assert_eq!(counters.lookups(Table::Unknown, Outcome::Permanent), 2);
    // An MTA that has nothing more to ask hangs up.
    drop(caller.stream);
    caller.served.await.unwrap();
    assert_eq!((counters.of(Event::Broken), counters.of(Event::Garbage)), (0, 0));
}

#[tokio::test]
async fn requests_that_come_together_and_in_pieces() {
    let door = door();
    let requests = ["recipient ann@a.example", "domain b.example", "tls [ex1.corp.example]"];
    let want = ["OK exists", "NOTFOUND ", "OK verify match=.corp.example:mail.example.com"];
    let octets = requests.map(|request| netstring(request.as_bytes())).concat();
    for size in [1, 2, 7, octets.len()] {
        let mut caller = door.connect();
        for piece in octets.chunks(size) {
            caller.say(piece).await;
            tokio::task::yield_now().await;
        }
        for want in want {
            assert_eq!(caller.hear().await.as_deref(), Some(want), "{size}");
        }
    }
}

#[tokio::test]
async fn each_request_is_answered_by_the_policy_of_its_time() {
    let door = door();
    let mut caller = door.connect();
    assert_eq!(caller.ask("domain a.example").await.as_deref(), Some("OK a.example"));
    door.gate.replace(Policy::default());
    assert_eq!(caller.ask("domain a.example").await.as_deref(), Some("NOTFOUND "));
    assert_eq!(caller.ask("recipient ann@a.example").await.as_deref(), Some("NOTFOUND "));
}

#[tokio::test]
async fn garbage_is_disconnected_alone() {
    let door = door();
    let mut other = door.connect();
    let too_long = netstring(&vec![b'x'; MAX_REQUEST + 1]);
    let wrong_length = [&netstring(b"domain a.example")[..], b"5:domain a.example,"].concat();
    for (octets, answers) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], 0),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 0),
        (b"recipient ann@a.example\n", 0),
        (b":,", 0),
        (b"-1:,", 0),
        (b"016:domain a.example,", 0),
        (b"17:domain a.example,x", 0),
        (b"16:domain a.example;", 0),
        (b"99999999999999999999:", 0),
        (&too_long, 0),
        (&wrong_length, 1),
    ] {
        let before = door.gate.counters().of(Event::Garbage);
        let mut caller = door.connect();
        caller.say(octets).await;
        let mut heard = 0;
        while timeout(Duration::from_secs(20), caller.hear()).await.expect("disconnected").is_some() {
            heard += 1;
        }
        assert_eq!(heard, answers, "{octets:?}");
        caller.served.await.unwrap();
        assert_eq!(door.gate.counters().of(Event::Garbage), before + 1, "{octets:?}");
        assert_eq!(other.ask("domain a.example").await.as_deref(), Some("OK a.example"));
    }
}

#[tokio::test]
async fn a_peer_that_hangs_up_within_a_request() {
    let door = door();
    let octets = netstring(b"domain a.example");
    for cut in 1..octets.len() {
        let mut caller = door.connect();
        caller.say(&octets[..cut]).await;
        drop(caller.stream);
        timeout(Duration::from_secs(20), caller.served).await.expect("ends").expect("without a panic");
        assert_eq!(door.gate.counters().of(Event::Broken), u64::try_from(cut).unwrap());
    }
    assert_eq!(door.gate.counters().of(Event::Garbage), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends() {
    let door = door();
    for octets in [&b"1"[..], b"16:", b"16:domain a.exampl", b"16:domain a.example"] {
        let mut caller = door.connect();
        assert_eq!(caller.ask("domain a.example").await.as_deref(), Some("OK a.example"));
        caller.say(octets).await;
        ends_after(caller, REQUEST_LIMIT).await;
    }
    assert_eq!(door.gate.counters().of(Event::Broken), 4);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept() {
    let door = door();
    let mut caller = door.connect();
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(caller.ask("domain a.example").await.as_deref(), Some("OK a.example"));
    ends_after(caller, IDLE_LIMIT).await;
    assert_eq!(door.gate.counters().of(Event::Broken), 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read() {
    let door = door();
    let Caller { mut stream, served } = door.connect();
    let requests = netstring(b"domain a.example").repeat(100_000);
    let writer = tokio::spawn(async move {
        let _ = stream.write_all(&requests).await;
        std::future::pending::<()>().await;
    });
    timeout(WRITE_LIMIT * 3, served).await.expect("disconnected in time").unwrap();
    assert_eq!(door.gate.counters().of(Event::Broken), 1);
    writer.abort();
}

#[tokio::test]
async fn draining_ends_connections_between_requests() {
    let door = door();
    let mut idle = door.connect();
    assert_eq!(idle.ask("domain a.example").await.as_deref(), Some("OK a.example"));
    let mut within = door.connect();
    let octets = netstring(b"domain a.example");
    let (half, rest) = octets.split_at(7);
    within.say(half).await;
    // So that the door has seen it: it has read all that there is when it is asked for more.
    assert_eq!(idle.ask("domain b.example").await.as_deref(), Some("NOTFOUND "));
    let finished = tokio::spawn(door.finish());
    timeout(Duration::from_secs(20), idle.served).await.expect("ends").unwrap();
    within.say(rest).await;
    assert_eq!(within.hear().await.as_deref(), Some("OK a.example"));
    timeout(Duration::from_secs(20), finished).await.expect("drained").unwrap();
}
