// SPDX-License-Identifier: GPL-3.0-or-later
//! An SMTP reply of one class (RFC 5321 4.2) with its enhanced status code (RFC 3463, RFC 2034).
//!
//! A [`Reply`] is always a refusal, 4xx or 5xx: Postern never writes the text of an acceptance. Its code and enhanced
//! code are of one class by construction, because Postfix turns a reply whose classes differ into a server error.

use std::fmt;

/// Longest text, in characters. With codes and reference a reply stays under the 512 octets of RFC 5321 4.5.3.1.5.
const MAX_TEXT: usize = 400;

/// Why something is no reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplyError {
    /// Not from 400 to 599.
    #[error("a reply code is a number from 400 to 599")]
    Code,
    /// 421 and 521 end the whole SMTP session, other recipients and messages with it.
    #[error("421 and 521 close the connection and would take other recipients with them")]
    ClosesConnection,
    /// Not `4.x.y` or `5.x.y`.
    #[error("an enhanced status code is written like 5.7.1, beginning with 4 or 5")]
    Enhanced,
    /// Code and enhanced code are of different classes.
    #[error("code and enhanced status code must begin with the same digit")]
    ClassesDiffer,
    /// The text is empty, too long, or has other characters than printable ASCII.
    #[error("a reply text is one line of printable ASCII, 1 to {MAX_TEXT} characters")]
    Text,
}

/// What the client may do about a refusal.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ReplyClass {
    /// 4xx: come again.
    Transient,
    /// 5xx: give up.
    Permanent,
}

impl ReplyClass {
    fn digit(self) -> u16 {
        match self {
            Self::Transient => 4,
            Self::Permanent => 5,
        }
    }
}

/// An enhanced status code, such as 5.7.1.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct EnhancedCode {
    class: ReplyClass,
    subject: u16,
    detail: u16,
}

impl EnhancedCode {
    /// A code of the given class.
    pub const fn new(class: ReplyClass, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Reads `5.7.1`. Subject and detail have one to three digits (RFC 3463 2).
    pub fn parse(text: &str) -> Result<Self, ReplyError> {
        let mut parts = text.split('.');
        let class = match parts.next() {
            Some("4") => ReplyClass::Transient,
            Some("5") => ReplyClass::Permanent,
            _ => return Err(ReplyError::Enhanced),
        };
        let mut number = || {
            let digits = parts
                .next()
                .filter(|d| (1..=3).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_digit()))?;
            digits.parse().ok()
        };
        let (Some(subject), Some(detail)) = (number(), number()) else {
            return Err(ReplyError::Enhanced);
        };
        if parts.next().is_some() {
            return Err(ReplyError::Enhanced);
        }
        Ok(Self { class, subject, detail })
    }

    /// Its class.
    pub fn class(self) -> ReplyClass {
        self.class
    }

    /// The same subject and detail in another class.
    #[must_use]
    pub fn with_class(self, class: ReplyClass) -> Self {
        Self { class, ..self }
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

/// One line of printable ASCII.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplyText(Box<str>);

impl ReplyText {
    /// Takes a text that is fit to be sent.
    pub fn parse(text: &str) -> Result<Self, ReplyError> {
        let fits = (1..=MAX_TEXT).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b' '..=b'~'))
            && !text.trim().is_empty();
        if fits { Ok(Self(text.into())) } else { Err(ReplyError::Text) }
    }
}

/// A refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    code: u16,
    enhanced: EnhancedCode,
    text: ReplyText,
}

impl Reply {
    /// Puts a reply together; the classes must agree.
    pub fn new(code: u16, enhanced: EnhancedCode, text: ReplyText) -> Result<Self, ReplyError> {
        if !(400..=599).contains(&code) {
            return Err(ReplyError::Code);
        }
        if matches!(code, 421 | 521) {
            return Err(ReplyError::ClosesConnection);
        }
        if code / 100 != enhanced.class.digit() {
            return Err(ReplyError::ClassesDiffer);
        }
        Ok(Self { code, enhanced, text })
    }

    /// The three-digit code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    pub fn enhanced(&self) -> EnhancedCode {
        self.enhanced
    }

    /// The text without codes.
    pub fn text(&self) -> &str {
        &self.text.0
    }

    /// Its class.
    pub fn class(&self) -> ReplyClass {
        self.enhanced.class
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.text.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, enhanced: &str, text: &str) -> Result<Reply, ReplyError> {
        Reply::new(code, EnhancedCode::parse(enhanced)?, ReplyText::parse(text)?)
    }

    #[test]
    fn a_reply_is_of_one_class() {
        assert_eq!(reply(550, "5.7.1", "No").unwrap().to_string(), "550 5.7.1 No");
        for (code, enhanced, text, want) in [
            (550, "4.7.1", "No", ReplyError::ClassesDiffer),
            (450, "5.1.1", "No", ReplyError::ClassesDiffer),
            (250, "5.1.1", "No", ReplyError::Code),
            (600, "5.1.1", "No", ReplyError::Code),
            (421, "4.7.0", "No", ReplyError::ClosesConnection),
            (521, "5.7.0", "No", ReplyError::ClosesConnection),
            (550, "2.0.0", "No", ReplyError::Enhanced),
            (550, "5.7", "No", ReplyError::Enhanced),
            (550, "5.7.1.1", "No", ReplyError::Enhanced),
            (550, "5.7.+1", "No", ReplyError::Enhanced),
            (550, "5.1234.1", "No", ReplyError::Enhanced),
            (550, "5.7.1", "", ReplyError::Text),
            (550, "5.7.1", "  ", ReplyError::Text),
            (550, "5.7.1", "a\r\n250 b", ReplyError::Text),
            (550, "5.7.1", "größe", ReplyError::Text),
            (550, "5.7.1", &"x".repeat(401), ReplyError::Text),
        ] {
            assert_eq!(reply(code, enhanced, text), Err(want), "{code} {enhanced} {text:?}");
        }
    }
}
