// SPDX-License-Identifier: GPL-3.0-or-later
//! What reading an export costs: seconds, and memory at its peak.
//!
//!     cargo bench --bench exports -- write FILE csv|own|ldif ADDRESSES     an export of so many addresses, two to a person
//!     cargo bench --bench exports -- read FILE csv|own|ldif                reads it into a sink that only counts
//!
//! `csv` is shaped as Exchange writes it, `own` has the address alone. Exit status: 0, 1 when it could not be read.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)] // A benchmark that fails here says so.

use postern::config::{
    Attributes, Columns, Csv as CsvSettings, DataFile, LdapSchema, Ldif as LdifSettings, SyncRules,
};
use postern::directories::{Csv, Ldif, Record, Sink, SinkError, Source};
use postern::mail::RecipientKind;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Counting {
    records: u64,
    addresses: u64,
}

impl Sink for Counting {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        self.records += 1;
        self.addresses += record.addresses.len() as u64;
        Ok(())
    }

    fn membership(&mut self, _: &str, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn removed(&mut self, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn invalid(&mut self, _: &str, _: &str, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

fn write(path: &Path, form: &str, addresses: u64) {
    let mut out = BufWriter::new(std::fs::File::create(path).unwrap());
    match form {
        "own" => writeln!(out, "Email").unwrap(),
        "csv" => {
            out.write_all(
                b"#TYPE Selected.Microsoft.Exchange.Data.Directory.Management.ReducedRecipient\r\n",
            )
            .unwrap();
            out.write_all(
                b"\"DisplayName\",\"PrimarySmtpAddress\",\"RecipientTypeDetails\",\"EmailAddresses\"\r\n",
            )
            .unwrap();
        }
        _ => writeln!(out, "version: 1").unwrap(),
    }
    for number in 0..if form == "own" { addresses } else { addresses / 2 } {
        match form {
            "own" => writeln!(out, "first.last{number}@example.com"),
            "csv" => write!(
                out,
                "\"Last, First {number}\",\"first.last{number}@example.com\",\"UserMailbox\",\
                 \"smtp:fl{number}@example.com;SMTP:first.last{number}@example.com\"\r\n"
            ),
            _ => writeln!(
                out,
                "dn: uid=fl{number},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: fl{number}\ncn: First Last\n\
                 mail: first.last{number}@example.com\nmailAlternateAddress: fl{number}@example.com\n"
            ),
        }
        .unwrap();
    }
    out.flush().unwrap();
}

fn source(path: &Path, form: &str) -> Box<dyn Source> {
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
    let file = DataFile::unnamed(path);
    if form == "ldif" {
        let attributes = Attributes::default();
        let settings = LdifSettings { file, encoding: None, schema: LdapSchema::OpenLdap, attributes };
        return Box::new(Ldif::new(&settings, &rules));
    }
    let own = Columns { addresses: vec!["Email".into()], groups: None, kind: None, internal_only: None };
    let columns = (form == "own").then_some(own);
    Box::new(Csv::new(&CsvSettings { file: Some(file), delimiter: None, encoding: None, columns }, &rules))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", path, form, addresses] => write(Path::new(path), form, addresses.parse().unwrap()),
        ["read", path, form] => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (source, mut counting, begun) =
                (source(Path::new(path), form), Counting::default(), Instant::now());
            let outcome = runtime.block_on(source.sync(None, &mut counting));
            let seconds = begun.elapsed().as_secs_f64();
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
            let Counting { records, addresses } = counting;
            let octets = std::fs::metadata(path).unwrap().len();
            println!("{octets} octets, {records} records, {addresses} addresses, {seconds:.2} s, {peak}");
            if let Err(error) = outcome {
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
        _ => {
            eprintln!("usage: exports -- write FILE csv|own|ldif ADDRESSES, or read FILE csv|own|ldif");
            std::process::exit(2);
        }
    }
}
