// SPDX-License-Identifier: GPL-3.0-or-later
//! `[domain."X"]`: names, what they refer to, and what nobody refers to.

use super::Check;
use crate::config::file::{self, Gateways};
use crate::config::placed::Placed;
use crate::config::settings::{Domain, Source};
use crate::config::table::Table;
use crate::config::wording::{header, meant, quoted};
use crate::config::{Problem, Severity};
use crate::mail::{DomainError, DomainPattern};
use crate::policy::Verdicts;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

type Named<T> = BTreeMap<Placed<String>, Table<T>>;

/// The verdicts of a table; what it leaves out is as above it.
pub(super) fn verdicts(table: &file::Verdicts, above: Verdicts) -> Verdicts {
    let file::Verdicts { source, recipient, loops } = table;
    Verdicts {
        source: source.map_or(above.source, Into::into),
        recipient: recipient.map_or(above.recipient, Into::into),
        loops: loops.map_or(above.loops, Into::into),
    }
}

/// What a list of names refers to: the tables of one kind, and which of them have been named.
struct References<'a> {
    kind: &'static str,
    defined: Vec<&'a str>,
    named: HashSet<&'a str>,
}

impl<'a> References<'a> {
    fn to<T>(kind: &'static str, tables: &'a Named<T>) -> Self {
        Self { kind, defined: tables.keys().map(|name| name.as_str()).collect(), named: HashSet::new() }
    }
}

impl Check<'_> {
    pub(super) fn domains(
        &mut self,
        tables: &Named<file::Domain>,
        above: Verdicts,
        replies: &file::Replies,
        gateways: &Named<file::Gateway>,
        directories: &Named<file::Directory>,
    ) -> Vec<Domain> {
        if tables.is_empty() && !self.lost.touches(&["domain"]) {
            let problem = Problem::new(
                Severity::Warning,
                Some(self.place(None)),
                "no domain is listed, so nothing is guarded",
            );
            self.problems.push(
                problem
                    .help("write a table [domain.\"example.com\"] for each domain that receives mail here"),
            );
        }
        let mut to_gateways = References::to("gateway", gateways);
        let mut to_directories = References::to("directory", directories);
        let mut seen: HashMap<DomainPattern, &Placed<String>> = HashMap::new();
        let mut domains = Vec::new();
        for (name, table) in tables {
            let file::Domain { mode, gateways, directories, subaddress, verdict, reply } = &**table;
            let source = self.source(name, gateways.as_ref(), &mut to_gateways);
            let directories = self.directories_of(name, directories.as_ref(), &mut to_directories);
            let subaddress = self.subaddress(subaddress);
            let replies = self.replies(reply, Some(replies));
            if let Some(place) = reply.not_our_domain.as_ref().map(|_| self.place(name.span())) {
                let what =
                    format!("`not-our-domain` is never the reason for {}, which is listed", quoted(name));
                let help = "write [reply.not-our-domain] at the top, for the domains that are not listed";
                self.problems.push(Problem::warning(place, what).help(help));
            }
            let Some(pattern) = self.pattern(name) else { continue };
            if let Some(first) = seen.insert(pattern.clone(), name) {
                let problem = self
                    .error(name, format!("{} is the same domain as {}", quoted(name), quoted(first)))
                    .help("keep one of the two tables")
                    .see("listed here", self.place(first.span()));
                self.problems.push(problem);
            }
            domains.push(Domain {
                pattern,
                mode: (*mode).into(),
                source,
                directories,
                subaddress,
                verdicts: verdicts(verdict, above),
                replies,
                place: self.place(name.span()),
            });
        }
        self.unused(gateways, &to_gateways);
        self.unused(directories, &to_directories);
        domains
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
        let what = match error {
            DomainError::EmptyLabel
            | DomainError::TooLong
            | DomainError::BadCharacter
            | DomainError::BadUnicode => {
                format!("{} is no domain: {error}", quoted(name))
            }
        };
        let problem = self.error(name, what).help(help);
        self.problems.push(problem);
        None
    }

    fn source<'a>(
        &mut self,
        domain: &Placed<String>,
        gateways: Option<&'a Placed<Gateways>>,
        references: &mut References<'a>,
    ) -> Source {
        let Some(gateways) = gateways else {
            if !self.lost.touches(&["domain", domain, "gateways"]) {
                let problem = self
                    .error(domain, format!("`gateways` is missing in {}", header(&["domain", domain])))
                    .help("write the gateways that deliver for it, or `gateways = \"any\"` if everyone may");
                self.problems.push(problem);
            }
            return Source::Any;
        };
        match &**gateways {
            Gateways::Any(file::Any::Any) => Source::Any,
            Gateways::Named(names) => {
                if names.is_empty() && !self.lost.touches(&["domain", domain, "gateways"]) {
                    let problem = self.error(gateways, "the list is empty: it would let nobody in").help(
                        "write the gateways that deliver for it, or `gateways = \"any\"` if everyone may",
                    );
                    self.problems.push(problem);
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
        let lost = self.lost.touches(&["domain", domain, "directories"]);
        match directories {
            Some(names) => {
                if names.is_empty() && !lost {
                    let problem = self
                        .error(names, "the list is empty: no recipient would exist")
                        .help("write the directories that know its recipients, or leave the key out");
                    self.problems.push(problem);
                }
                self.references(names, references)
            }
            None => {
                if !lost {
                    let what = format!("the recipients of {} are not checked", quoted(domain));
                    let note = Problem::note(self.place(domain.span()), what);
                    self.problems.push(
                        note.help("write `directories = [...]` to refuse mail for those that do not exist"),
                    );
                }
                Vec::new()
            }
        }
    }

    /// Names of tables, each of which must be there, and each of which is named once.
    fn references<'a>(&mut self, names: &'a [Placed<String>], to: &mut References<'a>) -> Vec<Arc<str>> {
        for (at, name) in names.iter().enumerate() {
            to.named.insert(name.as_str());
            if let Some(first) = names[..at].iter().find(|other| *other == name) {
                let problem = self
                    .error(name, format!("{} is listed twice", quoted(name)))
                    .help("keep one of the two")
                    .see("listed here", self.place(first.span()));
                self.problems.push(problem);
            } else if !to.defined.contains(&name.as_str()) && !self.lost.touches(&[to.kind, name]) {
                let kind = to.kind;
                let help = if kind == "gateway" && **name == "any" && names.len() == 1 {
                    "write `gateways = \"any\"`, without the brackets, if everyone may deliver".to_owned()
                } else {
                    match meant(name, to.defined.iter().copied()) {
                        Some(defined) => format!("did you mean `{defined}`?"),
                        None => format!("write a table {}", header(&[kind, name])),
                    }
                };
                let problem = self.error(name, format!("there is no {kind} {}", quoted(name))).help(help);
                self.problems.push(problem);
            }
        }
        names.iter().map(|name| Arc::from(name.as_str())).collect()
    }

    /// Tables that no domain names.
    fn unused<T>(&mut self, tables: &Named<T>, references: &References<'_>) {
        if self.lost.touches(&["domain"]) {
            return;
        }
        for name in tables.keys().filter(|name| !references.named.contains(name.as_str())) {
            let kind = references.kind;
            let plural = if kind == "gateway" { "gateways" } else { "directories" };
            let problem = self
                .warning(name, format!("no domain uses the {kind} {}", quoted(name)))
                .help(format!("name it under `{plural}` of a domain, or take it out"));
            self.problems.push(problem);
        }
    }

    fn subaddress(&mut self, written: &Placed<String>) -> Box<str> {
        // What stands in a local part without quotes (RFC 5321 4.1.2), letters and digits apart.
        let fits = |c: char| c.is_ascii_punctuation() && !"\"(),:;<>@[\\]".contains(c);
        if let Some(c) = written.chars().find(|&c| !fits(c)) {
            let problem = self
                .error(
                    written,
                    format!("{} cannot part a subaddress from its mailbox", quoted(&c.to_string())),
                )
                .help("write one or more of ! # $ % & ' * + - . / = ? ^ _ ` { | } ~, or \"\" to turn it off");
            self.problems.push(problem);
        }
        written.as_str().into()
    }
}
