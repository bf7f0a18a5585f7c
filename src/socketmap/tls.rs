// SPDX-License-Identifier: GPL-3.0-or-later
//! The table `tls` (Postfix's `smtp_tls_policy_maps`): what a connection to a server must be.
//!
//! Postfix asks for each next hop as it was written in the transport: `[host]:port`, `[host]`, `domain`. One that several
//! servers share gets the strictest wish of any. `*.example.com` becomes Postfix's `.example.com`, which holds for any depth
//! below; certificates for deeper names are made by the same owner.

use super::{Answer, Found, Why};
use crate::mail::{CertificatePattern, Domain, HopHost, NextHop};
use crate::policy::{Policy, Server, TlsWish};
use std::sync::Arc;

pub(super) fn find(policy: &Policy, key: &[u8]) -> Found {
    let Some(hop) = std::str::from_utf8(key).ok().and_then(next_hop) else {
        return Found::new(Answer::NotFound, Why::NoSuchKey);
    };
    let sharing = policy.servers().iter().filter(|server| server.hosts.contains(&hop));
    // Of equals, the first.
    let Some(server) =
        sharing.reduce(|one, other| if strictness(other) > strictness(one) { other } else { one })
    else {
        return Found::new(Answer::NotFound, Why::NoHop);
    };
    let answer = match &server.tls {
        TlsWish::May => Answer::Found("may".into()),
        TlsWish::Encrypt => Answer::Found("encrypt".into()),
        TlsWish::Dane => Answer::Found("dane".into()),
        TlsWish::Verify(names) => verify(names),
    };
    Found::new(answer, Why::Hop(Arc::clone(&server.name)))
}

fn strictness(server: &Server) -> u8 {
    match server.tls {
        TlsWish::May => 0,
        TlsWish::Encrypt => 1,
        TlsWish::Dane => 2,
        TlsWish::Verify(_) => 3,
    }
}

/// `verify match=a.example:.b.example`. A name that Postfix would read as something else is left out; where none is left,
/// mail waits.
fn verify(names: &[CertificatePattern]) -> Answer {
    let plain = |name: &&CertificatePattern| {
        let host = name.as_str().strip_prefix("*.").unwrap_or(name.as_str());
        Domain::parse(host).is_ok_and(|domain| domain.as_str() == host)
    };
    let mut value = String::from("verify match=");
    for (at, name) in names.iter().filter(plain).enumerate() {
        if at > 0 {
            value.push(':');
        }
        value.push_str(name.as_str().strip_prefix('*').unwrap_or(name.as_str()));
    }
    if value.ends_with('=') {
        return Answer::Temp("no certificate name of this server is one that Postfix can look for");
    }
    Answer::Found(value.into())
}

/// Reads a next hop as Postfix writes it (`transport(5)`); the port may also be `smtp`.
fn next_hop(text: &str) -> Option<NextHop> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (inner, port) = bracketed.split_once(']')?;
        let inner = inner.strip_prefix("ipv6:").or(inner.strip_prefix("IPv6:")).unwrap_or(inner);
        let host = match inner.parse() {
            Ok(address) => HopHost::Address(address),
            Err(_) => HopHost::Name(Domain::parse(inner).ok()?),
        };
        (host, port)
    } else {
        let end = text.find(':').unwrap_or(text.len());
        (HopHost::Mx(Domain::parse(&text[..end]).ok()?), &text[end..])
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 25,
        None => return None,
        Some("smtp") => 25,
        Some(port) => port.parse().ok()?,
    };
    Some(NextHop { host, port })
}
