// SPDX-License-Identifier: GPL-3.0-or-later
//! A domain name as it is compared: A-labels, lower case, no trailing dot (RFC 1035, RFC 5890).
//!
//! Underscores are let through, because names with them exist and the MTA resolves them. An address
//! literal (`[192.0.2.1]`, RFC 5321 4.1.3) is not a domain; [`Host`] keeps the two apart. No look-up is done here.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::borrow::{Borrow, Cow};
use std::fmt;

/// Longest domain name in its text form, in octets (RFC 1035 2.3.4, without the final dot).
const MAX_NAME: usize = 253;
/// Longest label, in octets (RFC 1035 2.3.4).
const MAX_LABEL: usize = 63;

/// Why a text is no domain name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DomainError {
    /// Nothing there, or two dots in a row.
    #[error("a label of the domain is empty")]
    EmptyLabel,
    /// Over 253 octets, or a label over 63.
    #[error("the domain is too long")]
    TooLong,
    /// A character that no host name has.
    #[error("the domain has a character that no domain name may have")]
    BadCharacter,
    /// A U-label that IDNA does not allow (UTS #46).
    #[error("the domain is not a valid internationalised name")]
    BadUnicode,
}

/// A domain name: A-labels in lower case without the trailing dot.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads a domain in any of its spellings: U-labels or A-labels, any case, with or without a final dot.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let ascii: Cow<'_, str> = if text.is_ascii() {
            if text.bytes().any(|b| b.is_ascii_uppercase()) {
                Cow::Owned(text.to_ascii_lowercase())
            } else {
                Cow::Borrowed(text)
            }
        } else {
            Uts46::new()
                .to_ascii(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
                .map_err(|_| DomainError::BadUnicode)?
        };
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        check_labels(name)?;
        Ok(Self(name.into()))
    }

    /// The A-label form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domains above this one, nearest first: for `a.b.example` these are `b.example` and `example`.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        parents(&self.0)
    }
}

/// The domains above `name`, nearest first.
pub(super) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(move |(dot, _)| &name[dot + 1..])
}

fn check_labels(name: &str) -> Result<(), DomainError> {
    if name.len() > MAX_NAME {
        return Err(DomainError::TooLong);
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(DomainError::EmptyLabel);
        }
        if label.len() > MAX_LABEL {
            return Err(DomainError::TooLong);
        }
        if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(DomainError::BadCharacter);
        }
    }
    Ok(())
}

impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands after the `@` of an address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal with its brackets, in lower case. No policy is ever about one.
    Literal(Box<str>),
}

impl Host {
    /// Reads a domain name or an address literal.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(DomainError::BadCharacter)?;
            if inner.is_empty()
                || !inner.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'[' | b']' | b'\\'))
            {
                return Err(DomainError::BadCharacter);
            }
            return Ok(Self::Literal(text.to_ascii_lowercase().into()));
        }
        Domain::parse(text).map(Self::Domain)
    }

    /// The domain, unless this is a literal.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }

    /// The text as it is compared.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Domain(domain) => domain.as_str(),
            Self::Literal(literal) => literal,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which domains an entry of the configuration is about.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DomainPattern {
    /// Exactly this domain.
    Exact(Domain),
    /// `*.example.com`: any depth below the domain, not the domain itself.
    Below(Domain),
}

impl DomainPattern {
    /// Reads `example.com` or `*.example.com`.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        match text.strip_prefix("*.") {
            Some(base) => Domain::parse(base).map(Self::Below),
            None => Domain::parse(text).map(Self::Exact),
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(domain) => write!(f, "{domain}"),
            Self::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_domain_are_one_value() {
        let want = Domain::parse("xn--bcher-kva.example").unwrap();
        for text in ["bücher.example", "BÜCHER.Example.", "XN--BCHER-KVA.EXAMPLE", "bücher。example"] {
            assert_eq!(Domain::parse(text).as_ref(), Ok(&want), "{text}");
        }
    }

    #[test]
    fn what_is_no_domain() {
        let label = "a".repeat(64);
        let long = format!("{}example", "a.".repeat(124));
        for (text, want) in [
            ("", DomainError::EmptyLabel),
            (".", DomainError::EmptyLabel),
            ("a..b", DomainError::EmptyLabel),
            (".a", DomainError::EmptyLabel),
            ("a b", DomainError::BadCharacter),
            ("a@b", DomainError::BadCharacter),
            ("[192.0.2.1]", DomainError::BadCharacter),
            (&label, DomainError::TooLong),
            (&long, DomainError::TooLong),
            ("a\u{200e}b.example", DomainError::BadUnicode),
        ] {
            assert_eq!(Domain::parse(text), Err(want), "{text:?}");
        }
    }

    #[test]
    fn literals_stand_apart() {
        assert_eq!(Host::parse("[192.0.2.1]").unwrap().domain(), None);
        assert_eq!(Host::parse("[IPv6:2001:db8::1]").unwrap().as_str(), "[ipv6:2001:db8::1]");
        for text in ["[", "[]", "[a", "[a b]", "[a]b"] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_print_as_written() {
        for text in ["example.com", "*.example.com"] {
            assert_eq!(DomainPattern::parse(text).unwrap().to_string(), text);
        }
        assert!(DomainPattern::parse("a.*.com").is_err());
    }
}
