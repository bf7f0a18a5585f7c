// SPDX-License-Identifier: GPL-3.0-or-later
//! A list that is read again when it has changed. A malformed line refuses the whole file, as it does with the configuration.

use super::super::record::Record;
use super::super::source::{Complete, Cookie, Extent, Sink, SinkError, Source, SourceError};
use super::super::watched_file::{Opened, WatchedFile, name};
use super::{Listed, parse};
use crate::config::{DataFile, Problems, Severity};
use crate::mail::Host;

/// A list with a `refresh`.
#[derive(Clone, Debug)]
pub struct List {
    file: DataFile,
}

impl List {
    /// The list in this file.
    pub fn new(file: &DataFile) -> Self {
        Self { file: file.clone() }
    }

    fn read(&self, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let mut problems = Problems::default();
        let mut full: Option<SinkError> = None;
        let mut line = 0u64;
        self.file.read("address", &mut problems, |entry, found| match parse(entry) {
            // Nothing of it is used any more.
            Ok(_) if full.is_some() => {}
            Ok(listed) => {
                line = entry.line();
                if let Err(error) = sink.record(record(entry.text, &listed, line)) {
                    full = Some(error);
                }
            }
            Err(problem) => found.push(problem),
        });
        if let Some(error) = full {
            return Err(error.into());
        }
        let errors = problems.count(Severity::Error);
        match problems.iter().find(|problem| problem.severity == Severity::Error) {
            None => Ok(()),
            Some(problem) => Err(self.wrong(problem, errors - 1)),
        }
    }

    fn wrong(&self, problem: &crate::config::Problem, more: usize) -> SourceError {
        let name = name(&self.file);
        let message = &problem.message;
        let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let more = match more {
            0 => String::new(),
            1 => " (and one more error)".to_owned(),
            more => format!(" (and {more} more errors)"),
        };
        // What is wrong with the file as a whole stands where the configuration names it.
        let place = problem.place.as_ref().filter(|place| *place.file == *self.file.path());
        SourceError::Wrong(match place {
            Some(place) => format!("{name}, line {}: {message}{help}{more}", place.line),
            None => format!("{message}{help}{more}"),
        })
    }
}

fn record(text: &str, listed: &Listed, line: u64) -> Record {
    let key = match listed {
        Listed::Whole(domain) => format!("@{domain}"),
        Listed::Mailbox(mailbox) => match (mailbox.folded_local(), mailbox.host()) {
            (Some(local), Host::Domain(domain)) => format!("{local}@{domain}"),
            (Some(_) | None, _) => text.to_lowercase(),
        },
    };
    Record { key: key.into(), line: Some(line), addresses: vec![text.into()], ..Record::default() }
}

#[async_trait::async_trait]
impl Source for List {
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let file = match WatchedFile::open(&self.file, "list", since)? {
            Opened::Unchanged(cookie) => {
                return Ok(Complete { extent: Extent::Nothing, cookie: Some(cookie), notes: Vec::new() });
            }
            Opened::ToRead(file) => file,
        };
        let outcome = self.read(sink);
        // A file that is being written shows all kinds of errors; that it is being written comes first.
        let cookie = file.finish()?;
        outcome?;
        Ok(Complete { extent: Extent::Everything, cookie, notes: Vec::new() })
    }
}
