// SPDX-License-Identifier: GPL-3.0-or-later
//! A file that the configuration names: entries, one a line.
//!
//! Blank lines and lines that begin with `#` are passed over, blanks around an entry are taken off, line ends may be
//! LF or CRLF, a byte order mark at the beginning is no part of the first line. A file without entries is an error.

use super::source::{self, ReadError, read_lines};
use super::text::not_utf8;
use super::wording::quoted;
use super::{Place, Problem, Problems, Severity};
use std::fs::File;
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
    /// The line that the entry stands in, from 1.
    pub fn line(&self) -> u64 {
        self.number as u64
    }

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
    more_errors: usize,
    more_warnings: usize,
}

impl FileProblems {
    /// Adds one, or counts it when there are enough of its severity.
    pub fn push(&mut self, problem: Problem) {
        if self.kept.count(problem.severity) < MAX_SHOWN {
            self.kept.push(problem);
            return;
        }
        match problem.severity {
            Severity::Error => self.more_errors += 1,
            Severity::Warning | Severity::Note => self.more_warnings += 1,
        }
    }

    /// Adds all to `problems`; those that were only counted stand where the configuration names the file.
    pub fn give_to(self, named: &Place, problems: &mut Problems) {
        let Self { kept, more_errors, more_warnings } = self;
        problems.append(kept);
        let name = |what: &str, more: usize| format!("there are {more} more {what} in the file named here");
        if more_errors > 0 {
            problems.push(Problem::error(named.clone(), name("errors", more_errors)));
        }
        if more_warnings > 0 {
            problems.push(Problem::warning(named.clone(), name("warnings", more_warnings)));
        }
    }
}

impl DataFile {
    /// A file that no configuration names, such as one that is imported by hand.
    pub fn unnamed(path: &Path) -> Self {
        let path: Arc<Path> = Arc::from(path);
        Self { named: Place::new(&path, 1, "", 0, 0), path }
    }

    /// Opens it for those who read it in their own way. Only regular files are opened.
    pub fn open(&self) -> Result<File, ReadError> {
        source::open(&self.path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the configuration names it.
    pub fn named(&self) -> &Place {
        &self.named
    }

    /// Gives each entry to `each` and adds what is wrong to `problems`; says whether there was no error. `entry` is
    /// the word for an entry.
    pub fn read(
        &self,
        entry: &str,
        problems: &mut Problems,
        mut each: impl FnMut(&Entry<'_>, &mut FileProblems),
    ) -> bool {
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
        let named = |what: String| Problem::error(self.named.clone(), what);
        match outcome {
            Err(error) => found.kept.push(named(format!("cannot read {name}: {error}"))),
            Ok(()) if entries == 0 => found.kept.push(
                named(format!("{name} is empty: it holds no {entry}"))
                    .help(format!("write one {entry} a line; lines that begin with `#` do not count")),
            ),
            Ok(()) => {}
        }
        let whole = !found.kept.has_errors();
        found.give_to(&self.named, problems);
        whole
    }
}
