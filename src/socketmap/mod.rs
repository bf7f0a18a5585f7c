// SPDX-License-Identifier: GPL-3.0-or-later
//! The door for look-ups in tables (socketmap_table(5), Sendmail's `socket` maps): a name of a table and a key come in, a value
//! goes out.

use crate::gate::Judge;
use crate::listen::{Draining, Peer};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Serves one connection to its end.
pub async fn serve<S, J>(_stream: S, _peer: Peer, _judge: Arc<J>, _draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
}
