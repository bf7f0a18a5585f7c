// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection from Postfix: requests are read under caps and deadlines, and answered in their order.
//!
//! Limits: the first request must begin within [`FIRST_LIMIT`], for Postfix connects when it has something to ask; each must be
//! complete within [`REQUEST_LIMIT`] of its first octet; between two a connection may be idle for [`IDLE_LIMIT`], far longer
//! than Postfix keeps one (`smtpd_policy_service_max_idle` 300 s, `max_ttl` 1000 s). Requests that come at once are
//! answered at once, in one write. When the service stops, a connection ends as soon as all that came whole is answered.
//! Whatever goes wrong, the connection is closed without an answer, and Postfix does what
//! `smtpd_policy_service_default_action` says, by default 451 4.3.5.

use super::request::{self, Garbage};
use super::session::Session;
use super::{Manner, Shared};
use crate::gate::{Event, Judge};
use crate::listen::{Draining, Peer};
use bytes::{Buf, BytesMut};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};

/// How long a peer may take until its first request begins.
pub const FIRST_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between requests.
pub const IDLE_LIMIT: Duration = Duration::from_secs(7200);
/// How long a request that has begun may take.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// How long answers may take to be written.
pub const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long a decision may take: well below the 100 s that Postfix waits (`smtpd_policy_service_timeout`).
pub const DECISION_LIMIT: Duration = Duration::from_secs(5);

/// Room for octets that is kept free for each read; a request of Postfix fits, and several do.
const READ_ROOM: usize = 4096;
/// Answers that wait to be written, in octets. A peer that asks on and on without reading gets no further.
const MAX_ANSWERS: usize = 64 << 10;

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Garbage(#[from] Garbage),
    #[error("no request within {} s", FIRST_LIMIT.as_secs())]
    NoRequest,
    #[error("idle for {} s", IDLE_LIMIT.as_secs())]
    Idle,
    #[error("a request was not complete within {} s", REQUEST_LIMIT.as_secs())]
    SlowRequest,
    #[error("the connection ended within a request")]
    CutOff,
    #[error("answers could not be written within {} s", WRITE_LIMIT.as_secs())]
    SlowWrite,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// Serves one connection to its end.
pub async fn serve<S, J>(
    stream: S,
    peer: Peer,
    judge: Arc<J>,
    (manner, shared): (Manner, Arc<Shared>),
    draining: Draining,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    let session = Session::new(Arc::clone(&judge), manner, shared);
    let id = session.id();
    tracing::debug!(session = %id, %peer, "policy connection began");
    match converse(stream, &session, draining).await {
        Ok(()) => tracing::debug!(session = %id, "policy connection ended"),
        Err(ended @ Ended::Garbage(_)) => {
            judge.count(Event::Garbage);
            tracing::warn!(session = %id, %peer, why = %ended, "disconnected a peer that does not speak policy delegation");
        }
        Err(
            ended @ (Ended::NoRequest
            | Ended::Idle
            | Ended::SlowRequest
            | Ended::CutOff
            | Ended::SlowWrite
            | Ended::Broken(_)),
        ) => {
            judge.count(Event::Broken);
            tracing::info!(session = %id, %peer, why = %ended, "policy connection broken off");
        }
    }
}

async fn converse<S, J>(mut stream: S, session: &Session<J>, mut draining: Draining) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    let mut heard = BytesMut::new();
    let mut answers = Vec::new();
    let mut is_first = true;
    loop {
        // A request that is garbage takes none of the answers before it along.
        let read = loop {
            match request::first(&heard) {
                Ok(Some((request, extent))) => {
                    session.answer(&request).await.put(&mut answers);
                    heard.advance(extent);
                    if answers.len() > MAX_ANSWERS {
                        write(&mut stream, &mut answers).await?;
                    }
                }
                Ok(None) => break Ok(()),
                Err(garbage) => break Err(garbage),
            }
        };
        write(&mut stream, &mut answers).await?;
        read?;
        heard.reserve(READ_ROOM);
        if heard.is_empty() {
            let (limit, too_late) =
                if is_first { (FIRST_LIMIT, Ended::NoRequest) } else { (IDLE_LIMIT, Ended::Idle) };
            if draining.has_begun() {
                return Ok(());
            }
            let ended = tokio::select! {
                biased;
                read = timeout(limit, stream.read_buf(&mut heard)) => read.map_err(|_| too_late)?? == 0,
                () = draining.begun() => true,
            };
            if ended {
                return Ok(());
            }
            is_first = false;
        } else {
            timeout(REQUEST_LIMIT, complete(&mut stream, &mut heard))
                .await
                .map_err(|_| Ended::SlowRequest)??;
        }
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, answers: &mut Vec<u8>) -> Result<(), Ended> {
    if !answers.is_empty() {
        // All at once: several small writes would be several segments.
        timeout(WRITE_LIMIT, stream.write_all(answers)).await.map_err(|_| Ended::SlowWrite)??;
        answers.clear();
    }
    Ok(())
}

/// Reads until the request that has begun is whole.
async fn complete<S: AsyncRead + Unpin>(stream: &mut S, heard: &mut BytesMut) -> Result<(), Ended> {
    while request::first(heard)?.is_none() {
        heard.reserve(READ_ROOM);
        if stream.read_buf(heard).await? == 0 {
            return Err(Ended::CutOff);
        }
    }
    Ok(())
}
