// SPDX-License-Identifier: GPL-3.0-or-later
//! `[directory.NAME]`: what all types have in common. What each type needs is in a file of its own.

mod files;
mod graph;
mod keys;
mod ldap;
mod sql;

use super::Check;
use super::references::LEARNED;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::{Directory, DirectorySource, SyncRules};
use crate::config::table::Table;
use crate::config::text_or::TextOr;
use crate::config::wording::{header, quoted};
use crate::config::words::{DirectoryType, Included};
use crate::mail::RecipientKind;
use std::sync::Arc;
use std::time::Duration;

/// Shortest and longest time from one sync to the next.
const SHORTEST_REFRESH: Duration = Duration::from_secs(10);
const LONGEST_REFRESH: Duration = Duration::from_secs(30 * DAY);
const LONGEST_AGE: Duration = Duration::from_secs(90 * DAY);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);
const DAY: u64 = 24 * 3600;

/// One table and where it is.
struct At<'a> {
    name: &'a Placed<String>,
    table: &'a file::Directory,
    kind: DirectoryType,
}

impl Check<'_> {
    pub(super) fn directories(&mut self, tables: &Named<file::Directory>) -> Vec<Directory> {
        tables.iter().filter_map(|(name, table)| self.directory(name, table)).collect()
    }

    fn directory(&mut self, name: &Placed<String>, table: &Table<file::Directory>) -> Option<Directory> {
        let table = &***table;
        self.name(name);
        if **name == LEARNED {
            let what =
                format!("{} is the name of the recipients that were learned and approved", quoted(name));
            self.error(name, what, "give the directory another name");
        }
        let Some(kind) = table.kind else {
            if !self.lost.touches(&["directory", name, "type"]) {
                let what = format!("`type` is missing in {}", header(&["directory", name]));
                self.error(name, what, "write `type = \"list\"` below it");
            }
            return None;
        };
        let at = At { name, table, kind };
        self.keys_of_others(&at);
        let source = match kind {
            DirectoryType::List => self.list(&at).map(DirectorySource::List),
            DirectoryType::Csv => self.csv(&at).map(DirectorySource::Csv),
            DirectoryType::Ldif => self.ldif(&at).map(DirectorySource::Ldif),
            DirectoryType::Ldap => self.ldap(&at).map(|ldap| DirectorySource::Ldap(Box::new(ldap))),
            DirectoryType::Sql => self.sql(&at).map(|sql| DirectorySource::Sql(Box::new(sql))),
            DirectoryType::Graph => self.graph(&at).map(|graph| DirectorySource::Graph(Box::new(graph))),
        };
        let rules = self.sync_rules(&at);
        Some(Directory { name: Arc::from(name.as_str()), source: source?, rules, place: self.place(name) })
    }

    fn sync_rules(&mut self, at: &At<'_>) -> SyncRules {
        let file::Directory { refresh, max_removed, max_invalid, removal_grace, max_age, .. } = at.table;
        let file::Directory { keep, include, patterns, timeout, path, .. } = at.table;
        let standard = match at.kind {
            DirectoryType::List => None,
            DirectoryType::Csv if path.is_none() => None,
            DirectoryType::Csv | DirectoryType::Ldif => Some(Duration::from_secs(60)),
            DirectoryType::Ldap | DirectoryType::Sql | DirectoryType::Graph => {
                Some(Duration::from_secs(15 * 60))
            }
        };
        let refresh = match refresh {
            None => standard,
            Some(written) => {
                let time = self.duration(written, LONGEST_REFRESH, "write `refresh = \"15m\"`");
                if time < SHORTEST_REFRESH && time > Duration::ZERO {
                    self.error(written, format!("{} is too short", quoted(written)), "write \"10s\" or more");
                }
                Some(time)
            }
        };
        let percent = |check: &mut Self, written: &Option<Placed<i64>>, standard| match written {
            None => standard,
            Some(written) => {
                u8::try_from(**written).ok().filter(|percent| *percent <= 100).unwrap_or_else(|| {
                    check.error(
                        written,
                        format!("{} is no part in percent", **written),
                        "write a number from 0 to 100",
                    );
                    standard
                })
            }
        };
        let keep = match keep {
            None => 5,
            Some(written) => {
                usize::try_from(**written).ok().filter(|keep| (1..=100).contains(keep)).unwrap_or_else(|| {
                    self.error(written, "this is no number of snapshots", "write a number from 1 to 100");
                    5
                })
            }
        };
        SyncRules {
            refresh,
            max_removed: percent(self, max_removed, 10),
            max_invalid: percent(self, max_invalid, 5),
            removal_grace: removal_grace.as_ref().map_or(Duration::from_secs(DAY), |written| {
                self.duration(written, LONGEST_AGE, "write `removal_grace = \"24h\"`, or \"0s\" for none")
            }),
            max_age: max_age.as_ref().map(|written| {
                self.duration(written, LONGEST_AGE, "write `max_age = \"7d\"`, or leave the key out")
            }),
            keep,
            include: self.included(at, include.as_ref()),
            patterns: patterns.as_ref().is_some_and(|patterns| **patterns),
            timeout: timeout.as_ref().map_or(Duration::from_secs(30), |written| {
                self.duration(written, LONGEST_TIMEOUT, "write `timeout = \"30s\"`")
            }),
            // Known when the routing rules are.
            groups: Vec::new(),
        }
    }

    fn included(&mut self, at: &At<'_>, list: Option<&Placed<Vec<Placed<Included>>>>) -> Vec<RecipientKind> {
        let Some(list) = list else { return RecipientKind::SAID.to_vec() };
        let help = "write what its recipients are, or leave the key out";
        self.not_empty(list, &["directory", at.name, "include"], "nothing would be a recipient", help);
        list.iter().map(|kind| RecipientKind::from(**kind)).collect()
    }

    /// Says that a key is missing, unless it was lost with something that could not be read.
    fn missing(&mut self, at: &At<'_>, key: &str, help: &str) {
        if !self.lost.touches(&["directory", at.name, key]) {
            let what = format!("`{key}` is missing in {}", header(&["directory", at.name]));
            self.error(at.name, what, help);
        }
    }

    /// A password of this directory.
    fn password_of(
        &mut self,
        at: &At<'_>,
        key: &str,
        written: Option<&Placed<TextOr<file::SecretSource>>>,
    ) -> Option<crate::mail::Secret> {
        self.password(&["directory", at.name, key], written?)
    }
}

impl From<Included> for RecipientKind {
    fn from(included: Included) -> Self {
        match included {
            Included::Users => Self::User,
            Included::Shared => Self::Shared,
            Included::Rooms => Self::Room,
            Included::Groups => Self::Group,
            Included::Contacts => Self::Contact,
            Included::PublicFolders => Self::PublicFolder,
        }
    }
}
