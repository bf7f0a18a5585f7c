// SPDX-License-Identifier: GPL-3.0-or-later
//! A message as an MTA hands it to a milter: header names and values apart, lines of the body ending with CRLF. Where
//! there is no message, one is made up.

use crate::cli::question::{Address, Question};
use bytes::Bytes;
use std::ffi::CString;

/// The body of a message that is made up.
const BODY: &[u8] = b"A message that was made up by postern try.\r\n";

/// The header lines. MTAs take the blanks before a value off, unless the milter wants them (`SMFIP_HDR_LEADSPC`).
pub(super) fn headers(question: &Question, bare: bool, keep_blanks: bool) -> Vec<(CString, CString)> {
    let given = &question.content.headers;
    let mut lines: Vec<(CString, CString)> = Vec::new();
    for line in given {
        let value = line.value.as_slice();
        let value = if keep_blanks { value } else { value.trim_ascii_start() };
        lines.push((octets(&line.name), octets(value)));
    }
    if !bare {
        return lines;
    }
    let to: Vec<String> = question.recipients.iter().map(Address::in_brackets).collect();
    // A notification has a null sender and an author all the same (RFC 5321 4.5.5, RFC 5322 3.6.2).
    let sender = &question.sender;
    let from = if sender.is_null() { "<MAILER-DAEMON>".to_owned() } else { sender.in_brackets() };
    let blank = if keep_blanks { " " } else { "" };
    for (name, value) in [("From", from), ("To", to.join(", ")), ("Subject", "postern try".to_owned())] {
        if !given.iter().any(|line| line.name.eq_ignore_ascii_case(name.as_bytes())) {
            lines.push((string(name), string(&format!("{blank}{value}"))));
        }
    }
    lines
}

/// The body.
pub(super) fn body(question: &Question, bare: bool) -> Bytes {
    if bare { Bytes::from_static(BODY) } else { crlf(&question.content.body) }
}

fn crlf(body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + body.len() / 32);
    for line in body.split_inclusive(|&b| b == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        out.extend_from_slice(b"\r\n");
    }
    out.into()
}

/// A text for the wire.
pub(super) fn string(text: &str) -> CString {
    octets(text.as_bytes())
}

/// Octets for the wire; what follows a NUL is cut off, as an MTA would.
fn octets(octets: &[u8]) -> CString {
    let end = octets.iter().position(|&b| b == 0).unwrap_or(octets.len());
    CString::new(&octets[..end]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_body_end_as_in_smtp() {
        for (body, want) in [
            (&b""[..], &b""[..]),
            (b"a", b"a\r\n"),
            (b"a\n\nb\n", b"a\r\n\r\nb\r\n"),
            (b"a\r\nb\rc\r\n", b"a\r\nb\rc\r\n"),
            (b"\n", b"\r\n"),
        ] {
            assert_eq!(crlf(body), want, "{body:?}");
        }
    }

    #[test]
    fn what_follows_a_nul_is_cut_off() {
        assert_eq!(octets(b"a\0b"), CString::from(c"a"));
        assert_eq!(string(""), CString::from(c""));
    }
}
