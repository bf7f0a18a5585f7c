// SPDX-License-Identifier: GPL-3.0-or-later
//! Who exists: an immutable set of mailboxes and whole domains, about 9 octets a mailbox, no allocation per entry.
//!
//! A mailbox is kept as a keyed 64-bit fingerprint (SipHash-1-3 over the folded address, with a key drawn for this
//! set), in ascending order, cut into buckets of eight by the fingerprint's top bits: a look-up is one hash, one
//! bucket boundary and one cache line. Of 10 million entries one unknown address in 10^12 is taken for a known one,
//! and without the key nobody can aim for it. The addresses themselves cannot be read back.

use super::{Domain, Mailbox};
use siphasher::sip::SipHasher13;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Entries a bucket holds on average, as a power of two: eight fingerprints are one cache line.
const BUCKET_BITS: u32 = 3;

/// A set of mailboxes.
#[derive(Clone, Debug)]
pub struct MailboxSet {
    key: (u64, u64),
    /// Ascending, without duplicates.
    fingerprints: Box<[u64]>,
    /// Where each bucket begins in `fingerprints`, and at the end their number.
    bucket_starts: Box<[u32]>,
    /// How far a fingerprint is shifted right to give its bucket.
    shift: u32,
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
    ///
    /// # Panics
    /// With more than four thousand million entries, which no memory of the machines that run mail holds.
    pub fn build(self) -> MailboxSet {
        let Self { key, mut fingerprints, whole_domains } = self;
        fingerprints.sort_unstable();
        fingerprints.dedup();
        fingerprints.shrink_to_fit();
        let wanted = (fingerprints.len() >> BUCKET_BITS).max(1).next_power_of_two();
        let bits = wanted.trailing_zeros().max(1);
        let shift = u64::BITS - bits;
        let mut bucket_starts = Vec::with_capacity((1 << bits) + 1);
        let mut at = 0;
        for bucket in 0..(1u64 << bits) {
            bucket_starts.push(index(at));
            while fingerprints.get(at).is_some_and(|&f| f >> shift == bucket) {
                at += 1;
            }
        }
        bucket_starts.push(index(at));
        MailboxSet {
            key,
            fingerprints: fingerprints.into_boxed_slice(),
            bucket_starts: bucket_starts.into_boxed_slice(),
            shift,
            whole_domains,
        }
    }
}

#[allow(clippy::expect_used)] // Four thousand million fingerprints are 32 GB before the set is even built.
fn index(at: usize) -> u32 {
    u32::try_from(at).expect("fewer entries than u32::MAX")
}

impl MailboxSet {
    /// Whether the mailbox itself is in the set. `folded_local` is a local part as [`Mailbox::folded_local`] gives it.
    pub fn contains(&self, folded_local: &str, domain: &Domain) -> bool {
        let wanted = fingerprint(self.key, folded_local, domain.as_str());
        #[allow(clippy::cast_possible_truncation)]
        // A bucket's number is an index into `bucket_starts`, whatever the word size.
        let bucket = (wanted >> self.shift) as usize;
        let (from, to) = (self.bucket_starts[bucket] as usize, self.bucket_starts[bucket + 1] as usize);
        self.fingerprints[from..to].contains(&wanted)
    }

    /// Whether `@domain` is in the set.
    pub fn contains_whole(&self, domain: &Domain) -> bool {
        !self.whole_domains.is_empty() && self.whole_domains.contains(domain)
    }

    /// How many mailboxes there are, whole domains not counted.
    pub fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// How many whole domains there are.
    pub fn whole_domains(&self) -> usize {
        self.whole_domains.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty() && self.whole_domains.is_empty()
    }
}

fn fingerprint(key: (u64, u64), folded_local: &str, host: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key.0, key.1);
    hasher.write(folded_local.as_bytes());
    // A host has no `@`, so the last one parts the two unmistakably.
    hasher.write(b"@");
    hasher.write(host.as_bytes());
    hasher.finish()
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
