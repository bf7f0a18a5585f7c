// SPDX-License-Identifier: GPL-3.0-or-later
//! A look at the beginning of an exported file while the configuration is checked, so that a renamed column is seen before the
//! first sync. It only warns: a bad or missing export changes nothing that is in force, and the next one may be good.

use super::csv::Csv;
use super::ldif::Ldif;
use super::source::SourceError;
use crate::config::{self, DataFile, DirectorySource, Problem, Problems};

/// Looks at the file of a directory, where it has one, and warns of what would make a sync fail.
pub fn inspect(directory: &config::Directory, problems: &mut Problems) {
    let config::Directory { name: _, source, rules, place: _ } = directory;
    let (file, seen) = match source {
        DirectorySource::Csv(csv) => match &csv.file {
            Some(file) => (file, Csv::new(csv, rules).inspect()),
            None => return,
        },
        DirectorySource::Ldif(ldif) => (&ldif.file, Ldif::new(ldif, rules).inspect()),
        DirectorySource::List(_)
        | DirectorySource::Ldap(_)
        | DirectorySource::Sql(_)
        | DirectorySource::Graph(_) => return,
    };
    if let Err(error) = seen {
        problems.push(problem(file, &error));
    }
}

fn problem(file: &DataFile, error: &SourceError) -> Problem {
    let help = if file.path().exists() {
        "the directory cannot be synced from this file; what is in force stays"
    } else {
        "the directory cannot be synced before it is there"
    };
    Problem::warning(file.named().clone(), error.to_string()).help(help)
}
