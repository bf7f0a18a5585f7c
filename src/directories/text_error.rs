// SPDX-License-Identifier: GPL-3.0-or-later
//! What is wrong with a text file, and in which line; and how that passes through readers that know I/O errors alone.

use super::source::SourceError;
use std::io;

/// What is wrong with a text, and in which line.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct TextError {
    /// The line, from 1.
    pub line: u64,
    /// What it is, and what to do about it.
    pub what: String,
}

/// What an error of reading means: something is wrong in a line, or the disk refuses.
pub(super) fn source_error(name: &str, error: io::Error) -> SourceError {
    match error.downcast::<TextError>() {
        Ok(TextError { line, what }) => SourceError::Wrong(format!("{name}, line {line}: {what}")),
        Err(error) => SourceError::Wrong(format!("{name}: cannot be read: {error}")),
    }
}
