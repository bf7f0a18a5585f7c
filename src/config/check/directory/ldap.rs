// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories of type `ldap`.

use super::At;
use crate::config::check::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Identity, Ldap, LdapBind, LdapSchema, LdapServer};
use crate::config::wording::quoted;

/// Entries to a page where nothing is written; Active Directory gives at most 1000 (`MaxPageSize`).
const PAGE_SIZE: u32 = 500;

impl Check<'_> {
    pub(super) fn ldap(&mut self, at: &At<'_>) -> Option<Ldap> {
        let file::Directory { servers, start_tls, ca, base, preset, filter, attributes, .. } = at.table;
        let file::Directory { page_size, incremental, .. } = at.table;
        if servers.is_none() {
            self.missing(at, "servers", "write its servers: `servers = [\"ldaps://dc1.example.com\"]`");
        }
        if base.is_none() {
            self.missing(at, "base", "write where to search: `base = \"dc=example,dc=com\"`");
        }
        let bind = self.ldap_bind(at);
        let encrypted = start_tls.as_ref().is_none_or(|start_tls| **start_tls);
        let servers = servers.as_ref().map(|list| {
            let help = "write its servers: `servers = [\"ldaps://dc1.example.com\"]`";
            self.not_empty(list, &["directory", at.name, "servers"], "there would be nobody to ask", help);
            self.once(list);
            list.iter().filter_map(|written| self.ldap_server(written, bind.as_ref(), encrypted)).collect()
        });
        let ca = ca.as_ref().and_then(|ca| self.certificates(ca));
        let page_size = page_size.as_ref().map_or(PAGE_SIZE, |written| {
            u32::try_from(**written).ok().filter(|size| (1..=10_000).contains(size)).unwrap_or_else(|| {
                self.error(written, "this is no size of a page", "write a number from 1 to 10000");
                PAGE_SIZE
            })
        });
        let attributes = self.attributes(at, attributes.as_ref());
        self.attribute_names(at);
        let base = self.bases(at);
        let filter = filter.as_ref().map(|filter| self.filter(filter));
        Some(Ldap {
            servers: servers?,
            start_tls: encrypted,
            ca,
            bind: bind?,
            base: base?,
            schema: preset.as_ref().map_or(LdapSchema::ActiveDirectory, |preset| (**preset).into()),
            filter,
            attributes,
            page_size,
            incremental: incremental.as_ref().is_none_or(|incremental| **incremental),
        })
    }

    /// A server. A password is never sent for all to read, and what nobody has signed anybody may change on the way; on this
    /// machine there is no way.
    fn ldap_server(
        &mut self,
        written: &Placed<String>,
        bind: Option<&LdapBind>,
        encrypted: bool,
    ) -> Option<LdapServer> {
        let Some(server) = LdapServer::parse(written) else {
            let what = format!("{} is no LDAP server", quoted(written));
            let help = "write \"ldaps://dc1.example.com\" or \"ldap://dc1.example.com:3268\"";
            self.error(written, what, help);
            return None;
        };
        let help = "take `start_tls = false` out, or write `ldaps://`";
        match bind {
            _ if server.tls || encrypted => {}
            Some(LdapBind::External(_)) => {
                self.error(written, "without TLS nobody sees our certificate", help);
            }
            _ if server.is_here() => {}
            Some(LdapBind::Simple { .. }) => {
                self.error(written, "the password would go over the network for all to read", help);
            }
            Some(LdapBind::Anonymous) | None => {
                self.warning(written, "without TLS anybody on the way can change who exists", help);
            }
        }
        Some(server)
    }

    fn ldap_bind(&mut self, at: &At<'_>) -> Option<LdapBind> {
        let file::Directory { bind_dn, password, certificate, key, .. } = at.table;
        match (bind_dn, certificate) {
            (Some(_), Some(second)) => {
                self.error(second, "there are two ways to bind", "keep `bind_dn` or `certificate`");
                None
            }
            (Some(dn), None) => {
                if password.is_none() {
                    self.missing(at, "password", "write `password = { file = \"secret.txt\" }`");
                }
                let password = self.password_of(at, "password", password.as_ref())?;
                Some(LdapBind::Simple { dn: dn.as_str().into(), password })
            }
            (None, Some(_)) => self.identity(at).map(LdapBind::External),
            (None, None) => {
                for written in [
                    password.as_ref().map(|written| self.place(written)),
                    key.as_ref().map(|key| self.place(key)),
                ]
                .into_iter()
                .flatten()
                {
                    let problem = crate::config::Problem::error(
                        written,
                        "this is said to nobody: the bind is anonymous",
                    );
                    self.problems
                        .push(problem.help("write `bind_dn` or `certificate` beside it, or take it out"));
                }
                Some(LdapBind::Anonymous)
            }
        }
    }

    fn bases(&mut self, at: &At<'_>) -> Option<Vec<Box<str>>> {
        let written = at.table.base.as_ref()?;
        let help = "write where to search: `base = \"dc=example,dc=com\"`";
        if written.is_empty() {
            self.error(written, "the list is empty: nothing would be searched", help);
        }
        // An empty name is the whole of what a global catalogue holds.
        for base in written.each().filter(|base| !base.is_empty() && !base.contains('=')) {
            self.error(&base, format!("{} is no distinguished name", quoted(&base)), help);
        }
        Some(written.each().map(|base| base.as_str().into()).collect())
    }

    /// Names of attributes (RFC 4512 2.5), which become part of a filter.
    fn attribute_names(&mut self, at: &At<'_>) {
        let Some(table) = &at.table.attributes else { return };
        let file::Attributes { addresses, members, name, internal_only } = &***table;
        let lists = addresses.iter().chain(members).flat_map(|list| list.iter());
        for written in lists.chain(name).chain(internal_only) {
            let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-.;".contains(&octet);
            if written.is_empty() || !written.bytes().all(plain) {
                let what = format!("{} is no name of an attribute", quoted(written));
                self.error(written, what, "write a name such as \"mail\"");
            }
        }
    }

    /// A filter, which is sent as it is written.
    fn filter(&mut self, written: &Placed<String>) -> Box<str> {
        if ldap3::parse_filter(written.trim()).is_err() {
            let help = "write it as RFC 4515 has it, with parentheses: `filter = \"(mail=*)\"`";
            self.error(written, format!("{} is no filter", quoted(written)), help);
        }
        written.trim().into()
    }

    /// Our certificate and its key.
    pub(super) fn identity(&mut self, at: &At<'_>) -> Option<Identity> {
        let file::Directory { certificate, key, .. } = at.table;
        if key.is_none() {
            self.missing(at, "key", "write the file that holds the certificate's key: `key = \"key.pem\"`");
        }
        let certificate = certificate.as_ref().and_then(|certificate| self.certificates(certificate));
        let key = key.as_ref().and_then(|key| self.key_file(key));
        Some(Identity { certificate: certificate?, key: key? })
    }
}
