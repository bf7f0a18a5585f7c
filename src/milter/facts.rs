// SPDX-License-Identifier: GPL-3.0-or-later
//! Packets and macros turned into mail's own types.
//!
//! The connection packet is read here and not by the codec, because MTAs send what the codec does not take: Sendmail's
//! `IPv6:0:0:0:0:0:0:0:1`, Postfix's `unknown` with family 4 (after XCLIENT), no address at all for local submission.

use super::macros::Macros;
use super::session::Garbage;
use crate::mail::{
    Client, ClientCertificate, from_xtext, login_name, parse_client_address, parse_client_name,
};

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
            Ok(Client { address, port, name: parse_client_name(host), ..Client::default() })
        }
        // A unix socket, or nothing that has an address.
        b'L' | b'U' => Ok(Client::default()),
        _ => Err(Garbage::Family),
    }
}

/// The name that the client has logged in with.
pub(super) fn login(macros: &Macros) -> Option<Box<str>> {
    login_name(macros.text("auth_type"), macros.text("auth_authen"))
}

/// The client's certificate, by the macros of HELO.
///
/// Sendmail tells of every certificate and says in `{verify}` what it thinks of it; its `{cn_subject}` is in xtext (RFC 3461 4).
/// Postfix has no `{verify}`, and a plain common name in `{cert_subject}` for a trusted certificate alone. Sendmail's
/// `{cert_subject}` is never read: whether a `/CN=` in somebody's organization name can be told from a common name depends
/// on the OpenSSL behind it.
pub(super) fn certificate(macros: &Macros) -> ClientCertificate {
    match macros.find("verify") {
        Some(b"OK") => macros
            .find("cn_subject")
            .map_or(ClientCertificate::Unclear, |name| ClientCertificate::of_trusted(&from_xtext(name))),
        Some(b"NO" | b"NOT" | b"NONE") => ClientCertificate::None,
        Some(b"FAIL") => ClientCertificate::Untrusted,
        // The handshake failed, or something that the answer depends on did.
        Some(_) => ClientCertificate::Unclear,
        None => match macros.find("cert_subject") {
            None => ClientCertificate::None,
            // A Sendmail that was not asked for `{verify}`, since it is too old to be asked, and so may trust it or not.
            Some([b'/', ..]) => ClientCertificate::Unclear,
            Some(name) => ClientCertificate::of_trusted(name),
        },
    }
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

    #[test]
    fn certificates_as_postfix_and_sendmail_tell_them() {
        use ClientCertificate::{None as Missing, Unclear, Untrusted};
        let trusted = |name: &str| ClientCertificate::Trusted(name.into());
        for (packet, want) in [
            // Postfix: the common name, and of a trusted one only.
            (&b"H"[..], Missing),
            (b"H{tls_version}\0TLSv1.3\0", Missing),
            (b"H{cert_subject}\0*.eu.example.cloud\0{cert_issuer}\0Test CA\0", trusted("*.eu.example.cloud")),
            (b"H{cert_subject}\0client+20one <x>\0", trusted("client+20one <x>")),
            (b"H{cert_subject}\0gr\xfcn\0", Untrusted),
            (b"H{cert_subject}\0a\x07b\0", Untrusted),
            (b"H{cert_subject}\0\0", Missing),
            // Sendmail: everything, and what it thinks of it.
            (
                b"H{verify}\0OK\0{cn_subject}\0mail.example\0{cert_subject}\0/CN=mail.example\0",
                trusted("mail.example"),
            ),
            (b"H{verify}\0OK\0{cn_subject}\0client+20one+20+3Cx+3E\0", trusted("client one <x>")),
            (b"H{verify}\0OK\0{cn_subject}\0a+2Bb+2\0", trusted("a+b+2")),
            (b"H{verify}\0OK\0{cn_subject}\0a+00b\0", Untrusted),
            (b"H{verify}\0OK\0{cn_subject}\0a+0Ab\0", Untrusted),
            (b"H{verify}\0OK\0{cn_subject}\0a+FFb\0", Untrusted),
            (b"H{verify}\0OK\0{cert_subject}\0/O=x/CN=mail.example\0", Unclear),
            (b"H{verify}\0FAIL\0{cn_subject}\0mail.example\0{cert_subject}\0/CN=mail.example\0", Untrusted),
            (b"H{verify}\0NO\0{cert_subject}\0\0", Missing),
            (b"H{verify}\0NOT\0", Missing),
            (b"H{verify}\0NONE\0", Missing),
            (b"H{verify}\0TEMP\0", Unclear),
            (b"H{verify}\0SOFTWARE\0", Unclear),
            (b"H{verify}\0PROTOCOL\0", Unclear),
            (b"H{verify}\0ok\0{cn_subject}\0mail.example\0", Unclear),
            // A Sendmail that was not asked for `{verify}`.
            (b"H{cert_subject}\0/C=XX/CN=mail.example\0", Unclear),
        ] {
            let mut macros = Macros::default();
            macros.define(packet);
            assert_eq!(certificate(&macros), want, "{}", packet.escape_ascii());
        }
    }
}
