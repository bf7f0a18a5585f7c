// SPDX-License-Identifier: GPL-3.0-or-later
//! What else a gateway is known by, and how much of it a client must show: `certificate`, `fingerprint`, `header`,
//! `require`.

use super::Check;
use super::gateway::is_among;
use super::preset::Preset;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::providers::Region;
use crate::config::table::Table;
use crate::config::wording::{header, quoted};
use crate::config::words::{self, AnyOrAll, Factor};
use crate::mail::{CertificateFingerprint, CertificatePattern};
use crate::policy::{HeaderFactor, Require};

/// Longest name of a header, in octets. A line has 998 (RFC 5322 2.1.1), and nobody writes such a name.
const MAX_NAME: usize = 100;

/// Header names that mail has anyway (RFC 5322 3.6, RFC 2045, RFC 6376, RFC 8601).
const TAKEN: [&str; 18] = [
    "Authentication-Results",
    "Bcc",
    "Cc",
    "Comments",
    "Date",
    "Delivered-To",
    "DKIM-Signature",
    "From",
    "In-Reply-To",
    "Keywords",
    "Message-ID",
    "Received",
    "References",
    "Reply-To",
    "Return-Path",
    "Sender",
    "Subject",
    "To",
];
/// Beginnings of such names.
const TAKEN_PREFIXES: [&str; 6] = ["ARC-", "Content-", "List-", "MIME-", "Resent-", "X-Postern-"];

/// The factors that are written for a gateway, right or wrong.
pub(super) struct Has<'a> {
    pub(super) address: bool,
    pub(super) certificate: Option<&'a Placed<Vec<Placed<String>>>>,
    pub(super) fingerprint: Option<&'a Placed<Vec<Placed<String>>>>,
    pub(super) header: Option<&'a Table<file::Header>>,
}

impl Has<'_> {
    /// All of them.
    fn all(&self) -> Require {
        Require::All {
            address: self.address,
            certificate: self.certificate.is_some() || self.fingerprint.is_some(),
            header: self.header.is_some(),
        }
    }
}

impl Check<'_> {
    pub(super) fn certificate(
        &mut self,
        gateway: &str,
        list: &Placed<Vec<Placed<String>>>,
    ) -> Vec<CertificatePattern> {
        let help = "write the name that the gateway's certificate has, or leave the key out";
        self.not_empty(list, &["gateway", gateway, "certificate"], "no certificate would do", help);
        let mut patterns = Vec::new();
        for written in self.once(list) {
            match CertificatePattern::parse(written) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => {
                    let what = format!("{} is no name of a certificate: {error}", quoted(written));
                    let help = "write \"mail.example.com\", or \"*.example.com\" for any host right below";
                    self.error(written, what, help);
                }
            }
        }
        patterns
    }

    pub(super) fn fingerprints(
        &mut self,
        gateway: &str,
        list: &Placed<Vec<Placed<String>>>,
    ) -> Vec<CertificateFingerprint> {
        let help = "write the fingerprint of the gateway's certificate, or leave the key out";
        self.not_empty(list, &["gateway", gateway, "fingerprint"], "no certificate would do", help);
        let mut fingerprints = Vec::new();
        for written in self.once(list) {
            match CertificateFingerprint::parse(written) {
                // One may be written in two ways.
                Ok(fingerprint) if fingerprints.contains(&fingerprint) => {}
                Ok(fingerprint) => fingerprints.push(fingerprint),
                Err(error) => {
                    let what = format!("{} cannot be held against a certificate: {error}", quoted(written));
                    let help =
                        "write what `openssl x509 -in FILE -noout -fingerprint -sha256` says behind the `=`";
                    self.error(written, what, help);
                }
            }
        }
        fingerprints
    }

    /// Fingerprints that nobody will tell of.
    pub(super) fn use_of_fingerprints(&mut self, tables: &Named<file::Gateway>, is_told: bool) {
        if is_told || self.lost.touches(&["policyd"]) {
            return;
        }
        for list in tables.iter().filter_map(|(_, table)| table.fingerprint.as_ref()) {
            let what = "nobody tells of fingerprints: Postfix does so by policy delegation only";
            let help = "write [policyd], and below it `listen = [\"inet:127.0.0.1:8891\"]`, and name it in \
                        smtpd_recipient_restrictions: `check_policy_service inet:127.0.0.1:8891`";
            self.error(list, what, help);
        }
    }

    /// Says which names no MTA will ever tell of this provider's certificate.
    pub(super) fn alternative_names(&mut self, list: &Placed<Vec<Placed<String>>>, preset: &Preset<'_>) {
        for written in list.iter() {
            let known = preset.region.into_iter().flat_map(Region::alternative_names);
            if known.into_iter().any(|name| name.eq_ignore_ascii_case(written)) {
                let what = format!(
                    "{} is an alternative name in this provider's certificate, and no MTA tells those to a milter",
                    quoted(written)
                );
                self.warning(
                    written,
                    what,
                    "take it out: no certificate would ever have it as its common name",
                );
            }
        }
    }

    pub(super) fn header_factor(
        &mut self,
        gateway: &str,
        table: &Table<file::Header>,
    ) -> Option<HeaderFactor> {
        let file::Header { name, value } = &***table;
        let path = ["gateway", gateway, "header"];
        for (key, missing, help) in [
            ("name", name.is_none(), "write the name of the header: `name = \"X-Gateway-Secret\"`"),
            ("value", value.is_none(), "write where its value is kept: `value = { file = \"secret.txt\" }`"),
        ] {
            if missing && !self.lost.touches(&["gateway", gateway, "header", key]) {
                self.error(table, format!("`{key}` is missing in {}", header(&path)), help);
            }
        }
        let name = name.as_ref().map(|name| self.header_name(name));
        let secrets = value.as_ref().map(|value| self.secrets(&path, value));
        Some(HeaderFactor { name: name?, secrets: secrets?.into() })
    }

    fn header_name(&mut self, written: &Placed<String>) -> Box<str> {
        // RFC 5322 3.6.8: printable ASCII without the colon.
        let fits = (1..=MAX_NAME).contains(&written.len())
            && written.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        if fits {
            let is_taken = TAKEN.iter().any(|name| name.eq_ignore_ascii_case(written))
                || TAKEN_PREFIXES.iter().any(|prefix| {
                    written.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
                });
            if is_taken {
                let what = format!("{} is a header that other mail has, too", quoted(written));
                self.error(
                    written,
                    what,
                    "write one that only the gateway adds, such as \"X-Gateway-Secret\"",
                );
            }
        } else {
            let what = format!("{} cannot be the name of a header", quoted(written));
            let help = format!("write letters, digits and dashes without a colon, at most {MAX_NAME}");
            self.error(written, what, help);
        }
        written.as_str().into()
    }

    /// What a client must show, and what is odd about that.
    pub(super) fn require(
        &mut self,
        gateway: &Placed<String>,
        written: Option<&Placed<words::Require>>,
        has: &Has<'_>,
        preset: &Preset<'_>,
    ) -> Require {
        let require = match written.map(|written| (written, &**written)) {
            None | Some((_, words::Require::Word(AnyOrAll::All))) => has.all(),
            Some((_, words::Require::Word(AnyOrAll::Any))) => Require::Any,
            Some((at, words::Require::Factors(factors))) => self.factors(gateway, at, factors, has, preset),
        };
        self.never_a_header_alone(gateway, written, has, require);
        self.idle_factors(has, require);
        if let (Require::All { address: false, certificate: true, header: false }, Some(list), None) =
            (require, has.certificate, has.fingerprint)
        {
            let what = "a certificate alone decides who is this gateway";
            let help = "name addresses as well: from 2026 on public authorities issue no certificates for clients any \
                        more, and mail is refused when the gateway's runs out";
            self.warning(list, what, help);
        }
        require
    }

    fn factors(
        &mut self,
        gateway: &Placed<String>,
        at: &Placed<words::Require>,
        factors: &[Placed<Factor>],
        has: &Has<'_>,
        preset: &Preset<'_>,
    ) -> Require {
        let path = ["gateway", gateway, "require"];
        if factors.is_empty() {
            if !self.lost.touches(&path) {
                self.error(at, "the list is empty: it would let everyone in", "write [\"address\"]");
            }
            return has.all();
        }
        let mut firsts: Vec<&Placed<Factor>> = Vec::new();
        for factor in factors {
            if let Some(first) = firsts.iter().find(|first| **first == factor) {
                self.twice(factor, first, format!("`{}` is listed twice", factor.as_str()));
                continue;
            }
            firsts.push(factor);
            self.has_factor(gateway, factor, has, preset);
        }
        let wants = |factor| firsts.iter().any(|wanted| ***wanted == factor);
        Require::All {
            address: wants(Factor::Address),
            certificate: wants(Factor::Certificate),
            header: wants(Factor::Header),
        }
    }

    /// Says that a factor is required and not there.
    fn has_factor(&mut self, gateway: &str, factor: &Placed<Factor>, has: &Has<'_>, preset: &Preset<'_>) {
        let word = factor.as_str();
        if self.lost.touches(&["gateway", gateway, word]) {
            return;
        }
        let (there, help) = match **factor {
            Factor::Address => (has.address, "write its `networks`, `spf` or `provider`, or take this out"),
            Factor::Header => (has.header.is_some(), "write [gateway.NAME.header], or take this out"),
            Factor::Certificate => {
                let of_provider = !preset.resolved.certificate.is_empty() || preset.failed;
                (
                    has.certificate.is_some() || has.fingerprint.is_some() || of_provider,
                    "write `certificate = [\"mail.example.com\"]`, or take this out",
                )
            }
        };
        if there {
            return;
        }
        let alternative = preset.region.and_then(|region| region.alternative_names().next());
        if let (Factor::Certificate, Some(name)) = (**factor, alternative) {
            let what = format!(
                "the certificate of this provider has its name `{name}` among the alternative names only, and no MTA \
                 tells those to a milter"
            );
            self.error(factor, what, "take this out; a `header` is the second factor to use here");
            return;
        }
        let help = help.replace("NAME", gateway);
        self.error(
            factor,
            format!("`{word}` is required, and {} has none", header(&["gateway", gateway])),
            help,
        );
    }

    /// A header is in every mail that was ever delivered, so that it proves nothing by itself.
    fn never_a_header_alone(
        &mut self,
        gateway: &Placed<String>,
        written: Option<&Placed<words::Require>>,
        has: &Has<'_>,
        require: Require,
    ) {
        let path = ["gateway", gateway];
        let what = "a header alone would let in whoever has ever seen a mail from this gateway";
        let help = "require an address or a certificate as well: `require = [\"address\", \"header\"]`";
        match (require, written, has.header) {
            (Require::Any, Some(written), Some(_)) => self.error(written, what, help),
            (Require::All { address: false, certificate: false, header: true }, Some(written), _)
                if matches!(**written, words::Require::Factors(_)) =>
            {
                self.error(written, what, help);
            }
            (Require::All { address: false, certificate: false, header: true }, _, Some(line))
                if !self.lost.touches(&path) =>
            {
                let help = "write where the gateway delivers from as well: `networks`, `spf`, `provider`, or a `certificate`";
                self.error(line, what, help);
            }
            (Require::Any | Require::All { .. }, _, _) => {}
        }
    }

    /// Says which factors are written and do nothing.
    fn idle_factors(&mut self, has: &Has<'_>, require: Require) {
        let what = |factor: Factor| {
            (
                format!("`{}` is written and not required, so it does nothing", factor.as_str()),
                format!("add \"{}\" to `require`, or take it out", factor.as_str()),
            )
        };
        for list in [has.certificate, has.fingerprint].into_iter().flatten() {
            if !is_among(Factor::Certificate, require) {
                let (what, help) = what(Factor::Certificate);
                self.warning(list, what, help);
            }
        }
        // With `any`, a header has been called an error.
        if let Some(line) =
            has.header.filter(|_| require != Require::Any && !is_among(Factor::Header, require))
        {
            let (what, help) = what(Factor::Header);
            self.warning(line, what, help);
        }
    }
}
