// SPDX-License-Identifier: GPL-3.0-or-later
//! Which code asks which type of directory. This is the only place that knows all of them.

use super::csv::Csv;
use super::graph::Graph;
use super::ldap::Ldap;
use super::ldif::Ldif;
use super::list::List;
use super::source::{Complete, Cookie, Sink, Source, SourceError};
use super::sql::Sql;
use crate::config::{self, DirectorySource};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Who is asked about a directory.
pub fn source_of(directory: &config::Directory) -> Box<dyn Source> {
    let config::Directory { name: _, source, rules, place: _ } = directory;
    match source {
        DirectorySource::List(file) => Box::new(List::new(file)),
        DirectorySource::Csv(csv) => Box::new(Csv::new(csv, rules)),
        DirectorySource::Ldif(ldif) => Box::new(Ldif::new(ldif, rules)),
        DirectorySource::Ldap(ldap) => Box::new(Ldap::new(ldap, rules)),
        DirectorySource::Sql(sql) => Box::new(Sql::new(sql, rules)),
        DirectorySource::Graph(graph) => Box::new(Graph::new(graph, rules)),
    }
}

/// A file that somebody brings for a directory of type `csv` that has none of its own; nothing for other directories.
pub fn source_of_import(directory: &config::Directory, file: &Path) -> Option<Box<dyn Source>> {
    let config::Directory { name: _, source, rules, place: _ } = directory;
    match source {
        DirectorySource::Csv(csv) if csv.file.is_none() => {
            Some(Box::new(Import { table: Csv::new(csv, rules), file: file.to_owned() }))
        }
        DirectorySource::Csv(_)
        | DirectorySource::List(_)
        | DirectorySource::Ldif(_)
        | DirectorySource::Ldap(_)
        | DirectorySource::Sql(_)
        | DirectorySource::Graph(_) => None,
    }
}

/// A table that is read once.
#[derive(Debug)]
struct Import {
    table: Csv,
    file: PathBuf,
}

#[async_trait::async_trait]
impl Source for Import {
    async fn sync(&self, _since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let name = self.file.display().to_string();
        let file = File::open(&self.file).map_err(|error| SourceError::Wrong(format!("{name}: {error}")))?;
        self.table.read(&name, file, sink)
    }
}
