// SPDX-License-Identifier: GPL-3.0-or-later
//! `[gateway.NAME]` and `[directory.NAME]`.

use super::Check;
use crate::config::file::{self, DirectoryType};
use crate::config::networks::NetworkList;
use crate::config::placed::Placed;
use crate::config::settings::{Directory, DirectorySource, Gateway};
use crate::config::table::Table;
use crate::config::wording::{header, quoted};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Check<'_> {
    pub(super) fn gateways(
        &mut self,
        tables: &BTreeMap<Placed<String>, Table<file::Gateway>>,
    ) -> Vec<Gateway> {
        tables.iter().map(|(name, table)| self.gateway(name, table)).collect()
    }

    fn gateway(&mut self, name: &Placed<String>, table: &file::Gateway) -> Gateway {
        let file::Gateway { networks, files } = table;
        self.name(name);
        if **name == "any" {
            let problem = self
                .error(name, "a gateway cannot be called `any`: that word means no gateway at all")
                .help("give it another name");
            self.problems.push(problem);
        }
        let path = ["gateway", name];
        if networks.is_none() && files.is_none() && !self.lost.touches(&path) {
            let problem = self
                .error(name, format!("{} has neither `networks` nor `files`", header(&path)))
                .help("write the networks that the gateway delivers from: `networks = [\"192.0.2.0/24\"]`");
            self.problems.push(problem);
        }
        let mut list = NetworkList::default();
        if let Some(networks) = networks {
            if networks.is_empty() && !self.lost.touches(&["gateway", name, "networks"]) {
                let problem = self
                    .error(networks, "the list is empty: it would let nobody in")
                    .help("write the networks that the gateway delivers from, or leave the key out");
                self.problems.push(problem);
            }
            for written in networks.iter() {
                let place = self.place(written.span());
                list.add(written, &place, |problem| self.problems.push(problem));
            }
        }
        let mut data_files = Vec::new();
        if let Some(files) = files {
            if files.is_empty() && !self.lost.touches(&["gateway", name, "files"]) {
                let problem = self
                    .error(files, "the list is empty")
                    .help("write the files that hold the gateway's networks, or leave the key out");
                self.problems.push(problem);
            }
            for (at, written) in files.iter().enumerate() {
                if let Some(first) = files[..at].iter().find(|other| *other == written) {
                    let problem = self
                        .error(written, format!("{} is listed twice", quoted(written)))
                        .help("keep one of the two")
                        .see("listed here", self.place(first.span()));
                    self.problems.push(problem);
                } else {
                    data_files.push(self.data_file(written));
                }
            }
        }
        let networks = list.finish(|problem| self.problems.push(problem));
        Gateway { name: Arc::from(name.as_str()), networks, files: data_files }
    }

    pub(super) fn directories(
        &mut self,
        tables: &BTreeMap<Placed<String>, Table<file::Directory>>,
    ) -> Vec<Directory> {
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
                let what = format!("`{key}` is missing in {}", header(&["directory", name]));
                let problem = self.error(name, what).help(help);
                self.problems.push(problem);
            }
        }
        let source = match **kind.as_ref()? {
            DirectoryType::List => DirectorySource::List(self.data_file(path.as_ref()?)),
        };
        Some(Directory { name: Arc::from(name.as_str()), source })
    }
}
