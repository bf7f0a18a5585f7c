// SPDX-License-Identifier: GPL-3.0-or-later
//! Sorts any number of numbers in bounded memory: sorted runs on disk, merged as they are read. Equal ones come once.

use crate::store::{Store, StoreError};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;

/// Numbers that are sorted in memory: 16 MB.
const RUN: usize = 1024 * 1024;
/// Octets of a run that are read at one time.
const BUFFER: usize = 64 * 1024;

/// Sorts numbers of so many octets.
#[derive(Debug)]
pub(super) struct Sorter<'a, const N: usize> {
    store: &'a Store,
    run: Vec<u128>,
    file: Option<BufWriter<File>>,
    at: u64,
    runs: Vec<(u64, u64)>,
}

impl<'a, const N: usize> Sorter<'a, N> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, run: Vec::new(), file: None, at: 0, runs: Vec::new() }
    }

    pub(super) fn push(&mut self, number: u128) -> Result<(), SortError> {
        self.run.push(number);
        if self.run.len() == RUN { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SortError> {
        self.run.sort_unstable();
        self.run.dedup();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::with_capacity(BUFFER, self.store.scratch()?)),
        };
        let begin = self.at;
        for number in self.run.drain(..) {
            file.write_all(number.to_le_bytes().get(..N).unwrap_or_default())?;
            self.at += N as u64;
        }
        self.runs.push((begin, self.at));
        Ok(())
    }

    /// All of them in ascending order.
    pub(super) fn finish(mut self) -> Result<Sorted<N>, SortError> {
        if !self.runs.is_empty() && !self.run.is_empty() {
            self.flush()?;
        }
        self.run.sort_unstable();
        self.run.dedup();
        let file =
            self.file.map(|file| file.into_inner().map_err(io::IntoInnerError::into_error)).transpose()?;
        let mut sorted = Sorted { file, runs: Vec::new(), heap: BinaryHeap::new(), last: None };
        if sorted.file.is_none() {
            self.run.reverse();
            sorted.runs.push(Run { at: 0, end: 0, ahead: self.run });
        }
        for (at, end) in self.runs {
            sorted.runs.push(Run { at, end, ahead: Vec::new() });
        }
        for index in 0..sorted.runs.len() {
            sorted.advance(index)?;
        }
        Ok(sorted)
    }
}

/// Why numbers could not be sorted.
#[derive(Debug, thiserror::Error)]
pub(super) enum SortError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One sorted run.
#[derive(Debug)]
struct Run {
    at: u64,
    end: u64,
    /// What has been read, the last one first.
    ahead: Vec<u128>,
}

/// Numbers in ascending order.
#[derive(Debug)]
pub(super) struct Sorted<const N: usize> {
    file: Option<File>,
    runs: Vec<Run>,
    heap: BinaryHeap<Reverse<(u128, usize)>>,
    last: Option<u128>,
}

impl<const N: usize> Sorted<N> {
    /// Puts the next number of a run on the heap.
    fn advance(&mut self, index: usize) -> io::Result<()> {
        let Some(run) = self.runs.get_mut(index) else { return Ok(()) };
        if run.ahead.is_empty() && run.at < run.end {
            let length = usize::try_from(run.end - run.at).unwrap_or(BUFFER).min(BUFFER);
            let mut octets = vec![0; length];
            if let Some(file) = &self.file {
                file.read_exact_at(&mut octets, run.at)?;
            }
            run.at += length as u64;
            let number =
                |octets: &[u8]| octets.iter().rev().fold(0, |all, octet| all << 8 | u128::from(*octet));
            run.ahead.extend(octets.chunks(N).rev().map(number));
        }
        if let Some(number) = run.ahead.pop() {
            self.heap.push(Reverse((number, index)));
        }
        Ok(())
    }

    /// The next one.
    pub(super) fn next(&mut self) -> io::Result<Option<u128>> {
        while let Some(Reverse((number, index))) = self.heap.pop() {
            self.advance(index)?;
            if self.last.replace(number) != Some(number) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_runs_come_out_as_one() {
        let dir = std::env::temp_dir().join(format!("postern-sorter-{}", std::process::id()));
        let store = Store::new(&dir);
        for count in [0u64, 1, 1000, RUN as u64, 2 * RUN as u64 + 17] {
            let mut sorter = Sorter::<8>::new(&store);
            for number in 0..count {
                // Odd, so that it meets every number below the modulus once.
                sorter.push(u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)).unwrap();
                if number % 10 == 0 {
                    sorter.push(7).unwrap();
                }
            }
            let mut run = sorter.finish().unwrap();
            let (mut before, mut found) = (None, 0);
            while let Some(number) = run.next().unwrap() {
                assert!(before < Some(number), "{count}: {number}");
                before = Some(number);
                found += 1;
            }
            assert_eq!(found, if count == 0 { 0 } else { count + 1 }, "{count}");
        }
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "nothing is left");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
