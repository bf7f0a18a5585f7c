// SPDX-License-Identifier: GPL-3.0-or-later
//! The contract of all sources: one table of steps that each of them goes through as the service takes them, with the real
//! server or file behind it.
//!
//! What cannot happen to a source, such as a wrong password to a file, its rig says, and it has to stand in [`CANNOT`]; so
//! nothing is left out in silence. A 1 GB export and what is special to one source have tests of their own.

use crate::contract::House;
use postern::directories::{Outcome, Source, Synced, Which};
use postern::mail::{DomainPattern, Mailbox};
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// It is not there.
    Away,
    /// The answer ends before everything has come.
    Lost,
    /// Whoever gives the answer dies, or writes another one, while it is given.
    Killed,
    /// It does not take the password.
    Password,
    /// Its certificate has ended.
    Certificate,
}

impl Fault {
    const ALL: [Self; 5] = [Self::Away, Self::Lost, Self::Killed, Self::Password, Self::Certificate];
}

/// What cannot happen to whom.
const CANNOT: [(&str, Fault); 10] = [
    // One line is as good as another as the last one of a list.
    ("list", Fault::Lost),
    ("list", Fault::Password),
    ("list", Fault::Certificate),
    ("CSV", Fault::Password),
    ("CSV", Fault::Certificate),
    ("LDIF", Fault::Password),
    ("LDIF", Fault::Certificate),
    // A transaction reads what there was when it began.
    ("SQLite", Fault::Killed),
    ("SQLite", Fault::Password),
    ("SQLite", Fault::Certificate),
];

/// Who tells of changes alone.
const INCREMENTAL: [&str; 2] = ["LDAP", "Graph"];

/// A source with what is behind it.
#[async_trait::async_trait]
pub(crate) trait Rig: Send {
    /// What it is called in the tables here and in failures.
    fn name(&self) -> &'static str;

    /// What stands below `[directory.people]`, with absolute paths.
    fn keys(&self) -> String;

    /// From now on the source has exactly these, an object each; one may be there twice. The first time, what is behind it is
    /// started.
    async fn hold(&mut self, people: &[String]);

    /// Lets something go wrong, and says what is to be read of it, `this|or that`; nothing where it cannot.
    async fn harm(&mut self, fault: Fault) -> Option<&'static str>;

    /// Everything is well again.
    async fn heal(&mut self, fault: Fault);

    /// Who is asked in the house: its source, unless something goes wrong on the way.
    fn source(&self, house: &House) -> Box<dyn Source> {
        house.source()
    }

    /// What is said where it has nobody and takes that for a failure.
    fn refuses_nobody(&self) -> Option<&'static str> {
        None
    }
}

/// Addresses that stay until the end: of all alphabets, in both forms of a domain and of a letter, in capitals, and twice.
const STANDING: [&str; 9] = [
    "ann@example.com",
    "ann@example.com",
    "Ann@example.com",
    "O'Neil+x@example.com",
    "j\u{fc}rgen@example.com",
    "zoe\u{308}@example.com",
    "\u{43f}\u{43e}\u{447}\u{442}\u{430}@example.com",
    "info@b\u{fc}cher.example",
    "info@xn--bcher-kva.example",
];
/// How those are found, in other spellings of the same.
const FOUND: [&str; 6] = [
    "ANN@EXAMPLE.COM",
    "o'neil+x@example.com",
    "J\u{fc}rgen@Example.com",
    "zo\u{eb}@example.com",
    "\u{41f}\u{41e}\u{427}\u{422}\u{410}@example.com",
    "info@B\u{fc}cher.Example",
];
/// How many others there are at first.
const MANY: usize = 600;
const DAY: Duration = Duration::from_secs(86_400);

/// A rig in its house.
struct Trial<R> {
    rig: R,
    house: House,
    /// The others besides [`STANDING`], by number.
    others: Vec<usize>,
}

fn other(number: usize) -> String {
    format!("p{number}@example.com")
}

/// Those who stay, and these others.
fn people(others: impl IntoIterator<Item = usize>) -> Vec<String> {
    let standing = STANDING.iter().map(|&address| address.to_owned());
    standing.chain(others.into_iter().map(other)).collect()
}

impl<R: Rig> Trial<R> {
    fn name(&self) -> &'static str {
        self.rig.name()
    }

    /// The source gets what it is to hold.
    async fn hold(&mut self, others: impl IntoIterator<Item = usize>) {
        self.others = others.into_iter().collect();
        self.rig.hold(&people(self.others.iter().copied())).await;
    }

    async fn sync(&mut self) -> Synced {
        // A password is read with the configuration.
        self.house.configure(&keys(&self.rig));
        self.house.sync_with(&*self.rig.source(&self.house)).await
    }

    /// Syncs and gives added, removed, total.
    async fn applied(&mut self, what: &str) -> (u64, u64, u64) {
        let synced = self.sync().await;
        match &synced.outcome {
            Outcome::Applied(applied) => (applied.added, applied.removed, applied.total),
            Outcome::Unchanged { .. } | Outcome::Held { .. } | Outcome::Failed { .. } => {
                panic!("{}, {what}: {synced:#?}", self.name())
            }
        }
    }

    /// Whether an address is in force: in the set that decisions are made by and in the snapshot with its records alike.
    fn has(&self, address: &str) -> bool {
        let mailbox = Mailbox::parse_strict(address).unwrap();
        let found = self.house.shelf.open(Which::InForce).unwrap().find(&mailbox, self.house.view());
        let (known, found) = (self.house.has(address), found.unwrap().is_some());
        assert_eq!(known, found, "{}, {address}: known {known}, found {found}", self.name());
        known
    }

    /// What is in force, and nothing more: those who stay, and these others.
    fn in_force(&self, what: &str, yes: &[usize], no: &[usize], total: usize) {
        let name = self.name();
        for address in FOUND {
            assert!(self.has(address), "{name}, {what}: {address} is not in force");
        }
        for &number in yes {
            assert!(self.has(&other(number)), "{name}, {what}: {} is not in force", other(number));
        }
        for &number in no {
            assert!(!self.has(&other(number)), "{name}, {what}: {} is in force", other(number));
        }
        let addresses = self.house.loaded().unwrap().meta.addresses;
        assert_eq!(addresses, (FOUND.len() + total) as u64, "{name}, {what}");
    }

    fn pending(&self) -> Option<u64> {
        self.house.shelf.state().unwrap().pending.map(|pending| pending.serial)
    }

    /// The next sync has to ask for everything: it is another question now.
    fn ask_anew(&mut self, number: usize) {
        let domain = DomainPattern::parse(&format!("anew{number}.example")).unwrap();
        self.house.served.push(domain);
    }
}

fn keys(rig: &impl Rig) -> String {
    format!("{}\nremoval_grace = \"1d\"\n", rig.keys())
}

/// Puts a source through everything.
pub(crate) async fn run(mut rig: impl Rig) {
    rig.hold(&people(0..MANY)).await;
    let mut house = House::new(&keys(&rig));
    house.served.push(DomainPattern::parse("b\u{fc}cher.example").unwrap());
    let mut trial = Trial { rig, house, others: (0..MANY).collect() };
    full(&mut trial).await;
    growth(&mut trial).await;
    faults(&mut trial).await;
    shrinking(&mut trial).await;
    nobody(&mut trial).await;
}

/// Everything at first, duplicates once, spellings of all kinds; and nothing where nothing has changed.
async fn full<R: Rig>(trial: &mut Trial<R>) {
    let name = trial.name();
    let synced = trial.sync().await;
    let Outcome::Applied(applied) = &synced.outcome else { panic!("{name}: {synced:#?}") };
    let total = (FOUND.len() + MANY) as u64;
    assert_eq!(
        (applied.added, applied.removed, applied.total, applied.first),
        (total, 0, total, true),
        "{name}"
    );
    let counts = synced.counts.unwrap();
    assert_eq!((counts.invalid, counts.outside), (0, 0), "{name}: {counts:#?}");
    assert_eq!(counts.seen, (STANDING.len() + MANY) as u64, "{name}: {counts:#?}");
    // Where the address is the key, the same one again is the same object.
    let twice = counts.duplicates + counts.replaced;
    assert_eq!(twice, (STANDING.len() - FOUND.len()) as u64, "{name}: {counts:#?}");
    trial.in_force("full", &[0, MANY - 1], &[MANY], MANY);

    trial.house.pass(DAY);
    let synced = trial.sync().await;
    assert!(
        matches!(synced.outcome, Outcome::Unchanged { total: all } if all == total),
        "{name}: {synced:#?}"
    );
    let state = trial.house.shelf.state().unwrap();
    assert_eq!(state.as_of, Some(trial.house.now()), "{name}: it is as old as this answer");
}

/// Who is new is in force after one sync, and who tells of changes tells of no more than these.
async fn growth<R: Rig>(trial: &mut Trial<R>) {
    let name = trial.name();
    trial.hold(0..MANY + 60).await;
    let synced = trial.sync().await;
    let Outcome::Applied(applied) = &synced.outcome else { panic!("{name}: {synced:#?}") };
    assert_eq!((applied.added, applied.removed, applied.first), (60, 0, false), "{name}");
    let seen = synced.counts.unwrap().seen;
    assert_eq!(seen == 60, INCREMENTAL.contains(&name), "{name}: {seen} addresses were told of");
    trial.in_force("growth", &[0, MANY, MANY + 59], &[MANY + 60], MANY + 60);
}

/// What goes wrong changes nothing but the state, and is over when it is over.
async fn faults<R: Rig>(trial: &mut Trial<R>) {
    let name = trial.name();
    for (number, fault) in Fault::ALL.into_iter().enumerate() {
        let what = format!("{fault:?}");
        let (before, late) = (MANY + 60 + number, MANY + 60 + number);
        // So that half of an answer, or none, would be seen.
        trial.hold(0..=late).await;
        trial.ask_anew(number);
        let in_force = trial.house.shelf.state().unwrap().in_force;
        let want = trial.rig.harm(fault).await;
        assert_eq!(want.is_none(), CANNOT.contains(&(name, fault)), "{name}: {what}");
        if let Some(want) = want {
            for failures in 1..=2 {
                let synced = trial.sync().await;
                let Outcome::Failed { error, failures: counted, as_of, .. } = &synced.outcome else {
                    panic!("{name}, {what}: {synced:#?}")
                };
                let said = error.to_string();
                assert!(want.split('|').any(|want| said.contains(want)), "{name}, {what}: {said}");
                assert_eq!(*counted, failures, "{name}, {what}");
                let state = trial.house.shelf.state().unwrap();
                assert_eq!(state.trouble.as_deref(), Some(&*said), "{name}, {what}");
                assert_eq!((&state.in_force, state.pending), (&in_force, None), "{name}, {what}");
                assert!(as_of.is_some() && *as_of == state.as_of, "{name}, {what}: {as_of:?}");
                trial.in_force(&what, &[0, before - 1], &[late], before);
                trial.house.pass(Duration::from_secs(60));
            }
            trial.rig.heal(fault).await;
        }
        let synced = trial.sync().await;
        assert!(matches!(synced.outcome, Outcome::Applied(_)), "{name}, after {what}: {synced:#?}");
        assert_eq!(synced.recovered, want.is_some(), "{name}, after {what}");
        let state = trial.house.shelf.state().unwrap();
        assert_eq!((state.failures, state.trouble), (0, None), "{name}, after {what}");
        trial.in_force(&format!("after {what}"), &[0, late], &[late + 1], late + 1);
    }
}

/// Few who go have grace; many wait for a word, and nothing waits any more when they are back.
async fn shrinking<R: Rig>(trial: &mut Trial<R>) {
    let name = trial.name();
    let all = trial.others.len();
    trial.hold(5..all).await;
    assert_eq!(trial.applied("five are gone").await.1, 5, "{name}");
    trial.in_force("grace", &[0, 4, 5], &[all], all - 5);
    trial.house.pass(DAY);
    trial.in_force("grace is over", &[5], &[0, 4], all - 5);

    trial.hold(205..all).await;
    for _ in 0..2 {
        let synced = trial.sync().await;
        assert!(matches!(synced.outcome, Outcome::Held { .. }), "{name}: {synced:#?}");
        trial.in_force("held", &[5, 204, 205], &[0], all - 5);
    }
    let serial = trial.pending().unwrap_or_else(|| panic!("{name}: nothing is pending"));
    let diff = trial.house.shelf.diff(Which::InForce, Which::Pending, 1).unwrap();
    assert_eq!((diff.added.count, diff.removed.count), (0, 200), "{name}");

    trial.hold(6..all).await;
    assert_eq!(trial.applied("all but one are back").await.1, 1, "{name}");
    assert_eq!(trial.pending(), None, "{name}");
    trial.in_force("back", &[6, 204, 205], &[0], all - 6);

    trial.hold(205..all).await;
    assert!(matches!(trial.sync().await.outcome, Outcome::Held { .. }), "{name}");
    let accepted = trial.house.shelf.accept(true, trial.house.now()).unwrap();
    assert!(accepted > serial, "{name}: {accepted} after {serial}");
    trial.in_force("accepted", &[205], &[0, 6, 204], all - 205);
    let synced = trial.sync().await;
    assert!(
        matches!(synced.outcome, Outcome::Unchanged { .. }),
        "{name}, after it was accepted: {synced:#?}"
    );
}

/// A source with nobody is not believed.
async fn nobody<R: Rig>(trial: &mut Trial<R>) {
    let name = trial.name();
    let (first, left) = (trial.others[0], trial.others.len());
    trial.rig.hold(&[]).await;
    let synced = trial.sync().await;
    match (&synced.outcome, trial.rig.refuses_nobody()) {
        (Outcome::Held { .. }, None) => assert!(trial.pending().is_some(), "{name}"),
        (Outcome::Failed { error, .. }, Some(want)) if error.to_string().contains(want) => {}
        (outcome, want) => panic!("{name}: {outcome:#?}, not {want:?}"),
    }
    trial.in_force("nobody", &[first], &[0], left);
}
