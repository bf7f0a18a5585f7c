// SPDX-License-Identifier: GPL-3.0-or-later
//! A file that the configuration names: entries, one a line.
//!
//! Blank lines and lines that begin with `#` are passed over, blanks around an entry are taken off, line ends may be
//! LF or CRLF, a byte order mark at the beginning is no part of the first line. A file without entries is an error.

use super::source::read_lines;
use super::text::not_utf8;
use super::wording::quoted;
use super::{Place, Problem, Problems, Severity};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Problems of each severity that are shown of one file.
const MAX_SHOWN: usize = 20;
/// Largest data file, in octets: a hundred million addresses.
const MAX_FILE: u64 = 4 * 1024 * 1024 * 1024;
/// What some editors write at the beginning of a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A file with one entry a line.
#[derive(Clone, Debug)]
pub struct DataFile {
    pub(super) path: Arc<Path>,
    pub(super) named: Place,
}

/// One line of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The line without blanks around it; not empty.
    pub text: &'a str,
    line: &'a str,
    number: usize,
    path: &'a Arc<Path>,
}

impl Entry<'_> {
    /// Where the entry stands.
    pub fn place(&self) -> Place {
        Place::line(self.path, self.number, self.line)
    }

    /// An error in this line.
    pub fn error(&self, message: impl Into<String>) -> Problem {
        Problem::error(self.place(), message)
    }
}

/// The problems of one file, not more than anyone reads.
#[derive(Debug, Default)]
pub struct FileProblems {
    kept: Problems,
    more: usize,
}

impl FileProblems {
    /// Adds one, or counts it when there are enough of its severity.
    pub fn push(&mut self, problem: Problem) {
        if self.kept.count(problem.severity) < MAX_SHOWN {
            self.kept.push(problem);
        } else {
            self.more += 1;
        }
    }
}

impl DataFile {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the configuration names it.
    pub fn named(&self) -> &Place {
        &self.named
    }

    /// Gives each entry to `each` and adds what is wrong to `problems`. `entry` says what an entry is.
    pub fn read(
        &self,
        entry: &str,
        problems: &mut Problems,
        mut each: impl FnMut(&Entry<'_>, &mut FileProblems),
    ) {
        let mut found = FileProblems::default();
        let mut entries = 0usize;
        let outcome = read_lines(&self.path, MAX_FILE, |number, octets| {
            let octets =
                if number == 1 { octets.strip_prefix(BYTE_ORDER_MARK).unwrap_or(octets) } else { octets };
            let line = match std::str::from_utf8(octets) {
                Ok(line) => line.trim_end_matches(['\r', '\n']),
                Err(error) => {
                    entries += 1;
                    found.push(not_utf8(&self.path, number, octets, error.valid_up_to()));
                    return ControlFlow::Continue(());
                }
            };
            let text = line.trim();
            if !text.is_empty() && !text.starts_with('#') {
                entries += 1;
                each(&Entry { text, line, number, path: &self.path }, &mut found);
            }
            ControlFlow::Continue(())
        });
        let name = quoted(&self.path.to_string_lossy());
        match outcome {
            Err(error) => {
                problems.push(Problem::error(self.named.clone(), format!("cannot read {name}: {error}")));
            }
            Ok(()) if entries == 0 => problems.push(
                Problem::error(self.named.clone(), format!("{name} is empty: it holds no {entry}"))
                    .help(format!("write one {entry} a line; lines that begin with `#` do not count")),
            ),
            Ok(()) => {}
        }
        let FileProblems { kept, more } = found;
        problems.append(kept);
        if more > 0 {
            let severity = if problems.has_errors() { Severity::Error } else { Severity::Warning };
            problems.push(Problem::new(
                severity,
                Some(self.named.clone()),
                format!("{name} has {more} more problems like these"),
            ));
        }
    }
}
