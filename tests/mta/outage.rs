// SPDX-License-Identifier: GPL-3.0-or-later
//! The name server fails in each of its ways while Postfix takes mail: gateways that are SPF names stay what they were, also
//! over a restart; what can only be asked live is deferred; and each failure is in the log.

use std::net::IpAddr;

use crate::common::name_server::{NameServer, Zone};
use crate::common::wait::{SOON, wait_until};
use crate::dialogue::proxied;
use crate::house::{House, Kind};
use crate::mta::{Extra, Transport};
use crate::play::play;

const GATEWAY: &str = "192.0.2.9";
const STRANGER: &str = "198.51.100.7";

const UNKNOWN: &str = "451 4.7.1";
const REFUSED: &str = "550 5.7.1";

/// One gateway has addresses, the other is asked about each client.
const CONFIG: &str = r#"
state_dir = "@DIR@/state"
[dns]
servers = ["@DNS@"]
[loop]
id = "gate.test.example"
[milter]
listen = ["@LISTEN@"]
socket_mode = "0666"
[gateway.seg]
spf = ["spf.example"]
hosts = ["mx.example"]
[gateway.live]
spf = ["live.example"]
[domain."seg.example"]
mode = "enforce"
gateways = ["seg"]
[domain."live.example"]
mode = "enforce"
gateways = ["live"]
"#;

/// How a name server may fail.
enum Failure {
    Gone,
    Mute,
    Answers(Vec<Zone>),
}

#[test]
fn a_name_server_that_is_killed() {
    outage(Failure::Gone, "spf.example: timed out", UNKNOWN);
}

#[test]
fn a_name_server_that_is_mute() {
    outage(Failure::Mute, "timed out", UNKNOWN);
}

#[test]
fn a_name_server_that_answers_servfail() {
    outage(Failure::Answers(vec![Zone::broken("example")]), "the server answers SERVFAIL", UNKNOWN);
}

#[test]
fn a_name_server_whose_zone_is_empty() {
    outage(Failure::Answers(vec![Zone::new("example", "")]), "spf.example does not exist", UNKNOWN);
}

#[test]
fn a_name_server_that_serves_records_of_nobody() {
    let records = "spf TXT \"v=spf1 -all\"\nmx TXT x\nlive TXT \"v=spf1 -all\"";
    outage(Failure::Answers(vec![Zone::new("example", records)]), "the answer is empty", REFUSED);
}

#[test]
fn a_name_server_that_serves_records_of_the_whole_world() {
    let records =
        "spf TXT \"v=spf1 +all\"\nmx A 192.0.2.77\nlive TXT \"v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1\"";
    outage(
        Failure::Answers(vec![Zone::new("example", records)]),
        "passes more than a gateway can have",
        UNKNOWN,
    );
}

#[test]
fn a_name_server_that_refuses() {
    outage(Failure::Answers(vec![Zone::new("other", "")]), "the server answers REFUSED", UNKNOWN);
}

/// `why` is in the warning; `live` is what a client hears then whose gateway can only be asked live.
fn outage(failure: Failure, why: &str, live: &'static str) {
    let records = "spf TXT \"v=spf1 ip4:192.0.2.0/25 -all\"\nmx A 192.0.2.130\n\
                   live TXT \"v=spf1 exists:%{i}.list.example -all\"\n192.0.2.9.list A 127.0.0.2";
    let mut dns = NameServer::start(&[Zone::new("example", records)]);
    let config = CONFIG.replace("@DNS@", &dns.address().to_string());
    let mut house = House::open(Kind::Postfix, Transport::Unix, &config, &Extra::default());
    for (client, recipient) in
        [(GATEWAY, "ann@seg.example"), ("192.0.2.130", "ann@seg.example"), (GATEWAY, "ann@live.example")]
    {
        wait_until(&format!("{client} to be a gateway"), SOON, || {
            let mut smtp = house.proxied(address(client));
            smtp.command("MAIL FROM:<eve@sender.example>");
            smtp.command(format!("RCPT TO:<{recipient}>")).is_ok()
        });
    }
    holds(&house);
    match failure {
        Failure::Gone => dns.kill(),
        Failure::Mute => dns.freeze(),
        Failure::Answers(zones) => dns.restart(&zones),
    }
    holds(&house);
    // Whatever the resolver had kept is forgotten.
    let since = house.postern().log().len();
    house.postern().reload();
    house.postern().logged(since, "reloaded");
    holds(&house);
    refresh(&house, why);
    holds(&house);
    house.postern.take().expect("Postern runs").kill();
    house.start_postern();
    holds(&house);
    refresh(&house, why);
    holds(&house);
    let asked = [GATEWAY, STRANGER].map(|client| {
        proxied(client, address(client)).mail("eve@sender.example").no("ann@live.example", live)
    });
    play(&house, &asked);
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Has everything asked anew, and waits for the warning.
fn refresh(house: &House, why: &str) {
    let postern = house.postern();
    let since = postern.log().len();
    postern.signal("USR1");
    postern.logged(since, "told to refresh");
    wait_until("a warning", SOON, || {
        let log = postern.log();
        log[since..].lines().any(|line| {
            [" WARN ", "the last good set stays in force", "source=\"spf spf.example\"", why]
                .iter()
                .all(|words| line.contains(words))
        })
    });
}

/// The gateway's mail comes in, a stranger's does not.
fn holds(house: &House) {
    let client = |name: &str, client: &str| proxied(name, address(client)).mail("eve@sender.example");
    play(
        house,
        &[
            client("a gateway", GATEWAY).ok("ann@seg.example"),
            client("the last of its addresses", "192.0.2.127").ok("ann@seg.example"),
            client("its host", "192.0.2.130").ok("ann@seg.example"),
            client("a stranger", STRANGER).no("ann@seg.example", REFUSED),
            client("a neighbour", "192.0.2.128").no("ann@seg.example", REFUSED),
        ],
    );
}
