// SPDX-License-Identifier: GPL-3.0-or-later
//! Packets and macros turned into mail's own types.
//!
//! The connection packet is read here and not by the codec, because MTAs send what the codec does not take: Sendmail's
//! `IPv6:0:0:0:0:0:0:0:1`, Postfix's `unknown` with family 4 (after XCLIENT), no address at all for local submission.

use super::macros::Macros;
use super::session::Garbage;
use crate::mail::{Client, parse_client_address};

/// The first NUL-terminated string of a packet, and what follows it.
pub(super) fn string(packet: &[u8]) -> Result<(&[u8], &[u8]), Garbage> {
    let end = packet.iter().position(|&b| b == 0).ok_or(Garbage::Unterminated)?;
    Ok((&packet[..end], &packet[end + 1..]))
}

/// Reads `host NUL family [port(2) address NUL]`.
pub(super) fn client(packet: &[u8]) -> Result<Client, Garbage> {
    let (host, rest) = string(packet)?;
    let (&family, rest) = rest.split_first().ok_or(Garbage::Short)?;
    match family {
        b'4' | b'6' => {
            let (port, rest) = rest.split_first_chunk::<2>().ok_or(Garbage::Short)?;
            let (address, _) = string(rest)?;
            let address = std::str::from_utf8(address).ok().and_then(parse_client_address);
            let port = Some(u16::from_be_bytes(*port)).filter(|&port| port != 0);
            Ok(Client { address, port, name: name(host), ..Client::default() })
        }
        // A unix socket, or nothing that has an address.
        b'L' | b'U' => Ok(Client::default()),
        _ => Err(Garbage::Family),
    }
}

/// A host name, unless it is the MTA's way to say that there is none.
fn name(host: &[u8]) -> Option<Box<str>> {
    let host = std::str::from_utf8(host).ok()?;
    let is_name = !host.is_empty() && !host.starts_with('[') && !host.eq_ignore_ascii_case("unknown");
    is_name.then(|| host.into())
}

/// The name that the client has logged in with. Who uses SASL's ANONYMOUS (RFC 4505) has proved nothing and is not
/// logged in, whatever the MTA says.
pub(super) fn login(macros: &Macros) -> Option<Box<str>> {
    let method = macros.text("auth_type");
    if method.is_some_and(|method| method.eq_ignore_ascii_case("ANONYMOUS")) {
        return None;
    }
    macros.text("auth_authen").or(method).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_as_postfix_and_sendmail_tell_them() {
        for (packet, address, port, host) in [
            (
                &b"mail.example\x004\x04\xd2192.0.2.1\0"[..],
                Some("192.0.2.1"),
                Some(1234),
                Some("mail.example"),
            ),
            (b"[::1]\x006\x04\xd2::1\0", Some("::1"), Some(1234), None),
            (b"[IPv6:0:0:0:0:0:0:0:1]\x006\x04\xd2IPv6:0:0:0:0:0:0:0:1\0", Some("::1"), Some(1234), None),
            (b"x\x006\0\x19::ffff:192.0.2.1\0", Some("192.0.2.1"), Some(25), Some("x")),
            (b"unknown\x004\0\0unknown\0", None, None, None),
            (b"localhost\x004\0\x00127.0.0.1\0", Some("127.0.0.1"), None, Some("localhost")),
            (b"localhost\0U", None, None, None),
            (b"localhost\0L\0\0/run/x\0", None, None, None),
        ] {
            let client = client(packet).unwrap();
            assert_eq!(client.address, address.map(|a| a.parse().unwrap()), "{packet:?}");
            assert_eq!((client.port, client.name.as_deref()), (port, host), "{packet:?}");
        }
        for packet in [
            &b""[..],
            b"host",
            b"host\0",
            b"host\x004",
            b"host\x004\0",
            b"host\x004\0\x00192.0.2.1",
            b"host\0Z",
        ] {
            assert!(client(packet).is_err(), "{packet:?}");
        }
    }

    #[test]
    fn anonymous_is_not_logged_in() {
        let login_of = |packet: &'static [u8]| {
            let mut macros = Macros::default();
            macros.define(packet);
            login(&macros)
        };
        assert_eq!(login_of(b"M{auth_type}\0PLAIN\0{auth_authen}\0ann\0").as_deref(), Some("ann"));
        assert_eq!(login_of(b"M{auth_type}\0EXTERNAL\0").as_deref(), Some("EXTERNAL"));
        assert_eq!(login_of(b"M{auth_type}\0Anonymous\0{auth_authen}\0anonymous\0"), None);
        assert_eq!(login_of(b"Mi\0A1\0"), None);
    }
}
