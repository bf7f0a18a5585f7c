// SPDX-License-Identifier: GPL-3.0-or-later
//! A message's content: header lines and body, read as an MTA reads them.
//!
//! Lines end with LF or CRLF; a line that begins with a blank continues the one before it; any octets may stand in a
//! value. The header section ends at the first empty line, or before the first line that is no header line. The
//! first line of an mbox (`From ann@a.example Mon ...`) is passed over. At most [`MAX_OCTETS`] are read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest message, in octets.
const MAX_OCTETS: u64 = 64 * 1024 * 1024;

/// What a message consists of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Content {
    pub(super) headers: Vec<HeaderLine>,
    pub(super) body: Vec<u8>,
}

/// One header line with its continuations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderLine {
    pub(super) name: Vec<u8>,
    /// All that follows the colon, lines parted by LF.
    pub(super) value: Vec<u8>,
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is larger than {MAX_OCTETS} octets")]
    TooLarge,
}

impl Content {
    /// Reads a file; `-` is standard input.
    pub(super) fn read(path: &Path) -> Result<Self, ContentError> {
        let input: Box<dyn Read> =
            if path.as_os_str() == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
        let mut octets = Vec::new();
        input.take(MAX_OCTETS + 1).read_to_end(&mut octets)?;
        if octets.len() as u64 > MAX_OCTETS {
            return Err(ContentError::TooLarge);
        }
        Ok(Self::parse(&octets))
    }

    pub(super) fn parse(octets: &[u8]) -> Self {
        let mut headers: Vec<HeaderLine> = Vec::new();
        let mut rest = octets;
        if rest.starts_with(b"From ") {
            (_, rest) = first_line(rest);
        }
        while !rest.is_empty() {
            let (line, after) = first_line(rest);
            if line.is_empty() {
                rest = after;
                break;
            }
            if let ([b' ' | b'\t', ..], Some(open)) = (line, headers.last_mut()) {
                open.value.push(b'\n');
                open.value.extend_from_slice(line);
            } else if let Some(header) = HeaderLine::parse(line) {
                headers.push(header);
            } else {
                break;
            }
            rest = after;
        }
        Self { headers, body: rest.to_vec() }
    }
}

impl HeaderLine {
    /// Reads `Name: value`; nothing when it is no header line. Blanks before the colon are of old (RFC 5322 4.5).
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let colon = line.iter().position(|&b| b == b':')?;
        let name = line[..colon].trim_ascii_end();
        let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        is_name.then(|| Self { name: name.to_vec(), value: line[colon + 1..].to_vec() })
    }
}

/// The first line without its end, and what follows it.
fn first_line(octets: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match octets.iter().position(|&b| b == b'\n') {
        Some(end) => (&octets[..end], &octets[end + 1..]),
        None => (octets, &[][..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_where_an_mta_ends_them() {
        for (octets, want, body) in [
            (&b""[..], &[][..], &b""[..]),
            (b"Subject: a\n\nbody\n", &[("Subject", " a")], b"body\n"),
            (b"Subject: a\r\n b\r\n\tc\r\n\r\nbody", &[("Subject", " a\n b\n\tc")], b"body"),
            (b"A: 1\nB:2", &[("A", " 1"), ("B", "2")], b""),
            (b"A : 1\nB\t:2\n\n", &[("A", " 1"), ("B", "2")], b""),
            (b"A: 1\nno header\nB: 2\n", &[("A", " 1")], b"no header\nB: 2\n"),
            (b"A: 1\ntwo words: 2\n", &[("A", " 1")], b"two words: 2\n"),
            (b" A: 1\n", &[], b" A: 1\n"),
            (b": no name\n", &[], b": no name\n"),
            (b"\nA: 1\n", &[], b"A: 1\n"),
            (b"From ann@a.example Mon\nA: 1\n\n", &[("A", " 1")], b""),
            (b"From: ann@a.example\n\n", &[("From", " ann@a.example")], b""),
            (b"A: 1\n\nFrom: x\n\n", &[("A", " 1")], b"From: x\n\n"),
        ] {
            let content = Content::parse(octets);
            let headers: Vec<_> = content
                .headers
                .iter()
                .map(|h| (str::from_utf8(&h.name).unwrap(), str::from_utf8(&h.value).unwrap()))
                .collect();
            assert_eq!((headers.as_slice(), content.body.as_slice()), (want, body), "{octets:?}");
        }
    }

    #[test]
    fn any_octets_are_taken() {
        let content = Content::parse(b"A: gr\xfc\xdfe \0 x\n\xff: b\n");
        assert_eq!(content.headers, [HeaderLine { name: b"A".into(), value: b" gr\xfc\xdfe \0 x".into() }]);
        assert_eq!(content.body, b"\xff: b\n");
    }
}
