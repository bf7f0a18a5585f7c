// SPDX-License-Identifier: GPL-3.0-or-later
//! Live names by a clock that the test moves: how long answers are kept, and what is unknown.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use postern::gateways::spf::Live;
use postern::policy::{Answer, LiveName};
use tokio::time::{Instant, advance};

use crate::memory::{Host, Memory};

fn text(name: &str, record: &str) -> (String, Host) {
    (name.to_owned(), Host { texts: vec![record.to_owned()], ..Host::default() })
}

fn memory() -> Arc<Memory> {
    let listed = Host { ipv4: vec!["127.0.0.2".parse().unwrap()], ..Host::default() };
    Arc::new(Memory::new([
        text("spf.test", "v=spf1 exists:%{i}.list.test -all"),
        text("void.test", "v=spf1 exists:%{i}.list.test a:a.test mx:b.test a:c.test -all"),
        text("exists.test", "v=spf1 exists:%{i}.a.test exists:%{i}.b.test exists:%{i}.c.test -all"),
        text("everyone.test", "v=spf1 exists:%{i}.list.test include:all.test -all"),
        text("all.test", "v=spf1 +all"),
        text("family.test", "v=spf1 exists:%{i}.list.test ip4:192.0.2.0/0 -all"),
        text("prefix.test", "v=spf1 exists:%{i}.list.test ip4:192.0.2.0/7 -all"),
        text("own.test", "v=spf1 include:%{o}.test -all"),
        text("own.example.test", "v=spf1 ip4:192.0.2.0/24 -all"),
        text("postern.invalid.test", "v=spf1 ip4:192.0.2.0/24 -all"),
        text("sender.test", "v=spf1 exists:%{o}.list.test -all"),
        text("family-live.test", "v=spf1 include:%{v}.test -all"),
        text("in-addr.test", "v=spf1 +all"),
        text("client.test", "v=spf1 include:%{i}.own.test ?all"),
        text("192.0.2.1.own.test", "v=spf1 redirect=all.test"),
        text("192.0.2.2.own.test", "v=spf1 ip4:192.0.2.0/4"),
        text("192.0.2.3.own.test", "v=spf1 -all"),
        ("192.0.2.1.list.test".to_owned(), listed.clone()),
        ("own.example.list.test".to_owned(), listed),
    ]))
}

fn live(dns: &Arc<Memory>) -> Live<Memory> {
    Live::new(Arc::clone(dns), "own.example")
}

async fn ask(live: &Live<Memory>, name: &str, client: &str) -> Answer {
    live.passes(&LiveName::new(name), client.parse::<IpAddr>().unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_from_a_minute_to_an_hour() {
    for (ttl, kept) in [(1, 60), (600, 600), (86_400, 3600)] {
        let dns = memory();
        *dns.ttl.lock().unwrap() = Duration::from_secs(ttl);
        let live = live(&dns);
        assert_eq!(ask(&live, "spf.test", "192.0.2.1").await, Answer::Yes);
        let asked = dns.asked();
        dns.names.lock().unwrap().remove("192.0.2.1.list.test");
        advance(Duration::from_secs(kept - 1)).await;
        assert_eq!(ask(&live, "spf.test", "192.0.2.1").await, Answer::Yes, "TTL {ttl}");
        assert_eq!(dns.asked(), asked, "TTL {ttl}");
        advance(Duration::from_secs(2)).await;
        assert_eq!(ask(&live, "spf.test", "192.0.2.1").await, Answer::No, "TTL {ttl}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_is_kept_for_a_moment() {
    let dns = memory();
    let live = live(&dns);
    dns.broken.store(true, Ordering::Relaxed);
    assert_eq!(ask(&live, "spf.test", "192.0.2.1").await, Answer::Unknown);
    dns.broken.store(false, Ordering::Relaxed);
    assert_eq!(ask(&live, "spf.test", "192.0.2.1").await, Answer::Unknown);
    advance(Duration::from_secs(6)).await;
    assert_eq!(ask(&live, "spf.test", "192.0.2.1").await, Answer::Yes);
}

#[tokio::test(start_paused = true)]
async fn the_same_question_is_asked_once_and_in_time() {
    let dns = memory();
    let live = live(&dns);
    *dns.delay.lock().unwrap() = Duration::from_secs(1);
    let answers = join_all((0..100).map(|_| ask(&live, "spf.test", "192.0.2.1"))).await;
    assert_eq!(answers, [Answer::Yes; 100]);
    assert_eq!(dns.asked(), 2);

    *dns.delay.lock().unwrap() = Duration::from_secs(60);
    let start = Instant::now();
    let answers = join_all((0..100).map(|_| ask(&live, "spf.test", "192.0.2.2"))).await;
    assert_eq!(answers, [Answer::Unknown; 100]);
    assert!(start.elapsed() <= Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(dns.asked(), 3);
}

/// An asker who goes away does not take the answer with it.
#[tokio::test(start_paused = true)]
async fn whoever_is_left_asks_again() {
    let dns = memory();
    let live = live(&dns);
    *dns.delay.lock().unwrap() = Duration::from_secs(1);
    let impatient = tokio::time::timeout(Duration::from_millis(10), ask(&live, "spf.test", "192.0.2.1"));
    let (gone, answer) = tokio::join!(impatient, ask(&live, "spf.test", "192.0.2.1"));
    assert!(gone.is_err());
    assert_eq!(answer, Answer::Yes);
}

#[tokio::test]
async fn what_is_wrong_is_unknown() {
    let dns = memory();
    let live = live(&dns);
    for (name, client, want) in [
        // Three look-ups that find nothing, unless that is what they are for.
        ("void.test", "192.0.2.1", Answer::Yes),
        ("void.test", "192.0.2.2", Answer::Unknown),
        ("exists.test", "192.0.2.2", Answer::No),
        // What the record of everyone passes is too wide, unless it is the client's own.
        ("everyone.test", "192.0.2.1", Answer::Yes),
        ("everyone.test", "192.0.2.2", Answer::Unknown),
        ("sender.test", "192.0.2.1", Answer::Unknown),
        ("family-live.test", "192.0.2.1", Answer::Unknown),
        ("client.test", "192.0.2.1", Answer::Yes),
        ("client.test", "192.0.2.2", Answer::Yes),
        ("client.test", "192.0.2.3", Answer::No),
        ("%{d}.test", "192.0.2.1", Answer::Yes),
        ("%{d}.test", "198.51.100.1", Answer::No),
        ("family.test", "192.0.2.1", Answer::Unknown),
        ("prefix.test", "192.0.2.1", Answer::Yes),
        ("prefix.test", "192.0.2.2", Answer::Unknown),
        ("prefix.test", "9.0.0.1", Answer::No),
        // No record for this client, and no name at all.
        ("%{i}.list.test", "192.0.2.1", Answer::Unknown),
        ("nowhere.test", "192.0.2.1", Answer::Unknown),
        ("not a name", "192.0.2.1", Answer::Unknown),
        ("a.test -all", "192.0.2.1", Answer::Unknown),
    ] {
        assert_eq!(ask(&live, name, client).await, want, "{name} {client}");
    }
    for own in ["", "localhost", "192.0.2.1"] {
        let live = Live::new(Arc::clone(&dns), own);
        assert_eq!(ask(&live, "own.test", "192.0.2.1").await, Answer::Yes, "{own:?} is no domain");
    }
}
