// SPDX-License-Identifier: GPL-3.0-or-later
//! `[gateway.NAME]` and `[directory.NAME]`.

use super::Check;
use crate::config::file::{self, Named};
use crate::config::networks::NetworkList;
use crate::config::placed::Placed;
use crate::config::settings::{Directory, DirectorySource, Gateway, Guard};
use crate::config::wording::header;
use crate::config::words::DirectoryType;
use std::sync::Arc;

impl Check<'_> {
    pub(super) fn gateways(&mut self, tables: &Named<file::Gateway>) -> Vec<Gateway> {
        tables.iter().map(|(name, table)| self.gateway(name, table)).collect()
    }

    fn gateway(&mut self, name: &Placed<String>, table: &file::Gateway) -> Gateway {
        let file::Gateway { networks, files } = table;
        self.name(name);
        if **name == "any" {
            let what = "a gateway cannot be called `any`: that word stands for everyone";
            self.error(name, what, "give it another name");
        }
        let path = ["gateway", name];
        if networks.is_none() && files.is_none() && !self.lost.touches(&path) {
            let what = format!("{} has neither `networks` nor `files`", header(&path));
            let help = "write the networks that the gateway delivers from: `networks = [\"192.0.2.0/24\"]`";
            self.error(name, what, help);
        }
        let mut list = NetworkList::default();
        if let Some(networks) = networks {
            let help = "write the networks that the gateway delivers from, or leave the key out";
            self.not_empty(networks, &["gateway", name, "networks"], "it would let nobody in", help);
            for written in networks.iter() {
                list.add(written, &self.place(written), |problem| self.problems.push(problem));
            }
        }
        let mut data_files = Vec::new();
        if let Some(files) = files {
            let help = "write the files that hold the gateway's networks, or leave the key out";
            self.not_empty(files, &["gateway", name, "files"], "it would let nobody in", help);
            data_files.extend(self.once(files).into_iter().filter_map(|written| self.data_file(written)));
        }
        let networks = list.finish(|problem| self.problems.push(problem));
        Gateway {
            name: Arc::from(name.as_str()),
            provider: None,
            networks,
            files: data_files,
            sources: Vec::new(),
            certificate: Vec::new(),
            header: None,
            require: crate::policy::Require::default(),
            subset_of: Vec::new(),
            guard: Guard::default(),
            behind: None,
            accept_private: false,
            place: self.place(name),
        }
    }

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
