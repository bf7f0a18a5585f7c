// SPDX-License-Identifier: GPL-3.0-or-later
//! Who exists: an immutable set of mailboxes and whole domains, 6 octets a mailbox, no allocation per entry.
//!
//! A mailbox is kept as its fingerprint alone, so the addresses cannot be read back; those of 10 million mailboxes take
//! 60 MB, and 20 MB more while a set is built. Filling a builder makes its memory grow by doubling; large memory is moved
//! by the system's page tables then, not copied, and what is never written to is never there.
//! Whole domains are kept as they are: they are few.

use super::fingerprint_table::FingerprintTable;
use super::{Domain, Fingerprint, FingerprintsError, Mailbox, MailboxKey};
use std::collections::HashSet;
use std::fmt;

/// A set of mailboxes.
#[derive(Clone)]
pub struct MailboxSet {
    key: MailboxKey,
    table: FingerprintTable,
    whole_domains: HashSet<Domain>,
}

/// Collects entries for a [`MailboxSet`].
pub struct MailboxSetBuilder {
    key: MailboxKey,
    fingerprints: Vec<u64>,
    whole_domains: HashSet<Domain>,
}

impl Default for MailboxSetBuilder {
    fn default() -> Self {
        Self::with_key(MailboxKey::draw())
    }
}

impl MailboxSetBuilder {
    /// An empty set to fill, with a key drawn for it.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty set to fill, whose fingerprints compare with others of the same key.
    pub fn with_key(key: MailboxKey) -> Self {
        Self { key, fingerprints: Vec::new(), whole_domains: HashSet::new() }
    }

    /// Adds a mailbox. One with an opaque local part names nobody and is left out.
    pub fn insert(&mut self, mailbox: &Mailbox) {
        if let Some(local) = mailbox.folded_local() {
            self.fingerprints.push(self.key.fingerprint(&local, mailbox.host().as_str()).get());
        }
    }

    /// Adds the mailbox that a fingerprint, made with the key of this set, stands for.
    pub fn insert_fingerprint(&mut self, fingerprint: Fingerprint) {
        self.fingerprints.push(fingerprint.get());
    }

    /// Adds `@domain`: every mailbox of the domain exists.
    pub fn insert_domain(&mut self, domain: Domain) {
        self.whole_domains.insert(domain);
    }

    /// The finished set.
    pub fn build(self) -> MailboxSet {
        let Self { key, fingerprints, whole_domains } = self;
        MailboxSet { key, table: FingerprintTable::from_unsorted(fingerprints), whole_domains }
    }
}

impl MailboxSet {
    /// The set of `count` fingerprints made with `key`, which come one by one, each larger than the one before: from a
    /// file, say, where reading can fail. There is never a second copy of them.
    pub fn from_ascending<E>(
        key: MailboxKey,
        count: usize,
        fingerprints: impl IntoIterator<Item = Result<Fingerprint, E>>,
        whole_domains: HashSet<Domain>,
    ) -> Result<Self, FingerprintsError<E>> {
        let table = FingerprintTable::from_ascending(count, fingerprints)?;
        Ok(Self { key, table, whole_domains })
    }

    /// Whether the mailbox itself is in the set. `folded_local` is a local part as [`Mailbox::folded_local`] gives it.
    pub fn contains(&self, folded_local: &str, domain: &Domain) -> bool {
        !self.table.is_empty()
            && self.contains_fingerprint(self.key.fingerprint(folded_local, domain.as_str()))
    }

    /// Whether a mailbox with this fingerprint, made with the key of this set, is in the set.
    pub fn contains_fingerprint(&self, fingerprint: Fingerprint) -> bool {
        self.table.contains(fingerprint)
    }

    /// Whether `@domain` is in the set.
    pub fn contains_whole(&self, domain: &Domain) -> bool {
        !self.whole_domains.is_empty() && self.whole_domains.contains(domain)
    }

    /// The key of its fingerprints.
    pub fn key(&self) -> &MailboxKey {
        &self.key
    }

    /// How many mailboxes there are, whole domains not counted.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty() && self.whole_domains.is_empty()
    }

    /// The fingerprints of the mailboxes, ascending.
    pub fn fingerprints(&self) -> impl ExactSizeIterator<Item = Fingerprint> {
        self.table.iter()
    }

    /// The whole domains, in no order.
    pub fn whole_domains(&self) -> impl ExactSizeIterator<Item = &Domain> {
        self.whole_domains.iter()
    }

    /// Octets of memory that it takes, nearly.
    pub fn size_in_memory(&self) -> usize {
        let names: usize = self.whole_domains.iter().map(|domain| domain.as_str().len()).sum();
        let domains = self.whole_domains.capacity() * size_of::<Domain>() + names;
        size_of::<Self>() + self.table.heap() + domains
    }
}

impl fmt::Debug for MailboxSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domains = self.whole_domains.len();
        f.debug_struct("MailboxSet")
            .field("mailboxes", &self.len())
            .field("whole_domains", &domains)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MailboxSetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mailboxes, domains) = (self.fingerprints.len(), self.whole_domains.len());
        f.debug_struct("MailboxSetBuilder")
            .field("mailboxes", &mailboxes)
            .field("whole_domains", &domains)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn build(entries: &[&str]) -> MailboxSet {
        let mut builder = MailboxSetBuilder::new();
        for entry in entries {
            builder.insert(&Mailbox::parse_strict(entry).unwrap());
        }
        builder.build()
    }

    fn has(set: &MailboxSet, address: &str) -> bool {
        let mailbox = Mailbox::parse(address.as_bytes()).unwrap();
        mailbox.folded_local().is_some_and(|local| set.contains(&local, mailbox.domain().unwrap()))
    }

    #[test]
    fn folds_and_finds() {
        let set = build(&[
            "Ann@A.example",
            "bob@bücher.example",
            "ÖZ@a.example",
            r#""a b"@a.example"#,
            "ann@a.example",
        ]);
        assert_eq!(set.len(), 4);
        for (address, want) in [
            ("ann@a.example", true),
            ("ANN@A.EXAMPLE", true),
            (r#""Ann"@a.example"#, true),
            ("bob@xn--bcher-kva.example", true),
            ("öz@a.example", true),
            (r#""A B"@a.example"#, true),
            ("annn@a.example", false),
            ("ann@b.example", false),
            ("a b@a.example", false),
        ] {
            assert_eq!(has(&set, address), want, "{address}");
        }
    }

    #[test]
    fn every_size_finds_all_of_its_own_and_nothing_else() {
        for size in [0usize, 1, 2, 7, 8, 9, 63, 64, 65, 1000, 20_000] {
            let names: Vec<String> = (0..size).map(|n| format!("user{n}@d{}.example", n % 7)).collect();
            let set = build(&names.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(set.len(), size);
            assert!(names.iter().all(|name| has(&set, name)), "{size}");
            assert!((0..2000).all(|n| !has(&set, &format!("other{n}@d1.example"))), "{size}");
        }
    }

    #[test]
    fn whole_domains_are_apart() {
        let mut builder = MailboxSetBuilder::new();
        builder.insert_domain(Domain::parse("a.example").unwrap());
        let set = builder.build();
        assert!(set.contains_whole(&Domain::parse("A.example").unwrap()));
        assert!(!set.contains_whole(&Domain::parse("b.a.example").unwrap()));
        assert!(!has(&set, "ann@a.example"));
        assert!(!set.is_empty());
        assert_eq!(set.whole_domains().map(Domain::as_str).collect::<Vec<_>>(), ["a.example"]);
    }

    #[test]
    fn a_set_comes_back_from_its_fingerprints() {
        let names: Vec<String> = (0..3000).map(|n| format!("user{n}@d{}.example", n % 7)).collect();
        let set = build(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let key = MailboxKey::from_octets(set.key().to_octets());
        let domains = HashSet::from([Domain::parse("whole.example").unwrap()]);
        let kept = set.fingerprints().map(Ok::<_, Infallible>);
        let back = MailboxSet::from_ascending(key, set.len(), kept, domains).unwrap();
        assert!(names.iter().all(|name| has(&back, name)));
        assert!(!has(&back, "user3000@d1.example"));
        assert!(back.contains_whole(&Domain::parse("whole.example").unwrap()));
        assert!(back.fingerprints().eq(set.fingerprints()));
        assert!(set.fingerprints().all(|one| back.contains_fingerprint(one)));
    }

    #[test]
    fn sets_of_one_key_compare() {
        let key = MailboxKey::draw();
        let of = |name: &str| {
            let mut builder = MailboxSetBuilder::with_key(key.clone());
            builder.insert(&Mailbox::parse_strict(name).unwrap());
            builder.insert_fingerprint(key.fingerprint("ann", "a.example"));
            builder.build().fingerprints().collect::<Vec<_>>()
        };
        assert_eq!(of("ann@a.example").len(), 1);
        assert_eq!(of("Ann@a.example"), of("ann@A.example"));
        assert_ne!(of("ann@a.example"), of("ann@b.example"));
        assert_ne!(of("ann@a.example"), build(&["ann@a.example"]).fingerprints().collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_set_costs_nothing_and_nothing_is_shown() {
        let set = build(&[]);
        assert!(set.is_empty());
        assert!(!has(&set, "ann@a.example"));
        assert_eq!(set.fingerprints().count(), 0);
        assert_eq!(set.size_in_memory(), size_of::<MailboxSet>());
        let set = build(&["ann@a.example"]);
        assert!(set.size_in_memory() <= size_of::<MailboxSet>() + 32, "{}", set.size_in_memory());
        assert_eq!(format!("{set:?}"), "MailboxSet { mailboxes: 1, whole_domains: 0, .. }");
    }
}
