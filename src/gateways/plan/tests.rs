// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways put together of what is configured and what is known: bounds, holds of their own, sources that never answered;
//! and how they stand.

use super::*;
use crate::gateways::stage::{Temporary, published};
use crate::gateways::{
    Archive, Event, Fetch, Fetched, Order, SourceError, Stock, Validators, refresh_now, status,
};
use std::sync::Mutex;
use std::time::SystemTime;

const HOUR: Duration = Duration::from_secs(3600);

/// Says of each name what the table says now.
struct Table(Mutex<HashMap<&'static str, Vec<&'static str>>>);

impl Table {
    fn new(rows: &[(&'static str, &[&'static str])]) -> Self {
        Self(Mutex::new(rows.iter().map(|(name, networks)| (*name, networks.to_vec())).collect()))
    }

    fn set(&self, name: &'static str, networks: &[&'static str]) {
        self.0.lock().unwrap().insert(name, networks.to_vec());
    }
}

impl Fetch for Table {
    async fn fetch(&self, source: &AddressSource, _: &Validators) -> Result<Fetched, SourceError> {
        let AddressSource::Spf(name) = source else { panic!("{source:?}") };
        let table = self.0.lock().unwrap();
        let networks =
            table.get(&**name).ok_or_else(|| SourceError::Unreachable("not in the table".into()))?;
        Ok(published(networks.iter().map(|network| (*network).to_owned()), 3600))
    }
}

/// A stock whose clock is set by hand, in hours.
fn stock(dir: &Temporary, plan: &Plan, hour: &Arc<Mutex<u32>>) -> Stock {
    let hour = Arc::clone(hour);
    let clock = Arc::new(move || SystemTime::UNIX_EPOCH + HOUR * (100_000 + *hour.lock().unwrap()));
    Stock::new(plan.clone(), Snapshots::default(), Some(Archive::new(&dir.0)), clock)
}

fn networks(stock: &Stock, gateway: &str) -> Vec<String> {
    let gateways = stock.gateways();
    let found = gateways.iter().find(|found| &*found.name == gateway).unwrap();
    found.addresses.as_ref().unwrap().networks.iter().map(ToString::to_string).collect()
}

fn is_complete(stock: &Stock, gateway: &str) -> bool {
    stock.gateways().iter().any(|found| &*found.name == gateway && found.addresses.as_ref().unwrap().complete)
}

#[tokio::test]
async fn a_gateway_is_complete_when_each_of_its_sources_has_answered() {
    let dir = Temporary::new();
    let plan =
        dir.plan("[gateway.a]\nspf = [\"one.example\", \"two.example\"]\nnetworks = [\"192.0.2.0/24\"]\n");
    let mut stock = stock(&dir, &plan, &Arc::default());
    assert_eq!((networks(&stock, "a"), is_complete(&stock, "a")), (vec!["192.0.2.0/24".to_owned()], false));
    let table = Table::new(&[("one.example", &["198.51.100.0/24"])]);
    refresh_now(&mut stock, &table, &Order::default(), || ()).await;
    assert_eq!(networks(&stock, "a"), ["192.0.2.0/24", "198.51.100.0/24"]);
    assert!(!is_complete(&stock, "a"));
    table.set("two.example", &["203.0.113.0/24"]);
    let done = refresh_now(&mut stock, &table, &Order::default(), || ()).await;
    assert!(is_complete(&stock, "a"));
    assert_eq!(done[1].events, [Event::Loaded(1)], "{done:?}");
    assert_eq!((done[1].before.entries.len(), done[1].after.entries.len()), (0, 1));
}

#[tokio::test]
async fn published_networks_are_cut_to_the_bounds() {
    let dir = Temporary::new();
    let plan = dir.plan(
        "[gateway.a]\nspf = [\"one.example\"]\nnetworks = [\"100.64.0.1\"]\naccept_private = true\n\
         subset_of = [\"192.0.2.0/25\", \"192.0.2.128/26\", \"2001:db8::/32\"]\n\
         [gateway.b]\nspf = [\"one.example\"]\n",
    );
    let mut stock = stock(&dir, &plan, &Arc::default());
    let all = ["192.0.2.0/24", "192.0.2.7/32", "198.51.100.0/24", "2001:db8:1::/48", "2001:db9::/48"];
    let table = Table::new(&[("one.example", &all)]);
    refresh_now(&mut stock, &table, &Order::default(), || ()).await;
    let cut = ["100.64.0.1/32", "192.0.2.0/25", "192.0.2.7/32", "192.0.2.128/26", "2001:db8:1::/48"];
    assert_eq!(networks(&stock, "a"), cut);
    assert_eq!(networks(&stock, "b"), all);
    let snapshots = stock.into_snapshots();
    let outside = plan.gateways()[0].compose(&snapshots).outside;
    assert_eq!(
        outside.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["192.0.2.0/24", "198.51.100.0/24", "2001:db9::/48"]
    );
    let shown = status(&plan, &snapshots);
    let marked: Vec<(String, Option<bool>)> = shown[0]
        .networks
        .iter()
        .map(|found| (found.network.to_string(), found.origin.as_ref().map(|origin| origin.outside)))
        .collect();
    assert_eq!(marked[0], ("100.64.0.1/32".into(), None));
    assert_eq!(marked[1], ("192.0.2.0/24".into(), Some(true)));
    assert_eq!(marked[2], ("192.0.2.7/32".into(), Some(false)));
}

#[tokio::test]
async fn each_gateway_lets_go_after_its_own_hold() {
    let dir = Temporary::new();
    let plan = dir.plan(
        "[gateway.short]\nspf = [\"one.example\"]\nremoval_hold = \"1h\"\nmax_shrink = 50\n\
         [gateway.long]\nspf = [\"one.example\"]\nremoval_hold = \"10h\"\nmax_shrink = 40\n",
    );
    let shared = plan.sources().values().next().unwrap();
    assert_eq!((shared.guard.removal_hold, shared.guard.max_shrink), (HOUR * 10, 40));
    let hour = Arc::new(Mutex::new(0));
    let mut stock = stock(&dir, &plan, &hour);
    let (three, two) = (["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"], ["192.0.2.1/32", "192.0.2.2/32"]);
    let table = Table::new(&[("one.example", &three)]);
    for (now, published, short, long) in [
        (0, &three[..], &three[..], &three[..]),
        (1, &two[..], &three[..], &three[..]),
        (2, &two[..], &two[..], &three[..]),
        (10, &two[..], &two[..], &three[..]),
        (11, &two[..], &two[..], &two[..]),
        (12, &two[..1], &two[..], &two[..]),
    ] {
        *hour.lock().unwrap() = now;
        table.set("one.example", published);
        refresh_now(&mut stock, &table, &Order::default(), || ()).await;
        assert_eq!(
            (networks(&stock, "short"), networks(&stock, "long")),
            (strings(short), strings(long)),
            "hour {now}"
        );
    }
    let held = status(&plan, &stock.into_snapshots())[0].sources[0].held.clone().unwrap();
    assert_eq!((held.had, held.has, held.gone), (2, 1, 1));
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn the_status_is_read_from_disk_alone() {
    let dir = Temporary::new();
    let plan = dir.plan(
        "[gateway.a]\nspf = [\"one.example\", \"two.example\"]\n[gateway.b]\nnetworks = [\"192.0.2.0/24\"]\n",
    );
    let mut stock = stock(&dir, &plan, &Arc::default());
    let table = Table::new(&[("one.example", &["198.51.100.0/24"])]);
    refresh_now(&mut stock, &table, &Order { gateways: vec!["a".into()], force: false }, || ()).await;
    let shown = status(&plan, &dir.snapshots(&plan));
    assert_eq!(shown.iter().map(|one| &*one.gateway.name).collect::<Vec<_>>(), ["a", "b"]);
    let [one, two] = shown[0].sources.as_slice() else { panic!("{:?}", shown[0].sources) };
    assert_eq!((&*one.name, one.kind, one.networks), ("spf one.example", "spf", 1));
    assert!(one.loaded.is_some() && one.due > one.checked && one.trouble.is_none(), "{one:?}");
    assert!(
        two.loaded.is_none() && two.trouble.as_ref().unwrap().why.contains("not in the table"),
        "{two:?}"
    );
    let origin = shown[0].networks[0].origin.as_ref().unwrap();
    assert_eq!((&*origin.source, &*origin.via), ("spf one.example", "198.51.100.0/24"));
    assert!(shown[1].sources.is_empty() && shown[1].networks[0].origin.is_none());
}

#[test]
fn many_users_are_not_all_named() {
    let dir = Temporary::new();
    let names = ["a", "b", "c", "d", "e"];
    let gateways: Vec<String> = names.map(|n| format!("[gateway.{n}]\nspf = [\"one.example\"]\n")).into();
    let plan = dir.plan(&gateways.concat());
    let source = plan.sources().keys().next().unwrap();
    assert_eq!(plan.users(source), "a, b, c and 2 more");
    assert_eq!(plan.sources_of(&["b".into()]).len(), 1);
    assert_eq!(plan.sources_of(&["nobody".into()]).len(), 0);
    assert_eq!(plan.sources_of(&[]).len(), 1);
}
