// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories of type `graph`.

use super::At;
use crate::config::check::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Graph, GraphCredential, Identity};
use crate::config::table::Table;
use crate::config::wording::quoted;
use crate::config::words::{Cloud, Included};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// The object identifier `rsaEncryption` (RFC 8017 A.1), by which a key in PKCS #8 says what it is.
const RSA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

impl Check<'_> {
    pub(super) fn graph(&mut self, at: &At<'_>) -> Option<Graph> {
        let file::Directory { tenant, client_id, secret, certificate, cloud, graph_url, login_url, .. } =
            at.table;
        let file::Directory { key, ca, attributes, incremental, .. } = at.table;
        self.application(at);
        if let (None, Some(key)) = (certificate, key) {
            self.error(key, "this key is nobody's", "write `certificate` beside it, or take it out");
        }
        let credential = match (secret, certificate) {
            (Some(_), Some(second)) => {
                self.error(
                    second,
                    "the application shows who it is in two ways",
                    "keep `secret` or `certificate`",
                );
                None
            }
            (Some(secret), None) => self.password_of(at, "secret", Some(secret)).map(GraphCredential::Secret),
            (None, Some(_)) => self.rsa_identity(at).map(GraphCredential::Certificate),
            (None, None) => {
                self.missing(
                    at,
                    "secret",
                    "write `secret = { file = \"secret.txt\" }`, or `certificate` and `key`",
                );
                None
            }
        };
        let (graph, login) = match cloud.as_ref().map(|cloud| **cloud).unwrap_or_default() {
            Cloud::Global => ("https://graph.microsoft.com", "https://login.microsoftonline.com"),
            Cloud::UsGov => ("https://graph.microsoft.us", "https://login.microsoftonline.us"),
            Cloud::UsDod => ("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
            Cloud::China => ("https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
        };
        let graph_url = self.base_url(graph_url.as_ref(), graph);
        let login_url = self.base_url(login_url.as_ref(), login);
        let ca = ca.as_ref().and_then(|ca| self.certificates(ca));
        let addresses = self.properties(at, attributes.as_ref());
        self.told_apart(at);
        Some(Graph {
            tenant: tenant.as_ref()?.as_str().into(),
            client_id: client_id.as_ref()?.as_str().into(),
            credential: credential?,
            graph_url,
            login_url,
            ca,
            addresses,
            incremental: incremental.as_ref().is_none_or(|incremental| **incremental),
        })
    }

    /// Whose application it is and which. Both go into addresses, so they are held to what ids and domains are made of.
    fn application(&mut self, at: &At<'_>) {
        let file::Directory { tenant, client_id, .. } = at.table;
        let help = "write the tenant's id or domain: `tenant = \"contoso.onmicrosoft.com\"`";
        match tenant {
            None => self.missing(at, "tenant", help),
            Some(tenant) if is_uuid(tenant) || crate::mail::Domain::parse(tenant).is_ok() => {}
            Some(tenant) => self.error(tenant, format!("{} is no tenant", quoted(tenant)), help),
        }
        let help = "write the id of the application that is registered for Postern";
        match client_id {
            None => self.missing(at, "client_id", help),
            Some(id) if is_uuid(id) => {}
            Some(id) => self.error(id, format!("{} is no id of an application", quoted(id)), help),
        }
    }

    /// A certificate whose key is of RSA: Microsoft takes no other.
    fn rsa_identity(&mut self, at: &At<'_>) -> Option<Identity> {
        let identity = self.identity(at)?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.reveal()).ok();
        let wrong = match key {
            Some(PrivateKeyDer::Pkcs1(_)) => None,
            Some(PrivateKeyDer::Pkcs8(key)) if key.secret_pkcs8_der().windows(11).any(|at| at == RSA) => None,
            Some(_) => {
                Some(("this is no RSA key", "make one: openssl req -x509 -newkey rsa:3072 -nodes ..."))
            }
            None => Some((
                "this file holds no private key",
                "it begins with -----BEGIN PRIVATE KEY-----; without its password: openssl pkey -in KEY",
            )),
        };
        match (wrong, &at.table.key) {
            (Some((what, help)), Some(key)) => {
                self.error(key, what, help);
                None
            }
            _ => Some(identity),
        }
    }

    /// Properties with addresses.
    fn properties(&mut self, at: &At<'_>, table: Option<&Table<file::Attributes>>) -> Vec<Box<str>> {
        let addresses = self.attributes(at, table).addresses;
        if let Some(table) = table {
            let file::Attributes { addresses, members, name, internal_only } = &***table;
            let idle = [
                ("members", members.as_ref().map(|written| Placed::at(written, ()))),
                ("name", name.as_ref().map(|written| Placed::at(written, ()))),
                ("internal_only", internal_only.as_ref().map(|written| Placed::at(written, ()))),
            ];
            for (key, written) in idle {
                if let Some(written) = written {
                    self.error(
                        &written,
                        format!("`{key}` means nothing to a `graph`"),
                        "take it out; `addresses` alone can be told",
                    );
                }
            }
            let names = addresses.as_ref().map(|list| self.once(list)).unwrap_or_default();
            for written in names {
                if !written.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
                    let what = format!("{} is no property of a user", quoted(written));
                    self.error(
                        written,
                        what,
                        "write names such as \"mail\", \"proxyAddresses\", \"userPrincipalName\"",
                    );
                }
            }
        }
        if addresses.is_empty() { vec!["mail".into(), "proxyAddresses".into()] } else { addresses }
    }

    /// Graph does not say which users are shared mailboxes or rooms, so without users there are none of these either.
    fn told_apart(&mut self, at: &At<'_>) {
        let Some(include) = &at.table.include else { return };
        if include.iter().any(|kind| **kind == Included::Users) {
            return;
        }
        for kind in include.iter() {
            let what = match **kind {
                Included::Shared => "shared mailboxes",
                Included::Rooms => "rooms",
                Included::Users | Included::Groups | Included::Contacts | Included::PublicFolders => continue,
            };
            self.error(kind, format!("Graph does not tell {what} from users"), "write \"users\" instead");
        }
    }

    /// Where a server is: a scheme and a host, because the rest of its addresses is ours.
    fn base_url(&mut self, written: Option<&Placed<String>>, standard: &str) -> Box<str> {
        let Some(written) = written else { return standard.into() };
        let rest = written.trim_end_matches('/');
        let host = rest.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &rest[8..]);
        if host
            .is_none_or(|host| host.is_empty() || host.contains(|c: char| "/?#@\\".contains(c) || c <= ' '))
        {
            self.error(
                written,
                format!("{} is no address of HTTPS", quoted(written)),
                "write `https://` and a host, and nothing after it",
            );
        }
        written.trim_end_matches('/').into()
    }
}

fn is_uuid(text: &str) -> bool {
    let parts = text.split('-').map(str::len);
    parts.eq([8, 4, 4, 4, 12]) && text.bytes().all(|octet| octet.is_ascii_hexdigit() || octet == b'-')
}
