// SPDX-License-Identifier: GPL-3.0-or-later
//! SMTP replies as a client reads them (RFC 5321 4.2), up to a size: a line of [`LINE`] octets, [`LINES`] lines.
//!
//! A bare LF ends a line, too, as it does for MTAs. What is read is shown to people, so it is made printable here.

use crate::mail::Escaped;
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// Octets of one line; RFC 5321 4.5.3.1.5 has 512, and some servers write more.
const LINE: u64 = 1024;
/// Lines of one reply.
const LINES: usize = 100;
/// Characters of a line that are kept.
const SHOWN: usize = 200;

/// A whole reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Reply {
    /// From 200 to 599.
    pub(super) code: u16,
    /// The text of each line, printable, perhaps cut short; at least one.
    pub(super) lines: Vec<String>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum NoReply {
    /// The connection broke, or was closed.
    Lost(io::Error),
    /// What came is no reply.
    Garbage(&'static str),
}

impl Reply {
    /// What it says first.
    pub(super) fn text(&self) -> String {
        let Self { code, lines } = self;
        let first = lines.first().map_or("", String::as_str);
        format!("{code} {first}").trim_end().to_owned()
    }

    /// Whether it is of a class, such as 2.
    pub(super) fn is(&self, class: u16) -> bool {
        self.code / 100 == class
    }

    /// Whether a service extension is announced, in the answer to EHLO (RFC 5321 4.1.1.1).
    pub(super) fn announces(&self, keyword: &str) -> bool {
        let mut announced = self.lines.iter().skip(1).filter_map(|line| line.split(' ').next());
        announced.any(|word| word.eq_ignore_ascii_case(keyword))
    }
}

/// Reads the next one. It may never end: the caller sets the deadline.
pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, NoReply> {
    let mut code = None;
    let mut lines = Vec::new();
    while lines.len() < LINES {
        let line = read_line(from).await?;
        let (own, more, text) = parse(&line).ok_or(NoReply::Garbage("it does not answer as SMTP does"))?;
        if *code.get_or_insert(own) != own {
            return Err(NoReply::Garbage("the lines of its reply have different codes"));
        }
        lines.push(printable(text));
        if !more {
            return Ok(Reply { code: own, lines });
        }
    }
    Err(NoReply::Garbage("its reply has too many lines"))
}

async fn read_line(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Vec<u8>, NoReply> {
    let mut line = Vec::new();
    let read = from.take(LINE).read_until(b'\n', &mut line).await.map_err(NoReply::Lost)?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        let _ = line.pop_if(|last| *last == b'\r');
        return Ok(line);
    }
    if read as u64 == LINE {
        return Err(NoReply::Garbage("a line of its reply is too long"));
    }
    Err(NoReply::Lost(io::Error::new(io::ErrorKind::UnexpectedEof, "it closes the connection")))
}

/// The code, whether more lines follow, and the text.
fn parse(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    let digits = matches!(code, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']);
    let code = str::from_utf8(code).ok().filter(|_| digits)?.parse().ok()?;
    match rest {
        [] => Some((code, false, &[])),
        [b' ', text @ ..] => Some((code, false, text)),
        [b'-', text @ ..] => Some((code, true, text)),
        _ => None,
    }
}

/// What an unknown host says, fit to be shown.
pub(super) fn printable(text: &[u8]) -> String {
    Escaped(text.trim_ascii()).to_string().chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(text: &[u8]) -> Result<Reply, String> {
        let mut from = text;
        read(&mut from).await.map_err(|error| match error {
            NoReply::Lost(error) => format!("lost: {error}"),
            NoReply::Garbage(why) => why.to_owned(),
        })
    }

    #[tokio::test]
    async fn replies_are_read() {
        let long = [b"220 ", "x".repeat(600).as_bytes(), b"\r\n"].concat();
        for (text, code, shown, lines) in [
            (&b"220 mx.example ESMTP\r\n"[..], 220, "220 mx.example ESMTP", 1),
            (b"220\r\n", 220, "220", 1),
            (b"220 \n", 220, "220", 1),
            (b"250-mx.example\r\n250-SIZE 1\r\n250 STARTTLS\r\n", 250, "250 mx.example", 3),
            (b"554-a\r\n554 b\r\nignored", 554, "554 a", 2),
            (b"220 a\x1b[31m\x07b\xff\r\n", 220, r"220 a\x1b[31m\x07b\xff", 1),
            (&long, 220, &format!("220 {}", "x".repeat(SHOWN)), 1),
        ] {
            let reply = read_all(text).await.unwrap();
            assert_eq!((reply.code, &*reply.text(), reply.lines.len()), (code, shown, lines));
        }
    }

    #[tokio::test]
    async fn what_is_no_reply_is_told() {
        let endless = b"250-x\r\n".repeat(LINES);
        let long = vec![b'2'; 5000];
        for (text, want) in [
            (&b""[..], "lost: it closes the connection"),
            (b"220 mx", "lost: it closes the connection"),
            (b"250-a\r\n", "lost: it closes the connection"),
            (b"SSH-2.0-x\r\n", "it does not answer as SMTP does"),
            (b"\r\n", "it does not answer as SMTP does"),
            (b"199 a\r\n", "it does not answer as SMTP does"),
            (b"600 a\r\n", "it does not answer as SMTP does"),
            (b"+20 a\r\n", "it does not answer as SMTP does"),
            (b"2200 a\r\n", "it does not answer as SMTP does"),
            (b"250-a\r\n251 b\r\n", "the lines of its reply have different codes"),
            (&endless, "its reply has too many lines"),
            (&long, "a line of its reply is too long"),
        ] {
            assert_eq!(read_all(text).await.unwrap_err(), want, "{}", text.escape_ascii());
        }
    }

    #[tokio::test]
    async fn extensions_are_found() {
        let reply = read_all(b"250-STARTTLS.example\r\n250-SIZE 10\r\n250 starttls\r\n").await.unwrap();
        assert!(reply.announces("STARTTLS") && reply.announces("SIZE"));
        let reply = read_all(b"250-STARTTLS\r\n250 XSTARTTLS\r\n").await.unwrap();
        assert!(!reply.announces("STARTTLS"), "the first line is the host's name");
    }
}
