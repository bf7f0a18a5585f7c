// SPDX-License-Identifier: GPL-3.0-or-later
//! The doors that the service opens: which sockets lead to which, how many go through each at one time, and the welcome.

use super::run::Service;
use crate::config::{self, Config, Listen};
use crate::gate::{Event, Judge as _};
use crate::listen::{
    Admission, BindError, BoundSocket, Draining, Inherited, Peer, Socket, Stream, accept_loop,
};
use crate::policyd::Manner;
use crate::{milter, policyd, socketmap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::Duration;

/// Shortest time between two warnings of the same trouble with accepting.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);

/// Which door.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Door {
    /// The milter protocol's.
    Milter,
    /// Policy delegation's.
    Policyd,
    /// That for look-ups in tables.
    Socketmap,
}

impl Door {
    /// As its table is called.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Milter => "milter",
            Self::Policyd => "policyd",
            Self::Socketmap => "socketmap",
        }
    }

    /// What is configured of it, where it is open.
    fn of(self, config: &Config) -> Option<&config::Door> {
        match self {
            Self::Milter => config.milter.as_ref(),
            Self::Policyd => config.policyd.as_ref().map(|policyd| &policyd.door),
            Self::Socketmap => config.socketmap.as_ref(),
        }
    }

    const ALL: [Self; 3] = [Self::Milter, Self::Policyd, Self::Socketmap];
}

/// Binds every socket that is configured; `workers` is how many serve each.
pub(super) fn bind(config: &Config, workers: usize) -> Result<Vec<(Door, BoundSocket)>, BindError> {
    let mut inherited = Inherited::take();
    let mut sockets = Vec::new();
    for door in Door::ALL {
        let Some(config::Door { listen, socket_mode, socket_group, max_connections: _ }) = door.of(config)
        else {
            continue;
        };
        for listen in listen {
            let socket = match listen {
                Listen::Tcp(address) => Socket::tcp(*address, workers),
                Listen::Unix(path) => Socket::unix(path, *socket_mode, socket_group.as_deref()),
                Listen::Systemd(name) => inherited.socket(name),
            };
            sockets.push((door, socket?));
        }
    }
    Ok(sockets)
}

/// Connections of all doors together, at most.
pub(super) fn most_connections(config: &Config) -> usize {
    Door::ALL.iter().filter_map(|door| door.of(config)).map(|door| door.max_connections).sum()
}

/// How many are inside, by door.
pub(super) struct Doors {
    admissions: [Arc<Admission>; 3],
    /// Whether policy delegation stands alone.
    alone: AtomicBool,
    policyd: Arc<policyd::Shared>,
}

impl Doors {
    pub(super) fn new(config: &Config) -> Self {
        let limit = |door: Door| door.of(config).map_or(0, |door| door.max_connections);
        let doors = Self {
            admissions: Door::ALL.map(|door| Admission::new(limit(door))),
            alone: AtomicBool::default(),
            policyd: Arc::default(),
        };
        doors.set(config);
        doors
    }

    /// Takes over what a reload may change.
    pub(super) fn set(&self, config: &Config) {
        for door in Door::ALL {
            if let Some(configured) = door.of(config) {
                self.admission(door).set_limit(configured.max_connections);
            }
        }
        let alone = config.policyd.as_ref().is_some_and(|policyd| policyd.alone);
        self.alone.store(alone, Ordering::Relaxed);
    }

    /// Connections that are served now.
    pub(super) fn inside(&self) -> usize {
        self.admissions.iter().map(|admission| admission.inside()).sum()
    }

    fn admission(&self, door: Door) -> &Arc<Admission> {
        match door {
            Door::Milter => &self.admissions[0],
            Door::Policyd => &self.admissions[1],
            Door::Socketmap => &self.admissions[2],
        }
    }
}

/// Says what of the sockets a reload could not change.
pub(super) fn warn_of_sockets(config: &Config, old: &Config) {
    for door in Door::ALL {
        let sockets = |config: &Config| {
            let config::Door { listen, socket_mode, socket_group, max_connections: _ } =
                door.of(config)?.clone();
            Some((listen, socket_mode, socket_group))
        };
        if sockets(config) != sockets(old) {
            tracing::warn!(
                "[{}] listen, socket_mode or socket_group changed: restart to listen there",
                door.as_str()
            );
        }
    }
}

/// Accepts on one socket and serves each connection.
pub(super) async fn welcome(service: Arc<Service>, door: Door, socket: Socket, draining: Draining) {
    let admission = Arc::clone(service.doors.admission(door));
    let for_sessions = draining.clone();
    let arrived = |stream: Stream, peer: Peer, place| {
        let (gate, draining) = (Arc::clone(&service.gate), for_sessions.clone());
        let alone = service.doors.alone.load(Ordering::Relaxed);
        let manner = (Manner { alone }, Arc::clone(&service.doors.policyd));
        tokio::spawn(async move {
            match door {
                Door::Milter => milter::serve(stream, peer, gate, draining).await,
                Door::Policyd => policyd::serve(stream, peer, gate, manner, draining).await,
                Door::Socketmap => socketmap::serve(stream, peer, gate, draining).await,
            }
            drop(place);
        });
    };
    let inside = Arc::clone(&admission);
    let troubled = |error: Option<&io::Error>| match error {
        None => {
            service.gate.count(Event::TooMany);
            if service.trouble.should_tell() {
                tracing::warn!(
                    connections = inside.inside(),
                    door = door.as_str(),
                    "too many connections: turned one away; see max_connections"
                );
            }
        }
        Some(error) => {
            service.gate.count(Event::AcceptFailed);
            if service.trouble.should_tell() {
                tracing::warn!(%error, "cannot accept connections at the moment; trying on");
            }
        }
    };
    accept_loop(socket, admission, draining, arrived, troubled).await;
}

/// Keeps one kind of trouble from filling the log.
#[derive(Default)]
pub(super) struct Trouble(AtomicU64);

impl Trouble {
    fn should_tell(&self) -> bool {
        let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs());
        let last = self.0.load(Ordering::Relaxed);
        now.saturating_sub(last) >= TROUBLE_PAUSE.as_secs()
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
