// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern test`: runs test cases against the configuration, and shows what came out otherwise.

use super::FAILED;
use super::assemble::{self, Assembled};
use super::cases::{self, Case};
use super::expectation::Difference;
use super::output::{self, Mood, Page};
use super::trial::{Trial, show_findings};
use crate::config::Problems;
use crate::gate::Nobody;
use crate::mail::Escaped;
use crate::policy::Policy;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::runtime;

/// Where the text of a result begins.
const COLUMN: usize = 8;
/// Where what was expected and what came begin.
const VALUES: usize = 20;

/// Runs cases: 0 when all came out as expected, 1 when not, 2 when they could not be run.
pub(super) fn test(config: &Path, files: &[PathBuf], json: bool) -> io::Result<ExitCode> {
    let Assembled { mut problems, outcome, .. } = assemble::assemble(config);
    let mut broken = Problems::default();
    let cases: Vec<Case> = files.iter().flat_map(|file| cases::read(file, &mut broken)).collect();
    let (Some((_, policy)), false) = (outcome, broken.has_errors()) else {
        broken.sort();
        problems.append(broken);
        super::print_errors(problems);
        return Ok(ExitCode::from(FAILED));
    };
    let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
    let results: Vec<Outcome<'_>> =
        cases.iter().map(|case| runtime.block_on(Outcome::of(&policy, case))).collect();
    let failed = results.iter().filter(|result| !result.is_ok()).count();
    if json {
        output::print_json(&Report {
            passed: results.len() - failed,
            failed,
            cases: results.iter().map(Outcome::to_json).collect(),
        })?;
    } else {
        let mut page = Page::new(output::colour(&io::stdout()));
        for result in &results {
            result.show(&mut page);
        }
        page.gap();
        let mood = if failed == 0 { Mood::Good } else { Mood::Bad };
        page.line(mood, &format!("{} passed, {failed} failed", results.len() - failed));
        output::print(&page.into_text())?;
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// A case and what came out of it.
struct Outcome<'a> {
    case: &'a Case,
    trial: Trial<'a>,
    /// For each recipient.
    differences: Vec<Vec<Difference>>,
}

impl<'a> Outcome<'a> {
    async fn of(policy: &Policy, case: &'a Case) -> Self {
        // Cases come out the same everywhere: what only the network could tell is unknown, and so are keys.
        let trial = Trial::hold(policy, &case.question, (&Nobody, None)).await;
        let differences =
            trial.outcomes().zip(&case.wanted).map(|((_, got), wanted)| wanted.differences(&got)).collect();
        Self { case, trial, differences }
    }

    fn is_ok(&self) -> bool {
        self.differences.iter().all(Vec::is_empty)
    }

    fn show(&self, page: &mut Page) {
        let name = Escaped(self.case.name.as_bytes()).to_string();
        if self.is_ok() {
            page.entry_in(Mood::Good, 0, "ok", COLUMN, &name);
            return;
        }
        page.entry_in(Mood::Bad, 0, "FAILED", COLUMN, &name);
        page.entry(COLUMN, "", COLUMN, &self.case.place.to_string());
        for ((tried, _), differences) in self.trial.outcomes().zip(&self.differences) {
            if differences.is_empty() {
                continue;
            }
            page.entry(COLUMN, "", COLUMN, &Escaped(tried.address.as_str().as_bytes()).to_string());
            for Difference { key, expected, got } in differences {
                page.entry(COLUMN + 2, key.as_str(), VALUES, &format!("expected  {expected}"));
                page.entry(COLUMN + 2, "", VALUES, &format!("got       {got}"));
            }
            show_findings(self.trial.findings(tried), COLUMN + 2, page);
        }
    }

    fn to_json(&self) -> CaseReport<'_> {
        let recipients = self.trial.outcomes().zip(&self.differences);
        let differences = recipients.flat_map(|((tried, _), differences)| {
            differences.iter().map(|Difference { key, expected, got }| DifferenceReport {
                recipient: tried.address.as_str(),
                key: key.as_str(),
                expected,
                got,
            })
        });
        CaseReport {
            name: &self.case.name,
            file: self.case.place.file.display().to_string(),
            line: self.case.place.line,
            ok: self.is_ok(),
            differences: differences.collect(),
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    passed: usize,
    failed: usize,
    cases: Vec<CaseReport<'a>>,
}

#[derive(Serialize)]
struct CaseReport<'a> {
    name: &'a str,
    file: String,
    line: usize,
    ok: bool,
    differences: Vec<DifferenceReport<'a>>,
}

#[derive(Serialize)]
struct DifferenceReport<'a> {
    recipient: &'a str,
    key: &'static str,
    expected: &'a str,
    got: &'a str,
}
