// SPDX-License-Identifier: GPL-3.0-or-later
//! Errors of TOML's syntax, all of them, in an administrator's words.
//!
//! One error makes a parser take the lines after it for something else, so only the first error of a text is believed.
//! The statement at fault is then blanked out, without moving anything, and the rest is parsed again.

use super::Problem;
use super::Problems;
use super::text::Text;
use std::ops::Range;
use toml::de::{DeTable, DeValue, Error};

/// Syntax errors that are looked for.
const MAX_ERRORS: usize = 20;

/// The text without its broken statements.
pub(super) struct Mended {
    /// What is left, every octet in its place.
    pub(super) content: String,
    /// Whether anything was broken.
    pub(super) broken: bool,
}

/// Records every error; nothing when there are too many to go on with.
pub(super) fn mend(text: &Text, problems: &mut Problems) -> Option<Mended> {
    let mut content = text.as_str().to_owned();
    for round in 0..=MAX_ERRORS {
        let (root, errors) = DeTable::parse_recoverable(&content);
        let first = errors.into_iter().min_by_key(|error| error.span().map(|span| span.start));
        let Some(error) = first else {
            return Some(Mended { content, broken: round > 0 });
        };
        let span = whole_characters(&content, error.span().unwrap_or_default());
        let (problem, lost) = if let Some(list) = unclosed_list(&content, &error, &span) {
            let end = end_of_content(&content, &list);
            let problem = Problem::error(text.place(end..end), "this list is not closed");
            (problem.help("write `]` after its last element"), list)
        } else {
            let mut problem = worded(text, &error, &span);
            if error.message().starts_with("duplicate key")
                && let Some(first) =
                    earlier_key(root.get_ref(), &content, &span).or_else(|| earlier_table(&content, &span))
            {
                problem = problem.see("listed here", text.place(first));
            }
            let line = line_at(&content, span.start);
            let lost = if begins_table(line) {
                table(&content, span.start)
            } else if begins_statement(line) || !is_no_statement(error.message()) {
                statement(&content, span.start)
            } else {
                line_start(&content, span.start)..next_line(&content, span.start)
            };
            (problem, lost)
        };
        problems.push(problem);
        blank(&mut content, lost);
    }
    problems.push(text.more());
    None
}

/// Whether the error is that a line is neither a table nor a key with its value.
fn is_no_statement(message: &str) -> bool {
    ["key with no value", "missing assignment", "invalid unquoted key", "unquoted keys cannot be empty"]
        .iter()
        .any(|begin| message.starts_with(begin))
}

/// A part of a text, moved down to whole characters: the parser's may begin or end within one.
fn whole_characters(content: &str, part: Range<usize>) -> Range<usize> {
    let whole =
        |at: usize| (0..=at.min(content.len())).rev().find(|&at| content.is_char_boundary(at)).unwrap_or(0);
    whole(part.start)..whole(part.end)
}

/// Replaces everything but line ends.
fn blank(content: &mut String, part: Range<usize>) {
    let blanks: String = content[part.clone()].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
    content.replace_range(part, &blanks);
}

/// Where a line begins.
fn line_start(content: &str, at: usize) -> usize {
    // By octets, because `at` may be the last octet of a character.
    content.as_bytes()[..at].iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1)
}

/// Where the line after this one begins.
fn next_line(content: &str, at: usize) -> usize {
    content.as_bytes()[at..].iter().position(|&b| b == b'\n').map_or(content.len(), |end| at + end + 1)
}

fn line_at(content: &str, at: usize) -> &str {
    &content[line_start(content, at)..next_line(content, at)]
}

/// `[table]`. No list has a line that begins so, for there are no lists in lists.
fn begins_table(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// `[table]` or `key = ...`.
fn begins_statement(line: &str) -> bool {
    let line = line.trim_start();
    let after_key = match line.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.find(['"', '\'']).map_or("", |end| &quoted[end + 1..]),
        None => line.trim_start_matches(|c: char| c.is_alphanumeric() || "-_.".contains(c)),
    };
    begins_table(line) || (after_key.len() < line.len() && after_key.trim_start().starts_with('='))
}

/// The lines from the beginning of the statement that holds `at` to the one before the next statement.
fn statement(content: &str, at: usize) -> Range<usize> {
    let mut start = line_start(content, at);
    while start > 0 && !begins_statement(line_at(content, start)) {
        let before = line_start(content, start - 1);
        if begins_table(line_at(content, before)) {
            break;
        }
        start = before;
    }
    let mut end = next_line(content, at);
    while end < content.len() && !begins_statement(line_at(content, end)) {
        end = next_line(content, end);
    }
    start..end
}

/// The lines from the table's name to the one before the next name.
fn table(content: &str, at: usize) -> Range<usize> {
    let start = line_start(content, at);
    let mut end = next_line(content, start);
    while end < content.len() && !begins_table(line_at(content, end)) {
        end = next_line(content, end);
    }
    start..end
}

/// The statement with the list, when the error is that a list goes on into the next statement or the end.
fn unclosed_list(content: &str, error: &Error, span: &Range<usize>) -> Option<Range<usize>> {
    let message = error.message();
    if message.starts_with("unclosed array,") {
        return Some(statement(content, span.start));
    }
    let start = line_start(content, span.start);
    let (line, before) = (line_at(content, start), &content[start..span.start]);
    let runs_on = begins_statement(line)
        && match message {
            m if m.starts_with("missing comma between array elements") => before.trim().is_empty(),
            m if m.starts_with("string values must be quoted") => begins_table(line),
            m if m.starts_with("unexpected `=` in array") => !before.contains('['),
            _ => false,
        };
    runs_on.then(|| statement(content, start.saturating_sub(1)))
}

/// The end of the last line that is neither blank nor a comment.
fn end_of_content(content: &str, part: &Range<usize>) -> usize {
    let mut at = part.end;
    while at > part.start {
        let start = line_start(content, at - 1);
        let line = content[start..at].trim_end();
        if !line.trim_start().starts_with('#') && !line.is_empty() {
            return start + line.len();
        }
        at = start;
    }
    part.end
}

/// The last key of the same text that precedes this one: tables are written in one piece, so it is the one meant.
fn earlier_key(table: &DeTable<'_>, content: &str, second: &Range<usize>) -> Option<Range<usize>> {
    let text = content.get(second.clone())?;
    let mut found: Option<Range<usize>> = None;
    for (key, value) in table {
        let inner = match value.get_ref() {
            DeValue::Table(inner) => earlier_key(inner, content, second),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => None,
        };
        let own =
            Some(key.span()).filter(|own| own.end <= second.start && content.get(own.clone()) == Some(text));
        found = [found, own, inner].into_iter().flatten().max_by_key(|span| span.start);
    }
    found
}

/// The line of the same table's name that precedes this one.
fn earlier_table(content: &str, second: &Range<usize>) -> Option<Range<usize>> {
    let name =
        line_at(content, second.start).split('#').next().map(str::trim).filter(|name| begins_table(name))?;
    let before = &content[..line_start(content, second.start)];
    let at = before.rfind(name).filter(|&at| before[line_start(before, at)..at].trim().is_empty())?;
    Some(at..at + name.len())
}

fn worded(text: &Text, error: &Error, span: &Range<usize>) -> Problem {
    let part = text.as_str().get(span.clone()).unwrap_or_default();
    let message = error.message();
    let begins = |words: &[&str]| words.iter().any(|word| message.starts_with(word));
    let mut at = span.clone();
    let (what, help) = if begins(&["string values must be quoted"]) && part.is_empty() {
        ("the value is missing".to_owned(), "write it after the `=`".to_owned())
    } else if begins(&["string values must be quoted", "invalid float", "invalid time", "invalid value"]) {
        // The parser marks what it stumbled over; meant is the whole value.
        let line = line_at(text.as_str(), span.start);
        let begin = line_start(text.as_str(), span.start);
        let blanks = |c: char| c.is_ascii_whitespace() || "=[,".contains(c);
        let before = line.get(..span.start - begin).unwrap_or_default();
        let start = before.rfind(blanks).map_or(0, |at| at + 1);
        let length = line[start..].find(['\n', ',', ']', '#']).unwrap_or(line.len() - start);
        let value = line[start..start + length].trim();
        at = begin + start..begin + start + value.len();
        let value = value.trim_matches(['"', '\'', '\u{201c}', '\u{201d}']);
        let help = if text.hides(at.start) || text.hides(at.end) {
            "write a quote before and after it".to_owned()
        } else {
            format!("write \"{}\"", crate::mail::Escaped(value.as_bytes()))
        };
        ("text must stand in quotes".to_owned(), help)
    } else if begins(&["duplicate key"]) {
        (format!("`{part}` is there twice"), "keep one of the two".to_owned())
    } else if begins(&["unclosed table", "unclosed array table"]) {
        ("the name of this table is not closed".to_owned(), "write `]` after it".to_owned())
    } else if begins(&["missing comma between array elements"]) {
        ("a comma is missing between two elements".to_owned(), "write `,` after the first one".to_owned())
    } else if begins(&["invalid basic string", "invalid literal string"]) && part.is_empty() {
        ("this text is not closed".to_owned(), "write a quote at its end".to_owned())
    } else if is_no_statement(message) {
        ("this is no key with its value".to_owned(), "write `key = value`".to_owned())
    } else if begins(&["unexpected key or value"]) {
        let help = "write one key and value a line; several values stand in a list: [\"a\", \"b\"]";
        ("there is more than one value in this line".to_owned(), help.to_owned())
    } else {
        let help = "see https://toml.io for how values are written";
        (format!("this is not valid TOML: {message}"), help.to_owned())
    };
    Problem::error(text.place(at), what).help(help)
}
