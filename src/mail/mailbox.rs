// SPDX-License-Identifier: GPL-3.0-or-later
//! A mailbox: local part and domain (RFC 5321 4.1.2, RFC 6531 for UTF-8).
//!
//! The domain is what follows the last `@`. Quotes are taken off the local part, so that `"ann"@a.example` and
//! `ann@a.example` are one mailbox; a local part that is no valid one is opaque: it belongs to its domain, but no
//! directory entry is ever equal to it. Comparison folds case and composes characters in the whole address; the
//! written form is kept for replies and logs.

use super::{Domain, DomainError, Host};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Why a text is no mailbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@`.
    #[error("the address has no @")]
    NoDomain,
    /// What follows the last `@` is no domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// What precedes the last `@` is neither a dot-string nor a quoted string.
    #[error("the part before the @ is not a valid local part")]
    LocalPart,
}

/// The part before the `@`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LocalPart {
    /// A valid local part without its quotes, in the case it was written in.
    Valid(Box<str>),
    /// Octets that are no local part.
    Opaque,
}

/// A mailbox, with the octets it was written in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mailbox {
    local: LocalPart,
    host: Host,
    written: Box<[u8]>,
}

impl Mailbox {
    /// Reads `local@host` without angle brackets. Only a host that cannot be read is an error.
    pub fn parse(written: &[u8]) -> Result<Self, AddressError> {
        let at = written.iter().rposition(|&b| b == b'@').ok_or(AddressError::NoDomain)?;
        let host = std::str::from_utf8(&written[at + 1..]).map_err(|_| DomainError::BadCharacter)?;
        let host = Host::parse(host)?;
        let local = local_part(&written[..at]);
        Ok(Self { local, host, written: written.into() })
    }

    /// Reads an address that an administrator wrote: the local part must be valid too.
    pub fn parse_strict(written: &str) -> Result<Self, AddressError> {
        let mailbox = Self::parse(written.as_bytes())?;
        match mailbox.local {
            LocalPart::Valid(_) => Ok(mailbox),
            LocalPart::Opaque => Err(AddressError::LocalPart),
        }
    }

    /// Reads an SMTP argument that can mean one thing only: one dot-string without `%` and `!`, one `@`, a host,
    /// with or without angle brackets. Source routes, quotes, groups, comments and the percent and bang routes
    /// (RFC 5321 appendix C and F) are for the MTA to resolve.
    pub fn parse_plain(argument: &[u8]) -> Option<Self> {
        let inner = strip_brackets(argument)?;
        let at = inner.iter().position(|&b| b == b'@')?;
        let local = std::str::from_utf8(&inner[..at]).ok()?;
        if !is_dot_string(local) || local.contains(['%', '!']) || inner[at + 1..].contains(&b'@') {
            return None;
        }
        Self::parse(inner).ok()
    }

    /// The local part.
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// What follows the `@`.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain, unless the host is an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        self.host.domain()
    }

    /// The octets as they came.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// The valid local part in the case that comparison uses.
    pub fn folded_local(&self) -> Option<String> {
        match &self.local {
            LocalPart::Valid(local) => Some(fold(local)),
            LocalPart::Opaque => None,
        }
    }
}

/// The form that local parts are compared in. Lower case, in full: RFC 5321 lets a site's local parts differ by case, no
/// directory in use does. Composed (NFC, RFC 6532 3.1): `ü` is one character or two, as the system at hand writes it. Not
/// NFKC, which would make one of characters that only look alike.
pub(super) fn fold(local: &str) -> String {
    if local.is_ascii() {
        return local.to_ascii_lowercase();
    }
    // A sigma at the end of a word has a form of its own, and what is behind it must not matter: `ΝΙΚΟΣ+x` is for `νικοσ`.
    let lower = local.nfc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c });
    // Lower-case letters may compose where upper-case ones do not.
    lower.nfc().collect()
}

/// The octets within one pair of angle brackets, or all of them when there is no bracket at all.
pub(super) fn strip_brackets(argument: &[u8]) -> Option<&[u8]> {
    match argument {
        [b'<', inner @ .., b'>'] => Some(inner),
        [b'<', ..] | [.., b'>'] => None,
        plain => Some(plain),
    }
}

fn local_part(written: &[u8]) -> LocalPart {
    let Ok(text) = std::str::from_utf8(written) else {
        return LocalPart::Opaque;
    };
    if is_dot_string(text) {
        return LocalPart::Valid(text.into());
    }
    unquote(text).map_or(LocalPart::Opaque, |content| LocalPart::Valid(content.into()))
}

/// RFC 5321 4.1.2 `Dot-string`, with RFC 6531's UTF-8.
pub(super) fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn is_atext(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        !c.is_control()
    }
}

/// The content of a `Quoted-string`; nothing when it is not one.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut content = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '"' => return None,
            '\\' => chars.next().filter(char::is_ascii)?,
            c => c,
        };
        if c.is_control() {
            return None;
        }
        content.push(c);
    }
    // `"\"` ends in a backslash that quotes nothing; the loop has refused it. An empty local part names nobody.
    (!content.is_empty()).then_some(content)
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::Escaped(&self.written).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(text: &str) -> LocalPart {
        LocalPart::Valid(text.into())
    }

    #[test]
    fn local_parts() {
        for (written, want) in [
            ("ann@a.example", valid("ann")),
            ("Ann.Lee@a.example", valid("Ann.Lee")),
            (r#""ann"@a.example"#, valid("ann")),
            (r#""a b"@a.example"#, valid("a b")),
            (r#""a\@b"@a.example"#, valid("a@b")),
            (r#""a@b"@a.example"#, valid("a@b")),
            (r#""a..b"@a.example"#, valid("a..b")),
            ("josé@a.example", valid("josé")),
            ("o'neil+x@a.example", valid("o'neil+x")),
            ("a..b@a.example", LocalPart::Opaque),
            (".a@a.example", LocalPart::Opaque),
            ("a b@a.example", LocalPart::Opaque),
            ("@a.example", LocalPart::Opaque),
            (r#"""@a.example"#, LocalPart::Opaque),
            (r#""a"b"@a.example"#, LocalPart::Opaque),
            (r#""a\"@a.example"#, LocalPart::Opaque),
            ("<ann@a.example", LocalPart::Opaque),
            ("a@b@a.example", LocalPart::Opaque),
            ("\"a\u{7f}\"@a.example", LocalPart::Opaque),
        ] {
            assert_eq!(Mailbox::parse(written.as_bytes()).unwrap().local(), &want, "{written}");
        }
        assert_eq!(Mailbox::parse(b"gr\xfcn@a.example").unwrap().local(), &LocalPart::Opaque);
    }

    #[test]
    fn spellings_of_one_local_part_fold_alike() {
        for (spellings, want) in [
            (&["Ann", "ANN", "ann"][..], "ann"),
            // RFC 6532 3.1: composed or not.
            (&["Grün", "gru\u{308}n", "GRU\u{308}N"], "grün"),
            (&["\u{1e9b}\u{323}", "\u{17f}\u{323}\u{307}"], "\u{1e9b}\u{323}"),
            // A final sigma is a sigma, wherever it stands.
            (&["ΝΙΚΟΣ", "νικος", "νικοσ"], "νικοσ"),
            (&["ΝΙΚΟΣ+ΝΕΑ", "νικος+νεα"], "νικοσ+νεα"),
            // Compatibility characters are other characters.
            (&["ﬁn"], "ﬁn"),
            (&["ａnn"], "ａnn"),
        ] {
            for spelling in spellings {
                assert_eq!(fold(spelling), want, "{spelling:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_folded_stays(local in proptest::prelude::any::<String>()) {
            let folded = fold(&local);
            proptest::prop_assert_eq!(fold(&folded), folded);
        }
    }

    #[test]
    fn the_last_at_decides_the_domain() {
        let mailbox = Mailbox::parse(b"x@b.example@A.Example.").unwrap();
        assert_eq!(mailbox.domain().unwrap().as_str(), "a.example");
    }

    #[test]
    fn what_is_no_mailbox() {
        for written in ["", "ann", "ann@", "ann@a b", "ann@.", "ann@[1.2.3.4"] {
            assert!(Mailbox::parse(written.as_bytes()).is_err(), "{written}");
        }
        assert_eq!(Mailbox::parse_strict("a b@a.example"), Err(AddressError::LocalPart));
    }

    #[test]
    fn only_plain_arguments_are_plain() {
        for argument in ["<ann@a.example>", "ann@a.example", "<Ann+x@A.EXAMPLE.>", "<a@[192.0.2.1]>"] {
            assert!(Mailbox::parse_plain(argument.as_bytes()).is_some(), "{argument}");
        }
        for argument in [
            "<ann%a.example>",
            "<ann%a.example@b.example>",
            "<a.example!ann>",
            "<a.example!ann@b.example>",
            r#"<"ann@a.example">"#,
            r#"<"ann"@a.example>"#,
            "<ann@ a.example>",
            "<ann@a.example(x)>",
            "g:ann@a.example;",
            "<@r.example:ann@a.example>",
            "<ann@a.example",
            "ann@a.example>",
            "<<ann@a.example>>",
            "<>",
            "<ann>",
            "",
            "<ann@b.example@a.example>",
            "<ann @a.example>",
        ] {
            assert!(Mailbox::parse_plain(argument.as_bytes()).is_none(), "{argument}");
        }
    }
}
