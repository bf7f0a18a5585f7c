// SPDX-License-Identifier: GPL-3.0-or-later
//! Looks whether a next hop takes mail: a visit to each of its addresses, all at the same time, 16 at most.
//!
//! A visit says EHLO and QUIT and, where it is wished, speaks TLS; MAIL is never said. Every step has a deadline
//! ([`Patience`]) and every reply a size, so that a host which says nothing, or never stops, costs no more than that.

mod certificate;
mod dialogue;
mod find;
mod outcome;
mod reply;

pub use dialogue::Patience;
pub use outcome::{CertificateFault, Looked, Outcome, Said, Spoken, Step, Tls, Visit};

use crate::dns::Dns;
use crate::mail::{Domain, NextHop};
use crate::policy::TlsWish;
use certificate::Trust;
use dialogue::Dialogue;
use futures_util::future::join_all;
use rustls::RootCertStore;
use std::fmt;
use std::net::SocketAddr;
use tokio::time::Instant;

/// Who is asked for names, or why nobody can be; asked for anew by every look that needs names.
pub type Names<D> = Box<dyn Fn() -> Result<D, String> + Send + Sync>;

/// Looks at hosts.
pub struct Probe<D> {
    names: Names<D>,
    own: Option<String>,
    trust: Trust,
    patience: Patience,
}

impl<D: Dns> Probe<D> {
    /// Calls itself by this name, if that is one (our address serves else), and believes whom these authorities, or the
    /// system's, vouch for. An error says that there is no TLS here at all.
    pub fn new(
        names: Names<D>,
        own: &str,
        authorities: Option<RootCertStore>,
        patience: Patience,
    ) -> Result<Self, rustls::Error> {
        let own = Domain::parse(own).ok().map(|name| name.as_str().to_owned());
        Ok(Self { names, own, trust: Trust::new(authorities)?, patience })
    }

    /// Looks at one.
    pub async fn look(&self, hop: &NextHop, wish: &TlsWish) -> Looked {
        let (places, missing) = find::find((self.names)(), hop).await;
        let visits = places.into_iter().map(|(host, address)| self.visit(host, address, wish));
        let mut visits = join_all(visits).await;
        visits.extend(missing.into_iter().map(|(host, outcome)| Visit {
            host,
            address: None,
            steps: Vec::new(),
            outcome,
        }));
        Looked { visits }
    }

    async fn visit(&self, host: String, address: SocketAddr, wish: &TlsWish) -> Visit {
        let mut dialogue = Dialogue {
            own: self.own.as_deref(),
            trust: &self.trust,
            patience: self.patience,
            ends: Instant::now() + self.patience.whole,
            steps: Vec::new(),
        };
        let outcome = dialogue.visit(address, wish).await;
        Visit { host, address: Some(address), steps: dialogue.steps, outcome }
    }
}

impl<D> fmt::Debug for Probe<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names: _, own, trust: _, patience } = self;
        f.debug_struct("Probe").field("own", own).field("patience", patience).finish_non_exhaustive()
    }
}
