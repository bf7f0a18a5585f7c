// SPDX-License-Identifier: GPL-3.0-or-later
//! What a directory of millions costs from its source to the set that decisions are made by: seconds, memory, disk.
//!
//! `cargo bench --bench directory -- 10000000 [keys] [groups]`. The source makes its records by a fixed rule. By default they are
//! rows of a file; with `keys` they are objects of a server, which may come twice; with `groups` each is in two groups. The
//! first sync starts from nothing, the second one changes a thousandth while the first set stays in use, as in a service.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)] // A benchmark that fails here says so.

use postern::config::{self, Problems};
use postern::directories::{
    Clock, Complete, Cookie, Extent, Outcome, Record, Shelf, Sink, Source, SourceError, Syncing, Which,
};
use postern::mail::{DomainPattern, RecipientKind};
use postern::store::Stamp;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Makes records.
#[derive(Debug)]
struct Made {
    from: u64,
    to: u64,
    keys: bool,
    groups: bool,
}

impl Made {
    fn record(&self, number: u64) -> Record {
        let names = ["ann", "bob", "carla", "dimitri", "eleonora", "f.lastname", "giovanni", "h"];
        let name = names[usize::try_from(number % 8).unwrap()];
        let address: Box<str> = format!("{name}.{number}@dept{}.example.com", number % 100).into();
        let groups = if self.groups {
            vec![format!("group {}", number % 1000).into(), format!("site {}", number % 7).into()]
        } else {
            Vec::new()
        };
        Record {
            key: address.clone(),
            line: (!self.keys).then_some(number + 1),
            kind: RecipientKind::User,
            addresses: vec![address],
            groups,
            ..Record::default()
        }
    }
}

#[async_trait::async_trait]
impl Source for Made {
    async fn sync(&self, _since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        for number in self.from..self.to {
            sink.record(self.record(number))?;
        }
        Ok(Complete { extent: Extent::Everything, cookie: None, notes: Vec::new() })
    }
}

/// The most memory that was resident since the last time, in MB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // proc(5): 5 resets the peak.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    kilobytes / 1024
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let count: u64 =
        arguments.first().map_or(1_000_000, |count| count.parse().expect("a number of recipients"));
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let parent = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let dir = parent.join(format!("postern-bench-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("postern.toml");
    let state = dir.join("state");
    let text = format!(
        "state_dir = \"{}\"\n[milter]\nlisten = [\"inet:127.0.0.1:1\"]\n[gateway.g]\nnetworks = [\"192.0.2.1\"]\n\
         [directory.people]\ntype = \"csv\"\npath = \"people.csv\"\n[domain.\"*.example.com\"]\ngateways = [\"g\"]\n\
         directories = [\"people\"]\n",
        state.display()
    );
    fs::write(&file, text).unwrap();
    let mut problems = Problems::default();
    let config = config::read(&file, &mut problems).unwrap().expect("a configuration without problems");
    let directory = &config.directories[0];
    let shelf = Shelf::new(&config.state_dir, &directory.name);
    let served = [DomainPattern::parse("*.example.com").unwrap()];
    let clock: Clock = Arc::new(SystemTime::now);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut in_use = None;
    println!("{count} recipients");
    for (what, from, to) in [
        ("first", 0, count),
        ("second", count / 2000, count + count / 2000),
        ("same again", count / 2000, count + count / 2000),
    ] {
        let source = Made { from, to, keys: has("keys"), groups: has("groups") };
        peak();
        let began = Instant::now();
        let sync = Syncing {
            directory,
            source: &source,
            own: true,
            shelf: &shelf,
            served: &served,
            clock: &clock,
            watch: &|_| ControlFlow::Continue(()),
        };
        let synced = runtime.block_on(sync.run());
        let seconds = began.elapsed().as_secs_f64();
        assert!(!matches!(synced.outcome, Outcome::Held { .. } | Outcome::Failed { .. }), "{synced:#?}");
        println!("{what} sync: {seconds:.1} s, at most {} MB resident", peak());
        let began = Instant::now();
        let loaded = shelf.load(&directory.rules, Stamp::from(SystemTime::now())).unwrap().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let known = loaded.recipients.mailboxes.len();
        println!("{what} load: {seconds:.2} s, {known} known, at most {} MB resident", peak());
        in_use = Some(loaded);
    }
    let snapshot = shelf.open(Which::InForce).unwrap();
    println!("snapshot: {} MB", fs::metadata(snapshot.path()).unwrap().len() / 1_000_000);
    let began = Instant::now();
    let mailbox = postern::mail::Mailbox::parse_strict(&source_address(count - 1)).unwrap();
    let view = shelf.view(&directory.rules, Stamp::from(SystemTime::now())).unwrap();
    let found = snapshot.find(&mailbox, view).unwrap().expect("the last one is there");
    println!(
        "look-up of one with its record: {:.1} s, {} record",
        began.elapsed().as_secs_f64(),
        found.records.len()
    );
    drop(in_use);
    fs::remove_dir_all(dir).unwrap();
}

fn source_address(number: u64) -> String {
    let made = Made { from: 0, to: 0, keys: false, groups: false };
    made.record(number).addresses[0].to_string()
}
