// SPDX-License-Identifier: GPL-3.0-or-later
//! Keeps gateways fresh while Postern serves: asks each source when it is due, once however many gateways use it.
//!
//! It has a thread and a runtime of its own, so that no decision ever waits for a refresh. At most [`AT_ONCE`] sources are
//! asked at one time, each for at most [`LIMIT`]. Gateways are published only when something in them has changed. A
//! keeper that was stopped publishes nothing any more.

use super::archive::Snapshots;
use super::fetch::{Fetch, Fetched, Validators};
use super::refresh::Order;
use super::snapshot::Snapshot;
use super::source::SourceError;
use super::stock::Stock;
use crate::config::AddressSource;
use crate::policy::Gateways;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Duration, Instant, sleep_until, timeout};

/// Sources that are asked at one time.
pub(super) const AT_ONCE: usize = 8;
/// How long one source may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Orders that may wait.
const ORDERS: usize = 16;

/// A keeper at work.
#[derive(Debug)]
pub struct Keeper {
    orders: mpsc::Sender<Order>,
    thread: thread::JoinHandle<Snapshots>,
}

impl Keeper {
    /// Sets one to work; `publish` is called on its thread with each new state of the gateways. An error says that the
    /// system has no thread for it.
    pub fn start<F: Fetch>(
        stock: Stock,
        fetch: F,
        publish: impl FnMut(Gateways) + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (orders, received) = mpsc::channel(ORDERS);
        let thread = thread::Builder::new()
            .name("postern-gateways".into())
            .spawn(move || runtime.block_on(keep(stock, Arc::new(fetch), publish, received)))?;
        Ok(Self { orders, thread })
    }

    /// Asks for a refresh now; says whether it was heard.
    pub fn refresh(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Stops it, waits until it has stopped, and takes over what it knows.
    pub fn stop(self) -> Snapshots {
        drop(self.orders);
        // One that panicked has said so on standard error; what it had kept is on disk.
        self.thread.join().unwrap_or_default()
    }
}

/// One source and when it is asked.
struct Turn {
    source: AddressSource,
    /// Nothing while it is being asked.
    due: Option<Instant>,
    /// Whether the next answer is taken as it is.
    force: bool,
    /// Whether it was ordered again while it was being asked.
    again: bool,
}

/// Asks in time, until nobody is left who could order anything.
pub(super) async fn keep<F: Fetch>(
    mut stock: Stock,
    fetch: Arc<F>,
    mut publish: impl FnMut(Gateways),
    mut orders: mpsc::Receiver<Order>,
) -> Snapshots {
    stock.clean();
    stock.announce();
    let mut turns = Turns::new(&stock, fetch);
    loop {
        turns.ask(&stock);
        let next = turns.next();
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => turns.order(&stock, &order),
                None => return stock.into_snapshots(),
            },
            Some((place, answer)) = turns.answered() => {
                if turns.take(&mut stock, place, &answer) {
                    publish(stock.gateways());
                }
            }
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

struct Turns<F> {
    fetch: Arc<F>,
    /// All of them, those that are being asked, too.
    all: Vec<Turn>,
    asked: JoinSet<Result<Fetched, SourceError>>,
    /// Whose question each task puts, and whether its answer is taken as it is.
    places: HashMap<Id, (usize, bool)>,
}

impl<F: Fetch> Turns<F> {
    fn new(stock: &Stock, fetch: Arc<F>) -> Self {
        let now = Instant::now();
        let turn = |source: &AddressSource| {
            let due = Some(now + stock.due_in(source));
            Turn { source: source.clone(), due, force: false, again: false }
        };
        let all = stock.plan().sources().keys().map(turn).collect();
        Self { fetch, all, asked: JoinSet::new(), places: HashMap::new() }
    }

    /// Asks those that are due, the longest waiting first, as far as there is room.
    fn ask(&mut self, stock: &Stock) {
        let now = Instant::now();
        while self.asked.len() < AT_ONCE {
            let due =
                self.all.iter_mut().enumerate().filter_map(|(place, turn)| Some((turn.due?, place, turn)));
            let Some((due, place, turn)) = due.min_by_key(|(due, place, _)| (*due, *place)) else { return };
            if due > now {
                return;
            }
            turn.due = None;
            let force = std::mem::take(&mut turn.force);
            let (fetch, source) = (Arc::clone(&self.fetch), turn.source.clone());
            let known = stock.snapshot(&source).filter(|_| !force);
            let validators = known.map_or_else(Validators::default, |snapshot| snapshot.validators.clone());
            let task = self.asked.spawn(async move { ask(&*fetch, &source, &validators).await });
            self.places.insert(task.id(), (place, force));
        }
    }

    /// When the next one is due, if there is room for it.
    fn next(&self) -> Option<Instant> {
        self.all.iter().filter_map(|turn| turn.due).min().filter(|_| self.asked.len() < AT_ONCE)
    }

    /// The next answer; nothing when nobody is being asked.
    async fn answered(&mut self) -> Option<((usize, bool), Result<Fetched, SourceError>)> {
        let (id, answer) = match self.asked.join_next_with_id().await? {
            Ok((id, answer)) => (id, answer),
            Err(error) => (error.id(), Err(gone_wrong(&error))),
        };
        Some((self.places.remove(&id)?, answer))
    }

    /// Takes an answer in; says whether a gateway has changed by it.
    fn take(
        &mut self,
        stock: &mut Stock,
        (place, force): (usize, bool),
        answer: &Result<Fetched, SourceError>,
    ) -> bool {
        let Some(turn) = self.all.get_mut(place) else { return false };
        let (events, pause) = stock.take(&turn.source, answer, force);
        let again = std::mem::take(&mut turn.again);
        turn.due = Some(Instant::now() + if again { Duration::ZERO } else { pause });
        // Without an event only times have changed, and those count for nothing but held networks.
        let is_waiting = stock.snapshot(&turn.source).is_some_and(Snapshot::holds_any);
        (!events.is_empty() || is_waiting) && stock.recompose(&turn.source)
    }

    fn order(&mut self, stock: &Stock, order: &Order) {
        let meant = stock.plan().sources_of(&order.gateways);
        for turn in self.all.iter_mut().filter(|turn| meant.contains(&turn.source)) {
            turn.force |= order.force;
            match &mut turn.due {
                Some(due) => *due = Instant::now(),
                None => turn.again = true,
            }
        }
    }
}

/// Asks one source, and waits no longer than is good.
pub(super) async fn ask<F: Fetch>(
    fetch: &F,
    source: &AddressSource,
    validators: &Validators,
) -> Result<Fetched, SourceError> {
    let late = |_| Err(SourceError::Unreachable(format!("nothing within {} s", LIMIT.as_secs())));
    timeout(LIMIT, fetch.fetch(source, validators)).await.unwrap_or_else(late)
}

fn gone_wrong(error: &JoinError) -> SourceError {
    SourceError::Unreachable(format!("asking went wrong: {error}"))
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
