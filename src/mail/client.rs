// SPDX-License-Identifier: GPL-3.0-or-later
//! The SMTP client: who connected to the MTA.

use super::{CertificateFingerprints, ClientCertificate};
use std::net::IpAddr;

/// What is known of the SMTP client of a session.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Client {
    /// Its address, IPv4 where it is IPv4-mapped. Nothing when the MTA does not know it.
    pub address: Option<IpAddr>,
    /// Its port; nothing when unknown or for local submission.
    pub port: Option<u16>,
    /// Its host name, where the MTA has verified that it points back to the address.
    pub name: Option<Box<str>>,
    /// The name it has logged in with, if it has (RFC 4954).
    pub login: Option<Box<str>>,
    /// What the MTA says of its TLS certificate.
    pub certificate: ClientCertificate,
    /// The fingerprints of that certificate, whether it is trusted or not.
    pub fingerprints: CertificateFingerprints,
}

/// Reads a client address in the spellings of Postfix and Sendmail: `192.0.2.1`, `2001:db8::1`, `IPv6:2001:DB8:0:0:0:0:0:1`,
/// with a zone (`fe80::1%eth0`). `unknown` and everything else is no address.
pub fn parse_client_address(text: &str) -> Option<IpAddr> {
    let text = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPv6:") => &text[5..],
        _ => text,
    };
    let text = text.split_once('%').map_or(text, |(address, _zone)| address);
    text.parse().ok().map(super::network::canonical)
}

/// Reads a client's host name; nothing where it is the MTA's way to say that there is none: `unknown`, or an address in
/// brackets.
pub fn parse_client_name(name: &[u8]) -> Option<Box<str>> {
    let name = std::str::from_utf8(name).ok()?;
    let is_name = !name.is_empty() && !name.starts_with('[') && !name.eq_ignore_ascii_case("unknown");
    is_name.then(|| name.into())
}

/// The name that a client has logged in with, by the SASL method and the name that an MTA tells of. Who uses SASL's
/// ANONYMOUS (RFC 4505) has proved nothing and is not logged in, whatever the MTA says.
pub fn login_name(method: Option<&str>, name: Option<&str>) -> Option<Box<str>> {
    if method.is_some_and(|method| method.eq_ignore_ascii_case("ANONYMOUS")) {
        return None;
    }
    name.or(method).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_addresses() {
        for (text, want) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("IPv6:2001:DB8:0:0:0:0:0:1", Some("2001:db8::1")),
            ("ipv6:::1", Some("::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("unknown", None),
            ("", None),
            ("IPv6:", None),
            ("localhost", None),
        ] {
            assert_eq!(parse_client_address(text), want.map(|w| w.parse().unwrap()), "{text}");
        }
    }
}
