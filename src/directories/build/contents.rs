// SPDX-License-Identifier: GPL-3.0-or-later
//! What is kept in memory of the records of a snapshot while they go by: eight octets an address, and what is few.

use super::address::Address;
use crate::config::SyncRules;
use crate::directories::record::Record;
use crate::directories::snapshot::Entry;
use crate::mail::{Domain, DomainPattern, DomainTable, MailboxKey, RecipientKind};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher as _;
use std::sync::Arc;

/// Most whole domains, and most patterns.
pub(super) const MOST_WIDE: usize = 1_000_000;

/// The domains that addresses are kept of.
#[derive(Debug)]
pub(super) struct Served {
    /// In ascending order.
    pub(super) patterns: Vec<Box<str>>,
    table: DomainTable<usize>,
}

impl Served {
    pub(super) fn new(patterns: &[DomainPattern]) -> Self {
        let mut sorted: Vec<(Box<str>, &DomainPattern)> =
            patterns.iter().map(|pattern| (pattern.to_string().into(), pattern)).collect();
        sorted.sort();
        sorted.dedup();
        let mut table = DomainTable::default();
        for (index, (_, pattern)) in sorted.iter().enumerate() {
            table.insert((*pattern).clone(), index);
        }
        Self { patterns: sorted.into_iter().map(|(text, _)| text).collect(), table }
    }

    /// Whether a domain is served.
    pub(super) fn has(&self, domain: &Domain) -> bool {
        self.table.find(domain).is_some()
    }

    /// Under which pattern an address is, if it is under any.
    pub(super) fn find(&self, address: &Address) -> Option<usize> {
        self.table.find(address.domain()?).copied()
    }
}

/// What the records of a snapshot have come to.
#[derive(Debug)]
pub(super) struct Contents {
    served: Arc<Served>,
    key: MailboxKey,
    patterns_allowed: bool,
    /// Of all addresses, as they come.
    pub(super) fingerprints: Vec<u64>,
    /// Of those for internal clients alone.
    pub(super) internal_only: Vec<u64>,
    pub(super) kinds: BTreeMap<RecipientKind, u64>,
    pub(super) by_served: Vec<u64>,
    pub(super) whole_domains: BTreeSet<Box<str>>,
    pub(super) patterns: BTreeSet<Box<str>>,
    /// Whether there are groups, and memberships among records.
    pub(super) groups: bool,
    pub(super) members: bool,
    pub(super) entries: u64,
    digest: u128,
}

impl Contents {
    pub(super) fn new(served: &Arc<Served>, key: &MailboxKey, rules: &SyncRules) -> Self {
        Self {
            served: Arc::clone(served),
            key: key.clone(),
            patterns_allowed: rules.patterns,
            fingerprints: Vec::new(),
            internal_only: Vec::new(),
            kinds: BTreeMap::new(),
            by_served: vec![0; served.patterns.len()],
            whole_domains: BTreeSet::new(),
            patterns: BTreeSet::new(),
            groups: false,
            members: false,
            entries: 0,
            digest: 0,
        }
    }

    /// Nothing, under the same terms.
    pub(super) fn emptied(&self) -> Self {
        Self {
            served: Arc::clone(&self.served),
            key: self.key.clone(),
            fingerprints: Vec::new(),
            internal_only: Vec::new(),
            kinds: BTreeMap::new(),
            by_served: vec![0; self.served.patterns.len()],
            whole_domains: BTreeSet::new(),
            patterns: BTreeSet::new(),
            ..*self
        }
        .restarted()
    }

    fn restarted(mut self) -> Self {
        (self.groups, self.members, self.entries, self.digest) = (false, false, 0, 0);
        self
    }

    pub(super) fn key(&self) -> &MailboxKey {
        &self.key
    }

    pub(super) fn served(&self) -> &Served {
        &self.served
    }

    /// The digest of all records, in hexadecimal.
    pub(super) fn digest(&self) -> Box<str> {
        format!("{:032x}", self.digest).into()
    }

    /// Reads an address as this directory takes them.
    pub(super) fn read(&self, text: &str) -> Result<Address, String> {
        Address::read(text, self.patterns_allowed)
    }

    /// The fingerprint of an address, unless it stands for many.
    pub(super) fn fingerprint(&self, text: &str) -> Option<u64> {
        match self.read(text) {
            Ok(Address::Mailbox(local, domain)) => Some(self.key.fingerprint(&local, domain.as_str()).get()),
            Ok(Address::Whole(_) | Address::Pattern(..) | Address::Literal) | Err(_) => None,
        }
    }

    /// Adds an entry whose addresses have been checked.
    pub(super) fn add(&mut self, entry: &Entry) {
        if let Entry::Object(record) = entry {
            for address in &record.addresses {
                if let Ok(address) = self.read(address) {
                    self.add_address(&address, record.internal_only);
                }
            }
        }
        self.add_rest(entry);
    }

    /// Adds an address of an entry; whether there are not too many of its sort.
    pub(super) fn add_address(&mut self, address: &Address, internal_only: bool) {
        if let Some(count) = self.served.find(address).and_then(|index| self.by_served.get_mut(index)) {
            *count += 1;
        }
        match address {
            Address::Mailbox(local, domain) => {
                let fingerprint = self.key.fingerprint(local, domain.as_str()).get();
                self.fingerprints.push(fingerprint);
                if internal_only {
                    self.internal_only.push(fingerprint);
                }
            }
            Address::Whole(domain) => {
                self.whole_domains.insert(domain.as_str().into());
            }
            Address::Pattern(local, domain) => {
                self.patterns.insert(format!("{}@{domain}", local.as_str()).into());
            }
            Address::Literal => {}
        }
    }

    /// Adds an entry but for its addresses.
    pub(super) fn add_rest(&mut self, entry: &Entry) {
        self.entries += 1;
        match entry {
            Entry::Object(record) => {
                if !record.addresses.is_empty() {
                    *self.kinds.entry(record.kind).or_default() += 1;
                }
                self.groups |= is_group(record) || !record.groups.is_empty();
                self.members |= !record.members.is_empty();
            }
            Entry::Membership(..) => (self.groups, self.members) = (true, true),
            Entry::Gone(_) => return,
        }
        self.digest = self.digest.wrapping_add(digest(entry));
    }
}

/// Whether others may be in it.
pub(super) fn is_group(record: &Record) -> bool {
    record.kind == RecipientKind::Group || record.name.is_some() || !record.members.is_empty()
}

/// Stands for what an entry says; not for where it stands in a file.
fn digest(entry: &Entry) -> u128 {
    let mut hasher = SipHasher13::new();
    let mut text = |text: &str| {
        hasher.write(&(text.len() as u64).to_le_bytes());
        hasher.write(text.as_bytes());
    };
    match entry {
        Entry::Object(Record {
            key,
            called,
            line: _,
            kind,
            addresses,
            name,
            members,
            groups,
            internal_only,
        }) => {
            text(key);
            text(kind.as_str());
            text(name.as_deref().unwrap_or("\u{0}"));
            text(if *internal_only { "internal" } else { "" });
            for list in [called, addresses, members, groups] {
                text(&list.len().to_string());
                for one in list {
                    text(one);
                }
            }
        }
        Entry::Membership(group, member) => {
            text("\u{0}membership");
            text(group);
            text(member);
        }
        Entry::Gone(key) => text(key),
    }
    hasher.finish128().as_u128()
}
