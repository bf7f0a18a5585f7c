// SPDX-License-Identifier: GPL-3.0-or-later
//! Small random trees of SPF records: the set that a name comes to agrees with asking for each address, by another
//! implementation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use postern::gateways::spf::{Live, expand};
use postern::gateways::{Published, SourceError};
use postern::mail::AddressRanges;
use postern::policy::{Answer, LiveName};
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::memory::{Host, Memory};

/// How many records there are; a record refers to later ones, and now and then to any.
const RECORDS: usize = 6;
/// How many hosts there are, some of which do not exist.
const HOSTS: usize = 5;

/// A qualifier, a mechanism, and a number that chooses what it refers to.
type Term = (&'static str, String, usize);
/// Terms, an end, and a number that chooses what that refers to.
type Record = (Vec<Term>, &'static str, usize);

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    (0u8..64).prop_map(|low| Ipv4Addr::new(192, 0, 2, low))
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    (0u16..16).prop_map(|low| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low))
}

fn qualifier() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just("+"), 2 => Just("-"), 1 => Just("~"), 1 => Just("?")]
}

/// A mechanism, with `@` for a record and `#` for a host.
fn mechanism() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (v4(), 26u8..=32).prop_map(|(address, length)| format!("ip4:{address}/{length}")),
        3 => (v6(), 124u8..=128).prop_map(|(address, length)| format!("ip6:{address}/{length}")),
        1 => v4().prop_map(|address| format!("ip6:::ffff:{address}")),
        5 => Just("include:@".to_owned()),
        2 => Just("a:#".to_owned()),
        1 => (26u8..=32, 120u8..=128).prop_map(|(v4, v6)| format!("a:#/{v4}//{v6}")),
        2 => Just("mx:#".to_owned()),
        1 => Just("exists:#".to_owned()),
        1 => Just("exists:%{i}.list.test".to_owned()),
        1 => Just("ptr".to_owned()),
    ]
}

fn end() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just(" -all"), 1 => Just(" ?all"), 2 => Just(""), 3 => Just(" redirect=@"), 1 => Just(" all")]
}

fn record() -> impl Strategy<Value = Record> {
    let term = (qualifier(), mechanism(), 0usize..100);
    (prop::collection::vec(term, 1..6), end(), 0usize..100)
}

fn host() -> impl Strategy<Value = Option<Host>> {
    let addresses = (prop::collection::vec(v4(), 0..3), prop::collection::vec(v6(), 0..3));
    let found = (addresses, prop::collection::vec(0..HOSTS, 0..3)).prop_map(|((ipv4, ipv6), exchangers)| {
        let exchangers = exchangers.into_iter().map(|at| format!("h{at}.test")).collect();
        Host { texts: Vec::new(), ipv4, ipv6, exchangers }
    });
    prop_oneof![6 => found.prop_map(Some), 1 => Just(None)]
}

fn names(records: &[Record], hosts: Vec<Option<Host>>, listed: &[Ipv4Addr]) -> Vec<(String, Host)> {
    let refer = |text: &str, from: usize, choice: usize| {
        // Later ones, so that few trees come back to themselves.
        let later = if choice == 99 { 0 } else { from + 1 + choice % (RECORDS - from) };
        text.replace('@', &format!("r{later}.test")).replace('#', &format!("h{}.test", choice % HOSTS))
    };
    let mut names = Vec::new();
    for (at, (terms, end, choice)) in records.iter().enumerate() {
        let terms = terms
            .iter()
            .map(|(qualifier, mechanism, choice)| format!(" {qualifier}{}", refer(mechanism, at, *choice)));
        let text = format!("v=spf1{}{}", terms.collect::<String>(), refer(end, at, *choice));
        names.push((format!("r{at}.test"), Host { texts: vec![text], ..Host::default() }));
    }
    let last = Host { texts: vec!["v=spf1 ip4:192.0.2.0/26 -all".into()], ..Host::default() };
    names.push((format!("r{RECORDS}.test"), last));
    for (at, host) in hosts.into_iter().enumerate() {
        names.extend(host.map(|host| (format!("h{at}.test"), host)));
    }
    for address in listed {
        let here = Host { ipv4: vec![Ipv4Addr::LOCALHOST], ..Host::default() };
        names.push((format!("{address}.list.test"), here));
    }
    names
}

async fn compare(dns: Arc<Memory>) -> Result<Option<Published>, TestCaseError> {
    let published = match expand(&*dns, "r0.test").await {
        Ok(published) => published,
        Err(SourceError::Wrong(_)) => return Ok(None),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    let set: AddressRanges = published.networks.iter().map(|one| one.network).collect();
    let live = Live::new(dns, "own.example");
    let name = LiveName::new("r0.test");
    let v4 = (0..70).map(|low| IpAddr::from(Ipv4Addr::new(192, 0, 2, low)));
    let v6 = (0..20).map(|low| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low)));
    for address in v4.chain(v6) {
        let answer = live.passes(&name, address).await;
        let want = if set.contains(address) { Answer::Yes } else { Answer::No };
        // What is live is only certain where it passes.
        if published.live.is_empty() || want == Answer::Yes {
            prop_assert_eq!(answer, want, "{} of {:?}", address, published);
        }
    }
    Ok(Some(published))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_set_agrees_with_asking_for_each_address(
        records in prop::collection::vec(record(), RECORDS),
        hosts in prop::collection::vec(host(), HOSTS),
        listed in prop::collection::vec(v4(), 0..20),
    ) {
        let names = names(&records, hosts, &listed);
        let texts: Vec<_> = names.iter().map(|(name, host)| format!("{name} {host:?}")).collect();
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(compare(Arc::new(Memory::new(names)))).map_err(|error| {
            TestCaseError::fail(format!("{error}\n{}", texts.join("\n")))
        })?;
    }
}
