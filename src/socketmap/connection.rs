// SPDX-License-Identifier: GPL-3.0-or-later
//! One connection from an MTA: requests are read under caps and deadlines, looked up one after the other, and answered.
//!
//! Limits: a request is at most [`super::MAX_REQUEST`] octets and must be complete within [`REQUEST_LIMIT`] of its first octet. Between
//! requests an MTA may be silent for [`IDLE_LIMIT`]: Postfix hangs up after 10 s and comes again, Sendmail keeps its connection
//! for the whole SMTP session. When the service stops, a connection ends between two requests; MTAs then try anew.

use super::netstring::{self, Malformed, Netstring};
use super::{Request, look_up};
use crate::gate::{Event, Judge, Table};
use crate::listen::{Draining, Peer};
use crate::mail::Escaped;
use bytes::{Buf as _, BytesMut};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Duration, timeout};

/// How long a peer may be silent between requests, as with the milter.
pub const IDLE_LIMIT: Duration = Duration::from_secs(7210);
/// How long a request that has begun may take.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long an answer may take to be written.
pub const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Room for octets that is kept free for each read; a request fits.
const READ_ROOM: usize = 512;

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Garbage(#[from] Malformed),
    #[error("silent for {} s", IDLE_LIMIT.as_secs())]
    Idle,
    #[error("a request was not complete within {} s", REQUEST_LIMIT.as_secs())]
    SlowRequest,
    #[error("the connection ended within a request")]
    CutOff,
    #[error("an answer could not be written within {} s", WRITE_LIMIT.as_secs())]
    SlowWrite,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// Serves one connection to its end.
pub async fn serve<S, J>(stream: S, peer: Peer, judge: Arc<J>, draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    match converse(stream, peer, &*judge, draining).await {
        Ok(()) => {}
        Err(ended @ Ended::Garbage(_)) => {
            judge.count(Event::Garbage);
            tracing::warn!(%peer, why = %ended, "disconnected a peer that does not speak the socketmap protocol");
        }
        Err(
            ended @ (Ended::Idle | Ended::SlowRequest | Ended::CutOff | Ended::SlowWrite | Ended::Broken(_)),
        ) => {
            judge.count(Event::Broken);
            tracing::info!(%peer, why = %ended, "look-ups broken off");
        }
    }
}

async fn converse<S, J>(mut stream: S, peer: Peer, judge: &J, mut draining: Draining) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
    let mut heard = BytesMut::new();
    let mut octets = Vec::new();
    loop {
        let sound = loop {
            match netstring::first(&heard) {
                Ok(Some(Netstring { content, extent })) => {
                    answer(judge, peer, content, &mut octets).await;
                    heard.advance(extent);
                }
                Ok(None) => break Ok(()),
                Err(malformed) => break Err(malformed),
            }
        };
        if !octets.is_empty() {
            // Answers to requests that came together go together.
            timeout(WRITE_LIMIT, stream.write_all(&octets)).await.map_err(|_| Ended::SlowWrite)??;
            octets.clear();
        }
        sound?;
        if heard.is_empty() {
            heard.reserve(READ_ROOM);
            tokio::select! {
                biased;
                () = draining.begun() => return Ok(()),
                read = timeout(IDLE_LIMIT, stream.read_buf(&mut heard)) => {
                    if read.map_err(|_| Ended::Idle)?? == 0 {
                        return Ok(());
                    }
                }
            }
        } else {
            timeout(REQUEST_LIMIT, complete(&mut stream, &mut heard))
                .await
                .map_err(|_| Ended::SlowRequest)??;
        }
    }
}

/// Reads until the request that has begun is whole.
async fn complete<S: AsyncRead + Unpin>(stream: &mut S, heard: &mut BytesMut) -> Result<(), Ended> {
    loop {
        let missing = netstring::missing(heard)?;
        if missing == 0 {
            return Ok(());
        }
        heard.reserve(missing.max(READ_ROOM));
        if stream.read_buf(heard).await? == 0 {
            return Err(Ended::CutOff);
        }
    }
}

/// Answers a request by the policy that is in force now.
async fn answer<J: Judge>(judge: &J, peer: Peer, content: &[u8], octets: &mut Vec<u8>) {
    let policy = judge.policy();
    let request = Request::parse(content);
    let found = look_up(judge, &policy, request).await;
    let outcome = found.answer.outcome();
    let before = judge.looked_up(request.table, outcome);
    if request.table == Table::Unknown && before == 0 {
        tracing::warn!(%peer, request = %Escaped(content), "looked up in a table that is not there; see the MTA's configuration");
    }
    tracing::debug!(
        %peer,
        table = request.table.as_str(),
        key = %Escaped(request.key.unwrap_or_default()),
        outcome = outcome.as_str(),
        why = %found.why.told(&policy),
        "looked up"
    );
    found.answer.put(octets);
}
