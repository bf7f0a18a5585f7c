// SPDX-License-Identifier: GPL-3.0-or-later
//! Providers of gateways: what is known of where they deliver from, with source, date and certainty of each fact.
//!
//! One TOML file for each provider, compiled in; files in the directory that `providers` names are added, and one of the
//! same name takes the place of a built-in one. What is not certain enough is kept apart, shown as unverified and never
//! used. Names are compared without case.

mod built_in;
mod file;
mod read;
#[cfg(test)]
mod tests;

use super::published;
use super::settings::{AddressSource, Feed};
use crate::mail::{CertificatePattern, Domain, Network};
use std::fmt;
use std::sync::Arc;

/// Stands in a fact for what the provider calls the customer by.
pub(super) const CUSTOMER: &str = "{customer}";

/// All providers, by name.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    list: Vec<Provider>,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// Its name in the world.
    pub title: Box<str>,
    /// Other names that are understood.
    pub aliases: Vec<Box<str>>,
    /// What else an administrator should know.
    pub note: Option<Box<str>>,
    /// What `customer` is to be, where a region asks for it.
    pub customer: Option<Box<str>>,
    /// Its regions; a provider without them has one without a name.
    pub regions: Vec<Region>,
    /// MX suffixes that tell the provider and no region.
    mx: Vec<Domain>,
}

/// A part of a provider that has addresses of its own.
#[derive(Clone, Debug)]
pub struct Region {
    /// Provider and region as they are written in the configuration: `trend-micro/eu`, or `mailroute`.
    pub written: Arc<str>,
    /// Its name alone; nothing for a provider without regions.
    pub name: Option<Box<str>>,
    /// What it is called.
    pub title: Box<str>,
    /// What is used of it, those of the whole provider included.
    pub facts: Vec<Fact>,
    /// What is said of it and could not be verified. Never used.
    pub unverified: Vec<Fact>,
}

/// One thing that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fact {
    /// What.
    pub known: Known,
    /// Where it is written: an address, or `public code`.
    pub source: Box<str>,
    /// When it was seen there, as `YYYY-MM-DD`.
    pub date: Box<str>,
    /// How certain it is.
    pub certainty: Certainty,
}

/// What a fact says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Known {
    /// MX hosts of its customers end in this.
    Mx(Domain),
    /// An SPF name; with [`CUSTOMER`] in it, one for each customer.
    Spf(Box<str>),
    /// A host.
    Host(Domain),
    /// A feed.
    Feed(Arc<Feed>),
    /// A network, as of the fact's date.
    Network(Network),
    /// The common name of its client certificate; with [`CUSTOMER`] in it, one for each customer.
    Certificate(Box<str>),
    /// A name that its client certificate has among its alternative names only, where no MTA tells it.
    AlternativeName(Box<str>),
}

/// How certain a fact is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Certainty {
    /// Somebody said so.
    Low,
    /// Seen in several places that are not the provider's.
    Medium,
    /// Written by the provider itself, or seen at work.
    High,
}

/// What a region comes to for one customer.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// Where its addresses are published.
    pub sources: Vec<AddressSource>,
    /// Networks as of a date.
    pub networks: Vec<Network>,
    /// Common names of its certificates.
    pub certificate: Vec<CertificatePattern>,
    /// Whether all its customers' mail comes from the same addresses.
    pub shared: bool,
}

/// A provider that an MX host points to.
#[derive(Clone, Copy, Debug)]
pub struct Suggestion<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// Its region, where the host tells it.
    pub region: Option<&'a Region>,
}

/// Why there is no such region.
#[derive(Debug)]
pub(super) enum NoRegion<'a> {
    /// Nothing is called so.
    Provider,
    /// The provider has none of this name.
    Region(&'a Provider),
    /// The provider has several, and none is named.
    Several(&'a Provider),
}

impl Providers {
    /// Those that are compiled in.
    pub fn built_in() -> Self {
        Self { list: built_in::ALL.clone() }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.list.iter()
    }

    /// What stands for `trend-micro/eu` or `mailroute`.
    pub fn find(&self, written: &str) -> Option<&Region> {
        self.region(written).ok()
    }

    pub(super) fn region(&self, written: &str) -> Result<&Region, NoRegion<'_>> {
        let (name, region) = match written.split_once('/') {
            Some((name, region)) => (name, Some(region)),
            None => (written, None),
        };
        let provider =
            self.list.iter().find(|provider| provider.is_called(name)).ok_or(NoRegion::Provider)?;
        let Some(wanted) = region else {
            return match provider.regions.as_slice() {
                [only] => Ok(only),
                _ => Err(NoRegion::Several(provider)),
            };
        };
        let is_it = |region: &&Region| region.name.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(wanted));
        provider.regions.iter().find(is_it).ok_or(NoRegion::Region(provider))
    }

    /// The provider of a region.
    pub fn provider_of(&self, region: &Region) -> Option<&Provider> {
        let name = region.written.split('/').next()?;
        self.list.iter().find(|provider| *provider.name == *name)
    }

    /// The provider that an MX host belongs to: that of the longest suffix, on whole labels.
    pub fn suggest(&self, mx_host: &str) -> Option<Suggestion<'_>> {
        let host = Domain::parse(mx_host).ok()?;
        let fits = |suffix: &Domain| suffix == &host || host.parents().any(|above| above == suffix.as_str());
        let mut best: Option<(usize, Suggestion<'_>)> = None;
        let mut offer = |suffix: &Domain, suggestion| {
            let length = suffix.as_str().len();
            if fits(suffix) && best.as_ref().is_none_or(|(longest, _)| length > *longest) {
                best = Some((length, suggestion));
            }
        };
        for provider in &self.list {
            for region in &provider.regions {
                for fact in &region.facts {
                    if let Known::Mx(suffix) = &fact.known
                        && !provider.mx.contains(suffix)
                    {
                        offer(suffix, Suggestion { provider, region: Some(region) });
                    }
                }
            }
            let only = match provider.regions.as_slice() {
                [only] => Some(only),
                _ => None,
            };
            for suffix in &provider.mx {
                offer(suffix, Suggestion { provider, region: only });
            }
        }
        best.map(|(_, suggestion)| suggestion)
    }

    /// Adds one, in the place of one with the same name; says under which other name it would not be the only one.
    fn put(&mut self, provider: Provider) -> Result<(), Box<str>> {
        self.list.retain(|other| other.name != provider.name);
        if let Some(taken) = provider.names().find(|name| self.list.iter().any(|other| other.is_called(name)))
        {
            return Err(taken.into());
        }
        let at = self.list.partition_point(|other| other.name < provider.name);
        self.list.insert(at, provider);
        Ok(())
    }
}

impl Provider {
    /// All names that it is understood by.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.name).chain(self.aliases.iter().map(|alias| &**alias))
    }

    fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }
}

impl Region {
    /// Whether a customer's own code or domain is needed.
    pub fn needs_customer(&self) -> bool {
        self.facts.iter().any(|fact| fact.known.template().is_some_and(|text| text.contains(CUSTOMER)))
    }

    /// Whether there is anything that addresses can be had from.
    pub fn has_addresses(&self) -> bool {
        self.facts.iter().any(|fact| fact.known.is_address())
    }

    /// Names that its certificate has among its alternative names only.
    pub fn alternative_names(&self) -> impl Iterator<Item = &str> {
        self.facts.iter().filter_map(|fact| match &fact.known {
            Known::AlternativeName(name) => Some(&**name),
            Known::Mx(_)
            | Known::Spf(_)
            | Known::Host(_)
            | Known::Feed(_)
            | Known::Network(_)
            | Known::Certificate(_) => None,
        })
    }

    /// What the region comes to. Without a customer where one is needed, what needs it is left out.
    pub fn resolve(&self, customer: Option<&str>) -> Resolved {
        let mut resolved = Resolved::default();
        let fill = |text: &str| match customer {
            Some(customer) => Some(text.replace(CUSTOMER, customer)),
            None => (!text.contains(CUSTOMER)).then(|| text.to_owned()),
        };
        for fact in &self.facts {
            resolved.shared |= fact.known.is_shared_address();
            let source = match &fact.known {
                Known::Spf(name) => {
                    fill(name).and_then(|name| published::spf(&name).ok()).map(AddressSource::Spf)
                }
                Known::Host(host) => Some(AddressSource::Host(host.clone())),
                Known::Feed(feed) => Some(AddressSource::Feed(Arc::clone(feed))),
                Known::Network(network) => {
                    resolved.networks.push(*network);
                    None
                }
                Known::Certificate(name) => {
                    let pattern = fill(name).and_then(|name| CertificatePattern::parse(&name).ok());
                    resolved.certificate.extend(pattern);
                    None
                }
                Known::Mx(_) | Known::AlternativeName(_) => None,
            };
            resolved.sources.extend(source);
        }
        resolved
    }
}

impl Known {
    /// The word for its kind, as it is written in a provider's file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mx(_) => "mx",
            Self::Spf(_) => "spf",
            Self::Host(_) => "hosts",
            Self::Feed(_) => "feed",
            Self::Network(_) => "networks",
            Self::Certificate(_) => "certificate",
            Self::AlternativeName(_) => "alternative_name",
        }
    }

    /// A text that may have the customer in it.
    fn template(&self) -> Option<&str> {
        match self {
            Self::Spf(text) | Self::Certificate(text) => Some(text),
            Self::Mx(_) | Self::Host(_) | Self::Feed(_) | Self::Network(_) | Self::AlternativeName(_) => None,
        }
    }

    fn is_address(&self) -> bool {
        match self {
            Self::Spf(_) | Self::Host(_) | Self::Feed(_) | Self::Network(_) => true,
            Self::Mx(_) | Self::Certificate(_) | Self::AlternativeName(_) => false,
        }
    }

    /// Whether these are addresses that all customers' mail comes from.
    fn is_shared_address(&self) -> bool {
        self.is_address() && self.template().is_none_or(|text| !text.contains(CUSTOMER))
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mx(name) | Self::Host(name) => name.fmt(f),
            Self::Spf(text) | Self::Certificate(text) | Self::AlternativeName(text) => f.write_str(text),
            Self::Feed(feed) => f.write_str(&feed.url),
            Self::Network(network) => network.fmt(f),
        }
    }
}

impl Certainty {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
