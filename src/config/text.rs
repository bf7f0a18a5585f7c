// SPDX-License-Identifier: GPL-3.0-or-later
//! The configuration's text in memory, and places in it. No place shows a secret.

use super::secrecy::hidden_parts;
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
    /// Lines with something to hide, counted from 0, ascending, and the octet from which on.
    hidden: Vec<(usize, usize)>,
}

impl Text {
    /// Reads the file. What is no UTF-8 is a problem, with its place.
    pub(super) fn read(path: &Path, problems: &mut Problems) -> Result<Self, ReadError> {
        let path: Arc<Path> = path.into();
        let mut octets = Vec::new();
        let mut garbled = Vec::new();
        let mut shown = Vec::new();
        read_lines(&path, MAX_CONFIG, |number, line| {
            octets.extend_from_slice(line);
            if let Err(error) = std::str::from_utf8(line) {
                if garbled.len() < MAX_GARBLED {
                    shown.push((number, line.to_owned(), error.valid_up_to()));
                }
                garbled.push(number);
            }
            ControlFlow::Continue(())
        })?;
        let text = Self { garbled, ..Self::of(path, String::from_utf8_lossy(&octets).into_owned()) };
        for (number, line, valid) in shown {
            let line = if text.hidden_from(number - 1).is_some() { &line[..0] } else { &line[..] };
            problems.push(not_utf8(&text.path, number, line, valid.min(line.len())));
        }
        Ok(text)
    }

    /// A text that was read elsewhere.
    pub(super) fn of(path: Arc<Path>, content: String) -> Self {
        let lines = std::iter::once(0).chain(content.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let hidden = hidden_parts(&content);
        Self { path, content, lines, garbled: Vec::new(), hidden }
    }

    /// From which octet on a line, counted from 0, is not to be shown.
    fn hidden_from(&self, line: usize) -> Option<usize> {
        let at = self.hidden.binary_search_by_key(&line, |&(line, _)| line).ok()?;
        Some(self.hidden[at].1)
    }

    /// Whether what stands at `at` is not to be shown.
    pub(super) fn hides(&self, at: usize) -> bool {
        let line = self.lines.partition_point(|&begin| begin <= at) - 1;
        self.hidden_from(line).is_some_and(|from| at >= self.lines[line] + from)
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

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
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
        match self.hidden_from(line) {
            Some(from) => {
                let text = format!("{} ***", text[..from.min(text.len())].trim_end());
                Place::new(&self.path, line + 1, &text, start.min(from), end)
            }
            None => Place::new(&self.path, line + 1, text, start, end),
        }
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
