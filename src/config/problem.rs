// SPDX-License-Identifier: GPL-3.0-or-later
//! What is wrong with a configuration: where, what, and what to write instead.
//!
//! Problems are values. Whoever finds one adds it and goes on, so that one run shows them all; whoever shows them
//! chooses the form (see [`Problems::render`]).

use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but probably does not do what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A place in a file: one line, and the part of it that is meant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Place {
    /// The file as it was named.
    #[serde(serialize_with = "lossy")]
    pub file: Arc<Path>,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The line, or as much of a long one as surrounds the column.
    #[serde(rename = "source")]
    pub text: Box<str>,
    /// Octets of `text` before the part that is meant.
    #[serde(skip)]
    start: u32,
    /// Octets of `text` to the end of that part.
    #[serde(skip)]
    end: u32,
}

/// Octets of a line that a [`Place`] keeps on either side of its column.
const KEPT: usize = 400;

impl Place {
    /// The part `start..end`, in octets, of a line. Both are moved to the line's end and to whole characters.
    pub fn new(file: &Arc<Path>, line: usize, text: &str, start: usize, end: usize) -> Self {
        let start = whole_char(text, start);
        let end = whole_char(text, end).max(start);
        let from = whole_char(text, start.saturating_sub(KEPT));
        let to = whole_char(text, start + KEPT);
        Self {
            file: Arc::clone(file),
            line,
            column: text[..start].chars().count() + 1,
            text: text[from..to].into(),
            start: narrow(start - from),
            end: narrow(end.min(to) - from),
        }
    }

    /// The part of `text` that is meant, in octets.
    pub(super) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The whole of a line, without the blanks around it.
    pub fn line(file: &Arc<Path>, line: usize, text: &str) -> Self {
        let start = text.len() - text.trim_start().len();
        Self::new(file, line, text, start, text.trim_end().len())
    }
}

/// What is kept of a line is far shorter than this.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The last start of a character at or before `at`, or the end of the text.
fn whole_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

fn lossy<S: Serializer>(path: &Arc<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where; nothing when it is about a whole file that cannot be read.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Another place that belongs to it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub see: Option<Box<See>>,
}

/// On one line, for a log.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.severity.as_str(), self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

/// Another place that belongs to a problem.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct See {
    /// Why.
    pub why: String,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
}

impl Problem {
    /// A configuration with this problem cannot be used.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Some(place), message)
    }

    /// A configuration with this problem probably does not do what was meant.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Some(place), message)
    }

    /// Worth knowing.
    pub fn note(place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, Some(place), message)
    }

    /// A problem of any severity, with or without a place.
    pub fn new(severity: Severity, place: Option<Place>, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), place, help: None, see: None }
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points to another place that belongs to the problem.
    #[must_use]
    pub fn see(mut self, why: impl Into<String>, place: Place) -> Self {
        self.see = Some(Box::new(See { why: why.into(), place }));
        self
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Adds all of another list.
    pub fn append(&mut self, mut others: Self) {
        self.list.append(&mut others.list);
    }

    /// Keeps those that `wanted` names.
    pub fn retain(&mut self, wanted: impl FnMut(&Problem) -> bool) {
        self.list.retain(wanted);
    }

    /// By file, then by line and column; what has no place comes first.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            let key = |p: &Problem| {
                p.place.as_ref().map(|place| (Arc::clone(&place.file), place.line, place.column))
            };
            (key(a), a.severity).cmp(&(key(b), b.severity))
        });
    }

    /// Whether any of them forbids using the configuration.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// How many there are of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|problem| problem.severity == severity).count()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// In counted words: `2 errors, 1 warning`. Notes are not counted.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.count(Severity::Error);
        let warnings = self.count(Severity::Warning);
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        match (errors, warnings) {
            (0, 0) => f.write_str("no problems"),
            (0, w) => write!(f, "{w} warning{}", plural(w)),
            (e, 0) => write!(f, "{e} error{}", plural(e)),
            (e, w) => write!(f, "{e} error{}, {w} warning{}", plural(e), plural(w)),
        }
    }
}
