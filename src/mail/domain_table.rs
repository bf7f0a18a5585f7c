// SPDX-License-Identifier: GPL-3.0-or-later
//! A table keyed by domain patterns. An exact entry beats a wildcard, a longer wildcard beats a shorter one.

use super::domain::parents;
use super::{Domain, DomainPattern};
use std::collections::HashMap;

/// Values by domain; look-ups cost one hash per label and allocate nothing.
#[derive(Clone, Debug)]
pub struct DomainTable<T> {
    exact: HashMap<Domain, T>,
    below: HashMap<Domain, T>,
}

impl<T> Default for DomainTable<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: HashMap::new() }
    }
}

impl<T> DomainTable<T> {
    /// Sets the value of a pattern and returns the one it had.
    pub fn insert(&mut self, pattern: DomainPattern, value: T) -> Option<T> {
        match pattern {
            DomainPattern::Exact(domain) => self.exact.insert(domain, value),
            DomainPattern::Below(domain) => self.below.insert(domain, value),
        }
    }

    /// The value for a domain, or nothing when no pattern covers it.
    pub fn find(&self, domain: &Domain) -> Option<&T> {
        self.exact.get(domain).or_else(|| {
            if self.below.is_empty() {
                return None;
            }
            parents(domain.as_str()).find_map(|parent| self.below.get(parent))
        })
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.below.values())
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.exact.len() + self.below.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_beats_wildcard_and_long_beats_short() {
        let mut table = DomainTable::default();
        for pattern in ["example.com", "*.example.com", "*.eu.example.com", "a.eu.example.com"] {
            table.insert(DomainPattern::parse(pattern).unwrap(), pattern);
        }
        for (domain, want) in [
            ("example.com", Some("example.com")),
            ("x.example.com", Some("*.example.com")),
            ("y.x.example.com", Some("*.example.com")),
            ("eu.example.com", Some("*.example.com")),
            ("b.eu.example.com", Some("*.eu.example.com")),
            ("a.eu.example.com", Some("a.eu.example.com")),
            ("c.a.eu.example.com", Some("*.eu.example.com")),
            ("badexample.com", None),
            ("com", None),
        ] {
            assert_eq!(table.find(&Domain::parse(domain).unwrap()).copied(), want, "{domain}");
        }
    }
}
