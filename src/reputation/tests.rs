// SPDX-License-Identifier: GPL-3.0-or-later
//! Zones and names against answers that are made up, in time that passes as told.

use super::*;
use crate::config::DnsblZone;
use crate::dns::{DnsError, Records};
use crate::mail::Domain;
use std::collections::HashMap;
use std::net::Ipv6Addr;

const SECOND: Duration = Duration::from_secs(1);
const STRANGER: &str = "203.0.113.7";
const OTHER: &str = "203.0.113.8";

/// Answers of a name, and how often it was asked. What is not said does not exist.
#[derive(Default)]
struct Fake(Mutex<Says>);

#[derive(Default)]
struct Says {
    /// What a name, or a reverse name as the address itself, has, as text; nothing is a failure.
    answers: HashMap<String, Option<Vec<String>>>,
    asked: HashMap<String, u32>,
    ttl: Duration,
    /// How long each answer takes.
    takes: Duration,
    /// Whether every question fails.
    dead: bool,
}

impl Fake {
    fn says(&self) -> std::sync::MutexGuard<'_, Says> {
        self.0.lock().unwrap()
    }

    fn set(&self, name: &str, answers: &[&str]) {
        self.says().answers.insert(name.into(), Some(answers.iter().map(ToString::to_string).collect()));
    }

    fn fail(&self, name: &str) {
        self.says().answers.insert(name.into(), None);
    }

    fn asked(&self, name: &str) -> u32 {
        self.says().asked.get(name).copied().unwrap_or(0)
    }

    async fn answer<T: std::str::FromStr>(&self, name: &str) -> Result<Records<T>, DnsError> {
        let takes = {
            let mut says = self.says();
            *says.asked.entry(name.into()).or_default() += 1;
            says.takes
        };
        sleep(takes).await;
        let says = self.says();
        let found = if says.dead { Some(&None) } else { says.answers.get(name) };
        let records = |texts: &[String]| Records {
            found: texts.iter().filter_map(|text| text.parse().ok()).collect(),
            exists: !texts.is_empty(),
            ttl: says.ttl,
            validated: false,
        };
        match found {
            None => Ok(records(&[])),
            Some(Some(texts)) => Ok(records(texts)),
            Some(None) => Err(DnsError { name: name.into(), why: "SERVFAIL".into() }),
        }
    }
}

impl Dns for Fake {
    async fn texts(&self, name: &str) -> Result<Records<Vec<u8>>, DnsError> {
        unreachable!("TXT {name}")
    }

    async fn ipv4(&self, name: &str) -> Result<Records<Ipv4Addr>, DnsError> {
        self.answer(name).await
    }

    async fn ipv6(&self, name: &str) -> Result<Records<Ipv6Addr>, DnsError> {
        self.answer(name).await
    }

    async fn exchangers(&self, name: &str) -> Result<Records<String>, DnsError> {
        unreachable!("MX {name}")
    }

    async fn names(&self, address: IpAddr) -> Result<Records<String>, DnsError> {
        self.answer(&address.to_string()).await
    }
}

/// Zones that are in order, each with a weight of its place, and list [`STRANGER`].
fn scene(zones: &[&str]) -> (Arc<Fake>, Arc<Reputation<Fake>>) {
    let fake = Arc::new(Fake::default());
    fake.says().ttl = 300 * SECOND;
    for zone in zones {
        fake.set(&format!("2.0.0.127.{zone}"), &["127.0.0.2"]);
        fake.set(&format!("7.113.0.203.{zone}"), &["127.0.0.4"]);
    }
    let zones = (1..)
        .zip(zones)
        .map(|(weight, zone)| DnsblZone { zone: Domain::parse(zone).unwrap(), weight, place: None })
        .collect();
    let config = config::Reputation { zones, threshold: 1, ..config::Reputation::default() };
    (Arc::clone(&fake), Arc::new(Reputation::new(fake, &config)))
}

async fn listings(reputation: &Reputation<Fake>, client: &str) -> (Vec<String>, u32) {
    let listings = reputation.listings(client.parse().unwrap()).await;
    let listed = listings.listed.iter().map(|one| format!("{} {} {}", one.zone, one.weight, one.code));
    (listed.collect(), listings.unanswered)
}

fn state(reputation: &Reputation<Fake>) -> String {
    reputation.status()[0].state.to_string()
}

#[tokio::test(start_paused = true)]
async fn weights_and_codes() {
    let (fake, reputation) = scene(&["a.example", "b.example", "c.example"]);
    assert_eq!(listings(&reputation, STRANGER).await, (vec![], 6), "not tested yet");
    reputation.test().await;
    fake.set("7.113.0.203.b.example", &[]);
    let all = vec!["a.example 1 127.0.0.4".to_owned(), "c.example 3 127.0.0.4".to_owned()];
    assert_eq!(listings(&reputation, STRANGER).await, (all, 0));
    assert_eq!(listings(&reputation, OTHER).await, (vec![], 0));
    fake.fail("9.113.0.203.c.example");
    assert_eq!(listings(&reputation, "203.0.113.9").await, (vec![], 3), "one does not answer");
    for client in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1", "fe80::1"] {
        let asked = fake.says().asked.len();
        assert_eq!(listings(&reputation, client).await, (vec![], 0), "{client}");
        assert_eq!(fake.says().asked.len(), asked, "{client} is asked about");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_zone_in_order_is_used() {
    type Change = fn(&Fake);
    let cases: [(&str, Change, &str); 9] = [
        ("in order", |_| {}, "in use for IPv4"),
        (
            "IPv6, too",
            |fake| {
                fake.set(
                    "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.a.example",
                    &["127.0.0.2"],
                );
            },
            "in use",
        ),
        (
            "lists everybody",
            |fake| fake.set("1.0.0.127.a.example", &["127.0.0.2"]),
            "switched off: lists 127.0.0.1, which no zone in order does",
        ),
        (
            "lists nobody",
            |fake| fake.set("2.0.0.127.a.example", &[]),
            "switched off: does not list 127.0.0.2, which every zone in order does",
        ),
        (
            "refuses",
            |fake| fake.set("2.0.0.127.a.example", &["127.255.255.254"]),
            "switched off: refuses to answer us (127.255.255.254)",
        ),
        (
            "refuses in a way of its own",
            |fake| {
                fake.set("2.0.0.127.a.example", &["127.0.0.1"]);
                fake.set("1.0.0.127.a.example", &["127.0.0.1"]);
            },
            "switched off: refuses to answer us (127.0.0.1)",
        ),
        (
            "was sold",
            |fake| {
                fake.set("2.0.0.127.a.example", &["198.51.100.1"]);
                fake.set("1.0.0.127.a.example", &["198.51.100.1"]);
            },
            "switched off: answers 198.51.100.1, which no DNSBL does",
        ),
        ("fails", |fake| fake.says().dead = true, "switched off: does not answer: SERVFAIL"),
        (
            "is silent",
            |fake| fake.says().takes = 60 * SECOND,
            "switched off: does not answer: no answer in time",
        ),
    ];
    for (name, change, want) in cases {
        let (fake, reputation) = scene(&["a.example"]);
        change(&fake);
        let began = Instant::now();
        reputation.test().await;
        assert!(began.elapsed() <= QUESTION, "{name}");
        assert_eq!(state(&reputation), want, "{name}");
        let is_off = want.starts_with("switched off");
        fake.says().takes = Duration::ZERO;
        fake.says().dead = false;
        let (listed, unanswered) = listings(&reputation, STRANGER).await;
        assert_eq!((listed.is_empty(), unanswered), (is_off, 0), "{name}");
        let client6 = "2001:db8::7";
        let asked = fake.says().asked.len();
        assert_eq!(listings(&reputation, client6).await, (vec![], 0), "{name}: IPv6");
        assert_eq!(fake.says().asked.len() > asked, want == "in use", "{name}: IPv6 asked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_switches_a_zone_off_and_a_test_on_again() {
    for (code, want) in [
        ("127.255.255.254", "switched off: refuses to answer us (127.255.255.254)"),
        ("127.0.0.1", "switched off: refuses to answer us (127.0.0.1)"),
        ("192.0.2.1", "switched off: answers 192.0.2.1, which no DNSBL does"),
    ] {
        let (fake, reputation) = scene(&["a.example"]);
        let watching = tokio::spawn({
            let reputation = Arc::clone(&reputation);
            async move { reputation.watch().await }
        });
        sleep(SECOND).await;
        assert_eq!(state(&reputation), "in use for IPv4");
        fake.set("8.113.0.203.a.example", &[code]);
        assert_eq!(listings(&reputation, OTHER).await, (vec![], 0), "{code}: counts nothing");
        assert_eq!(state(&reputation), want);
        assert_eq!(listings(&reputation, STRANGER).await, (vec![], 0), "{code}: is not asked");
        sleep(RETEST.0 + SECOND).await;
        assert_eq!(state(&reputation), "in use for IPv4", "{code}");
        assert_eq!(listings(&reputation, STRANGER).await.0.len(), 1, "{code}");
        watching.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_borne_a_few_times() {
    let (fake, reputation) = scene(&["a.example"]);
    reputation.test().await;
    fake.says().dead = true;
    // Questions that are put at one time fail as one.
    let clients = (10..60).map(|n| IpAddr::from([203, 0, 113, n]));
    let told = join_all(clients.map(|client| reputation.listings(client))).await;
    assert!(told.iter().all(|listings| listings.unanswered == 1));
    for n in 1..5 {
        assert_eq!(state(&reputation), "in use for IPv4", "{n}");
        sleep(SECOND).await;
        listings(&reputation, &format!("203.0.113.{}", 100 + n)).await;
    }
    assert_eq!(state(&reputation), "switched off: does not answer: SERVFAIL");
    assert_eq!(listings(&reputation, OTHER).await, (vec![], 0));
    fake.says().dead = false;
    reputation.test().await;
    assert_eq!(listings(&reputation, STRANGER).await.0.len(), 1);
    // An answer in between, and the count begins anew.
    for n in 0..20 {
        fake.fail(&format!("{n}.113.0.203.a.example"));
        sleep(SECOND).await;
        listings(&reputation, &format!("203.0.113.{n}")).await;
        if n % 4 == 3 {
            listings(&reputation, &format!("203.0.113.{}", 200 + n)).await;
        }
    }
    assert_eq!(state(&reputation), "in use for IPv4");
}

#[tokio::test(start_paused = true)]
async fn a_zone_is_tested_hourly_and_ever_less_often_while_it_is_off() {
    let (fake, reputation) = scene(&["a.example"]);
    let watching = tokio::spawn({
        let reputation = Arc::clone(&reputation);
        async move { reputation.watch().await }
    });
    let test = "2.0.0.127.a.example";
    sleep(24 * 3600 * SECOND + SECOND).await;
    assert_eq!(fake.asked(test), 25, "in use for a day");
    fake.set("1.0.0.127.a.example", &["127.0.0.2"]);
    sleep(24 * 3600 * SECOND).await;
    // 10 s, 20 s, ... 320 s, and then every 600 s.
    let off = fake.asked(test) - 25;
    assert!((140..150).contains(&off), "switched off for a day: {off}");
    fake.set("1.0.0.127.a.example", &[]);
    sleep(RETEST.1 + SECOND).await;
    assert_eq!(state(&reputation), "in use for IPv4");
    // It does not last, and so it is not soon forgiven.
    let before = fake.asked(test);
    fake.set("8.113.0.203.a.example", &["127.255.255.255"]);
    listings(&reputation, OTHER).await;
    sleep(599 * SECOND).await;
    assert_eq!(fake.asked(test), before);
    watching.abort();
}

#[tokio::test(start_paused = true)]
async fn answers_are_kept() {
    for (ttl, kept) in [(1, 60), (300, 300), (86_400, 3600)] {
        let (fake, reputation) = scene(&["a.example"]);
        fake.says().ttl = ttl * SECOND;
        reputation.test().await;
        fake.set(STRANGER, &["a.example"]);
        fake.set("a.example", &[STRANGER]);
        for client in [STRANGER, OTHER] {
            let name = format!("{}.113.0.203.a.example", client.rsplit('.').next().unwrap());
            for (after, asked) in [(0, 1), (kept - 1, 1), (2, 2)] {
                sleep(u32::try_from(after).unwrap() * SECOND).await;
                // Mapped into IPv6 it is the same client.
                listings(&reputation, &format!("::ffff:{client}")).await;
                listings(&reputation, client).await;
                reputation.reverse(client.parse().unwrap()).await;
                assert_eq!((fake.asked(&name), fake.asked(client)), (asked, asked), "{client}: TTL {ttl}");
            }
        }
    }
    let (fake, reputation) = scene(&["a.example"]);
    reputation.test().await;
    fake.fail("8.113.0.203.a.example");
    fake.fail(OTHER);
    for (after, asked) in [(0, 1), (9, 1), (2, 2)] {
        sleep(after * SECOND).await;
        assert_eq!(listings(&reputation, OTHER).await, (vec![], 1));
        assert_eq!(reputation.reverse(OTHER.parse().unwrap()).await, ReverseName::Unknown);
        assert_eq!((fake.asked("8.113.0.203.a.example"), fake.asked(OTHER)), (asked, asked), "a failure");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_question_is_asked_once_and_too_many_are_not() {
    let (fake, reputation) = scene(&["a.example"]);
    reputation.test().await;
    fake.says().takes = SECOND;
    let stranger: IpAddr = STRANGER.parse().unwrap();
    let told = join_all((0..500).map(|_| reputation.listings(stranger))).await;
    assert!(told.iter().all(|listings| listings.listed.len() == 1));
    assert_eq!(fake.asked("7.113.0.203.a.example"), 1);
    let clients = (0..5000_u32).map(|n| IpAddr::V4(Ipv4Addr::from(0xcb00_7200 + n)));
    let told = join_all(clients.map(|client| reputation.listings(client))).await;
    let unknown = told.iter().filter(|listings| listings.unanswered == 1).count();
    assert_eq!(unknown, 5000 - 2 * UNDER_WAY);
    assert_eq!(state(&reputation), "in use for IPv4", "that is no failure of the zone's");
    assert_eq!(listings(&reputation, OTHER).await, (vec![], 0), "and it goes on");
}

/// Names and their addresses; nothing is a failure.
type Forward<'a> = &'a [(&'a str, Option<&'a [&'a str]>)];

#[tokio::test(start_paused = true)]
async fn reverse_names() {
    use ReverseName::{Confirmed, Missing, Unconfirmed, Unknown};
    let many: Vec<String> = (0..20).map(|n| format!("n{n}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let confirmed = Confirmed("a.example".into());
    let unconfirmed = Unconfirmed("a.example".into());
    // The names of the client, the addresses of names, and what comes of it.
    let cases: [(&str, &[&str], Forward<'_>, ReverseName); 12] = [
        ("points back", &["a.example"], &[("a.example", Some(&[OTHER, STRANGER]))], confirmed.clone()),
        ("another case and dot", &["A.Example."], &[("a.example", Some(&[STRANGER]))], confirmed.clone()),
        ("points elsewhere", &["a.example"], &[("a.example", Some(&[OTHER]))], unconfirmed.clone()),
        ("points nowhere", &["a.example"], &[], unconfirmed.clone()),
        ("no name", &[], &[], Missing),
        ("no host name", &["a b", "", "."], &[], Missing),
        (
            "the second does",
            &["b.example", "a.example"],
            &[("a.example", Some(&[STRANGER]))],
            confirmed.clone(),
        ),
        (
            "one fails, one does",
            &["b.example", "a.example"],
            &[("b.example", None), ("a.example", Some(&[STRANGER]))],
            confirmed,
        ),
        (
            "one fails, one does not",
            &["a.example", "b.example"],
            &[("b.example", None), ("a.example", Some(&[OTHER]))],
            Unknown,
        ),
        ("it fails", &["a.example"], &[("a.example", None)], Unknown),
        ("too many names", &many, &[("n10.example", Some(&[STRANGER]))], Unconfirmed("n0.example".into())),
        ("many names", &many, &[("n9.example", Some(&[STRANGER]))], Confirmed("n9.example".into())),
    ];
    for (name, names, forward, want) in cases {
        let (fake, reputation) = scene(&[]);
        fake.set(STRANGER, names);
        for (host, addresses) in forward {
            match addresses {
                Some(addresses) => fake.set(host, addresses),
                None => fake.fail(host),
            }
        }
        assert_eq!(reputation.reverse(STRANGER.parse().unwrap()).await, want, "{name}");
        assert!(fake.says().asked.len() <= 11, "{name}");
    }
    let (fake, reputation) = scene(&[]);
    fake.set("2001:db8::7", &["a.example"]);
    fake.set("a.example", &["2001:db8::7"]);
    assert_eq!(reputation.reverse("2001:db8::7".parse().unwrap()).await, Confirmed("a.example".into()));
    fake.fail(OTHER);
    assert_eq!(reputation.reverse(OTHER.parse().unwrap()).await, Unknown);
    fake.says().takes = 60 * SECOND;
    let began = Instant::now();
    assert_eq!(reputation.reverse(STRANGER.parse().unwrap()).await, Unknown, "no answer in time");
    assert!(began.elapsed() < 4 * SECOND);
}
