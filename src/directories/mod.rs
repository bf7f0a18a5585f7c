// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: who exists, from the files that the configuration names.
//!
//! A list has one address a line, or `@domain` for every address of a domain. There are no comments behind an address,
//! because `#` may be part of one. A malformed line refuses the whole file. Nothing is kept fresh by itself yet: a
//! reload reads everything again.

mod learned;
mod list;

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
    let config::Directory { name, source } = directory;
    let (recipients, domains) = match source {
        DirectorySource::List(file) => list::read(file, problems),
    };
    let directory = policy::Directory::loaded(Arc::clone(name), recipients.into());
    Loaded { directory: Arc::new(directory), domains }
}
