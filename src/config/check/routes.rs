// SPDX-License-Identifier: GPL-3.0-or-later
//! `[[route]]`: for whom each rule is and where it leads. Which rules can never match is found in `reach.rs`.

use super::Check;
use super::groups::Written;
use super::listed::{At, ListedDomains};
use super::references::Tables;
use crate::config::Problem;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::Route;
use crate::config::table::Table;
use crate::config::tree::ELEMENT;
use crate::config::wording::{header, meant, quoted};
use crate::mail::{DomainPattern, Mailbox};
use crate::policy::GroupName;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A rule, as far as it could be read.
pub(super) struct Rule<'a> {
    pub(super) table: &'a Table<file::Route>,
    pub(super) name: Option<&'a Placed<String>>,
    /// The listed domains that it names; nothing means all of them.
    pub(super) domains: Option<Vec<(At, &'a Placed<String>)>>,
    /// These and those that are other names for them.
    set: HashSet<At>,
    pub(super) groups: Vec<(GroupName, &'a Written)>,
    pub(super) recipients: Vec<(Mailbox, &'a Placed<String>)>,
    pub(super) to: Option<&'a Placed<String>>,
}

impl Rule<'_> {
    /// Whether it is for mail of this domain.
    pub(super) fn covers(&self, domain: At) -> bool {
        self.domains.is_none() || self.set.contains(&domain)
    }

    /// The domains whose mail it is for, of all that there are.
    pub(super) fn covered(&self, domains: &ListedDomains<'_>) -> Vec<At> {
        match &self.domains {
            None => (0..domains.len()).collect(),
            Some(list) => list.iter().flat_map(|(at, _)| domains.with_aliases(*at)).collect(),
        }
    }

    /// Whether it is for everyone in its domains.
    pub(super) fn is_for_everyone(&self) -> bool {
        self.table.groups.is_none() && self.table.recipients.is_none()
    }

    /// What it is called in messages.
    pub(super) fn called(&self) -> String {
        self.name
            .map_or_else(|| "a rule without a name".to_owned(), |name| format!("the rule {}", quoted(name)))
    }
}

impl Check<'_> {
    pub(super) fn rules<'a>(
        &mut self,
        tables: &'a [Table<file::Route>],
        directories: &'a Named<file::Directory>,
        domains: &ListedDomains<'_>,
        names: &mut Tables<'a>,
    ) -> Vec<Rule<'a>> {
        let mut firsts: HashMap<&str, &Placed<String>> = HashMap::new();
        let mut rules = Vec::new();
        for table in tables {
            let file::Route { name, groups, recipients, domains: of, to } = &***table;
            self.must_have(table, "name", name.is_none(), "write a name for it, such as `name = \"sales\"`");
            self.must_have(
                table,
                "to",
                to.is_none(),
                "write the server that this mail goes to: `to = \"exchange\"`",
            );
            if let Some(name) = name {
                self.name(name);
                match firsts.get(name.as_str()) {
                    Some(first) => {
                        let what = format!("there are two rules {}", quoted(name));
                        let problem =
                            Problem::error(self.place(name), what).help("give one of them another name");
                        self.problems.push(problem.see("the first one", self.place(first)));
                    }
                    None => drop(firsts.insert(name, name)),
                }
            }
            if let Some(to) = to {
                self.refer(to, to.as_str(), &mut names.servers, None);
            }
            let domain_list = of.as_ref().map(|list| self.domains_of(list, domains));
            let mut rule = Rule {
                table,
                name: name.as_ref(),
                set: domain_list.iter().flatten().flat_map(|(at, _)| domains.with_aliases(*at)).collect(),
                domains: domain_list,
                groups: groups.as_ref().map(|list| self.groups(list, directories, names)).unwrap_or_default(),
                recipients: Vec::new(),
                to: to.as_ref(),
            };
            if let Some(list) = recipients {
                rule.recipients = self.recipients_of(&rule, list, domains);
            }
            rules.push(rule);
        }
        rules
    }

    fn must_have(&mut self, table: &Table<file::Route>, key: &str, is_missing: bool, help: &str) {
        if is_missing && !self.lost.touches(&["route", ELEMENT, key]) {
            self.error(table, format!("`{key}` is missing in [[route]]"), help);
        }
    }

    fn domains_of<'a>(
        &mut self,
        list: &'a Placed<Vec<Placed<String>>>,
        domains: &ListedDomains<'_>,
    ) -> Vec<(At, &'a Placed<String>)> {
        let help =
            "write domains that are listed in this file, or leave the key out: then it is for all of them";
        self.not_empty(list, &["route", ELEMENT, "domains"], "the rule would be for nobody", help);
        let mut found: Vec<(At, &Placed<String>)> = Vec::new();
        let mut firsts: HashMap<At, &Placed<String>> = HashMap::new();
        for written in list.iter() {
            let pattern = match DomainPattern::parse(written) {
                Ok(pattern) => pattern,
                Err(error) => {
                    let what = format!("{} is no domain: {error}", quoted(written));
                    self.error(
                        written,
                        what,
                        "write a domain that is listed in this file, such as \"example.com\"",
                    );
                    continue;
                }
            };
            let Some(at) = domains.find(&pattern) else {
                self.not_listed(written, &pattern, domains);
                continue;
            };
            if let Some(first) = firsts.get(&at) {
                self.twice(written, first, format!("{} is listed twice", quoted(written)));
                continue;
            }
            firsts.insert(at, written);
            found.push((at, written));
        }
        found
    }

    fn not_listed(&mut self, written: &Placed<String>, pattern: &DomainPattern, domains: &ListedDomains<'_>) {
        let (DomainPattern::Exact(name) | DomainPattern::Below(name)) = pattern;
        if self.lost.touches(&["domain", written]) || self.lost.touches(&["domain", &pattern.to_string()]) {
            return;
        }
        if let Some(at) = domains.covering(name) {
            let over = domains.get(at).name;
            let what =
                format!("{} is not listed by itself: its mail is that of {}", quoted(written), quoted(over));
            let help = format!("write {}, or a table {}", quoted(over), header(&["domain", written]));
            self.error(written, what, help);
            return;
        }
        let help = match meant(written, domains.names()) {
            Some(meant) => format!("did you mean {}?", quoted(meant)),
            None => format!("write a table {}", header(&["domain", written])),
        };
        self.error(written, format!("there is no domain {}", quoted(written)), help);
    }

    fn recipients_of<'a>(
        &mut self,
        rule: &Rule<'a>,
        list: &'a Placed<Vec<Placed<String>>>,
        domains: &ListedDomains<'_>,
    ) -> Vec<(Mailbox, &'a Placed<String>)> {
        let help = "write the addresses that it is for, or leave the key out";
        self.not_empty(list, &["route", ELEMENT, "recipients"], "the rule would be for nobody", help);
        let mut found = Vec::new();
        let mut firsts: HashMap<(Option<String>, String), &Placed<String>> = HashMap::new();
        for written in list.iter() {
            let mailbox = match Mailbox::parse_strict(written) {
                Ok(mailbox) => mailbox,
                Err(error) => {
                    let what = format!("{} is no address: {error}", quoted(written));
                    let help = match written.strip_prefix('@').map(DomainPattern::parse) {
                        Some(Ok(pattern)) => {
                            format!("for all of a domain write `domains = [\"{pattern}\"]`")
                        }
                        Some(Err(_)) | None => "write an address such as \"ann@example.com\"".to_owned(),
                    };
                    self.error(written, what, help);
                    continue;
                }
            };
            if let Some(first) = firsts.get(&key(&mailbox)) {
                self.twice(written, first, format!("{} is listed twice", quoted(written)));
                continue;
            }
            firsts.insert(key(&mailbox), written);
            if mailbox.folded_local().is_some_and(|local| local.contains('*')) {
                let help = "for all of a domain leave `recipients` out, and write `domains = [...]`";
                self.warning(written, "`*` stands for itself in an address", help);
            }
            self.within(rule, &mailbox, written, domains);
            found.push((mailbox, written));
        }
        found
    }

    /// An address must be in a listed domain, and in one of the rule's.
    fn within(
        &mut self,
        rule: &Rule<'_>,
        mailbox: &Mailbox,
        written: &Placed<String>,
        domains: &ListedDomains<'_>,
    ) {
        let host = mailbox.host().as_str();
        let Some(domain) = mailbox.domain() else {
            self.error(written, format!("{} is in no domain", quoted(written)), "take it out");
            return;
        };
        let answering = domains.answering(domain);
        if answering.is_empty() {
            if !self.lost.touches(&["domain"]) {
                let what = format!("{} is in no domain that is listed", quoted(written));
                let help = match meant(host, domains.names()) {
                    Some(meant) => format!("did you mean {}?", quoted(&format!("@{meant}"))),
                    None => format!("write a table {}, or take it out", header(&["domain", host])),
                };
                self.error(written, what, help);
            }
        } else if rule.domains.is_some()
            && !answering.iter().any(|at| rule.covers(*at))
            && !self.lost.touches(&["route", ELEMENT, "domains"])
            && let Some(list) = &rule.table.domains
        {
            let over = answering.first().map_or(host, |at| domains.get(*at).name.as_str());
            let what = format!("{} is in none of the rule's domains", quoted(written));
            let problem = Problem::error(self.place(written), what);
            let problem = problem.help(format!("add {} to `domains`, or take the address out", quoted(over)));
            self.problems.push(problem.see("it is for these only", self.place(list)));
        }
    }

    /// The rules as they are used; with an error nobody will ever see them.
    pub(super) fn settled_routes(&self, rules: &[Rule<'_>]) -> Vec<Route> {
        let route = |rule: &Rule<'_>| {
            let pattern = |written: &Placed<String>| DomainPattern::parse(written).ok();
            Some(Route {
                name: Arc::from(rule.name?.as_str()),
                groups: rule.groups.iter().map(|(group, _)| group.clone()).collect(),
                recipients: rule.recipients.iter().map(|(mailbox, _)| mailbox.clone()).collect(),
                domains: rule
                    .domains
                    .as_ref()
                    .map(|list| list.iter().filter_map(|(_, written)| pattern(written)).collect()),
                to: Arc::from(rule.to?.as_str()),
                place: self.place(rule.table),
            })
        };
        rules.iter().filter_map(route).collect()
    }
}

/// What an address is compared by.
pub(super) fn key(mailbox: &Mailbox) -> (Option<String>, String) {
    (mailbox.folded_local(), mailbox.host().as_str().to_owned())
}
