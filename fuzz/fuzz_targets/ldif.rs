// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as an LDIF file: never a panic, lines that grow and exist.
//!
//! The first octet chooses the preset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::config::{self, Attributes, DataFile, LdapSchema, SyncRules};
use postern::directories::{Ldif, Record, Sink, SinkError};
use postern::mail::RecipientKind;
use std::path::Path;
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
        Ok(())
    }

    fn membership(&mut self, _: &str, _: &str) -> Result<(), SinkError> {
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
    let schema = match choice % 3 {
        0 => LdapSchema::ActiveDirectory,
        1 => LdapSchema::OpenLdap,
        _ => LdapSchema::Rfc2307bis,
    };
    let file = DataFile::unnamed(Path::new("fuzz.ldif"));
    let settings = config::Ldif { file, encoding: None, schema, attributes: Attributes::default() };
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
    let mut lines = Lines { last: 0, most: text.len() as u64 + 1 };
    let _ = Ldif::new(&settings, &rules).read("fuzz.ldif", text, &mut lines);
});
