// SPDX-License-Identifier: GPL-3.0-or-later
//! Which code asks which type of directory. This is the only place that knows all of them.

use super::graph::Graph;
use super::source::{Complete, Cookie, Sink, Source, SourceError};
use crate::config::{self, DirectorySource};

/// Who is asked about a directory; nothing for a list that is read with the configuration.
pub fn source_of(directory: &config::Directory) -> Box<dyn Source> {
    let config::Directory { name: _, source, rules, place: _ } = directory;
    match source {
        DirectorySource::Graph(graph) => Box::new(Graph::new(graph, rules)),
        DirectorySource::List(_)
        | DirectorySource::Csv(_)
        | DirectorySource::Ldif(_)
        | DirectorySource::Ldap(_)
        | DirectorySource::Sql(_) => Box::new(Unbuilt(source.kind())),
    }
}

/// A type that cannot be asked yet.
#[derive(Debug)]
struct Unbuilt(&'static str);

#[async_trait::async_trait]
impl Source for Unbuilt {
    async fn sync(&self, _since: Option<&Cookie>, _sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        Err(SourceError::Wrong(format!("directories of type {} cannot be synced yet", self.0)))
    }
}
