// SPDX-License-Identifier: GPL-3.0-or-later
//! What a swap of ten million recipients costs those who decide meanwhile: the longest waits of a thread that decides without a
//! pause, while nothing happens, while another thread makes a new set and puts it in force, and while it makes one and
//! keeps it to itself.
//!
//! `cargo bench --bench swap [-- RECIPIENTS]`. What a swap adds is the difference of the last two, because to make a set takes a
//! core in both. Sets that are used no more are freed by the other thread, as the keeper of directories does. The three
//! follow one another in each of several rounds, so that what else the machine does meets all of them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)] // A benchmark that fails here says so.

use postern::gate::{Gate, Judge as _};
use postern::mail::{DomainPattern, DomainTable, Fingerprint, Mailbox, MailboxKey, MailboxSet, Recipient};
use postern::policy::{
    self, Directories, Directory, DomainPolicy, Gateways, Internal, LoopRule, Mode, Policy, RecipientRules,
    Recipients, Replies, Reputation, Source, Unlisted, Verdicts,
};
use std::collections::HashSet;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Rounds of each kind.
const ROUNDS: usize = 9;
/// Sets that are made in one round.
const SETS: usize = 6;

/// What happens while decisions are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Beside {
    Nothing,
    Making,
    Swapping,
}

/// A set of this many; how its fingerprints came about does not matter to anyone.
fn recipients(count: usize) -> Arc<Recipients> {
    let step = u64::MAX / count as u64;
    let all = (0..count as u64).map(|number| Ok::<_, Infallible>(Fingerprint::from(number * step + 1)));
    let set: MailboxSet =
        MailboxSet::from_ascending(MailboxKey::draw(), count, all, HashSet::default()).unwrap();
    Arc::new(set.into())
}

fn directories(recipients: &Arc<Recipients>) -> Directories {
    let mut all = Directories::default();
    all.add(Directory { name: "staff".into(), recipients: Some(Arc::clone(recipients)), overdue: false });
    all
}

fn gate(recipients: &Arc<Recipients>) -> Gate {
    let all = directories(recipients);
    let domain = DomainPolicy {
        pattern: DomainPattern::parse("example.com").unwrap(),
        mode: Mode::Enforce,
        source: Source::Any,
        directories: all.places().map(|(id, _)| id).collect(),
        subaddress: "+".into(),
        recipients: RecipientRules::default(),
        unrouted: postern::policy::Unrouted::Pass,
        scan: None,
        verdicts: Verdicts::default(),
        replies: Replies::default(),
    };
    let mut table = DomainTable::default();
    table.insert(domain.pattern.clone(), Arc::new(domain));
    Gate::new(Policy::new(
        Internal::default(),
        Unlisted::default(),
        table,
        Gateways::default(),
        all,
        LoopRule::default(),
        Reputation::default(),
    ))
}

/// Decides until it is told to stop; gives how long the longest took, and how many took longer than a millisecond.
fn decide(gate: &Gate, stop: &AtomicBool) -> (Duration, u64, u64) {
    let asked: Vec<Recipient> = (0..4096)
        .map(|n| Recipient::at(Mailbox::parse(format!("user{n}@example.com").as_bytes()).unwrap()))
        .collect();
    let (mut longest, mut long, mut all) = (Duration::ZERO, 0, 0);
    for recipient in asked.iter().cycle() {
        let began = Instant::now();
        // As a session does: it takes the policy in force, and lets go of it.
        let policy = gate.policy();
        black_box(policy::existence(&policy, recipient));
        drop(policy);
        let took = began.elapsed();
        longest = longest.max(took);
        long += u64::from(took > Duration::from_millis(1));
        all += 1;
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    (longest, long, all)
}

/// Does what is done beside the decisions, for about as long in every case.
fn work(gate: &Gate, count: usize, beside: Beside, round: Duration) {
    if beside == Beside::Nothing {
        // There is nothing to wait for but the time itself.
        #[allow(clippy::disallowed_methods)]
        thread::sleep(round);
        return;
    }
    let mut retired: Vec<Arc<Recipients>> = Vec::new();
    for _ in 0..SETS {
        let new = recipients(count);
        if beside == Beside::Swapping {
            let old = gate.policy().directories().iter().next().and_then(|old| old.recipients.clone());
            gate.renew(|policy| policy.with_directories(directories(&new)));
            retired.extend(old);
            // Whoever has the old one gives it back at once.
            while retired.iter().any(|old| Arc::strong_count(old) > 1) {
                thread::yield_now();
            }
            retired.clear();
        }
    }
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let count: usize = numbers.next().unwrap_or(10_000_000);
    let first = recipients(count);
    let gate = gate(&first);
    drop(first);
    let began = Instant::now();
    work(&gate, count, Beside::Making, Duration::ZERO);
    let round = began.elapsed();
    println!("{count} recipients, {ROUNDS} rounds of {SETS} sets, {:.1} s each", round.as_secs_f64());
    let kinds = [Beside::Nothing, Beside::Making, Beside::Swapping];
    let mut seen = [const { Vec::new() }; 3];
    let mut long = [(0, 0); 3];
    for _ in 0..ROUNDS {
        for (kind, beside) in kinds.into_iter().enumerate() {
            let stop = AtomicBool::new(false);
            let (longest, slow, all) = thread::scope(|scope| {
                let decisions = scope.spawn(|| decide(&gate, &stop));
                work(&gate, count, beside, round);
                stop.store(true, Ordering::Relaxed);
                decisions.join().unwrap()
            });
            seen[kind].push(longest);
            long[kind].0 += slow;
            long[kind].1 += all;
        }
    }
    for (kind, beside) in kinds.into_iter().enumerate() {
        seen[kind].sort_unstable();
        let (slow, all) = long[kind];
        println!(
            "{beside:?}: longest of a round {:?} median, {:?} least, {:?} most; {slow} of {all} above 1 ms",
            seen[kind][ROUNDS / 2],
            seen[kind][0],
            seen[kind][ROUNDS - 1]
        );
    }
}
