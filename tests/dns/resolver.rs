// SPDX-License-Identifier: GPL-3.0-or-later
//! The resolver: what each kind of answer becomes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use postern::config;
use postern::dns::{Dns as _, DnsError, Records, Resolver};

use crate::common::name_server::{NameServer, Zone};

fn resolver(server: &NameServer) -> Resolver {
    resolver_of(&[server], false)
}

fn resolver_of(servers: &[&NameServer], dnssec: bool) -> Resolver {
    let servers = servers.iter().map(|server| server.address()).collect();
    Resolver::new(&config::Dns { servers, dnssec }).unwrap()
}

fn why<T: std::fmt::Debug>(answer: Result<Records<T>, DnsError>) -> String {
    answer.unwrap_err().to_string()
}

const ZONE: &str = r#"
a.example       60   IN A     192.0.2.1
a.example       60   IN A     192.0.2.2
a.example       90   IN AAAA  2001:db8::1
a.example       70   IN TXT   "one " "two" "\255\000"
a.example       70   IN TXT   "three"
a.example       80   IN MX    20 mx2.example.
a.example       80   IN MX    10 mx1.example.
null.example    80   IN MX    0 .
www.example     30   IN CNAME alias.example.
alias.example   40   IN CNAME a.example.
dead.example    30   IN CNAME nowhere.example.
round.example   30   IN CNAME about.example.
about.example   30   IN CNAME round.example.
_a-b_.example        IN A     192.0.2.9
1.2.0.192.in-addr.arpa  50 IN PTR Host.a.example.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa 50 IN PTR six.a.example.
"#;

#[tokio::test]
async fn each_kind_of_answer() {
    let server = NameServer::start(&[Zone::new(".", ZONE), Zone::broken("broken.example")]);
    let dns = resolver(&server);

    let mut found = dns.ipv4("a.example").await.unwrap();
    found.found.sort();
    assert_eq!(
        found,
        Records {
            found: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
            exists: true,
            ttl: Duration::from_secs(60),
            validated: false,
        }
    );
    assert_eq!(
        dns.ipv6("A.Example").await.unwrap().found,
        ["2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap()]
    );
    let mut texts = dns.texts("a.example").await.unwrap().found;
    texts.sort();
    assert_eq!(texts, [b"one two\xff\x00".to_vec(), b"three".to_vec()]);
    assert_eq!(dns.exchangers("a.example").await.unwrap().found, ["mx1.example", "mx2.example"]);
    assert_eq!(dns.exchangers("null.example").await.unwrap().found, [""]);
    assert_eq!(dns.ipv4("_a-b_.example").await.unwrap().found, [Ipv4Addr::new(192, 0, 2, 9)]);
    for (address, want) in [
        ("192.0.2.1", "Host.a.example"),
        ("::ffff:192.0.2.1", "Host.a.example"),
        ("2001:db8::1", "six.a.example"),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(dns.names(address).await.unwrap().found, [want], "{address}");
    }

    let chain = dns.ipv4("www.example").await.unwrap();
    assert_eq!((chain.found.len(), chain.ttl), (2, Duration::from_secs(30)), "the shortest TTL of the chain");

    // NXDOMAIN and NODATA; both for the minimum that the SOA has.
    let none = dns.ipv4("nowhere.example").await.unwrap();
    assert_eq!((none.found.len(), none.exists, none.ttl), (0, false, Duration::from_secs(120)));
    let none = dns.ipv6("_a-b_.example").await.unwrap();
    assert_eq!((none.found.len(), none.exists, none.ttl), (0, true, Duration::from_secs(120)));
    let none = dns.ipv4("dead.example").await.unwrap();
    assert_eq!((none.found.len(), none.exists), (0, false), "an alias of nothing");
    let none = dns.ipv4("example").await.unwrap();
    assert_eq!((none.found.len(), none.exists), (0, true), "an empty non-terminal");

    assert_eq!(why(dns.ipv4("a.broken.example").await), "a.broken.example: the server answers SERVFAIL");
    for name in ["", "a..example", ".", "a.example.", &"a".repeat(64)] {
        assert_eq!(why(dns.ipv4(name).await), format!("{name}: not a name that DNS could have"));
    }
    // What a loop of aliases is called is the library's choice; it must end, and find nothing.
    assert!(dns.ipv4("round.example").await.map_or(true, |records| records.found.is_empty()));
}

#[tokio::test]
async fn an_answer_that_udp_cannot_hold_comes_over_tcp() {
    let long: Vec<_> = (0..40).map(|n| format!("long.example IN TXT \"{n} {}\"", "x".repeat(200))).collect();
    let server = NameServer::start(&[Zone::new(".", long.join("\n"))]);
    let found = resolver(&server).texts("long.example").await.unwrap().found;
    assert_eq!(found.len(), 40);
    let queries = server.queries();
    assert!(queries.iter().any(|query| query.tcp), "{queries:?}");
}

#[tokio::test]
async fn a_name_is_asked_once_for_its_ttl() {
    let server = NameServer::start(&[Zone::new(".", ZONE)]);
    let dns = resolver(&server);
    for name in ["a.example", "www.example", "nowhere.example"] {
        let asked: Vec<_> = (0..50).map(|_| dns.ipv4(name)).collect();
        futures_util::future::join_all(asked).await;
        for _ in 0..50 {
            dns.clone().ipv4(name).await.unwrap();
        }
        assert_eq!(server.asked(name, "A"), 1, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_or_mute_is_an_error_in_time() {
    let mut server = NameServer::start(&[Zone::new(".", ZONE)]);
    let dns = resolver(&server);
    server.freeze();
    let start = Instant::now();
    assert_eq!(why(dns.ipv4("a.example").await), "a.example: timed out");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    server.thaw();
    dns.ipv4("a.example").await.unwrap();
    server.kill();
    why(dns.ipv6("a.example").await);
    dns.ipv4("a.example").await.expect("what is known stays known for its TTL");
    server.restart(&[Zone::new(".", ZONE)]);
    dns.ipv6("a.example").await.unwrap();
}

#[tokio::test]
async fn one_of_two_servers_is_enough() {
    let mut dead = NameServer::start(&[Zone::new(".", ZONE)]);
    let server = NameServer::start(&[Zone::new(".", ZONE)]);
    dead.kill();
    for servers in [[&dead, &server], [&server, &dead]] {
        let found = resolver_of(&servers, false).ipv4("a.example").await.unwrap();
        assert_eq!(found.found.len(), 2);
    }
}

#[tokio::test]
async fn answers_are_validated() {
    let server = NameServer::start(&[
        Zone::signed("signed.example", "a IN A 192.0.2.1\nwww IN CNAME a\nplain IN NS ns\n"),
        Zone::new("plain.signed.example", "a IN A 192.0.2.1\n"),
        Zone::bogus("bogus.example", "a IN A 192.0.2.1\n"),
        Zone::new(".", ZONE),
    ]);
    let config = config::Dns { servers: vec![server.address()], dnssec: true };

    let dns = Resolver::with_anchors(&config, &server.anchors("signed.example")).unwrap();
    for name in ["a.signed.example", "www.signed.example"] {
        let found = dns.ipv4(name).await.unwrap();
        assert_eq!((found.found.len(), found.validated), (1, true), "{name}");
    }
    let none = dns.ipv6("a.signed.example").await.unwrap();
    assert_eq!((none.found.len(), none.exists, none.validated), (0, true, true));
    let none = dns.ipv6("b.signed.example").await.unwrap();
    assert_eq!((none.found.len(), none.exists, none.validated), (0, false, true));

    // A delegation that provably is not signed.
    let found = dns.ipv4("a.plain.signed.example").await.unwrap();
    assert_eq!((found.found.len(), found.validated), (1, false));
    let none = dns.ipv4("b.plain.signed.example").await.unwrap();
    assert_eq!((none.found.len(), none.exists, none.validated), (0, false, false));

    let dns = Resolver::with_anchors(&config, &server.anchors("bogus.example")).unwrap();
    assert_eq!(why(dns.ipv4("a.bogus.example").await), "a.bogus.example: the answer does not validate");

    // Without `dnssec` nobody looks.
    let found = resolver(&server).ipv4("a.bogus.example").await.unwrap();
    assert_eq!((found.found.len(), found.validated), (1, false));

    // By the real root's keys, nothing below a root without signatures is provably unsigned.
    let dns = Resolver::new(&config).unwrap();
    for name in ["a.example", "nowhere.example"] {
        assert_eq!(why(dns.ipv4(name).await), format!("{name}: the answer does not validate"));
    }
}

/// Making one sends nothing and needs no runtime.
#[test]
fn a_resolver_is_made_anywhere() {
    let servers = vec!["127.0.0.1:9".parse().unwrap(), "[::1]:9".parse().unwrap()];
    Resolver::new(&config::Dns { servers, dnssec: true }).unwrap();
    // Whatever the system's own file says, it is an answer and not a panic.
    drop(Resolver::new(&config::Dns::default()));
}

#[test]
fn anchors_that_cannot_be_read() {
    let config = config::Dns { servers: Vec::new(), dnssec: true };
    let error = Resolver::with_anchors(&config, "/nowhere/keys".as_ref()).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/keys: "), "{error}");
}
