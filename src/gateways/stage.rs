// SPDX-License-Identifier: GPL-3.0-or-later
//! What tests of several files here need: a state directory, plans from TOML, answers, a clock.

use super::fetch::{Fetched, Validators};
use super::{Archive, Clock, Plan, Published, PublishedNetwork, Snapshots, Stock};
use crate::config::{self, AddressSource, Problems};
use crate::mail::Network;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// A directory that goes with its value.
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    pub(super) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("postern-keeper-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// What is kept in it of a plan.
    pub(super) fn snapshots(&self, plan: &Plan) -> Snapshots {
        let archive = Archive::new(&self.0);
        let read = |source: &AddressSource| Some((source.clone(), archive.read(source).unwrap()?));
        plan.sources().keys().filter_map(read).collect()
    }

    /// A stock with what is kept in it.
    pub(super) fn stock(&self, plan: &Plan, clock: Clock) -> Stock {
        Stock::new(plan.clone(), self.snapshots(plan), Some(Archive::new(&self.0)), clock)
    }

    /// The plan of these gateways, in TOML.
    pub(super) fn plan(&self, gateways: &str) -> Plan {
        let file = self.0.join("postern.toml");
        let rest = "[milter]\nlisten = [\"unix:s\"]\n[domain.\"a.example\"]\ngateways = \"any\"\n";
        std::fs::write(&file, format!("{gateways}{rest}")).unwrap();
        let mut problems = Problems::default();
        let config = config::read(&file, &mut problems).unwrap();
        let config = config.unwrap_or_else(|| panic!("{}", problems.render(false)));
        Plan::read(&config.gateways, &mut problems)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A wall clock that goes as the runtime's does.
pub(super) fn clock() -> Clock {
    let (began, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    Arc::new(move || wall + began.elapsed())
}

pub(super) fn published(networks: impl IntoIterator<Item = String>, ttl: u64) -> Fetched {
    let network =
        |text: String| PublishedNetwork { network: Network::parse(&text).unwrap().network, via: text.into() };
    let networks = networks.into_iter().map(network).collect();
    let published = Published { networks, ttl: Duration::from_secs(ttl), ..Published::default() };
    Fetched::Published(published, Validators::default())
}
