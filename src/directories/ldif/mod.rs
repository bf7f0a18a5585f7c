// SPDX-License-Identifier: GPL-3.0-or-later
//! `type = "ldif"`: an export of an LDAP directory (RFC 2849), as `ldapsearch`, `slapcat` and `ldifde` write it.
//!
//! Entries are read one at a time and become records as those do that come over LDAP. All entries of the export are looked at,
//! there is no filter: those without an address that are no group are passed over.

mod entries;

use super::decoded::Decoded;
use super::ldap::Schema;
use super::source::{Complete, Cookie, Extent, Sink, Source, SourceError};
use super::text_error::source_error;
use super::watched_file::{Opened, WatchedFile};
use crate::config;
use crate::mail::RecipientKind;
use entries::{Entries, Item};
use std::io::{BufReader, Read};

/// Octets read at once.
const BUFFER: usize = 64 * 1024;
/// Entries that are read before others may have the thread.
const ENTRIES: usize = 1000;

/// An LDIF file.
#[derive(Clone, Debug)]
pub struct Ldif {
    settings: config::Ldif,
    schema: Schema,
    include: Vec<RecipientKind>,
}

/// A file that is being read.
struct Reading<'a, R> {
    name: &'a str,
    from: &'a Ldif,
    entries: Entries<BufReader<Decoded<R>>>,
    seen: u64,
}

impl Ldif {
    /// The export that is configured so.
    pub fn new(settings: &config::Ldif, rules: &config::SyncRules) -> Self {
        let schema = Schema::new(settings.schema, None, &settings.attributes);
        Self { settings: settings.clone(), schema, include: rules.include.clone() }
    }

    /// Reads an export from anywhere; `name` is what it is called in messages.
    pub fn read(&self, name: &str, octets: impl Read, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let mut reading = self.begin(name, octets);
        while reading.some(sink)? {}
        Ok(complete(None))
    }

    /// Reads the first entry of the file and says what is wrong with it.
    pub(super) fn inspect(&self) -> Result<(), SourceError> {
        match WatchedFile::open(&self.settings.file, "", None)? {
            Opened::Unchanged(_) => {}
            Opened::ToRead(file) => {
                let mut reading = self.begin(file.name(), file.file());
                reading.next()?;
            }
        }
        Ok(())
    }

    fn begin<'a, R: Read>(&'a self, name: &'a str, octets: R) -> Reading<'a, R> {
        let encoding = self.settings.encoding;
        let text = BufReader::with_capacity(BUFFER, Decoded::new(octets, encoding));
        Reading { name, from: self, entries: Entries::new(text, encoding), seen: 0 }
    }
}

impl<R: Read> Reading<'_, R> {
    fn next(&mut self) -> Result<Item, SourceError> {
        let item = self.entries.next().map_err(|error| source_error(self.name, error))?;
        let name = self.name;
        match item {
            Item::Entry(..) => self.seen += 1,
            Item::CutOff(line, result) => {
                let what = format!(
                    "{name}, line {line}: the search that made it ended with {}",
                    result.escape_debug()
                );
                return Err(SourceError::Incomplete(what));
            }
            Item::End { whole_line: false } => {
                return Err(SourceError::Incomplete(format!("{name} ends in the middle of a line")));
            }
            Item::End { whole_line: true } if self.seen == 0 => {
                return Err(SourceError::Wrong(format!("{name}: there is no entry in the file")));
            }
            Item::End { whole_line: true } => {}
        }
        Ok(item)
    }

    /// Gives some entries to the sink, and says whether there may be more.
    fn some(&mut self, sink: &mut dyn Sink) -> Result<bool, SourceError> {
        let Ldif { settings: _, schema, include } = self.from;
        for _ in 0..ENTRIES {
            let Item::Entry(entry, line) = self.next()? else { return Ok(false) };
            let reading = schema.read(&entry, Some(line));
            let wanted = reading.record.as_ref().is_some_and(|record| {
                let counts = record.kind == RecipientKind::Unspecified || include.contains(&record.kind);
                counts && !(record.addresses.is_empty() && record.members.is_empty())
            });
            if wanted || !reading.unreadable.is_empty() {
                schema.tell(&entry, Some(line), sink)?;
            } else {
                sink.passed_over()?;
            }
        }
        Ok(true)
    }
}

fn complete(cookie: Option<Cookie>) -> Complete {
    Complete { extent: Extent::Everything, cookie, notes: Vec::new() }
}

#[async_trait::async_trait]
impl Source for Ldif {
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let config::Ldif { file, encoding, schema: _, attributes: _ } = &self.settings;
        let question = format!("ldif {encoding:?} {:?} {:?}", self.schema, self.include);
        let file = match WatchedFile::open(file, &question, since)? {
            Opened::Unchanged(cookie) => {
                return Ok(Complete { extent: Extent::Nothing, cookie: Some(cookie), notes: Vec::new() });
            }
            Opened::ToRead(file) => file,
        };
        let mut reading = self.begin(file.name(), file.file());
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
        Ok(complete(cookie))
    }
}

#[cfg(test)]
mod tests;
