// SPDX-License-Identifier: GPL-3.0-or-later
//! Answers as a table: what is in force after each, and what is told of it.

use super::super::source::PublishedNetwork;
use super::*;
use crate::mail::Network;
use crate::policy::LiveName;
use std::time::Duration;

const HOUR: u64 = 3600;
const GUARD: Guard = Guard { removal_hold: Duration::from_secs(72 * HOUR), max_shrink: 30 };

fn at(hour: u64) -> Stamp {
    Stamp::default().after(Duration::from_secs(1_000_000 + hour * HOUR))
}

/// `A..B` or `A` of 192.0.0.x, `live:NAME`, or a network.
fn published(items: &[&str]) -> Published {
    let mut published = Published { ttl: Duration::from_secs(HOUR), ..Published::default() };
    let mut add = |text: &str| {
        let network = Network::parse(text).unwrap().network;
        published.networks.push(PublishedNetwork { network, via: format!("spf.example > {text}").into() });
    };
    for item in items {
        match (item.split_once(".."), item.strip_prefix("live:")) {
            (_, Some(name)) => published.live.push(LiveName::new(name)),
            (Some((first, last)), None) => {
                let (first, last): (u16, u16) = (first.parse().unwrap(), last.parse().unwrap());
                (first..=last).for_each(|n| add(&format!("192.0.{}.{}", n >> 8, n & 255)));
            }
            (None, None) if item.parse::<u8>().is_ok() => add(&format!("192.0.0.{item}")),
            (None, None) => add(item),
        }
    }
    published
}

#[allow(clippy::unnecessary_wraps, reason = "answers are what a table of them holds")]
fn answer(items: &[&str]) -> Result<Fetched, SourceError> {
    Ok(Fetched::Published(
        published(items),
        Validators { etag: Some(format!("{items:?}")), last_modified: None },
    ))
}

fn in_force(snapshot: &Snapshot) -> Vec<String> {
    let shown = |entry: &Entry| match &entry.item {
        Item::Network(network) => {
            network.to_string().trim_start_matches("192.0.0.").trim_end_matches("/32").to_owned()
        }
        Item::Live(name) => format!("live:{name}"),
    };
    snapshot.in_force(GUARD.removal_hold).map(shown).collect()
}

/// One answer after another: the hour it comes, the answer, what is then in force, and a word of the event.
type Step<'a> = (u64, Result<Fetched, SourceError>, &'a [&'a str], &'a str);

fn play(name: &str, steps: &[Step<'_>]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (number, (hour, answer, want, event)) in steps.iter().enumerate() {
        let (next, events) = merge(&snapshot, answer, at(*hour), GUARD, false);
        assert_eq!(in_force(&next), *want, "{name}, answer {number}: {events:?}");
        let told = format!("{events:?}");
        assert!(told.contains(event), "{name}, answer {number}: {told} has no {event:?}");
        assert_eq!(event.is_empty(), events.is_empty(), "{name}, answer {number}: {told}");
        snapshot = next;
    }
    snapshot
}

fn unreachable() -> Result<Fetched, SourceError> {
    Err(SourceError::Unreachable("SERVFAIL".into()))
}

#[test]
fn additions_come_at_once_and_removals_after_the_hold() {
    let two: &[&str] = &["1", "2"];
    play(
        "addition",
        &[(0, answer(&["1..2"]), two, "Loaded(2)"), (1, answer(&["1..3"]), &["1", "2", "3"], "added: 1")],
    );
    let ten = &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    let eight = &["1", "2", "3", "4", "5", "6", "7", "8"];
    play(
        "removal",
        &[
            (0, answer(&["1..10"]), ten, "Loaded(10)"),
            (1, answer(&["1..8"]), ten, "missing: 2"),
            (2, answer(&["1..8"]), ten, ""),
            (72, answer(&["1..8"]), ten, ""),
            (73, answer(&["1..8"]), eight, "removed: 2"),
        ],
    );
    play(
        "flapping starts the hold anew",
        &[
            (0, answer(&["1..10"]), ten, "Loaded"),
            (1, answer(&["1..8"]), ten, "missing: 2"),
            (70, answer(&["1..10"]), ten, "returned: 2"),
            (71, answer(&["1..8"]), ten, "missing: 2"),
            (142, answer(&["1..8"]), ten, ""),
            (143, answer(&["1..8"]), eight, "removed: 2"),
        ],
    );
    play(
        "nothing goes while nothing is heard",
        &[
            (0, answer(&["1..10"]), ten, "Loaded"),
            (1, answer(&["1..8"]), ten, "missing: 2"),
            (200, unreachable(), ten, "SERVFAIL"),
            (201, answer(&["1..10"]), ten, "returned: 2"),
        ],
    );
    play(
        "not modified counts as an answer",
        &[
            (0, answer(&["1..10"]), ten, "Loaded"),
            (1, answer(&["1..8"]), ten, "missing: 2"),
            (73, Ok(Fetched::Unchanged(Duration::ZERO)), eight, "removed: 2"),
        ],
    );
}

#[test]
fn faults_keep_the_last_good_set() {
    let two: &[&str] = &["1", "2"];
    for (name, fault, word) in [
        ("no answer", unreachable(), "no answer: SERVFAIL"),
        ("wrong", Err(SourceError::Wrong("no SPF record".into())), "no SPF record"),
        ("later", Err(SourceError::Later(Duration::from_secs(600))), "600 s"),
        ("empty", answer(&[]), "empty"),
    ] {
        let snapshot = play(
            name,
            &[
                (0, answer(&["1..2"]), two, "Loaded"),
                (1, fault.clone(), two, word),
                (2, fault.clone(), two, word),
            ],
        );
        assert_eq!((snapshot.failures, snapshot.loaded), (2, Some(at(0))), "{name}");
        assert_eq!(snapshot.trouble.as_ref().unwrap().since, at(1), "{name}");
        let (recovered, events) = merge(&snapshot, &answer(&["1..2"]), at(3), GUARD, false);
        assert_eq!((recovered.failures, recovered.trouble), (0, None), "{name}");
        assert_eq!(events, [Event::Recovered], "{name}");
        let never = play(name, &[(0, fault, &[], word)]);
        assert!(!never.is_loaded(), "{name}");
    }
    play(
        "not modified, but never loaded",
        &[(0, Ok(Fetched::Unchanged(Duration::ZERO)), &[], "without a condition")],
    );
}

#[test]
fn too_large_a_shrink_takes_nothing_away() {
    let ten = &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    let snapshot = play(
        "shrink",
        &[
            (0, answer(&["1..10"]), ten, "Loaded"),
            (1, answer(&["1..6"]), ten, "4 of 10 networks would be gone"),
            // It stays so however often it is said.
            (500, answer(&["1..6"]), ten, "Stopped"),
            (501, answer(&["1..10"]), ten, "Recovered"),
            (502, answer(&["1..7"]), ten, "missing: 3"),
            // Many small steps are one large one.
            (503, answer(&["1..6"]), ten, "Stopped"),
            (600, unreachable(), ten, "Failed"),
        ],
    );
    assert!(snapshot.held.is_some());
    let want = answer(&["1..10"]);
    let Ok(Fetched::Published(_, validators)) = want else { panic!("no document") };
    let (held, _) = merge(&snapshot, &answer(&["1"]), at(601), GUARD, false);
    assert_ne!(held.validators, validators, "a later document was taken");
    assert_ne!(held.validators.etag, Some("[\"1\"]".into()), "a held document has to be sent again");
    play(
        "a new address instead of the old",
        &[
            (0, answer(&["1"]), &["1"], "Loaded"),
            (1, answer(&["2"]), &["1", "2"], "Stopped"),
            (2, answer(&["2"]), &["1", "2"], "Stopped"),
        ],
    );
}

#[test]
fn too_large_a_growth_is_not_taken() {
    let one: &[&str] = &["192.0.2.0/24"];
    for (name, before, after, taken) in [
        ("small sets may grow to a hundred", &["1"][..], &["1..100"][..], true),
        ("but no further", &["1"], &["1..101"], false),
        ("ten times is fine", &["1..20"], &["1..200"], true),
        ("eleven times is not", &["1..20"], &["1..220"], false),
        ("a /15 may always come", one, &["192.0.2.0/24", "10.0.0.0/16"], true),
        ("a /14 may not", one, &["192.0.2.0/24", "10.0.0.0/14"], false),
        ("unless there was as much", &["10.0.0.0/9"], &["10.0.0.0/9", "11.0.0.0/8"], true),
        ("an IPv6 /32 may come", one, &["192.0.2.0/24", "2001:db8::/32"], true),
        ("a /28 may not", one, &["192.0.2.0/24", "2001:db0::/28"], false),
        ("growth goes before shrink", &["1..20"], &["30..250"], false),
    ] {
        let (before, _) = merge(&Snapshot::default(), &answer(before), at(0), GUARD, false);
        let (next, events) = merge(&before, &answer(after), at(1), GUARD, false);
        assert_eq!(next.held.is_none(), taken, "{name}: {events:?}");
        if taken {
            assert_eq!(next.entries.len(), published(after).networks.len(), "{name}");
        } else {
            assert_eq!(in_force(&next), in_force(&before), "{name}");
            assert_eq!(next.held.unwrap().change, Change::Growth, "{name}");
            assert!(matches!(events.as_slice(), [Event::Stopped(_)]), "{name}: {events:?}");
        }
    }
}

#[test]
fn a_shrink_is_measured_by_what_is_covered() {
    for (name, before, after, percent, taken) in [
        ("cut in halves", &["192.0.2.0/24"][..], &["192.0.2.0/25", "192.0.2.128/25"][..], 0, true),
        ("put together", &["192.0.2.0/25", "192.0.2.128/25"], &["192.0.2.0/24"], 0, true),
        ("one of four at 25 %", &["1..4"], &["1..3"], 25, true),
        ("one of four at 24 %", &["1..4"], &["1..3"], 24, false),
        ("all at 100 %", &["1..4"], &["9"], 100, true),
        ("few networks, most addresses", &["1..9", "10.0.0.0/16"], &["1..9"], 30, false),
        ("a whole family", &["1..9", "2001:db8::1"], &["1..9"], 30, false),
        ("a live name of two entries", &["1", "live:x"], &["1"], 30, false),
        ("networks become a live name", &["1..4"], &["live:x"], 30, false),
    ] {
        let guard = Guard { max_shrink: percent, ..GUARD };
        let (before, _) = merge(&Snapshot::default(), &answer(before), at(0), guard, false);
        let (next, events) = merge(&before, &answer(after), at(1), guard, false);
        assert_eq!(next.held.is_none(), taken, "{name}: {events:?}");
    }
}

#[test]
fn force_takes_an_answer_as_it_is() {
    let (before, _) = merge(&Snapshot::default(), &answer(&["1..20"]), at(0), GUARD, false);
    for (name, after, want) in [
        ("shrink", &["1"][..], &["1"][..]),
        ("another set", &["live:x", "10.0.0.0/8"], &["10.0.0.0/8", "live:x"]),
    ] {
        let (held, _) = merge(&before, &answer(after), at(1), GUARD, false);
        assert!(held.held.is_some(), "{name}");
        let (next, events) = merge(&held, &answer(after), at(2), GUARD, true);
        assert_eq!(in_force(&next), want, "{name}: {events:?}");
        assert_eq!((next.held, next.trouble), (None, None), "{name}");
    }
    let (next, events) = merge(&before, &answer(&[]), at(1), GUARD, true);
    assert_eq!(in_force(&next), in_force(&before), "{events:?}");
}

#[test]
fn each_entry_says_when_it_was_seen() {
    let (snapshot, _) = merge(&Snapshot::default(), &answer(&["1..4"]), at(0), GUARD, false);
    let (snapshot, _) = merge(&snapshot, &answer(&["2..5"]), at(1), GUARD, false);
    let times: Vec<_> =
        snapshot.entries.iter().map(|e| (e.first_seen, e.last_seen, e.missing_since)).collect();
    assert_eq!(times[0], (at(0), at(0), Some(at(1))));
    assert_eq!(times[1], (at(0), at(1), None));
    assert_eq!(times[4], (at(1), at(1), None));
    assert_eq!(&*snapshot.entries[4].via, "spf.example > 192.0.0.5");
    assert_eq!(snapshot.validators.etag.as_deref(), Some("[\"2..5\"]"));
}
