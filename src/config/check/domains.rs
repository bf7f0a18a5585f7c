// SPDX-License-Identifier: GPL-3.0-or-later
//! `[domain."X"]`: names, what they refer to, and what nobody refers to.

use super::Check;
use super::alias::Alias;
use super::references::{References, Tables};
use super::replies::Use;
use crate::config::Problem;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::{Domain, Source};
use crate::config::wording::{header, quoted};
use crate::config::words::{Any, Gateways};
use crate::mail::DomainPattern;
use crate::policy::Verdicts;
use std::collections::HashMap;
use std::sync::Arc;

/// The verdicts of a table; what it leaves out is as above it.
pub(super) fn verdicts(table: &file::Verdicts, above: Verdicts) -> Verdicts {
    let file::Verdicts { source, recipient, route, loops, reputation } = table;
    Verdicts {
        source: source.map_or(above.source, Into::into),
        recipient: recipient.map_or(above.recipient, Into::into),
        route: route.map_or(above.route, Into::into),
        loops: loops.map_or(above.loops, Into::into),
        reputation: reputation.map_or(above.reputation, Into::into),
    }
}

impl Check<'_> {
    pub(super) fn domains<'a>(
        &mut self,
        tables: &'a Named<file::Domain>,
        above: Verdicts,
        replies: &file::Replies,
        names: &mut Tables<'a>,
        used: &Use<'_>,
    ) -> Vec<Domain> {
        if tables.is_empty() && !self.lost.touches(&["domain"]) {
            let problem =
                Problem::warning(self.text.place(0..0), "no domain is listed, so nothing is guarded");
            let help = "write a table [domain.\"example.com\"] for each domain that receives mail here";
            self.problems.push(problem.help(help));
        }
        let mut seen: HashMap<DomainPattern, &Placed<String>> = HashMap::new();
        let mut domains = Vec::new();
        let mut unchecked = Vec::new();
        let mut aliases = Vec::new();
        // In the order of the file, so that of two names for one domain the second is the one too many.
        let mut in_order: Vec<_> = tables.iter().collect();
        in_order.sort_by_key(|(name, _)| name.span().map(|span| span.start));
        for (name, table) in in_order {
            if let Some(of) = &table.alias_of {
                self.beside_alias(table);
                let pattern = self.pattern(name);
                if let Some(pattern) = &pattern {
                    self.once_listed(&mut seen, pattern, name);
                }
                aliases.push(Alias { name, pattern, of });
                continue;
            }
            let file::Domain {
                alias_of: _,
                mode,
                gateways: from,
                directories: of,
                recipients,
                subaddress,
                strip,
                verp,
                unrouted,
                scan,
                verdict,
                reply,
            } = &***table;
            let source = self.source(name, from.as_ref(), &mut names.gateways);
            if of.is_none()
                && recipients.is_none()
                && !["alias_of", "directories", "recipients"]
                    .iter()
                    .any(|key| self.lost.touches(&["domain", name, key]))
            {
                unchecked.push(name);
            }
            let directories = self.directories_of(name, of.as_ref(), &mut names.directories);
            let mut verdicts = verdicts(verdict, above);
            let recipients = self.recipients(name, table, &mut verdicts);
            let subaddress = self.subaddress(subaddress);
            let strip = self.strip(name, strip.as_ref());
            let verp = self.verp(name, verp.as_ref());
            let replies = self.replies(reply, Some(replies));
            if let Some(reply) = &reply.not_our_domain {
                let what =
                    format!("`not-our-domain` is never the reason for {}, which is listed", quoted(name));
                self.warning(reply, what, "write [reply.not-our-domain], for domains that are not listed");
            }
            let unrouted = unrouted.as_ref().and_then(|written| self.unrouted(written, &mut names.servers));
            let scan = scan.as_ref().and_then(|table| self.domain_scan(name, table, names));
            let Some(pattern) = self.pattern(name) else { continue };
            self.once_listed(&mut seen, &pattern, name);
            let domain = Domain {
                pattern,
                mode: (**mode).into(),
                source,
                directories,
                recipients,
                subaddress,
                strip,
                verp,
                alias_of: None,
                unrouted,
                scan,
                verdicts,
                replies,
                place: self.place(name),
            };
            self.use_of_replies(reply, &Use { domains: std::slice::from_ref(&domain), ..*used });
            domains.push(domain);
        }
        self.aliases(aliases, &mut domains);
        self.unchecked(&unchecked);
        domains
    }

    /// Says that a domain is listed twice.
    fn once_listed<'a>(
        &mut self,
        seen: &mut HashMap<DomainPattern, &'a Placed<String>>,
        pattern: &DomainPattern,
        name: &'a Placed<String>,
    ) {
        if let Some(first) = seen.insert(pattern.clone(), name) {
            self.twice(name, first, format!("{} is the same domain as {}", quoted(name), quoted(first)));
        }
    }

    fn pattern(&mut self, name: &Placed<String>) -> Option<DomainPattern> {
        let error = match DomainPattern::parse(name) {
            Ok(pattern) => return Some(pattern),
            Err(error) => error,
        };
        let help = if let Some((_, domain)) = name.rsplit_once('@') {
            format!("write the domain alone: {}", header(&["domain", domain]))
        } else if name.starts_with('.') && name.len() > 1 {
            format!("write {} for everything below it", header(&["domain", &format!("*{}", **name)]))
        } else {
            "write a name such as \"example.com\", or \"*.example.com\" for everything below it".to_owned()
        };
        self.error(name, format!("{} is no domain: {error}", quoted(name)), help);
        None
    }

    fn source<'a>(
        &mut self,
        domain: &Placed<String>,
        gateways: Option<&'a Placed<Gateways>>,
        references: &mut References<'a>,
    ) -> Source {
        let path = ["domain", domain, "gateways"];
        let help = "write the gateways that deliver for it, or `gateways = \"any\"` if everyone may";
        match gateways.map(|gateways| (gateways, &**gateways)) {
            None => {
                if !self.lost.touches(&path) && !self.lost.touches(&["domain", domain, "alias_of"]) {
                    let what = format!("`gateways` is missing in {}", header(&["domain", domain]));
                    self.error(domain, what, help);
                }
                Source::Any
            }
            Some((_, Gateways::Any(Any::Any))) => Source::Any,
            Some((written, Gateways::Named(names))) => {
                if names.is_empty() && !self.lost.touches(&path) {
                    self.error(written, "the list is empty: it would let nobody in", help);
                }
                Source::Gateways(self.references(names, references))
            }
        }
    }

    fn directories_of<'a>(
        &mut self,
        domain: &Placed<String>,
        directories: Option<&'a Placed<Vec<Placed<String>>>>,
        references: &mut References<'a>,
    ) -> Vec<Arc<str>> {
        let path = ["domain", domain, "directories"];
        if let Some(names) = directories {
            let help = "write the directories that know its recipients, or leave the key out";
            self.not_empty(names, &path, "no recipient would exist", help);
            return self.references(names, references);
        }
        Vec::new()
    }

    /// Names the domains whose recipients are not checked: each of a few, many together.
    fn unchecked(&mut self, domains: &[&Placed<String>]) {
        const FEW: usize = 3;
        let help = "write `directories = [...]` to refuse mail for those that do not exist";
        if let [first, ..] = domains
            && domains.len() > FEW
        {
            let named: Vec<String> = domains[..FEW].iter().map(|domain| quoted(domain)).collect();
            let (all, more) = (domains.len(), domains.len() - FEW);
            let what = format!(
                "the recipients of {all} domains are not checked: {} and {more} more",
                named.join(", ")
            );
            self.note(first, what, help);
            return;
        }
        for domain in domains {
            self.note(domain, format!("the recipients of {} are not checked", quoted(domain)), help);
        }
    }
}
