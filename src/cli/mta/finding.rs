// SPDX-License-Identifier: GPL-3.0-or-later
//! What is found wrong with an MTA's configuration, and how it is shown.

use crate::cli::output::{self, Mood, Page};
use serde::Serialize;
use std::io;
use std::process::ExitCode;

/// Where texts begin.
const COLUMN: usize = 9;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// The parameter, service or line that it is about, and where it stands.
    pub(super) place: String,
    /// What is there; empty where nothing is.
    pub(super) there: String,
    /// Why that matters.
    pub(super) why: String,
    /// What to write instead.
    pub(super) write: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Mail goes a way that it must not go, or does not arrive.
    Error,
    /// It works, but not in every case.
    Warning,
}

/// Everything that is wrong, worst first.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(
        &mut self,
        severity: Severity,
        place: impl Into<String>,
        there: impl Into<String>,
        why: impl Into<String>,
        write: impl Into<String>,
    ) {
        let finding = Finding {
            severity,
            place: place.into(),
            there: there.into(),
            why: why.into(),
            write: write.into(),
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Prints them; 0 where there is none, 1 else.
    pub(super) fn show(mut self, what: &str, json: bool) -> io::Result<ExitCode> {
        self.0.sort_by_key(|finding| finding.severity);
        if json {
            output::print_json(&self.0)?;
        } else {
            output::print(&self.page(what, output::colour(&io::stdout())))?;
        }
        Ok(if self.0.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn page(&self, what: &str, colour: bool) -> String {
        let mut page = Page::new(colour);
        for Finding { severity, place, there, why, write } in &self.0 {
            page.gap();
            let (label, mood) = match severity {
                Severity::Error => ("error", Mood::Bad),
                Severity::Warning => ("warning", Mood::Doubtful),
            };
            page.entry_in(mood, 0, label, COLUMN, place);
            let there = if there.is_empty() { "nothing" } else { there };
            page.entry(2, "there", COLUMN, there);
            page.entry(2, "why", COLUMN, why);
            for (at, line) in write.lines().enumerate() {
                page.entry(
                    2,
                    if at == 0 { "write" } else { "" },
                    if at == 0 { COLUMN } else { COLUMN - 2 },
                    line,
                );
            }
        }
        page.gap();
        let of = |severity| self.0.iter().filter(|finding| finding.severity == severity).count();
        match (of(Severity::Error), of(Severity::Warning)) {
            (0, 0) => page.line(Mood::Good, &format!("{what} is as this configuration needs it")),
            (errors, warnings) => page.line(
                Mood::Plain,
                &format!("{what}: {}, {}", count(errors, "error"), count(warnings, "warning")),
            ),
        }
        page.into_text()
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
