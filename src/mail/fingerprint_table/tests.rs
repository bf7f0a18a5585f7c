// SPDX-License-Identifier: GPL-3.0-or-later
//! The table against a set of the standard library, at all sizes and with fingerprints that no key would give.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::convert::Infallible;

/// A number that looks random and is the same in every run (`SplitMix64`).
fn scrambled(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn ascending(count: usize, numbers: &[u64]) -> Result<FingerprintTable, FingerprintsError<Infallible>> {
    FingerprintTable::from_ascending(count, numbers.iter().map(|&number| Ok(number.into())))
}

/// Builds both ways and holds both tables against the set, also for numbers near those in it.
fn agrees(numbers: &[u64], asked: &[u64]) {
    let want: BTreeSet<u64> = numbers.iter().copied().collect();
    let sorted: Vec<u64> = want.iter().copied().collect();
    let unsorted = FingerprintTable::from_unsorted(numbers.to_vec());
    for table in [unsorted, ascending(sorted.len(), &sorted).unwrap()] {
        assert_eq!(table.len(), want.len());
        assert_eq!(table.iter().len(), want.len());
        assert_eq!(table.iter().map(Fingerprint::get).collect::<Vec<_>>(), sorted);
        let near =
            numbers.iter().flat_map(|n| [*n, n.wrapping_add(1), n.wrapping_sub(1), n ^ 1 << 63, n ^ 1 << 40]);
        for number in near.chain(asked.iter().copied()).chain([0, 1, u64::MAX]) {
            assert_eq!(
                table.contains(number.into()),
                want.contains(&number),
                "{number:#x} of {}",
                want.len()
            );
        }
    }
}

proptest! {
    #[test]
    fn any_numbers(numbers in prop::collection::vec(any::<u64>(), 0..600), asked in prop::collection::vec(any::<u64>(), 40)) {
        agrees(&numbers, &asked);
    }

    /// Few different ones, many repeated, all in the first, the last or one middle bucket.
    #[test]
    fn crowded_numbers(low in prop::collection::vec(0u64..400, 0..600), above in prop::sample::select(vec![0, 1 << 63, u64::MAX - 400, 0x1234_5678_0000_0000])) {
        let numbers: Vec<u64> = low.iter().map(|low| low + above).collect();
        agrees(&numbers, &[above, above.wrapping_sub(1)]);
    }
}

#[test]
fn every_size() {
    for size in
        (0..=130).chain([255, 256, 257, 511, 512, 1023, 1024, 1025, 4095, 4096, 65_535, 65_536, 65_537])
    {
        agrees(&(0..size).map(scrambled).collect::<Vec<_>>(), &[]);
    }
}

#[test]
fn all_in_one_bucket() {
    for from in [0, 1 << 63, u64::MAX - 9_999] {
        agrees(&(0..10_000).map(|n| from + n).collect::<Vec<_>>(), &[from.wrapping_sub(1)]);
    }
    let two_ends: Vec<u64> = (0..5_000).flat_map(|n| [n, u64::MAX - n]).collect();
    agrees(&two_ends, &[5_000, u64::MAX - 5_000]);
}

#[test]
fn no_memory_is_kept_that_is_not_needed() {
    for (size, most) in [(500, 7.9), (1_000, 7.8), (4_095, 7.5), (4_096, 7.4), (65_536, 6.9), (300_000, 6.6)]
    {
        let table = FingerprintTable::from_unsorted((0..size).map(scrambled).collect());
        let sorted: Vec<u64> = table.iter().map(Fingerprint::get).collect();
        let streamed = ascending(sorted.len(), &sorted).unwrap();
        assert_eq!(table.heap(), streamed.heap(), "{size}");
        let each = f64::from(u32::try_from(table.heap()).unwrap()) / f64::from(u32::try_from(size).unwrap());
        assert!(each <= most, "{size}: {each} octets each");
    }
    assert_eq!(FingerprintTable::from_unsorted(Vec::with_capacity(100)).heap(), 0);
    assert_eq!(FingerprintTable::from_unsorted(vec![7; 100]).heap(), 32);
}

#[test]
fn wrong_fingerprints_are_refused() {
    for (count, numbers, want) in [
        (0, &[1][..], FingerprintsError::Count(0)),
        (3, &[1, 2], FingerprintsError::Count(3)),
        (2, &[1, 2, 3], FingerprintsError::Count(2)),
        (2, &[1, 1], FingerprintsError::Order(2)),
        (3, &[1, 3, 2], FingerprintsError::Order(3)),
        (2, &[u64::MAX, 0], FingerprintsError::Order(2)),
        (usize::MAX, &[1], FingerprintsError::Memory(usize::MAX)),
        (usize::MAX / 2 + 1, &[1], FingerprintsError::Memory(usize::MAX / 2 + 1)),
    ] {
        assert_eq!(ascending(count, numbers).err(), Some(want), "{count} {numbers:?}");
    }
    let broken = [Ok(Fingerprint::from(1)), Err("the file ends here")];
    let error = FingerprintTable::from_ascending(2, broken).err();
    assert_eq!(error, Some(FingerprintsError::Source("the file ends here")));
}
