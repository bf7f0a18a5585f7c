// SPDX-License-Identifier: GPL-3.0-or-later
//! Fields of events as text: `name=value`, a value with blanks in quotes, no control characters. So a line stays one
//! line, and what stands in one value is never taken for another.

use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Octets that most values fit in.
const ROOM: usize = 256;

/// Formats fields.
pub(super) struct TextFields;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, out: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { out, value: String::with_capacity(ROOM), begun: false, written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'w> {
    out: Writer<'w>,
    /// One value at a time.
    value: String,
    begun: bool,
    written: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, name: &str, value: &str) -> fmt::Result {
        if std::mem::replace(&mut self.begun, true) {
            self.out.write_char(' ')?;
        }
        if name == "message" {
            return write_escaped(&mut self.out, value, false);
        }
        self.out.write_str(name.strip_prefix("r#").unwrap_or(name))?;
        self.out.write_char('=')?;
        // Nearly all values: a word.
        if !value.is_empty() && value.bytes().all(|b| matches!(b, b'!'..=b'~') && b != b'"' && b != b'=') {
            return self.out.write_str(value);
        }
        if value.is_empty() || value.bytes().any(|b| matches!(b, b' ' | b'"' | b'=')) {
            self.out.write_char('"')?;
            write_escaped(&mut self.out, value, true)?;
            return self.out.write_char('"');
        }
        write_escaped(&mut self.out, value, false)
    }
}

fn write_escaped(out: &mut Writer<'_>, value: &str, quoted: bool) -> fmt::Result {
    if value.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"') {
        return out.write_str(value);
    }
    for c in value.chars() {
        match c {
            '"' if quoted => out.write_str("\\\"")?,
            c if c.is_control() => write!(out, "{}", c.escape_default())?,
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = std::mem::take(&mut self.value);
        text.clear();
        // Writing to a string does not fail; what a value cannot tell of itself is left out.
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
        self.value = text;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if self.written.is_ok() {
            self.written = self.write(field.name(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A log in memory.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_value_is_never_taken_for_another() {
        let memory = Memory::default();
        let sink = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || sink.clone())
            .with_ansi(false)
            .without_time()
            .fmt_fields(TextFields)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(
                helo = %"x applied=accept",
                quoted = %"\"a\"",
                line = %"a\nb\u{9b}c",
                empty = %"",
                word = "gr\u{fc}n",
                r#ref = %"4QJ7",
                count = 3,
                "a verdict"
            );
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        let want = r#"a verdict helo="x applied=accept" quoted="\"a\"" line=a\nb\u{9b}c empty="" word=grün ref=4QJ7 count=3"#;
        assert!(text.ends_with(&format!("{want}\n")), "{text}");
    }
}
