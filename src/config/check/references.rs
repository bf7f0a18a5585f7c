// SPDX-License-Identifier: GPL-3.0-or-later
//! Tables that others name: each name must be that of a table, and each table should be named by someone.

use super::Check;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::wording::{header, meant, quoted};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The directory that nobody defines: recipients that were learned and approved.
pub(super) const LEARNED: &str = "learned";

/// Everything that is named elsewhere in the file.
pub(super) struct Tables<'a> {
    pub(super) gateways: References<'a>,
    pub(super) directories: References<'a>,
    pub(super) servers: References<'a>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(
        gateways: &'a Named<file::Gateway>,
        directories: &'a Named<file::Directory>,
        servers: &'a Named<file::Server>,
    ) -> Self {
        Self {
            gateways: References::to("gateway", gateways),
            directories: References::to("directory", directories),
            servers: References::to("server", servers),
        }
    }
}

/// The tables of one kind, and which of them have been named.
pub(super) struct References<'a> {
    kind: &'static str,
    defined: HashMap<&'a str, &'a Placed<String>>,
    named: HashSet<&'a str>,
}

impl<'a> References<'a> {
    fn to<T>(kind: &'static str, tables: &'a Named<T>) -> Self {
        let defined = tables.keys().map(|name| (name.as_str(), name)).collect();
        Self { kind, defined, named: HashSet::new() }
    }

    /// Counts a name as one that is used.
    pub(super) fn uses(&mut self, name: &'a str) {
        self.named.insert(name);
    }

    /// Whether there is a table of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.defined.contains_key(name)
    }

    /// Other names of such tables that differ from this one in case alone.
    pub(super) fn alike(&self, name: &str) -> Vec<&'a str> {
        let mut alike: Vec<&str> = self
            .defined
            .keys()
            .copied()
            .filter(|other| *other != name && other.eq_ignore_ascii_case(name))
            .collect();
        alike.sort_unstable();
        alike
    }

    /// The name that was probably meant. Of several that are alike, always the same.
    fn meant(&self, name: &str) -> Option<&'a str> {
        let mut known: Vec<&str> = self.defined.keys().copied().collect();
        known.sort_unstable();
        meant(name, known)
    }
}

impl Check<'_> {
    /// Names of tables, each of which must be there, and each of which is named once.
    pub(super) fn references<'a>(
        &mut self,
        names: &'a [Placed<String>],
        to: &mut References<'a>,
    ) -> Vec<Arc<str>> {
        let names = self.once(names);
        for name in &names {
            self.refer(name, name.as_str(), to, None);
        }
        names.into_iter().map(|name| Arc::from(name.as_str())).collect()
    }

    /// The name of a table, which must be there; `at` is where it is written. Where it is not, `otherwise` says what to write
    /// in the place of the usual advice.
    pub(super) fn refer<'a, T>(
        &mut self,
        at: &Placed<T>,
        name: &'a str,
        to: &mut References<'a>,
        otherwise: Option<&str>,
    ) {
        to.uses(name);
        if to.has(name) || self.lost.touches(&[to.kind, name]) {
            return;
        }
        let help = if to.kind == "gateway" && name == "any" {
            "write `gateways = \"any\"`, without brackets, if everyone may deliver".to_owned()
        } else if to.kind == "directory" && name == LEARNED {
            "take it out: recipients that were learned and approved are asked for without it".to_owned()
        } else {
            match (to.meant(name), otherwise) {
                (Some(defined), _) => format!("did you mean {}?", quoted(defined)),
                (None, Some(help)) => help.to_owned(),
                (None, None) => format!("write a table {}", header(&[to.kind, name])),
            }
        };
        self.error(at, format!("there is no {} {}", to.kind, quoted(name)), help);
    }

    /// Tables that nobody names.
    pub(super) fn unused(&mut self, tables: &Tables<'_>) {
        let Tables { gateways, directories, servers } = tables;
        let lost = self.lost;
        if !lost.in_a_domain("gateways") && !lost.in_a_domain("scan") {
            self.unused_of(gateways, "no domain uses the gateway", "name it under `gateways` of a domain");
        }
        if !lost.in_a_domain("directories") && !lost.touches(&["route"]) {
            let help = "name it under `directories` of a domain";
            self.unused_of(directories, "no domain uses the directory", help);
        }
        if !lost.in_a_domain("unrouted") && !lost.in_a_domain("scan") && !lost.touches(&["route"]) {
            let help = "name it in a [[route]], in `unrouted` or `scan` of a domain";
            self.unused_of(servers, "no mail goes to the server", help);
        }
    }

    fn unused_of(&mut self, references: &References<'_>, what: &str, help: &str) {
        let References { kind: _, defined, named } = references;
        for (name, written) in defined {
            if !named.contains(name) {
                self.warning(written, format!("{what} {}", quoted(name)), format!("{help}, or take it out"));
            }
        }
    }
}
