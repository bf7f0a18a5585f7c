// SPDX-License-Identifier: GPL-3.0-or-later
//! The log: one line an event, the same fields for every verdict, nothing from outside that looks like ours.

use crate::common::dir::TestDir;
use crate::common::postern::{Endpoint, Postern};
use crate::session::{GATEWAY, STRANGER, Session, configured};
use serde_json::{Map, Value};

/// The log of two messages, one of them refused, from a client with this HELO name.
async fn logged(dir: &TestDir, format: &str, helo: &str) -> String {
    let mut command = Postern::command(dir.path());
    command.args(["--log-format", format]);
    let mut postern = Postern::launch(command, dir.path(), &[Endpoint::Unix(dir.join("s"))]);
    for (client, address, want) in [
        (GATEWAY, "ann@a.example", "continue"),
        (STRANGER, "ann@a.example", "550 5.7.1"),
        (GATEWAY, "\"a\\\" applied=x\"@a.example", "550 5.1.1"),
    ] {
        let mut session = Session::open(&dir.join("s")).await.unwrap();
        session.hello(client, helo).await;
        assert_eq!(session.rcpt(address).await, want);
        if want == "continue" {
            assert_eq!(session.finish().await, "continue");
        }
    }
    postern.terminate();
    assert!(postern.wait().success());
    postern.log()
}

fn keys(event: &Map<String, Value>) -> Vec<&str> {
    let mut keys: Vec<&str> = event.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn each_line_of_json_is_one_object() {
    let dir = configured("");
    let log = logged(&dir, "json", "x\",\"applied\":\"accept\n{\u{202e}\u{1b}[31m").await;
    let events: Vec<Map<String, Value>> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for event in &events {
        for key in ["timestamp", "level", "target", "message"] {
            assert!(event[key].is_string(), "{key} in {event:?}");
        }
    }
    let verdicts: Vec<_> = events.iter().filter(|event| event["target"] == "postern::verdict").collect();
    let [accepted, headers, stranger, unknown] = verdicts.as_slice() else { panic!("{verdicts:#?}") };
    let always = [
        "about",
        "applied",
        "client",
        "client_name",
        "domain",
        "helo",
        "level",
        "message",
        "mode",
        "queue_id",
        "reason",
        "ref",
        "rule",
        "sender",
        "session",
        "target",
        "timestamp",
        "verdict",
    ];
    let with = |more: &[&'static str]| {
        let mut keys: Vec<&str> = always.iter().chain(more).copied().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(accepted), with(&["address", "gateway", "recipient"]));
    assert_eq!(keys(headers), with(&[]));
    assert_eq!(keys(stranger), with(&["address", "recipient", "reply"]));
    assert_eq!(keys(unknown), with(&["address", "gateway", "recipient", "reply"]));
    for (event, about, reason, applied) in [
        (accepted, "recipient", "passed", "accept"),
        (headers, "message", "passed", "accept"),
        (stranger, "recipient", "source-not-gateway", "reject"),
        (unknown, "recipient", "recipient-unknown", "reject"),
    ] {
        assert_eq!((&event["about"], &event["reason"]), (&about.into(), &reason.into()), "{event:?}");
        assert_eq!(event["applied"], applied, "{event:?}");
        assert_eq!(event["helo"], r#"x","applied":"accept\n{\u{202e}\x1b[31m"#, "{event:?}");
        assert_eq!(event["ref"].as_str().unwrap().len(), 12, "{event:?}");
    }
    assert!(stranger["reply"].as_str().unwrap().starts_with("550 5.7.1 "), "{stranger:?}");
}

#[tokio::test]
async fn a_line_of_text_stays_one_line() {
    let dir = configured("");
    let log = logged(&dir, "text", "x applied=accept\nforged \u{1b}[31m\u{9b}").await;
    let verdicts: Vec<&str> = log.lines().filter(|line| line.contains("postern::verdict")).collect();
    assert_eq!(verdicts.len(), 4, "{log}");
    for line in &verdicts {
        assert!(line.contains(r#" helo="x applied=accept\nforged \x1b[31m\u{9b}" "#), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    assert!(verdicts[2].contains(" reason=source-not-gateway ") && verdicts[2].contains(" applied=reject "));
    assert!(verdicts[3].contains(r#" recipient="<\"a\\\" applied=x\"@a.example>" "#), "{}", verdicts[3]);
    assert!(log.lines().all(|line| line.starts_with("20")), "{log}");
}
