// SPDX-License-Identifier: GPL-3.0-or-later
//! Entries of an LDIF file (RFC 2849), one at a time.
//!
//! Lines are unfolded, comments passed over, base64 decoded. A line has at most [`MAX_LINE`] octets and an entry [`MAX_ENTRY`]; values
//! above [`MAX_VALUE`] (photographs) are dropped. Values in other files (`:<`) are not fetched: an export that says which files of
//! this machine to read is refused. Records of changes other than `add` are refused as well, because they are no directory.
//! What `ldapsearch` writes after the entries is read: a search that was cut off is no whole directory.

use super::super::ldap::Entry;
use super::super::text_error::TextError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::Encoding;
use std::io::{self, BufRead, Read};

/// Longest line after unfolding, in octets.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// Largest entry, in octets: a group of half a million members.
const MAX_ENTRY: usize = 64 * 1024 * 1024;
/// Longest value that is kept, in octets.
const MAX_VALUE: usize = 64 * 1024;

/// What a file holds next.
#[derive(Debug)]
pub(super) enum Item {
    /// An entry and the line it begins in.
    Entry(Entry, u64),
    /// The search that made the file did not end well: the line, and what it says.
    CutOff(u64, String),
    /// The end, and whether the last line has one.
    End { whole_line: bool },
}

/// Reads entries.
pub(super) struct Entries<R> {
    text: R,
    encoding: Option<&'static Encoding>,
    /// The line that was read last.
    line: u64,
    /// A physical line that has been read and belongs to what comes.
    ahead: Vec<u8>,
    has_ahead: bool,
    logical: Vec<u8>,
    whole_line: bool,
    begun: bool,
}

/// A value as it is written.
enum Written<'a> {
    Plain(&'a str),
    Base64(&'a str),
}

impl<R: BufRead> Entries<R> {
    /// `encoding` is for values in base64 that are not UTF-8.
    pub(super) fn new(text: R, encoding: Option<&'static Encoding>) -> Self {
        Self {
            text,
            encoding,
            line: 0,
            ahead: Vec::new(),
            has_ahead: false,
            logical: Vec::new(),
            whole_line: true,
            begun: false,
        }
    }

    /// Reads the next entry.
    pub(super) fn next(&mut self) -> io::Result<Item> {
        let mut entry: Option<(Entry, u64)> = None;
        let mut octets = 0;
        // What stands after the entries and is none: a referral, or how the search ended.
        let mut aside = false;
        loop {
            let Some(line) = self.logical()? else {
                return Ok(match entry {
                    Some((entry, line)) => Item::Entry(entry, line),
                    None => Item::End { whole_line: self.whole_line },
                });
            };
            if self.logical.is_empty() {
                match entry {
                    Some((entry, line)) => return Ok(Item::Entry(entry, line)),
                    None => aside = false,
                }
                continue;
            }
            octets += self.logical.len();
            if octets > MAX_ENTRY {
                return Err(wrong(line, &format!("this entry is larger than {MAX_ENTRY} octets")));
            }
            let text = str::from_utf8(&self.logical).map_err(|_| wrong(line, "this is no UTF-8"))?;
            let (attribute, value) = parse(text).map_err(|what| wrong(line, what))?;
            let is = |name: &str| attribute.eq_ignore_ascii_case(name);
            match &mut entry {
                None if is("version") && !self.begun => {
                    if !matches!(value, Written::Plain("1")) {
                        return Err(wrong(
                            line,
                            "this is a version of LDIF that nobody has written down; 1 is the only one",
                        ));
                    }
                }
                None if is("dn") => {
                    let dn = self.decode(attribute, &value, line)?;
                    let dn = String::from_utf8(dn)
                        .map_err(|_| wrong(line, "the name of this entry is no UTF-8"))?;
                    entry = Some((Entry::new(dn), line));
                }
                None if is("search") || is("ref") => aside = true,
                None if is("result") => {
                    if let Written::Plain(result) = value
                        && !result.starts_with("0 ")
                        && result != "0"
                    {
                        return Ok(Item::CutOff(line, result.to_owned()));
                    }
                    aside = true;
                }
                None if aside => {}
                None => return Err(wrong(line, "an entry begins with `dn:`, and this does not")),
                Some(_) if is("dn") => {
                    return Err(wrong(line, "there is no blank line before this entry"));
                }
                Some(_) if is("changetype") => {
                    if !matches!(value, Written::Plain("add")) {
                        return Err(wrong(
                            line,
                            "this file has changes in it; export the directory as it is",
                        ));
                    }
                }
                Some(_) if is("control") => {}
                Some((entry, _)) => {
                    if attribute.to_ascii_lowercase().split(';').any(is_cut_range) {
                        let what = "the values of this attribute go on in another answer of the server; export with a tool that asks for all";
                        return Err(wrong(line, what));
                    }
                    let value = self.decode(attribute, &value, line)?;
                    if value.len() <= MAX_VALUE {
                        entry.add(attribute, value);
                    }
                }
            }
            self.begun = true;
        }
    }

    fn decode(&self, attribute: &str, value: &Written<'_>, line: u64) -> io::Result<Vec<u8>> {
        let octets = match value {
            Written::Plain(value) => return Ok(value.as_bytes().to_vec()),
            Written::Base64(value) => STANDARD
                .decode(value.as_bytes())
                .map_err(|_| wrong(line, "what stands behind `::` is no base64"))?,
        };
        let binary = ["objectguid", "objectsid"].iter().any(|name| attribute.eq_ignore_ascii_case(name));
        match self.encoding {
            Some(encoding) if !binary && str::from_utf8(&octets).is_err() => {
                Ok(match encoding.decode_without_bom_handling_and_without_replacement(&octets) {
                    Some(text) => text.into_owned().into_bytes(),
                    None => octets,
                })
            }
            Some(_) | None => Ok(octets),
        }
    }

    /// Reads a line with those that go on with it into `logical`, and gives its number; nothing at the end.
    fn logical(&mut self) -> io::Result<Option<u64>> {
        loop {
            if !self.has_ahead && !self.physical()? {
                return Ok(None);
            }
            let line = self.line;
            std::mem::swap(&mut self.logical, &mut self.ahead);
            self.has_ahead = false;
            if self.logical.first() == Some(&b' ') {
                return Err(wrong(line, "this line goes on with one that is not there"));
            }
            // A blank line is not gone on with.
            while !self.logical.is_empty() && self.physical()? {
                let Some(rest) = self.ahead.strip_prefix(b" ") else {
                    self.has_ahead = true;
                    break;
                };
                self.logical.extend_from_slice(rest);
                if self.logical.len() > MAX_LINE {
                    return Err(wrong(line, &format!("this line is longer than {MAX_LINE} octets")));
                }
            }
            if self.logical.first() != Some(&b'#') {
                return Ok(Some(line));
            }
        }
    }

    /// Reads a line as it stands there into `ahead`, without its end.
    fn physical(&mut self) -> io::Result<bool> {
        self.ahead.clear();
        let read = self.text.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.ahead)?;
        if read == 0 {
            return Ok(false);
        }
        self.line += 1;
        if read > MAX_LINE {
            return Err(wrong(self.line, &format!("this line is longer than {MAX_LINE} octets")));
        }
        self.whole_line = self.ahead.last() == Some(&b'\n');
        if self.whole_line {
            self.ahead.pop();
            if self.ahead.last() == Some(&b'\r') {
                self.ahead.pop();
            }
        }
        Ok(true)
    }
}

/// Parts a line into attribute and value.
fn parse(line: &str) -> Result<(&str, Written<'_>), &'static str> {
    if line.contains('\0') {
        return Err("there is a NUL octet here; if the file is UTF-16, write `encoding = \"utf-16le\"`");
    }
    if line == "-" {
        return Err("this file has changes in it; export the directory as it is");
    }
    let (attribute, value) = line.split_once(':').ok_or("this is no LDIF: there is no `:` in this line")?;
    let name = attribute
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b';' | b'_' | b'=' | b'*'));
    if attribute.is_empty() || !name {
        return Err("this is no LDIF: what stands before the `:` is no attribute");
    }
    match value.as_bytes().first() {
        Some(b':') => Ok((attribute, Written::Base64(value[1..].trim()))),
        Some(b'<') => {
            Err("this value is in another file, which is not fetched; export the values themselves")
        }
        Some(_) | None => Ok((attribute, Written::Plain(value.trim_start_matches(' ')))),
    }
}

/// Whether an option says that there are more values: `range=0-1499`, and not `range=1500-*`.
fn is_cut_range(option: &str) -> bool {
    option.strip_prefix("range=").is_some_and(|range| !range.ends_with('*'))
}

fn wrong(line: u64, what: &str) -> io::Error {
    io::Error::other(TextError { line, what: what.to_owned() })
}
