// SPDX-License-Identifier: GPL-3.0-or-later
//! Accepting connections, for ever: no error ends it, and at the limit a peer is told at once.
//!
//! A peer that finds the house full is accepted and closed, so that its MTA falls back to its own default action now
//! instead of hanging in the backlog. When accepting fails (no file descriptors left, say), the loop waits a little
//! and goes on, because the connections that hold the descriptors will end.

use super::{Draining, Peer, Socket, Stream};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{Duration, sleep};

/// First wait after a failed accept; it doubles with each further failure.
const BACK_OFF_FIRST: Duration = Duration::from_millis(10);
/// Longest wait after failed accepts.
const BACK_OFF_MOST: Duration = Duration::from_secs(1);

/// How many connections there are, and may be, over all listeners and workers.
#[derive(Debug)]
pub struct Admission {
    inside: AtomicUsize,
    limit: AtomicUsize,
}

/// A place that a connection has while this lives.
#[derive(Debug)]
pub struct Admitted(Arc<Admission>);

impl Admission {
    /// Room for so many connections.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { inside: AtomicUsize::new(0), limit: AtomicUsize::new(limit) })
    }

    /// Changes the limit; who is inside stays.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// A place, if there is one.
    pub fn enter(self: &Arc<Self>) -> Option<Admitted> {
        if self.inside.fetch_add(1, Ordering::Relaxed) < self.limit.load(Ordering::Relaxed) {
            Some(Admitted(Arc::clone(self)))
        } else {
            self.inside.fetch_sub(1, Ordering::Relaxed);
            None
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts until draining begins. `arrived` takes each connection with its place; `troubled` is told of each connection
/// turned away (nothing) and of each failed accept (the error).
pub async fn accept_loop(
    socket: Socket,
    admission: Arc<Admission>,
    mut draining: Draining,
    mut arrived: impl FnMut(Stream, Peer, Admitted),
    mut troubled: impl FnMut(Option<&io::Error>),
) {
    let mut back_off = BACK_OFF_FIRST;
    loop {
        let accepted = tokio::select! {
            biased;
            () = draining.begun() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                back_off = BACK_OFF_FIRST;
                match admission.enter() {
                    Some(place) => arrived(stream, peer, place),
                    None => troubled(None),
                }
                // Lets the other workers have the next one.
                tokio::task::yield_now().await;
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                troubled(Some(&error));
                tokio::select! {
                    () = draining.begun() => return,
                    () = sleep(back_off) => {}
                }
                back_off = (back_off * 2).min(BACK_OFF_MOST);
            }
        }
    }
}

/// The peer hung up before it was accepted: nothing is wrong with us.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let admission = Admission::new(2);
        let first = admission.enter().unwrap();
        let second = admission.enter().unwrap();
        assert!(admission.enter().is_none());
        drop(first);
        assert!(admission.enter().is_some());
        drop(second);
        assert_eq!(admission.inside(), 0);
        admission.set_limit(0);
        assert!(admission.enter().is_none());
    }
}
