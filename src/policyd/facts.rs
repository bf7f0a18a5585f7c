// SPDX-License-Identifier: GPL-3.0-or-later
//! Attributes turned into mail's own types.
//!
//! Postfix tells addresses as it keeps them: without brackets, routes, comments and quotes, and not yet rewritten (seen in
//! 3.7). `"ann@a.example"`, `<@r:ann@a.example>` and `ann@a.example` come as one; `ann%a.example` and `a.example!ann` come as they were
//! written, `ann@a` comes without the `.example` that `append_dot_mydomain` will add, and `"ann%x"@localhost` is about to be taken apart.
//! Only a local part without `@`, `%` and `!` before a domain with a dot cannot become another address, so all else
//! is unclear here.

use super::request::Request;
use crate::mail::{
    CertificateFingerprint, CertificateFingerprintError, CertificateFingerprints, Client, ClientCertificate,
    Host, Mailbox, Message, QueueId, Recipient, ReversePath, Session, from_xtext, login_name,
    parse_client_address, parse_client_name,
};
use std::net::IpAddr;
use std::str::from_utf8;

/// The client's address and port, as far as they are known.
pub(super) fn client_port(request: &Request<'_>) -> (Option<IpAddr>, Option<u16>) {
    let address = text(request.client_address).and_then(parse_client_address);
    let port = text(request.client_port).and_then(|port| port.parse().ok()).filter(|&port| port != 0);
    (address, port)
}

/// What one request tells of the SMTP session.
pub(super) fn session(request: &Request<'_>) -> Session {
    let (address, port) = client_port(request);
    let client = Client {
        address,
        port,
        name: request.client_name.and_then(parse_client_name),
        login: login_name(text(request.sasl_method), text(request.sasl_username)),
        certificate: certificate(request),
        fingerprints: fingerprints(request).unwrap_or_default(),
    };
    Session { client, helo: request.helo_name.map(Into::into), mta_name: None }
}

/// What one request tells of the message.
pub(super) fn message(request: &Request<'_>) -> Message {
    let sender = match request.sender {
        None => ReversePath::Null,
        Some(sender) => ReversePath::parse(&bracketed(&quoted(sender))),
    };
    let queue_id = request.queue_id.and_then(QueueId::parse);
    Message { sender: Some(sender), queue_id, ..Message::default() }
}

/// The recipient that a request is about. What Postfix may yet make another address of is unclear.
pub(super) fn recipient(address: &[u8]) -> Recipient {
    let address = quoted(address);
    let argument = bracketed(&address);
    if is_certain(&address) {
        Recipient::new(&argument, Some(&address), None)
    } else {
        Recipient::unclear(&argument)
    }
}

/// The fingerprints that a request tells of.
///
/// # Errors
/// When there is a certificate and its digests are no SHA-256: then nothing can be told of it.
pub(super) fn fingerprints(
    request: &Request<'_>,
) -> Result<CertificateFingerprints, CertificateFingerprintError> {
    let told = [request.ccert_fingerprint, request.ccert_pubkey_fingerprint].into_iter().flatten();
    let told: Result<Box<[_]>, _> = told
        .map(|octets| {
            let text = from_utf8(octets).map_err(|_| CertificateFingerprintError::Form)?;
            CertificateFingerprint::parse(text)
        })
        .collect();
    Ok(match told? {
        none if none.is_empty() => CertificateFingerprints::None,
        told => CertificateFingerprints::Told(told),
    })
}

/// Postfix tells the common name of a trusted certificate alone, and the fingerprints of any.
fn certificate(request: &Request<'_>) -> ClientCertificate {
    match (request.ccert_subject, request.ccert_fingerprint) {
        (Some(name), _) => ClientCertificate::of_trusted(&from_xtext(name)),
        (None, Some(_)) => ClientCertificate::Untrusted,
        (None, None) => ClientCertificate::None,
    }
}

fn text(value: Option<&[u8]>) -> Option<&str> {
    from_utf8(value?).ok()
}

fn bracketed(address: &[u8]) -> Vec<u8> {
    [b"<", address, b">"].concat()
}

/// Puts the quotes on again that a local part needs, so that an address is written as the milter hears it.
fn quoted(address: &[u8]) -> Vec<u8> {
    let Some(at) = address.iter().rposition(|&b| b == b'@') else { return address.to_vec() };
    let (local, host) = address.split_at(at);
    if Mailbox::parse_plain(address).is_some() || local.iter().any(|b| b"%!".contains(b)) {
        return address.to_vec();
    }
    let mut written = Vec::with_capacity(address.len() + 2);
    written.push(b'"');
    for &octet in local {
        if matches!(octet, b'"' | b'\\') {
            written.push(b'\\');
        }
        written.push(octet);
    }
    written.push(b'"');
    written.extend_from_slice(host);
    written
}

/// Whether Postfix can make no other address of this one.
fn is_certain(address: &[u8]) -> bool {
    let Some(at) = address.iter().rposition(|&b| b == b'@') else { return false };
    let (local, host) = (&address[..at], &address[at + 1..]);
    if local.iter().any(|b| b"@%!".contains(b)) {
        return false;
    }
    match from_utf8(host).ok().and_then(|host| Host::parse(host).ok()) {
        Some(Host::Domain(domain)) => domain.as_str().contains('.'),
        Some(Host::Literal(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Postfix 3.7 sends for these arguments, `append_dot_mydomain` on, and where it then delivers.
    #[test]
    fn recipients_as_postfix_tells_them() {
        for (told, mailbox) in [
            ("ann@a.example", Some("ann@a.example")),
            ("Ann+x@A.Example", Some("Ann+x@A.Example")),
            ("ann@a.example.", Some("ann@a.example.")),
            ("grün@a.example", Some("grün@a.example")),
            ("ann@bücher.example", Some("ann@bücher.example")),
            ("ann@[192.0.2.7]", Some("ann@[192.0.2.7]")),
            ("ann@[IPv6:2001:db8::1]", Some("ann@[IPv6:2001:db8::1]")),
            // `"a b"@a.example` and the like: as `{rcpt_addr}` has them.
            ("a b@a.example", Some(r#""a b"@a.example"#)),
            (".ann@a.example", Some(r#"".ann"@a.example"#)),
            ("\"ann@a.example", Some(r#""\"ann"@a.example"#)),
            ("ann\\@a.example", Some(r#""ann\\"@a.example"#)),
            ("<ann>@a.example", Some(r#""<ann>"@a.example"#)),
            ("@a.example", Some(r#"""@a.example"#)),
            // All of these can reach ann@a.example.
            ("ann%a.example", None),
            ("a.example!ann", None),
            ("ann@a", None),
            ("ann", None),
            ("ann%a.example@[127.0.0.1]", None),
            ("ann%a.example@mx.test.example", None),
            ("a.example!ann@b.example", None),
            ("ann@a.example@b.example", None),
            ("ann@a.example@localhost", None),
            ("ann@b.example@a.example", None),
            ("ann@", None),
            ("", None),
        ] {
            let got = recipient(told.as_bytes());
            let want = mailbox.map(str::to_owned);
            assert_eq!(
                got.mailbox().map(|m| String::from_utf8_lossy(m.written()).into_owned()),
                want,
                "{told}"
            );
        }
        assert!(recipient(b"gr\xfcn@a.example").mailbox().is_some());
        assert!(recipient(b"ann@gr\xfcn.example").mailbox().is_none());
    }

    #[test]
    fn clients_as_postfix_tells_them() {
        for (address, port, name, want) in [
            ("192.0.2.1", "4711", "mail.example", (Some("192.0.2.1"), Some(4711), Some("mail.example"))),
            ("2001:db8::1", "25", "unknown", (Some("2001:db8::1"), Some(25), None)),
            ("unknown", "0", "unknown", (None, None, None)),
            ("::ffff:192.0.2.1", "70000", "", (Some("192.0.2.1"), None, None)),
        ] {
            let request = Request {
                client_address: Some(address.as_bytes()),
                client_port: Some(port.as_bytes()),
                client_name: Some(name.as_bytes()),
                ..Request::default()
            };
            let Client { address, port, name, .. } = session(&request).client;
            let address = address.map(|address| address.to_string());
            assert_eq!((address.as_deref(), port, name.as_deref()), want);
        }
    }

    #[test]
    fn senders_and_logins() {
        for (sender, want) in [
            (None, "<>"),
            (Some("s@x.example"), "<s@x.example>"),
            (Some("a b@x.example"), r#"<"a b"@x.example>"#),
            (Some("bob"), "<bob>"),
            (Some("s%x.example"), "<s%x.example>"),
        ] {
            let request = Request { sender: sender.map(str::as_bytes), ..Request::default() };
            assert_eq!(message(&request).sender.unwrap().to_string(), want);
        }
        for (method, name, want) in [
            ("PLAIN", "ann", Some("ann")),
            ("EXTERNAL", "", Some("EXTERNAL")),
            ("anonymous", "ann", None),
            ("", "", None),
        ] {
            let filled = |text: &'static str| Some(text.as_bytes()).filter(|text| !text.is_empty());
            let request =
                Request { sasl_method: filled(method), sasl_username: filled(name), ..Request::default() };
            assert_eq!(session(&request).client.login.as_deref(), want, "{method} {name}");
        }
    }

    #[test]
    fn certificates_as_postfix_tells_them() {
        const SHA256: &str =
            "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        let told = CertificateFingerprints::Told([CertificateFingerprint::parse(SHA256).unwrap()].into());
        for (subject, fingerprint, certificate, fingerprints) in [
            ("client+20one", SHA256, ClientCertificate::Trusted("client one".into()), told.clone()),
            ("", SHA256, ClientCertificate::Untrusted, told),
            ("", "", ClientCertificate::None, CertificateFingerprints::None),
            // smtpd_tls_fingerprint_digest = md5.
            ("", &SHA256[..47], ClientCertificate::Untrusted, CertificateFingerprints::NotTold),
        ] {
            let filled = |text: &'static str| Some(text.as_bytes()).filter(|text| !text.is_empty());
            let request = Request {
                ccert_subject: filled(subject),
                ccert_fingerprint: filled(fingerprint),
                ..Request::default()
            };
            let client = session(&request).client;
            assert_eq!((client.certificate, client.fingerprints), (certificate, fingerprints));
        }
    }
}
