// SPDX-License-Identifier: GPL-3.0-or-later
//! Each recipient's mail goes to the server of its group: what a mail server does with what it is told about next hops.

use crate::common::courier::message;
use crate::common::sink::Sink;
use crate::estate::{Estate, Setup};
use crate::house::Kind;

#[test]
fn groups_reach_their_servers_on_postfix() {
    groups_reach_their_servers(Kind::Postfix);
}

#[test]
fn groups_reach_their_servers_on_sendmail() {
    groups_reach_their_servers(Kind::Sendmail);
}

#[test]
fn servers_that_are_down_on_postfix() {
    servers_that_are_down(Kind::Postfix);
}

#[test]
fn servers_that_are_down_on_sendmail() {
    servers_that_are_down(Kind::Sendmail);
}

const UNKNOWN: &str = "550 5.1.1";

/// Who is written to, and where that comes; nowhere where it is refused.
const RECIPIENTS: [(&str, Option<&str>); 14] = [
    ("ann@routed.example", Some("one")),
    ("bob@routed.example", Some("two")),
    // In both groups, of which the first rule decides.
    ("cid@routed.example", Some("one")),
    // In the group, and named by a rule above.
    ("chief@routed.example", Some("two")),
    ("ann+news@routed.example", Some("one")),
    ("ann@second.example", Some("one")),
    ("bob@second.example", Some("two")),
    ("dee@routed.example", None),
    ("nobody@routed.example", None),
    ("anybody@two.example", Some("two")),
    ("ann@default.example", Some("one")),
    ("dee@default.example", Some("two")),
    ("ann@pass.example", Some("one")),
    ("dee@pass.example", Some("elsewhere")),
];

fn groups_reach_their_servers(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    for (number, (recipient, place)) in RECIPIENTS.iter().enumerate() {
        let mark = format!("alone-{number}");
        let fate = estate.sends(&message(&[recipient], &mark));
        estate.rests();
        let arrivals = estate.arrivals(&mark);
        if let Some(place) = place {
            assert_eq!(arrivals, [format!("{place}: {recipient}")], "{fate:?}\n{}", estate.logs());
        } else {
            let refused = fate.refused.iter().all(|(_, reply)| reply.starts_with(UNKNOWN));
            assert!(refused && fate.refused.len() == 1, "{recipient}: {fate:?}\n{}", estate.logs());
            assert!(arrivals.is_empty(), "{arrivals:?}");
        }
    }

    // In one message, and the letters of domains and groups are those of somebody else.
    let all: Vec<String> = RECIPIENTS.iter().map(|(recipient, _)| recipient.to_uppercase()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let fate = estate.sends(&message(&all, "together"));
    estate.rests();
    let mut wanted: Vec<String> = RECIPIENTS
        .iter()
        .filter_map(|(recipient, place)| place.map(|place| format!("{place}: {recipient}")))
        .collect();
    wanted.sort();
    let arrivals: Vec<String> = estate.arrivals("together").iter().map(|one| one.to_lowercase()).collect();
    assert_eq!(arrivals, wanted, "{fate:?}\n{}", estate.logs());
    assert_eq!((fate.messages, fate.refused.len()), (1, 2), "{fate:?}");
    assert_eq!(estate.scanner.inbox.begun(), 0, "nothing of this is scanned");
}

fn servers_that_are_down(kind: Kind) {
    let mut estate = Estate::open(kind, Setup::default());
    let both = ["ann@routed.example", "bob@routed.example"];

    estate.one[0].close();
    estate.passes(&message(&both, "first host down"));
    estate.rests();
    let wanted = ["one, second host: ann@routed.example", "two: bob@routed.example"];
    assert_eq!(estate.arrivals("first host down"), wanted, "{}", estate.logs());

    estate.one[1].close();
    estate.waits("ann@routed.example", || estate.passes(&message(&both, "all hosts down")));
    estate.reaches("all hosts down", 1);
    assert_eq!(estate.arrivals("all hosts down"), ["two: bob@routed.example"], "{}", estate.logs());

    estate.one.iter_mut().for_each(Sink::open);
    estate.rests();
    let wanted = ["one: ann@routed.example", "two: bob@routed.example"];
    assert_eq!(estate.arrivals("all hosts down"), wanted, "{}", estate.logs());
}
