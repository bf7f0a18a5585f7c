// SPDX-License-Identifier: GPL-3.0-or-later
//! Going quietly: sessions are told that the service stops, and the service waits until the last one is gone.

use tokio::sync::{mpsc, watch};

/// The service's side.
#[derive(Debug)]
pub struct Drain {
    begun: watch::Sender<bool>,
    token: mpsc::Sender<()>,
    all_gone: mpsc::Receiver<()>,
}

/// A session's side. While any clone lives, the service waits for it.
#[derive(Clone, Debug)]
pub struct Draining {
    begun: watch::Receiver<bool>,
    _token: mpsc::Sender<()>,
}

impl Drain {
    /// Both sides.
    pub fn new() -> (Self, Draining) {
        let (begun, heard) = watch::channel(false);
        let (token, all_gone) = mpsc::channel(1);
        let draining = Draining { begun: heard, _token: token.clone() };
        (Self { begun, token, all_gone }, draining)
    }

    /// Tells every session, and waits until all are gone. Give it a deadline.
    pub async fn finish(self) {
        let Self { begun, token, mut all_gone } = self;
        // Nobody listens when every session is gone already.
        let _ = begun.send(true);
        drop(token);
        let _ = all_gone.recv().await;
    }
}

impl Draining {
    /// Whether the service stops.
    pub fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// Waits until the service stops. Can be dropped and asked again.
    pub async fn begun(&mut self) {
        // An error says that the service's side is gone, which is a stop too.
        let _ = self.begun.wait_for(|&begun| begun).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Duration, timeout};

    #[tokio::test]
    async fn waits_for_the_last_session() {
        let (drain, mut draining) = Drain::new();
        assert!(!draining.has_begun());
        let session = tokio::spawn(async move {
            draining.begun().await;
            draining.has_begun()
        });
        timeout(Duration::from_secs(5), drain.finish()).await.expect("drained");
        assert!(session.await.unwrap());
    }
}
