// SPDX-License-Identifier: GPL-3.0-or-later
//! The set of mailboxes against other ways to keep as many fingerprints: memory, time of a look-up, time to build.
//!
//! `cargo bench --bench tables [-- COUNT...]`, by default 1 and 10 million. Each way has a process of its own and gets the
//! same fingerprints in the same disorder, of addresses made by a fixed rule. Memory is what that process has more than
//! before (Linux: `VmRSS`, and `VmHWM` for the most while building); the time to build is without that to make the
//! fingerprints. Each look-up waits for the one before, as a decision asks for one recipient; a million are asked for.
#![allow(missing_docs)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss
)] // a bench program: what fails here ends the run

use postern::mail::{Fingerprint, MailboxKey, MailboxSet, MailboxSetBuilder};
use std::collections::HashSet;
use std::convert::Infallible;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

const ASKED: u64 = 1 << 20;
const ROUNDS: u32 = 5;
/// Postern's way comes last, alone and beside another of its kind.
const ROWS: [&str; 7] = ["std", "sorted", "1.25", "1.1", "octets", "set", "two"];

/// A number that looks random and is the same in every run (`SplitMix64`).
fn scrambled(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The local part and domain of a mailbox: five spellings of a name, 4,000 domains, few of them large.
fn address(number: u64) -> (String, String) {
    const FIRST: [&str; 8] =
        ["ann", "bob", "carla", "dimitri", "eleonora", "friedrich", "giovanni", "hanne-lore"];
    const LAST: [&str; 8] = ["smith", "garcia", "ivanova", "oyelaran", "nguyen", "meier", "de-vries", "li"];
    let draw = scrambled(number);
    let (first, last) = (FIRST[(draw % 8) as usize], LAST[(draw >> 8) as usize % 8]);
    let local = match draw >> 16 & 7 {
        0 => format!("{first}{number}"),
        1 => format!("{}{last}{number}", &first[..1]),
        2 => format!("{last}.{first}.{number}"),
        3 => format!("info-{number}"),
        _ => format!("{first}.{last}{number}"),
    };
    let part = draw >> 24 & 0xffff;
    (local, format!("dept{}.example.com", part * part * 4_000 >> 32))
}

trait Table {
    fn has(&self, fingerprint: u64) -> bool;
}

impl Table for HashSet<u64> {
    fn has(&self, fingerprint: u64) -> bool {
        self.contains(&fingerprint)
    }
}

/// Ascending, halved until found.
impl Table for Vec<u64> {
    fn has(&self, fingerprint: u64) -> bool {
        self.binary_search(&fingerprint).is_ok()
    }
}

impl Table for MailboxSet {
    fn has(&self, fingerprint: u64) -> bool {
        self.contains_fingerprint(Fingerprint::from(fingerprint))
    }
}

/// Ascending with gaps, each as near after the place in proportion to its value as there is room.
struct Spread {
    places: Box<[u64]>,
    spread: u64,
}

impl Spread {
    fn new(mut fingerprints: Vec<u64>, gap_every: usize) -> Self {
        fingerprints.sort_unstable();
        let spread = fingerprints.len() + fingerprints.len() / gap_every;
        let mut places = Vec::with_capacity(spread + 1);
        for fingerprint in fingerprints {
            let place = Self::home(fingerprint, spread as u64).max(places.len());
            places.resize(place, 0);
            places.push(fingerprint);
        }
        places.resize(places.len().max(spread) + 1, 0);
        Self { places: places.into(), spread: spread as u64 }
    }

    fn home(fingerprint: u64, spread: u64) -> usize {
        ((u128::from(fingerprint) * u128::from(spread)) >> u64::BITS) as usize
    }
}

impl Table for Spread {
    fn has(&self, fingerprint: u64) -> bool {
        let from = &self.places[Self::home(fingerprint, self.spread)..];
        from.iter().find(|&&place| place >= fingerprint || place == 0) == Some(&fingerprint)
    }
}

/// Buckets by the leading bits, 8 to 16 in each, and whole octets of the rest.
struct Octets {
    shift: u32,
    starts: Box<[u32]>,
    rests: Box<[u8]>,
}

impl Octets {
    fn new(mut fingerprints: Vec<u64>) -> Self {
        fingerprints.sort_unstable();
        let bits = fingerprints.len().ilog2() - 3;
        assert!(bits >= 16, "too few for rests of 6 octets");
        let (mut starts, mut rests) = (Vec::new(), Vec::with_capacity(fingerprints.len() * 6));
        for (index, fingerprint) in fingerprints.iter().enumerate() {
            let bucket = (fingerprint >> (u64::BITS - bits)) as usize;
            starts.resize(starts.len().max(bucket + 1), index as u32);
            rests.extend_from_slice(&fingerprint.to_le_bytes()[..6]);
        }
        starts.resize((1 << bits) + 1, fingerprints.len() as u32);
        Self { shift: u64::BITS - bits, starts: starts.into(), rests: rests.into() }
    }
}

impl Table for Octets {
    fn has(&self, fingerprint: u64) -> bool {
        let bucket = (fingerprint >> self.shift) as usize;
        let run = self.starts[bucket] as usize * 6..self.starts[bucket + 1] as usize * 6;
        let wanted = fingerprint & 0xffff_ffff_ffff;
        self.rests[run].chunks_exact(6).any(|rest| {
            u64::from_le_bytes([rest[0], rest[1], rest[2], rest[3], rest[4], rest[5], 0, 0]) == wanted
        })
    }
}

fn sorted(mut fingerprints: Vec<u64>) -> Vec<u64> {
    fingerprints.sort_unstable();
    fingerprints
}

/// A set that decides, and another that was made from its fingerprints meanwhile.
struct Twice {
    _old: MailboxSet,
    new: MailboxSet,
}

impl Table for Twice {
    fn has(&self, fingerprint: u64) -> bool {
        self.new.has(fingerprint)
    }
}

/// Octets, from a line of the process's status.
fn memory(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let found = status.lines().find(|found| found.starts_with(line)).expect("a line of the status");
    found.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.
}

/// Nanoseconds for one of `asked`, the best of some rounds.
fn look_up<T>(asked: &[T], mut has: impl FnMut(&T) -> bool) -> f64 {
    let zero = black_box(0);
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let (begin, mut last) = (Instant::now(), 0);
        for index in 0..asked.len() {
            last = usize::from(has(&asked[index + (last & zero)]));
        }
        black_box(last);
        best = best.min(begin.elapsed());
    }
    best.as_nanos() as f64 / asked.len() as f64
}

struct Run {
    key: MailboxKey,
    count: u64,
}

impl Run {
    fn fingerprint(&self, number: u64) -> u64 {
        let (local, domain) = address(number);
        self.key.fingerprint(&local, &domain).get()
    }

    fn all(&self) -> impl Iterator<Item = u64> {
        (0..self.count).map(|number| self.fingerprint(number))
    }

    fn builder(&self) -> MailboxSet {
        let mut builder = MailboxSetBuilder::with_key(self.key.clone());
        self.all().for_each(|fingerprint| builder.insert_fingerprint(fingerprint.into()));
        builder.build()
    }

    fn row<T: Table>(&self, name: &str, build: impl FnOnce(&Self) -> T) {
        let hits: Vec<u64> = (0..ASKED).map(|n| self.fingerprint(scrambled(n) % self.count)).collect();
        let misses: Vec<u64> =
            (0..ASKED).map(|n| self.fingerprint(self.count + scrambled(n) % self.count)).collect();
        let begin = Instant::now();
        black_box(self.all().fold(0, |sum, one| sum ^ one));
        let made = begin.elapsed();
        let before = memory("VmRSS");
        fs::write("/proc/self/clear_refs", "5").expect("the most memory can be counted from here");
        let begin = Instant::now();
        let table = build(self);
        let built = begin.elapsed().saturating_sub(made);
        let (now, most) = (memory("VmRSS") - before, memory("VmHWM") - before);
        assert!(hits.iter().all(|&one| table.has(one)), "{name}: one is missing");
        assert!(!misses.iter().any(|&one| table.has(one)), "{name}: one is too many");
        let (hit, miss) = (look_up(&hits, |&one| table.has(one)), look_up(&misses, |&one| table.has(one)));
        println!(
            "{:>9} {name:26} {:5.2} octets each {:6.1} MB, building {:6.1} MB {:5} ms, hit {hit:4.0} ns, miss {miss:4.0} ns, by address {:4.0} and {:4.0} ns",
            self.count,
            now / self.count as f64,
            now / 1e6,
            most / 1e6,
            built.as_millis(),
            self.by_address(&table, 0),
            self.by_address(&table, self.count),
        );
    }

    /// Nanoseconds for one look-up with the hash of the address, which lies in the cache as one that has just been read.
    fn by_address(&self, table: &impl Table, from: u64) -> f64 {
        let mut spent = Duration::ZERO;
        for turn in 0..ASKED / 64 {
            let asked: Vec<(String, String)> = (turn * 64..turn * 64 + 64)
                .map(|number| address(from + scrambled(number) % self.count))
                .collect();
            let begin = Instant::now();
            let has =
                |(local, domain): &&(String, String)| table.has(self.key.fingerprint(local, domain).get());
            let found = asked.iter().filter(has).count();
            spent += begin.elapsed();
            assert_eq!(found, if from == 0 { 64 } else { 0 });
        }
        spent.as_nanos() as f64 / ASKED as f64
    }

    fn one(&self, row: &str) {
        match row {
            "std" => self.row("std HashSet<u64>", |run| run.all().collect::<HashSet<u64>>()),
            "sorted" => self.row("sorted, halved", |run| sorted(run.all().collect())),
            "1.25" => self.row("spread over 1.25 places", |run| Spread::new(run.all().collect(), 4)),
            "1.1" => self.row("spread over 1.1 places", |run| Spread::new(run.all().collect(), 10)),
            "octets" => self.row("buckets, 6 octets", |run| Octets::new(run.all().collect())),
            "set" => self.row("MailboxSet", Self::builder),
            "two" => self.row("MailboxSet twice", |run| {
                let old = run.builder();
                let kept = old.fingerprints().map(Ok::<_, Infallible>);
                let new = MailboxSet::from_ascending(run.key.clone(), old.len(), kept, HashSet::new());
                Twice { _old: old, new: new.unwrap() }
            }),
            other => panic!("no row {other:?}"),
        }
    }
}

fn main() {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [count, row] = &words[..]
        && ROWS.contains(&row.as_str())
    {
        return Run { key: MailboxKey::from_octets([7; 16]), count: count.parse().unwrap() }.one(row);
    }
    let counts = if words.is_empty() { vec!["1000000".to_owned(), "10000000".to_owned()] } else { words };
    for count in counts {
        for row in ROWS {
            let status = Command::new(env::current_exe().unwrap()).args([&count, row]).status();
            assert!(status.unwrap().success(), "{row} of {count} failed");
        }
    }
}
