// SPDX-License-Identifier: GPL-3.0-or-later
//! What every source is held to: a sink that keeps what it is told, and a house in which a directory is synced as the
//! service does it, with a state directory of its own.

#![allow(dead_code, reason = "each source uses its own part of it")]

use crate::common::dir::TestDir;
use postern::config::{self, Config, Problems};
use postern::directories::{
    Clock, Complete, Cookie, Extent, LoadedSnapshot, Outcome, Record, Shelf, Sink, SinkError, Source,
    SourceError, Synced, Syncing, View, source_of,
};
use postern::mail::{DomainPattern, Mailbox};
use postern::store::Stamp;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A sink that keeps everything as it comes, in order.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) records: Vec<Record>,
    pub(crate) memberships: Vec<(String, String)>,
    pub(crate) removed: Vec<String>,
    /// Place, text and what is wrong.
    pub(crate) invalid: Vec<(String, String, String)>,
    pub(crate) passed_over: u64,
    /// It takes no more than so many records, and then says that the disk is full.
    pub(crate) room: Option<usize>,
}

impl Sink for Kept {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        if self.room.is_some_and(|room| self.records.len() >= room) {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into());
        }
        self.records.push(record);
        Ok(())
    }

    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError> {
        self.memberships.push((group.to_owned(), member.to_owned()));
        Ok(())
    }

    fn removed(&mut self, key: &str) -> Result<(), SinkError> {
        self.removed.push(key.to_owned());
        Ok(())
    }

    fn invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError> {
        self.invalid.push((place.to_owned(), what.to_owned(), why.to_owned()));
        Ok(())
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        self.passed_over += 1;
        Ok(())
    }
}

impl Kept {
    /// What a source has, or has since.
    pub(crate) async fn ask(
        source: &dyn Source,
        since: Option<&Cookie>,
    ) -> (Result<Complete, SourceError>, Self) {
        let mut kept = Self::default();
        (source.sync(since, &mut kept).await, kept)
    }

    /// All addresses, sorted.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.records.iter().flat_map(|record| record.addresses.iter().map(|one| &**one)).collect();
        all.sort_unstable();
        all
    }

    /// The record of a key, the last one.
    pub(crate) fn find(&self, key: &str) -> &Record {
        let found = self.records.iter().rev().find(|record| &*record.key == key);
        found.unwrap_or_else(|| panic!("no record {key}: {:#?}", self.records))
    }
}

/// A configuration with one directory, `people`, and a state directory. Its clock stands still unless it is moved.
pub(crate) struct House {
    pub(crate) dir: TestDir,
    pub(crate) config: Config,
    pub(crate) shelf: Shelf,
    /// The domains that addresses are kept of.
    pub(crate) served: Vec<DomainPattern>,
    seconds: Arc<AtomicU64>,
}

impl House {
    /// `keys` are what stands below `[directory.people]`. Files that it names are written into `dir` beforehand or later.
    pub(crate) fn new(keys: &str) -> Self {
        Self::within(TestDir::new(), keys)
    }

    /// The same in a directory that has files already.
    pub(crate) fn within(dir: TestDir, keys: &str) -> Self {
        let config = read(&dir, keys);
        let shelf = Shelf::new(&config.state_dir, &config.directories[0].name);
        let served = vec![DomainPattern::parse("example.com").unwrap()];
        Self { dir, config, shelf, served, seconds: Arc::new(AtomicU64::new(1_800_000_000)) }
    }

    /// Other keys, the same state.
    pub(crate) fn configure(&mut self, keys: &str) {
        self.config = read(&self.dir, keys);
    }

    pub(crate) fn directory(&self) -> &config::Directory {
        &self.config.directories[0]
    }

    /// The source as the configuration has it.
    pub(crate) fn source(&self) -> Box<dyn Source> {
        source_of(self.directory())
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.seconds.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Stamp {
        Stamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds.load(Ordering::Relaxed)))
    }

    /// One sync with the directory's own source.
    pub(crate) async fn sync(&self) -> Synced {
        self.sync_with(&*self.source()).await
    }

    /// One sync with another source.
    pub(crate) async fn sync_with(&self, source: &dyn Source) -> Synced {
        let seconds = Arc::clone(&self.seconds);
        let clock: Clock =
            Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::Relaxed)));
        let sync = Syncing {
            directory: self.directory(),
            source,
            own: true,
            shelf: &self.shelf,
            served: &self.served,
            clock: &clock,
            watch: &|_| ControlFlow::Continue(()),
        };
        sync.run().await
    }

    /// Syncs and gives what is in force then: added, removed, total.
    pub(crate) async fn applied(&self) -> (u64, u64, u64) {
        let synced = self.sync().await;
        match &synced.outcome {
            Outcome::Applied(applied) => (applied.added, applied.removed, applied.total),
            Outcome::Unchanged { total } => (0, 0, *total),
            Outcome::Held { .. } | Outcome::Failed { .. } => panic!("{synced:#?}"),
        }
    }

    /// Syncs and gives the text of the failure.
    pub(crate) async fn failed(&self) -> String {
        let synced = self.sync().await;
        match &synced.outcome {
            Outcome::Failed { error, .. } => error.to_string(),
            Outcome::Applied(_) | Outcome::Unchanged { .. } | Outcome::Held { .. } => panic!("{synced:#?}"),
        }
    }

    /// What is in force.
    pub(crate) fn loaded(&self) -> Option<LoadedSnapshot> {
        self.shelf.load(&self.directory().rules, self.now()).unwrap()
    }

    /// Whether what is in force has an address, leaving ones too.
    pub(crate) fn has(&self, address: &str) -> bool {
        let mailbox = Mailbox::parse_strict(address).unwrap();
        let loaded = self.loaded().unwrap_or_else(|| panic!("nothing is in force"));
        let (local, domain) = (mailbox.folded_local().unwrap(), mailbox.domain().unwrap());
        loaded.recipients.mailboxes.contains(&local, domain)
            || loaded.recipients.mailboxes.contains_whole(domain)
    }

    /// The view of now, for what a snapshot is asked.
    pub(crate) fn view(&self) -> View {
        let state = self.shelf.state().unwrap();
        let from = state.in_force.map(|in_force| in_force.grace).unwrap_or_default();
        View { now: self.now(), grace: self.directory().rules.removal_grace, from }
    }
}

fn read(dir: &TestDir, keys: &str) -> Config {
    let state = dir.join("state");
    let text = format!(
        "state_dir = \"{}\"\n[milter]\nlisten = [\"inet:127.0.0.1:1\"]\n[gateway.g]\nnetworks = [\"192.0.2.1\"]\n\
         [directory.people]\n{keys}\n\
         [domain.\"example.com\"]\nmode = \"enforce\"\ngateways = [\"g\"]\ndirectories = [\"people\"]\n",
        state.display()
    );
    dir.write("postern.toml", &text);
    let mut problems = Problems::default();
    let config = config::read(&dir.join("postern.toml"), &mut problems).unwrap();
    assert!(!problems.has_errors(), "{problems:#?}");
    config.unwrap_or_else(|| panic!("{problems:#?}"))
}

/// A source that says what it is told to say.
#[derive(Debug, Default)]
pub(crate) struct Told {
    records: Vec<Record>,
    removed: Vec<Box<str>>,
    pub(crate) memberships: Vec<(Box<str>, Box<str>)>,
    extent: Option<Extent>,
    /// It breaks off after all records.
    pub(crate) fails: bool,
}

impl Told {
    pub(crate) fn everything(records: Vec<Record>) -> Self {
        Self { records, ..Self::default() }
    }

    pub(crate) fn changes(records: Vec<Record>, removed: &[&str]) -> Self {
        let removed = removed.iter().map(|key| (*key).into()).collect();
        Self { records, removed, extent: Some(Extent::Changes), ..Self::default() }
    }

    pub(crate) fn nothing() -> Self {
        Self { extent: Some(Extent::Nothing), ..Self::default() }
    }
}

#[async_trait::async_trait]
impl Source for Told {
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let extent = self.extent.unwrap_or(Extent::Everything);
        assert!(since.is_some() || extent == Extent::Everything, "changes since when?");
        for record in &self.records {
            sink.record(record.clone())?;
        }
        for (group, member) in &self.memberships {
            sink.membership(group, member)?;
        }
        for key in &self.removed {
            sink.removed(key)?;
        }
        if self.fails {
            return Err(SourceError::Incomplete("the connection is gone".into()));
        }
        Ok(Complete { extent, cookie: Some(Cookie("here".into())), notes: Vec::new() })
    }
}
