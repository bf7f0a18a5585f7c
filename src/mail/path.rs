// SPDX-License-Identifier: GPL-3.0-or-later
//! The envelope sender, MAIL's argument (RFC 5321 4.1.2 `Reverse-path`).

use super::mailbox::strip_brackets;
use super::{Escaped, Mailbox};
use std::fmt;

/// Who the message says it is from, in the envelope.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReversePath {
    /// `<>`: a bounce or another notification (RFC 5321 4.5.5).
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
    /// Octets that are no address; kept for the log.
    Opaque(Box<[u8]>),
}

impl ReversePath {
    /// Reads MAIL's argument with or without angle brackets. A source route is passed over (RFC 5321 appendix C).
    pub fn parse(argument: &[u8]) -> Self {
        let opaque = || Self::Opaque(argument.into());
        let Some(inner) = strip_brackets(argument) else {
            return opaque();
        };
        if inner.is_empty() {
            return Self::Null;
        }
        let mailbox = match inner {
            [b'@', ..] => match inner.iter().position(|&b| b == b':') {
                Some(colon) => &inner[colon + 1..],
                None => return opaque(),
            },
            _ => inner,
        };
        Mailbox::parse(mailbox).map_or_else(|_| opaque(), Self::Mailbox)
    }
}

impl fmt::Display for ReversePath {
    /// As in an envelope: `<>` or the address in brackets, escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
            Self::Opaque(octets) => Escaped(octets).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_paths() {
        for (argument, want) in [
            ("<>", "<>"),
            ("<ann@a.example>", "<ann@a.example>"),
            ("ann@a.example", "<ann@a.example>"),
            ("<@r1.example,@r2.example:ann@a.example>", "<ann@a.example>"),
            ("<ann>", "<ann>"),
            ("<ann@a.example", "<ann@a.example"),
            ("<a\r\nb>", r"<a\r\nb>"),
        ] {
            assert_eq!(ReversePath::parse(argument.as_bytes()).to_string(), want, "{argument:?}");
        }
        assert_eq!(ReversePath::parse(b"<>"), ReversePath::Null);
        assert!(matches!(ReversePath::parse(b"<ann>"), ReversePath::Opaque(_)));
    }
}
