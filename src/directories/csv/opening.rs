// SPDX-License-Identifier: GPL-3.0-or-later
//! What stands before the rows: `#TYPE` (`PowerShell` without `-NoTypeInformation`), `sep=;` (for Excel), the header, and from it
//! the delimiter.

use super::super::text_error::TextError;
use super::guard::{MAX_COLUMNS, MAX_RECORD, NUL};
use super::header::Header;
use super::layout::Layout;
use crate::config::Columns;
use std::io::{self, Read};

/// What can part columns where nothing is written.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The beginning of a file.
#[derive(Debug)]
pub(super) struct Opening {
    /// Text from the header on, as far as it was read.
    pub text: Vec<u8>,
    /// The line of the header.
    pub line: u64,
    pub delimiter: u8,
    pub layout: Layout,
}

/// Reads as far as the header and finds the columns in it.
pub(super) fn read(
    text: &mut impl Read,
    delimiter: Option<u8>,
    columns: Option<&Columns>,
) -> io::Result<Opening> {
    let mut begin = Begin { text: Vec::new(), ended: false };
    let mut line = 1;
    let mut announced = None;
    let header = loop {
        let length = begin.line(text)?;
        if begin.text[..length].contains(&0) {
            return Err(wrong(line, NUL));
        }
        if length > MAX_RECORD {
            return Err(wrong(line, &format!("this row is longer than {MAX_RECORD} octets")));
        }
        let first = String::from_utf8_lossy(&begin.text[..length]).into_owned();
        let trimmed = first.trim();
        let words = trimmed.trim_matches('"');
        // `sep=` and one character, which may be a tab.
        let separator = match first.trim_end_matches(['\r', '\n']).trim_matches('"').as_bytes() {
            [s, e, p, b'=', octet] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*octet),
            _ => None,
        };
        if begin.text.is_empty() {
            let what = if line == 1 { "the file is empty" } else { "there is no header in the file" };
            return Err(wrong(line, what));
        }
        let blank = trimmed.is_empty();
        if !blank && !words.starts_with("#TYPE") && separator.is_none() {
            break first;
        }
        announced = separator.or(announced);
        // A CR alone may end a line.
        line += u64::from(first.ends_with(['\r', '\n']));
        begin.text.drain(..length);
    };
    let (delimiter, layout) =
        split(&header, delimiter.or(announced), columns).map_err(|what| wrong(line, &what))?;
    Ok(Opening { text: begin.text, line, delimiter, layout })
}

fn wrong(line: u64, what: &str) -> io::Error {
    io::Error::other(TextError { line, what: what.to_owned() })
}

/// Parts the header with each delimiter that may be meant, the most frequent one first, until its columns make sense.
fn split(header: &str, delimiter: Option<u8>, columns: Option<&Columns>) -> Result<(u8, Layout), String> {
    let mut candidates: Vec<(usize, u8)> = match delimiter {
        Some(delimiter) => vec![(0, delimiter)],
        None => DELIMITERS.map(|delimiter| (count(header, delimiter), delimiter)).to_vec(),
    };
    candidates.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let mut first = None;
    for (count, delimiter) in candidates {
        if count == 0 && first.is_some() {
            break;
        }
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(header.as_bytes());
        let mut row = csv::StringRecord::new();
        // It is whole text in memory; there is nothing to go wrong.
        let _ = reader.read_record(&mut row);
        if row.len() > MAX_COLUMNS {
            return Err(format!("there are more than {MAX_COLUMNS} columns here"));
        }
        match Layout::find(&Header::new(row.iter()), columns) {
            Ok(layout) => return Ok((delimiter, layout)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_default())
}

/// How often an octet stands outside quotes.
fn count(header: &str, delimiter: u8) -> usize {
    header.split('"').step_by(2).map(|plain| plain.bytes().filter(|octet| *octet == delimiter).count()).sum()
}

/// Text from the beginning on.
struct Begin {
    text: Vec<u8>,
    ended: bool,
}

impl Begin {
    /// Reads on until the first line is whole, and gives its length. Ends of lines in quotes are part of it.
    fn line(&mut self, from: &mut impl Read) -> io::Result<usize> {
        let mut looked = 0;
        let mut quoted = false;
        loop {
            while let Some(&octet) = self.text.get(looked) {
                looked += 1;
                match octet {
                    b'"' => quoted = !quoted,
                    b'\n' if !quoted => return Ok(looked),
                    b'\r' if !quoted => match self.text.get(looked) {
                        Some(b'\n') => return Ok(looked + 1),
                        Some(_) => return Ok(looked),
                        None if self.ended => return Ok(looked),
                        None => {
                            looked -= 1;
                            break;
                        }
                    },
                    _ => {}
                }
            }
            if self.ended || looked > MAX_RECORD {
                return Ok(looked);
            }
            let length = self.text.len();
            self.text.resize(length + 16 * 1024, 0);
            let read = from.read(&mut self.text[length..])?;
            self.text.truncate(length + read);
            self.ended = read == 0;
        }
    }
}
