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

/// A configuration file's text.
#[derive(Debug)]
pub(super) struct Text {
    path: Arc<Path>,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Text {
    /// Reads the file. What is no UTF-8 is a problem, with its place.
    pub(super) fn read(path: &Path, problems: &mut Problems) -> Result<Self, ReadError> {
        let path: Arc<Path> = path.into();
        let mut octets = Vec::new();
        read_lines(&path, MAX_CONFIG, |number, line| {
            octets.extend_from_slice(line);
            if let Err(error) = std::str::from_utf8(line) {
                problems.push(not_utf8(&path, number, line, error.valid_up_to()));
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self::new(path, String::from_utf8_lossy(&octets).into_owned()))
    }

    pub(super) fn new(path: Arc<Path>, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path, text, lines }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The directory that relative paths start from.
    pub(super) fn base(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    /// Where a part of the text stands; of a part with several lines the first.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let line = self.lines.partition_point(|&begin| begin <= start) - 1;
        let begin = self.lines[line];
        let rest = &self.text[begin..];
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
