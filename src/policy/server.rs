// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers as the rules know them: next hops, in the order in which they are to be tried now.

use crate::mail::{CertificatePattern, NextHop};
use std::sync::Arc;

/// A server's place in [`Servers`]. Which of its hosts comes first changes by itself and rules do not, so a rule names its
/// server by place, and a policy with another order of hosts shares everything else with the one before it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ServerId(u32);

/// All servers, by place.
#[derive(Clone, Debug, Default)]
pub struct Servers(Vec<Arc<Server>>);

impl Servers {
    /// Adds a server and gives its place.
    pub fn add(&mut self, server: impl Into<Arc<Server>>) -> ServerId {
        let id = ServerId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(server.into());
        id
    }

    /// The server in a place.
    pub fn find(&self, id: ServerId) -> Option<&Arc<Server>> {
        self.0.get(id.0 as usize)
    }

    /// The places that are taken, and by whom.
    pub fn places(&self) -> impl Iterator<Item = (ServerId, &Arc<Server>)> {
        (0..).map(ServerId).zip(&self.0)
    }

    /// All of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.0.iter()
    }
}

impl FromIterator<Arc<Server>> for Servers {
    fn from_iter<I: IntoIterator<Item = Arc<Server>>>(servers: I) -> Self {
        Self(servers.into_iter().collect())
    }
}

/// A mailbox server, or a gateway that mail is sent through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its hosts, in the order in which they are to be tried now; never empty.
    pub hosts: Box<[NextHop]>,
    /// What a connection to it must be.
    pub tls: TlsWish,
    /// Whether all of its hosts are known to refuse connections.
    pub down: bool,
}

impl Server {
    /// Its hosts as Postfix takes them from a transport table (`transport(5)`; several since 3.5).
    pub fn for_postfix(&self) -> String {
        let hops: Vec<String> = self.hosts.iter().map(NextHop::for_postfix).collect();
        format!("smtp:{}", hops.join(", "))
    }
}

/// What a connection to a server must be, in the words of Postfix (`smtp_tls_security_level`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum TlsWish {
    /// Encrypted where the server offers it.
    #[default]
    May,
    /// Encrypted, whoever the server is.
    Encrypt,
    /// As its TLSA records say (RFC 7672).
    Dane,
    /// Encrypted, and the server's certificate is trusted and has one of these names; never empty.
    Verify(Box<[CertificatePattern]>),
}
