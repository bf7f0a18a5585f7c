// SPDX-License-Identifier: GPL-3.0-or-later
//! Errors of TOML's syntax, in an administrator's words.

use super::text::Text;
use super::{Problem, Problems};
use toml::de::Error;

/// Syntax errors that are shown. What follows a dozen of them is noise.
const MAX_SHOWN: usize = 12;

/// Records the errors. Says whether what was read around them is worth a further look.
pub(super) fn report(text: &Text, errors: &[Error], problems: &mut Problems) -> bool {
    let mut errors: Vec<&Error> = errors.iter().collect();
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut last_line = 0;
    let mut shown = 0;
    let mut usable = true;
    for error in errors {
        let place = text.place(error.span().unwrap_or_default());
        let message = error.message();
        // After an unclosed table name or list, the parser takes one thing for another.
        usable &= !message.starts_with("unclosed");
        if place.line == last_line || shown == MAX_SHOWN {
            continue;
        }
        last_line = place.line;
        shown += 1;
        problems.push(worded(text, error, Problem::error(place, "")));
    }
    usable
}

fn worded(text: &Text, error: &Error, mut problem: Problem) -> Problem {
    let part = error.span().and_then(|span| text.as_str().get(span)).unwrap_or_default();
    let message = error.message();
    let (what, help) = if message.starts_with("string values must be quoted") {
        if part.is_empty() {
            ("the value is missing".to_owned(), Some("write it after the `=`".to_owned()))
        } else {
            ("text must stand in quotes".to_owned(), Some(format!("write \"{part}\"")))
        }
    } else if message.starts_with("duplicate key") {
        (format!("`{part}` is there twice"), Some("keep one of the two".to_owned()))
    } else if message.starts_with("unclosed table") {
        ("the name of this table is not closed".to_owned(), Some("write `]` after it".to_owned()))
    } else if message.starts_with("unclosed array") {
        ("this list is not closed".to_owned(), Some("write `]` after its last element".to_owned()))
    } else if message.starts_with("missing comma") {
        ("a comma is missing between two elements".to_owned(), None)
    } else if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") {
        (
            "the text is not closed, or has a character that is not allowed".to_owned(),
            Some("write a quote at its end".to_owned()),
        )
    } else {
        (format!("not valid TOML: {message}"), None)
    };
    problem.message = what;
    problem.help = help;
    problem
}
