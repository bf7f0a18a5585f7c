// SPDX-License-Identifier: GPL-3.0-or-later
//! The JSON schema says what the types say, explains every key, accepts every example, and refuses what is no configuration.
//!
//! `POSTERN_BLESS=1 cargo test --test schema` writes `examples/postern.schema.json` anew.

#![allow(clippy::unwrap_used)] // a test may end where it cannot go on

use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

const COMMITTED: &str = "examples/postern.schema.json";

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let made = serde_json::to_string_pretty(&postern::config::schema()).unwrap() + "\n";
    if std::env::var_os("POSTERN_BLESS").is_some() {
        fs::write(COMMITTED, &made).unwrap();
    }
    let committed = fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(committed == made, "{COMMITTED} is stale: run POSTERN_BLESS=1 cargo test --test schema");
}

#[test]
fn every_key_is_explained() {
    let mut keys = 0;
    explained("", &postern::config::schema(), &mut keys);
    assert!(keys > 40, "only {keys} keys found");
}

fn explained(path: &str, schema: &Value, keys: &mut usize) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{path}/{name}");
                if name == "properties" {
                    for (key, value) in member.as_object().unwrap() {
                        *keys += 1;
                        let text = value["description"].as_str().unwrap_or_default();
                        assert!(text.ends_with('.'), "{path}/{key} has no description: {value}");
                    }
                }
                explained(&path, member, keys);
            }
        }
        Value::Array(members) => {
            for (at, member) in members.iter().enumerate() {
                explained(&format!("{path}/{at}"), member, keys);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn as_json(toml: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(toml).unwrap()).unwrap()
}

#[test]
fn every_example_is_accepted() {
    let validator = jsonschema::validator_for(&postern::config::schema()).unwrap();
    let examples: Vec<PathBuf> = fs::read_dir("examples")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        // Test cases for one of them; tests/cli.rs runs them.
        .filter(|path| path.file_name().is_some_and(|name| name != "cases.toml"))
        .collect();
    assert!(examples.len() >= 3, "{examples:?}");
    for path in examples {
        let errors: Vec<String> = validator
            .iter_errors(&as_json(&fs::read_to_string(&path).unwrap()))
            .map(|error| format!("{} at {}", error, error.instance_path))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

/// An example with the keys and tables that are commented out in it: what they name would have to be there, or be kept from
/// others.
fn uncommented(text: &str) -> String {
    let is_key = |line: &str| {
        let key = line.split_once(" = ").map(|(key, _)| key);
        key.is_some_and(|key| key.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.')))
    };
    let is_table = |line: &str| line.starts_with('[') && line.ends_with(']');
    let line = |line| match str::strip_prefix(line, "# ") {
        Some(rest) if is_key(rest) || is_table(rest) => rest,
        Some(_) | None => line,
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_full_example_shows_every_key() {
    let full = as_json(&uncommented(&fs::read_to_string("examples/full.toml").unwrap()));
    let validator = jsonschema::validator_for(&postern::config::schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&full).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut shown = HashSet::new();
    keys(&full, &mut shown);
    let mut known = HashSet::new();
    properties(&postern::config::schema(), &mut known);
    let missing: Vec<&String> = known.difference(&shown).collect();
    assert!(missing.is_empty(), "examples/full.toml lacks {missing:?}");
}

/// All keys of a configuration.
fn keys(value: &Value, found: &mut HashSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        found.insert(key.clone());
        keys(value, found);
    }
    value.as_array().into_iter().flatten().for_each(|element| keys(element, found));
}

/// All keys that a schema knows.
fn properties(schema: &Value, found: &mut HashSet<String>) {
    for (name, member) in schema.as_object().into_iter().flatten() {
        if name == "properties" {
            found.extend(member.as_object().unwrap().keys().cloned());
        }
        properties(member, found);
    }
    schema.as_array().into_iter().flatten().for_each(|member| properties(member, found));
}

#[test]
fn what_is_no_configuration_is_refused() {
    let validator = jsonschema::validator_for(&postern::config::schema()).unwrap();
    for good in ["milter", "policyd", "socketmap"] {
        let good = format!("{good}.listen = [\"inet:127.0.0.1:8890\"]\n");
        assert!(validator.is_valid(&as_json(&good)), "refused: {good}");
    }
    for bad in [
        "",
        "milter.listen = []",
        "milter.listen = \"inet:127.0.0.1:8890\"",
        "milter.listen = [\"a\"]\nmilter.listem = [\"a\"]",
        "milter.listen = [\"a\"]\nmilter.socket_mode = 660",
        "milter.listen = [\"a\"]\nmilter.drain_timeout = \"soon\"",
        "milter.listen = [\"a\"]\nmilter.max_connections = 0",
        "milter.listen = [\"a\"]\ndomain.\"example.com\".mode = \"enforce\"",
        "milter.listen = [\"a\"]\ndomain.\"example.com\" = { gateways = \"all\" }",
        "milter.listen = [\"a\"]\ndomain.\"example.com\" = { gateways = [] }",
        "milter.listen = [\"a\"]\ndomain.\"example.com\" = { gateways = \"any\", mode = \"on\" }",
        "milter.listen = [\"a\"]\ndirectory.staff.path = \"staff.txt\"",
        "milter.listen = [\"a\"]\n[gateway.a]",
        "milter.listen = [\"a\"]\ngateway.a.networks = []",
        "milter.listen = [\"a\"]\ndomain.a = { gateways = \"any\", subaddress = \"@\" }",
        "milter.listen = [\"a\"]\nverdict.source = \"bounce\"",
        "milter.listen = [\"a\"]\nreply.not-ready.code = 250",
        "milter.listen = [\"a\"]\nreply.not-ready.text = \"gr\u{fc}n\"",
        "milter.listen = [\"a\"]\nreply.passed.code = 550",
        "milter.listen = [\"a\"]\nloop.id = \"a b\"",
        "milter.listen = [\"a\"]\ndns.servers = []",
        "milter.listen = [\"a\"]\nreputation.dnsbl = [{ weight = 2 }]",
        "milter.listen = [\"a\"]\nreputation.dnsbl = [{ zone = \"a.example\", weight = 0 }]",
        "milter.listen = [\"a\"]\nreputation.reverse_name = \"maybe\"",
        "milter.listen = [\"a\"]\ngateway.a.header = { name = \"X-Id\", value = \"secret\" }",
        "milter.listen = [\"a\"]\ngateway.a = { spf = [\"a.example\"], header = { name = \"X-Id\" } }",
        "milter.listen = [\"a\"]\ngateway.a = { spf = [\"a.example\"], require = \"some\" }",
        "milter.listen = [\"a\"]\ngateway.a = { spf = [\"a.example\"], require = [\"name\"] }",
        "milter.listen = [\"a\"]\ngateway.a = { spf = [\"a.example\"], behind = \"reject\" }",
        "milter.listen = [\"a\"]\ngateway.a = { spf = [\"a.example\"], max_shrink = 101 }",
        "milter.listen = [\"a\"]\ngateway.a = { feed = { url = \"http://a.example/\" } }",
        "milter.listen = [\"a\"]\ngateway.a = { feed = [{ format = \"json\" }] }",
        "policyd.listen = [\"a\"]\npolicyd.drain_timeout = \"5s\"",
        "socketmap.listen = []",
        "milter.listen = [\"a\"]\n[server.a]",
        "milter.listen = [\"a\"]\nserver.a.hosts = []",
        "milter.listen = [\"a\"]\nserver.a = { hosts = [\"a\"], type = \"office365\" }",
        "milter.listen = [\"a\"]\nserver.a = { hosts = [\"a\"], health = \"often\" }",
        "milter.listen = [\"a\"]\nserver.a = { hosts = [\"a\"], tls = \"verify\", certificate = [] }",
        "milter.listen = [\"a\"]\nroute.name = \"a\"",
        "milter.listen = [\"a\"]\nroute = [{ name = \"a\" }]",
        "milter.listen = [\"a\"]\nroute = [{ to = \"a\" }]",
        "milter.listen = [\"a\"]\nroute = [{ name = \"a\", to = \"a\", groups = [] }]",
        "milter.listen = [\"a\"]\nroute = [{ name = \"a\", to = \"a\", groups = [{ name = \"a\" }] }]",
        "milter.listen = [\"a\"]\ndomain.a = { gateways = \"any\", unrouted = \"default:\" }",
        "milter.listen = [\"a\"]\ndomain.a = { gateways = \"any\", scan = {} }",
        "milter.listen = [\"a\"]\ndomain.a = { gateways = \"any\", scan = { via = \"a\", valid = \"1\" } }",
        "milter.listen = [\"a\"]\nscan.rotate = \"30m\"",
    ] {
        assert!(!validator.is_valid(&as_json(bad)), "accepted: {bad}");
    }
}
