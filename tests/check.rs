// SPDX-License-Identifier: GPL-3.0-or-later
//! What is said about bad configurations, word for word: `tests/check/NAME.toml` gives `tests/check/NAME.expected`.
//!
//! `POSTERN_BLESS=1 cargo test --test check` writes the expected texts anew; read the difference before it is committed.

#![allow(clippy::unwrap_used)] // a test may end where it cannot go on

#[path = "check/secrets.rs"]
mod secrets;

use postern::cli::assemble::assemble;
use proptest::prelude::*;
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
    let scratch = Scratch::new("examples");
    for entry in fs::read_dir("examples").unwrap() {
        let path = entry.unwrap().path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()).and_then(|name| name.to_str()) {
            scratch.write(name, fs::read(&path).unwrap());
        }
    }
    for name in ["ldap-password", "graph-secret"] {
        use std::os::unix::fs::PermissionsExt;
        let secret = scratch.write(name, "correct horse\n");
        fs::set_permissions(secret, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let mut seen = 0;
    for entry in fs::read_dir("examples").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // Test cases for one of them; tests/cli.rs runs them.
        if Path::new(&name).extension() != Some("toml".as_ref()) || name == "cases.toml" {
            continue;
        }
        let assembled = assemble(&scratch.0.join(&name));
        assert!(assembled.outcome.is_some(), "{name}:\n{}", assembled.problems.render(false));
        assert_eq!(
            assembled.problems.to_string(),
            "no problems",
            "{name}:\n{}",
            assembled.problems.render(false)
        );
        seen += 1;
    }
    assert!(seen >= 10, "{seen} examples");
}

#[test]
fn every_bad_configuration_gets_its_message() {
    let bless = std::env::var_os("POSTERN_BLESS").is_some();
    secrets::restore_access_rights();
    let cases = cases();
    assert!(cases.len() >= 100, "only {} cases", cases.len());
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

#[test]
fn what_is_no_file_is_told_apart_from_what_cannot_be_read() {
    let missing = assemble(Path::new("tests/check/no-such-file.toml"));
    assert!(!missing.found && missing.outcome.is_none());
    assert_eq!(
        missing.problems.render(false).trim(),
        "error: cannot read `tests/check/no-such-file.toml`: there is no such file"
    );
    let directory = assemble(Path::new("tests/check"));
    assert!(directory.found && directory.outcome.is_none());
    assert_eq!(
        directory.problems.render(false).trim(),
        "error: cannot read `tests/check`: it is a directory, not a file"
    );
}

/// A directory of the test's own, gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn large_files_are_refused_or_cut_short() {
    let scratch = Scratch::new("large");
    let huge = scratch.write("huge.toml", "# comment\n".repeat(500_000));
    let found = assemble(&huge).problems.render(false);
    assert!(found.ends_with("it is larger than 4194304 octets\n\n"), "{found}");
    let garbage = scratch.write("garbage.toml", [0xff, b'\n'].repeat(10_000));
    assert!(assemble(&garbage).problems.len() < 50);
    let wrong = scratch.write("wrong.toml", "key = 1\n".repeat(5000));
    assert!(assemble(&wrong).problems.len() < 1000);
}

/// Pieces that configurations are made of, so that what is made of them at random goes deep.
const PIECES: [&str; 80] = [
    "[milter]\n",
    "[gateway.a]\n",
    "[directory.d]\n",
    "[domain.\"example.com\"]\n",
    "[domain.example.com]\n",
    "[[domain]]\n",
    "[loop]\n",
    "[verdict]\n",
    "[reply.not-ready]\n",
    "[internal]\n",
    "[unlisted]\n",
    "[",
    "]",
    "\n",
    "\"",
    "'",
    "=",
    " = ",
    ",",
    ".",
    "{",
    "}",
    "#",
    "\\",
    "\r\n",
    "\u{feff}",
    "ü",
    "\u{202e}",
    "\u{a0}",
    "a = \u{a0}b\n",
    "\0",
    "[dns]\n",
    "[reputation]\n",
    "[gateway.a.header]\n",
    "[[gateway.a.feed]]\n",
    "[policyd]\n",
    "[socketmap]\n",
    "[server.s]\n",
    "[[route]]\n",
    "[scan]\n",
    "[domain.\"example.com\".scan]\n",
    "hosts",
    "health",
    "certificate",
    "groups",
    "recipients",
    "domains",
    "unrouted",
    "via",
    "alias_of",
    "\"default:s\"",
    "\"ann@example.com\"",
    "[\"example.com\"]",
    "{ directory = \"d\", name = \"a\" }",
    "provider",
    "customer",
    "header",
    "value",
    "feed",
    "spf",
    "require",
    "dnsbl",
    "\"%{i}.example.com\"",
    "\"mailmarshal/eu\"",
    "\"https://example.com/a\"",
    "listen",
    "networks",
    "files",
    "mode",
    "gateways",
    "type",
    "path",
    "code",
    "\"any\"",
    "[\"a\"]",
    "\"10.0.0.0/8\"",
    "550",
    "\"inet:127.0.0.1:8890\"",
    "true",
    "-1.5",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Whatever the file holds, reading and showing it comes to an end without a panic.
    #[test]
    fn nothing_in_a_configuration_panics(
        pieces in prop::collection::vec((0..PIECES.len(), any::<char>(), 0u8..20), 0..60),
    ) {
        let mut text = String::new();
        for (piece, other, dice) in pieces {
            text.push_str(PIECES[piece]);
            if dice == 0 {
                text.push(other);
            }
        }
        let scratch = Scratch::new("any");
        let path = scratch.write("any.toml", &text);
        let assembled = assemble(&path);
        let _ = (assembled.problems.render(true), serde_json::to_string(&assembled.problems).unwrap());
        prop_assert_eq!(assembled.outcome.is_some(), !assembled.problems.has_errors());
    }

    /// Nor does a good file with a part cut out, doubled or put elsewhere.
    #[test]
    fn no_damage_to_a_good_configuration_panics(from in 0usize..20000, length in 0usize..200, to in 0usize..20000) {
        let mut text = fs::read_to_string("examples/full.toml").unwrap();
        let boundary = |text: &str, at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
        let (start, end) = (boundary(&text, from), boundary(&text, from + length));
        let part = text[start..end].to_owned();
        text.replace_range(start..end, "");
        let to = boundary(&text, to);
        text.insert_str(to, &part);
        let scratch = Scratch::new("damaged");
        let path = scratch.write("damaged.toml", &text);
        let assembled = assemble(&path);
        let _ = assembled.problems.render(false);
        prop_assert_eq!(assembled.outcome.is_some(), !assembled.problems.has_errors());
    }

    /// Data files may hold anything.
    #[test]
    fn nothing_in_a_data_file_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let scratch = Scratch::new("data");
        scratch.write("data.txt", &octets);
        let path = scratch.write("data.toml", "\
            milter.listen = [\"unix:s\"]\n\
            gateway.a.files = [\"data.txt\"]\n\
            directory.d = { type = \"list\", path = \"data.txt\" }\n\
            domain.\"example.com\" = { gateways = [\"a\"], directories = [\"d\"] }\n");
        let assembled = assemble(&path);
        let _ = assembled.problems.render(false);
        prop_assert_eq!(assembled.outcome.is_some(), !assembled.problems.has_errors());
    }
}
