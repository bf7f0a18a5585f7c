// SPDX-License-Identifier: GPL-3.0-or-later
//! Text from outside, made safe to print: in a log line, on a terminal, in a header that we write.

use std::fmt;

/// Octets from outside, printed with escapes: a log line stays one line, and a terminal obeys nothing in it.
///
/// Printable characters stay, a backslash is doubled; controls, octets that are no UTF-8, and characters that
/// change the direction of text become `\n`, `\x1b`, `\u{202e}`.
#[derive(Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nearly all that comes: nothing to escape.
        if self.0.iter().all(|&b| matches!(b, b' '..=b'~') && b != b'\\') {
            return std::str::from_utf8(self.0).map_or(Err(fmt::Error), |text| f.write_str(text));
        }
        for chunk in self.0.utf8_chunks() {
            let mut plain = 0;
            let text = chunk.valid();
            for (at, c) in text.char_indices() {
                if is_plain(c) {
                    continue;
                }
                f.write_str(&text[plain..at])?;
                plain = at + c.len_utf8();
                if c.is_ascii() {
                    write!(f, "{}", (c as u8).escape_ascii())?;
                } else {
                    write!(f, "{}", c.escape_unicode())?;
                }
            }
            f.write_str(&text[plain..])?;
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn is_plain(c: char) -> bool {
    let misleads = matches!(c,
        // Zero-width and direction characters, line and paragraph separators, byte order mark, tags.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}'
            | '\u{e0000}'..='\u{e0fff}');
    c != '\\' && !c.is_control() && !misleads
}

/// A value fit for a header line that Postern writes: printable ASCII, everything else a `?`, at most 200 characters.
pub fn header_value(text: &str) -> String {
    text.chars().take(200).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_octets_stay_on_one_line() {
        for (raw, want) in [
            (&b"ann@a.example"[..], "ann@a.example"),
            (b"a\r\nb\0c\x1b[31m", r"a\r\nb\x00c\x1b[31m"),
            (b"gr\xfc\xdfe", r"gr\xfc\xdfe"),
            ("grüße".as_bytes(), "grüße"),
            ("a\u{202e}b\u{85}".as_bytes(), r"a\u{202e}b\u{85}"),
            (br"back\slash", r"back\\slash"),
            (b"", ""),
        ] {
            assert_eq!(Escaped(raw).to_string(), want);
        }
    }

    #[test]
    fn header_values_are_ascii_and_short() {
        assert_eq!(header_value("a\r\nX-Evil: ü"), "a??X-Evil: ?");
        assert_eq!(header_value(&"x".repeat(500)).len(), 200);
    }
}
