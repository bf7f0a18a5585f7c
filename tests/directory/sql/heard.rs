// SPDX-License-Identifier: GPL-3.0-or-later
//! What a source said, and something that happens while it speaks.

use crate::common::dir::TestDir;
use postern::config::{self, Config, DirectorySource, Problems};
use postern::directories::{Complete, Record, Sink, SinkError, Source as _, SourceError, Sql};

/// A sink that keeps what it is told.
#[derive(Default)]
pub(super) struct Heard<'a> {
    pub(super) records: Vec<Record>,
    pub(super) memberships: Vec<(String, String)>,
    /// Place, text and what is wrong.
    pub(super) invalid: Vec<(String, String, String)>,
    pub(super) passed_over: u64,
    /// Records, kept or not.
    pub(super) count: usize,
    /// How many records are kept at most.
    pub(super) room: Option<usize>,
    /// Happens when so many records have come.
    pub(super) event: Option<(usize, Box<dyn FnMut() + Send + 'a>)>,
}

impl Sink for Heard<'_> {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        self.count += 1;
        if self.room.is_none_or(|room| self.records.len() < room) {
            self.records.push(record);
        }
        if let Some((at, event)) = &mut self.event
            && *at == self.count
        {
            event();
        }
        Ok(())
    }

    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError> {
        self.memberships.push((group.to_owned(), member.to_owned()));
        Ok(())
    }

    fn removed(&mut self, key: &str) -> Result<(), SinkError> {
        panic!("removed {key}, and there are no changes");
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

impl Heard<'_> {
    /// Asks for everything; the sync is to run on a thread where waiting is allowed.
    pub(super) fn listen(&mut self, source: &Sql) -> Result<Complete, SourceError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(source.sync(None, self))
    }

    /// All addresses, sorted.
    pub(super) fn addresses(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.records.iter().flat_map(|record| &record.addresses).map(|a| &**a).collect();
        all.sort_unstable();
        all
    }

    /// The last record of a key.
    pub(super) fn find(&self, key: &str) -> &Record {
        let found = self.records.iter().rev().find(|record| &*record.key == key);
        found.unwrap_or_else(|| panic!("no record {key}: {:#?}", self.records))
    }
}

/// Everything that a source has.
pub(super) fn all(source: &Sql) -> Heard<'static> {
    let mut heard = Heard::default();
    let complete = heard.listen(source).unwrap();
    assert_eq!((complete.extent, complete.cookie), (postern::directories::Extent::Everything, None));
    heard
}

/// Why it says nothing, as a text.
pub(super) fn error(source: &Sql) -> String {
    let mut heard = Heard::default();
    let error = heard.listen(source).expect_err("this cannot work");
    format!("{error}")
}

/// The source that these keys of a directory make.
pub(super) fn source(dir: &TestDir, keys: &str) -> Sql {
    let config = read(dir, keys);
    let directory = &config.directories[0];
    match &directory.source {
        DirectorySource::Sql(sql) => Sql::new(sql, &directory.rules),
        other => panic!("{other:?}"),
    }
}

/// A configuration with a directory that has these keys.
pub(super) fn read(dir: &TestDir, keys: &str) -> Config {
    let text = format!(
        "[milter]\nlisten = [\"inet:127.0.0.1:1\"]\n[gateway.g]\nnetworks = [\"192.0.2.1\"]\n\
         [directory.people]\ntype = \"sql\"\n{keys}\n\
         [domain.\"example.com\"]\nmode = \"enforce\"\ngateways = [\"g\"]\ndirectories = [\"people\"]\n"
    );
    dir.write("postern.toml", &text);
    let mut problems = Problems::default();
    let config = config::read(&dir.join("postern.toml"), &mut problems).unwrap();
    assert!(!problems.has_errors(), "{problems:#?}");
    config.unwrap_or_else(|| panic!("{problems:#?}"))
}
