// SPDX-License-Identifier: GPL-3.0-or-later
//! Takes what a source tells: checks and counts it, and writes it to disk as it comes.
//!
//! In memory it keeps eight octets of each address, or of each key where the same key may come twice. That is so for
//! servers, which tell of an object again when it has changed while they told of it; the rows of a file all count.

use super::contents::{Contents, MOST_WIDE, is_group};
use crate::config::SyncRules;
use crate::directories::record::Record;
use crate::directories::snapshot::{Counts, Entry, Invalid, Writer};
use crate::directories::source::{Sink, SinkError};
use crate::mail::RecipientKind;
use crate::store::Staged;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::ops::ControlFlow;

/// Invalid entries and collisions that are listed.
pub(super) const LISTED: usize = 100;
/// Characters of an invalid entry that are listed.
const SHOWN: usize = 200;
/// Longest key, name, member or address, in octets.
const MOST_TEXT: usize = 16 * 1024;
/// Changes that are followed one by one; with more, everything is asked for.
const MOST_CHANGES: usize = 1_000_000;
/// After so many entries somebody is told.
const TELL: u64 = 4096;
/// From so many addresses on, it is over when nearly all of them are invalid.
const HOPELESS: u64 = 100_000;

/// Told how many entries there are; a break ends it.
pub(in crate::directories) type Tell<'a> = &'a (dyn Fn(u64) -> ControlFlow<()> + Send + Sync);

/// Tells one object from another by its key.
#[derive(Debug)]
pub(super) struct KeyHash(u64, u64);

impl KeyHash {
    fn draw() -> Self {
        let draw = || RandomState::new().build_hasher().finish();
        Self(draw(), draw())
    }

    pub(super) fn of(&self, key: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write(key.as_bytes());
        hasher.finish128().as_u128()
    }

    /// The half of it that is kept in memory.
    #[allow(clippy::cast_possible_truncation)] // That is the half.
    pub(super) fn short(hash: u128) -> u64 {
        hash as u64
    }
}

/// What came of the same keys.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The number of the last entry of each key.
    pub(super) last: HashMap<u128, u64>,
    pub(super) too_many: bool,
}

/// Takes what a source tells.
pub(in crate::directories) struct Intake<'a> {
    pub(super) rules: &'a SyncRules,
    pub(super) writer: Writer<Staged>,
    pub(super) contents: Contents,
    pub(super) counts: Counts,
    pub(super) invalid: Vec<Invalid>,
    pub(super) hash: KeyHash,
    /// Half the hash of the key of every entry that another may take the place of.
    pub(super) keys: Vec<u64>,
    /// Where changes were asked for.
    pub(super) changes: Option<Changes>,
    /// Whether objects are gone.
    pub(super) gone: bool,
    pub(super) entries: u64,
    pub(super) tell: Tell<'a>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        rules: &'a SyncRules,
        contents: Contents,
        staged: Staged,
        changes: bool,
        tell: Tell<'a>,
    ) -> io::Result<Self> {
        Ok(Self {
            rules,
            writer: Writer::new(staged)?,
            contents,
            counts: Counts::default(),
            invalid: Vec::new(),
            hash: KeyHash::draw(),
            keys: Vec::new(),
            changes: changes.then(Changes::default),
            gone: false,
            entries: 0,
            tell,
        })
    }

    /// Whether addresses are collected as they come. Otherwise that is done when it is known whose place was taken.
    fn collects(&self) -> bool {
        self.keys.is_empty() && self.changes.is_none() && !self.gone
    }

    fn write(&mut self, entry: &Entry, key: Option<&str>) -> Result<(), SinkError> {
        if let Some(key) = key {
            let hash = self.hash.of(key);
            self.keys.push(KeyHash::short(hash));
            if let Some(changes) = self.changes.as_mut().filter(|changes| !changes.too_many) {
                changes.last.insert(hash, self.entries);
                if changes.last.len() > MOST_CHANGES {
                    *changes = Changes { last: HashMap::new(), too_many: true };
                }
            }
        }
        self.writer.entry(entry).map_err(|error| {
            let what = match entry {
                Entry::Object(Record { key, .. }) | Entry::Gone(key) | Entry::Membership(key, _) => key,
            };
            let too_large = || SinkError::TooLarge(shortened(what).into());
            if error.kind() == io::ErrorKind::InvalidInput { too_large() } else { error.into() }
        })?;
        self.entries += 1;
        if self.entries.is_multiple_of(TELL) && (self.tell)(self.entries).is_break() {
            return Err(SinkError::Stopped);
        }
        Ok(())
    }

    fn gone(&mut self, key: &str) -> Result<(), SinkError> {
        self.gone = true;
        self.write(&Entry::Gone(key.into()), Some(key))
    }

    fn note_invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError> {
        self.counts.seen += 1;
        self.counts.invalid += 1;
        if self.invalid.len() < LISTED {
            let [place, what, why] = [place, what, why].map(|text| shortened(text).into());
            self.invalid.push(Invalid { place, what, why });
        }
        let Counts { seen, invalid, .. } = self.counts;
        let hopeless = seen >= HOPELESS && invalid > seen / 100 * 99 && self.rules.max_invalid < 99;
        if hopeless { self.judge(0) } else { Ok(()) }
    }

    /// Whether too much is invalid, `besides` so many addresses that did not come this time.
    pub(super) fn judge(&self, besides: u64) -> Result<(), SinkError> {
        let (invalid, addresses) = (self.counts.invalid, self.counts.seen + besides);
        if invalid >= SyncRules::ALWAYS && exceeds(invalid, addresses, self.rules.max_invalid) {
            let first = self
                .invalid
                .first()
                .map_or_else(String::new, |Invalid { place, what, why }| format!("{place}: {what:?}: {why}"));
            return Err(SinkError::TooManyInvalid { invalid, addresses, first });
        }
        Ok(())
    }

    /// Leaves the addresses that are good and ours.
    fn check(&mut self, record: &mut Record) -> Result<(), SinkError> {
        let collects = self.collects() && record.line.is_some();
        let line;
        let place = match record.line {
            Some(number) => {
                line = format!("line {number}");
                &line
            }
            None => &*record.key,
        };
        let mut kept = Vec::with_capacity(record.addresses.len());
        for text in std::mem::take(&mut record.addresses) {
            let address = match self.contents.read(&text) {
                Ok(address) => address,
                Err(why) => {
                    self.note_invalid(place, &text, &why)?;
                    continue;
                }
            };
            self.counts.seen += 1;
            if self.contents.served().find(&address).is_none() {
                self.counts.outside += 1;
                continue;
            }
            if collects {
                self.contents.add_address(&address, record.internal_only);
            }
            kept.push(text);
        }
        record.addresses = kept;
        if self.contents.whole_domains.len().max(self.contents.patterns.len()) > MOST_WIDE {
            return Err(SinkError::TooLarge(format!("over {MOST_WIDE} whole domains or patterns")));
        }
        Ok(())
    }
}

/// Whether a part of a whole is more than so many percent of it.
pub(super) fn exceeds(part: u64, whole: u64, percent: u8) -> bool {
    u128::from(part) * 100 > u128::from(whole) * u128::from(percent)
}

/// As much of a text as is shown of it.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

impl Sink for Intake<'_> {
    fn record(&mut self, mut record: Record) -> Result<(), SinkError> {
        let texts = || {
            let lists = [&record.called, &record.addresses, &record.members, &record.groups];
            lists.into_iter().flatten().chain([&record.key]).chain(&record.name)
        };
        if let Some(long) = texts().find(|text| text.len() > MOST_TEXT) {
            return Err(SinkError::TooLarge(shortened(long).into()));
        }
        let included = record.kind == RecipientKind::Unspecified || self.rules.include.contains(&record.kind);
        if included {
            self.check(&mut record)?;
        } else {
            self.counts.passed_over += 1;
            record.addresses.clear();
        }
        if record.addresses.is_empty() && !is_group(&record) {
            // An earlier one with the same key holds no more.
            return if record.line.is_some() { Ok(()) } else { self.gone(&record.key) };
        }
        let collects = self.collects() && record.line.is_some();
        let key = record.line.is_none().then(|| record.key.clone());
        let entry = Entry::Object(record);
        if collects {
            self.contents.add_rest(&entry);
        }
        self.write(&entry, key.as_deref())
    }

    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError> {
        if let Some(long) = [group, member].into_iter().find(|text| text.len() > MOST_TEXT) {
            return Err(SinkError::TooLarge(shortened(long).into()));
        }
        let entry = Entry::Membership(group.into(), member.into());
        if self.collects() {
            self.contents.add_rest(&entry);
        }
        self.write(&entry, None)
    }

    fn removed(&mut self, key: &str) -> Result<(), SinkError> {
        self.gone(key)
    }

    fn invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError> {
        self.note_invalid(place, what, why)
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        self.counts.passed_over += 1;
        Ok(())
    }
}
