// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories that are files: `list`, `csv`, `ldif`.

use super::At;
use crate::config::DataFile;
use crate::config::check::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Attributes, Columns, Csv, LdapSchema, Ldif};
use crate::config::table::Table;
use crate::config::wording::quoted;
use crate::config::words;
use encoding_rs::Encoding;

impl Check<'_> {
    pub(super) fn list(&mut self, at: &At<'_>) -> Option<DataFile> {
        self.file_of(at, "write the file that holds the addresses: `path = \"staff.txt\"`")
    }

    pub(super) fn csv(&mut self, at: &At<'_>) -> Option<Csv> {
        let file::Directory { path, delimiter, encoding, columns, .. } = at.table;
        let delimiter = delimiter.as_ref().and_then(|written| {
            let octet = match written.as_bytes() {
                [octet @ (b',' | b';' | b'|' | b'\t')] => Some(*octet),
                _ => None,
            };
            if octet.is_none() {
                let help = "write one of \",\", \";\", \"|\" and \"\\t\", or leave the key out";
                self.error(written, format!("{} cannot part columns", quoted(written)), help);
            }
            octet
        });
        Some(Csv {
            file: match path {
                Some(path) => Some(self.data_file(path)?),
                None => None,
            },
            delimiter,
            encoding: self.encoding(encoding.as_ref()),
            columns: columns.as_ref().map(|columns| self.columns(at, columns)),
        })
    }

    pub(super) fn ldif(&mut self, at: &At<'_>) -> Option<Ldif> {
        let file::Directory { encoding, preset, attributes, .. } = at.table;
        let encoding = self.encoding(encoding.as_ref());
        let attributes = self.attributes(at, attributes.as_ref());
        let schema = preset.as_ref().map_or(LdapSchema::ActiveDirectory, |preset| (**preset).into());
        let file = self.file_of(at, "write the exported file: `path = \"export.ldif\"`")?;
        Some(Ldif { file, encoding, schema, attributes })
    }

    fn file_of(&mut self, at: &At<'_>, help: &str) -> Option<DataFile> {
        let Some(path) = &at.table.path else {
            self.missing(at, "path", help);
            return None;
        };
        self.data_file(path)
    }

    fn encoding(&mut self, written: Option<&Placed<String>>) -> Option<&'static Encoding> {
        let written = written?;
        let found = Encoding::for_label(written.as_bytes());
        if found.is_none() {
            let help =
                "write \"utf-8\", \"utf-16le\", \"windows-1252\" or \"iso-8859-15\", or leave the key out";
            self.error(written, format!("{} is no character encoding", quoted(written)), help);
        }
        found
    }

    fn columns(&mut self, at: &At<'_>, table: &Table<file::Columns>) -> Columns {
        let file::Columns { addresses, groups, kind, internal_only } = &***table;
        let help = "write the names of the columns with addresses: `addresses = [\"Email\"]`";
        match addresses {
            None if !self.lost.touches(&["directory", at.name, "columns", "addresses"]) => {
                self.error(table, "`addresses` is missing in the columns", help);
            }
            None => {}
            Some(list) => self.not_empty(
                list,
                &["directory", at.name, "columns", "addresses"],
                "there would be no address",
                help,
            ),
        }
        let text = |written: &Option<Placed<String>>| written.as_ref().map(|text| text.as_str().into());
        Columns {
            addresses: addresses
                .iter()
                .flat_map(|list| list.iter())
                .map(|name| name.as_str().into())
                .collect(),
            groups: text(groups),
            kind: text(kind),
            internal_only: text(internal_only),
        }
    }

    pub(super) fn attributes(&mut self, at: &At<'_>, table: Option<&Table<file::Attributes>>) -> Attributes {
        let Some(table) = table else { return Attributes::default() };
        let file::Attributes { addresses, members, name, internal_only } = &***table;
        for (key, list) in [("addresses", addresses), ("members", members)] {
            if let Some(list) = list {
                let help = "write names of attributes, or leave the key out";
                self.not_empty(
                    list,
                    &["directory", at.name, "attributes", key],
                    "nothing would be read",
                    help,
                );
            }
        }
        let texts = |list: &Option<Placed<Vec<Placed<String>>>>| {
            list.iter().flat_map(|list| list.iter()).map(|name| name.as_str().into()).collect()
        };
        let text = |written: &Option<Placed<String>>| written.as_ref().map(|text| text.as_str().into());
        Attributes {
            addresses: texts(addresses),
            members: texts(members),
            name: text(name),
            internal_only: text(internal_only),
        }
    }
}

impl From<words::LdapSchema> for LdapSchema {
    fn from(schema: words::LdapSchema) -> Self {
        match schema {
            words::LdapSchema::ActiveDirectory => Self::ActiveDirectory,
            words::LdapSchema::Openldap => Self::OpenLdap,
            words::LdapSchema::Rfc2307bis => Self::Rfc2307bis,
        }
    }
}
