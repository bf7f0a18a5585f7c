// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories of type `graph`.

use super::At;
use crate::config::check::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Graph, GraphCredential};
use crate::config::wording::quoted;
use crate::config::words::Cloud;

impl Check<'_> {
    pub(super) fn graph(&mut self, at: &At<'_>) -> Option<Graph> {
        let file::Directory { tenant, client_id, secret, certificate, cloud, graph_url, login_url, .. } =
            at.table;
        let file::Directory { ca, attributes, incremental, .. } = at.table;
        if tenant.is_none() {
            self.missing(
                at,
                "tenant",
                "write the tenant's id or domain: `tenant = \"contoso.onmicrosoft.com\"`",
            );
        }
        if client_id.is_none() {
            self.missing(at, "client_id", "write the id of the application that is registered for Postern");
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
            (None, Some(_)) => self.identity(at).map(GraphCredential::Certificate),
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
        let attributes = self.attributes(at, attributes.as_ref());
        let mut addresses = attributes.addresses;
        if addresses.is_empty() {
            addresses = vec!["mail".into(), "proxyAddresses".into()];
        }
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

    fn base_url(&mut self, written: Option<&Placed<String>>, standard: &str) -> Box<str> {
        let Some(written) = written else { return standard.into() };
        let host =
            written.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &written[8..]);
        if host.is_none_or(str::is_empty) {
            self.error(
                written,
                format!("{} is no address of HTTPS", quoted(written)),
                "write `https://` and a host",
            );
        }
        written.trim_end_matches('/').into()
    }
}
