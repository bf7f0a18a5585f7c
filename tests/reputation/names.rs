// SPDX-License-Identifier: GPL-3.0-or-later
//! Reverse names.

use postern::policy::ReverseName::{Confirmed, Missing, Unconfirmed, Unknown};

use crate::common::name_server::{NameServer, Zone};
use crate::support::{address, reputation};

const FORWARD: &str = "
a     0 IN A    203.0.113.1
a     0 IN A    203.0.113.2
six   0 IN AAAA 2001:db8::7
alias 0 IN CNAME a
n9    0 IN A    203.0.113.9
";
const REVERSE: &str = "
1 0 IN PTR A.Host.Example.
2 0 IN PTR nowhere.host.example.
2 0 IN PTR a.host.example.
3 0 IN PTR a.host.example.
4 0 IN PTR nowhere.host.example.
5 0 IN PTR host.broken.example.
6 0 IN PTR host.broken.example.
6 0 IN PTR a.host.example.
8 0 IN PTR a\\032b.host.example.
10 0 IN TXT \"no name\"
";

#[tokio::test]
async fn names_and_whether_they_point_back() {
    let zones = [
        Zone::new("host.example", FORWARD),
        Zone::broken("broken.example"),
        Zone::new("113.0.203.in-addr.arpa", REVERSE),
        Zone::broken("100.51.198.in-addr.arpa"),
        Zone::new(
            "8.b.d.0.1.0.0.2.ip6.arpa",
            "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 0 IN PTR six.host.example.\n\
             8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 0 IN PTR six.host.example.",
        ),
    ];
    let server = NameServer::start(&zones);
    let reputation = reputation(&server, &[]);
    let confirmed = |name: &str| Confirmed(name.into());
    let unconfirmed = |name: &str| Unconfirmed(name.into());
    for (client, want) in [
        ("203.0.113.1", confirmed("a.host.example")),
        ("::ffff:203.0.113.1", confirmed("a.host.example")),
        ("203.0.113.2", confirmed("a.host.example")),
        ("203.0.113.3", unconfirmed("a.host.example")),
        ("203.0.113.4", unconfirmed("nowhere.host.example")),
        ("203.0.113.5", Unknown),
        ("203.0.113.6", Unknown),
        ("203.0.113.7", Missing),
        ("203.0.113.8", Missing),
        ("203.0.113.10", Missing),
        ("198.51.100.1", Unknown),
        ("2001:db8::7", confirmed("six.host.example")),
        ("2001:db8::8", unconfirmed("six.host.example")),
    ] {
        assert_eq!(reputation.reverse(address(client)).await, want, "{client}");
    }
}

#[tokio::test]
async fn of_many_names_ten_are_looked_at_and_each_client_once() {
    use std::fmt::Write as _;
    let mut reverse = String::new();
    for n in 0..40 {
        writeln!(reverse, "9 0 IN PTR m{n}.host.example.").unwrap();
    }
    writeln!(reverse, "1 0 IN PTR a.host.example.").unwrap();
    let zones = [Zone::new("host.example", FORWARD), Zone::new("113.0.203.in-addr.arpa", reverse)];
    let mut server = NameServer::start(&zones);
    let reputation = reputation(&server, &[]);
    for _ in 0..5 {
        assert!(matches!(reputation.reverse(address("203.0.113.9")).await, Unconfirmed(_)));
        assert_eq!(reputation.reverse(address("203.0.113.1")).await, Confirmed("a.host.example".into()));
    }
    assert_eq!(server.asked("9.113.0.203.in-addr.arpa", "PTR"), 1);
    assert_eq!(server.asked("1.113.0.203.in-addr.arpa", "PTR"), 1);
    let forward =
        server.queries().into_iter().filter(|query| query.name.starts_with('m') && query.kind == "A");
    assert_eq!(forward.count(), 10);
    server.kill();
    assert_eq!(reputation.reverse(address("203.0.113.11")).await, Unknown, "a dead server");
    assert!(matches!(reputation.reverse(address("203.0.113.1")).await, Confirmed(_)), "what is kept");
}
