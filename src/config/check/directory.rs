// SPDX-License-Identifier: GPL-3.0-or-later
//! `[directory.NAME]`.

use super::Check;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::{Directory, DirectorySource};
use crate::config::wording::header;
use crate::config::words::DirectoryType;
use std::sync::Arc;

impl Check<'_> {
    pub(super) fn directories(&mut self, tables: &Named<file::Directory>) -> Vec<Directory> {
        tables.iter().filter_map(|(name, table)| self.directory(name, table)).collect()
    }

    fn directory(&mut self, name: &Placed<String>, table: &file::Directory) -> Option<Directory> {
        let file::Directory { kind, path } = table;
        self.name(name);
        for (key, missing, help) in [
            ("type", kind.is_none(), "write `type = \"list\"` below it"),
            ("path", path.is_none(), "write the file that holds the addresses: `path = \"staff.txt\"`"),
        ] {
            if missing && !self.lost.touches(&["directory", name, key]) {
                self.error(name, format!("`{key}` is missing in {}", header(&["directory", name])), help);
            }
        }
        let source = match kind.as_ref()? {
            DirectoryType::List => DirectorySource::List(self.data_file(path.as_ref()?)?),
        };
        Some(Directory { name: Arc::from(name.as_str()), source })
    }
}
