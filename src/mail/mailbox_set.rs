// SPDX-License-Identifier: GPL-3.0-or-later
//! Who exists: an immutable set of mailboxes and whole domains, 10 octets a mailbox, no allocation per entry.
//!
//! A mailbox is kept as a keyed 64-bit fingerprint (SipHash-1-3 over the folded address, with a key drawn for this set).
//! The fingerprints lie in ascending order in a table a quarter larger than their number, each at the place that its
//! value is in proportion to, or as near after it as there is room: a look-up is one hash and, nearly always, one cache
//! line, for those who exist and those who do not. Of 10 million entries one unknown address in 10^12 is taken for a
//! known one, and without the key nobody can aim for it. The addresses themselves cannot be read back.

use super::{Domain, Mailbox};
use siphasher::sip::SipHasher13;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Stands for no entry; no fingerprint has this value.
const EMPTY: u64 = 0;

/// A set of mailboxes.
#[derive(Clone, Debug)]
pub struct MailboxSet {
    key: (u64, u64),
    /// Fingerprints in ascending order with gaps between them; the last place is always empty.
    places: Box<[u64]>,
    /// How many places fingerprints are spread over; those that run over the end follow.
    spread: u64,
    entries: usize,
    whole_domains: HashSet<Domain>,
}

/// Collects entries for a [`MailboxSet`].
#[derive(Debug)]
pub struct MailboxSetBuilder {
    key: (u64, u64),
    fingerprints: Vec<u64>,
    whole_domains: HashSet<Domain>,
}

impl Default for MailboxSetBuilder {
    fn default() -> Self {
        // The standard library seeds `RandomState` from the operating system.
        let draw = || RandomState::new().build_hasher().finish();
        Self { key: (draw(), draw()), fingerprints: Vec::new(), whole_domains: HashSet::new() }
    }
}

impl MailboxSetBuilder {
    /// An empty set to fill.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a mailbox. One with an opaque local part names nobody and is left out.
    pub fn insert(&mut self, mailbox: &Mailbox) {
        if let Some(local) = mailbox.folded_local() {
            self.fingerprints.push(fingerprint(self.key, &local, mailbox.host().as_str()));
        }
    }

    /// Adds `@domain`: every mailbox of the domain exists.
    pub fn insert_domain(&mut self, domain: Domain) {
        self.whole_domains.insert(domain);
    }

    /// The finished set.
    pub fn build(self) -> MailboxSet {
        let Self { key, mut fingerprints, whole_domains } = self;
        fingerprints.sort_unstable();
        fingerprints.dedup();
        let entries = fingerprints.len();
        let spread = (entries + entries / 4).max(1);
        let mut places = Vec::with_capacity(spread + 1);
        for fingerprint in fingerprints {
            // Those before it are smaller, so theirs are the places up to here.
            let place = home(fingerprint, spread as u64).max(places.len());
            places.resize(place, EMPTY);
            places.push(fingerprint);
        }
        places.resize(places.len().max(spread) + 1, EMPTY);
        MailboxSet { key, places: places.into_boxed_slice(), spread: spread as u64, entries, whole_domains }
    }
}

/// The place that a fingerprint would have in a table of `spread` places if it were alone.
fn home(fingerprint: u64, spread: u64) -> usize {
    let place = (u128::from(fingerprint) * u128::from(spread)) >> u64::BITS;
    #[allow(clippy::cast_possible_truncation)] // Below `spread`, which is a length in memory.
    let place = place as usize;
    place
}

impl MailboxSet {
    /// Whether the mailbox itself is in the set. `folded_local` is a local part as [`Mailbox::folded_local`] gives it.
    pub fn contains(&self, folded_local: &str, domain: &Domain) -> bool {
        let wanted = fingerprint(self.key, folded_local, domain.as_str());
        let from = self.places.get(home(wanted, self.spread)..).unwrap_or_default();
        // Ascending: what is as large or empty ends the search, and the last place is empty.
        from.iter().find(|&&place| place >= wanted || place == EMPTY) == Some(&wanted)
    }

    /// Whether `@domain` is in the set.
    pub fn contains_whole(&self, domain: &Domain) -> bool {
        !self.whole_domains.is_empty() && self.whole_domains.contains(domain)
    }

    /// How many mailboxes there are, whole domains not counted.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// How many whole domains there are.
    pub fn whole_domains(&self) -> usize {
        self.whole_domains.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries == 0 && self.whole_domains.is_empty()
    }
}

fn fingerprint(key: (u64, u64), folded_local: &str, host: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key.0, key.1);
    hasher.write(folded_local.as_bytes());
    // A host has no `@`, so the last one parts the two unmistakably.
    hasher.write(b"@");
    hasher.write(host.as_bytes());
    hasher.finish().max(EMPTY + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
