// SPDX-License-Identifier: GPL-3.0-or-later
//! Looks at servers' hosts again and again while Postern serves.
//!
//! It has a thread and a runtime of its own, so that nothing that serves waits for it. At most [`AT_ONCE`] hosts are looked
//! at at one time, each for at most [`LIMIT`]; one host, however many servers have it, once at a time and not more often
//! than every [`shortest`] whatever is configured. A keeper that was stopped publishes nothing any more.

use super::health::{Arranged, Change, HostState, arrange};
use super::probe::{Looked, Outcome, Probe, Visit};
use crate::dns::Dns;
use crate::mail::NextHop;
use crate::policy::{Server, Servers, TlsWish};
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};
use tokio::time::{Duration, Instant, sleep_until, timeout};

/// Hosts that are looked at at one time.
const AT_ONCE: usize = 16;
/// How long one look may take; visits have their own limits, and so have questions to name servers.
const LIMIT: Duration = Duration::from_secs(120);
/// Shortest time from one look at a host to the next.
const SHORTEST: Duration = Duration::from_secs(5);
/// Within this time after the start every host is looked at for the first time.
const FIRST: Duration = Duration::from_secs(2);

/// The time from one look at a host to the next that an interval comes to.
pub fn shortest(every: Duration) -> Duration {
    every.max(SHORTEST)
}

/// Who looks.
pub trait Look: Send + Sync + 'static {
    /// Looks at a host.
    fn look(&self, hop: &NextHop, wish: &TlsWish) -> impl Future<Output = Looked> + Send;
}

impl<D: Dns> Look for Probe<D> {
    fn look(&self, hop: &NextHop, wish: &TlsWish) -> impl Future<Output = Looked> + Send {
        Self::look(self, hop, wish)
    }
}

/// A server that is to be looked at.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its name.
    pub name: Arc<str>,
    /// Its hosts, in the order that is configured.
    pub hosts: Vec<NextHop>,
    /// What a connection to it must be.
    pub tls: TlsWish,
    /// How often each host is looked at.
    pub every: Duration,
}

/// What is known of all hosts. It outlives the keeper, for the next one.
#[derive(Clone, Debug, Default)]
pub struct States {
    hosts: HashMap<(Arc<str>, NextHop), HostState>,
    /// When each was last looked at, for whichever server.
    asked: HashMap<NextHop, Instant>,
}

impl States {
    /// What is known of a server's host.
    pub fn host(&self, server: &Arc<str>, hop: &NextHop) -> HostState {
        self.hosts.get(&(Arc::clone(server), hop.clone())).cloned().unwrap_or_default()
    }

    /// The order of a server's hosts now.
    pub fn arrange(&self, server: &Watched) -> Arranged {
        arrange(&server.hosts, |hop| self.host(&server.name, hop).is_back())
    }

    /// Servers with those that are watched as they are to be tried now, in the same places.
    pub fn compose(&self, servers: &Servers, watched: &[Watched]) -> Servers {
        let compose = |server: &Arc<Server>| {
            let Some(watched) = watched.iter().find(|watched| watched.name == server.name) else {
                return Arc::clone(server);
            };
            let Arranged { hosts, down } = self.arrange(watched);
            if hosts == server.hosts && down == server.down {
                return Arc::clone(server);
            }
            let Server { name, hosts: _, tls, down: _ } = &**server;
            Arc::new(Server { name: Arc::clone(name), hosts, tls: tls.clone(), down })
        };
        servers.iter().map(compose).collect()
    }

    /// Forgets hosts that are gone from the configuration.
    fn retain(&mut self, watched: &[Watched]) {
        self.hosts.retain(|(name, hop), _| {
            watched.iter().any(|server| server.name == *name && server.hosts.contains(hop))
        });
        self.asked.retain(|hop, _| watched.iter().any(|server| server.hosts.contains(hop)));
    }
}

/// A keeper at work.
#[derive(Debug)]
pub struct Keeper {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<States>,
}

impl Keeper {
    /// Sets one to work. `publish` is called on its thread after each look with what is known, and whether by it the order
    /// of hosts has changed. An error says that the system has no thread for it.
    pub fn start<L: Look>(
        watched: Vec<Watched>,
        states: States,
        look: L,
        publish: impl FnMut(&States, bool) + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let clock = Box::new(SystemTime::now);
        let thread = thread::Builder::new().name("postern-servers".into()).spawn(move || {
            runtime.block_on(keep((watched, states), Arc::new(look), clock, publish, stopped))
        })?;
        Ok(Self { stop, thread })
    }

    /// Stops it, waits until it has stopped, and takes over what it knows. Looks under way are broken off.
    pub fn stop(self) -> States {
        drop(self.stop);
        // One that panicked has said so on standard error.
        self.thread.join().unwrap_or_default()
    }
}

type Clock = Box<dyn Fn() -> SystemTime + Send>;

/// Looks in time, until it is stopped.
async fn keep<L: Look>(
    (watched, mut states): (Vec<Watched>, States),
    look: Arc<L>,
    clock: Clock,
    mut publish: impl FnMut(&States, bool),
    mut stopped: oneshot::Receiver<()>,
) -> States {
    states.retain(&watched);
    let mut turns = Turns::new(&watched, look);
    loop {
        turns.ask(&watched, &mut states);
        let next = turns.next();
        tokio::select! {
            _ = &mut stopped => return states,
            Some((place, looked)) = turns.looked(), if !turns.asked.is_empty() => {
                let Some((server, hop)) = turns.end(&watched, place) else { continue };
                let was = states.arrange(server);
                let key = (Arc::clone(&server.name), hop.clone());
                let state = states.hosts.entry(key).or_default();
                let changes = state.take(&looked, clock());
                let state = state.clone();
                let is = states.arrange(server);
                // What is told is in force by then.
                publish(&states, is != was);
                for change in changes {
                    tell(server, &hop, &state, &change);
                }
                if is.down && !was.down {
                    tracing::warn!(server = &*server.name, "none of the server's hosts takes mail; their order stays");
                }
            }
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

fn tell(server: &Watched, hop: &NextHop, state: &HostState, change: &Change) {
    let (server, host) = (&*server.name, hop);
    let trouble = state.trouble.as_ref().map(|trouble| &*trouble.text).unwrap_or_default();
    match change {
        Change::Back => {
            tracing::warn!(server, %host, why = state.text, "host steps back behind the others");
        }
        Change::Returned => tracing::info!(server, %host, "host takes mail again"),
        Change::Trouble => {
            tracing::warn!(server, %host, why = trouble, "TLS is not as is wished; the MTA keeps mail for it");
        }
        Change::TroubleOver => tracing::info!(server, %host, "TLS is as is wished again"),
    }
}

/// A host of one server and when it is looked at.
struct Turn {
    server: usize,
    hop: NextHop,
    /// Nothing while it is being looked at.
    due: Option<Instant>,
}

struct Turns<L> {
    look: Arc<L>,
    all: Vec<Turn>,
    asked: JoinSet<Looked>,
    /// Whose turn each task is.
    places: HashMap<Id, usize>,
    random: RandomState,
    /// How many numbers were drawn.
    drawn: u64,
}

impl<L: Look> Turns<L> {
    fn new(watched: &[Watched], look: Arc<L>) -> Self {
        let mut turns = Self {
            look,
            all: Vec::new(),
            asked: JoinSet::new(),
            places: HashMap::new(),
            random: RandomState::new(),
            drawn: 0,
        };
        let now = Instant::now();
        for (server, one) in watched.iter().enumerate() {
            for hop in &one.hosts {
                let due = Some(now + FIRST / 1000 * turns.draw(1000));
                turns.all.push(Turn { server, hop: hop.clone(), due });
            }
        }
        turns
    }

    /// A number below `most`, so that many hosts are not looked at in the same moment for ever.
    fn draw(&mut self, most: u32) -> u32 {
        self.drawn += 1;
        u32::try_from(self.random.hash_one(self.drawn) % u64::from(most)).unwrap_or_default()
    }

    /// Looks at those that are due, the longest waiting first, as far as there is room.
    fn ask(&mut self, watched: &[Watched], states: &mut States) {
        let now = Instant::now();
        while self.asked.len() < AT_ONCE {
            let due = self.all.iter().enumerate().filter_map(|(place, turn)| Some((turn.due?, place)));
            let Some((due, place)) = due.min() else { return };
            if due > now {
                return;
            }
            let Some(hop) = self.all.get(place).map(|turn| turn.hop.clone()) else { return };
            let under_way = |turn: &Turn| turn.due.is_none() && turn.hop == hop;
            let again = match states.asked.get(&hop) {
                _ if self.all.iter().any(under_way) => Some(now + SHORTEST),
                Some(last) if now < *last + SHORTEST => Some(*last + SHORTEST),
                Some(_) | None => None,
            };
            let Some(turn) = self.all.get_mut(place) else { return };
            turn.due = again;
            if again.is_some() {
                continue;
            }
            let Some(server) = watched.get(turn.server) else { return };
            states.asked.insert(hop.clone(), now);
            let (look, wish) = (Arc::clone(&self.look), server.tls.clone());
            let task = self.asked.spawn(async move {
                let looking = timeout(LIMIT, look.look(&hop, &wish)).await;
                looking.unwrap_or_else(|_| nothing_learnt(&hop, "the look was not over in time"))
            });
            self.places.insert(task.id(), place);
        }
    }

    /// When the next one is due, if there is room for it.
    fn next(&self) -> Option<Instant> {
        self.all.iter().filter_map(|turn| turn.due).min().filter(|_| self.asked.len() < AT_ONCE)
    }

    /// The next look that is over.
    async fn looked(&mut self) -> Option<(usize, Looked)> {
        let (id, looked) = match self.asked.join_next_with_id().await? {
            Ok((id, looked)) => (id, Some(looked)),
            // One that panicked has said so on standard error, and has learnt nothing.
            Err(error) => (error.id(), None),
        };
        let place = self.places.remove(&id)?;
        let hop = &self.all.get(place)?.hop;
        Some((place, looked.unwrap_or_else(|| nothing_learnt(hop, "looking went wrong"))))
    }

    /// A turn is over; says whose it was.
    fn end<'a>(&mut self, watched: &'a [Watched], place: usize) -> Option<(&'a Watched, NextHop)> {
        let tenth = self.draw(201);
        let turn = self.all.get_mut(place)?;
        let server = watched.get(turn.server)?;
        // From a tenth too early to a tenth too late.
        let pause = shortest(shortest(server.every) / 1000 * (900 + tenth));
        turn.due = Some(Instant::now() + pause);
        Some((server, turn.hop.clone()))
    }
}

fn nothing_learnt(hop: &NextHop, why: &str) -> Looked {
    let outcome = Outcome::Unresolved(why.to_owned());
    Looked { visits: vec![Visit { host: hop.to_string(), address: None, steps: Vec::new(), outcome }] }
}

#[cfg(test)]
mod simulation;
