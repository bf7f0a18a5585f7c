// SPDX-License-Identifier: GPL-3.0-or-later
//! The configuration file as checked values, and every problem in it.
//!
//! One function reads files. Text becomes a tree (TOML), the tree becomes the types of the file (serde), those become
//! [`Config`] (checks). Each step says everything that is wrong and goes on with what is left. The files that
//! the configuration names are read through [`DataFile`] by the rooms that know what is in them.

mod check;
mod data_file;
mod database_url;
mod file;
mod networks;
mod placed;
mod problem;
mod providers;
mod published;
mod render;
mod schema;
mod secrecy;
mod settings;
mod source;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod text_or;
mod tree;
mod wording;
mod words;

pub use check::is_loop_id;
pub use data_file::{DataFile, Entry, FileProblems};
pub use networks::{NetworkList, wide_sum};
pub use problem::{Place, Problem, Problems, See, Severity};
pub use providers::{Certainty, Fact, Known, Provider, Providers, Region, Resolved, Suggestion};
pub use schema::schema;
pub use settings::{
    AddressSource, Attributes, Columns, Config, Csv, Database, DatabaseAddress, DatabaseServer, DatabaseTls,
    Directory, DirectorySource, Dns, DnsblZone, Domain, DomainScan, Door, Feed, FeedFormat, Gateway, Graph,
    GraphCredential, Guard, Identity, Ldap, LdapBind, LdapSchema, LdapServer, Ldif, Listen, Loops, Policyd,
    Reputation, Route, ScanKeys, Server, ServerKind, Source, Sql, SyncRules, Unrouted,
};
pub use source::ReadError;
pub use wording::{list, meant, quoted};

use std::path::Path;
use text::Text;

/// Reads a configuration file. What it holds is to be used only if there are no errors among `problems`; it is there
/// all the same where possible, so that the files it names can be searched for problems too.
///
/// # Errors
/// When the file cannot be read at all; `problems` says so too.
pub fn read(path: &Path, problems: &mut Problems) -> Result<Option<Config>, ReadError> {
    let text = match Text::read(path, problems) {
        Ok(text) => text,
        Err(error) => {
            problems.push(text::unreadable(path, &error));
            return Err(error);
        }
    };
    let mut found = Problems::default();
    let config = tree::read(&text, &mut found).map(|tree| check::check(&text, tree, &mut found));
    // What is no UTF-8 has been said; what else is wrong in such a line cannot be known.
    found.retain(|problem| !problem.place.as_ref().is_some_and(|place| text.is_garbled(place.line)));
    problems.append(found);
    Ok(config)
}
