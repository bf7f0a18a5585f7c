// SPDX-License-Identifier: GPL-3.0-or-later
//! What a key says in the tables whose keys are addresses and domains.

use crate::mail::{self, Domain, LocalPart, Mailbox};

/// A key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Key {
    /// An address.
    Mailbox(Mailbox),
    /// `@example.com`, or `example.com`.
    Domain(Domain),
    /// Anything else: `*`, `.example.com`, `<>`, an empty one, an address in a domain that cannot be one.
    Other,
}

impl Key {
    /// Reads a key as MTAs write it: any case, UTF-8, a local part with its quotes or without.
    pub(super) fn parse(key: &[u8]) -> Self {
        let Some(at) = key.iter().rposition(|&octet| octet == b'@') else { return Self::domain(key) };
        if at == 0 {
            return Self::domain(&key[1..]);
        }
        let Ok(mailbox) = Mailbox::parse(key) else { return Self::Other };
        match (mailbox.local(), mailbox.domain()) {
            (LocalPart::Opaque, Some(domain)) => {
                Self::Mailbox(unquoted(&key[..at], domain).unwrap_or(mailbox))
            }
            (LocalPart::Valid(_) | LocalPart::Opaque, _) => Self::Mailbox(mailbox),
        }
    }

    fn domain(text: &[u8]) -> Self {
        let domain = std::str::from_utf8(text).ok().and_then(|text| Domain::parse(text).ok());
        domain.map_or(Self::Other, Self::Domain)
    }
}

/// A local part that only quotes would make valid: in some tables Postfix asks for it as it is without them.
fn unquoted(local: &[u8], domain: &Domain) -> Option<Mailbox> {
    let local = std::str::from_utf8(local).ok()?;
    if local.starts_with('"') {
        return None;
    }
    Mailbox::parse_strict(&mail::address(local, domain)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        let mailbox = |text: &str| Key::Mailbox(Mailbox::parse(text.as_bytes()).unwrap());
        let domain = |text: &str| Key::Domain(Domain::parse(text).unwrap());
        for (key, want) in [
            ("ann@a.example", mailbox("ann@a.example")),
            ("Ann+x@A.Example", mailbox("Ann+x@A.Example")),
            ("\"a b\"@a.example", mailbox("\"a b\"@a.example")),
            ("a b@a.example", mailbox("\"a b\"@a.example")),
            ("a@b@a.example", mailbox("\"a@b\"@a.example")),
            ("josé@bücher.example", mailbox("josé@bücher.example")),
            ("\"a\"b\"@a.example", mailbox("\"a\"b\"@a.example")),
            ("a\u{1}b@a.example", mailbox("a\u{1}b@a.example")),
            ("ann@[192.0.2.1]", mailbox("ann@[192.0.2.1]")),
            ("@a.example", domain("a.example")),
            ("a.example", domain("a.example")),
            ("A.Example.", domain("a.example")),
            ("ann", domain("ann")),
            ("", Key::Other),
            ("@", Key::Other),
            ("*", Key::Other),
            (".", Key::Other),
            (".a.example", Key::Other),
            ("<>", Key::Other),
            ("[192.0.2.1]", Key::Other),
            ("ann@", Key::Other),
            ("ann@a b", Key::Other),
        ] {
            assert_eq!(Key::parse(key.as_bytes()), want, "{key:?}");
        }
        assert_eq!(Key::parse(b"\xff"), Key::Other);
        assert!(
            matches!(Key::parse(b"\xff@a.example"), Key::Mailbox(mailbox) if *mailbox.local() == LocalPart::Opaque)
        );
    }
}
