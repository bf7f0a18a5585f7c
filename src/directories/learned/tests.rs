// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept of unknown recipients, what goes when there are too many, and what approval makes of them.

use super::*;
use crate::mail::Domain;
use std::path::PathBuf;
use std::sync::Arc;

fn noted(addresses: &[(&str, u64)]) -> gate::Learned {
    let seen = |count| gate::Noted { count, gateway: Some("seg".into()) };
    let addresses = addresses.iter().map(|&(address, count)| (Arc::from(address), seen(count))).collect();
    gate::Learned { addresses, missed: 0 }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse_strict(text).unwrap()
}

fn waiting(learned: &Learned) -> Vec<String> {
    learned.waiting().map(|(address, seen)| format!("{address} {}", seen.count)).collect()
}

fn dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("postern-learned-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn addresses_wait_are_approved_and_forgotten() {
    let mut learned = Learned::default();
    learned.merge(noted(&[("ann@a.example", 2), ("bob@a.example", 1)]), at(100));
    learned.merge(noted(&[("ann@a.example", 3), ("\"a b\"@b.example", 1)]), at(200));
    assert_eq!(waiting(&learned), ["\"a b\"@b.example 1", "ann@a.example 5", "bob@a.example 1"]);
    let ann = &learned.waiting[&Address("ann@a.example".into())];
    assert_eq!((ann.first, ann.last, ann.gateway.as_deref()), (100, 200, Some("seg")));
    // A clock that was turned back makes nothing older.
    learned.merge(noted(&[("ann@a.example", 1)]), at(50));
    assert_eq!(learned.waiting[&Address("ann@a.example".into())].last, 200);

    let (known, quoted, strange) =
        (mailbox("ANN@A.example"), mailbox("\"A B\"@b.example"), mailbox("eve@a.example"));
    assert_eq!(learned.approve([&known, &strange, &quoted]), [&strange]);
    assert_eq!(learned.approve([&known]), [] as [&Mailbox; 0], "twice is no mistake");
    assert_eq!(waiting(&learned), ["bob@a.example 1"]);
    // What an old policy still learns of them is counted and nothing else.
    learned.merge(noted(&[("ann@a.example", 1)]), at(300));
    assert_eq!(waiting(&learned), ["bob@a.example 1"]);
    assert_eq!(learned.approved[&Address("ann@a.example".into())].count, 7);

    let recipients = learned.recipients();
    let domain = |text: &str| Domain::parse(text).unwrap();
    assert!(recipients.mailboxes.contains("ann", &domain("a.example")));
    assert!(recipients.mailboxes.contains("a b", &domain("b.example")));
    assert!(!recipients.mailboxes.contains("bob", &domain("a.example")), "not approved");
    let served = recipients.served.unwrap();
    assert_eq!(served, ["a.example", "b.example"].map(|d| DomainPattern::parse(d).unwrap()).into());

    assert_eq!(learned.forget([&known, &mailbox("bob@a.example"), &strange]), [&strange]);
    assert!(waiting(&learned).is_empty() && learned.approved().count() == 1);
}

#[test]
fn those_go_first_that_were_seen_least_and_longest_ago() {
    let mut learned = Learned::default();
    learned.merge(noted(&[("often@a.example", 5)]), at(1));
    learned.merge(noted(&[("early@a.example", 1)]), at(2));
    learned.merge(noted(&[("late@a.example", 1)]), at(3));
    learned.merge(noted(&[("yes@a.example", 1)]), at(1));
    learned.approve([&mailbox("yes@a.example")]);
    learned.bound(2, MOST_OCTETS);
    assert_eq!(waiting(&learned), ["late@a.example 1", "often@a.example 5"]);
    assert_eq!((learned.lost(), learned.approved().count()), (1, 1));
    learned.bound(2, 20);
    assert_eq!(waiting(&learned), ["often@a.example 5"]);
}

/// Whoever invents addresses fills neither memory nor disk, and drives out nobody who gets mail more than once.
#[test]
fn a_flood_is_bounded() {
    let mut learned = Learned::default();
    learned.merge(noted(&[("ann@a.example", 2)]), at(1));
    for round in 0..4 {
        let mut flood = gate::Learned { missed: 7, ..gate::Learned::default() };
        for n in 0..10_000 {
            let local = format!("{round}-{n}-{}", "\\\"".repeat(130));
            let address = crate::mail::address(&local, &Domain::parse("a.example").unwrap());
            flood.addresses.insert(address.into(), gate::Noted { count: 1, gateway: None });
        }
        learned.merge(flood, at(10 + round));
    }
    let octets: usize = learned.waiting().map(|(address, _)| address.as_str().len()).sum();
    assert!(learned.waiting.len() <= MOST && octets <= MOST_OCTETS, "{} {octets}", learned.waiting.len());
    assert!(learned.lost() > 4 * 7);
    assert!(learned.waiting.contains_key(&Address("ann@a.example".into())));
    let dir = dir("flood");
    Learned::update(&dir, |kept| *kept = learned.clone()).unwrap();
    assert_eq!(Learned::read(&dir).unwrap(), learned);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn addresses_are_printed_on_one_line() {
    for (local, want) in [
        ("a\u{202e}b", r"a\u{202e}b@a.example"),
        ("a\\b", r#""a\\\\b"@a.example"#),
        ("grün", "grün@a.example"),
    ] {
        let address = crate::mail::address(local, &Domain::parse("a.example").unwrap());
        assert_eq!(Address(address.into()).to_string(), want);
    }
}

#[test]
fn what_is_damaged_is_not_taken_for_nothing() {
    let dir = dir("damaged");
    assert_eq!(Learned::read(&dir).unwrap(), Learned::default());
    Learned::update(&dir, |learned| learned.merge(noted(&[("ann@a.example", 1)]), at(1))).unwrap();
    let file = dir.join(FILE);
    let mut content = std::fs::read(&file).unwrap();
    let last = content.len() - 2;
    content[last] ^= 1;
    std::fs::write(&file, &content).unwrap();
    assert!(matches!(Learned::read(&dir), Err(StoreError::Damaged(_))));
    let changed = Learned::update(&dir, |learned| learned.merge(noted(&[("bob@a.example", 1)]), at(1)));
    assert!(matches!(changed, Err(LockError::Store(StoreError::Damaged(_)))));
    assert_eq!(std::fs::read(&file).unwrap(), content, "what is damaged is left for its owner to see");
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A server that records and a command that approves at the same time take nothing back of each other.
#[test]
fn two_that_change_it_at_once() {
    let dir = dir("two");
    let rounds = 20;
    std::thread::scope(|scope| {
        for name in ["ann", "bob"] {
            let dir = &dir;
            scope.spawn(move || {
                for n in 0..rounds {
                    let address = format!("{name}{n}@a.example");
                    Learned::update(dir, |learned| learned.merge(noted(&[(&address, 1)]), at(1))).unwrap();
                    Learned::update(dir, |learned| learned.approve([&mailbox(&address)]).len()).unwrap();
                }
            });
        }
    });
    assert_eq!(Learned::read(&dir).unwrap().approved().count(), 2 * rounds);
    std::fs::remove_dir_all(&dir).unwrap();
}
