// SPDX-License-Identifier: GPL-3.0-or-later
//! `type = "csv"`: a table as text, from an export or made by hand.
//!
//! UTF-8 or UTF-16 with a byte order mark, UTF-8 without, or as configured; parted by comma, semicolon, tab or bar; quoted as
//! RFC 4180 says. Known exports are recognised by their header, other tables name their columns. What cannot be read for
//! certain refuses the whole file with its line: an octet of another encoding, an open quote, a row that is too short.

mod export;
mod guard;
mod header;
mod layout;
mod opening;
mod reading;
mod truth;
mod values;

use super::source::{Complete, Cookie, Extent, Sink, Source, SourceError};
use super::watched_file::{Opened, WatchedFile};
use crate::config;
use crate::mail::RecipientKind;
use reading::Reading;
use std::io::Read;

/// A CSV file.
#[derive(Clone, Debug)]
pub struct Csv {
    settings: config::Csv,
    include: Vec<RecipientKind>,
}

impl Csv {
    /// The table that is configured so. One without a file has nothing to sync.
    pub fn new(settings: &config::Csv, rules: &config::SyncRules) -> Self {
        Self { settings: settings.clone(), include: rules.include.clone() }
    }

    /// Reads a table from anywhere; `name` is what it is called in messages.
    pub fn read(&self, name: &str, octets: impl Read, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let mut reading = Reading::begin(name, &self.settings, &self.include, octets)?;
        while reading.some(sink)? {}
        Ok(complete(&reading, None))
    }

    /// Reads the header of the file and says what is wrong with it.
    pub(super) fn inspect(&self) -> Result<(), SourceError> {
        let Some(file) = &self.settings.file else { return Ok(()) };
        match WatchedFile::open(file, "", None)? {
            Opened::Unchanged(_) => {}
            Opened::ToRead(file) => {
                Reading::begin(file.name(), &self.settings, &self.include, file.file())?;
            }
        }
        Ok(())
    }
}

fn complete<R: Read>(reading: &Reading<R>, cookie: Option<Cookie>) -> Complete {
    let notes = reading.note().map(str::to_owned).into_iter().collect();
    Complete { extent: Extent::Everything, cookie, notes }
}

#[async_trait::async_trait]
impl Source for Csv {
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let Some(file) = &self.settings.file else {
            return Err(SourceError::Wrong("no file is named: it holds what is imported".to_owned()));
        };
        let config::Csv { file: _, delimiter, encoding, columns } = &self.settings;
        let question = format!("csv {delimiter:?} {encoding:?} {columns:?} {:?}", self.include);
        let file = match WatchedFile::open(file, &question, since)? {
            Opened::Unchanged(cookie) => {
                return Ok(Complete { extent: Extent::Nothing, cookie: Some(cookie), notes: Vec::new() });
            }
            Opened::ToRead(file) => file,
        };
        let mut reading = Reading::begin(file.name(), &self.settings, &self.include, file.file())?;
        let outcome = loop {
            match reading.some(sink) {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // A file that is being written shows all kinds of errors; that it is being written comes first.
        let cookie = file.finish()?;
        outcome?;
        Ok(complete(&reading, cookie))
    }
}

#[cfg(test)]
mod tests;
