// SPDX-License-Identifier: GPL-3.0-or-later
//! Sources that are files: `csv`, `ldif`, and `list` with a `refresh`. They are whole or nothing, and are read again only when
//! they have changed.

use crate::common::dir::TestDir;
use crate::contract::{House, Kept};
use postern::directories::{Complete, Cookie, Extent, Record, Sink, SinkError, SourceError};
use postern::mail::RecipientKind;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A type of file: its keys, and how it holds these addresses.
pub(crate) struct Form {
    pub(crate) keys: &'static str,
    pub(crate) name: &'static str,
    pub(crate) write: fn(&[&str]) -> String,
}

pub(crate) static FORMS: [Form; 3] = [
    Form {
        keys: "type = \"csv\"\npath = \"people.csv\"\ncolumns = { addresses = [\"Email\"] }",
        name: "people.csv",
        write: |addresses| {
            let rows = addresses.iter().flat_map(|address| [*address, ",x\n"]);
            std::iter::once("Email,Name\n").chain(rows).collect()
        },
    },
    Form {
        keys: "type = \"ldif\"\npath = \"people.ldif\"\npreset = \"openldap\"",
        name: "people.ldif",
        write: |addresses| {
            let entry = |(at, a): (usize, &&str)| format!("dn: uid={at}\nobjectClass: person\nmail: {a}\n\n");
            addresses.iter().enumerate().map(entry).collect()
        },
    },
    Form {
        keys: "type = \"list\"\npath = \"people.txt\"\nrefresh = \"1m\"",
        name: "people.txt",
        write: |addresses| addresses.iter().flat_map(|address| [*address, "\n"]).collect(),
    },
];

/// Addresses as people have them, one of them twice.
const PEOPLE: [&str; 6] = [
    "ann@example.com",
    "BOB+x@example.com",
    "jürgen@example.com",
    "info@bücher.example",
    "info@xn--bcher-kva.example",
    "ann@example.com",
];

/// Makes a file look as if nobody had written to it for a while.
pub(crate) fn settle(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(60);
    File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

fn house(form: &Form, addresses: &[&str]) -> House {
    let dir = TestDir::new();
    dir.write(form.name, &(form.write)(addresses));
    settle(&dir.join(form.name));
    House::within(dir, form.keys)
}

async fn ask(house: &House, since: Option<&Cookie>) -> (Complete, Kept) {
    let (outcome, kept) = Kept::ask(&*house.source(), since).await;
    (outcome.unwrap_or_else(|error| panic!("{error}")), kept)
}

async fn refused(house: &House, since: Option<&Cookie>) -> SourceError {
    let (outcome, _) = Kept::ask(&*house.source(), since).await;
    match outcome {
        Ok(complete) => panic!("{complete:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn full_then_unchanged_then_changed() {
    for form in &FORMS {
        let name = form.name;
        let house = house(form, &PEOPLE);
        let (complete, kept) = ask(&house, None).await;
        assert_eq!(complete.extent, Extent::Everything, "{name}");
        let mut people = PEOPLE;
        people.sort_unstable();
        assert_eq!(kept.addresses(), people, "{name}");
        assert!(kept.records.iter().all(|record| record.line.is_some()), "{name}: {:?}", kept.records);

        let (again, kept) = ask(&house, complete.cookie.as_ref()).await;
        assert_eq!((again.extent, kept.records.len()), (Extent::Nothing, 0), "{name}");
        assert_eq!(again.cookie, complete.cookie, "{name}");

        // As many octets, and the same time of writing.
        let path = house.dir.join(name);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        house.dir.write(name, &(form.write)(&PEOPLE).replace("BOB", "ROB"));
        File::options().append(true).open(&path).unwrap().set_modified(written).unwrap();
        let (changed, kept) = ask(&house, again.cookie.as_ref()).await;
        assert_eq!(changed.extent, Extent::Everything, "{name}");
        assert!(kept.addresses().contains(&"ROB+x@example.com"), "{name}");
    }
}

#[tokio::test]
async fn a_file_written_to_just_now_is_read_again() {
    for form in &FORMS {
        let house = house(form, &PEOPLE);
        house.dir.write(form.name, &(form.write)(&PEOPLE));
        let (complete, _) = ask(&house, None).await;
        assert_eq!((complete.extent, complete.cookie), (Extent::Everything, None), "{}", form.name);
    }
}

#[tokio::test]
async fn another_question_has_another_answer() {
    let mut house = house(&FORMS[0], &PEOPLE);
    let (complete, _) = ask(&house, None).await;
    house.configure(
        "type = \"csv\"\npath = \"people.csv\"\ncolumns = { addresses = [\"Email\"], groups = \"Name\" }",
    );
    let (other, kept) = ask(&house, complete.cookie.as_ref()).await;
    assert_eq!((other.extent, &*kept.records[0].groups[0]), (Extent::Everything, "x"));
}

#[tokio::test]
async fn missing_then_back() {
    for form in &FORMS {
        let name = form.name;
        let house = house(form, &PEOPLE);
        let (complete, _) = ask(&house, None).await;
        let away = house.dir.join("away");
        fs::rename(house.dir.join(name), &away).unwrap();
        let error = refused(&house, complete.cookie.as_ref()).await;
        assert_eq!(error.to_string(), format!("{name}: there is no such file"));
        fs::create_dir(house.dir.join(name)).unwrap();
        let error = refused(&house, complete.cookie.as_ref()).await;
        assert_eq!(error.to_string(), format!("{name}: it is a directory, not a file"));
        fs::remove_dir(house.dir.join(name)).unwrap();
        fs::rename(away, house.dir.join(name)).unwrap();
        let (_, kept) = ask(&house, None).await;
        assert_eq!(kept.records.len(), PEOPLE.len(), "{name}");
    }
}

#[tokio::test]
async fn what_ends_too_early_is_incomplete() {
    for (form, want) in [
        (&FORMS[0], "incomplete: people.csv ends in the middle of line 7"),
        (&FORMS[1], "incomplete: people.ldif ends in the middle of a line"),
    ] {
        let house = house(form, &PEOPLE);
        let text = (form.write)(&PEOPLE);
        house.dir.write(form.name, &text[..text.rfind("example").unwrap()]);
        assert_eq!(refused(&house, None).await.to_string(), want);
    }
}

#[tokio::test]
async fn what_is_no_address_in_a_list_refuses_the_list() {
    let house = house(&FORMS[2], &["ann@example.com", "bob", "@example.org", "cy@"]);
    assert_eq!(
        refused(&house, None).await.to_string(),
        "people.txt, line 2: this is no address: the address has no @; write an address such as ann@example.com, or \
         `@example.com` for every address of a domain (and one more error)"
    );
    house.dir.write("people.txt", "# nobody\n");
    let error = refused(&house, None).await.to_string();
    assert!(error.contains("is empty: it holds no address"), "{error}");
}

/// Writes to the file while it is read, and passes on what is read.
pub(crate) struct Writing<'a> {
    path: &'a Path,
    written: bool,
    sink: &'a mut dyn Sink,
}

impl<'a> Writing<'a> {
    pub(crate) fn to(path: &'a Path, sink: &'a mut dyn Sink) -> Self {
        Self { path, written: false, sink }
    }
}

impl Sink for Writing<'_> {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        if !std::mem::replace(&mut self.written, true) {
            File::options().append(true).open(self.path)?.write_all(b"\n")?;
        }
        self.sink.record(record)
    }

    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError> {
        self.sink.membership(group, member)
    }

    fn removed(&mut self, key: &str) -> Result<(), SinkError> {
        self.sink.removed(key)
    }

    fn invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError> {
        self.sink.invalid(place, what, why)
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        self.sink.passed_over()
    }
}

#[tokio::test]
async fn what_is_written_to_meanwhile_is_incomplete() {
    for form in &FORMS {
        let house = house(form, &PEOPLE);
        let path = house.dir.join(form.name);
        let mut kept = Kept::default();
        let error = house.source().sync(None, &mut Writing::to(&path, &mut kept)).await;
        let error = error.unwrap_err().to_string();
        assert_eq!(error, format!("incomplete: {} was written to while it was read", form.name));
    }
}

#[tokio::test]
async fn a_full_disk_ends_it() {
    for form in &FORMS {
        let house = house(form, &PEOPLE);
        let mut kept = Kept { room: Some(2), ..Kept::default() };
        let error = house.source().sync(None, &mut kept).await.unwrap_err();
        assert!(matches!(error, SourceError::Sink(_)), "{}: {error}", form.name);
    }
}

#[tokio::test]
async fn a_csv_without_a_file_is_only_imported_into() {
    let house = House::new("type = \"csv\"");
    let error = refused(&house, None).await.to_string();
    assert_eq!(error, "no file is named: it holds what is imported");
}

/// The most memory that this process has had, in kB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A sink that only counts.
#[derive(Default)]
struct Counting(u64);

impl Sink for Counting {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        assert_eq!(record.kind, RecipientKind::Unspecified);
        self.0 += 1;
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

#[tokio::test]
async fn a_large_export_costs_no_memory() {
    const ROWS: u64 = 60_000;
    let house = house(&FORMS[0], &["a@example.com"]);
    let mut file = std::io::BufWriter::new(File::create(house.dir.join("people.csv")).unwrap());
    writeln!(file, "Email,Name,Remark").unwrap();
    for row in 0..ROWS {
        writeln!(file, "first.last{row}@example.com,\"Last, First\",{:100}", "").unwrap();
    }
    file.flush().unwrap();
    let before = peak();
    let mut counting = Counting::default();
    house.source().sync(None, &mut counting).await.unwrap();
    let grown = peak() - before;
    assert_eq!(counting.0, ROWS);
    assert!(
        grown < 3 * 1024,
        "{grown} kB more for {} octets",
        house.dir.join("people.csv").metadata().unwrap().len()
    );
}
