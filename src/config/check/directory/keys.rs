// SPDX-License-Identifier: GPL-3.0-or-later
//! Which key of `[directory.NAME]` belongs to which type. A key of another type does nothing, so it is an error.

use super::At;
use crate::config::check::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::words::DirectoryType::{self, Csv, Graph, Ldap, Ldif, List, Sql};

/// Types that are files.
const FILES: &[DirectoryType] = &[List, Csv, Ldif];

/// A key, where it stands if it does, and the types it is for.
type Key = (&'static str, Option<Placed<()>>, &'static [DirectoryType]);

fn place<T>(written: Option<&Placed<T>>) -> Option<Placed<()>> {
    written.map(|written| Placed::at(written, ()))
}

impl Check<'_> {
    pub(super) fn keys_of_others(&mut self, at: &At<'_>) {
        let file::Directory {
            // These belong to every type.
            kind: _,
            refresh: _,
            max_removed: _,
            max_invalid: _,
            removal_grace: _,
            max_age: _,
            keep: _,
            include: _,
            patterns: _,
            path,
            timeout,
            delimiter,
            encoding,
            columns,
            servers,
            start_tls,
            ca,
            bind_dn,
            password,
            certificate,
            key,
            base,
            preset,
            filter,
            attributes,
            page_size,
            incremental,
            url,
            query,
            groups_query,
            tenant,
            client_id,
            secret,
            cloud,
            graph_url,
            login_url,
        } = at.table;
        let keys: [Key; 27] = [
            ("path", place(path.as_ref()), FILES),
            ("timeout", place(timeout.as_ref()), &[Ldap, Sql, Graph]),
            ("delimiter", place(delimiter.as_ref()), &[Csv]),
            ("encoding", place(encoding.as_ref()), &[Csv, Ldif]),
            ("columns", place(columns.as_ref()), &[Csv]),
            ("servers", place(servers.as_ref()), &[Ldap]),
            ("start_tls", place(start_tls.as_ref()), &[Ldap]),
            ("ca", place(ca.as_ref()), &[Ldap, Sql, Graph]),
            ("bind_dn", place(bind_dn.as_ref()), &[Ldap]),
            ("password", place(password.as_ref()), &[Ldap, Sql]),
            ("certificate", place(certificate.as_ref()), &[Ldap, Graph]),
            ("key", place(key.as_ref()), &[Ldap, Graph]),
            ("base", place(base.as_ref()), &[Ldap]),
            ("preset", place(preset.as_ref()), &[Ldap, Ldif]),
            ("filter", place(filter.as_ref()), &[Ldap]),
            ("attributes", place(attributes.as_ref()), &[Ldap, Ldif, Graph]),
            ("page_size", place(page_size.as_ref()), &[Ldap]),
            ("incremental", place(incremental.as_ref()), &[Ldap, Graph]),
            ("url", place(url.as_ref()), &[Sql]),
            ("query", place(query.as_ref()), &[Sql]),
            ("groups_query", place(groups_query.as_ref()), &[Sql]),
            ("tenant", place(tenant.as_ref()), &[Graph]),
            ("client_id", place(client_id.as_ref()), &[Graph]),
            ("secret", place(secret.as_ref()), &[Graph]),
            ("cloud", place(cloud.as_ref()), &[Graph]),
            ("graph_url", place(graph_url.as_ref()), &[Graph]),
            ("login_url", place(login_url.as_ref()), &[Graph]),
        ];
        for (key, written, types) in keys {
            let Some(written) = written.filter(|_| !types.contains(&at.kind)) else { continue };
            let of: Vec<String> = types.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
            let what = format!("`{key}` means nothing to a `{}`", at.kind.as_str());
            let of = match of.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
                Some(_) | None => of.concat(),
            };
            let help = format!("take it out; it is for {of}");
            self.error(&written, what, help);
        }
    }
}
