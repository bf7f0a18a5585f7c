// SPDX-License-Identifier: GPL-3.0-or-later
//! A door on one end of a socket pair.

use postern::gate::Gate;
use postern::listen::{Drain, Draining, Peer};
use postern::socketmap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

/// A door that serves any number of connections.
pub(crate) struct Door {
    pub(crate) gate: Arc<Gate>,
    drain: Drain,
    draining: Draining,
}

impl Door {
    pub(crate) fn new(gate: Gate) -> Self {
        let (drain, draining) = Drain::new();
        Self { gate: Arc::new(gate), drain, draining }
    }

    pub(crate) fn connect(&self) -> Caller {
        let (stream, theirs) = UnixStream::pair().unwrap();
        let served = socketmap::serve(theirs, Peer::Unix, Arc::clone(&self.gate), self.draining.clone());
        Caller { stream, served: tokio::spawn(served) }
    }

    /// Tells every connection that the service stops, and waits until all are gone.
    pub(crate) async fn finish(self) {
        let Self { gate: _, drain, draining } = self;
        drop(draining);
        drain.finish().await;
    }
}

/// An MTA.
pub(crate) struct Caller {
    pub(crate) stream: UnixStream,
    pub(crate) served: JoinHandle<()>,
}

pub(crate) fn netstring(content: &[u8]) -> Vec<u8> {
    [content.len().to_string().as_bytes(), b":", content, b","].concat()
}

impl Caller {
    pub(crate) async fn say(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    /// The next answer; nothing when the door has hung up.
    pub(crate) async fn hear(&mut self) -> Option<String> {
        let mut length = 0;
        loop {
            match self.stream.read_u8().await.ok()? {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut content = vec![0; length + 1];
        self.stream.read_exact(&mut content).await.ok()?;
        assert_eq!(content.pop(), Some(b','));
        Some(String::from_utf8(content).unwrap())
    }

    pub(crate) async fn ask(&mut self, request: &str) -> Option<String> {
        self.say(&netstring(request.as_bytes())).await;
        self.hear().await
    }
}
