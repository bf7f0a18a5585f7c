// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways as the rules know them: who may hand us mail, and what each has to show.

use super::Verdict;
use crate::mail::{CertificateFingerprint, CertificatePattern, NetworkSet, Secret};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A gateway's place in [`Gateways`]. Gateways change by themselves and domains do not, so a domain names its
/// gateways by place, and a policy with fresh gateways shares everything else with the one before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct GatewayId(u32);

/// All gateways, by place.
#[derive(Clone, Debug, Default)]
pub struct Gateways(Vec<Arc<Gateway>>);

impl Gateways {
    /// Adds a gateway and gives its place.
    pub fn add(&mut self, gateway: Gateway) -> GatewayId {
        let id = GatewayId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(Arc::new(gateway));
        id
    }

    /// The gateway in a place.
    pub fn find(&self, id: GatewayId) -> Option<&Arc<Gateway>> {
        self.0.get(id.0 as usize)
    }

    /// The places that are taken, and by whom.
    pub fn places(&self) -> impl Iterator<Item = (GatewayId, &Arc<Gateway>)> {
        (0..).map(GatewayId).zip(&self.0)
    }

    /// All of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Gateway>> {
        self.0.iter()
    }
}

impl FromIterator<Arc<Gateway>> for Gateways {
    fn from_iter<I: IntoIterator<Item = Arc<Gateway>>>(gateways: I) -> Self {
        Self(gateways.into_iter().collect())
    }
}

/// Who may hand us mail, and by what it is known.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The addresses it delivers from; nothing where it is known by other means alone.
    pub addresses: Option<Addresses>,
    /// Names of which its TLS certificate must have one. Where there are neither these nor fingerprints, certificates do not
    /// matter.
    pub certificate: Box<[CertificatePattern]>,
    /// Fingerprints of its certificates or their keys; one of these will do as well as a name.
    pub fingerprints: Box<[CertificateFingerprint]>,
    /// The header line that it marks its messages with.
    pub header: Option<HeaderFactor>,
    /// Which of these it must show.
    pub require: Require,
    /// What is asked for when the client in front of the gateway is listed by DNSBLs; nothing when that is not looked at.
    pub behind: Option<Verdict>,
    /// Whether an address that seems to hide many clients is this gateway all the same.
    pub accept_private: bool,
}

impl Gateway {
    /// Whether a certificate matters.
    pub fn has_certificate(&self) -> bool {
        !self.certificate.is_empty() || !self.fingerprints.is_empty()
    }

    /// A gateway that is known by these addresses and nothing else.
    pub fn by_networks(name: impl Into<Arc<str>>, networks: NetworkSet) -> Self {
        Self {
            name: name.into(),
            addresses: Some(Addresses { networks, complete: true, ..Addresses::default() }),
            certificate: Box::default(),
            fingerprints: Box::default(),
            header: None,
            require: Require::default(),
            behind: None,
            accept_private: false,
        }
    }
}

/// Addresses of a gateway, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// The networks that are known.
    pub networks: NetworkSet,
    /// Whether these are all. Where they are not, because a source has never answered, an address that is in none of
    /// them is unknown and not a stranger's.
    pub complete: bool,
    /// Names that cannot be enumerated and are asked for each client.
    pub live: Box<[LiveName]>,
    /// Networks outside of which nothing but `networks` is the gateway's, whatever a name says and a source may yet
    /// publish; where empty, there are no such bounds.
    pub bounds: NetworkSet,
}

impl Addresses {
    /// Whether an address that is in none of the networks can be the gateway's at all.
    pub fn may_hold(&self, address: IpAddr) -> bool {
        self.bounds.is_empty() || self.bounds.find(address).is_some()
    }
}

/// An SPF name (RFC 7208 domain-spec, macros and all) that can only be asked about one address at a time.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LiveName(Arc<str>);

impl LiveName {
    /// As it stands behind `include:`.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// As it stands behind `include:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A header line that only the gateway knows how to write.
#[derive(Clone, Debug)]
pub struct HeaderFactor {
    /// Its name.
    pub name: Box<str>,
    /// Values of which it must have one; several while one follows another.
    pub secrets: Box<[Secret]>,
}

/// Which factors a gateway must show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Require {
    /// Its address or its certificate. A header is never enough alone: it is in every mail that was ever delivered.
    Any,
    /// All of these.
    All {
        /// Its address.
        address: bool,
        /// Its certificate.
        certificate: bool,
        /// Its header.
        header: bool,
    },
}

impl Require {
    /// Whether its header is one of them, so that nothing is certain before the message has come.
    pub fn needs_header(self) -> bool {
        match self {
            Self::Any => false,
            Self::All { address: _, certificate: _, header } => header,
        }
    }
}

impl Default for Require {
    fn default() -> Self {
        Self::All { address: true, certificate: false, header: false }
    }
}
