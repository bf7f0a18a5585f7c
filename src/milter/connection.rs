// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection from an MTA: packets are read under caps and deadlines, given to the session, and its answers written.
//!
//! Limits: a packet is at most 1 MiB (the codec's cap; MTAs send 64 KiB) and must be complete within [`FRAME_LIMIT`]
//! of its first octet; a peer that does not negotiate within [`NEGOTIATION_LIMIT`] is no MTA; a session may be idle for
//! [`IDLE_LIMIT`], libmilter's own figure. When the service stops, a session between two messages ends at once, one
//! within a message after it.

use super::session::{Flow, Garbage, Session};
use crate::gate::{Event, Judge};
use crate::listen::Draining;
use indymilter::message::{self, Message as Packet};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
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

/// Octets read at once; a whole envelope with its macros fits.
const READ_BUFFER: usize = 4096;

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
    #[error("an answer could not be written within {} s", WRITE_LIMIT.as_secs())]
    SlowWrite,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// Serves one connection to its end.
pub async fn serve<S, J>(stream: S, peer: &str, judge: Arc<J>, draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    judge.count(Event::Session);
    let mut session = Session::new(Arc::clone(&judge));
    let id = session.id();
    tracing::debug!(session = %id, peer, "session began");
    match converse(stream, &mut session, draining).await {
        Ok(()) => tracing::debug!(session = %id, "session ended"),
        Err(ended @ (Ended::Garbage(_) | Ended::NoNegotiation)) => {
            judge.count(Event::Garbage);
            tracing::warn!(session = %id, peer, why = %ended, "disconnected a peer that does not speak the milter protocol");
        }
        Err(ended @ (Ended::Idle | Ended::SlowPacket | Ended::SlowWrite | Ended::Broken(_))) => {
            judge.count(Event::Broken);
            tracing::info!(session = %id, peer, why = %ended, "session broken off");
        }
    }
}

async fn converse<S, J>(stream: S, session: &mut Session<J>, mut draining: Draining) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    let mut stream = BufReader::with_capacity(READ_BUFFER, stream);
    let mut answers = Vec::new();
    let mut octets = Vec::new();
    loop {
        if stream.buffer().is_empty() {
            if draining.has_begun() && session.is_idle() {
                return Ok(());
            }
            if !next_octets(&mut stream, session, &mut draining).await? {
                return Ok(());
            }
            if stream.buffer().is_empty() {
                continue;
            }
        }
        let packet = timeout(FRAME_LIMIT, message::read(&mut stream)).await.map_err(|_| Ended::SlowPacket)?;
        let packet = packet.map_err(|error| {
            let too_long = error.kind() == io::ErrorKind::InvalidData;
            if too_long { Ended::Garbage(Garbage::TooLong) } else { Ended::Broken(error) }
        })?;
        if session.step(packet, &mut answers).await? == Flow::Close {
            return Ok(());
        }
        if !answers.is_empty() {
            write(stream.get_mut(), &mut answers, &mut octets).await?;
        }
    }
}

/// Waits until there is something to read, or the service stops between two messages; false at the end of the stream.
async fn next_octets<S, J>(
    stream: &mut BufReader<S>,
    session: &Session<J>,
    draining: &mut Draining,
) -> Result<bool, Ended>
where
    S: AsyncRead + Unpin,
    J: Judge,
{
    let (limit, too_late) =
        if session.is_open() { (IDLE_LIMIT, Ended::Idle) } else { (NEGOTIATION_LIMIT, Ended::NoNegotiation) };
    tokio::select! {
        biased;
        filled = timeout(limit, stream.fill_buf()) => Ok(!filled.map_err(|_| too_late)??.is_empty()),
        () = draining.begun(), if session.is_idle() => Ok(true),
    }
}

/// Writes all answers at once: several small writes would be several packets.
async fn write<S>(stream: &mut S, answers: &mut Vec<Packet>, octets: &mut Vec<u8>) -> Result<(), Ended>
where
    S: AsyncWrite + Unpin,
{
    octets.clear();
    for answer in answers.drain(..) {
        message::write(octets, answer).await?;
    }
    timeout(WRITE_LIMIT, stream.write_all(octets)).await.map_err(|_| Ended::SlowWrite)??;
    Ok(())
}
