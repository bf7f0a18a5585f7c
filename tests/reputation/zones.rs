// SPDX-License-Identifier: GPL-3.0-or-later
//! DNSBLs that are in order, and that are out of it in every way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::name_server::{NameServer, Zone};
use crate::common::wait::{SOON, wait_until};
use crate::support::{Log, listings, reputation, states};

/// A zone that lists 203.0.113.7 and what every zone lists; nothing of it may be kept.
const LISTS: &str = "
2.0.0.127    0 IN A 127.0.0.2
7.113.0.203  0 IN A 127.0.0.10
7.113.0.203  0 IN A 127.0.0.4
";
/// The same for IPv6, and `2001:db8::7`.
const LISTS6: &str = "
2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 0 IN A 127.0.0.2
7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 0 IN A 127.0.0.3
";

fn in_order() -> Vec<Zone> {
    vec![Zone::new("bl.example", LISTS), Zone::new("six.example", format!("{LISTS}{LISTS6}"))]
}

#[tokio::test]
async fn listed_or_not() {
    let server = NameServer::start(&in_order());
    let reputation = reputation(&server, &[("bl.example", 2), ("six.example", 3)]);
    assert_eq!(listings(&reputation, "203.0.113.7").await, (vec![], 5), "not tested yet");
    assert_eq!(states(&reputation), ["not tested yet", "not tested yet"]);
    reputation.test().await;
    assert_eq!(states(&reputation), ["in use for IPv4", "in use"]);
    for (client, listed) in [
        ("203.0.113.7", vec!["bl.example 2 127.0.0.4", "six.example 3 127.0.0.4"]),
        ("::ffff:203.0.113.7", vec!["bl.example 2 127.0.0.4", "six.example 3 127.0.0.4"]),
        ("203.0.113.8", vec![]),
        ("2001:db8::7", vec!["six.example 3 127.0.0.3"]),
        ("2001:db8::8", vec![]),
        // Nobody lists private addresses, but for the one that tells whether a zone is in order.
        ("127.0.0.2", vec![]),
        ("10.0.0.1", vec![]),
    ] {
        let listed: Vec<String> = listed.into_iter().map(str::to_owned).collect();
        assert_eq!(listings(&reputation, client).await, (listed, 0), "{client}");
    }
    let queries = server.queries();
    assert!(
        !queries.iter().any(|query| query.name == "1.0.0.10.bl.example"),
        "a private address is asked about"
    );
    let six = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example";
    assert!(!queries.iter().any(|query| query.name == six), "a zone without IPv6 is asked about IPv6");
}

#[tokio::test]
async fn zones_out_of_order_are_switched_off_and_said_once() {
    let zones = [
        Zone::new("bl.example", LISTS),
        Zone::new("everybody.example", "* 0 IN A 127.0.0.2"),
        Zone::new("nobody.example", ""),
        Zone::new("refuses.example", "* 0 IN A 127.255.255.254"),
        Zone::new("sold.example", "* 0 IN A 198.51.100.1"),
        Zone::new("text.example", "* 0 IN TXT \"listed\""),
        Zone::broken("broken.example"),
        Zone::new("parent.example", ""),
    ];
    let server = NameServer::start(&zones);
    let (log, _guard) = Log::keep();
    for (zone, state) in [
        ("bl.example", "in use for IPv4"),
        ("everybody.example", "switched off: lists 127.0.0.1, which no zone in order does"),
        ("nobody.example", "switched off: does not list 127.0.0.2, which every zone in order does"),
        ("refuses.example", "switched off: refuses to answer us (127.255.255.254)"),
        ("sold.example", "switched off: answers 198.51.100.1, which no DNSBL does"),
        ("text.example", "switched off: does not list 127.0.0.2, which every zone in order does"),
        ("gone.parent.example", "switched off: does not list 127.0.0.2, which every zone in order does"),
        ("broken.example", "switched off: does not answer: "),
        ("not.served.by.this.server.example", "switched off: does not answer: "),
    ] {
        let reputation = reputation(&server, &[(zone, 1)]);
        reputation.test().await;
        reputation.test().await;
        assert!(states(&reputation)[0].starts_with(state), "{zone}: {:?}", states(&reputation));
        let said = log.take();
        let (listed, unanswered) = listings(&reputation, "203.0.113.7").await;
        if state.starts_with("in use") {
            assert_eq!((listed.len(), unanswered, said.len()), (1, 0, 0), "{zone}: {said:?}");
        } else {
            assert_eq!((listed.len(), unanswered, said.len()), (0, 0, 1), "{zone}: {said:?}");
            assert!(
                said[0].contains("WARN") && said[0].contains(zone) && said[0].contains("advice="),
                "{said:?}"
            );
            let asked = format!("7.113.0.203.{zone}");
            assert_eq!(server.asked(&asked, "A"), 0, "{zone} is asked though it is off");
        }
    }
}

#[tokio::test]
async fn a_refusal_in_an_answer() {
    let refusing = "2.0.0.127 0 IN A 127.0.0.2\n8.113.0.203 0 IN A 127.255.255.255";
    let mut server = NameServer::start(&[Zone::new("bl.example", refusing)]);
    let reputation = reputation(&server, &[("bl.example", 1)]);
    reputation.test().await;
    let (log, _guard) = Log::keep();
    for client in ["203.0.113.8", "203.0.113.8", "203.0.113.9"] {
        assert_eq!(listings(&reputation, client).await, (vec![], 0), "{client}");
    }
    assert_eq!(states(&reputation), ["switched off: refuses to answer us (127.255.255.255)"]);
    assert_eq!(log.take().len(), 1);
    server.restart(&in_order()[..1]);
    reputation.test().await;
    assert_eq!(states(&reputation), ["in use for IPv4"]);
    let said = log.take();
    assert!(said.len() == 1 && said[0].contains("INFO"), "{said:?}");
    assert_eq!(listings(&reputation, "203.0.113.7").await.0.len(), 1);
}

#[tokio::test]
async fn a_server_that_is_gone_and_comes_back() {
    let zones = in_order();
    let mut server = NameServer::start(&zones);
    let reputation = reputation(&server, &[("bl.example", 1)]);
    reputation.test().await;
    let (log, _guard) = Log::keep();
    server.kill();
    for n in 1..=5 {
        assert_eq!(states(&reputation), ["in use for IPv4"], "after {} questions", n - 1);
        let began = Instant::now();
        assert_eq!(listings(&reputation, &format!("203.0.113.{}", 100 + n)).await, (vec![], 1), "{n}");
        assert!(began.elapsed() < Duration::from_secs(4), "{n}: {:?}", began.elapsed());
        if n == 2 {
            // It is up again, and has nothing to answer with: that does not take so long.
            server.restart(&[Zone::broken("bl.example")]);
        }
    }
    assert!(
        states(&reputation)[0].starts_with("switched off: does not answer: "),
        "{:?}",
        states(&reputation)
    );
    assert_eq!(listings(&reputation, "203.0.113.120").await, (vec![], 0));
    let said = log.take();
    assert!(said.len() == 1 && said[0].contains("WARN"), "{said:?}");
    server.restart(&zones);
    reputation.test().await;
    assert_eq!(states(&reputation), ["in use for IPv4"]);
    assert_eq!(listings(&reputation, "203.0.113.7").await.0, ["bl.example 1 127.0.0.4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn zones_are_tested_in_the_background() {
    let server = NameServer::start(&in_order());
    let reputation = Arc::new(reputation(&server, &[("bl.example", 1), ("nobody.example", 1)]));
    let watched = Arc::clone(&reputation);
    let watching = tokio::spawn(async move { watched.watch().await });
    wait_until("the first test", SOON, || states(&reputation)[0] == "in use for IPv4");
    wait_until("the other's", SOON, || states(&reputation)[1].starts_with("switched off"));
    watching.abort();
}

#[tokio::test]
async fn each_client_is_asked_about_once() {
    let kept = "2.0.0.127 0 IN A 127.0.0.2\n7.113.0.203 0 IN A 127.0.0.4";
    let server = NameServer::start(&[Zone::new("bl.example", kept), Zone::new("second.example", kept)]);
    let reputation = reputation(&server, &[("bl.example", 1), ("second.example", 1)]);
    reputation.test().await;
    for _ in 0..20 {
        let all = (0..20).map(|_| listings(&reputation, "203.0.113.7"));
        let told = futures_util::future::join_all(all).await;
        assert!(told.iter().all(|(listed, unanswered)| (listed.len(), *unanswered) == (2, 0)));
        listings(&reputation, "203.0.113.8").await;
    }
    for zone in ["bl.example", "second.example"] {
        for client in ["7.113.0.203", "8.113.0.203"] {
            assert_eq!(server.asked(&format!("{client}.{zone}"), "A"), 1, "{client}.{zone}");
        }
    }
}
