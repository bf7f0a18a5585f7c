// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection from an MTA, over TCP or a unix socket.
//!
//! Over TCP an MTA leaves Nagle's algorithm on and writes a packet that gets no answer before one that does: the
//! second waits for our acknowledgement of the first, which Linux delays by 40 ms unless `TCP_QUICKACK` is set. The
//! option does not stick, so it is set each time we wait for more after having read something and answered nothing; an
//! answer carries the acknowledgement with it. Our own writes are not delayed: listening sockets have `TCP_NODELAY`,
//! and what they accept inherits it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP; `true` while something was read and nothing written since.
    Tcp(TcpStream, bool),
    /// Over a unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// A connection over TCP.
    pub fn tcp(stream: TcpStream) -> Self {
        Self::Tcp(stream, false)
    }
}

/// Who is at the other end, for the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// An address.
    Tcp(SocketAddr),
    /// Someone on this machine.
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(target_os = "linux")]
fn acknowledge_at_once(stream: &TcpStream) {
    // A connection that is about to fail says so at the next read.
    let _ = socket2::SockRef::from(stream).set_tcp_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_at_once(_: &TcpStream) {}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, unanswered) => {
                let polled = Pin::new(&mut *stream).poll_read(context, buffer);
                if polled.is_ready() {
                    *unanswered = true;
                } else if std::mem::take(unanswered) {
                    acknowledge_at_once(stream);
                }
                polled
            }
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, unanswered) => {
                *unanswered = false;
                Pin::new(stream).poll_write(context, octets)
            }
            Self::Unix(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
