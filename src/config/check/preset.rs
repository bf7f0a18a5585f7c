// SPDX-License-Identifier: GPL-3.0-or-later
//! `provider` and `customer` of a gateway.

use super::Check;
use crate::config::placed::Placed;
use crate::config::providers::{NoRegion, Provider, Providers, Region, Resolved};
use crate::config::wording::{list, meant, meant_or_all, quoted};
use crate::mail::{CertificatePattern, Domain};

/// What a gateway has from its provider.
#[derive(Default)]
pub(super) struct Preset<'p> {
    /// The provider's region.
    pub(super) region: Option<&'p Region>,
    /// What it comes to.
    pub(super) resolved: Resolved,
    /// Whether a provider is written that could not be used, which has been said.
    pub(super) failed: bool,
}

impl Preset<'_> {
    /// The names of the provider's certificates.
    pub(super) fn certificate(&self) -> Vec<CertificatePattern> {
        self.resolved.certificate.clone()
    }
}

impl Check<'_> {
    pub(super) fn preset<'p>(
        &mut self,
        written: Option<&Placed<String>>,
        customer: Option<&Placed<String>>,
        providers: &'p Providers,
    ) -> Preset<'p> {
        let Some(written) = written else {
            if let Some(customer) = customer {
                self.error(customer, "`customer` is for a `provider`, and there is none", "leave it out");
            }
            return Preset::default();
        };
        let failed = Preset { failed: true, ..Preset::default() };
        let region = match providers.region(written) {
            Ok(region) => region,
            Err(no_region) => {
                self.no_region(written, &no_region, providers);
                return failed;
            }
        };
        let provider = providers.provider_of(region);
        let Ok(customer) = self.customer(written, customer, region, provider) else { return failed };
        if !region.has_addresses() {
            let what = format!("no addresses of {} are known", quoted(written));
            let help = "take `provider` out, and write the addresses that you were given under `networks`";
            self.error(written, what, help);
            return failed;
        }
        Preset { region: Some(region), resolved: region.resolve(customer.as_deref()), failed: false }
    }

    fn no_region(&mut self, written: &Placed<String>, no_region: &NoRegion<'_>, providers: &Providers) {
        let regions = |provider: &Provider| -> Vec<String> {
            provider.regions.iter().filter_map(|region| Some(region.name.as_ref()?.to_string())).collect()
        };
        let (name, region) = written.split_once('/').unwrap_or((written, ""));
        let (what, help) = match no_region {
            NoRegion::Provider => {
                let names = providers.iter().flat_map(Provider::names);
                let help = match meant(name, names) {
                    Some(near) => format!("did you mean `{near}`? `postern gateways providers` lists all"),
                    None => "`postern gateways providers` lists those that are known".to_owned(),
                };
                (format!("there is no provider {}", quoted(name)), help)
            }
            NoRegion::Region(provider) => {
                let names = regions(provider);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let help = if names.is_empty() {
                    format!("it has no regions: write `provider = \"{}\"`", provider.name)
                } else {
                    meant_or_all(region, &names, "known here:", "")
                };
                (format!("`{}` has no region {}", provider.name, quoted(region)), help)
            }
            NoRegion::Several(provider) => {
                let names = regions(provider);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let first = names.first().copied().unwrap_or_default();
                let help = format!("write \"{}/{first}\"; its regions: {}", provider.name, list(&names));
                (format!("the region of `{}` is missing", provider.name), help)
            }
        };
        self.error(written, what, help);
    }

    /// The customer in the form in which it stands in names; an error when it is missing or wrong, which has been said.
    fn customer(
        &mut self,
        written: &Placed<String>,
        customer: Option<&Placed<String>>,
        region: &Region,
        provider: Option<&Provider>,
    ) -> Result<Option<String>, ()> {
        let what_it_is = provider.and_then(|provider| provider.customer.as_deref()).unwrap_or_default();
        match (customer, region.needs_customer()) {
            (None, false) => Ok(None),
            (None, true) => {
                let what =
                    format!("{} has addresses for each customer, and `customer` is missing", quoted(written));
                self.error(written, what, format!("write `customer = \"...\"`: {what_it_is}"));
                Err(())
            }
            (Some(customer), false) => {
                let what = format!("{} has the same addresses for all customers", quoted(written));
                self.error(customer, what, "leave `customer` out");
                Ok(None)
            }
            (Some(customer), true) => {
                if let Ok(domain) = Domain::parse(customer) {
                    return Ok(Some(domain.as_str().to_owned()));
                }
                let what = format!("{} cannot be a customer of {}", quoted(customer), quoted(written));
                self.error(customer, what, format!("write {what_it_is}"));
                Err(())
            }
        }
    }
}
