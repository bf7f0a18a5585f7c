// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: who exists, from where people are kept.
//!
//! The way of the data: when the [`Keeper`] says that it is time, a sync asks the [`Source`] (csv, ldif, ldap, sql, graph, list),
//! which gives records, in any order, to the builder (`build`) as they come. That reads addresses, drops those of domains that
//! are not served, resolves groups, compares with what was there, and writes a `snapshot`, whose size memory does not depend
//! on. A guard judges: it is put in force on the [`Shelf`], or waits there for an administrator, or the sync has failed and
//! nothing changes. What is in force is loaded as fingerprints ([`MailboxSet`](crate::mail::MailboxSet)) and given to the gate by pointer.
//!
//! A `list` without `refresh` goes none of this way: it is read with the configuration, and one malformed line refuses it.
//! [`Learned`] keeps recipients that were accepted unknown. Here is no policy: whom an absent or old directory defers is
//! decided above.

mod build;
#[cfg(test)]
mod collected;
mod csv;
mod decoded;
mod graph;
mod inspect;
mod keeper;
mod kind_word;
mod ldap;
mod ldif;
mod learned;
mod list;
mod proxy_address;
mod record;
mod schedule;
mod shelf;
mod snapshot;
mod source;
mod sources;
mod sql;
mod sync;
mod system_mailbox;
mod text_error;
mod watched_file;

pub use self::csv::Csv;
pub use graph::Graph;
pub use inspect::inspect;
pub use keeper::{Keeper, Known, Published, SourceOf, Task};
pub use ldif::Ldif;
pub use list::List;
pub use record::Record;
pub use shelf::Loaded as LoadedSnapshot;
pub use shelf::{Diff, Grace, InForce, Kept, Listed, Pending, Shelf, ShelfError, State, Which};
pub use snapshot::{
    Collision, Counts, Found, Group, GroupCounts, Invalid, Leaving, Meta, Snapshot, SnapshotError, View, Wide,
};
pub use source::{Complete, Cookie, Extent, Sink, SinkError, Source, SourceError};
pub use sources::{source_of, source_of_import};
pub use sql::Sql;
pub use sync::{Applied, Clock, Outcome, Progress, Step, SyncError, Synced, Syncing};

pub use learned::{Address, LEARNED, Learned, Seen};

use crate::config::{self, DirectorySource, Problems};
use crate::mail::{Domain, DomainPattern};
use crate::policy;
use std::collections::HashSet;
use std::sync::Arc;

/// A directory as it was read.
#[derive(Debug)]
pub struct Loaded {
    /// Its recipients.
    pub directory: Arc<policy::Directory>,
    /// The domains that it has recipients in; nothing when there are too many to say, or when reading failed.
    domains: Option<HashSet<Domain>>,
}

impl From<policy::Directory> for Loaded {
    /// One that may have recipients in any domain.
    fn from(directory: policy::Directory) -> Self {
        Self { directory: Arc::new(directory), domains: None }
    }
}

impl Loaded {
    /// Whether it may have a recipient in one of these domains.
    pub fn may_cover(&self, pattern: &DomainPattern) -> bool {
        let Some(domains) = &self.domains else { return true };
        match pattern {
            DomainPattern::Exact(domain) => domains.contains(domain),
            DomainPattern::Below(above) => {
                domains.iter().any(|domain| domain.parents().any(|parent| parent == above.as_str()))
            }
        }
    }
}

/// Reads the recipients of a list and says what is wrong with them; those of other sources come with a sync.
pub fn load(directory: &config::Directory, problems: &mut Problems) -> Loaded {
    let config::Directory { name, source, rules: _, place: _ } = directory;
    let (recipients, domains) = match source {
        DirectorySource::List(file) => list::read(file, problems),
        DirectorySource::Csv(_)
        | DirectorySource::Ldif(_)
        | DirectorySource::Ldap(_)
        | DirectorySource::Sql(_)
        | DirectorySource::Graph(_) => {
            return policy::Directory { name: Arc::clone(name), recipients: None, overdue: false }.into();
        }
    };
    let directory = policy::Directory::loaded(Arc::clone(name), recipients.into());
    Loaded { directory: Arc::new(directory), domains }
}
