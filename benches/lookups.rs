// SPDX-License-Identifier: GPL-3.0-or-later
//! What a decision costs: the network of a client, the entry of a recipient, the whole of `decide`, and what is noted.
//!
//! `cargo bench --bench lookups`. Addresses and networks are made by a fixed rule, so that runs compare; those asked for
//! are drawn all over the set, because a set that is always asked for the same entry answers from the cache.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)] // A benchmark that fails here says so.

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use postern::gate::Hidden;
use postern::mail::{
    Client, Domain, DomainPattern, DomainTable, HeaderFacts, Mailbox, MailboxSet, MailboxSetBuilder, Network,
    NetworkSet, Recipient, ReversePath, Session,
};
use postern::policy::{
    self, Answers, Directories, Directory, DomainPolicy, Gateway, Gateways, Internal, LoopRule, Mode, Policy,
    RecipientRules, Replies, Reputation, Source, Unlisted, Unrouted, Verdicts,
};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A number that looks random and is the same in every run (`SplitMix64`).
fn scrambled(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One network in four is IPv6.
fn network(number: u64) -> (Network, IpAddr) {
    let [a, b, c, d, low, high, ..] = scrambled(number).to_le_bytes();
    let (text, inside): (String, IpAddr) = if number.is_multiple_of(4) {
        let net =
            Ipv6Addr::new(0x2001, u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]), 0, 0, 0, 0, 0);
        (format!("{net}/48"), (u128::from(net) | u128::from(low)).to_be_bytes().into())
    } else {
        (format!("{}.{b}.{c}.0/24", a.max(1)), Ipv4Addr::new(a.max(1), b, c, high).into())
    };
    (Network::parse(&text).unwrap().network, inside)
}

fn networks(count: u64) -> (NetworkSet, Vec<IpAddr>) {
    let set = (0..count).map(|n| network(n).0).collect();
    let asked = (0..4096).map(|n| network(scrambled(n) % count).1).collect();
    (set, asked)
}

fn address(number: u64) -> String {
    let names = ["ann", "bob", "carla", "dimitri", "eleonora", "f.lastname", "giovanni", "h"];
    let name = names[usize::try_from(scrambled(number) % 8).unwrap()];
    format!("{name}.{number}@dept{}.example.com", number % 100)
}

fn mailboxes(count: u64) -> MailboxSet {
    let mut builder = MailboxSetBuilder::new();
    (0..count).for_each(|number| builder.insert(&Mailbox::parse_strict(&address(number)).unwrap()));
    builder.build()
}

fn lookup_networks(c: &mut Criterion) {
    let mut group = c.benchmark_group("network");
    for count in [1_000, 100_000] {
        let (set, asked) = networks(count);
        let mut turn = asked.iter().cycle();
        group.bench_function(format!("{count}/hit"), |b| {
            b.iter_batched(
                || *turn.next().unwrap(),
                |address| set.find(black_box(address)).is_some(),
                BatchSize::SmallInput,
            );
        });
        let strangers: Vec<IpAddr> = (0..4096)
            .map(|n: u32| Ipv4Addr::from(0xf000_0000 | n.wrapping_mul(2_654_435_761) >> 4).into())
            .collect();
        let mut turn = strangers.iter().cycle();
        group.bench_function(format!("{count}/miss"), |b| {
            b.iter_batched(
                || *turn.next().unwrap(),
                |address| set.find(black_box(address)).is_some(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn lookup_recipients(c: &mut Criterion) {
    let mut group = c.benchmark_group("recipient");
    for count in [1_000_000, 10_000_000] {
        let set = mailboxes(count);
        for (name, from) in [("hit", 0), ("miss", count)] {
            let asked: Vec<(String, Domain)> = (0..65_536)
                .map(|n| {
                    let mailbox = Mailbox::parse_strict(&address(from + scrambled(n) % count)).unwrap();
                    (mailbox.folded_local().unwrap(), mailbox.domain().unwrap().clone())
                })
                .collect();
            let mut turn = asked.iter().cycle();
            group.bench_function(format!("{count}/{name}"), |b| {
                b.iter_batched(
                    || turn.next().unwrap(),
                    |(local, domain)| set.contains(black_box(local), black_box(domain)),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn decide(c: &mut Criterion) {
    for (name, count) in [("decide", 1_000_000), ("decide of 10 million", 10_000_000)] {
        decide_of(c.benchmark_group(name), count);
    }
}

/// Decisions where so many recipients exist.
fn decide_of(mut group: BenchmarkGroup<'_, WallTime>, count: u64) {
    let (set, asked) = networks(1_000);
    let mut gateways = Gateways::default();
    let gateway = gateways.add(Gateway::by_networks("filter", set));
    let mut directories = Directories::default();
    let directory = directories.add(Directory::loaded("staff", mailboxes(count).into()));
    let mut table = DomainTable::default();
    for number in 0..100 {
        let pattern = DomainPattern::parse(&format!("dept{number}.example.com")).unwrap();
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode: Mode::Enforce,
            source: Source::Gateways(vec![gateway]),
            directories: vec![directory],
            subaddress: "+".into(),
            recipients: RecipientRules::default(),
            unrouted: Unrouted::Pass,
            scan: None,
            verdicts: Verdicts::default(),
            replies: Replies::default(),
        };
        table.insert(pattern, Arc::new(domain));
    }
    let loops = LoopRule { id: "mx.example.com".into(), max_passes: 3, max_received: 50 };
    let policy = Policy::new(
        Internal::default(),
        Unlisted::default(),
        table,
        gateways,
        directories,
        loops,
        Reputation::default(),
    );
    let session = |address: IpAddr| Session {
        client: Client { address: Some(address), ..Client::default() },
        ..Session::default()
    };
    let recipients: Vec<Recipient> = (0..65_536)
        .map(|n| {
            let address = address(scrambled(n) % count);
            Recipient::new(format!("<{address}>").as_bytes(), Some(address.as_bytes()), None)
        })
        .collect();
    let deliverers: Vec<Session> = asked.into_iter().map(session).collect();
    let strangers = vec![session("240.0.0.1".parse().unwrap())];
    for (name, sessions) in [("accepted", &deliverers), ("refused", &strangers)] {
        let (mut who, mut whom) = (sessions.iter().cycle(), recipients.iter().cycle());
        group.bench_function(name, |b| {
            b.iter_batched(
                || (who.next().unwrap(), whom.next().unwrap()),
                |(session, recipient)| policy::recipient(&policy, session, recipient, &Answers::default()),
                BatchSize::SmallInput,
            );
        });
    }
    let mut facts = HeaderFacts::default();
    (0..8).for_each(|_| facts.note(b"Received", b"from a by b", policy.watch()));
    let accepted = policy::recipient(&policy, &deliverers[0], &recipients[0], &Answers::default());
    let answers = Answers::default();
    group.bench_function("headers", |b| {
        b.iter(|| policy::headers(&policy, &[&accepted], black_box(&facts), &answers));
    });
    group.finish();
}

/// What it costs to notice whether clients hide behind one address, once for each message.
fn notice(c: &mut Criterion) {
    let senders: Vec<ReversePath> =
        (0..4096).map(|n| ReversePath::parse(format!("<eve@sender{n}.example>").as_bytes())).collect();
    let (_, many) = networks(10_000);
    let mut group = c.benchmark_group("notice");
    for (name, clients) in [
        ("many clients", many),
        ("one public gateway", vec!["203.0.113.9".parse().unwrap()]),
        ("one private gateway", vec!["172.17.0.1".parse().unwrap()]),
    ] {
        let hidden = Hidden::default();
        let (mut who, mut whose) = (clients.iter().cycle(), senders.iter().cycle());
        group.bench_function(name, |b| {
            b.iter(|| hidden.note(*who.next().unwrap(), Some(b"mx.gateway.example"), whose.next()));
        });
    }
    group.finish();
}

criterion_group!(benches, lookup_networks, lookup_recipients, decide, notice);
criterion_main!(benches);
