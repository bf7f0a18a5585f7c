// SPDX-License-Identifier: GPL-3.0-or-later
//! Passes messages on between a server and the LDAP library, and looks at each that comes before the library does.
//!
//! A message (RFC 4511 4.1.1) has at most [`MAX_MESSAGE`] octets, is whole, nests no deeper than [`MAX_DEPTH`], and is encoded
//! as RFC 4511 5.1 wants it: the library takes in whatever length a server announces, and follows any nesting. Nothing is
//! read ahead of what the library takes.

use std::io::{Error, ErrorKind, Result};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::UnixStream;

/// Octets that a message may have. The largest are groups: a member is some 100.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// Values in values; a search result with controls has seven.
const MAX_DEPTH: usize = 16;

/// A universal, constructed SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// Constructed, in the first octet of a tag.
const CONSTRUCTED: u8 = 0x20;
const INTEGER: u8 = 2;
/// Answers to a bind, a search (an entry, its end, a referral), an extended operation, and an intermediate one.
const ANSWERS: [u8; 6] = [0x61, 0x64, 0x65, 0x73, 0x78, 0x79];
/// The id of a message that is no answer, which only is that the server ends the connection (RFC 4511 4.4.1).
const UNSOLICITED: &[u8] = &[0];

/// Passes on until one side ends; says why the server did.
pub(super) async fn run(server: impl AsyncRead + AsyncWrite, library: UnixStream) -> Result<()> {
    let (from_server, mut to_server) = tokio::io::split(server);
    let (mut from_library, mut to_library) = library.into_split();
    let up = async {
        tokio::io::copy(&mut from_library, &mut to_server).await?;
        to_server.shutdown().await
    };
    let down = async {
        let mut from_server = BufReader::with_capacity(64 * 1024, from_server);
        let mut message = Vec::new();
        loop {
            next(&mut from_server, &mut message).await?;
            to_library.write_all(&message).await?;
        }
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}

/// Reads a message, header and all.
pub(super) async fn next(
    server: &mut (impl tokio::io::AsyncBufRead + Unpin),
    message: &mut Vec<u8>,
) -> Result<()> {
    message.clear();
    if server.fill_buf().await?.is_empty() {
        return Err(Error::new(ErrorKind::UnexpectedEof, "the server has closed the connection"));
    }
    let first = server.read_u8().await?;
    let length = server.read_u8().await?;
    message.extend([first, length]);
    let length = match length {
        0..=0x7f => usize::from(length),
        0x81..=0x88 => {
            let mut octets = [0; 8];
            let octets = &mut octets[8 - usize::from(length - 0x80)..];
            server.read_exact(octets).await?;
            message.extend_from_slice(octets);
            octets.iter().fold(0_usize, |sum, octet| sum.saturating_mul(256).saturating_add((*octet).into()))
        }
        _ => usize::MAX,
    };
    if first != SEQUENCE {
        return Err(no_ldap());
    }
    if length > MAX_MESSAGE {
        let why = format!("a message has more than {} MiB", MAX_MESSAGE >> 20);
        return Err(Error::new(ErrorKind::InvalidData, why));
    }
    let header = message.len();
    // Memory grows with what comes, not with what is announced.
    let read = server.take(length as u64).read_to_end(message).await?;
    if read < length {
        return Err(Error::new(
            ErrorKind::UnexpectedEof,
            "the server has closed the connection within a message",
        ));
    }
    let body = &message[header..];
    let id = is_encoding(body, 0).then(|| element(body)).flatten();
    match id {
        Some((INTEGER, UNSOLICITED, _)) => {
            let why = "the server has given notice of disconnection";
            Err(Error::new(ErrorKind::ConnectionAborted, why))
        }
        Some((INTEGER, _, [operation, ..])) if ANSWERS.contains(operation) => Ok(()),
        Some(_) | None => Err(no_ldap()),
    }
}

fn no_ldap() -> Error {
    Error::new(ErrorKind::InvalidData, "what the server sends is no LDAP")
}

/// Whether these are whole values, one after another, of definite length.
fn is_encoding(mut octets: &[u8], depth: usize) -> bool {
    while !octets.is_empty() {
        let Some((tag, value, rest)) = element(octets) else { return false };
        // Tags of more than one octet are in no LDAP message.
        if tag & 0x1f == 0x1f {
            return false;
        }
        if tag & CONSTRUCTED != 0 && (depth == MAX_DEPTH || !is_encoding(value, depth + 1)) {
            return false;
        }
        octets = rest;
    }
    true
}

/// The first value: its tag, what is in it, and what comes after it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = octets else { return None };
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*tag, value, rest))
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, is_encoding, next};

    fn read(octets: &[u8]) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut message = Vec::new();
        let mut rest = octets;
        runtime.block_on(next(&mut rest, &mut message)).map(|()| message).map_err(|error| error.to_string())
    }

    #[test]
    fn messages() {
        // An answer to a bind: id 1, success.
        let good = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0];
        assert_eq!(read(&good).unwrap(), good);
        assert_eq!(read(&[&good[..], &[0x30]].concat()).unwrap(), good);
        let long = [&[0x30, 0x82, 0, 0x0c], &good[2..]].concat();
        assert_eq!(read(&long).unwrap(), long);
        for (octets, want) in [
            (&b""[..], "has closed the connection"),
            (b"HTTP/1.1 400 Bad Request\r\n", "no LDAP"),
            (b"\x30\x84\x7f\xff\xff\xff", "more than 64 MiB"),
            (b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff", "more than 64 MiB"),
            (b"\x30\x80\x02\x01\x01\0\0", "more than 64 MiB"),
            (b"\x30\x05\x02\x01\x01", "within a message"),
            (b"\x30\x05\x02\x01\x01\x61\x07", "no LDAP"),
            (b"\x30\x05\x02\x01\0\x78\0", "notice of disconnection"),
        ] {
            let error = read(octets).unwrap_err();
            assert!(error.contains(want), "{octets:x?}: {error}");
        }
    }

    #[test]
    fn encodings() {
        let nested = |depth: usize| {
            (0..depth).fold(Vec::new(), |inner: Vec<u8>, _| {
                [&[0x30, u8::try_from(inner.len()).unwrap()], &inner[..]].concat()
            })
        };
        for (octets, want) in [
            (nested(MAX_DEPTH), true),
            (nested(MAX_DEPTH + 1), false),
            (vec![], true),
            (vec![4], false),
            (vec![4, 1], false),
            (vec![4, 0x80], false),
            (vec![4, 0x81, 1, 0], true),
            (vec![4, 0x85, 0, 0, 0, 0, 1, 0], false),
            (vec![0x1f, 1, 0], false),
        ] {
            assert_eq!(is_encoding(&octets, 0), want, "{octets:x?}");
        }
    }
}
