// SPDX-License-Identifier: GPL-3.0-or-later
//! The door for Postfix's policy delegation (SMTPD_POLICY_README): Postfix tells of a client and a recipient, and is told
//! what to do with it.

use crate::gate::Judge;
use crate::listen::{Draining, Peer};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// How the door is set.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether what is for a whole message is carried out here, because the milter never sees it.
    pub alone: bool,
}

/// Serves one connection to its end.
pub async fn serve<S, J>(_stream: S, _peer: Peer, _judge: Arc<J>, _manner: Manner, _draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: Judge,
{
}
