// SPDX-License-Identifier: GPL-3.0-or-later
//! A day with a source that fails in every way: at each minute of it no gateway is refused and no stranger accepted, and of
//! each fault there is a warning.

use super::*;
use crate::gateways::stage::{Temporary, clock, published};
use crate::gateways::{Clock, Plan, Snapshots};
use std::net::IpAddr;
use std::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// What the source does for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// It answers as it should.
    Sound,
    /// Nobody is there.
    Killed,
    /// The server fails.
    Servfail,
    /// A name without addresses.
    Empty,
    /// The record is gone, and that is said.
    Gone,
    /// Eleven times as many networks.
    Elevenfold,
    /// Now this, now that.
    Flapping,
    /// Half of it is missing.
    Half,
}

/// From which minute on it does what, and a word that has to be in a warning meanwhile.
const DAY: [(u64, Mood, &str); 18] = [
    (0, Mood::Killed, "connection refused"),
    (30, Mood::Sound, ""),
    (120, Mood::Killed, "connection refused"),
    (240, Mood::Sound, ""),
    (300, Mood::Servfail, "SERVFAIL"),
    (360, Mood::Empty, "the answer is empty"),
    (420, Mood::Sound, ""),
    (480, Mood::Elevenfold, "too much at once"),
    (570, Mood::Sound, ""),
    (600, Mood::Flapping, "SERVFAIL"),
    (720, Mood::Half, "would be gone"),
    (810, Mood::Killed, "connection refused"),
    (870, Mood::Half, "would be gone"),
    (930, Mood::Gone, "no SPF record"),
    (1020, Mood::Sound, ""),
    (1100, Mood::Elevenfold, "too much at once"),
    (1200, Mood::Empty, "the answer is empty"),
    (1320, Mood::Sound, ""),
];
/// One more address belongs to the gateway from this minute on.
const ADDED: u64 = 440;
/// One less from this one on.
const REMOVED: u64 = 1040;
/// At these minutes Postern is started anew, in the middle of faults.
const RESTARTS: [u64; 3] = [150, 390, 900];
/// By then a source that is sound again has been asked again.
const SOON: u64 = 17;
const TTL: u64 = 300;

fn mood(minute: u64) -> (u64, Mood, &'static str) {
    DAY.into_iter().rfind(|(from, ..)| *from <= minute).unwrap()
}

/// What the gateway truly consists of.
fn truth(minute: u64) -> Vec<String> {
    let last = if minute >= ADDED { 21 } else { 20 };
    let first = if minute >= REMOVED { 2 } else { 1 };
    (first..=last).map(|n| format!("192.0.2.{n}")).collect()
}

/// Plays the day.
struct Moody {
    began: Instant,
    asked: Mutex<u64>,
}

impl Fetch for Moody {
    async fn fetch(&self, _: &AddressSource, _: &Validators) -> Result<Fetched, SourceError> {
        let minute = self.began.elapsed().as_secs() / 60;
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            *asked
        };
        let all = truth(minute);
        let half = || Ok(published(all.iter().step_by(2).cloned(), TTL));
        let unreachable = |why: &str| Err(SourceError::Unreachable(why.to_owned()));
        match mood(minute).1 {
            Mood::Sound => Ok(published(all, TTL)),
            Mood::Killed => unreachable("spf.example: connection refused"),
            Mood::Servfail => unreachable("spf.example: SERVFAIL"),
            Mood::Empty => Ok(published([], TTL)),
            Mood::Gone => Err(SourceError::Wrong("spf.example has no SPF record".into())),
            Mood::Elevenfold => {
                Ok(published((0..all.len() * 11).map(|n| format!("198.18.{}.{}", n >> 8, n & 255)), TTL))
            }
            Mood::Flapping => match asked % 4 {
                0 => half(),
                1 => Ok(published(all, TTL)),
                2 => Ok(published([], TTL)),
                _ => unreachable("spf.example: SERVFAIL"),
            },
            Mood::Half => half(),
        }
    }
}

/// Warnings, with the minute in which they came.
#[derive(Clone)]
struct Warnings {
    began: Instant,
    told: Arc<Mutex<Vec<(u64, String)>>>,
}

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        if *event.metadata().level() == tracing::Level::WARN {
            self.told.lock().unwrap().push((self.began.elapsed().as_secs() / 60, text.0));
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 = format!("{} {field}={value:?}", self.0);
    }
}

/// A running keeper and what it has published last.
struct Running {
    gateways: Arc<Mutex<Gateways>>,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<Snapshots>,
}

impl Running {
    fn start(dir: &Temporary, plan: &Plan, clock: &Clock, began: Instant) -> Self {
        let stock = dir.stock(plan, Arc::clone(clock));
        let gateways = Arc::new(Mutex::new(stock.gateways()));
        let (orders, received) = mpsc::channel(1);
        let seen = Arc::clone(&gateways);
        let publish = move |new| *seen.lock().unwrap() = new;
        let moody = Arc::new(Moody { began, asked: Mutex::new(0) });
        let task = tokio::spawn(keep(stock, moody, publish, received));
        Self { gateways, orders, task }
    }

    async fn stop(self) {
        drop(self.orders);
        self.task.await.unwrap();
    }

    /// Yes, no, or nothing when it is unknown.
    fn lets_in(&self, address: &str) -> Option<bool> {
        let address: IpAddr = address.parse().unwrap();
        let gateways = self.gateways.lock().unwrap();
        let addresses = gateways.iter().next().unwrap().addresses.clone().unwrap();
        let found = addresses.networks.find(address).is_some();
        (found || addresses.complete).then_some(found)
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_of_faults_refuses_no_gateway_and_accepts_no_stranger() {
    let began = Instant::now();
    let warnings = Warnings { began, told: Arc::default() };
    let told = Arc::clone(&warnings.told);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(warnings));
    let (dir, clock) = (Temporary::new(), clock());
    let plan = dir.plan("[gateway.seg]\nspf = [\"spf.example\"]\n");
    let mut running = Running::start(&dir, &plan, &clock, began);
    let mut loaded = None;
    for minute in 0..24 * 60 {
        if RESTARTS.contains(&minute) {
            running.stop().await;
            running = Running::start(&dir, &plan, &clock, began);
        }
        sleep(Duration::from_secs(59)).await;
        for address in truth(minute) {
            let is_new = address == "192.0.2.21" && minute < ADDED + SOON;
            let answer = running.lets_in(&address);
            assert!(
                answer != Some(false) || is_new,
                "minute {minute}, {:?}: {address} is refused",
                mood(minute)
            );
            assert!(
                answer == Some(true) || is_new || minute < 30 + SOON,
                "minute {minute}: {address} is unknown"
            );
            loaded = loaded.or(answer.map(|_| minute));
        }
        for address in ["198.18.0.0", "198.18.0.77", "192.0.2.99", "203.0.113.5", "2001:db8::1"] {
            let answer = running.lets_in(address);
            assert_ne!(answer, Some(true), "minute {minute}, {:?}: {address} is let in", mood(minute));
            assert!(answer == Some(false) || minute < 30 + SOON, "minute {minute}: {address} is unknown");
        }
        sleep(Duration::from_secs(1)).await;
    }
    assert!(loaded.is_some_and(|minute| (30..30 + SOON).contains(&minute)), "loaded at {loaded:?}");
    running.stop().await;
    let told = told.lock().unwrap();
    for (place, (from, mood, word)) in DAY.iter().enumerate() {
        let to = DAY.get(place + 1).map_or(u64::MAX, |(from, ..)| *from);
        let meanwhile: Vec<_> = told.iter().filter(|(minute, _)| (*from..to).contains(minute)).collect();
        let is_warned = meanwhile.iter().any(|(_, text)| {
            text.contains(word) && text.contains("gateway=\"seg\"") && text.contains("spf spf.example")
        });
        assert_eq!(is_warned, *mood != Mood::Sound, "minute {from}, {mood:?}: {meanwhile:#?}");
    }
}
