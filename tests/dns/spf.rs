// SPDX-License-Identifier: GPL-3.0-or-later
//! SPF names against a real name server: the table, the number of questions, and what happens when the server does not
//! answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use postern::config;
use postern::dns::Resolver;
use postern::gateways::spf::{Live, expand};
use postern::gateways::{Published, SourceError, hosts};
use postern::mail::{AddressRanges, Domain, Network};
use postern::policy::{Answer, LiveName};

use crate::common::edges::edges;
use crate::common::name_server::{NameServer, Zone};
use crate::table::{self, BROKEN, CASES, Case, Comes};

const OWN: &str = "own.example";

fn zones() -> [Zone; 2] {
    [Zone::new("test", table::records()), Zone::broken(BROKEN)]
}

fn resolver(server: &NameServer) -> Resolver {
    Resolver::new(&config::Dns { servers: vec![server.address()], dnssec: false }).unwrap()
}

fn networks(published: &Published) -> Vec<String> {
    let mut networks: Vec<_> = published.networks.iter().map(|one| one.network.to_string()).collect();
    networks.sort();
    networks
}

fn sorted(networks: &[&str]) -> Vec<String> {
    let mut networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
    networks.sort();
    networks
}

#[tokio::test]
async fn names_come_to_what_the_table_says() {
    let server = NameServer::start(&zones());
    let dns = resolver(&server);
    let outcomes =
        join_all(CASES.iter().map(async |case| (case, expand(&dns, &table::name(case)).await))).await;
    let mut wrong = Vec::new();
    for (case, outcome) in outcomes {
        let name = case.name;
        let is_right = match (&case.comes, &outcome) {
            (Comes::To(want), Ok(published)) => {
                networks(published) == sorted(want) && published.live.is_empty()
            }
            (Comes::Live(want), Ok(published)) => {
                networks(published) == sorted(want)
                    && published.live == [LiveName::new(table::name(case))]
                    && published.notes.iter().any(|note| note.ends_with(" live"))
            }
            (Comes::Wrong(words), Err(SourceError::Wrong(why))) => why.contains(words),
            (Comes::Unreachable, Err(SourceError::Unreachable(_))) => true,
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{name}: wanted {:?}\n  came to {outcome:?}", case.comes));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a case says of an address: the set, or its own list.
async fn expectations(dns: &Resolver, case: &Case) -> Vec<(IpAddr, bool)> {
    let mut expected: Vec<_> = case.also.iter().map(|(a, passes)| (a.parse().unwrap(), *passes)).collect();
    if let Ok(published) = expand(dns, &table::name(case)).await {
        let networks: Vec<Network> = published.networks.iter().map(|one| one.network).collect();
        let set: AddressRanges = networks.iter().copied().collect();
        // Of what is live only the passing part is certain.
        let is_all = published.live.is_empty();
        let sampled = edges(&networks).into_iter().map(|address| (address, set.contains(address)));
        expected.extend(sampled.filter(|(_, passes)| *passes || is_all));
    }
    expected
}

#[tokio::test]
async fn asking_for_one_client_agrees_with_the_set() {
    let server = NameServer::start(&zones());
    let dns = Arc::new(resolver(&server));
    let live = Live::new(Arc::clone(&dns), OWN);
    let mut asked = 0;
    let mut wrong = Vec::new();
    for case in CASES {
        let name = LiveName::new(table::name(case));
        for (address, passes) in expectations(&dns, case).await {
            let want = if passes { Answer::Yes } else { Answer::No };
            let answer = live.passes(&name, address).await;
            asked += 1;
            if answer != want {
                wrong.push(format!("{} {address}: {answer:?}, and not {want:?}", case.name));
            }
        }
        if matches!(case.comes, Comes::Wrong(_) | Comes::Unreachable) {
            for stranger in ["203.0.113.200", "9.9.9.9", "2001:db8:ffff::1", "9999::"] {
                let answer = live.passes(&name, stranger.parse().unwrap()).await;
                if answer == Answer::Yes {
                    wrong.push(format!("{} {stranger}: a stranger passes a name that is wrong", case.name));
                }
            }
        }
    }
    assert!(asked > 500, "{asked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_network_has_its_way_and_every_set_its_age() {
    let records = r#"
spf    600 TXT "v=spf1 -ip4:192.0.2.0/25 include:a.test mx ip4:192.0.2.0/24 -all"
a      400 TXT "v=spf1 ip4:198.51.100.0/24 redirect=b.test"
b      500 TXT "v=spf1 a:host.test/31 ~all"
spf    700 MX 10 m
m      800 AAAA 2001:db8::1
host   90  A 203.0.113.9
"#;
    let server = NameServer::start(&[Zone::new("test", records)]);
    let published = expand(&resolver(&server), "spf.test").await.unwrap();
    let ways: Vec<_> = published.networks.iter().map(|one| format!("{}: {}", one.network, one.via)).collect();
    assert_eq!(
        ways,
        [
            "198.51.100.0/24: spf.test > include:a.test > ip4:198.51.100.0/24",
            "203.0.113.8/31: spf.test > include:a.test > redirect=b.test > a:host.test/31",
            "2001:db8::1/128: spf.test > mx",
            "192.0.2.128/25: spf.test > ip4:192.0.2.0/24",
        ]
    );
    assert_eq!(published.ttl, Duration::from_secs(90), "the shortest of all, of what is not there too");
    assert!(!published.validated);
}

#[tokio::test]
async fn a_signed_tree_is_validated() {
    let server = NameServer::start(&[Zone::signed(
        "test",
        "spf TXT \"v=spf1 include:a.test a:h.test ~all\"\na TXT \"v=spf1 ip4:192.0.2.1 -all\"\nh A 192.0.2.2\n",
    )]);
    let config = config::Dns { servers: vec![server.address()], dnssec: true };
    let dns = Resolver::with_anchors(&config, &server.anchors("test")).unwrap();
    let published = expand(&dns, "spf.test").await.unwrap();
    assert_eq!((networks(&published).len(), published.validated), (2, true), "{published:?}");
}

/// Ten terms: five hosts, and five records below, one of them below another.
const TEN: &str = r#"
spf TXT "v=spf1 a:h1.test a:h2.test a:h3.test include:r1.test include:r2.test include:r3.test -all"
r1  TXT "v=spf1 a:h4.test include:r4.test -all"
r2  TXT "v=spf1 a:h5.test include:r4.test -all"
r3  TXT "v=spf1 ip4:198.51.100.0/24 -all"
r4  TXT "v=spf1 ip4:203.0.113.0/24 -all"
$GENERATE 1-5 h$ A 192.0.2.$
"#;

#[tokio::test]
async fn a_tree_of_ten_terms_is_asked_once_and_in_rounds() {
    let server = NameServer::start(&[Zone::new("test", TEN)]);
    let published = expand(&resolver(&server), "spf.test").await.unwrap();
    assert_eq!(published.networks.len(), 7);
    let queries = server.queries();
    let kinds = |kind: &str| {
        let asked = queries.iter().filter(|query| query.kind == kind);
        let mut names: Vec<_> = asked.map(|query| query.name.as_str()).collect();
        names.sort_unstable();
        names
    };
    let hosts = ["h1.test", "h2.test", "h3.test", "h4.test", "h5.test"];
    assert_eq!(kinds("TXT"), ["r1.test", "r2.test", "r3.test", "r4.test", "spf.test"]);
    assert_eq!(kinds("A"), hosts);
    assert_eq!(kinds("AAAA"), hosts);
    // What the first record names is asked before anything that a later one names.
    let place = |name: &str| queries.iter().position(|query| query.name == name).unwrap();
    let second = ["h1.test", "h2.test", "h3.test", "r1.test", "r2.test", "r3.test"];
    for third in ["h4.test", "h5.test", "r4.test"] {
        assert!(
            place("spf.test") == 0 && second.iter().all(|name| place(name) < place(third)),
            "{queries:?}"
        );
    }
}

#[tokio::test]
async fn five_thousand_gateways_ask_each_name_once() {
    let server = NameServer::start(&[Zone::new("test", TEN)]);
    let dns = resolver(&server);
    let host = Domain::parse("h1.test").unwrap();
    let all = join_all((0..5000).map(async |_| {
        let (published, host) = tokio::join!(expand(&dns, "spf.test"), hosts::look_up(&dns, &host));
        published.unwrap().networks.len() + host.unwrap().networks.len()
    }));
    assert!(all.await.into_iter().all(|networks| networks == 8));
    let queries = server.queries();
    assert_eq!(queries.len(), 15, "{queries:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_gives_nothing_partial() {
    let mut server = NameServer::start(&[Zone::new("test", TEN)]);
    expand(&resolver(&server), "spf.test").await.unwrap();
    let host = Domain::parse("h1.test").unwrap();

    server.restart(&[Zone::broken("test")]);
    let dns = resolver(&server);
    for error in [expand(&dns, "spf.test").await.unwrap_err(), hosts::look_up(&dns, &host).await.unwrap_err()]
    {
        assert!(matches!(&error, SourceError::Unreachable(why) if why.ends_with("SERVFAIL")), "{error:?}");
    }
    let live = Live::new(Arc::new(dns), OWN);
    assert_eq!(live.passes(&LiveName::new("spf.test"), "192.0.2.1".parse().unwrap()).await, Answer::Unknown);

    // Nothing there, and nothing of the kind.
    server.restart(&[Zone::new("test", "h1 TXT \"v=spf1 -all\"")]);
    let dns = resolver(&server);
    for (error, want) in [
        (expand(&dns, "spf.test").await.unwrap_err(), "spf.test does not exist"),
        (hosts::look_up(&dns, &host).await.unwrap_err(), "h1.test has no addresses"),
        (
            hosts::look_up(&dns, &Domain::parse("h2.test").unwrap()).await.unwrap_err(),
            "h2.test does not exist",
        ),
    ] {
        assert_eq!(error, SourceError::Wrong(want.into()));
    }

    server.kill();
    let dns = resolver(&server);
    for error in [expand(&dns, "spf.test").await.unwrap_err(), hosts::look_up(&dns, &host).await.unwrap_err()]
    {
        assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    }
}

#[tokio::test]
async fn hosts_have_all_their_addresses() {
    let server = NameServer::start(&[Zone::new(
        "test",
        "mx 600 CNAME many\nmany 300 A 192.0.2.1\nmany 300 A 192.0.2.2\nmany 200 AAAA 2001:db8::1\n",
    )]);
    let published = hosts::look_up(&resolver(&server), &Domain::parse("MX.test").unwrap()).await.unwrap();
    assert_eq!(networks(&published), ["192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128"]);
    assert_eq!(published.ttl, Duration::from_secs(200));
    assert!(published.networks.iter().all(|one| &*one.via == "mx.test"));
}

#[tokio::test]
async fn live_answers_are_kept_and_asked_once() {
    let zone = "*.yes 30 A 127.0.0.2\nspf 30 TXT \"v=spf1 exists:%{i}.yes.test -all\"";
    let server = NameServer::start(&[Zone::new("test", zone)]);
    let live = Live::new(Arc::new(resolver(&server)), OWN);
    let name = LiveName::new("spf.test");
    let client: IpAddr = "192.0.2.1".parse().unwrap();
    let answers = join_all((0..100).map(|_| live.passes(&name, client))).await;
    assert_eq!(answers, [Answer::Yes; 100]);
    live.passes(&name, "::ffff:192.0.2.1".parse().unwrap()).await;
    let queries = server.queries();
    assert_eq!(queries.len(), 2, "{queries:?}");

    // A name that is another for each client is live and nothing else, and asks nothing.
    let published = expand(&resolver(&server), "%{ir}.%{v}.spf.test").await.unwrap();
    assert_eq!(published.live, [LiveName::new("%{ir}.%{v}.spf.test")]);
    assert!(published.networks.is_empty() && server.queries().len() == 2);
}
