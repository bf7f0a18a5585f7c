// SPDX-License-Identifier: GPL-3.0-or-later
//! Next hops by name: addresses of both families, MX records, and names that lead nowhere.

use crate::common::address::own_address6;
use crate::common::name_server::{NameServer, Zone};
use crate::peer::{Act, GREETING, Peer};
use postern::config;
use postern::dns::Resolver;
use postern::mail::NextHop;
use postern::policy::TlsWish;
use postern::servers::{Looked, Outcome, Patience, Probe};
use std::net::{IpAddr, SocketAddr};

fn probe(dns: &NameServer) -> Probe<Resolver> {
    let dns = config::Dns { servers: vec![dns.address()], dnssec: false };
    let names = Box::new(move || Resolver::new(&dns).map_err(|error| error.to_string()));
    Probe::new(names, "mx.example", None, Patience::default()).unwrap()
}

/// The hosts that were visited, and in one word what came of each.
fn told(looked: &Looked) -> Vec<(String, Option<IpAddr>, &'static str)> {
    let visits = looked.visits.iter();
    visits
        .map(|visit| (visit.host.clone(), visit.address.map(|address| address.ip()), visit.outcome.as_str()))
        .collect()
}

#[tokio::test]
async fn every_address_of_a_name_is_visited() {
    let six = own_address6();
    let port = six.port();
    let four: SocketAddr = ([127, 0, 0, 1], port).into();
    let (IpAddr::V4(first), IpAddr::V6(_)) = (four.ip(), six.ip()) else { panic!() };
    let records = format!(
        "both A {first}\nboth AAAA ::1\nfour A {first}\nsix AAAA ::1\nnothing TXT \"x\"\nalias CNAME both\n\
         @ MX 20 both\n@ MX 10 four\n@ MX 30 missing\nnull MX 0 .\nbare A {first}\n"
    );
    let dns = NameServer::start(&[Zone::new("a.example", records), Zone::broken("broken.example")]);
    // Nobody listens at IPv4: mail is taken at the other address.
    let _peer = Peer::at(six, Act::plain(GREETING, &[])).await;
    let probe = probe(&dns);
    let look = async |written: &str| {
        let hop = NextHop::parse(&format!("{written}:{port}")).unwrap();
        probe.look(&hop, &TlsWish::May).await
    };
    let named = |name: &str, address: Option<IpAddr>, outcome| (format!("{name}a.example"), address, outcome);
    let (four, six) = (Some(four.ip()), Some(six.ip()));
    for (written, want, takes) in [
        ("both.a.example", vec![named("both.", four, "refused"), named("both.", six, "fine")], Some(true)),
        ("alias.a.example", vec![named("alias.", four, "refused"), named("alias.", six, "fine")], Some(true)),
        ("four.a.example", vec![named("four.", four, "refused")], Some(false)),
        ("six.a.example", vec![named("six.", six, "fine")], Some(true)),
        ("nothing.a.example", vec![named("nothing.", None, "no-address")], Some(false)),
        ("missing.a.example", vec![named("missing.", None, "no-address")], Some(false)),
        (
            "mx:a.example",
            vec![
                named("four.", four, "refused"),
                named("both.", four, "refused"),
                named("both.", six, "fine"),
                named("missing.", None, "no-address"),
            ],
            Some(true),
        ),
        ("mx:null.a.example", vec![named("null.", None, "no-address")], Some(false)),
        // RFC 5321 5.1: without an MX record, the name itself.
        ("mx:six.a.example", vec![named("six.", six, "fine")], Some(true)),
        ("mx:missing.a.example", vec![named("missing.", None, "no-address")], Some(false)),
        ("broken.example", vec![("broken.example".into(), None, "unresolved")], None),
        ("mx:broken.example", vec![("broken.example".into(), None, "unresolved")], None),
    ] {
        let looked = look(written).await;
        assert_eq!((told(&looked), looked.takes_mail()), (want, takes), "{written}");
    }
    let null = look("mx:null.a.example").await;
    let Outcome::NoAddress(why) = &null.visits[0].outcome else { panic!("{null:?}") };
    assert!(why.contains("takes no mail (null MX)"), "{why}");
}
