// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of the network, about whom, and what the answers come to.

use super::factors::{behind_gateways, client, full, lines};
use super::*;
use crate::mail::ClientCertificate;
use std::net::{IpAddr, Ipv4Addr};

const BOTH: Reputation = Reputation { threshold: 3, reverse: ReverseRule::Confirmed };

/// A policy with open.example, which is its own first hop, and tag.example, whose strangers are let in with a tag.
fn open(reputation: Reputation) -> Policy {
    let mut own = domain("open.example", Mode::Enforce);
    own.source = Source::Any;
    own.directories.clear();
    let mut tagged = domain("tag.example", Mode::Enforce);
    tagged.verdicts.source = Verdict::Tag;
    tagged.directories.clear();
    let mut off = own.clone();
    off.mode = Mode::Inactive;
    off.pattern = DomainPattern::parse("off.example").unwrap();
    let mut policy = policy(vec![own, tagged, off, domain("a.example", Mode::Enforce)]);
    policy.reputation = reputation;
    policy.with_gateways(gateways().0)
}

fn listings(listed: &[(&str, u32)], unanswered: u32) -> Listings {
    let listing = |&(zone, weight): &(&str, u32)| Listing {
        zone: zone.into(),
        weight,
        code: Ipv4Addr::new(127, 0, 0, 2),
    };
    Listings { listed: listed.iter().map(listing).collect(), unanswered }
}

fn asked(policy: &Policy, session: &Session, rcpt: &str, answers: &Answers) -> Option<Questions> {
    questions(policy, session, &to(rcpt), answers)
}

#[test]
fn reputation_is_asked_of_strangers_alone() {
    let nothing = Answers::default();
    let wanted = |address: &str| {
        let client = address.parse().unwrap();
        Some(Questions { client, live: Vec::new(), listings: true, reverse: true })
    };
    for (address, rcpt, want) in [
        (STRANGER, "ann@open.example", wanted("198.51.100.1")),
        (STRANGER, "postmaster@open.example", wanted("198.51.100.1")),
        (STRANGER, "ann@tag.example", wanted("198.51.100.1")),
        // A gateway, be it another domain's, an internal client, a stranger who is refused anyway.
        (GATEWAY, "ann@open.example", None),
        (GATEWAY, "ann@tag.example", None),
        (Some("10.0.0.1"), "ann@open.example", None),
        (STRANGER, "ann@a.example", None),
        (STRANGER, "ann@off.example", None),
        (STRANGER, "ann@elsewhere.example", None),
        (STRANGER, "ann@ open.example", None),
        (None, "ann@open.example", None),
    ] {
        assert_eq!(asked(&open(BOTH), &session(address), rcpt, &nothing), want, "{address:?} {rcpt}");
        assert_eq!(asked(&open(Reputation::default()), &session(address), rcpt, &nothing), None, "{rcpt}");
    }
    let half = |listings: bool, reverse: bool| Answers {
        listings: listings.then(Listings::default),
        reverse: reverse.then_some(ReverseName::Unknown),
        ..Answers::default()
    };
    for (listed, reverse, want) in
        [(true, true, None), (false, true, Some((true, false))), (true, false, Some((false, true)))]
    {
        let left = asked(&open(BOTH), &session(STRANGER), "ann@open.example", &half(listed, reverse));
        assert_eq!(left.map(|q| (q.listings, q.reverse)), want);
    }
    // Who shows the certificate of a gateway is one.
    let policy = open(BOTH);
    let mut placed = Gateways::default();
    placed.add(full("seg", Require::Any));
    let gateway = client(STRANGER, &ClientCertificate::Trusted("mx.seg.example".into()));
    assert_eq!(asked(&policy.with_gateways(placed), &gateway, "ann@open.example", &nothing), None);
}

#[test]
fn live_names_are_asked_first_and_only_where_they_decide() {
    let live = |names: &[&str], require| {
        let mut gateway = full("seg", require);
        gateway.addresses = Some(Addresses {
            networks: networks(&["192.0.2.0/24"]),
            complete: true,
            live: names.iter().map(|name| LiveName::new(*name)).collect(),
            ..Addresses::default()
        });
        gateway
    };
    let address = Require::All { address: true, certificate: false, header: false };
    let two = Require::All { address: true, certificate: true, header: false };
    let three = Require::All { address: true, certificate: true, header: true };
    let shown = ClientCertificate::Trusted("mx.seg.example".into());
    let plain = ClientCertificate::None;
    for (gateways, at, certificate, want) in [
        (vec![live(&["x"], address)], STRANGER, &plain, &["x"][..]),
        (vec![live(&["x", "y"], address), live(&["y", "z"], address)], STRANGER, &plain, &["x", "y", "z"]),
        (vec![live(&["x"], address)], GATEWAY, &plain, &[]),
        (vec![live(&["x"], address), full("other", address)], GATEWAY, &plain, &[]),
        (vec![live(&["x"], two)], STRANGER, &plain, &[]),
        (vec![live(&["x"], two)], STRANGER, &shown, &["x"]),
        (vec![live(&["x"], three)], STRANGER, &shown, &["x"]),
        (vec![live(&["x"], Require::Any)], STRANGER, &shown, &[]),
        (vec![live(&["x"], Require::Any)], STRANGER, &plain, &["x"]),
        (vec![live(&["x"], address)], None, &plain, &[]),
    ] {
        let mut policy = behind_gateways(gateways.clone());
        policy.reputation = BOTH;
        let session = client(at, certificate);
        let questions = asked(&policy, &session, "ann@a.example", &Answers::default());
        let names: Vec<_> = questions.iter().flat_map(|q| &q.live).map(LiveName::as_str).collect();
        assert_eq!(names, want, "{gateways:?} {at:?} {certificate:?}");
        assert!(questions.is_none_or(|q| !q.listings && !q.reverse), "reputation comes later");
    }
    // Only when every live name has said no is a client a stranger whose reputation matters.
    let mut policy = behind_gateways(vec![live(&["x"], address)]);
    policy.reputation = BOTH;
    let mut own = domain("a.example", Mode::Enforce);
    own.verdicts.source = Verdict::Tag;
    let mut table = DomainTable::default();
    table.insert(own.pattern.clone(), Arc::new(own));
    policy.domains = Arc::new(table);
    for (answer, want) in [(Answer::Yes, false), (Answer::No, true), (Answer::Unknown, false)] {
        let answers = Answers { live: vec![(LiveName::new("x"), answer)], ..Answers::default() };
        let questions = asked(&policy, &session(STRANGER), "ann@a.example", &answers);
        assert_eq!(
            questions.is_some_and(|q| q.listings && q.reverse && q.live.is_empty()),
            want,
            "{answer:?}"
        );
    }
}

fn confirmed(name: &str) -> ReverseName {
    ReverseName::Confirmed(name.into())
}

#[test]
fn answers_become_findings() {
    let (present, bad) = (ReverseRule::Present, ReverseName::Unconfirmed("mail.bad\r\n.example".into()));
    let clean = || confirmed("mail.example");
    let pass = (Reason::Passed, Verdict::Accept, "");
    let listed = (Reason::Listed, Verdict::Reject, "554 5.7.1");
    let unready = (Reason::NotReady, Verdict::Defer, "451 4.7.1");
    let nameless = (Reason::NoReverseName, Verdict::Reject, "550 5.7.25");
    let dns_fails = (Reason::NoReverseName, Verdict::Defer, "451 4.7.25");
    for (reverse_rule, listings, reverse, want) in [
        (ReverseRule::Confirmed, listings(&[], 0), clean(), pass),
        (ReverseRule::Confirmed, listings(&[("a", 2)], 0), clean(), pass),
        (ReverseRule::Confirmed, listings(&[("a", 2), ("b", 1)], 0), clean(), listed),
        (ReverseRule::Confirmed, listings(&[("a", 9)], u32::MAX), clean(), listed),
        (ReverseRule::Confirmed, listings(&[("a", u32::MAX), ("b", 1)], 0), clean(), listed),
        (ReverseRule::Confirmed, listings(&[("a", 2)], 1), clean(), unready),
        (ReverseRule::Confirmed, listings(&[], 2), clean(), pass),
        (ReverseRule::Confirmed, listings(&[], u32::MAX), clean(), unready),
        (ReverseRule::Confirmed, listings(&[], 0), ReverseName::Missing, nameless),
        (ReverseRule::Confirmed, listings(&[], 0), bad.clone(), nameless),
        (ReverseRule::Confirmed, listings(&[], 0), ReverseName::Unknown, dns_fails),
        (present, listings(&[], 0), bad.clone(), pass),
        (present, listings(&[], 0), ReverseName::Missing, nameless),
        (present, listings(&[], 0), ReverseName::Unknown, dns_fails),
        (ReverseRule::Off, listings(&[], 0), ReverseName::Missing, pass),
    ] {
        let policy = open(Reputation { threshold: 3, reverse: reverse_rule });
        let input = format!("{reverse_rule:?} {listings:?} {reverse:?}");
        let answers = Answers { listings: Some(listings), reverse: Some(reverse), ..Answers::default() };
        let got = super::super::recipient(&policy, &session(STRANGER), &to("ann@open.example"), &answers);
        let reply = got.reply.as_ref().map(ToString::to_string).unwrap_or_default();
        let code = reply.split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert_eq!((got.reason, got.applied, &*code), want, "{input}");
        for finding in &got.findings {
            assert!(!finding.rule.to_string().contains(['\r', '\n']), "{input}");
        }
    }
    let policy = open(BOTH);
    // A gateway has no such finding at all, whether or not anybody answers.
    for (address, want) in [(GATEWAY, 2), (STRANGER, 4)] {
        let decision = recipient(&policy, &session(address), &to("ann@tag.example"));
        assert_eq!(decision.findings.len(), want, "{decision:?}");
    }
    // Of an address that is unknown, or not one client's, nothing can be told.
    let hidden = Answers { hidden: true, ..Answers::default() };
    for (address, answers) in [(None, &Answers::default()), (STRANGER, &hidden)] {
        assert_eq!(asked(&policy, &session(address), "ann@open.example", answers), None);
        let decision = super::super::recipient(&policy, &session(address), &to("ann@open.example"), answers);
        assert_eq!((decision.reason, decision.applied), (Reason::NotReady, Verdict::Defer), "{decision:?}");
    }
}

/// Local mail is not refused for a name that nobody outside can give.
#[test]
fn private_clients_have_no_reputation() {
    for reverse in [ReverseRule::Off, ReverseRule::Present, ReverseRule::Confirmed] {
        for threshold in [0, 1] {
            let policy = open(Reputation { threshold, reverse });
            for address in ["127.0.0.1", "172.17.0.1", "192.168.1.9", "::1", "fd00::1", "::ffff:172.17.0.1"] {
                let (session, rcpt) = (session(Some(address)), to("ann@open.example"));
                let input = format!("{address} {reverse:?} {threshold}");
                assert_eq!(questions(&policy, &session, &rcpt, &Answers::default()), None, "{input}");
                let bad = Answers { reverse: Some(ReverseName::Missing), ..Answers::default() };
                for answers in [Answers::default(), bad] {
                    let decision = super::super::recipient(&policy, &session, &rcpt, &answers);
                    assert_eq!(
                        (decision.reason, decision.applied),
                        (Reason::Passed, Verdict::Accept),
                        "{input}"
                    );
                    let said: Vec<Check> = decision.findings.iter().map(|finding| finding.check).collect();
                    let mut want = vec![Check::Source, Check::Recipient];
                    want.extend((threshold > 0).then_some(Check::Listed));
                    want.extend((reverse != ReverseRule::Off).then_some(Check::ReverseName));
                    assert_eq!(said, want, "{input}");
                    assert!(
                        decision.findings[2..].iter().all(|found| found.rule == Rule::PrivateAddress),
                        "{input}"
                    );
                }
            }
        }
    }
}

#[test]
fn listings_in_words() {
    let weighed = |behind: Option<&str>, listings: Listings| {
        let Listings { listed, unanswered } = listings;
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        Weighed { address, behind: behind.map(Into::into), listed, unanswered, threshold: 2 }.to_string()
    };
    for (behind, listings, want) in [
        (None, listings(&[], 0), "192.0.2.1 is on no DNSBL"),
        (None, listings(&[], u32::MAX), "192.0.2.1 is on no DNSBL that answered; none did"),
        (
            Some("seg"),
            listings(&[], 1),
            "192.0.2.1, behind gateway seg, is on no DNSBL; those of weight 1 gave no answer",
        ),
        (
            None,
            listings(&[("a.example", 2), ("b.example", 1)], 0),
            "192.0.2.1 is on DNSBLs of weight 3, threshold 2: a.example (127.0.0.2), b.example (127.0.0.2)",
        ),
    ] {
        assert_eq!(weighed(behind, listings), want);
    }
}

/// The client in front of a gateway is looked at, and never refused.
#[test]
fn behind_a_gateway() {
    let address = Require::All { address: true, certificate: false, header: false };
    let with_header = Require::All { address: true, certificate: false, header: true };
    let mut policy = behind_gateways(vec![Gateway { behind: Some(Verdict::Reject), ..full("seg", address) }]);
    policy.reputation = Reputation { threshold: 2, reverse: ReverseRule::Confirmed };
    let received = &[("Received", "from mail.example ([198.51.100.77]) by mx.seg.example")][..];
    let facts = lines(&policy, received);
    let decision = recipient(&policy, &session(GATEWAY), &to("ann@a.example"));
    let questions = behind(&policy, &[&decision], &facts);
    let client = "198.51.100.77".parse().unwrap();
    assert_eq!(questions, Some(Questions { client, live: Vec::new(), listings: true, reverse: false }));
    for (listings, applied, answer) in [
        (listings(&[("a", 2)], 0), Verdict::Quarantine, Answer::No),
        (listings(&[], 0), Verdict::Accept, Answer::Yes),
        (listings(&[], 2), Verdict::Accept, Answer::Unknown),
    ] {
        let answers = Answers { listings: Some(listings.clone()), ..Answers::default() };
        let decision = super::super::headers(&policy, &[&decision], &facts, &answers).unwrap();
        let found = decision.findings.iter().find(|finding| finding.check == Check::Listed).unwrap();
        assert_eq!((decision.applied, found.answer), (applied, answer), "{listings:?}");
    }
    let silent = lines(&policy, &[("Received", "by mx.seg.example")]);
    assert_eq!(behind(&policy, &[&decision], &silent), None);
    let untold = headers(&policy, &[&decision], &silent).unwrap();
    let rule = untold.findings.iter().map(|finding| finding.rule.to_string()).next_back();
    assert_eq!(
        (untold.applied, rule.as_deref()),
        (Verdict::Accept, Some("no Received line tells who is behind gateway seg"))
    );
    // Nobody asks where the gateway is not to be looked behind, or did not hand the message over.
    let inside = recipient(&policy, &session(Some("10.0.0.1")), &to("ann@a.example"));
    assert_eq!(behind(&policy, &[&inside], &facts), None);
    let awaited = behind_gateways(vec![Gateway { behind: Some(Verdict::Tag), ..full("seg", with_header) }]);
    let mut awaited = awaited;
    awaited.reputation = policy.reputation;
    let decision = recipient(&awaited, &session(GATEWAY), &to("ann@a.example"));
    assert_eq!(behind(&awaited, &[&decision], &lines(&awaited, received)), None);
    let right = lines(&awaited, &[received, &[("X-Seg-Id", "old-secret")]].concat());
    assert!(behind(&awaited, &[&decision], &right).is_some());
    let plain = behind_gateways(vec![full("seg", address)]);
    let decision = recipient(&plain, &session(GATEWAY), &to("ann@a.example"));
    assert_eq!(behind(&plain, &[&decision], &facts), None);
}
