// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: who exists, from the files that the configuration names.
//!
//! A list has one address a line, or `@domain` for every address of a domain. There are no comments behind an address,
//! because `#` may be part of one. A malformed line refuses the whole file. Nothing is kept fresh by itself yet: a
//! reload reads everything again.

mod build;
mod ldap;
mod list;
mod proxy_address;
mod record;
mod shelf;
mod snapshot;
mod source;
mod sources;
mod sync;
mod system_mailbox;

pub use record::Record;
pub use shelf::Loaded as LoadedSnapshot;
pub use shelf::{Diff, Grace, InForce, Kept, Listed, Pending, Shelf, ShelfError, State, Which};
pub use snapshot::{
    Collision, Counts, Found, Group, GroupCounts, Invalid, Leaving, Meta, Snapshot, SnapshotError, View, Wide,
};
pub use source::{Complete, Cookie, Extent, Sink, SinkError, Source, SourceError};
pub use sources::source_of;
pub use sync::{Applied, Clock, Outcome, Progress, Step, SyncError, Synced, Syncing};

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

/// Reads the recipients of a directory and says what is wrong with them.
pub fn load(directory: &config::Directory, problems: &mut Problems) -> Loaded {
    let config::Directory { name, source, rules: _, place: _ } = directory;
    let (recipients, domains) = match source {
        DirectorySource::List(file) => list::read(file, problems),
        DirectorySource::Csv(_)
        | DirectorySource::Ldif(_)
        | DirectorySource::Ldap(_)
        | DirectorySource::Sql(_)
        | DirectorySource::Graph(_) => {
            let directory = policy::Directory { name: Arc::clone(name), recipients: None, overdue: false };
            return Loaded { directory: Arc::new(directory), domains: None };
        }
    };
    let directory = policy::Directory::loaded(Arc::clone(name), recipients.into());
    Loaded { directory: Arc::new(directory), domains }
}
