// SPDX-License-Identifier: GPL-3.0-or-later
//! The text of an exported file as UTF-8, whatever encoding it is in.
//!
//! A byte order mark tells UTF-8 and UTF-16, else it is what the configuration says, else UTF-8. Nothing is replaced: an octet
//! that the encoding does not have is an error with its line, because `U+FFFD` in an address is another address. For that
//! reason `encoding_rs` is used itself, and no reader that replaces.

use super::text_error::TextError;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use std::io::{self, Read};

/// Octets read at once.
const BUFFER: usize = 64 * 1024;

/// Reads octets and gives UTF-8.
pub(super) struct Decoded<R> {
    octets: R,
    encoding: &'static Encoding,
    decoder: Option<Decoder>,
    buffer: Box<[u8]>,
    /// What of `buffer` has not been decoded.
    rest: std::ops::Range<usize>,
    ended: bool,
    /// Lines that have ended in what was given.
    lines: u64,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(octets: R, encoding: Option<&'static Encoding>) -> Self {
        let encoding = encoding.unwrap_or(UTF_8);
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { octets, encoding, decoder: None, buffer, rest: 0..0, ended: false, lines: 0 }
    }

    /// Reads the beginning, for the byte order mark.
    fn begin(&mut self) -> io::Result<Decoder> {
        while self.rest.end < 4 && !self.ended {
            let read = self.octets.read(&mut self.buffer[self.rest.end..])?;
            self.ended = read == 0;
            self.rest.end += read;
        }
        // Every zip file begins so, and nothing else that is meant to be text.
        if self.buffer.starts_with(b"PK\x03\x04") {
            let what = "this is an Excel workbook; save it as \"CSV UTF-8\"".to_owned();
            return Err(io::Error::other(TextError { line: 1, what }));
        }
        if let Some((encoding, length)) = Encoding::for_bom(&self.buffer[self.rest.clone()]) {
            self.encoding = encoding;
            self.rest.start = length;
        }
        Ok(self.encoding.new_decoder_without_bom_handling())
    }

    fn malformed(&self, octet: Option<u8>) -> io::Error {
        let name = self.encoding.name();
        let octet = octet.map(|octet| format!(" (octet 0x{octet:02X})")).unwrap_or_default();
        let help = if self.encoding == UTF_8 {
            "write its character encoding, such as `encoding = \"windows-1252\"`, or export it as UTF-8"
        } else {
            "write the character encoding that it is in, or export it as UTF-8"
        };
        let what = format!("this is no {name}{octet}; {help}");
        io::Error::other(TextError { line: self.lines + 1, what })
    }
}

impl<R: Read> Read for Decoded<R> {
    /// `out` must have room for four octets.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => self.begin()?,
        };
        loop {
            if self.rest.is_empty() && !self.ended {
                let read = self.octets.read(&mut self.buffer)?;
                self.ended = read == 0;
                self.rest = 0..read;
            }
            let from = self.rest.start;
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(&self.buffer[self.rest.clone()], out, self.ended);
            self.rest.start += read;
            self.lines += count_lines(&out[..written]);
            match result {
                DecoderResult::Malformed(length, after) => {
                    let at = (from + read).checked_sub(usize::from(length) + usize::from(after));
                    let octet = at.and_then(|at| self.buffer.get(at)).copied();
                    return Err(self.malformed(octet));
                }
                DecoderResult::InputEmpty if written == 0 && !self.ended => {}
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {
                    // A decoder that has been told of the end must not be asked again.
                    if !self.ended || result == DecoderResult::OutputFull {
                        self.decoder = Some(decoder);
                    } else {
                        self.decoder = Some(UTF_8.new_decoder_without_bom_handling());
                    }
                    return Ok(written);
                }
            }
        }
    }
}

fn count_lines(text: &[u8]) -> u64 {
    // In chunks that a byte cannot overflow in, this is a few instructions for 32 octets.
    text.chunks(255)
        .map(|chunk| u64::from(chunk.iter().fold(0u8, |sum, octet| sum + u8::from(*octet == b'\n'))))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{UTF_16LE, WINDOWS_1252};

    fn decode(octets: &[u8], encoding: Option<&'static Encoding>) -> Result<String, String> {
        let mut text = String::new();
        let mut decoded = Decoded::new(octets, encoding);
        let mut buffer = [0; 7];
        loop {
            match decoded.read(&mut buffer) {
                Ok(0) => return Ok(text),
                Ok(read) => text.push_str(std::str::from_utf8(&buffer[..read]).unwrap()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn encodings() {
        for (octets, encoding, want) in [
            (&b""[..], None, Ok("")),
            (b"a", None, Ok("a")),
            (b"\xef\xbb\xbfa\xc3\xa4", None, Ok("a\u{e4}")),
            (b"\xff\xfea\0\xe4\0", None, Ok("a\u{e4}")),
            (b"\xfe\xff\0a\0\xe4", None, Ok("a\u{e4}")),
            (b"a\0\xe4\0", Some(UTF_16LE), Ok("a\u{e4}")),
            (b"\xff\xfea\0\xe4\0", Some(UTF_16LE), Ok("a\u{e4}")),
            (
                b"long enough for two buffers \xe4\x80",
                Some(WINDOWS_1252),
                Ok("long enough for two buffers \u{e4}\u{20ac}"),
            ),
            (
                b"a\nb\n\xe4\n",
                None,
                Err(
                    "line 3: this is no UTF-8 (octet 0xE4); write its character encoding, such as `encoding = \"windows-1252\"`, or export it as UTF-8",
                ),
            ),
            (
                b"a\n\xc3",
                None,
                Err(
                    "line 2: this is no UTF-8 (octet 0xC3); write its character encoding, such as `encoding = \"windows-1252\"`, or export it as UTF-8",
                ),
            ),
            (
                b"\xff\xfea\0\n\0b",
                None,
                Err(
                    "line 2: this is no UTF-16LE; write the character encoding that it is in, or export it as UTF-8",
                ),
            ),
            (
                b"\xff\xfea\0\x00\xd8a\0",
                None,
                Err(
                    "line 1: this is no UTF-16LE (octet 0x00); write the character encoding that it is in, or export it as UTF-8",
                ),
            ),
        ] {
            let want = want.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(decode(octets, encoding), want, "{octets:?}");
        }
    }

    #[test]
    fn lines_are_counted() {
        for length in [0, 1, 254, 255, 256, 1000] {
            assert_eq!(count_lines(&vec![b'\n'; length]), length as u64, "{length}");
        }
    }
}
