// SPDX-License-Identifier: GPL-3.0-or-later
//! Fingerprints in ascending order, 6 octets each where there are many, and whether one is among them.
//!
//! The leading bits of a fingerprint choose one of so many buckets that each holds 64 to 128; of those within, only the
//! other bits are kept, one after the other without a gap, so nothing of the 64 bits is lost. Beside them lies where each
//! bucket begins: so little that it stays in the cache. Fingerprints of a secret key are spread evenly, so within a bucket
//! one lies near the place that its value is in proportion to: a look-up waits for memory once, now and then twice, for
//! those who are there and those who are not. Where they are not spread evenly, it takes some steps more.

use super::Fingerprint;

/// Fingerprints in a bucket, below that on the average and never below half of it, unless there are fewer in all. With
/// smaller buckets their beginnings no longer fit in the cache, and a look-up waits for memory twice.
const LARGE: usize = 128;
/// A bucket is halved until it is no larger than this, which no bucket is that is filled by chance.
const RUN: usize = 512;

/// An immutable set of fingerprints.
#[derive(Clone, Default)]
pub(super) struct FingerprintTable {
    entries: usize,
    /// What the bucket does not say of each fingerprint.
    rests: Numbers,
    /// Where each bucket begins in `rests`, and after the last one the number of entries.
    starts: Numbers,
}

/// Why fingerprints were not taken.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum FingerprintsError<E> {
    /// Where they come from failed.
    #[error("the fingerprints could not be read")]
    Source(#[source] E),
    /// One is not larger than the one before it.
    #[error("the fingerprints are not in ascending order from number {0} on")]
    Order(usize),
    /// There are fewer or more of them than was said.
    #[error("there are not {0} fingerprints as was said")]
    Count(usize),
    /// There is no memory for as many as was said.
    #[error("there is no memory for {0} fingerprints")]
    Memory(usize),
}

impl FingerprintTable {
    /// A table of these fingerprints in any order, also repeated. It is made in the memory that they lie in, of which
    /// the rest is given back.
    pub(super) fn from_unsorted(mut fingerprints: Vec<u64>) -> Self {
        fingerprints.sort_unstable();
        fingerprints.dedup();
        let mut filling = Filling::new(fingerprints.len());
        // What is written at each turn lies no further on than what has been read.
        filling.table.rests.words = fingerprints;
        for index in 0..filling.count {
            filling.push(filling.table.rests.words[index]);
        }
        filling.finish()
    }

    /// A table of `count` fingerprints that come one by one, each larger than the one before, without a copy of them.
    /// Memory for `count` is reserved beforehand, and used as they come.
    pub(super) fn from_ascending<E>(
        count: usize,
        fingerprints: impl IntoIterator<Item = Result<Fingerprint, E>>,
    ) -> Result<Self, FingerprintsError<E>> {
        let mut filling = Filling::new(count);
        let FingerprintTable { rests, starts, .. } = &mut filling.table;
        if !rests.reserve(count) || !starts.reserve(filling.buckets + 1) {
            return Err(FingerprintsError::Memory(count));
        }
        let mut before = None;
        for fingerprint in fingerprints {
            let fingerprint = fingerprint.map_err(FingerprintsError::Source)?;
            if filling.table.entries == count {
                return Err(FingerprintsError::Count(count));
            }
            if before >= Some(fingerprint) {
                return Err(FingerprintsError::Order(filling.table.entries + 1));
            }
            before = Some(fingerprint);
            filling.push(fingerprint.get());
        }
        if filling.table.entries < count {
            return Err(FingerprintsError::Count(count));
        }
        Ok(filling.finish())
    }

    /// Whether the fingerprint is in the table.
    pub(super) fn contains(&self, fingerprint: Fingerprint) -> bool {
        if self.is_empty() {
            return false;
        }
        let (bucket, wanted) = self.rests.split(fingerprint.get());
        let (mut from, mut to) = (self.start(bucket), self.start(bucket + 1));
        while to - from > RUN {
            let middle = from.midpoint(to);
            if self.rests.get(middle) <= wanted { from = middle } else { to = middle }
        }
        // The fingerprint, or its neighbours, lie near the place that its value is in proportion to.
        let mut place = from + self.rests.share(wanted, to - from);
        while place > from && self.rests.get(place - 1) >= wanted {
            place -= 1;
        }
        while place < to && self.rests.get(place) < wanted {
            place += 1;
        }
        place < to && self.rests.get(place) == wanted
    }

    /// How many fingerprints there are.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// All fingerprints, ascending.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Fingerprint> {
        let mut bucket = 0;
        (0..self.entries).map(move |index| {
            while self.start(bucket + 1) <= index {
                bucket += 1;
            }
            Fingerprint::from(self.rests.join(bucket, self.rests.get(index)))
        })
    }

    /// Octets of memory outside of the value itself.
    pub(super) fn heap(&self) -> usize {
        (self.rests.words.capacity() + self.starts.words.capacity()) * size_of::<u64>()
    }

    fn start(&self, bucket: usize) -> usize {
        #[allow(clippy::cast_possible_truncation)] // It was a `usize` when it was put there.
        let start = self.starts.get(bucket) as usize;
        start
    }
}

/// A table that is being filled with ascending fingerprints.
struct Filling {
    table: FingerprintTable,
    /// How many there will be.
    count: usize,
    buckets: usize,
    /// Buckets whose beginning is known.
    begun: usize,
}

impl Filling {
    fn new(count: usize) -> Self {
        let bits = count.checked_ilog2().unwrap_or_default();
        let bucket_bits = bits.saturating_sub(LARGE.ilog2() - 1);
        let rests = Numbers { width: u64::BITS - bucket_bits, words: Vec::new() };
        let starts = Numbers { width: bits + 1, words: Vec::new() };
        let table = FingerprintTable { entries: 0, rests, starts };
        Self { table, count, buckets: 1 << bucket_bits, begun: 0 }
    }

    fn push(&mut self, fingerprint: u64) {
        let (bucket, rest) = self.table.rests.split(fingerprint);
        self.begin_up_to(bucket);
        self.table.rests.put(self.table.entries, rest);
        self.table.entries += 1;
    }

    /// Notes that the buckets up to this one begin here, as far as they have not begun before.
    fn begin_up_to(&mut self, bucket: usize) {
        while self.begun <= bucket {
            self.table.starts.put(self.begun, self.table.entries as u64);
            self.begun += 1;
        }
    }

    fn finish(mut self) -> FingerprintTable {
        if self.count == 0 {
            return FingerprintTable::default();
        }
        self.begin_up_to(self.buckets);
        self.table.rests.end(self.count);
        self.table.starts.end(self.buckets + 1);
        self.table
    }
}

/// Numbers of `width` bits, 1 to 64, side by side.
#[derive(Clone, Default)]
struct Numbers {
    width: u32,
    /// The first number lies in the lowest bits of the first word. After the last number there is one word more.
    words: Vec<u64>,
}

impl Numbers {
    /// The word that a number begins in, and the bit within it.
    #[allow(clippy::cast_possible_truncation)] // The word is one in memory, the bit is below 64.
    fn place(&self, index: usize) -> (usize, u32) {
        let bits = u64::from(u64::BITS);
        let bit = index as u64 * u64::from(self.width);
        ((bit / bits) as usize, (bit % bits) as u32)
    }

    fn get(&self, index: usize) -> u64 {
        let (word, bit) = self.place(index);
        // Shifted twice, as no shift is by 64 bits. A branch that asks whether there is something in the next word is
        // guessed wrong every other time, which costs more than reading it.
        let next = self.words[word + 1] << 1 << (u64::BITS - 1 - bit);
        (self.words[word] >> bit | next) & self.mask()
    }

    /// Puts the number after the last one, over whatever is there.
    fn put(&mut self, index: usize, number: u64) {
        let (word, bit) = self.place(index);
        if bit == 0 {
            self.set(word, number);
        } else {
            self.words[word] |= number << bit;
            if bit + self.width > u64::BITS {
                self.set(word + 1, number >> (u64::BITS - bit));
            }
        }
    }

    fn set(&mut self, word: usize, value: u64) {
        match self.words.get_mut(word) {
            Some(place) => *place = value,
            None => self.words.push(value),
        }
    }

    /// Ends after `count` numbers and gives the rest of the memory back.
    fn end(&mut self, count: usize) {
        let (word, bit) = self.place(count);
        self.words.truncate(word + usize::from(bit > 0));
        self.words.reserve_exact(1);
        self.words.push(0);
        self.words.shrink_to_fit();
    }

    /// Reserves memory for `count` numbers, and says whether there is any.
    fn reserve(&mut self, count: usize) -> bool {
        let bits = u128::from(self.width) * count as u128;
        let words = usize::try_from(bits.div_ceil(u128::from(u64::BITS)) + 1);
        words.is_ok_and(|words| self.words.try_reserve_exact(words).is_ok())
    }

    fn mask(&self) -> u64 {
        u64::MAX >> (u64::BITS - self.width)
    }

    /// What `number` is in `count` as it is in all numbers of this width; below `count`, unless that is 0.
    fn share(&self, number: u64, count: usize) -> usize {
        #[allow(clippy::cast_possible_truncation)] // Not above `count`.
        let share = ((u128::from(number) * count as u128) >> self.width) as usize;
        share
    }

    /// Takes a fingerprint apart: its bucket, and the rest, which has the width of these numbers.
    fn split(&self, fingerprint: u64) -> (usize, u64) {
        #[allow(clippy::cast_possible_truncation)] // There are fewer buckets than entries in memory.
        let bucket = (fingerprint >> 1 >> (self.width - 1)) as usize;
        (bucket, fingerprint & self.mask())
    }

    /// Puts a fingerprint together again.
    fn join(&self, bucket: usize, rest: u64) -> u64 {
        (bucket as u64) << (self.width - 1) << 1 | rest
    }
}

#[cfg(test)]
mod tests;
