// SPDX-License-Identifier: GPL-3.0-or-later
//! Watches the text on its way to the CSV reader, which takes anything: a quote that is never closed swallows the rest of the
//! file there, and with it recipients.
//!
//! RFC 4180 section 2: a quoted field ends with a quote before a delimiter, the end of the line, or the end of the text. Quotes in
//! the middle of an unquoted field are left alone, as are blanks behind a closing quote. A record has at most [`MAX_RECORD`]
//! octets and [`MAX_COLUMNS`] fields; there are no NUL octets. It also counts lines, because the reader does not count those
//! before a record that are blank, nor those that end with CR.

use super::super::text_error::TextError;
use std::collections::VecDeque;
use std::io::{self, Read};

/// Longest record, in octets.
pub(super) const MAX_RECORD: usize = 1024 * 1024;
/// Most fields of a record.
pub(super) const MAX_COLUMNS: usize = 10_000;

/// What is said of a NUL octet.
pub(super) const NUL: &str =
    "there is a NUL octet here; if the file is UTF-16, write `encoding = \"utf-16le\"`";

/// Where in the text it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    /// Before a record.
    Record,
    /// At the beginning of a field.
    Field,
    /// In a field without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// Behind a quote within quotes: the end of the field, or the first of a pair.
    Quote,
    /// Behind the end of a quoted field.
    Closed,
}

fn wrong(line: u64, what: &str) -> TextError {
    TextError { line, what: what.to_owned() }
}

/// Passes text on, and refuses what would be misread.
pub(super) struct Guard<R> {
    text: R,
    delimiter: u8,
    at: At,
    /// The line it is in.
    line: u64,
    /// The line that the last quote was opened in.
    opened: u64,
    after_return: bool,
    octets: usize,
    fields: usize,
    /// Lines that records begin in which the reader has not asked for.
    begins: VecDeque<u64>,
    /// Whether the text ended with the end of a line.
    whole_line: bool,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(text: R, delimiter: u8, line: u64) -> Self {
        Self {
            text,
            delimiter,
            at: At::Record,
            line,
            opened: line,
            after_return: false,
            octets: 0,
            fields: 0,
            begins: VecDeque::new(),
            whole_line: true,
        }
    }

    /// The line that the next record begins in; the reader's next record is that one.
    pub(super) fn next_line(&mut self) -> Option<u64> {
        self.begins.pop_front()
    }

    /// The line that was reached.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether what was read so far ended with the end of a line.
    pub(super) fn is_whole_line(&self) -> bool {
        self.whole_line
    }

    fn scan(&mut self, text: &[u8]) -> Result<(), TextError> {
        for &octet in text {
            let end = octet == b'\n' || octet == b'\r';
            self.octets += 1;
            match self.at {
                At::Record if end => self.octets = 0,
                At::Record => {
                    self.begins.push_back(self.line);
                    self.octets = 1;
                    self.fields = 1;
                    self.begin_field(octet)?;
                }
                At::Field => self.begin_field(octet)?,
                At::Quoted if octet == b'"' => self.at = At::Quote,
                At::Quote if octet == b'"' => self.at = At::Quoted,
                At::Plain | At::Quote | At::Closed if octet == self.delimiter => self.next_field()?,
                At::Plain | At::Quote | At::Closed if end => self.at = At::Record,
                At::Quote | At::Closed if octet == b' ' || octet == b'\t' => self.at = At::Closed,
                At::Quote | At::Closed => return Err(self.unbalanced()),
                At::Plain | At::Quoted => {}
            }
            if octet == 0 {
                return Err(wrong(self.line, NUL));
            }
            if self.octets > MAX_RECORD {
                return Err(self.too_long());
            }
            // A CRLF is one end.
            if end && !(octet == b'\n' && self.after_return) {
                self.line += 1;
            }
            self.after_return = octet == b'\r';
            self.whole_line = end;
        }
        Ok(())
    }

    fn begin_field(&mut self, octet: u8) -> Result<(), TextError> {
        self.at = match octet {
            octet if octet == self.delimiter => return self.next_field(),
            b'"' => {
                self.opened = self.line;
                At::Quoted
            }
            b'\n' | b'\r' => At::Record,
            _ => At::Plain,
        };
        Ok(())
    }

    fn next_field(&mut self) -> Result<(), TextError> {
        self.fields += 1;
        self.at = At::Field;
        if self.fields > MAX_COLUMNS {
            return Err(wrong(self.line, &format!("there are more than {MAX_COLUMNS} columns here")));
        }
        Ok(())
    }

    fn unbalanced(&self) -> TextError {
        let at = if self.line == self.opened { String::new() } else { format!("in line {} ", self.line) };
        let what = format!(
            "a quote is opened here that is not closed as it should be: {at}there is more text behind a quote, where `{}` or the \
             end of the line was expected; a quote within quotes is written twice",
            self.delimiter.escape_ascii()
        );
        wrong(self.opened, &what)
    }

    fn too_long(&self) -> TextError {
        match self.at {
            At::Quoted | At::Quote => {
                let what = format!("a quote is opened here that is not closed within {MAX_RECORD} octets");
                wrong(self.opened, &what)
            }
            At::Record | At::Field | At::Plain | At::Closed => {
                wrong(self.line, &format!("this row is longer than {MAX_RECORD} octets"))
            }
        }
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(out)?;
        let scanned = match read {
            0 if self.at == At::Quoted => {
                Err(wrong(self.opened, "a quote is opened here that is never closed"))
            }
            _ => self.scan(&out[..read]),
        };
        scanned.map_err(io::Error::other)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Vec<u64>, String> {
        let mut guard = Guard::new(text.as_bytes(), b',', 1);
        let mut buffer = [0; 5];
        loop {
            match guard.read(&mut buffer) {
                Ok(0) => return Ok(guard.begins.into()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn what_passes_has_its_lines() {
        for (text, want) in [
            ("", vec![]),
            ("a,b\nc,d\n", vec![1, 2]),
            ("a,b\r\nc,d\r\n", vec![1, 2]),
            ("a,b\rc,d\r", vec![1, 2]),
            ("\n\na,b\n\n\nc,d", vec![3, 6]),
            ("\"a\nb\r\nc\",d\ne", vec![1, 4]),
            ("\"a\"\"b\",\"\"\n\"\"\n", vec![1, 2]),
            ("\"a\" ,b\nc", vec![1, 2]),
            ("5\" wide,b\nc", vec![1, 2]),
        ] {
            assert_eq!(scan(text).unwrap(), want, "{text:?}");
        }
    }

    #[test]
    fn what_would_be_misread_is_refused() {
        for (text, want) in [
            ("a\nb,\"c\nd\n", "line 2: a quote is opened here that is never closed"),
            (
                "a\nb,\"c\nd,\"e\"\nf",
                "line 2: a quote is opened here that is not closed as it should be: in line 3 there is more text behind a quote, \
                 where `,` or the end of the line was expected; a quote within quotes is written twice",
            ),
            (
                "a,\"b\"c\n",
                "line 1: a quote is opened here that is not closed as it should be: there is more text behind a quote, \
                 where `,` or the end of the line was expected; a quote within quotes is written twice",
            ),
            (
                "a\nb\0",
                "line 2: there is a NUL octet here; if the file is UTF-16, write `encoding = \"utf-16le\"`",
            ),
        ] {
            assert_eq!(scan(text).unwrap_err(), want, "{text:?}");
        }
        let long = "x".repeat(MAX_RECORD + 1);
        assert_eq!(
            scan(&format!("a\n{long}")).unwrap_err(),
            "line 2: this row is longer than 1048576 octets"
        );
        assert_eq!(
            scan(&format!("a\n\"{long}")).unwrap_err(),
            "line 2: a quote is opened here that is not closed within 1048576 octets"
        );
        assert_eq!(scan(&",".repeat(20_000)).unwrap_err(), "line 1: there are more than 10000 columns here");
    }
}
