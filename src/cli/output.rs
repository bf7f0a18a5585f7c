// SPDX-License-Identifier: GPL-3.0-or-later
//! What commands print: text of at most 80 columns, in colour on a terminal only.
//!
//! A reader that has gone away (a pipe into `head`) has seen enough and is no error; a full disk is one.

use crate::policy::{Answer, Verdict};
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Columns of a terminal that everyone has.
const WIDTH: usize = 80;

/// Writes text on standard output.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    gone_is_fine(written)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot write on standard output: {error}")))
}

/// Writes a value as JSON on standard output.
pub(super) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Writes text on standard error. What cannot be told there cannot be told at all.
pub(super) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A text in lines of at most `width` columns, parted at blanks.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.extend([" ", word]);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn gone_is_fine(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// Colour on a terminal only, and not where `NO_COLOR` is set (no-color.org).
pub(super) fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A text that is being laid out.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    colour: bool,
}

/// How a word is to look in colour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    Plain,
    Heading,
    Good,
    Doubtful,
    Bad,
}

impl Mood {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Heading => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Doubtful => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
        }
    }
}

impl From<Verdict> for Mood {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Good,
            Verdict::Tag | Verdict::Quarantine | Verdict::Defer => Self::Doubtful,
            Verdict::Discard | Verdict::Reject => Self::Bad,
        }
    }
}

impl From<Answer> for Mood {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::Good,
            Answer::No => Self::Bad,
            Answer::Unknown => Self::Doubtful,
        }
    }
}

impl Page {
    pub(super) fn new(colour: bool) -> Self {
        Self { text: String::new(), colour }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// An empty line, unless nothing or an empty line precedes.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line as it is.
    pub(super) fn line(&mut self, mood: Mood, text: &str) {
        let text = self.paint(mood, text);
        self.text.push_str(&text);
        self.text.push('\n');
    }

    /// A text beside a label that ends before `column`, wrapped at blanks, further lines below its first.
    pub(super) fn entry(&mut self, indent: usize, label: &str, column: usize, text: &str) {
        self.entry_in(Mood::Plain, indent, label, column, text);
    }

    /// The same with the label in colour.
    pub(super) fn entry_in(&mut self, mood: Mood, indent: usize, label: &str, column: usize, text: &str) {
        let mut at = indent + label.chars().count();
        let label = self.paint(mood, label);
        self.text.extend([&" ".repeat(indent), &*label]);
        let mut first = true;
        for word in text.split(' ') {
            let width = word.chars().count();
            if first {
                let blanks = if at < column || label.is_empty() { column.saturating_sub(at) } else { 2 };
                self.text.push_str(&" ".repeat(blanks));
                at += blanks;
            } else if at + 1 + width > WIDTH {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(column));
                at = column;
            } else {
                self.text.push(' ');
                at += 1;
            }
            self.text.push_str(word);
            at += width;
            first = false;
        }
        // A label without a text leaves its blanks behind.
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    fn paint(&self, mood: Mood, text: &str) -> String {
        if !self.colour || mood == Mood::Plain {
            return text.to_owned();
        }
        let style = mood.style();
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_beside_its_label() {
        let mut page = Page::new(false);
        page.entry(2, "reply", 10, &"twelve chars ".repeat(9));
        page.entry(2, "a long label", 10, "text");
        page.entry(2, "bare", 10, "");
        page.gap();
        page.gap();
        page.line(Mood::Bad, "end");
        let text = page.into_text();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.starts_with("  reply   twelve chars"), "{text}");
        assert_eq!(text.lines().nth(1).unwrap().find("twelve"), Some(10), "{text}");
        assert!(text.ends_with("\n  a long label  text\n  bare\n\nend\n"), "{text}");
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        for (colour, want) in [(false, "no\n"), (true, "\u{1b}[31mno\u{1b}[0m\n")] {
            let mut page = Page::new(colour);
            page.line(Mood::Bad, "no");
            assert_eq!(page.into_text(), want);
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        assert!(gone_is_fine(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(gone_is_fine(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
