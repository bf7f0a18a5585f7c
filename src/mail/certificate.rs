// SPDX-License-Identifier: GPL-3.0-or-later
//! What an MTA says of a client's TLS certificate, and the names that it is held against.
//!
//! Postfix tells the common name, and only of a certificate whose chain it trusts; Sendmail tells the whole subject of
//! any certificate, and in a macro of its own whether it was verified. What both come to is the common name of a trusted
//! certificate. Neither tells alternative names; fingerprints come by policy delegation alone.

use std::fmt;

/// What is known of the client's certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ClientCertificate {
    /// There is none: no TLS, or TLS without a client certificate. Postfix also says so of one that it does not trust.
    #[default]
    None,
    /// There is one, and the MTA does not trust it.
    Untrusted,
    /// The MTA could not tell whether to trust it.
    Unclear,
    /// A trusted one with this common name.
    Trusted(Box<str>),
}

impl ClientCertificate {
    /// A trusted certificate with this common name, unless it is one that nobody could tell apart in a log.
    pub fn of_trusted(name: &[u8]) -> Self {
        match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() && !name.chars().any(char::is_control) => Self::Trusted(name.into()),
            Ok(_) | Err(_) => Self::Untrusted,
        }
    }

    /// The common name of a trusted certificate.
    pub fn trusted_name(&self) -> Option<&str> {
        match self {
            Self::Trusted(name) => Some(name),
            Self::None | Self::Untrusted | Self::Unclear => None,
        }
    }
}

/// Undoes `+XX` (xtext, RFC 3461 4); what is no such escape stays as it is.
pub fn from_xtext(mut text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let escaped = rest.get(..2).filter(|_| first == b'+').and_then(|digits| {
            let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(digits[0])? << 4 | digit(digits[1])?)
        });
        octets.push(escaped.unwrap_or(first));
        text = if escaped.is_some() { &rest[2..] } else { rest };
    }
    octets
}

/// A name that a gateway's certificate must have: `mail.example`, or `*.example` for any one label before `example`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificatePattern(Box<str>);

/// Why a text is no such pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificatePatternError {
    /// Nothing is there.
    #[error("the name is empty")]
    Empty,
    /// An asterisk stands elsewhere than for the whole first label.
    #[error("an asterisk may only stand for the whole first label")]
    Wildcard,
    /// `*` or `*.example`: the name of everyone below a top-level domain.
    #[error("the name would match nearly any certificate")]
    TooWide,
}

impl CertificatePattern {
    /// Reads a pattern; case does not matter.
    pub fn parse(text: &str) -> Result<Self, CertificatePatternError> {
        if text.is_empty() {
            return Err(CertificatePatternError::Empty);
        }
        let below = text.strip_prefix("*.");
        if below.unwrap_or(text).contains('*') {
            return Err(CertificatePatternError::Wildcard);
        }
        if below.is_some_and(|below| !below.contains('.')) {
            return Err(CertificatePatternError::TooWide);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// Whether a common name fits: the same text, or a host in the place of the asterisk. A certificate whose common
    /// name is itself a wildcard fits the pattern that is written alike.
    pub fn matches(&self, common_name: &str) -> bool {
        if self.0.eq_ignore_ascii_case(common_name) {
            return true;
        }
        let Some(below) = self.0.strip_prefix("*.") else { return false };
        common_name
            .split_once('.')
            .is_some_and(|(first, rest)| is_label(first) && rest.eq_ignore_ascii_case(below))
    }

    /// As it is written, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether an asterisk may stand for this. A common name is any text: `/O=Evil/CN=host` is no part of a host name.
fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl fmt::Display for CertificatePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_against_patterns() {
        for (pattern, name, want) in [
            ("mail.example.com", "mail.example.com", true),
            ("mail.example.com", "MAIL.Example.COM", true),
            ("mail.example.com", "a.mail.example.com", false),
            ("*.eu.mailmarshal.cloud", "*.eu.mailmarshal.cloud", true),
            ("*.eu.mailmarshal.cloud", "host.EU.mailmarshal.cloud", true),
            ("*.eu.mailmarshal.cloud", "a.host.eu.mailmarshal.cloud", false),
            ("*.eu.mailmarshal.cloud", "eu.mailmarshal.cloud", false),
            ("*.eu.mailmarshal.cloud", ".eu.mailmarshal.cloud", false),
            ("*.eu.mailmarshal.cloud", "*.*.eu.mailmarshal.cloud", false),
            ("*.eu.mailmarshal.cloud", "evil*.eu.mailmarshal.cloud", false),
            ("*.eu.mailmarshal.cloud", "/O=Evil/CN=a.eu.mailmarshal.cloud", false),
            ("*.eu.mailmarshal.cloud", "a b.eu.mailmarshal.cloud", false),
            ("*.eu.mailmarshal.cloud", "xeu.mailmarshal.cloud", false),
            ("mail.example.com", "", false),
        ] {
            assert_eq!(CertificatePattern::parse(pattern).unwrap().matches(name), want, "{pattern} {name}");
        }
        for (text, error) in [
            ("", CertificatePatternError::Empty),
            ("a.*.example", CertificatePatternError::Wildcard),
            ("a*.example.com", CertificatePatternError::Wildcard),
            ("*", CertificatePatternError::Wildcard),
            ("*.com", CertificatePatternError::TooWide),
        ] {
            assert_eq!(CertificatePattern::parse(text), Err(error), "{text}");
        }
    }
}
