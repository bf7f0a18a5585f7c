// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads every mention of `crate::` in the sources, and holds it against the floors.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, ground first.
const FLOORS: [&[&str]; 8] = [
    &["mail"],
    &["policy"],
    &["config"],
    &["gate"],
    &["dns", "https", "store", "listen"],
    &["gateways", "directories", "reputation", "servers", "tokens"],
    &["milter", "policyd", "socketmap"],
    &["cli"],
];

/// Doors know no back room, though back rooms lie lower.
const DOORS: [&str; 3] = ["milter", "policyd", "socketmap"];
const BACK_ROOMS: [&str; 8] =
    ["gateways", "directories", "reputation", "servers", "tokens", "dns", "https", "store"];

/// What a room must not reach out for, and why.
const BANNED: [(&[&str], &[&str], &str); 3] = [
    (
        &["mail", "policy"],
        &["tokio", "tracing", "std::fs", "std::io", "std::time", "std::process", "indymilter"],
        "is pure: values in, values out",
    ),
    (&["config"], &["tokio", "indymilter"], "only reads files"),
    (&["gate"], &["indymilter", "std::fs", "std::net::Tcp"], "knows no protocol and no file"),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all(dirs: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    dirs.iter()
        .map(|dir| root.join(dir))
        .filter(|dir| dir.exists())
        .for_each(|dir| sources(&dir, &mut found));
    found.sort();
    let named = |path: &PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (named(path), fs::read_to_string(path).unwrap())).collect()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The room of a file: `src/mail/domain.rs` is in `mail`.
fn room_of(file: &str) -> Option<&str> {
    let mut parts = file.strip_prefix("src/")?.split('/');
    let room = parts.next()?;
    parts.next().map(|_| room)
}

/// The rooms that a line names after `crate::`, groups in braces taken apart.
fn named_rooms(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let firsts: Vec<&str> = match rest.strip_prefix('{') {
            None => vec![rest],
            Some(group) => {
                let mut depth = 0;
                let parts = group.split(|c| match c {
                    '{' => {
                        depth += 1;
                        false
                    }
                    '}' => {
                        depth -= 1;
                        depth < 0
                    }
                    ',' => depth == 0,
                    _ => false,
                });
                parts.map(str::trim).collect()
            }
        };
        for first in firsts {
            let name: String = first.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if floor(&name).is_some() {
                rooms.push(name);
            }
        }
    }
    rooms
}

#[test]
fn rooms_import_from_lower_floors_only() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in all(&["src"]) {
        let Some(room) = room_of(&file) else { continue };
        let Some(own) = floor(room) else {
            wrong.push(format!(
                "{file}: room {room} stands on no floor; give it one in tests/house/floors.rs"
            ));
            continue;
        };
        for (number, line) in (1..).zip(text.lines()) {
            for other in named_rooms(line) {
                seen += 1;
                let up = other != room && floor(&other).unwrap() >= own;
                let stranger = DOORS.contains(&room) && BACK_ROOMS.contains(&other.as_str());
                if up || stranger {
                    wrong.push(format!("{file}:{number}: {room} must not know {other}: {}", line.trim()));
                }
            }
        }
    }
    assert!(seen > 30, "the imports were not found: {seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_that_goes_up_is_seen() {
    assert_eq!(named_rooms("use crate::{mail::{A, B}, milter::serve};"), ["mail", "milter"]);
    assert_eq!(named_rooms("let x = crate::gate::Gate::new(crate::policy::P);"), ["gate", "policy"]);
    assert_eq!(named_rooms("// crate::cli is above"), Vec::<String>::new());
    assert_eq!(room_of("src/policy/decide.rs"), Some("policy"));
    assert!(
        floor("cli") > floor("milter") && floor("milter") > floor("gate") && floor("gate") > floor("config")
    );
}

#[test]
fn pure_rooms_stay_pure() {
    let mut wrong = Vec::new();
    for (file, text) in all(&["src"]) {
        let Some(room) = room_of(&file) else { continue };
        // Test modules may use what they like.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if file.ends_with("/tests.rs") {
            continue;
        }
        for (rooms, banned, why) in BANNED {
            for ban in banned {
                if rooms.contains(&room)
                    && code
                        .lines()
                        .any(|l| !l.trim_start().starts_with("//") && l.contains(&format!("{ban}::")))
                {
                    wrong.push(format!("{file} uses {ban}, but {room} {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_says_its_licence_and_what_it_is() {
    for (file, text) in all(&["src", "tests", "benches", "fuzz/fuzz_targets"]) {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("// SPDX-License-Identifier: GPL-3.0-or-later"), "{file}: first line");
        let next = lines.find(|l| !l.starts_with("#![")).unwrap_or_default();
        assert!(next.starts_with("//!"), "{file}: begins with what it is");
    }
}
