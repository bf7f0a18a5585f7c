// SPDX-License-Identifier: GPL-3.0-or-later
//! The listed domains, each with the table that speaks for it: its own, or that of the domain that it is another name for.
//!
//! What is wrong with a name is said elsewhere; a domain without a usable name is not here.

use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::mail::{Domain, DomainPattern, DomainTable};
use std::collections::HashMap;

/// A domain's place in [`ListedDomains`].
pub(super) type At = usize;

/// One domain.
pub(super) struct Listed<'a> {
    pub(super) name: &'a Placed<String>,
    pub(super) table: &'a file::Domain,
    /// The domain that it is another name for, whose table this is.
    pub(super) alias_of: Option<At>,
}

/// All of them, in the order of the file.
pub(super) struct ListedDomains<'a> {
    list: Vec<Listed<'a>>,
    by_pattern: HashMap<DomainPattern, At>,
    covering: DomainTable<At>,
    aliases: HashMap<At, Vec<At>>,
}

impl<'a> ListedDomains<'a> {
    pub(super) fn new(tables: &'a Named<file::Domain>) -> Self {
        let mut in_order: Vec<_> = tables.iter().collect();
        in_order.sort_by_key(|(name, _)| name.span().map(|span| span.start));
        let (aliases, own): (Vec<_>, Vec<_>) =
            in_order.into_iter().partition(|(_, table)| table.alias_of.is_some());
        let (list, by_pattern, covering) = (Vec::new(), HashMap::new(), DomainTable::default());
        let mut all = Self { list, by_pattern, covering, aliases: HashMap::new() };
        for (name, table) in own {
            all.add(Listed { name, table, alias_of: None });
        }
        for (name, table) in aliases {
            let target = table.alias_of.as_ref().and_then(|of| Domain::parse(of).ok());
            let target = target.and_then(|target| all.find(&DomainPattern::Exact(target)));
            if let Some(target) = target.filter(|target| all.list[*target].alias_of.is_none()) {
                all.add(Listed { name, table: all.list[target].table, alias_of: Some(target) });
            }
        }
        all
    }

    fn add(&mut self, listed: Listed<'a>) {
        let Ok(pattern) = DomainPattern::parse(listed.name) else { return };
        if self.by_pattern.contains_key(&pattern) {
            return;
        }
        let at = self.list.len();
        if let Some(target) = listed.alias_of {
            self.aliases.entry(target).or_default().push(at);
        }
        self.by_pattern.insert(pattern.clone(), at);
        self.covering.insert(pattern, at);
        self.list.push(listed);
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (At, &Listed<'a>)> {
        self.list.iter().enumerate()
    }

    pub(super) fn get(&self, at: At) -> &Listed<'a> {
        &self.list[at]
    }

    /// The domain that is listed under exactly this.
    pub(super) fn find(&self, pattern: &DomainPattern) -> Option<At> {
        self.by_pattern.get(pattern).copied()
    }

    /// The one under which a domain's mail is looked at.
    pub(super) fn covering(&self, domain: &Domain) -> Option<At> {
        self.covering.find(domain).copied()
    }

    /// The ones whose mail an address of this domain can be for: under its own name, and under those that are other names
    /// for it.
    pub(super) fn answering(&self, domain: &Domain) -> Vec<At> {
        let exactly = self.find(&DomainPattern::Exact(domain.clone()));
        let aliases = exactly.map_or(&[][..], |at| self.aliases_of(at));
        self.covering(domain).into_iter().chain(aliases.iter().copied()).collect()
    }

    /// Other names for a domain.
    fn aliases_of(&self, at: At) -> &[At] {
        self.aliases.get(&at).map_or(&[], Vec::as_slice)
    }

    /// A domain and its other names: what is said of it is said of them.
    pub(super) fn with_aliases(&self, at: At) -> impl Iterator<Item = At> {
        std::iter::once(at).chain(self.aliases_of(at).iter().copied())
    }

    /// All names, for messages.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.list.iter().map(|listed| listed.name.as_str())
    }
}
