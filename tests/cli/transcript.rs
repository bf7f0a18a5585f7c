// SPDX-License-Identifier: GPL-3.0-or-later
//! Transcripts: files with commands and what they print, word for word.
//!
//! A line that begins with `$ ` is a command for `sh`, run in `tests/cli` with `postern` in its path; a line that begins
//! with `# ` is a comment; all else is what the command before it prints on both outputs, and its exit code.
//! `POSTERN_BLESS=1 cargo test --test cli` writes what is printed; read the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory's commands, with the variables that they can use.
pub(crate) struct Shell {
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// A shell without variables of its own.
    pub(crate) fn new() -> Self {
        Self { variables: Vec::new() }
    }

    /// Sets a variable. Where its value is printed, the transcript has its name.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Runs the commands of a transcript and compares what they print.
    pub(crate) fn replay(&self, name: &str) {
        let path = home().join(name);
        let expected =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut got = String::new();
        for line in expected.lines() {
            if line.starts_with('#') {
                got.push_str(line);
                got.push('\n');
            } else if let Some(command) = line.strip_prefix("$ ") {
                got.extend([line, "\n", &self.run(command), "\n"]);
            }
        }
        let got = format!("{}\n", got.trim_end());
        if std::env::var_os("POSTERN_BLESS").is_some() {
            fs::write(&path, got).unwrap();
            return;
        }
        if let Some(at) = first_difference(&expected, &got) {
            panic!("tests/cli/{name}, line {}:\n{}", at + 1, side_by_side(&expected, &got, at));
        }
    }

    /// What a command prints, and its exit code.
    pub(crate) fn run(&self, command: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_postern")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(home())
            .env("PATH", format!("{}:{path}", program.display()))
            .env("COLUMNS", "80")
            .env_remove("NO_COLOR")
            .env_remove("NOTIFY_SOCKET")
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .output()
            .expect("sh starts");
        let mut text = without_references(&String::from_utf8(output.stdout).expect("UTF-8"));
        for (name, value) in &self.variables {
            text = text.replace(value.as_str(), &format!("${name}"));
        }
        match output.status.code() {
            Some(code) => format!("{text}[exit {code}]\n"),
            None => format!("{text}[{}]\n", output.status),
        }
    }
}

/// Where the transcripts and what they need lie.
pub(crate) fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

/// References, of which each run has its own, as `...`.
fn without_references(text: &str) -> String {
    let mut parts = text.split("(ref");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let blanks = part.len() - part.trim_start().len();
        let rest = part.split_once(')').map_or("", |(_, rest)| rest);
        out.extend(["(ref", &part[..blanks], "...)", rest]);
    }
    out
}

fn first_difference(expected: &str, got: &str) -> Option<usize> {
    let lines = expected.lines().zip(got.lines()).position(|(expected, got)| expected != got);
    lines.or_else(|| (expected != got).then(|| expected.lines().count().min(got.lines().count())))
}

/// What was expected and what came, from a few lines before the difference.
fn side_by_side(expected: &str, got: &str, at: usize) -> String {
    let part = |text: &str| {
        let lines = text.lines().skip(at.saturating_sub(6)).take(20);
        lines.flat_map(|line| ["  | ", line, "\n"]).collect::<String>()
    };
    format!("expected\n{}got\n{}", part(expected), part(got))
}
