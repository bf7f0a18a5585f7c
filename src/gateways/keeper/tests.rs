// SPDX-License-Identifier: GPL-3.0-or-later
//! A keeper with a script in place of the network, and with the runtime's clock, which leaps from one event to the next.

use super::*;
use crate::gateways::Archive;
use crate::gateways::stage::{Temporary, clock, published};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;
use tokio::time::sleep;

/// Answers every source with a network of its own after a second, and counts.
#[derive(Default)]
struct Counting {
    asked: Mutex<Vec<AddressSource>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Fetch for Arc<Counting> {
    async fn fetch(&self, source: &AddressSource, _: &Validators) -> Result<Fetched, SourceError> {
        self.asked.lock().unwrap().push(source.clone());
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(under_way, Ordering::Relaxed);
        sleep(Duration::from_secs(1)).await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        Ok(published(["192.0.2.0/24".to_owned()], 3600))
    }
}

/// Five thousand gateways that share twenty sources, three each.
fn many_gateways() -> String {
    (0..5000).fold(String::new(), |mut text, number| {
        let names: Vec<String> = (0..3).map(|n| format!("\"s{}.example\"", (number + n) % 20)).collect();
        let _ = writeln!(text, "[gateway.g{number}]\nspf = [{}]", names.join(", "));
        text
    })
}

#[tokio::test(start_paused = true)]
async fn each_source_is_asked_once_however_many_gateways_use_it() {
    let dir = Temporary::new();
    let plan = dir.plan(&many_gateways());
    assert_eq!((plan.gateways().len(), plan.sources().len()), (5000, 20));
    let counting = Arc::new(Counting::default());
    let gateways = Arc::new(Mutex::new(Gateways::default()));
    let seen = Arc::clone(&gateways);
    let (orders, received) = mpsc::channel(1);
    let publish = move |new| *seen.lock().unwrap() = new;
    let keeper =
        tokio::spawn(keep(dir.stock(&plan, clock()), Arc::new(Arc::clone(&counting)), publish, received));
    sleep(Duration::from_secs(60)).await;
    let asked = std::mem::take(&mut *counting.asked.lock().unwrap());
    assert_eq!(asked.len(), 20);
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), 20);
    assert_eq!(counting.most.load(Ordering::Relaxed), AT_ONCE);
    let complete =
        |gateway: &Arc<crate::policy::Gateway>| gateway.addresses.as_ref().is_some_and(|a| a.complete);
    assert_eq!(gateways.lock().unwrap().iter().filter(|gateway| complete(gateway)).count(), 5000);
    // An hour and a tenth later each has been asked once more, and nothing else was.
    sleep(Duration::from_secs(3960)).await;
    let asked = std::mem::take(&mut *counting.asked.lock().unwrap());
    assert_eq!((asked.len(), asked.iter().collect::<HashSet<_>>().len()), (20, 20));
    // An order names gateways.
    orders.send(Order { gateways: vec!["g7".into(), "g8".into()], force: false }).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(counting.asked.lock().unwrap().len(), 4);
    drop(orders);
    assert_eq!(keeper.await.unwrap().len(), 20);
}

/// Panics, hangs, or answers, by the name of the source.
struct Odd;

impl Fetch for Odd {
    async fn fetch(&self, source: &AddressSource, _: &Validators) -> Result<Fetched, SourceError> {
        match source {
            AddressSource::Spf(name) if name.starts_with("panics") => panic!("as it should"),
            AddressSource::Spf(name) if name.starts_with("hangs") => std::future::pending().await,
            AddressSource::Spf(_) | AddressSource::Host(_) | AddressSource::Feed(_) => {
                Ok(published(["192.0.2.0/24".to_owned()], 300))
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_source_that_misbehaves_harms_no_other() {
    let dir = Temporary::new();
    let hanging: Vec<String> =
        (0..20).map(|n| format!("[gateway.h{n}]\nspf = [\"hangs{n}.example\"]\n")).collect();
    let plan = dir.plan(&format!(
        "{}[gateway.a]\nspf = [\"panics.example\"]\n[gateway.b]\nspf = [\"sound.example\"]\n",
        hanging.concat()
    ));
    let (orders, received) = mpsc::channel(1);
    let keeper = tokio::spawn(keep(dir.stock(&plan, clock()), Arc::new(Odd), |_| {}, received));
    sleep(Duration::from_secs(3600)).await;
    drop(orders);
    let snapshots = keeper.await.unwrap();
    for (source, snapshot) in snapshots {
        let AddressSource::Spf(name) = &source else { panic!("{source:?}") };
        let why = snapshot.trouble.map(|trouble| trouble.why).unwrap_or_default();
        match name.split('.').next().unwrap() {
            "sound" => assert!(snapshot.loaded.is_some() && why.is_empty(), "{why}"),
            "panics" => assert!(why.contains("went wrong"), "{why}"),
            _ => assert!(why.contains("nothing within 60 s"), "{name}: {why}"),
        }
    }
}

#[test]
fn a_keeper_that_was_stopped_publishes_nothing_any_more() {
    let dir = Temporary::new();
    let plan = dir.plan("[gateway.a]\nspf = [\"hangs.example\"]\n[gateway.b]\nspf = [\"sound.example\"]\n");
    let (told, heard) = std::sync::mpsc::channel();
    let stock =
        Stock::new(plan.clone(), Snapshots::default(), Some(Archive::new(&dir.0)), Arc::new(SystemTime::now));
    let keeper = Keeper::start(stock, Odd, move |gateways| told.send(gateways).unwrap()).unwrap();
    let gateways = heard.recv().unwrap();
    let found = |gateways: &Gateways| {
        gateways.iter().map(|g| g.addresses.as_ref().unwrap().complete).collect::<Vec<_>>()
    };
    assert_eq!(found(&gateways), [false, true]);
    assert!(keeper.refresh(Order { gateways: vec!["b".into()], force: true }));
    let known = keeper.stop();
    // Its sender is gone with it, and it has said nothing more: the same set again is no news.
    assert!(heard.recv().is_err());
    assert!(known.values().any(Snapshot::is_loaded));
    // What is on disk is what it knew.
    let kept = dir.snapshots(&plan);
    let sound = AddressSource::Spf("sound.example".into());
    assert_eq!(kept.get(&sound), known.get(&sound));
}

#[tokio::test(start_paused = true)]
async fn a_state_directory_that_cannot_be_written_is_no_reason_not_to_serve() {
    let dir = Temporary::new();
    let plan = dir.plan("[gateway.b]\nspf = [\"sound.example\"]\n");
    std::fs::write(dir.0.join("gateways"), "a file").unwrap();
    let stock = Stock::new(plan, Snapshots::default(), Some(Archive::new(&dir.0)), clock());
    let (orders, received) = mpsc::channel(1);
    let published = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&published);
    let publish = move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
    };
    let keeper = tokio::spawn(keep(stock, Arc::new(Odd), publish, received));
    sleep(Duration::from_secs(3600)).await;
    drop(orders);
    assert_eq!(published.load(Ordering::Relaxed), 1);
    assert!(keeper.await.unwrap().values().all(Snapshot::is_loaded));
}

#[tokio::test(start_paused = true)]
async fn a_restart_asks_when_it_is_time_and_a_clock_that_was_wrong_delays_nothing() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let plan_of = |dir: &Temporary| dir.plan("[gateway.b]\nspf = [\"sound.example\"]\n");
    for (name, later, within) in [
        ("a second later", Duration::from_secs(1), 240..331),
        ("long after", hours(9), 0..1),
        ("before it was", Duration::ZERO, 0..1),
    ] {
        let dir = Temporary::new();
        let plan = plan_of(&dir);
        let source = AddressSource::Spf("sound.example".into());
        let began = SystemTime::UNIX_EPOCH + hours(10_000);
        let mut stock = dir.stock(&plan, Arc::new(move || began));
        stock.take(&source, &Ok(published(["192.0.2.0/24".to_owned()], 300)), false);
        let now = if later.is_zero() { began - hours(1) } else { began + later };
        let due = dir.stock(&plan, Arc::new(move || now)).due_in(&source).as_secs();
        assert!(within.contains(&due), "{name}: due in {due} s");
    }
}
