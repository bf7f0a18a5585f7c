// SPDX-License-Identifier: GPL-3.0-or-later
//! What is said about bad configurations, word for word: `tests/check/NAME.toml` gives `tests/check/NAME.expected`.
//!
//! `POSTERN_BLESS=1 cargo test --test check` writes the expected texts anew; read the difference before it is committed.

#![allow(clippy::unwrap_used)] // a test may end where it cannot go on

use postern::cli::assemble::assemble;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir("tests/check")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    cases.sort();
    cases
}

fn report(path: &Path) -> String {
    let assembled = assemble(path);
    let verdict = if assembled.outcome.is_some() { "accepted" } else { "refused" };
    format!("{}{verdict}: {}\n", assembled.problems.render(false), assembled.problems)
}

/// The lines that differ, marked as `diff` does, each block after the line before it.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    // The longest common rest of every pair of rests.
    let mut common = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut told) = (0, 0, true);
    let mut text = String::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j, told) = (i + 1, j + 1, false);
            continue;
        }
        if !told && i > 0 {
            let _ = writeln!(text, "  {}", old[i - 1]);
        }
        told = true;
        if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            let _ = writeln!(text, "- {}", old[i]);
            i += 1;
        } else {
            let _ = writeln!(text, "+ {}", new[j]);
            j += 1;
        }
    }
    text
}

#[test]
fn every_example_passes_without_a_warning() {
    for name in ["minimal", "postern", "full"] {
        let assembled = assemble(&Path::new("examples").join(name).with_extension("toml"));
        assert!(assembled.outcome.is_some(), "{name}:\n{}", assembled.problems.render(false));
        assert_eq!(assembled.problems.to_string(), "no problems", "{name}");
    }
}

#[test]
fn every_bad_configuration_gets_its_message() {
    let bless = std::env::var_os("POSTERN_BLESS").is_some();
    let cases = cases();
    assert!(cases.len() >= 45, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let golden = case.with_extension("expected");
        let found = report(&case);
        if bless {
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if found != expected {
            let _ = writeln!(wrong, "{}:\n{}", case.display(), difference(&expected, &found));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}\nIf this is meant: POSTERN_BLESS=1 cargo test --test check");
}
