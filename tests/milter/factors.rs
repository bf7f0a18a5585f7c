// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways that must show more than their address: certificates in the macros of HELO, header lines at the end of the
//! message, and answers of the network that come late or never.

use crate::support::*;
use indymilter::MacroStage;
use indymilter::message::command::Command;
use postern::gate::{Asked, Counters, Event, Gate, Outside};
use postern::mail::{CertificatePattern, DomainPattern, DomainTable, Network, Secret};
use postern::milter::DECISION_LIMIT;
use postern::policy::{
    Addresses, Answer, Directories, DomainPolicy, Gateway, Gateways, HeaderFactor, Internal, Listing,
    Listings, LiveName, LoopRule, Mode, Policy, RecipientRules, Replies, Reputation, Require, ReverseName,
    ReverseRule, Source, Unlisted, Verdict, Verdicts,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use tokio::time::{Duration, Instant};

fn gateway(name: &str, require: Require) -> Gateway {
    let networks = [Network::parse("192.0.2.0/24").unwrap().network].into_iter().collect();
    Gateway {
        certificate: [CertificatePattern::parse("*.seg.example").unwrap()].into(),
        header: Some(HeaderFactor {
            name: "X-Seg-Id".into(),
            secrets: [Secret::new(*b"s3cret-value")].into(),
        }),
        require,
        ..Gateway::by_networks(name, networks)
    }
}

fn all(address: bool, certificate: bool, header: bool) -> Require {
    Require::All { address, certificate, header }
}

/// plain.example wants an address, cert.example a certificate too, header.example a header line, mon.example too but is
/// only monitored, live.example a name that passes the client, open.example a good reputation, behind.example one of
/// whoever is in front of its gateway.
fn policy_of_factors(loops: LoopRule) -> Policy {
    let mut gateways = Gateways::default();
    let plain = gateways.add(gateway("plain", all(true, false, false)));
    let cert = gateways.add(gateway("cert", all(true, true, false)));
    let header = gateways.add(gateway("header", all(true, false, true)));
    let addresses =
        Addresses { complete: true, live: [LiveName::new("live.example")].into(), ..Addresses::default() };
    let live = Gateway { addresses: Some(addresses), ..gateway("live", all(true, false, false)) };
    let live = gateways.add(live);
    let behind = Gateway { behind: Some(Verdict::Tag), ..gateway("behind", all(true, false, false)) };
    let behind = gateways.add(behind);
    let mut table = DomainTable::default();
    for (name, mode, source) in [
        ("plain.example", Mode::Enforce, Source::Gateways(vec![plain])),
        ("cert.example", Mode::Enforce, Source::Gateways(vec![cert])),
        ("header.example", Mode::Enforce, Source::Gateways(vec![header])),
        ("mon.example", Mode::Monitor, Source::Gateways(vec![header])),
        ("live.example", Mode::Enforce, Source::Gateways(vec![live])),
        ("behind.example", Mode::Enforce, Source::Gateways(vec![behind])),
        ("open.example", Mode::Enforce, Source::Any),
    ] {
        let pattern = DomainPattern::parse(name).unwrap();
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode,
            source,
            directories: Vec::new(),
            subaddress: "+".into(),
            recipients: RecipientRules::default(),
            unrouted: postern::policy::Unrouted::Pass,
            scan: None,
            verdicts: Verdicts::default(),
            replies: Replies::default(),
        };
        table.insert(pattern, Arc::new(domain));
    }
    let internal = Internal {
        networks: [Network::parse("10.0.0.0/8").unwrap().network].into_iter().collect(),
        authenticated: true,
    };
    let reputation = Reputation { threshold: 1, reverse: ReverseRule::Present };
    Policy::new(internal, Unlisted::default(), table, gateways, Directories::default(), loops, reputation)
}

fn factors() -> Policy {
    policy_of_factors(LoopRule { id: "mx.example".into(), max_passes: 3, max_received: 50 })
}

#[tokio::test]
async fn macros_of_certificates_are_asked_for_where_they_matter() {
    for (policy, want) in [(policy(), "{postern_none}"), (factors(), "{verify} {cn_subject} {cert_subject}")]
    {
        let peer = Door::new(policy).mta().await;
        assert_eq!(peer.mta.macros_wanted(MacroStage::Helo).unwrap().to_str(), Ok(want));
    }
}

/// The certificate comes with the HELO after STARTTLS, and goes with the next one that has none.
#[tokio::test]
async fn a_certificate_is_that_of_the_last_greeting() {
    let door = Door::new(factors());
    let mut peer = door.mta().await;
    peer.greet(GATEWAY).await;
    for (macros, want) in [
        (None, "550 5.7.1"),
        (Some(&[("{cert_subject}", "mx.seg.example")][..]), "continue"),
        (None, "550 5.7.1"),
        (Some(&[("{verify}", "OK"), ("{cn_subject}", "mx.seg.example")]), "continue"),
        (Some(&[]), "550 5.7.1"),
        (Some(&[("{verify}", "FAIL"), ("{cn_subject}", "mx.seg.example")]), "550 5.7.1"),
        (Some(&[("{verify}", "TEMP"), ("{cn_subject}", "mx.seg.example")]), "451 4.7.1"),
        (Some(&[("{cert_subject}", "mx.other.example")]), "550 5.7.1"),
        (Some(&[("{cert_subject}", "/CN=mx.seg.example")]), "451 4.7.1"),
        (Some(&[("{cert_subject}", "*.seg.example")]), "continue"),
    ] {
        if let Some(macros) = macros {
            peer.mta.define(MacroStage::Helo, macros).await.unwrap();
        }
        peer.mta.send(helo()).await.unwrap();
        // Every message of the session.
        for _ in 0..2 {
            let (rcpts, _) = peer.message(&["ann@cert.example", "ann@plain.example"], &[]).await;
            assert_eq!(rcpts, [want, "continue"], "{macros:?}");
        }
    }
    peer.mta.send(Command::QuitNc).await.unwrap();
    peer.greet(GATEWAY).await;
    assert_eq!(peer.message(&["ann@cert.example"], &[]).await.0, ["550 5.7.1"]);
}

#[tokio::test]
async fn header_lines_of_gateways_are_checked_and_removed() {
    let right = ("X-Seg-Id", "s3cret-value");
    let add = "add X-Postern-Loop: mx.example";
    for loops in [true, false] {
        let rule = LoopRule { id: "mx.example".into(), max_passes: 3, max_received: 50 };
        let door = Door::new(policy_of_factors(if loops { rule } else { LoopRule::default() }));
        for (client, rcpts, headers, want) in [
            (GATEWAY, &["header"][..], &[right][..], &["remove X-Seg-Id 1"][..]),
            (
                GATEWAY,
                &["header"],
                &[("x-seg-id", "guess"), ("Subject", "x"), right],
                &["remove x-seg-id 2", "remove x-seg-id 1"],
            ),
            (GATEWAY, &["header"], &[("X-Seg-Id", "guess")], &["550 5.7.1"]),
            (GATEWAY, &["header"], &[], &["550 5.7.1"]),
            // One recipient's gateway speaks for all of the message.
            (GATEWAY, &["plain", "header"], &[], &["550 5.7.1"]),
            (GATEWAY, &["plain", "header"], &[right], &["remove X-Seg-Id 1"]),
            (GATEWAY, &["plain", "elsewhere"], &[right], &["remove X-Seg-Id 1"]),
            (GATEWAY, &["mon"], &[("X-Seg-Id", "guess")], &["remove X-Seg-Id 1"]),
            (STRANGER, &["mon"], &[right], &["remove X-Seg-Id 1"]),
            (
                GATEWAY,
                &["mon"],
                &[("X-Postern-Tag", "x"), right, ("X-Seg-Ids", "v")],
                &["remove X-Postern-Tag 1", "remove X-Seg-Id 1"],
            ),
            // An internal client's own lines stay, but for what is a secret.
            ("10.0.0.1", &["header"], &[("X-Postern-Tag", "x"), right], &["remove X-Seg-Id 1"]),
            (STRANGER, &["elsewhere"], &[right], &[]),
        ] {
            let mut peer = door.mta().await;
            peer.greet(client).await;
            let rcpts: Vec<String> = rcpts.iter().map(|name| format!("ann@{name}.example")).collect();
            let rcpts: Vec<&str> = rcpts.iter().map(String::as_str).collect();
            let (answers, end) = peer.message(&rcpts, headers).await;
            assert!(answers.iter().all(|answer| answer == "continue"), "{client} {rcpts:?}: {answers:?}");
            let mut want: Vec<&str> = want.to_vec();
            if want != ["550 5.7.1"] {
                if loops && rcpts != ["ann@elsewhere.example"] {
                    want.push(add);
                }
                want.push("continue");
            }
            assert_eq!(end, want, "{client} {rcpts:?} {headers:?} loops: {loops}");
        }
    }
}

/// A message without any headers shows none.
#[tokio::test]
async fn a_message_that_just_ends() {
    let door = Door::new(factors());
    let mut peer = door.mta().await;
    peer.greet(GATEWAY).await;
    peer.begin().await;
    assert_eq!(peer.rcpt("ann@header.example").await, "continue");
    peer.mta.send(Command::Data).await.unwrap();
    assert_eq!(shown_all(&peer.mta.send(end()).await.unwrap()), ["550 5.7.1"]);
}

/// What is answered to questions, and which were put.
#[derive(Clone, Debug, Default)]
struct Scripted {
    /// `None` is silence.
    live: Option<Answer>,
    listings: Option<Listings>,
    reverse: Option<ReverseName>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn say<T: Clone + Send + 'static>(&self, what: String, answer: Option<&T>) -> Asked<'_, T> {
        self.asked.lock().unwrap().push(what);
        match answer.cloned() {
            Some(answer) => Box::pin(async move {
                tokio::task::yield_now().await;
                answer
            }),
            None => Box::pin(std::future::pending()),
        }
    }
}

impl Outside for Scripted {
    fn live<'a>(&'a self, name: &'a LiveName, client: IpAddr) -> Asked<'a, Answer> {
        self.say(format!("{name} {client}"), self.live.as_ref())
    }

    fn listings(&self, client: IpAddr) -> Asked<'_, Listings> {
        self.say(format!("listings {client}"), self.listings.as_ref())
    }

    fn reverse(&self, client: IpAddr) -> Asked<'_, ReverseName> {
        self.say(format!("reverse {client}"), self.reverse.as_ref())
    }
}

fn listed() -> Listings {
    let listing = Listing { zone: "bl.example".into(), weight: 1, code: Ipv4Addr::new(127, 0, 0, 2) };
    Listings { listed: vec![listing], unanswered: 0 }
}

#[tokio::test(start_paused = true)]
async fn the_network_is_asked_where_it_decides() {
    let clean = Some(Listings::default());
    let name = Some(ReverseName::Confirmed("client.example".into()));
    let both = &["listings 198.51.100.1", "reverse 198.51.100.1"][..];
    let live = &["live.example 198.51.100.1"][..];
    let says = |live, listings, reverse| Scripted { live, listings, reverse, ..Scripted::default() };
    for (outside, client, rcpt, want, asked, late) in [
        (says(Some(Answer::Yes), None, None), STRANGER, "live", "continue", live, false),
        (says(Some(Answer::No), None, None), STRANGER, "live", "550 5.7.1", live, false),
        (says(Some(Answer::Unknown), None, None), STRANGER, "live", "451 4.7.1", live, false),
        (says(None, None, None), STRANGER, "live", "451 4.7.1", live, true),
        (says(None, clean.clone(), name.clone()), STRANGER, "open", "continue", both, false),
        (says(None, Some(listed()), name.clone()), STRANGER, "open", "554 5.7.1", both, false),
        (says(None, clean.clone(), Some(ReverseName::Missing)), STRANGER, "open", "550 5.7.25", both, false),
        (says(None, clean.clone(), None), STRANGER, "open", "451 4.7.25", both, true),
        (says(None, None, name.clone()), STRANGER, "open", "451 4.7.1", both, true),
        // The silence of one does not hide what the other says.
        (says(None, Some(listed()), None), STRANGER, "open", "554 5.7.1", both, true),
        (says(None, None, None), GATEWAY, "open", "continue", &[], false),
        (says(None, None, None), GATEWAY, "plain", "continue", &[], false),
        (says(None, None, None), "10.0.0.1", "open", "continue", &[], false),
        (says(None, None, None), STRANGER, "plain", "550 5.7.1", &[], false),
        (says(None, None, None), STRANGER, "elsewhere", "continue", &[], false),
    ] {
        let gate = Gate::new(factors());
        gate.ask(Box::new(outside.clone()));
        let door = Door::of(gate);
        let mut peer = door.mta().await;
        peer.greet(client).await;
        peer.begin().await;
        let began = Instant::now();
        assert_eq!(peer.rcpt(&format!("ann@{rcpt}.example")).await, want, "{client} {rcpt} {outside:?}");
        assert_eq!(*outside.asked.lock().unwrap(), asked, "{client} {rcpt}");
        assert_eq!(began.elapsed() > Duration::from_secs(1), late, "{client} {rcpt} {outside:?}");
        assert!(began.elapsed() < DECISION_LIMIT, "{client} {rcpt} {outside:?}");
        assert_eq!(
            count(door.judge.counters()),
            0,
            "an answer that does not come is no decision that is late"
        );
    }
}

/// Who is in front of a gateway is asked about when the message ends; it is never refused for that, and never waits long.
#[tokio::test(start_paused = true)]
async fn the_client_in_front_of_a_gateway() {
    let from = |address: &str| {
        ("Received", format!("from x (x [{address}]) by mx.seg.example (Postfix) with ESMTP id 1"))
    };
    let client = from("198.51.100.77");
    let hop = from("192.0.2.7");
    let below = from("203.0.113.1");
    let add = "add X-Postern-Loop: mx.example";
    let asked = Some("listings 198.51.100.77");
    let says = |listings| Scripted { listings, ..Scripted::default() };
    let clean = Some(Listings::default());
    let partly = Some(Listings { unanswered: 1, ..Listings::default() });
    for (outside, rcpt, received, tag, asked, late) in [
        (says(Some(listed())), "behind", &[&client, &below][..], true, asked, false),
        (says(Some(listed())), "behind", &[&hop, &client, &below], true, asked, false),
        (says(clean.clone()), "behind", &[&client], false, asked, false),
        (says(partly), "behind", &[&client], false, asked, false),
        (says(None), "behind", &[&client], false, asked, true),
        (says(Some(listed())), "behind", &[], false, None, false),
        (says(Some(listed())), "behind", &[&hop], false, None, false),
        (says(Some(listed())), "plain", &[&client], false, None, false),
    ] {
        let gate = Gate::new(factors());
        gate.ask(Box::new(outside.clone()));
        let door = Door::of(gate);
        let mut peer = door.mta().await;
        peer.greet(GATEWAY).await;
        let began = Instant::now();
        let headers: Vec<(&str, &str)> =
            received.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (_, end) = peer.message(&[&format!("ann@{rcpt}.example")], &headers).await;
        let want =
            if tag { vec![add, "add X-Postern-Tag: listed", "continue"] } else { vec![add, "continue"] };
        assert_eq!(end, want, "{rcpt} {headers:?} {outside:?}");
        assert_eq!(outside.asked.lock().unwrap().first().map(String::as_str), asked, "{rcpt} {headers:?}");
        assert_eq!(began.elapsed() > Duration::from_secs(1), late, "{rcpt} {outside:?}");
        assert!(began.elapsed() < DECISION_LIMIT, "{rcpt} {outside:?}");
        assert_eq!(count(door.judge.counters()), 0, "{rcpt} {outside:?}");
    }
}

fn count(counters: &Counters) -> u64 {
    counters.of(Event::Overdue)
}
