// SPDX-License-Identifier: GPL-3.0-or-later
//! A sink for tests that keeps what comes.

use super::record::Record;
use super::source::{Sink, SinkError};

/// What came.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub records: Vec<Record>,
    pub memberships: Vec<(String, String)>,
    pub invalid: Vec<String>,
    pub passed_over: usize,
}

impl Collected {
    /// Addresses of all records, those of one record parted by a blank.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.records.iter().map(|record| record.addresses.join(" ")).collect()
    }
}

impl Sink for Collected {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        self.records.push(record);
        Ok(())
    }

    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError> {
        self.memberships.push((group.to_owned(), member.to_owned()));
        Ok(())
    }

    fn removed(&mut self, _: &str) -> Result<(), SinkError> {
        unreachable!("files tell no changes")
    }

    fn invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError> {
        self.invalid.push(format!("{place}: {what}: {why}"));
        Ok(())
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        self.passed_over += 1;
        Ok(())
    }
}
