// SPDX-License-Identifier: GPL-3.0-or-later
//! What `cargo deny check licenses bans sources` holds, over `cargo metadata`, so that a machine without cargo-deny
//! holds it too. Licence expressions are SPDX with AND, OR, WITH and parentheses.

use serde_json::Value;
use std::process::Command;

struct Rules {
    licences: Vec<String>,
    banned: Vec<String>,
    registries: Vec<String>,
}

fn rules() -> Rules {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap();
    let deny: toml::Table = toml::from_str(&text).unwrap();
    let texts = |value: &toml::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let banned = deny["bans"]["deny"].as_array().unwrap().iter();
    assert_eq!(deny["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(deny["sources"]["unknown-git"].as_str(), Some("deny"));
    Rules {
        licences: texts(&deny["licenses"]["allow"]),
        banned: banned.map(|ban| ban["crate"].as_str().unwrap().to_owned()).collect(),
        registries: texts(&deny["sources"]["allow-registry"]),
    }
}

/// Whether an SPDX expression can be met with allowed licences alone.
fn allowed(expression: &str, licences: &[String]) -> bool {
    // Older crates write `MIT/Apache-2.0` for OR.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&tokens, &mut at, licences);
    met && at == tokens.len()
}

fn any(tokens: &[&str], at: &mut usize, licences: &[String]) -> bool {
    let mut met = every(tokens, at, licences);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= every(tokens, at, licences);
    }
    met
}

fn every(tokens: &[&str], at: &mut usize, licences: &[String]) -> bool {
    let mut met = one(tokens, at, licences);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at, licences);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize, licences: &[String]) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let met = any(tokens, at, licences);
        *at += 1;
        return met;
    }
    let mut name = (*token).to_owned();
    if tokens.get(*at) == Some(&"WITH") {
        name = format!("{name} WITH {}", tokens.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    licences.contains(&name)
}

#[test]
fn every_dependency_is_one_that_we_may_build_from() {
    let rules = rules();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "the dependencies were not found");
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none given");
        if !allowed(licence, &rules.licences) {
            wrong.push(format!("{name}: licence {licence} is not allowed by deny.toml"));
        }
        if rules.banned.iter().any(|banned| banned == name) {
            wrong.push(format!("{name}: banned by deny.toml"));
        }
        let own = name == env!("CARGO_PKG_NAME");
        let source = package["source"].as_str().unwrap_or_default();
        let known = rules.registries.iter().any(|registry| source == format!("registry+{registry}"));
        let ours = own && source.is_empty();
        if !known && !ours {
            wrong.push(format!("{name}: comes from {source:?}, which deny.toml does not allow"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn licence_expressions() {
    let licences: Vec<String> = ["MIT", "Apache-2.0", "Unicode-3.0"].map(String::from).to_vec();
    for (expression, want) in [
        ("MIT", true),
        ("MIT OR Proprietary", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("MIT AND Proprietary", false),
        ("Proprietary", false),
        ("none given", false),
    ] {
        assert_eq!(allowed(expression, &licences), want, "{expression}");
    }
}
