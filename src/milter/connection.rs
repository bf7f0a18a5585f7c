// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection from an MTA: packets are read under caps and deadlines, given to the session, and its answers written.
//!
//! Limits: a packet is at most 1 MiB (MTAs send 64 KiB) and must be complete within [`FRAME_LIMIT`] of its first octet;
//! a peer that does not negotiate within [`NEGOTIATION_LIMIT`] is no MTA; a session may be idle for [`IDLE_LIMIT`],
//! libmilter's own figure. When the service stops, a session between two messages ends at once, one within a message
//! after it.

use super::frame::{self, Frame};
use super::session::{Flow, Garbage, Session};
use crate::gate::{Event, Judge};
use crate::listen::{Draining, Peer};
use bytes::{Buf, BytesMut};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};

/// How long a peer may take until it negotiates.
pub const NEGOTIATION_LIMIT: Duration = Duration::from_secs(10);
/// How long a peer may be silent between packets: an SMTP client may take its time before DATA.
pub const IDLE_LIMIT: Duration = Duration::from_secs(7210);
/// How long a packet that has begun may take.
pub const FRAME_LIMIT: Duration = Duration::from_secs(30);
/// How long an answer may take to be written.
pub const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long a decision may take: well below the 10 s that Sendmail waits for an answer, and Postfix's 30 s.
pub const DECISION_LIMIT: Duration = Duration::from_secs(5);

/// Room for octets that is kept free for each read; a whole envelope with its macros fits.
const READ_ROOM: usize = 4096;

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Garbage(#[from] Garbage),
    #[error("no option negotiation within {} s", NEGOTIATION_LIMIT.as_secs())]
    NoNegotiation,
    #[error("silent for {} s", IDLE_LIMIT.as_secs())]
    Idle,
    #[error("a packet was not complete within {} s", FRAME_LIMIT.as_secs())]
    SlowPacket,
    #[error("the connection ended within a packet")]
    CutOff,
    #[error("an answer could not be written within {} s", WRITE_LIMIT.as_secs())]
    SlowWrite,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// What reading came to.
enum Heard {
    /// More octets.
    Octets,
    /// The end of the stream.
    End,
    /// The service stops.
    Stop,
}

/// Serves one connection to its end.
pub async fn serve<S, J>(stream: S, peer: Peer, judge: Arc<J>, draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    judge.count(Event::Session);
    let mut session = Session::new(Arc::clone(&judge));
    let id = session.id();
    tracing::debug!(session = %id, %peer, "session began");
    match converse(stream, &mut session, draining).await {
        Ok(()) => tracing::debug!(session = %id, "session ended"),
        Err(ended @ (Ended::Garbage(_) | Ended::NoNegotiation)) => {
            judge.count(Event::Garbage);
            tracing::warn!(session = %id, %peer, why = %ended, "disconnected a peer that does not speak the milter protocol");
        }
        Err(
            ended @ (Ended::Idle | Ended::SlowPacket | Ended::CutOff | Ended::SlowWrite | Ended::Broken(_)),
        ) => {
            judge.count(Event::Broken);
            tracing::info!(session = %id, %peer, why = %ended, "session broken off");
        }
    }
}

async fn converse<S, J>(mut stream: S, session: &mut Session<J>, mut draining: Draining) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    let mut heard = BytesMut::new();
    let mut answers = Vec::new();
    let mut octets = Vec::new();
    loop {
        while let Some(Frame { letter, payload, extent }) = frame::first(&heard)? {
            let flow = session.step(letter, payload, &mut answers)?;
            heard.advance(extent);
            match flow {
                Flow::Continue => {}
                Flow::Decide(recipient) => answers.push(session.decide(&recipient).await),
                Flow::Finish => session.finish(&mut answers).await,
                Flow::Close => return Ok(()),
            }
            if !answers.is_empty() {
                // All at once: several small writes would be several segments.
                octets.clear();
                answers.drain(..).for_each(|answer| frame::put(&answer, &mut octets));
                timeout(WRITE_LIMIT, stream.write_all(&octets)).await.map_err(|_| Ended::SlowWrite)??;
            }
        }
        if heard.is_empty() {
            if draining.has_begun() && session.is_idle() {
                return Ok(());
            }
            match listen(&mut stream, &mut heard, session, &mut draining).await? {
                Heard::Octets => {}
                Heard::End | Heard::Stop => return Ok(()),
            }
        } else {
            timeout(FRAME_LIMIT, complete(&mut stream, &mut heard))
                .await
                .map_err(|_| Ended::SlowPacket)??;
        }
    }
}

/// Waits until there is something to read, or the service stops between two messages.
async fn listen<S, J>(
    stream: &mut S,
    heard: &mut BytesMut,
    session: &Session<J>,
    draining: &mut Draining,
) -> Result<Heard, Ended>
where
    S: AsyncRead + Unpin,
    J: Judge,
{
    let (limit, too_late) =
        if session.is_open() { (IDLE_LIMIT, Ended::Idle) } else { (NEGOTIATION_LIMIT, Ended::NoNegotiation) };
    heard.reserve(READ_ROOM);
    tokio::select! {
        biased;
        read = timeout(limit, stream.read_buf(heard)) => {
            Ok(if read.map_err(|_| too_late)?? == 0 { Heard::End } else { Heard::Octets })
        }
        () = draining.begun(), if session.is_idle() => Ok(Heard::Stop),
    }
}

/// Reads until the packet that has begun is whole.
async fn complete<S: AsyncRead + Unpin>(stream: &mut S, heard: &mut BytesMut) -> Result<(), Ended> {
    loop {
        let missing = frame::missing(heard)?;
        if missing == 0 {
            return Ok(());
        }
        heard.reserve(missing.max(READ_ROOM));
        if stream.read_buf(heard).await? == 0 {
            return Err(Ended::CutOff);
        }
    }
}
