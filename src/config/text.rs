// SPDX-License-Identifier: GPL-3.0-or-later
//! The configuration's text in memory, and places in it.

use super::source::{ReadError, read_lines};
use super::{Place, Problem, Problems, Severity};
use crate::mail::Escaped;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

/// Largest configuration file, in octets. Ten thousand domains of a hundred octets each fit.
pub(super) const MAX_CONFIG: u64 = 4 * 1024 * 1024;

/// Lines that are no UTF-8 and are shown. With more, it is no text at all.
const MAX_GARBLED: usize = 20;

/// A configuration file's text.
#[derive(Debug)]
pub(super) struct Text {
    path: Arc<Path>,
    content: String,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Lines that are no UTF-8, counted from 1, ascending.
    garbled: Vec<usize>,
}

impl Text {
    /// Reads the file. What is no UTF-8 is a problem, with its place.
    pub(super) fn read(path: &Path, problems: &mut Problems) -> Result<Self, ReadError> {
        let path: Arc<Path> = path.into();
        let mut octets = Vec::new();
        let mut garbled = Vec::new();
        read_lines(&path, MAX_CONFIG, |number, line| {
            octets.extend_from_slice(line);
            if let Err(error) = std::str::from_utf8(line) {
                if garbled.len() < MAX_GARBLED {
                    problems.push(not_utf8(&path, number, line, error.valid_up_to()));
                }
                garbled.push(number);
            }
            ControlFlow::Continue(())
        })?;
        let content = String::from_utf8_lossy(&octets).into_owned();
        let lines = std::iter::once(0).chain(content.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Ok(Self { path, content, lines, garbled })
    }

    /// Whether a line, counted from 1, is no UTF-8.
    pub(super) fn is_garbled(&self, line: usize) -> bool {
        self.garbled.binary_search(&line).is_ok()
    }

    /// Says that the search was broken off.
    pub(super) fn more(&self) -> Problem {
        let end = self.content.len();
        Problem::note(self.place(end..end), "there may be more problems: mend these first")
    }

    pub(super) fn as_str(&self) -> &str {
        &self.content
    }

    /// The directory that relative paths start from.
    pub(super) fn base(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    /// Where a part of the text stands; of a part with several lines the first.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.content.len());
        let line = self.lines.partition_point(|&begin| begin <= start) - 1;
        let begin = self.lines[line];
        let rest = &self.content[begin..];
        let text = rest.lines().next().unwrap_or_default();
        let start = (start - begin).min(text.len());
        let end = span.end.saturating_sub(begin).clamp(start, text.len());
        Place::new(&self.path, line + 1, text, start, end)
    }
}

/// A line that is no UTF-8, marked at its first bad octet.
pub(super) fn not_utf8(path: &Arc<Path>, number: usize, line: &[u8], valid: usize) -> Problem {
    let shown = Escaped(line.trim_ascii_end()).to_string();
    let start = Escaped(&line[..valid]).to_string().len();
    let place = Place::new(path, number, &shown, start, start + 4);
    Problem::error(place, "this is not UTF-8")
        .help("save the file in UTF-8; in ISO 8859-1 a `\u{fc}` is `\\xfc`")
}

/// A configuration file that cannot be read at all.
pub(super) fn unreadable(path: &Path, error: &ReadError) -> Problem {
    let path = Escaped(path.as_os_str().as_encoded_bytes()).to_string();
    Problem::new(Severity::Error, None, format!("cannot read `{path}`: {error}"))
}
