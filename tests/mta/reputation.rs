// SPDX-License-Identifier: GPL-3.0-or-later
//! What DNSBLs and reverse names do to clients of Postfix: to strangers of a domain that is its own first hop, to gateways,
//! and to those who hand their mail to a gateway.

use std::net::IpAddr;

use crate::common::name_server::{NameServer, Zone};
use crate::common::wait::{SOON, wait_until};
use crate::dialogue::{Dialogue, proxied};
use crate::house::{House, Kind};
use crate::mta::{Extra, Transport};
use crate::play::play;

/// A client that the zones list, one that they do not, and a gateway that they list.
const LISTED: &str = "198.51.100.7";
const UNLISTED: &str = "198.51.100.8";
const GATEWAY: &str = "192.0.2.9";

/// What every zone has (RFC 5782 5), and these addresses.
fn zone(name: &str, listed: &[&str]) -> Zone {
    let records = listed.iter().map(|address| format!("{} A 127.0.0.2\n", reversed(address)));
    Zone::new(name, records.chain(["2.0.0.127 A 127.0.0.2".to_owned()]).collect::<String>())
}

fn reversed(address: &str) -> String {
    address.rsplit('.').collect::<Vec<_>>().join(".")
}

/// Servers with these lines of reputation; own.example is its own first hop, seg.example has a gateway in front of it.
fn house(dns: &NameServer, reputation: &str) -> House {
    let address = dns.address();
    let config = format!(
        "state_dir = \"@DIR@/state\"\n[dns]\nservers = [\"{address}\"]\n[loop]\nid = \"gate.test.example\"\n\
         [milter]\nlisten = [\"@LISTEN@\"]\nsocket_mode = \"0666\"\n\
         [reputation]\n{reputation}\n\
         [gateway.seg]\nnetworks = [\"192.0.2.0/24\"]\n\
         [domain.\"own.example\"]\nmode = \"enforce\"\ngateways = \"any\"\n\
         [domain.\"seg.example\"]\nmode = \"enforce\"\ngateways = [\"seg\"]\n"
    );
    House::open(Kind::Postfix, Transport::Unix, &config, &Extra::default())
}

/// The zones are tested before they are believed; until then nobody can be told from anybody.
fn wait_for_zones(house: &House) {
    wait_until("the zones to be tested", SOON, || {
        let mut smtp = house.proxied(address("198.51.100.250"));
        smtp.command("MAIL FROM:<eve@sender.example>");
        smtp.command("RCPT TO:<ann@own.example>").is_ok()
    });
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn client(name: &str, text: &str) -> Dialogue {
    proxied(name, address(text)).mail("eve@sender.example")
}

/// Nobody asked about this client.
fn never_asked(dns: &NameServer, client: &str) {
    let asked: Vec<_> =
        dns.queries().into_iter().filter(|query| query.name.starts_with(&reversed(client))).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn a_listed_client_is_refused_unless_it_is_a_gateway() {
    let dns = NameServer::start(&[zone("bl.example", &[LISTED, GATEWAY, "192.0.2.10"])]);
    let house = house(&dns, "dnsbl = [\"bl.example\"]");
    wait_for_zones(&house);
    play(
        &house,
        &[
            client("listed", LISTED).no("ann@own.example", "554 5.7.1").ok("ann@unlisted.example").loops(&[]),
            client("listed, another message and nobody in particular", LISTED)
                .no("postmaster@own.example", "554 5.7.1")
                .no("nobody@own.example", "554 5.7.1"),
            client("not listed", UNLISTED).ok("ann@own.example").no("ann@seg.example", "550 5.7.1"),
            client("an IPv6 client", "2001:db8::1").ok("ann@own.example"),
            client("a private client, whom no list knows", "10.0.0.1").ok("ann@own.example"),
            client("a listed gateway", GATEWAY).ok("ann@seg.example"),
            client("the same to the domain that is its own first hop", "192.0.2.10")
                .ok("ann@seg.example")
                .ok("ann@own.example"),
        ],
    );
    assert_eq!(dns.asked(&format!("{}.bl.example", reversed(LISTED)), "A"), 1, "{:?}", dns.queries());
    never_asked(&dns, GATEWAY);
    never_asked(&dns, "192.0.2.10");
}

#[test]
fn weights_come_to_the_threshold_or_do_not() {
    let dns = NameServer::start(&[
        zone("one.example", &[LISTED, "198.51.100.1"]),
        zone("two.example", &[LISTED, "198.51.100.2"]),
        // In order but for two answers.
        Zone::new(
            "half.example",
            "2.0.0.127 A 127.0.0.2\n3.100.51.198 CNAME x.broken.example.\n2.100.51.198 CNAME x.broken.example.",
        ),
        Zone::broken("broken.example"),
        // Lists everybody, so that it is not believed.
        Zone::new("all.example", "* A 127.0.0.2"),
    ]);
    let house = house(
        &dns,
        "dnsbl = [\"one.example\", \"half.example\", { zone = \"two.example\", weight = 2 }, \
         { zone = \"all.example\", weight = 9 }]\nthreshold = 3",
    );
    wait_for_zones(&house);
    play(
        &house,
        &[
            client("one and two are three", LISTED).no("ann@own.example", "554 5.7.1"),
            client("one", "198.51.100.1").ok("ann@own.example"),
            client("two, and one that does not answer", "198.51.100.2").no("ann@own.example", "451 4.7.1"),
            client("one that does not answer", "198.51.100.3").ok("ann@own.example"),
            client("none", UNLISTED).ok("ann@own.example"),
        ],
    );
    let log = house.postern().log();
    assert!(log.lines().any(|line| line.contains(" WARN ") && line.contains("all.example")), "{log}");
}

#[test]
fn a_reverse_name_points_back() {
    let dns = NameServer::start(&[
        Zone::new("100.51.198.in-addr.arpa", "1 PTR mail.client.example.\n2 PTR other.client.example."),
        Zone::new("client.example", "mail A 198.51.100.1"),
        Zone::broken("113.0.203.in-addr.arpa"),
        Zone::new("2.0.192.in-addr.arpa", ""),
    ]);
    let house = house(&dns, "reverse_name = \"confirmed\"");
    play(
        &house,
        &[
            client("a name that points back", "198.51.100.1").ok("ann@own.example"),
            client("a name that does not", "198.51.100.2").no("ann@own.example", "550 5.7.25"),
            client("no name", "198.51.100.3").no("ann@own.example", "550 5.7.25"),
            client("nobody can tell", "203.0.113.1").no("ann@own.example", "451 4.7.25"),
            client("a gateway without a name", GATEWAY).ok("ann@seg.example"),
        ],
    );
    never_asked(&dns, GATEWAY);
}

/// The line that a gateway writes about its client.
fn received(client: &str) -> String {
    format!(
        "Received: from mail.client.example (mail.client.example [{client}])\r\n\tby seg.example with ESMTP id 1; \
         Fri, 20 Nov 2026 10:00:00 +0000"
    )
}

#[test]
fn mail_is_looked_at_behind_its_gateway_and_never_refused() {
    let mut dns = NameServer::start(&[zone("bl.example", &[LISTED, GATEWAY, "203.0.113.9"])]);
    let house = house(
        &dns,
        "dnsbl = [\"bl.example\"]\n\
         [gateway.holds]\nnetworks = [\"203.0.113.0/28\"]\nbehind = \"quarantine\"\n\
         [gateway.tags]\nnetworks = [\"203.0.113.16/28\"]\nbehind = \"tag\"\n\
         [domain.\"behind.example\"]\nmode = \"enforce\"\ngateways = [\"holds\", \"tags\"]\n",
    );
    wait_for_zones(&house);
    let (holds, tags) = ("203.0.113.9", "203.0.113.17");
    let behind = |name: &str, gateway: &str, lines: &[String]| {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        client(name, gateway).ok("ann@behind.example").headers(&lines)
    };
    let listed = || received(LISTED);
    let unlisted = || received(UNLISTED);
    play(
        &house,
        &[
            behind("a listed client on hold", holds, &[listed()]).held(&["ann@behind.example"], "listed"),
            behind("a listed client tagged", tags, &[listed()]).tags(&["listed"]),
            behind(
                "a hop of the gateway's own, then a listed client",
                holds,
                &[received("203.0.113.10"), listed()],
            )
            .held(&["ann@behind.example"], "listed"),
            behind("the same to be tagged", tags, &[received("203.0.113.18"), listed()]).tags(&["listed"]),
            behind("a client that is not listed", holds, &[unlisted()]),
            behind("what a client has written below", holds, &[unlisted(), listed()]),
            behind("another gateway in front of this one", holds, &[received(tags), listed()]),
            behind("no line at all", holds, &[]),
            behind("a line that cannot be read", tags, &["Received: somehow".to_owned()]),
            client("a gateway that is not looked behind", GATEWAY)
                .ok("ann@seg.example")
                .headers(&[&listed()]),
        ],
    );
    never_asked(&dns, holds);
    never_asked(&dns, GATEWAY);

    // Nobody answers: what was heard is kept, and nothing is in the way of anybody else's mail.
    dns.kill();
    play(
        &house,
        &[
            behind("a client who was not listed", holds, &[unlisted()]),
            behind("a client of whom nothing is known", holds, &[received("198.51.100.99")]),
            behind("and the listed one", tags, &[listed()]).tags(&["listed"]),
        ],
    );
}
