// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups that routing rules name: who is in them as decisions see it, who stays in them while he leaves, and what may not
//! happen to them by itself.

use crate::contract::{House, Told};
use crate::syncs::{group, house, people, person};
use postern::directories::{Outcome, Record};
use postern::mail::Mailbox;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A house whose routing rules name these groups.
fn wanting(names: &[&str]) -> House {
    let mut house = house("");
    want(&mut house, names);
    house
}

fn want(house: &mut House, names: &[&str]) {
    house.config.directories[0].rules.groups = names.iter().map(|name| (*name).into()).collect();
}

/// The numbers of the users who are in a group, as decisions see it; nothing where nobody has looked.
fn members(house: &House, group: &str) -> Option<Vec<usize>> {
    let loaded = house.loaded().unwrap();
    let set = loaded.recipients.groups.get(group)?;
    let is_in = |number: &usize| {
        let mailbox = Mailbox::parse_strict(&format!("user{number}@example.com")).unwrap();
        set.contains(&mailbox.folded_local().unwrap(), mailbox.domain().unwrap())
    };
    let found: Vec<usize> = (0..2000).filter(is_in).collect();
    assert_eq!(found.len(), set.len(), "{group}");
    Some(found)
}

fn users(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("user{number}@example.com")).collect()
}

/// People `0..count`, and groups of some of them.
fn told(count: usize, groups: &[(&str, Vec<usize>)]) -> Told {
    Told::everything(records(count, groups))
}

fn records(count: usize, groups: &[(&str, Vec<usize>)]) -> Vec<Record> {
    let mut told = people(0, count);
    for (name, numbers) in groups {
        let members = users(numbers.iter().copied());
        told.push(group(name, &members.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    told
}

#[tokio::test]
async fn only_groups_that_rules_name_are_loaded() {
    let mut house = wanting(&["ann's", "nobody's", "sales", "team-key"]);
    let few: Vec<usize> = vec![3, 700, 1999];
    let many: Vec<usize> = (0..2000).step_by(2).collect();
    let mut records = records(2000, &[("SALES", few.clone()), ("other", many.clone())]);
    // Two groups of one name, one of them found by it and the other one by its key; some are in both.
    for (key, name, numbers) in [("k1", "Ann's", 0..40), ("ANN'S", "unlike", 30..90)] {
        let members = users(numbers).iter().map(|member| member.as_str().into()).collect();
        let kind = postern::mail::RecipientKind::Group;
        records.push(Record { key: key.into(), kind, name: Some(name.into()), members, ..Record::default() });
    }
    house.sync_with(&Told::everything(records)).await;
    assert_eq!(members(&house, "sales"), Some(few));
    assert_eq!(members(&house, "ann's"), Some((0..90).collect()));
    assert_eq!(members(&house, "nobody's"), Some(vec![]));
    assert_eq!(members(&house, "other"), None);
    let loaded = house.loaded().unwrap();
    assert_eq!(loaded.groups, house.directory().rules.groups);
    want(&mut house, &["other"]);
    assert_eq!(members(&house, "other"), Some(many));
    assert_eq!(members(&house, "sales"), None);
}

#[tokio::test]
async fn whoever_leaves_stays_in_his_groups_as_long_as_he_stays() {
    let house = wanting(&["house", "outer", "sales"]);
    let all = |of_sales: &[usize], count| {
        let mut told = records(count, &[("sales", of_sales.to_vec()), ("house", vec![1])]);
        told.push(group("outer", &["sales"]));
        Told::everything(told)
    };
    house.sync_with(&all(&[1, 5, 21], 22)).await;
    // One leaves, one is taken out of the group; then another leaves, who was in none.
    house.pass(DAY);
    house.sync_with(&all(&[1], 21)).await;
    for group in ["sales", "outer"] {
        assert_eq!(members(&house, group), Some(vec![1, 21]), "{group}");
    }
    house.pass(DAY);
    house.sync_with(&all(&[1, 2], 20)).await;
    assert!(house.has("user20@example.com") && house.has("user21@example.com"));
    for group in ["sales", "outer"] {
        assert_eq!(members(&house, group), Some(vec![1, 2, 21]), "{group}");
    }
    assert_eq!(members(&house, "house"), Some(vec![1]));
    // The group goes; whoever left when it was there has been in it all the same.
    house.pass(DAY);
    house.sync_with(&told(20, &[("house", vec![1])])).await;
    assert_eq!(members(&house, "sales"), Some(vec![21]));
    // Back again, and no longer in it; the other one's grace is over later.
    house.sync_with(&told(22, &[("house", vec![1])])).await;
    assert_eq!(members(&house, "sales"), Some(vec![]));
    house.pass(2 * DAY);
    assert_eq!(members(&house, "house"), Some(vec![1]));
}

#[tokio::test]
async fn the_grace_of_a_member_ends() {
    let house = wanting(&["sales"]);
    house.sync_with(&told(30, &[("sales", vec![3, 29])])).await;
    house.sync_with(&told(29, &[("sales", vec![3])])).await;
    house.pass(3 * DAY - Duration::from_secs(1));
    assert_eq!(members(&house, "sales"), Some(vec![3, 29]));
    house.pass(Duration::from_secs(1));
    assert_eq!(members(&house, "sales"), Some(vec![3]));
}

/// A group that rules go by is not emptied by itself: whoever has called it otherwise did not mean that.
#[tokio::test]
async fn a_group_that_a_rule_names_is_not_lost_by_itself() {
    for (case, names, before, after, held) in [
        ("gone", &["sales"][..], "sales", None, true),
        ("renamed", &["sales"], "sales", Some("vertrieb"), true),
        ("empty", &["sales"], "sales", Some("sales"), true),
        ("no rule names it", &[], "sales", None, false),
        ("a rule names another", &["house"], "sales", None, false),
    ] {
        let house = wanting(names);
        let of = |name: &str, numbers| told(40, &[("house", vec![39]), (name, numbers)]);
        house.sync_with(&of(before, (0..12).collect())).await;
        let next = match after {
            None => told(40, &[("house", vec![39])]),
            Some("sales") => of("sales", vec![]),
            Some(name) => of(name, (0..12).collect()),
        };
        let synced = house.sync_with(&next).await;
        match &synced.outcome {
            Outcome::Held { why, .. } => {
                assert!(held, "{case}: {why:?}");
                let want = r#"group "sales", which a route names, had 12 members and has none"#;
                assert_eq!(why.as_slice(), [want], "{case}");
                assert_eq!(members(&house, "sales"), Some((0..12).collect()), "{case}");
                house.shelf.accept(false, house.now()).unwrap();
                assert_eq!(members(&house, "sales"), Some(vec![]), "{case}");
            }
            Outcome::Applied(_) => assert!(!held, "{case}"),
            other => panic!("{case}: {other:?}"),
        }
    }
    // A few may all go at once.
    let house = wanting(&["sales"]);
    house.sync_with(&told(40, &[("sales", (0..9).collect())])).await;
    let synced = house.sync_with(&told(40, &[])).await;
    assert!(matches!(synced.outcome, Outcome::Applied(_)), "{synced:#?}");
    assert_eq!(synced.notes, [r#"group "sales", which a route names, had 9 members and has none"#]);
    assert_eq!(members(&house, "sales"), Some(vec![]));
}

#[tokio::test]
async fn a_person_is_in_a_group_under_all_of_his_addresses() {
    let house = wanting(&["sales"]);
    let mut records = people(0, 3);
    records.push(Record {
        key: "k".into(),
        addresses: vec!["user7@example.com".into(), "user8@example.com".into(), "x@elsewhere.example".into()],
        groups: vec!["Sales".into()],
        ..person("k")
    });
    house.sync_with(&Told::everything(records)).await;
    assert_eq!(members(&house, "sales"), Some(vec![7, 8]));
}
