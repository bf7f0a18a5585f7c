// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories as the rules know them: who exists, as far as that is known.
//!
//! A recipient that any directory of its domain knows exists. It does not exist only if every one of them can say so: it
//! has been loaded, is not older than it may be, and its data cover the recipient's domain. Otherwise nobody can tell.

use crate::mail::{Domain, DomainPattern, LocalPattern, LocalPatterns, MailboxSet, MailboxSetBuilder};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A directory's place in [`Directories`]. Directories change by themselves and domains do not, so a domain names its
/// directories by place, and a policy with fresh directories shares everything else with the one before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DirectoryId(u32);

/// All directories, by place.
#[derive(Clone, Debug, Default)]
pub struct Directories(Vec<Arc<Directory>>);

impl Directories {
    /// Adds a directory and gives its place.
    pub fn add(&mut self, directory: impl Into<Arc<Directory>>) -> DirectoryId {
        let id = DirectoryId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(directory.into());
        id
    }

    /// The directory in a place.
    pub fn find(&self, id: DirectoryId) -> Option<&Arc<Directory>> {
        self.0.get(id.0 as usize)
    }

    /// The places that are taken, and by whom.
    pub fn places(&self) -> impl Iterator<Item = (DirectoryId, &Arc<Directory>)> {
        (0..).map(DirectoryId).zip(&self.0)
    }

    /// All of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Directory>> {
        self.0.iter()
    }
}

impl FromIterator<Arc<Directory>> for Directories {
    fn from_iter<I: IntoIterator<Item = Arc<Directory>>>(directories: I) -> Self {
        Self(directories.into_iter().collect())
    }
}

/// Who exists, according to one source.
///
/// Whom an overdue directory knows still exists: that was true when it was last read, and most of it still is. To take
/// mail for one who has left does less harm than to keep it from everyone who has not. Only its "no" is worth nothing.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its recipients; nothing as long as nothing is known of them.
    pub recipients: Option<Arc<Recipients>>,
    /// Whether they are older than the directory's `max_age`.
    pub overdue: bool,
}

impl Directory {
    /// A directory whose recipients are known and not overdue.
    pub fn loaded(name: impl Into<Arc<str>>, recipients: Recipients) -> Self {
        Self { name: name.into(), recipients: Some(Arc::new(recipients)), overdue: false }
    }

    /// Why a recipient that it does not know may exist all the same; nothing when it does not. The recipient's domain is
    /// listed under all of `patterns`.
    pub(super) fn unready<'a>(
        &self,
        patterns: impl IntoIterator<Item = &'a DomainPattern>,
    ) -> Option<Unready> {
        let Some(recipients) = &self.recipients else { return Some(Unready::NotLoaded) };
        if self.overdue {
            return Some(Unready::Overdue);
        }
        (!recipients.serves(patterns)).then_some(Unready::NotServed)
    }
}

/// The recipients of a directory.
#[derive(Clone, Debug)]
pub struct Recipients {
    /// Addresses, and whole domains.
    pub mailboxes: MailboxSet,
    /// Patterns of local parts, by domain.
    pub patterns: HashMap<Domain, LocalPatterns>,
    /// Those of the addresses that take mail from internal clients alone.
    pub internal_only: MailboxSet,
    /// Members of the groups that rules name, by the group's name or key in lower case, nested ones resolved. One that the
    /// data do not have is empty; one that is not here was not looked for.
    pub groups: HashMap<Arc<str>, MailboxSet>,
    /// The listed domains that the data were filtered by when they were read: of any other, nothing is known. Nothing
    /// where they were not filtered.
    pub served: Option<HashSet<DomainPattern>>,
}

impl Default for Recipients {
    fn default() -> Self {
        Self::from(MailboxSetBuilder::new().build())
    }
}

impl From<MailboxSet> for Recipients {
    /// These, and all there are.
    fn from(mailboxes: MailboxSet) -> Self {
        let internal_only = MailboxSetBuilder::new().build();
        Self { mailboxes, patterns: HashMap::new(), internal_only, groups: HashMap::new(), served: None }
    }
}

impl Recipients {
    /// Whether a domain was listed under all of these patterns when the data were read.
    pub(super) fn serves<'a>(&self, patterns: impl IntoIterator<Item = &'a DomainPattern>) -> bool {
        let Some(served) = &self.served else { return true };
        patterns.into_iter().all(|pattern| served.contains(pattern))
    }

    /// The first pattern of the domain that knows the local part, as [`crate::mail::Mailbox::folded_local`] gives it.
    pub(super) fn pattern(&self, folded_local: &str, domain: &Domain) -> Option<&LocalPattern> {
        if self.patterns.is_empty() {
            return None;
        }
        self.patterns.get(domain)?.find(folded_local)
    }

    /// Whether the mailbox takes mail from internal clients alone.
    pub(super) fn is_internal_only(&self, folded_local: &str, domain: &Domain) -> bool {
        !self.internal_only.is_empty() && self.internal_only.contains(folded_local, domain)
    }
}

/// Why a directory cannot say that a recipient does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unready {
    /// Nothing is known of it yet.
    NotLoaded,
    /// What is known is older than its `max_age`.
    Overdue,
    /// What is known was read before the recipient's domain was listed.
    NotServed,
    /// It has nobody of the recipient's domain, and there is no other directory.
    Empty,
}

impl Unready {
    /// What is the matter with the directory of this name, in words.
    pub(super) fn of(self, directory: &str) -> String {
        match self {
            Self::NotLoaded => format!("directory {directory} is not loaded yet"),
            Self::Overdue => format!("directory {directory} is older than its max_age"),
            Self::NotServed => format!("directory {directory} was read before this domain was listed"),
            Self::Empty => format!("directory {directory} has nobody of this domain, and there is no other"),
        }
    }
}
