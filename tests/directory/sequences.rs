// SPDX-License-Identifier: GPL-3.0-or-later
//! Syncs in any order: what is in force is always one complete answer, and those who have grace.

use crate::contract::{House, Told};
use crate::syncs::{house, person};
use postern::directories::Outcome;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// `removal_grace`, in days.
const GRACE: u64 = 3;
/// `max_removed`, in percent.
const MOST: usize = 30;
/// How many there may be.
const ALL: u32 = 60;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// The source tells everything, as a server or as a file.
    Everything(BTreeSet<u32>, bool),
    /// It tells who is new and who is gone.
    Changes(BTreeSet<u32>, BTreeSet<u32>),
    /// It breaks off in the middle.
    Failure(BTreeSet<u32>),
    /// So many days pass.
    Days(u8),
    /// Somebody accepts what is pending, with grace or without.
    Accept(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let some = |most: usize| btree_set(0..ALL, 0..most);
    prop_oneof![
        3 => (some(60), any::<bool>()).prop_map(|(who, file)| Step::Everything(who, file)),
        3 => (some(6), some(6)).prop_map(|(new, gone)| Step::Changes(new, gone)),
        1 => some(60).prop_map(Step::Failure),
        2 => (1u8..3).prop_map(Step::Days),
        1 => any::<bool>().prop_map(Step::Accept),
    ]
}

/// What should be known.
#[derive(Default)]
struct Model {
    known: Option<BTreeSet<u32>>,
    pending: Option<BTreeSet<u32>>,
    /// Since which day somebody is gone.
    leaving: BTreeMap<u32, u64>,
    day: u64,
}

impl Model {
    fn tell(&mut self, answer: BTreeSet<u32>) {
        let Some(known) = &self.known else {
            if !answer.is_empty() {
                self.known = Some(answer);
            }
            return;
        };
        let removed = known.difference(&answer).count();
        if answer.is_empty() || removed >= 10 && removed * 100 > known.len() * MOST {
            self.pending = Some(answer);
            return;
        }
        self.pending = None;
        self.apply(answer, true);
    }

    fn apply(&mut self, answer: BTreeSet<u32>, grace: bool) {
        let day = self.day;
        match &self.known {
            Some(known) if grace => self.leaving.extend(known.difference(&answer).map(|gone| (*gone, day))),
            // Who was leaving before goes with the others.
            Some(_) | None => self.leaving.clear(),
        }
        self.leaving.retain(|one, since| !answer.contains(one) && *since + GRACE > day);
        self.known = Some(answer);
    }

    fn valid(&self) -> BTreeSet<u32> {
        let leaving =
            self.leaving.iter().filter(|(_, since)| **since + GRACE > self.day).map(|(one, _)| *one);
        self.known.iter().flatten().copied().chain(leaving).collect()
    }
}

fn address(number: u32) -> String {
    format!("user{number}@example.com")
}

async fn run(house: &House, model: &mut Model, step: Step) {
    let told = |who: &BTreeSet<u32>, file: bool| {
        let mut records: Vec<_> = who.iter().map(|one| person(&address(*one))).collect();
        for (line, record) in (1..).zip(&mut records) {
            record.line = file.then_some(line);
        }
        records
    };
    match step {
        Step::Everything(who, file) => {
            house.sync_with(&Told::everything(told(&who, file))).await;
            model.tell(who);
        }
        Step::Changes(new, gone) => {
            let Some(known) = model.known.clone() else { return };
            let removed: Vec<String> = gone.iter().map(|one| address(*one)).collect();
            let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
            let synced = house.sync_with(&Told::changes(told(&new, false), &removed)).await;
            assert!(!matches!(synced.outcome, Outcome::Failed { .. }), "{synced:#?}");
            // Who is gone was told last.
            model.tell(known.union(&new).filter(|one| !gone.contains(one)).copied().collect());
        }
        Step::Failure(who) => {
            let mut source = Told::everything(told(&who, false));
            source.fails = true;
            house.sync_with(&source).await;
        }
        Step::Days(days) => {
            house.pass(u32::from(days) * DAY);
            model.day += u64::from(days);
        }
        Step::Accept(at_once) => match model.pending.take() {
            Some(answer) => {
                house.shelf.accept(at_once, house.now()).unwrap();
                model.apply(answer, !at_once);
            }
            None => assert!(house.shelf.accept(at_once, house.now()).is_err()),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_in_force_is_one_whole_answer(steps in vec(step(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let house = house(&format!("max_removed = {MOST}\n"));
        let mut model = Model::default();
        for step in steps {
            let shown = format!("{step:?}");
            runtime.block_on(run(&house, &mut model, step));
            let loaded = house.loaded();
            prop_assert_eq!(loaded.is_some(), model.known.is_some(), "{}", &shown);
            let Some(loaded) = loaded else { continue };
            let valid = model.valid();
            prop_assert_eq!(loaded.recipients.mailboxes.len(), valid.len(), "{}: {:?}", &shown, &valid);
            for one in valid {
                prop_assert!(house.has(&address(one)), "{}: {}", &shown, one);
            }
        }
    }
}
