// SPDX-License-Identifier: GPL-3.0-or-later
//! What a sync does to what is in force, with a source that says what it is told to say.

use crate::contract::{House, Told};
use postern::directories::{Outcome, Record, Which};
use postern::mail::{DomainPattern, RecipientKind};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// The keys of a directory whose own source is never asked.
pub(crate) const KEYS: &str = "type = \"csv\"\npath = \"people.csv\"\nremoval_grace = \"3d\"\n";

pub(crate) fn house(more: &str) -> House {
    let mut house = House::new(&format!("{KEYS}{more}"));
    house.served.push(DomainPattern::parse("*.example.net").unwrap());
    house
}

/// People `from..to`.
pub(crate) fn people(from: usize, to: usize) -> Vec<Record> {
    (from..to).map(|number| person(&format!("user{number}@example.com"))).collect()
}

pub(crate) fn person(address: &str) -> Record {
    Record { key: address.into(), addresses: vec![address.into()], ..Record::default() }
}

pub(crate) fn group(key: &str, members: &[&str]) -> Record {
    Record {
        key: key.into(),
        kind: RecipientKind::Group,
        name: Some(key.to_uppercase().into()),
        members: members.iter().map(|member| (*member).into()).collect(),
        ..Record::default()
    }
}

fn applied(outcome: &Outcome) -> (u64, u64, u64) {
    match outcome {
        Outcome::Applied(applied) => (applied.added, applied.removed, applied.total),
        other => panic!("{other:#?}"),
    }
}

fn why(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Held { why, .. } => why.join("; "),
        other => panic!("{other:#?}"),
    }
}

fn failure(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { error, .. } => error.to_string(),
        other => panic!("{other:#?}"),
    }
}

#[tokio::test]
async fn a_first_sync_is_in_force_and_the_same_again_changes_nothing() {
    let house = house("");
    assert!(house.loaded().is_none());
    let source = Told::everything(people(0, 100));
    assert_eq!(applied(&house.sync_with(&source).await.outcome), (100, 0, 100));
    assert!(house.has("USER7@Example.com") && !house.has("user100@example.com"));
    house.pass(DAY);
    let again = house.sync_with(&source).await;
    assert!(matches!(again.outcome, Outcome::Unchanged { total: 100 }), "{again:#?}");
    assert_eq!(house.shelf.state().unwrap().as_of, Some(house.now()));
    assert_eq!(house.shelf.history().unwrap().len(), 1);
    let shuffled = Told::everything(people(0, 100).into_iter().rev().collect());
    assert!(matches!(house.sync_with(&shuffled).await.outcome, Outcome::Unchanged { .. }));
}

#[tokio::test]
async fn what_is_gone_has_grace_and_comes_back() {
    let house = house("max_removed = 100\n");
    house.sync_with(&Told::everything(people(0, 30))).await;
    house.pass(DAY);
    assert_eq!(applied(&house.sync_with(&Told::everything(people(2, 31))).await.outcome), (1, 2, 29));
    assert!(house.has("user0@example.com"), "it has grace");
    let gone = house.now();
    let leaving: Vec<String> = house
        .shelf
        .open(Which::InForce)
        .unwrap()
        .leaving(house.view())
        .unwrap()
        .map(|leaving| leaving.unwrap().address.to_string())
        .collect();
    assert_eq!(leaving.len(), 2, "{leaving:?}");
    assert!(leaving.contains(&"user1@example.com".to_owned()), "{leaving:?}");
    assert_eq!(house.loaded().unwrap().next_expiry, Some(gone.after(3 * DAY)));
    house.pass(DAY);
    assert_eq!(applied(&house.sync_with(&Told::everything(people(1, 31))).await.outcome), (1, 0, 30));
    house.pass(2 * DAY);
    assert!(!house.has("user0@example.com"), "its grace is over, without another sync");
    assert!(house.has("user1@example.com"), "it came back");
    assert_eq!(house.loaded().unwrap().next_expiry, None);
    let find = |address: &str| {
        let mailbox = postern::mail::Mailbox::parse_strict(address).unwrap();
        house.shelf.open(Which::InForce).unwrap().find(&mailbox, house.view()).unwrap()
    };
    assert!(find("user0@example.com").is_none());
    assert_eq!(find("user9@example.com").unwrap().records.len(), 1);
    let first = find("user1@example.com").unwrap().first_seen.unwrap();
    assert_eq!(house.now().since(first), 4 * DAY, "the date of the first time");
}

#[tokio::test]
async fn a_shrink_is_held_until_it_is_accepted() {
    let house = house("");
    house.sync_with(&Told::everything(people(0, 100))).await;
    for (left, held) in [(95, false), (85, true), (0, true)] {
        let synced = house.sync_with(&Told::everything(people(0, left))).await;
        assert_eq!(matches!(synced.outcome, Outcome::Held { .. }), held, "{left}: {synced:#?}");
        assert!(house.has("user94@example.com"), "{left}");
        let pending = house.shelf.state().unwrap().pending;
        assert_eq!(pending.is_some(), held, "{left}: {pending:?}");
    }
    let synced = house.sync_with(&Told::everything(people(0, 85))).await;
    assert_eq!(why(&synced.outcome), "10 of 95 recipients are gone, more than 10 percent");
    let number = house.shelf.state().unwrap().pending.unwrap().serial;
    house.sync_with(&Told::everything(people(0, 85))).await;
    assert_eq!(house.shelf.state().unwrap().pending.unwrap().serial, number, "the same answer waits already");
    let diff = house.shelf.diff(Which::InForce, Which::Pending, 3).unwrap();
    assert_eq!((diff.added.count, diff.removed.count), (0, 10));
    assert_eq!(
        diff.removed.first.iter().map(|one| &**one).collect::<Vec<_>>(),
        ["user85@example.com", "user86@example.com", "user87@example.com"]
    );
    house.pass(DAY);
    assert_eq!(house.shelf.accept(false, house.now()).unwrap(), number);
    assert!(house.has("user90@example.com"), "grace begins when it is accepted");
    house.pass(3 * DAY);
    assert!(!house.has("user90@example.com") && house.has("user84@example.com"));
    // Whoever is back within bounds needs nobody.
    assert!(matches!(house.sync_with(&Told::everything(vec![])).await.outcome, Outcome::Held { .. }));
    house.sync_with(&Told::everything(people(0, 86))).await;
    assert!(house.shelf.state().unwrap().pending.is_none());
    assert!(house.has("user85@example.com"));
    // At once, without grace.
    house.sync_with(&Told::everything(people(0, 20))).await;
    house.shelf.accept(true, house.now()).unwrap();
    assert!(!house.has("user50@example.com") && house.has("user19@example.com"));
}

#[tokio::test]
async fn a_domain_that_loses_everyone_is_held() {
    let house = house("");
    let mut all = people(0, 1000);
    all.extend((0..10).map(|number| person(&format!("user{number}@a.example.net"))));
    house.sync_with(&Told::everything(all)).await;
    let synced = house.sync_with(&Told::everything(people(0, 1000))).await;
    assert_eq!(why(&synced.outcome), "*.example.net had 10 recipients and has none");
}

#[tokio::test]
async fn nobody_at_all_is_a_failure_at_first() {
    let house = house("");
    let synced = house.sync_with(&Told::everything(vec![person("ann@elsewhere.example")])).await;
    assert_eq!(
        failure(&synced.outcome),
        "the source has no recipient in the domains that are served (1 addresses, 0 of them invalid, 1 elsewhere)"
    );
    assert!(house.loaded().is_none());
    let state = house.shelf.state().unwrap();
    assert_eq!((state.failures, state.in_force), (1, None));
    let synced = house.sync_with(&Told::everything(people(0, 1))).await;
    assert!(synced.recovered, "{synced:#?}");
}

#[tokio::test]
async fn changes_are_laid_over_what_is_in_force() {
    let house = house("");
    house.sync_with(&Told::everything(people(0, 100))).await;
    let mut renamed = person("user5@example.com");
    renamed.addresses = vec!["five@example.com".into()];
    let changes = Told::changes(vec![person("new@example.com"), renamed], &["user6@example.com", "nobody"]);
    assert_eq!(applied(&house.sync_with(&changes).await.outcome), (2, 2, 100));
    for (address, want) in
        [("new@example.com", true), ("five@example.com", true), ("user7@example.com", true)]
    {
        assert_eq!(house.has(address), want, "{address}");
    }
    house.pass(3 * DAY);
    assert!(!house.has("user5@example.com") && !house.has("user6@example.com"));
    let nothing = house.sync_with(&Told::nothing()).await;
    assert!(matches!(nothing.outcome, Outcome::Unchanged { total: 100 }), "{nothing:#?}");
}

#[tokio::test]
async fn an_object_that_comes_again_takes_its_own_place_and_rows_of_files_do_not() {
    let house = house("");
    let mut later = person("ann@example.com");
    later.addresses = vec!["anna@example.com".into()];
    let mut told = people(0, 20);
    told.insert(0, person("ann@example.com"));
    told.push(later.clone());
    let synced = house.sync_with(&Told::everything(told.clone())).await;
    assert_eq!(synced.counts.unwrap().replaced, 1);
    assert!(house.has("anna@example.com") && !house.has("ann@example.com"));
    for (line, record) in (1..).zip(&mut told) {
        record.line = Some(line);
    }
    let synced = house.sync_with(&Told::everything(told)).await;
    assert_eq!(synced.counts.unwrap().replaced, 0);
    assert!(house.has("anna@example.com") && house.has("ann@example.com"));
}

#[tokio::test]
async fn what_is_wrong_is_counted_and_listed() {
    let house = house("patterns = true\ninclude = [\"users\", \"groups\"]\n");
    let mut told = people(0, 200);
    told.push(Record { key: "a".into(), addresses: vec!["USER3@example.com".into()], ..Record::default() });
    told.push(Record { key: "b".into(), addresses: vec!["no address".into()], ..Record::default() });
    told.push(Record { kind: RecipientKind::Room, ..person("room@example.com") });
    told.push(person("@whole.example.net"));
    told.push(person("bounces-*@example.com"));
    told.push(person("ann@elsewhere.example"));
    let synced = house.sync_with(&Told::everything(told)).await;
    let counts = synced.counts.unwrap();
    assert_eq!(
        (counts.invalid, counts.outside, counts.duplicates, counts.passed_over),
        (1, 1, 1, 1),
        "{counts:#?}"
    );
    let loaded = house.loaded().unwrap();
    assert_eq!(loaded.meta.invalid[0].place.as_ref(), "b");
    assert_eq!(
        loaded.meta.collisions[0].spellings.each_ref().map(|one| &**one),
        ["user3@example.com", "USER3@example.com"]
    );
    assert!(house.has("whoever@whole.example.net") && !house.has("room@example.com"));
    assert_eq!(loaded.recipients.patterns.len(), 1);
    let mut told = people(0, 200);
    told.extend((0..20).map(|number| Record { key: "x".into(), line: Some(number), ..person("x y") }));
    let synced = house.sync_with(&Told::everything(told)).await;
    let text = failure(&synced.outcome);
    assert!(text.starts_with("20 of 220 addresses are invalid, first line 0: \"x y\": "), "{text}");
}

#[tokio::test]
async fn groups_are_resolved_whatever_is_in_them() {
    let house = house("");
    let mut told = people(0, 30);
    told.push(group("inner", &["user1@example.com", "user2@example.com", "outer"]));
    told.push(group("outer", &["inner", "USER3@example.com", "nobody", "x@elsewhere.example"]));
    told.push(Record { groups: vec!["named".into(), "OUTER".into()], ..person("user99@example.com") });
    let mut source = Told::everything(told);
    source.memberships = vec![("named".into(), "user4@example.com".into())];
    house.sync_with(&source).await;
    let snapshot = house.shelf.open(Which::InForce).unwrap();
    let wanted = ["inner", "named", "outer", "user1@example.com"].map(Arc::from);
    let members = snapshot.recipients(house.view(), &wanted).unwrap().groups;
    for (name, want) in [("inner", 4), ("outer", 4), ("named", 2), ("user1@example.com", 0)] {
        assert_eq!(members[name].len(), want, "{name}");
    }
    let groups = &snapshot.meta().groups;
    assert_eq!((groups.groups, groups.dangling, groups.cyclic), (3, 2, 2), "{groups:?}");
}

#[tokio::test]
async fn going_back_pins_until_somebody_accepts() {
    let house = house("");
    house.sync_with(&Told::everything(people(0, 100))).await;
    house.sync_with(&Told::everything(people(0, 110))).await;
    assert_eq!(house.shelf.rollback(None, house.now()).unwrap(), 1);
    assert!(!house.has("user105@example.com"));
    let synced = house.sync_with(&Told::everything(people(0, 110))).await;
    assert!(why(&synced.outcome).contains("by hand"), "{synced:#?}");
    assert!(!house.has("user105@example.com"));
    house.shelf.accept(false, house.now()).unwrap();
    assert!(house.has("user105@example.com"));
    assert_eq!(applied(&house.sync_with(&Told::everything(people(0, 111))).await.outcome), (1, 0, 111));
    assert!(house.shelf.rollback(Some(77), house.now()).is_err());
}

#[tokio::test]
async fn a_failed_sync_changes_nothing() {
    let house = house("");
    house.sync_with(&Told::everything(people(0, 100))).await;
    let mut lost = Told::everything(people(0, 50));
    lost.fails = true;
    for _ in 0..2 {
        let synced = house.sync_with(&lost).await;
        assert_eq!(failure(&synced.outcome), "incomplete: the connection is gone");
    }
    assert_eq!(house.shelf.state().unwrap().failures, 2);
    assert_eq!(house.loaded().unwrap().meta.addresses, 100);
    let left: Vec<_> = std::fs::read_dir(house.shelf.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
