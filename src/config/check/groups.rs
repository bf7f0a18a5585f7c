// SPDX-License-Identifier: GPL-3.0-or-later
//! `groups` of a `[[route]]`: names of groups, of any directory or of one. Whether a directory has a group of this name is known
//! when it is loaded; here it must be one that can have groups at all.

use super::Check;
use super::references::Tables;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::text_or::TextOr;
use crate::config::tree::ELEMENT;
use crate::config::wording::quoted;
use crate::config::words::DirectoryType;
use crate::policy::GroupName;
use std::collections::HashMap;
use std::sync::Arc;

/// A group as it is written.
pub(super) type Written = Placed<TextOr<file::GroupOf>>;

impl Check<'_> {
    pub(super) fn groups<'a>(
        &mut self,
        list: &'a Placed<Vec<Written>>,
        directories: &'a Named<file::Directory>,
        names: &mut Tables<'a>,
    ) -> Vec<(GroupName, &'a Written)> {
        let help = "write the groups that it is for, or leave the key out";
        self.not_empty(list, &["route", ELEMENT, "groups"], "the rule would be for nobody", help);
        let mut found: Vec<(GroupName, &Written)> = Vec::new();
        let mut firsts: HashMap<GroupName, &Written> = HashMap::new();
        for written in list.iter() {
            let Some(group) = self.group(written, directories, names) else { continue };
            if let Some(first) = firsts.get(&group) {
                self.twice(written, first, format!("{} is listed twice", quoted(&group.name)));
                continue;
            }
            firsts.insert(group.clone(), written);
            found.push((group, written));
        }
        let of_any = found.iter().find(|(group, _)| group.directory.is_none());
        if let Some((_, written)) = of_any {
            self.some_groups(written, directories, names);
        }
        found
    }

    fn group<'a>(
        &mut self,
        written: &'a Written,
        directories: &'a Named<file::Directory>,
        names: &mut Tables<'a>,
    ) -> Option<GroupName> {
        let (directory, name) = match &**written {
            TextOr::Text(name) => (None, Placed::at(written, name.clone())),
            TextOr::Table(file::GroupOf { directory, name }) => {
                for (key, is_missing) in [("directory", directory.is_none()), ("name", name.is_none())] {
                    if is_missing && !self.lost.touches(&["route", ELEMENT, "groups"]) {
                        let what = format!("`{key}` is missing in a group");
                        self.error(
                            written,
                            what,
                            "write `{ directory = \"ad\", name = \"Sales\" }`, or \"Sales\" alone",
                        );
                    }
                }
                (Some(directory.as_ref()?), name.clone()?)
            }
        };
        if name.trim().is_empty() {
            self.error(
                &name,
                "the name of the group is empty",
                "write the group's name as its directory has it",
            );
            return None;
        }
        if let Some(directory) = directory {
            self.refer(directory, directory.as_str(), &mut names.directories, None);
            let table = directories.get(directory.as_str());
            if let Some((why, help)) = table.and_then(|table| without_groups(table))
                && !self.lost.touches(&["directory", directory])
            {
                self.error(directory, format!("{} has no groups: {why}", quoted(directory)), help);
            }
        }
        Some(GroupName {
            directory: directory.map(|directory| Arc::from(directory.as_str())),
            name: name.to_lowercase().into(),
        })
    }

    /// A group of any directory: there must be one that has groups, and all of those are used.
    fn some_groups<'a>(
        &mut self,
        written: &Written,
        directories: &'a Named<file::Directory>,
        names: &mut Tables<'a>,
    ) {
        let mut any = false;
        for (name, _) in directories.iter().filter(|(_, table)| without_groups(table).is_none()) {
            names.directories.uses(name);
            any = true;
        }
        if !any && !self.lost.touches(&["directory"]) {
            let help = "write a [directory.NAME] of type csv, ldif, ldap, sql or graph that has this group";
            self.error(written, "no directory has groups", help);
        }
    }
}

/// Why a directory has no groups, and what to write.
fn without_groups(table: &file::Directory) -> Option<(&'static str, &'static str)> {
    match table.kind? {
        DirectoryType::List => {
            Some(("it is a list of addresses", "name a directory of type csv, ldif, ldap, sql or graph"))
        }
        DirectoryType::Csv => {
            let columns = table.columns.as_ref()?;
            let missing = columns.groups.is_none();
            missing.then_some((
                "no column of its `columns` has them",
                "write `groups = \"...\"` among its `columns`",
            ))
        }
        DirectoryType::Sql => {
            let missing = table.groups_query.is_none();
            missing.then_some(("it has no `groups_query`", "write a `groups_query` for it"))
        }
        DirectoryType::Ldif | DirectoryType::Ldap | DirectoryType::Graph => None,
    }
}
