// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as a CSV file: never a panic, every record with an address, lines that grow and exist.
//!
//! The first octet chooses what is configured.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::config::{self, Columns, SyncRules};
use postern::directories::{Csv, Record, Sink, SinkError};
use postern::mail::RecipientKind;
use std::time::Duration;

struct Lines {
    last: u64,
    most: u64,
}

impl Sink for Lines {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        let line = record.line.unwrap();
        assert!(self.last < line && line <= self.most, "line {line} after {} of {}", self.last, self.most);
        self.last = line;
        assert!(!record.addresses.is_empty() && !record.key.is_empty());
        Ok(())
    }

    fn membership(&mut self, _: &str, member: &str) -> Result<(), SinkError> {
        assert!(!member.is_empty());
        Ok(())
    }

    fn removed(&mut self, _: &str) -> Result<(), SinkError> {
        unreachable!()
    }

    fn invalid(&mut self, _: &str, _: &str, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let name = |name: &str| Some(name.into());
    let columns = (choice & 1 == 0).then(|| Columns {
        addresses: vec!["a".into()],
        groups: if choice & 2 == 0 { name("g") } else { None },
        kind: if choice & 4 == 0 { name("k") } else { None },
        internal_only: None,
    });
    let delimiter = (choice & 8 == 0).then_some(b';');
    let settings = config::Csv { file: None, delimiter, encoding: None, columns };
    let rules = SyncRules {
        refresh: None,
        max_removed: 10,
        max_invalid: 5,
        removal_grace: Duration::ZERO,
        max_age: None,
        keep: 1,
        include: RecipientKind::SAID.to_vec(),
        patterns: false,
        timeout: Duration::from_secs(30),
        groups: Vec::new(),
    };
    // Every octet may end a line.
    let mut lines = Lines { last: 0, most: text.len() as u64 + 1 };
    let _ = Csv::new(&settings, &rules).read("fuzz.csv", text, &mut lines);
});
