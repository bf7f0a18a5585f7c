// SPDX-License-Identifier: GPL-3.0-or-later
//! Patterns of local parts, such as `bounces-*`: `*` stands for any characters, also none; nothing else is special.
//!
//! Patterns and the local parts that they are compared with are folded alike ([`super::Mailbox::folded_local`]). Each piece
//! between two stars is looked for once, from left to right, so that no pattern is slow, whatever it is compared with.

use super::mailbox::{fold, is_dot_string};
use std::fmt;
use std::sync::Arc;

/// Longest pattern, in octets: a local part has at most 64 (RFC 5321 4.5.3.1.1), and a star may stand for nothing.
const MAX_PATTERN: usize = 128;

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LocalPatternError {
    /// There is no star.
    #[error("there is no `*` in it")]
    NoStar,
    /// There is nothing but stars.
    #[error("it stands for every local part")]
    Everything,
    /// Something that no local part has without quotes.
    #[error("it has a character that no local part may have")]
    BadCharacter,
    /// Over 128 octets.
    #[error("it is too long")]
    TooLong,
}

/// A pattern of local parts with at least one star, and something else.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LocalPattern(Arc<str>);

impl LocalPattern {
    /// Reads a pattern. `@` and a domain are no part of it.
    pub fn parse(text: &str) -> Result<Self, LocalPatternError> {
        if text.len() > MAX_PATTERN {
            return Err(LocalPatternError::TooLong);
        }
        if !text.contains('*') {
            return Err(LocalPatternError::NoStar);
        }
        if text.bytes().all(|octet| octet == b'*') {
            return Err(LocalPatternError::Everything);
        }
        // Dots may stand anywhere, because a star may stand beside them.
        if !text.split('.').filter(|atom| !atom.is_empty()).all(is_dot_string) {
            return Err(LocalPatternError::BadCharacter);
        }
        Ok(Self(fold(text).into()))
    }

    /// Whether it stands for a local part, as [`super::Mailbox::folded_local`] gives it.
    pub fn covers(&self, folded_local: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else { return *self.0 == *folded_local };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(inner) = folded_local.strip_prefix(head).and_then(|after| after.strip_suffix(tail)) else {
            return false;
        };
        // The first place where a piece fits leaves most to those behind it.
        let found = middle.split('*').try_fold(inner, |left, piece| {
            let at = left.find(piece)?;
            left.get(at + piece.len()..)
        });
        found.is_some()
    }

    /// The pattern, folded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::Escaped(self.0.as_bytes()).fmt(f)
    }
}

/// Several patterns.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LocalPatterns(Vec<LocalPattern>);

impl LocalPatterns {
    /// The first that stands for a local part, as [`super::Mailbox::folded_local`] gives it.
    pub fn find(&self, folded_local: &str) -> Option<&LocalPattern> {
        self.0.iter().find(|pattern| pattern.covers(folded_local))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &LocalPattern> {
        self.0.iter()
    }
}

impl Extend<LocalPattern> for LocalPatterns {
    fn extend<I: IntoIterator<Item = LocalPattern>>(&mut self, patterns: I) {
        self.0.extend(patterns);
    }
}

impl FromIterator<LocalPattern> for LocalPatterns {
    fn from_iter<I: IntoIterator<Item = LocalPattern>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_pattern_stands_for() {
        for (pattern, covered, others) in [
            ("bounces-*", &["bounces-", "bounces-1", "bounces-a=b"][..], &["bounces", "xbounces-1"][..]),
            ("*-bounces", &["-bounces", "list-bounces"], &["list-bounces-x", "bounces"]),
            ("a*b*c", &["abc", "axbxc", "abcbc", "abbc"], &["ac", "ab", "abcx", "acb"]),
            ("aa*aa", &["aaaa", "aaxaa"], &["aaa", "aa"]),
            ("*ab*ab*", &["abab", "xabyabz"], &["aba", "ab"]),
            ("Bounce+*.VERP", &["bounce+x.verp"], &["bounce+x.verp.y"]),
            ("GRÜSSE-*", &["grüsse-1"], &["grusse-1"]),
            // Decomposed, as some systems write it.
            ("gru\u{308}n*", &["grün", "grüne"], &["grun"]),
            ("**x", &["x", "xx"], &["y"]),
        ] {
            let pattern = LocalPattern::parse(pattern).unwrap();
            for (locals, want) in [(covered, true), (others, false)] {
                for local in locals {
                    assert_eq!(pattern.covers(&fold(local)), want, "{pattern} {local}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for (text, want) in [
            ("", LocalPatternError::NoStar),
            ("ann", LocalPatternError::NoStar),
            ("*", LocalPatternError::Everything),
            ("***", LocalPatternError::Everything),
            ("a b*", LocalPatternError::BadCharacter),
            ("*@a.example", LocalPatternError::BadCharacter),
            ("\"a\"*", LocalPatternError::BadCharacter),
            ("a\n*", LocalPatternError::BadCharacter),
            (&format!("{}*", "a".repeat(128)), LocalPatternError::TooLong),
        ] {
            assert_eq!(LocalPattern::parse(text), Err(want), "{text:?}");
        }
    }

    /// The plain definition, exponential in the number of stars.
    fn covers(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|at| covers(rest, &text[at..])),
            [c, rest @ ..] => text.first() == Some(c) && covers(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn as_defined(pattern in "[ab*]{1,7}", text in "[ab]{0,9}") {
            let Ok(parsed) = LocalPattern::parse(&pattern) else { return Ok(()) };
            let chars = |text: &str| text.chars().collect::<Vec<char>>();
            prop_assert_eq!(parsed.covers(&text), covers(&chars(&pattern), &chars(&text)));
        }
    }
}
