// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads a table row by row, in memory that does not grow with it.

use super::super::decoded::Decoded;
use super::super::source::{Sink, SourceError};
use super::super::text_error::source_error;
use super::guard::Guard;
use super::layout::{Layout, RowError};
use super::opening;
use crate::config;
use crate::mail::RecipientKind;
use csv::StringRecord;
use std::io::{self, Cursor, Read};

/// Octets that the CSV reader reads at once.
const BUFFER: usize = 64 * 1024;
/// Rows that are read before others may have the thread.
const ROWS: usize = 1000;

type Text<R> = Guard<io::Chain<Cursor<Vec<u8>>, Decoded<R>>>;

/// A table that is being read.
pub(super) struct Reading<R> {
    name: String,
    include: Vec<RecipientKind>,
    layout: Layout,
    rows: csv::Reader<Text<R>>,
    row: StringRecord,
    group_before: Box<str>,
}

impl<R: Read> Reading<R> {
    /// Reads the header.
    pub(super) fn begin(
        name: &str,
        settings: &config::Csv,
        include: &[RecipientKind],
        octets: R,
    ) -> Result<Self, SourceError> {
        let config::Csv { file: _, delimiter, encoding, columns } = settings;
        let mut text = Decoded::new(octets, *encoding);
        let opening = opening::read(&mut text, *delimiter, columns.as_ref())
            .map_err(|error| source_error(name, error))?;
        let opening::Opening { text: begin, line, delimiter, layout } = opening;
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(BUFFER)
            .from_reader(Guard::new(Cursor::new(begin).chain(text), delimiter, line));
        let mut row = StringRecord::new();
        rows.read_record(&mut row).map_err(|error| csv_error(name, error))?;
        rows.get_mut().next_line();
        Ok(Self {
            name: name.to_owned(),
            include: include.to_vec(),
            layout,
            rows,
            row,
            group_before: Box::default(),
        })
    }

    /// What an administrator should know.
    pub(super) fn note(&self) -> Option<&'static str> {
        self.layout.note
    }

    /// Gives some rows to the sink, and says whether there may be more.
    pub(super) fn some(&mut self, sink: &mut dyn Sink) -> Result<bool, SourceError> {
        for _ in 0..ROWS {
            if !self.rows.read_record(&mut self.row).map_err(|error| csv_error(&self.name, error))? {
                self.end()?;
                return Ok(false);
            }
            let guard = self.rows.get_mut();
            let line = guard.next_line().unwrap_or_else(|| guard.line());
            let (fields, columns) = (self.row.len(), self.layout.len());
            if fields != columns {
                if self.row.iter().all(|field| field.trim().is_empty()) {
                    continue;
                }
                return Err(self.ragged(line, fields, columns));
            }
            self.layout.give(&self.row, line, &self.include, &mut self.group_before, sink).map_err(
                |error| match error {
                    RowError::Wrong(what) => self.wrong(line, &what),
                    RowError::Sink(error) => SourceError::Sink(error),
                },
            )?;
        }
        Ok(true)
    }

    fn wrong(&self, line: u64, what: &str) -> SourceError {
        SourceError::Wrong(format!("{}, line {line}: {what}", self.name))
    }

    /// Whether the text ended where it could.
    fn end(&mut self) -> Result<(), SourceError> {
        let guard = self.rows.get_ref();
        if self.layout.ends_lines && !guard.is_whole_line() {
            return Err(self.cut(guard.line()));
        }
        Ok(())
    }

    fn cut(&self, line: u64) -> SourceError {
        SourceError::Incomplete(format!("{} ends in the middle of line {line}", self.name))
    }

    fn ragged(&mut self, line: u64, fields: usize, columns: usize) -> SourceError {
        let last = matches!(self.rows.read_record(&mut self.row), Ok(false));
        if last && fields < columns && !self.rows.get_ref().is_whole_line() {
            return self.cut(line);
        }
        let have = if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") };
        let help = if fields > columns { "; a field with the delimiter in it belongs in quotes" } else { "" };
        self.wrong(line, &format!("this row has {have}, where the header has {columns}{help}"))
    }
}

fn csv_error(name: &str, error: csv::Error) -> SourceError {
    let text = error.to_string();
    // The reader is flexible and gets UTF-8, so hardly anything else can go wrong than reading.
    if let csv::ErrorKind::Io(error) = error.into_kind() {
        source_error(name, error)
    } else {
        SourceError::Wrong(format!("{name}: {text}"))
    }
}
