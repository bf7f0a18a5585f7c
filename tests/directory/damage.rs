// SPDX-License-Identifier: GPL-3.0-or-later
//! Snapshots and states that are cut, changed, lost, or another's; processes that end at any point; disks that are full.

use crate::contract::{House, Told};
use crate::syncs::{group, house, people, person};
use postern::directories::{Outcome, Shelf, Snapshot, View, Which};
use postern::mail::{Fingerprint, Mailbox};
use std::fs;
use std::path::{Path, PathBuf};

fn file(house: &House, serial: u64) -> PathBuf {
    house.shelf.dir().join(format!("{serial:08}.snapshot"))
}

/// Everything that can be read of a snapshot, as a text; or the first error.
fn all(path: &Path, view: View) -> Result<String, String> {
    let read = || {
        let snapshot = Snapshot::open(path, "people")?;
        let recipients = snapshot.recipients(view, &["team".into()])?;
        let mut numbers: Vec<u64> = recipients.mailboxes.fingerprints().map(Fingerprint::get).collect();
        numbers.extend(recipients.internal_only.fingerprints().map(Fingerprint::get));
        let records = snapshot.records()?.collect::<Result<Vec<_>, _>>()?;
        let leaving = snapshot.leaving(view)?.collect::<Result<Vec<_>, _>>()?;
        let members = recipients.groups["team"].fingerprints().collect::<Vec<_>>();
        let found = snapshot.find(&Mailbox::parse_strict("user1@example.com").unwrap(), view)?;
        let meta = snapshot.meta();
        let expiry = snapshot.next_expiry(view)?;
        Ok(format!("{numbers:?} {records:?} {leaving:?} {members:?} {found:?} {meta:?} {expiry:?}"))
    };
    read().map_err(|error: postern::directories::SnapshotError| error.to_string())
}

#[tokio::test]
async fn every_cut_and_every_changed_octet_is_found() {
    let house = house("");
    let mut told = people(0, 8);
    told.push(group("team", &["user1@example.com", "user2@example.com", "user3@example.com"]));
    told[0].internal_only = true;
    house.sync_with(&Told::everything(told.clone())).await;
    told.remove(3);
    house.sync_with(&Told::everything(told)).await;
    let path = file(&house, 2);
    let whole = fs::read(&path).unwrap();
    let want = all(&path, house.view()).unwrap();
    let other = house.dir.join("other.snapshot");
    let mut damages: Vec<(String, Vec<u8>)> =
        (0..whole.len()).map(|length| (format!("cut to {length}"), whole[..length].to_vec())).collect();
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut flipped = whole.clone();
            flipped[at] ^= bit;
            damages.push((format!("octet {at} changed by {bit}"), flipped));
        }
    }
    damages.push(("more behind it".into(), [whole.as_slice(), b"x"].concat()));
    for (what, damaged) in damages {
        fs::write(&other, damaged).unwrap();
        match all(&other, house.view()) {
            Err(error) => assert!(error.contains("other.snapshot"), "{what}: {error}"),
            Ok(read) => assert_eq!(read, want, "{what}"),
        }
    }
    let error = Snapshot::open(&path, "staff").unwrap_err().to_string();
    assert!(error.ends_with("is of directory \"people\", not of \"staff\""), "{error}");
    let mut newer = whole;
    newer[12] = 2;
    let checksum = crc32fast::hash(&newer[..16]).to_le_bytes();
    newer[16..20].copy_from_slice(&checksum);
    fs::write(&other, newer).unwrap();
    let error = Snapshot::open(&other, "people").unwrap_err().to_string();
    assert!(
        error.contains("has form 2, which this version of Postern does not know: use the version"),
        "{error}"
    );
}

#[tokio::test]
async fn the_snapshot_before_stands_in_for_a_damaged_one() {
    let house = house("");
    for count in [20, 21, 22] {
        house.sync_with(&Told::everything(people(0, count))).await;
    }
    for serial in [3, 2] {
        fs::write(file(&house, serial), b"postern snap, but no more").unwrap();
        let loaded = house.loaded().unwrap();
        assert_eq!(loaded.serial, serial - 1);
        assert!(loaded.fallback.unwrap().contains("00000003.snapshot"));
    }
    // The same as in the one that stands in has to be written, not only confirmed.
    let synced = house.sync_with(&Told::everything(people(0, 20))).await;
    assert!(matches!(synced.outcome, Outcome::Applied(_)), "{synced:#?}");
    let loaded = house.loaded().unwrap();
    assert_eq!((loaded.serial, loaded.fallback), (4, None));
    for serial in 1..=4 {
        fs::write(file(&house, serial), b"").unwrap();
    }
    let rules = &house.directory().rules;
    let error = house.shelf.load(rules, house.now()).unwrap_err().to_string();
    assert!(error.starts_with("no snapshot can be used: "), "{error}");
    // Nobody is known, and that is no reason to believe that there is nobody.
    assert!(matches!(house.sync_with(&Told::everything(vec![])).await.outcome, Outcome::Failed { .. }));
    assert!(matches!(house.sync_with(&Told::everything(people(0, 5))).await.outcome, Outcome::Applied(_)));
    assert!(house.has("user4@example.com"));
}

#[tokio::test]
async fn damage_anywhere_in_force_is_healed_by_a_sync() {
    let house = house("");
    house.sync_with(&Told::everything(people(0, 200))).await;
    house.sync_with(&Told::everything(people(1, 201))).await;
    let whole = fs::read(file(&house, 2)).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        let newest = house.shelf.state().unwrap().in_force.unwrap().serial;
        fs::write(file(&house, newest), flipped).unwrap();
        let synced = house.sync_with(&Told::everything(people(1, 201))).await;
        assert!(matches!(synced.outcome, Outcome::Applied(_)), "octet {at}: {synced:#?}");
        let loaded = house.loaded().unwrap();
        assert_eq!((loaded.fallback, loaded.meta.addresses), (None, 200), "octet {at}");
    }
}

#[tokio::test]
async fn without_its_state_a_directory_never_uses_what_was_held() {
    let house = house("");
    house.sync_with(&Told::everything(people(0, 100))).await;
    house.sync_with(&Told::everything(people(0, 10))).await;
    assert!(house.shelf.state().unwrap().pending.is_some());
    fs::write(house.shelf.dir().join("state.json"), b"{").unwrap();
    let loaded = house.loaded().unwrap();
    assert_eq!(loaded.serial, 1);
    assert!(loaded.fallback.unwrap().contains("state.json"));
    let synced = house.sync_with(&Told::everything(people(0, 100))).await;
    assert!(matches!(synced.outcome, Outcome::Applied(_) | Outcome::Unchanged { .. }), "{synced:#?}");
    assert!(house.has("user99@example.com"));
}

#[tokio::test]
async fn what_a_killed_writer_leaves_does_no_harm() {
    let house = house("");
    house.sync_with(&Told::everything(people(0, 20))).await;
    // Killed while it wrote, and killed between the snapshot and the state.
    let left = house.shelf.dir().join(".snapshot.4711.0");
    fs::write(&left, b"half").unwrap();
    fs::copy(file(&house, 1), file(&house, 2)).unwrap();
    assert_eq!(house.loaded().unwrap().serial, 1);
    assert_eq!(house.shelf.history().unwrap().len(), 1);
    house.sync_with(&Told::everything(people(0, 25))).await;
    let loaded = house.loaded().unwrap();
    assert_eq!((loaded.serial, loaded.meta.addresses), (2, 25));
    assert!(!left.exists());
}

#[tokio::test]
async fn only_so_many_snapshots_are_kept_and_one_who_syncs_is_alone() {
    let house = house("keep = 2\n");
    for count in 20..26 {
        house.sync_with(&Told::everything(people(0, count))).await;
    }
    let serials: Vec<u64> = house.shelf.history().unwrap().iter().map(|kept| kept.serial).collect();
    assert_eq!(serials, [6, 5]);
    house.sync_with(&Told::everything(vec![person("ann@example.com")])).await;
    let serials: Vec<u64> = house.shelf.history().unwrap().iter().map(|kept| kept.serial).collect();
    assert_eq!(serials, [7, 6, 5], "what is pending does not count");
    house.shelf.reject().unwrap();
    assert!(house.shelf.open(Which::Pending).is_err());
    let other = Shelf::new(&house.dir.join("state"), house.shelf.name());
    assert_eq!(other.state().unwrap(), house.shelf.state().unwrap());
}
