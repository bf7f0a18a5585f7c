// SPDX-License-Identifier: GPL-3.0-or-later
//! `[gateway.NAME]`: by what each gateway is known.

use super::Check;
use super::addresses::Found;
use super::factors::Has;
use super::preset::Preset;
use crate::config::file::{self, Named};
use crate::config::networks::NetworkList;
use crate::config::placed::Placed;
use crate::config::providers::Providers;
use crate::config::settings::{Gateway, Guard, Reputation};
use crate::config::table::Table;
use crate::config::wording::{header, quoted};
use crate::config::words::{Behind, Factor};
use crate::policy::{Require, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// Longest time that a network may stay that is no longer published.
const MAX_HOLD: Duration = Duration::from_secs(90 * 24 * 3600);

impl Check<'_> {
    pub(super) fn gateways(
        &mut self,
        tables: &Named<file::Gateway>,
        providers: &Providers,
        reputation: &Reputation,
    ) -> Vec<Gateway> {
        // In the order of their names, which is the order of their problems, too.
        tables.iter().map(|(name, table)| self.gateway(name, table, providers, reputation)).collect()
    }

    fn gateway(
        &mut self,
        name: &Placed<String>,
        table: &Table<file::Gateway>,
        providers: &Providers,
        reputation: &Reputation,
    ) -> Gateway {
        let file::Gateway {
            provider,
            customer,
            networks: _,
            files: _,
            spf: _,
            hosts: _,
            feed: _,
            certificate,
            fingerprint,
            header: line,
            require,
            subset_of,
            removal_hold,
            max_shrink,
            behind,
            accept_private,
        } = &***table;
        self.name(name);
        if **name == "any" {
            let what = "a gateway cannot be called `any`: that word stands for everyone";
            self.error(name, what, "give it another name");
        }
        let preset = self.preset(provider.as_ref(), customer.as_ref(), providers);
        let Found { networks, files, sources, any } = self.addresses(name, table, &preset);
        let patterns = certificate.as_ref().map(|list| self.certificate(name, list));
        let fingerprints = fingerprint.as_ref().map(|list| self.fingerprints(name, list)).unwrap_or_default();
        let factor = line.as_ref().map(|line| self.header_factor(name, line));
        let has = Has {
            address: any,
            certificate: certificate.as_ref(),
            fingerprint: fingerprint.as_ref(),
            header: line.as_ref(),
        };
        self.is_known(name, &has);
        let require = self.require(name, require.as_ref(), &has, &preset);
        if let Some(list) = certificate {
            self.alternative_names(list, &preset);
        }
        let certificate = match patterns {
            Some(patterns) => patterns,
            // Only where a certificate is asked for by name: "any" is any of what is written.
            // Nor where fingerprints say which it is.
            None if require != Require::Any && uses_certificate(require) && fingerprint.is_none() => {
                preset.certificate()
            }
            None => Vec::new(),
        };
        if uses_certificate(require) && !certificate.is_empty() {
            self.note_on_certificates(name, &has);
        }
        self.note_on_sharing(provider.as_ref(), &preset, require);
        let subset_of = subset_of.as_ref().map(|list| self.subset_of(name, list)).unwrap_or_default();
        let guard = self.guard(removal_hold.as_ref(), max_shrink.as_ref());
        let published = !sources.is_empty()
            || preset.failed
            || table.spf.is_some()
            || table.hosts.is_some()
            || table.feed.is_some()
            || self.lost.touches(&["gateway", name]);
        let guards = [
            table.subset_of.as_ref().map(|key| self.place(key)),
            removal_hold.as_ref().map(|key| self.place(key)),
            max_shrink.as_ref().map(|key| self.place(key)),
        ];
        for place in guards.into_iter().flatten().filter(|_| !published) {
            let what = "this guards what is published, and this gateway has nothing of that kind";
            let help = "leave it out, or name a `provider`, `spf`, `hosts` or `feed`";
            self.problems.push(crate::config::Problem::warning(place, what).help(help));
        }
        Gateway {
            name: Arc::from(name.as_str()),
            provider: provider.as_ref().map(|written| written.as_str().into()),
            networks,
            files,
            sources,
            certificate,
            fingerprints,
            header: factor.flatten(),
            require,
            subset_of,
            guard,
            behind: behind.as_ref().and_then(|behind| self.behind(behind, reputation)),
            accept_private: *accept_private,
            place: self.place(name),
        }
    }

    /// Something must tell a gateway from everyone else.
    fn is_known(&mut self, name: &Placed<String>, has: &Has<'_>) {
        let Has { address, certificate, fingerprint, header: line } = has;
        let path = ["gateway", name];
        let any = certificate.is_some() || fingerprint.is_some() || line.is_some();
        if *address || any || self.lost.touches(&path) {
            return;
        }
        let what = format!("nothing says where {} delivers from", quoted(name));
        let help = format!(
            "write below {} one of `provider`, `networks`, `files`, `spf`, `hosts` and `feed`, or a `certificate`; such \
             as `networks = [\"192.0.2.0/24\"]`",
            header(&path)
        );
        self.error(name, what, help);
    }

    fn subset_of(&mut self, name: &str, list: &Placed<Vec<Placed<String>>>) -> Vec<crate::mail::Network> {
        let help = "write the networks that everything published must lie in, or leave the key out";
        self.not_empty(list, &["gateway", name, "subset_of"], "nothing would be believed", help);
        let mut networks = NetworkList::default();
        for written in list.iter() {
            networks.add(written, &self.place(written), |problem| self.problems.push(problem));
        }
        networks.finish(|problem| self.problems.push(problem))
    }

    fn guard(&mut self, hold: Option<&Placed<String>>, shrink: Option<&Placed<i64>>) -> Guard {
        let usual = Guard::default();
        let removal_hold = hold.map_or(usual.removal_hold, |written| {
            self.duration(written, MAX_HOLD, "write a number and m, h or d: \"90m\", \"72h\", \"3d\"")
        });
        let max_shrink = match shrink {
            None => usual.max_shrink,
            Some(written) => match u8::try_from(**written) {
                Ok(percent) if percent <= 100 => percent,
                Ok(_) | Err(_) => {
                    let what = format!("`max_shrink` cannot be {}", **written);
                    self.error(written, what, "write a number of percent from 0 to 100");
                    0
                }
            },
        };
        Guard { removal_hold, max_shrink }
    }

    /// Mail from a gateway is never refused for what is behind it.
    fn behind(&mut self, behind: &Placed<Behind>, reputation: &Reputation) -> Option<Verdict> {
        let verdict = match **behind {
            Behind::Switch(false) => return None,
            Behind::Switch(true) => Verdict::Tag,
            Behind::Asks(word) => word.into(),
        };
        if !matches!(verdict, Verdict::Tag | Verdict::Quarantine) {
            let what = format!("`behind` cannot be `{verdict}`");
            let help = "write \"tag\" or \"quarantine\": a gateway's mail is not refused for who handed it to the gateway, \
                        because the gateway would have to bounce it";
            self.error(behind, what, help);
        }
        if reputation.zones.is_empty() && !self.lost.touches(&["reputation"]) {
            let what = "there is no block list to look the client behind the gateway up in";
            self.error(behind, what, "write [reputation], and below it `dnsbl = [\"zen.example\"]`");
        }
        Some(verdict)
    }

    fn note_on_sharing(&mut self, written: Option<&Placed<String>>, preset: &Preset<'_>, require: Require) {
        let (Some(written), Some(region)) = (written, preset.region) else { return };
        let second = match require {
            Require::Any => false,
            Require::All { address: _, certificate, header } => certificate || header,
        };
        if second || !preset.resolved.shared {
            return;
        }
        let what = format!("all customers of {} deliver from these addresses", quoted(&region.written));
        let help = if preset.resolved.certificate.is_empty() {
            "to be sure that mail was scanned for you, let the gateway add a secret `header`, and name it here"
        } else {
            "to be sure that mail was scanned for you, let the gateway add a secret `header`, and name it here; \
             `require = [\"address\", \"certificate\"]` at least proves that it is the provider"
        };
        self.note(written, what, help);
    }

    fn note_on_certificates(&mut self, name: &Placed<String>, has: &Has<'_>) {
        let what = "the MTA tells only the common name of a certificate, and only if it trusts who signed it";
        let help =
            "Postfix needs `smtpd_tls_ask_ccert = yes` and a `smtpd_tls_CAfile`, Sendmail a `confCACERT`";
        match has.certificate {
            Some(list) => self.note(list, what, help),
            None => self.note(name, what, help),
        }
    }
}

/// Whether a certificate counts.
fn uses_certificate(require: Require) -> bool {
    match require {
        Require::Any => true,
        Require::All { address: _, certificate, header: _ } => certificate,
    }
}

/// The factors of a requirement, for messages.
pub(super) fn is_among(factor: Factor, require: Require) -> bool {
    match (require, factor) {
        (Require::Any, Factor::Address | Factor::Certificate) => true,
        (Require::Any, Factor::Header) => false,
        (Require::All { address, .. }, Factor::Address) => address,
        (Require::All { certificate, .. }, Factor::Certificate) => certificate,
        (Require::All { header, .. }, Factor::Header) => header,
    }
}
