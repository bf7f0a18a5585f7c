// SPDX-License-Identifier: GPL-3.0-or-later
//! What decisions need of a snapshot, and what it knows of one address.

use super::{Found, Leaving, Snapshot, SnapshotError, View, Wide};
use crate::mail::{
    Domain, DomainPattern, Fingerprint, FingerprintsError, LocalPart, LocalPattern, LocalPatterns, Mailbox,
    MailboxKey, MailboxSet,
};
use crate::policy::Recipients;
use std::collections::{HashMap, HashSet};
use std::iter::Peekable;
use std::sync::Arc;

impl Snapshot {
    /// What decisions need, straight from the file: under a second per million on one core. Those whose grace is over by
    /// `view` are left out. Of groups, those of these names or keys are read, which are in lower case and ascending.
    pub fn recipients(&self, view: View, groups: &[Arc<str>]) -> Result<Recipients, SnapshotError> {
        let (key, fingerprints) = self.keyed()?;
        let (mut valid, mut internal) = (0, 0);
        for leaving in self.leaving(view)? {
            valid += 1;
            internal += u64::from(leaving?.internal_only);
        }
        let wide = |wides: &[Wide]| -> Vec<Box<str>> {
            let is_valid =
                |wide: &&Wide| wide.gone.is_none_or(|since| view.until(since, self.meta.built).is_some());
            wides.iter().filter(is_valid).map(|wide| wide.text.clone()).collect()
        };
        let whole = wide(&self.meta.whole_domains)
            .iter()
            .map(|text| Domain::parse(text).map_err(|_| self.strange(text)))
            .collect::<Result<_, _>>()?;
        let leaving = self.leaving(view)?.map(|leaving| Ok(leaving?.fingerprint));
        let mailboxes =
            self.set(&key, self.meta.addresses + valid, Union::new(fingerprints, leaving), whole)?;
        let leaving = self.leaving(view)?.filter_map(|leaving| match leaving {
            Ok(Leaving { internal_only: false, .. }) => None,
            Ok(leaving) => Some(Ok(leaving.fingerprint)),
            Err(error) => Some(Err(error)),
        });
        let count = self.meta.internal_only + internal;
        let internal = Union::new(self.internal_only()?, leaving);
        let internal_only = self.set(&key, count, internal, HashSet::new())?;
        let mut patterns: HashMap<Domain, LocalPatterns> = HashMap::new();
        for text in wide(&self.meta.patterns) {
            let (local, domain) = self.pattern(&text)?;
            patterns.entry(domain).or_default().extend([local]);
        }
        let served =
            self.meta.served.iter().map(|text| DomainPattern::parse(text).map_err(|_| self.strange(text)));
        // After the fingerprints, whose checksum is right now.
        let groups = self.members_of(groups, &key, view)?;
        Ok(Recipients {
            mailboxes,
            patterns,
            internal_only,
            groups,
            served: Some(served.collect::<Result<_, _>>()?),
        })
    }

    pub(super) fn set(
        &self,
        key: &MailboxKey,
        count: u64,
        fingerprints: impl Iterator<Item = Result<u64, SnapshotError>>,
        whole: HashSet<Domain>,
    ) -> Result<MailboxSet, SnapshotError> {
        let count = usize::try_from(count).map_err(|_| self.medium.damaged("it is too large"))?;
        let fingerprints = fingerprints.map(|number| number.map(Fingerprint::from));
        MailboxSet::from_ascending(key.clone(), count, fingerprints, whole).map_err(|error| match error {
            FingerprintsError::Source(error) => error,
            FingerprintsError::Order(_) | FingerprintsError::Count(_) => {
                self.medium.damaged(error.to_string())
            }
            FingerprintsError::Memory(_) => SnapshotError::Io {
                path: self.path().to_owned(),
                error: std::io::ErrorKind::OutOfMemory.into(),
            },
        })
    }

    fn strange(&self, text: &str) -> SnapshotError {
        self.medium.damaged(format!("it has a strange domain or pattern, {text:?}"))
    }

    fn pattern(&self, text: &str) -> Result<(LocalPattern, Domain), SnapshotError> {
        let parsed = text.rsplit_once('@').and_then(|(local, domain)| {
            Some((LocalPattern::parse(local).ok()?, Domain::parse(domain).ok()?))
        });
        parsed.ok_or_else(|| self.strange(text))
    }

    /// What is known of one address, exactly as it is asked for; nothing when it is unknown. Reads through all records
    /// only when the address is in them: some seconds where there are ten million.
    pub fn find(&self, mailbox: &Mailbox, view: View) -> Result<Option<Found>, SnapshotError> {
        let (Some(local), Some(domain)) = (mailbox.folded_local(), mailbox.domain()) else { return Ok(None) };
        let (key, fingerprints) = self.keyed()?;
        let wanted = key.fingerprint(&local, domain.as_str()).get();
        let mut found = Found {
            records: Vec::new(),
            first_seen: None,
            leaving: None,
            whole_domain: false,
            pattern: None,
            internal_only: false,
        };
        let is_valid =
            |wide: &&Wide| wide.gone.is_none_or(|since| view.until(since, self.meta.built).is_some());
        let mut whole = self.meta.whole_domains.iter().filter(is_valid);
        found.whole_domain = whole.any(|wide| *wide.text == *domain.as_str());
        for wide in self.meta.patterns.iter().filter(is_valid) {
            let (pattern, of) = self.pattern(&wide.text)?;
            if of == *domain && pattern.covers(&local) {
                found.pattern = Some(wide.text.clone());
                break;
            }
        }
        let mut place = None;
        for (index, number) in (0u64..).zip(fingerprints) {
            if number? == wanted {
                place = Some(index);
            }
        }
        if let Some(place) = place {
            for (index, seconds) in (0u64..).zip(self.first_seen()?) {
                let seconds = seconds?;
                if index == place {
                    found.first_seen = Some(super::stamp(seconds));
                }
            }
            for number in self.internal_only()? {
                found.internal_only |= number? == wanted;
            }
            self.find_records(&local, mailbox, &mut found)?;
        } else {
            for leaving in self.leaving(view)? {
                let leaving = leaving?;
                if leaving.fingerprint == wanted {
                    found.leaving = Some(leaving.since);
                    found.first_seen = Some(leaving.first_seen);
                    found.internal_only = leaving.internal_only;
                }
            }
        }
        let known =
            place.is_some() || found.leaving.is_some() || found.whole_domain || found.pattern.is_some();
        Ok(known.then_some(found))
    }

    fn find_records(&self, local: &str, mailbox: &Mailbox, found: &mut Found) -> Result<(), SnapshotError> {
        /// More than this is no answer that anyone reads.
        const MOST: usize = 100;
        for record in self.records()? {
            let record = record?;
            let is_it = |address: &str| {
                Mailbox::parse_strict(address).is_ok_and(|other| {
                    matches!(other.local(), LocalPart::Valid(_))
                        && other.host() == mailbox.host()
                        && other.folded_local().is_some_and(|other| other == local)
                })
            };
            if found.records.len() < MOST && record.addresses.iter().any(|address| is_it(address)) {
                found.records.push(record);
            }
        }
        Ok(())
    }
}

/// Two ascending rows of numbers as one; what is in both comes once.
pub(super) struct Union<A: Iterator, B: Iterator>(Peekable<A>, Peekable<B>);

impl<A, B> Union<A, B>
where
    A: Iterator<Item = Result<u64, SnapshotError>>,
    B: Iterator<Item = Result<u64, SnapshotError>>,
{
    pub(super) fn new(one: A, other: B) -> Self {
        Self(one.peekable(), other.peekable())
    }
}

impl<A, B> Iterator for Union<A, B>
where
    A: Iterator<Item = Result<u64, SnapshotError>>,
    B: Iterator<Item = Result<u64, SnapshotError>>,
{
    type Item = Result<u64, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.0.peek(), self.1.peek()) {
            (Some(Ok(one)), Some(Ok(other))) if one > other => self.1.next(),
            (Some(Ok(one)), Some(Ok(other))) if one == other => {
                self.1.next();
                self.0.next()
            }
            (None, _) | (_, Some(Err(_))) => self.1.next(),
            (Some(_), _) => self.0.next(),
        }
    }
}
