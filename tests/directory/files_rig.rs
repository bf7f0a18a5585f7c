// SPDX-License-Identifier: GPL-3.0-or-later
//! Files in the battery: `list`, `csv`, `ldif`.

use crate::battery::{self, Fault, Rig};
use crate::common::dir::TestDir;
use crate::contract::House;
use crate::files::{FORMS, Form, Writing, settle};
use postern::directories::{Complete, Cookie, Sink, Source, SourceError};
use std::fs;
use std::path::PathBuf;

/// A file of one form.
struct File {
    form: &'static Form,
    dir: TestDir,
    killed: bool,
}

impl File {
    fn path(&self) -> PathBuf {
        self.dir.join(self.form.name)
    }

    fn aside(&self) -> PathBuf {
        self.dir.join("aside")
    }
}

#[async_trait::async_trait]
impl Rig for File {
    fn name(&self) -> &'static str {
        match self.form.name {
            "people.csv" => "CSV",
            "people.ldif" => "LDIF",
            _ => "list",
        }
    }

    fn keys(&self) -> String {
        self.form.keys.replace(self.form.name, &self.path().display().to_string())
    }

    async fn hold(&mut self, people: &[String]) {
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        self.dir.write(self.form.name, &(self.form.write)(&people));
        settle(&self.path());
    }

    async fn harm(&mut self, fault: Fault) -> Option<&'static str> {
        match fault {
            Fault::Away => {
                fs::rename(self.path(), self.aside()).unwrap();
                Some("there is no such file")
            }
            Fault::Lost if self.name() != "list" => {
                fs::copy(self.path(), self.aside()).unwrap();
                let text = fs::read_to_string(self.path()).unwrap();
                let at = text[..text.len() / 2].rfind('@').unwrap();
                self.dir.write(self.form.name, &text[..at]);
                Some("ends in the middle of")
            }
            Fault::Killed => {
                self.killed = true;
                Some("was written to while it was read")
            }
            Fault::Lost | Fault::Password | Fault::Certificate => None,
        }
    }

    async fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Away | Fault::Lost => fs::rename(self.aside(), self.path()).unwrap(),
            Fault::Killed | Fault::Password | Fault::Certificate => self.killed = false,
        }
    }

    fn source(&self, house: &House) -> Box<dyn Source> {
        let source = house.source();
        if self.killed { Box::new(Meddled { source, path: self.path() }) } else { source }
    }

    fn refuses_nobody(&self) -> Option<&'static str> {
        match self.name() {
            "list" => Some("is empty: it holds no address"),
            "LDIF" => Some("there is no entry in the file"),
            _ => None,
        }
    }
}

/// A file that somebody writes to while it is read.
#[derive(Debug)]
struct Meddled {
    source: Box<dyn Source>,
    path: PathBuf,
}

#[async_trait::async_trait]
impl Source for Meddled {
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        self.source.sync(since, &mut Writing::to(&self.path, sink)).await
    }
}

async fn run(form: &'static Form) {
    battery::run(File { form, dir: TestDir::new(), killed: false }).await;
}

#[tokio::test]
async fn csv_in_the_battery() {
    run(&FORMS[0]).await;
}

#[tokio::test]
async fn ldif_in_the_battery() {
    run(&FORMS[1]).await;
}

#[tokio::test]
async fn list_in_the_battery() {
    run(&FORMS[2]).await;
}
