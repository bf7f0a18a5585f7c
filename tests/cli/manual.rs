// SPDX-License-Identifier: GPL-3.0-or-later
//! Help texts, man pages, completions, the schema; and that a reader who goes away is no failure.

use crate::common::dir::TestDir;
use crate::transcript::home;
use std::fs;
use std::process::{Command, Output, Stdio};

const COMMANDS: [&str; 30] = [
    "",
    "run",
    "check",
    "try",
    "test",
    "gateways",
    "gateways show",
    "gateways test",
    "gateways diff",
    "gateways refresh",
    "gateways providers",
    "directories",
    "directories show",
    "directories lookup",
    "directories diff",
    "directories sync",
    "directories accept",
    "directories import",
    "directories rollback",
    "directories learned",
    "route",
    "servers",
    "servers probe",
    "mta",
    "mta postfix",
    "mta sendmail",
    "generate",
    "generate man",
    "generate completions",
    "generate schema",
];

fn postern(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(arguments.split_whitespace()).current_dir(home()).stdin(Stdio::null());
    command
}

fn printed(arguments: &str) -> String {
    let Output { status, stdout, stderr } = postern(arguments).env("COLUMNS", "80").output().unwrap();
    assert!(status.success(), "postern {arguments}: {}", String::from_utf8_lossy(&stderr));
    assert!(stderr.is_empty(), "postern {arguments}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn help_fits_a_terminal_and_says_what_comes_out() {
    for command in COMMANDS {
        for flag in ["-h", "--help"] {
            let help = printed(&format!("{command} {flag}"));
            let too_long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(too_long.is_empty(), "postern {command} {flag}: {too_long:#?}");
            assert!(!help.contains('\u{1b}'), "postern {command} {flag}: colour in a pipe");
        }
        let one_word = !command.is_empty() && !command.contains(' ');
        let help = printed(&format!("{command} --help"));
        assert!(!one_word || help.contains("\nExit status:\n"), "postern {command} --help:\n{help}");
    }
    for command in ["try", "test"] {
        assert!(printed(&format!("{command} --help")).contains("\nExamples:\n"), "{command}");
    }
}

#[test]
fn man_pages_render_without_a_warning() {
    let dir = TestDir::new();
    let pages = dir.join("man");
    printed(&format!("generate man {}", pages.display()));
    let mut names: Vec<_> = fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), COMMANDS.len() + 1, "{names:?}");
    for page in names {
        let rendered = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(&page)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("man (apt-get install man-db)");
        let complaints = String::from_utf8_lossy(&rendered.stderr);
        assert!(rendered.status.success() && complaints.is_empty(), "{}: {complaints}", page.display());
        let text = String::from_utf8(rendered.stdout).unwrap();
        for section in ["NAME", "DESCRIPTION", "SEE ALSO"] {
            assert!(text.lines().any(|line| line == section), "{}: no {section}\n{text}", page.display());
        }
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&format!("generate completions {shell}"));
        for word in ["check", "try", "live", "completions"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    let script = printed("generate completions bash");
    let parsed = Command::new("bash").args(["-n", "-c", &script]).output().expect("bash");
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
}

#[test]
fn the_schema_is_the_one_beside_the_examples() {
    let committed = fs::read_to_string(home().join("../../examples/postern.schema.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&printed("generate schema")).unwrap(),
        serde_json::from_str::<serde_json::Value>(&committed).unwrap()
    );
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    for (arguments, code) in [
        ("--help", 0),
        ("--version", 0),
        ("check --config gate.toml", 0),
        ("try --config gate.toml --client 192.0.2.9 --rcpt ann@a.example", 0),
        ("try --config gate.toml --client 192.0.2.9 --rcpt zoe@a.example --json", 1),
        ("test --config gate.toml wrong-cases.toml", 1),
        ("generate completions bash", 0),
        ("generate schema", 0),
        ("run --config no-such-config.toml", 2),
        ("serve", 2),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = postern(arguments);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let status = command.status().unwrap();
        assert_eq!(status.code(), Some(code), "postern {arguments}");
    }
}

#[test]
fn colour_is_for_terminals() {
    let command = format!(
        "{} try --config gate.toml --client 192.0.2.9 --rcpt ann@a.example",
        env!("CARGO_BIN_EXE_postern")
    );
    let on_a_terminal = |no_color: &str| {
        let output = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(home())
            .env("NO_COLOR", no_color)
            .stdin(Stdio::null())
            .output()
            .expect("script (apt-get install bsdutils)");
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = on_a_terminal("");
    assert!(shown.contains("\u{1b}[32mann@a.example\u{1b}[0m"), "{shown}");
    let shown = on_a_terminal("1");
    assert!(shown.contains("ann@a.example") && !shown.contains('\u{1b}'), "{shown}");
}
