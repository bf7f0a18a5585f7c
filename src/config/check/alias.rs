// SPDX-License-Identifier: GPL-3.0-or-later
//! `alias_of`: a domain that is another name for one that is listed.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::Domain;
use crate::config::wording::{header, meant, quoted};
use crate::mail::{Domain as DomainName, DomainPattern};

/// A table with `alias_of`.
pub(super) struct Alias<'a> {
    pub(super) name: &'a Placed<String>,
    /// The name, if it is one.
    pub(super) pattern: Option<DomainPattern>,
    pub(super) of: &'a Placed<String>,
}

impl Check<'_> {
    /// Says which keys stand beside `alias_of`.
    pub(super) fn beside_alias(&mut self, table: &file::Domain) {
        let file::Domain {
            alias_of,
            mode,
            gateways,
            directories,
            recipients,
            subaddress,
            strip,
            verp,
            unrouted,
            scan,
            verdict,
            reply,
        } = table;
        let Some(of) = alias_of else { return };
        for (key, span) in [
            ("mode", mode.span()),
            ("gateways", gateways.as_ref().and_then(Placed::span)),
            ("directories", directories.as_ref().and_then(Placed::span)),
            ("recipients", recipients.as_ref().and_then(Placed::span)),
            ("subaddress", subaddress.span()),
            ("strip", strip.as_ref().and_then(Placed::span)),
            ("verp", verp.as_ref().and_then(Placed::span)),
            ("unrouted", unrouted.as_ref().and_then(Placed::span)),
            ("scan", scan.as_ref().and_then(Placed::span)),
            ("verdict", verdict.span()),
            ("reply", reply.span()),
        ] {
            if let Some(span) = span {
                let what = format!("`{key}` cannot stand beside `alias_of`");
                let help = format!("take it out: all is as {} says", header(&["domain", of]));
                let place = self.text.place(span);
                self.problems.push(crate::config::Problem::error(place, what).help(help));
            }
        }
    }

    /// The domains that aliases are, each in all else as the one that it names.
    pub(super) fn aliases(&mut self, aliases: Vec<Alias<'_>>, domains: &mut Vec<Domain>) {
        let listed: Vec<String> = domains.iter().map(|domain| domain.pattern.to_string()).collect();
        let mut found = Vec::new();
        let patterns: Vec<Option<DomainPattern>> =
            aliases.iter().map(|alias| alias.pattern.clone()).collect();
        for Alias { name, pattern, of } in aliases {
            let target = match DomainName::parse(of) {
                Ok(target) => target,
                Err(error) => {
                    let what = format!("{} is no domain: {error}", quoted(of));
                    self.error(
                        of,
                        what,
                        "write one domain that is listed in this file, such as \"example.com\"",
                    );
                    continue;
                }
            };
            let exactly = DomainPattern::Exact(target.clone());
            if let Some(domain) = domains.iter().find(|domain| domain.pattern == exactly) {
                let Some(pattern) = pattern else { continue };
                let place = self.place(name);
                found.push(Domain { pattern, alias_of: Some(target), place, ..domain.clone() });
            } else if patterns.contains(&Some(exactly)) {
                let what = format!("{} is an alias itself", quoted(of));
                self.error(of, what, "write the domain that it is an alias of");
            } else if !self.lost.touches(&["domain", target.as_str()]) && !self.lost.touches(&["domain", of])
            {
                let help = match meant(of, listed.iter().map(String::as_str)) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("write a table {}", header(&["domain", of])),
                };
                self.error(of, format!("there is no domain {}", quoted(of)), help);
            }
        }
        domains.extend(found);
    }
}
