// SPDX-License-Identifier: GPL-3.0-or-later
//! Envelope senders that a forwarder has rewritten (SRS), to which bounces come back: the sender behind
//! `SRS0=HASH=DAY=domain=local`, or the first forwarder behind `SRS1=HASH=domain==HASH=DAY=domain=local`.
//!
//! As in `Mail::SRS` and libsrs2: after `SRS0` and `SRS1` stands `=`, `+` or `-`, between the parts always `=`, and the last
//! part may hold anything. The hash is for the forwarder to check, who has the key; nothing is verified here.

use super::Domain;

/// Longest hash and day, in octets; by default they have 4 and 2.
const MAX_PART: usize = 32;

/// Whom a rewritten sender stands for: a folded local part, and its domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SrsSender {
    /// The local part; for SRS1 that of the first forwarder, an SRS0 itself.
    pub local: Box<str>,
    /// The domain.
    pub domain: Domain,
}

/// Reads a folded local part; nothing when no forwarder can have made it.
pub fn srs_sender(folded_local: &str) -> Option<SrsSender> {
    if let Some(rest) = rewritten(folded_local, "srs0") {
        let mut parts = rest.splitn(4, '=');
        let (hash, day) = (parts.next()?, parts.next()?);
        let (domain, local) = (parts.next()?, parts.next()?);
        if !is_part(hash) || !is_part(day) || local.is_empty() {
            return None;
        }
        return Some(SrsSender { local: local.into(), domain: Domain::parse(domain).ok()? });
    }
    let mut parts = rewritten(folded_local, "srs1")?.splitn(3, '=');
    let (hash, domain, first) = (parts.next()?, parts.next()?, parts.next()?);
    let local = format!("srs0{first}");
    // What is left is the first forwarder's address without its four letters.
    if !is_part(hash) || srs_sender(&local).is_none() {
        return None;
    }
    Some(SrsSender { local: local.into(), domain: Domain::parse(domain).ok()? })
}

/// What follows the letters and one of the three separators.
fn rewritten<'a>(local: &'a str, letters: &str) -> Option<&'a str> {
    local.strip_prefix(letters)?.strip_prefix(['=', '+', '-'])
}

/// A hash in Base64, a day in Base32.
fn is_part(text: &str) -> bool {
    (1..=MAX_PART).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewritten_senders() {
        for (local, want) in [
            ("srs0=hhh=tt=b.example=ann", Some("ann@b.example")),
            ("srs0+h/+h=tt=b.example=ann", Some("ann@b.example")),
            ("srs0-hhh=tt=b.example=ann", Some("ann@b.example")),
            ("srs0=hhh=tt=b.example=a=b+c", Some("a=b+c@b.example")),
            ("srs1=hhh=f.example==hhh=tt=b.example=ann", Some("srs0=hhh=tt=b.example=ann@f.example")),
            ("srs1+hhh=f.example=+hhh=tt=b.example=ann", Some("srs0+hhh=tt=b.example=ann@f.example")),
            ("srs1-hhh=f.example=-hhh=tt=b.example=ann", Some("srs0-hhh=tt=b.example=ann@f.example")),
            ("srs0=hhh=tt=b.example=", None),
            ("srs0=hhh=tt=b.example", None),
            ("srs0=hhh=tt=b example=ann", None),
            ("srs0==tt=b.example=ann", None),
            ("srs0=hhh==b.example=ann", None),
            ("srs0hhh=tt=b.example=ann", None),
            ("srs0.hhh=tt=b.example=ann", None),
            ("srs1=hhh=f.example=hhh=tt=b.example=ann", None),
            ("srs1=hhh=f.example==hhh=tt=b.example", None),
            ("srs1=hhh=f.example=", None),
            ("srs2=hhh=tt=b.example=ann", None),
            ("srs0", None),
            ("ann", None),
        ] {
            let got = srs_sender(local).map(|sender| format!("{}@{}", sender.local, sender.domain));
            assert_eq!(got.as_deref(), want, "{local}");
        }
    }
}
