// SPDX-License-Identifier: GPL-3.0-or-later
//! One table of messages, put to the milter door, to policy delegation without a milter, and to `postern try`: reason,
//! verdict, what is applied and the reply are the same, but for [`DIFFERENCES`], which the protocols force. A difference that
//! is not listed fails, and so does one that is listed and gone.

use crate::milter_support::{self, Peer, helo, mail, rcpt, string};
use crate::stand_in::{StandIn, Stuck};
use crate::support::{Door, request};
use indymilter::message::command::{Command, ConnInfoPayload};
use indymilter::message::reply::Reply;
use indymilter::{MacroStage, SocketInfo};
use postern::cli::assemble::assemble;
use postern::policy::{Decision, Policy};
use postern::policyd::Manner;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Row {
    name: &'static str,
    client: &'static str,
    login: &'static str,
    certificate: &'static str,
    sender: &'static str,
    /// As the client writes them, and as Postfix tells each door.
    recipients: &'static [To],
}

struct To {
    written: &'static str,
    /// The attribute `recipient`.
    told: &'static str,
    /// The macro `{rcpt_addr}`.
    resolved: &'static str,
}

const fn to(address: &'static str) -> To {
    To { written: address, told: address, resolved: address }
}

const GATEWAY: &str = "192.0.2.9";
const STRANGER: &str = "198.51.100.1";
const INTERNAL: &str = "10.1.2.3";

const fn row(name: &'static str, client: &'static str, recipients: &'static [To]) -> Row {
    Row { name, client, login: "", certificate: "", sender: "eve@sender.example", recipients }
}

const TABLE: &[Row] = &[
    row(
        "gateway",
        GATEWAY,
        &[to("ann@a.example"), to("nobody@a.example"), to("Ann+x@A.Example"), to("postmaster@a.example")],
    ),
    row("stranger", STRANGER, &[to("ann@a.example"), to("nobody@a.example"), to("postmaster@a.example")]),
    Row { sender: "", ..row("null sender", STRANGER, &[to("ann@a.example"), to("ann@open.example")]) },
    Row {
        sender: "",
        ..row("null sender of the gateway", GATEWAY, &[to("ann@a.example"), to("nobody@a.example")])
    },
    row(
        "internal",
        INTERNAL,
        &[to("ann@a.example"), to("nobody@a.example"), to("nobody@hold.example"), to("x@elsewhere.example")],
    ),
    Row { login: "joe", ..row("logged in", STRANGER, &[to("ann@a.example"), to("nobody@drop.example")]) },
    row("IPv6", "2001:db8:1::7", &[to("ann@a.example")]),
    row("IPv6 stranger", "2001:db8:2::7", &[to("ann@a.example")]),
    row("mapped", "::ffff:192.0.2.9", &[to("ann@a.example")]),
    row("soft", STRANGER, &[to("ann@soft.example")]),
    row("soft, unknown", GATEWAY, &[to("nobody@soft.example"), to("ann@soft.example")]),
    row("monitored", STRANGER, &[to("ann@monitor.example"), to("nobody@monitor.example")]),
    row("monitored, unknown", GATEWAY, &[to("nobody@monitor.example")]),
    row("inactive", STRANGER, &[to("nobody@inactive.example")]),
    row("wildcard", STRANGER, &[to("ann@x.sub.example"), to("ann@sub.example")]),
    row("wildcard of the gateway", GATEWAY, &[to("ann@y.x.sub.example")]),
    row("first hop", STRANGER, &[to("ann@open.example"), to("nobody@open.example")]),
    row("unlisted", STRANGER, &[to("x@elsewhere.example"), to("x@[192.0.2.7]")]),
    row("tagged", STRANGER, &[to("ann@tag.example"), to("ann@open.example")]),
    row("tagged, unknown", GATEWAY, &[to("nobody@tag.example")]),
    row("held", STRANGER, &[to("ann@hold.example"), to("ann@open.example"), to("ann@a.example")]),
    row("held second", STRANGER, &[to("ann@open.example"), to("ann@hold.example")]),
    row("discarded", STRANGER, &[to("ann@drop.example")]),
    row("discarded and accepted", STRANGER, &[to("ann@drop.example"), to("ann@open.example")]),
    row("deferred", STRANGER, &[to("ann@defer.example")]),
    row("deferred, unknown", GATEWAY, &[to("nobody@defer.example")]),
    row("own words", STRANGER, &[to("ann@words.example")]),
    Row { certificate: "mx1.seg.example", ..row("certificate", GATEWAY, &[to("ann@named.example")]) },
    Row {
        certificate: "mx1.other.example",
        ..row("another certificate", GATEWAY, &[to("ann@named.example")])
    },
    row("no certificate", GATEWAY, &[to("ann@named.example")]),
    row("header factor", GATEWAY, &[to("ann@marked.example")]),
    row("header factor, stranger", STRANGER, &[to("ann@marked.example")]),
    row(
        "odd spellings",
        GATEWAY,
        &[
            To { written: "ann%a.example", told: "ann%a.example", resolved: "ann@a.example" },
            To { written: "a.example!ann", told: "a.example!ann", resolved: "ann@a.example" },
            To { written: "\"ann@a.example\"", told: "ann@a.example", resolved: "ann@a.example" },
            To { written: "@r.example:ann@a.example", told: "ann@a.example", resolved: "ann@a.example" },
            To { written: "\"ann\"@a.example", told: "ann@a.example", resolved: "ann@a.example" },
            To { written: "\"a b\"@a.example", told: "a b@a.example", resolved: "\"a b\"@a.example" },
            To { written: "ann@a", told: "ann@a", resolved: "ann@a.example" },
        ],
    ),
    row("in UTF-8", GATEWAY, &[to("grün@a.example"), to("ann@bücher.example")]),
];

/// Where the milter's answer, which is the first, is not everyone's: the row, the recipient, and who answers otherwise.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    // Postfix rewrites these after it has asked; only its milters hear what they become. `try` asks no MTA.
    ("odd spellings", "ann%a.example", "policyd", "not-ready defer defer 451 4.7.1"),
    ("odd spellings", "ann%a.example", "try", "not-ready defer defer 451 4.7.1"),
    ("odd spellings", "a.example!ann", "policyd", "not-ready defer defer 451 4.7.1"),
    ("odd spellings", "a.example!ann", "try", "not-ready defer defer 451 4.7.1"),
    ("odd spellings", "ann@a", "policyd", "not-ready defer defer 451 4.7.1"),
    ("odd spellings", "ann@a", "try", "not-our-domain accept accept -"),
    // Quotes and routes are taken off before policy delegation is asked; `try` sees them.
    ("odd spellings", "\"ann@a.example\"", "try", "not-ready defer defer 451 4.7.1"),
    ("odd spellings", "@r.example:ann@a.example", "try", "recipient-unknown reject reject 550 5.1.1"),
    // No headers come to policy delegation alone; `try` shows each recipient's reply as it is after them.
    ("header factor", "ann@marked.example", "policyd", "not-ready defer defer 451 4.7.1"),
    ("header factor", "ann@marked.example", "try", "passed accept accept 550 5.7.1"),
    // Postfix discards whole messages, the milter recipients.
    ("discarded and accepted", "ann@open.example", "policyd", "passed accept accept 452 4.5.3"),
];

#[tokio::test]
async fn every_way_of_asking_gives_the_same_decision() {
    let dir = config_dir();
    let policy = || assemble(&dir.join("postern.toml")).outcome.expect("a right configuration").1;
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for row in TABLE {
        let by_milter = through_milter(policy(), row).await;
        for (way, others) in
            [("policyd", through_policyd(policy(), row).await), ("try", through_try(&dir, row))]
        {
            assert_eq!((by_milter.len(), others.len()), (row.recipients.len(), row.recipients.len()));
            for ((to, first), other) in row.recipients.iter().zip(&by_milter).zip(others) {
                if *first == other {
                    continue;
                }
                found.push((row.name, to.written, way));
                let listed = DIFFERENCES
                    .iter()
                    .find(|(name, written, by, _)| (*name, *written, *by) == (row.name, to.written, way));
                let starts = listed.is_some_and(|(.., want)| other.starts_with(want));
                if !starts {
                    let (name, written) = (row.name, to.written);
                    wrong.push(format!("{name}, {written}\n  milter:  {first}\n  {way}: {other}"));
                }
            }
        }
    }
    fs::remove_dir_all(&dir).unwrap();
    let gone = DIFFERENCES.iter().filter(|(name, written, way, _)| !found.contains(&(*name, *written, *way)));
    wrong.extend(gone.map(|difference| format!("no difference any more: {difference:?}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn config_dir() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("postern-table-{}", std::process::id()));
    fs::create_dir_all(dir.join("state")).unwrap();
    let door = "[milter]\nlisten = [\"unix:milter.sock\"]\n";
    fs::write(dir.join("postern.toml"), format!("{}\n{door}", include_str!("table.toml"))).unwrap();
    let domains = ["a", "soft", "monitor", "inactive", "open", "tag", "hold", "drop", "defer"];
    let staff: Vec<String> = domains.iter().map(|domain| format!("ann@{domain}.example\n")).collect();
    fs::write(dir.join("staff.txt"), staff.concat()).unwrap();
    dir
}

fn described(decision: &Decision, reply: &str) -> String {
    format!("{} {} {} {reply}", decision.reason, decision.verdict, decision.applied)
}

/// The reply without its reference, or `-`.
fn reply(line: &str) -> String {
    if !line.starts_with(|c: char| c.is_ascii_digit()) {
        return "-".to_owned();
    }
    line.rsplit_once(" (ref ").expect("a reference").0.to_owned()
}

async fn through_milter(policy: Policy, row: &Row) -> Vec<String> {
    let door = milter_support::Door::of(StandIn::new(policy, Stuck::Nowhere));
    let mut peer: Peer = door.mta().await;
    let hostname = string("client.example");
    let address = SocketAddr::new(row.client.parse().unwrap(), 4711);
    peer.mta.define(MacroStage::Connect, &[("j", "mx.example")]).await.unwrap();
    let connect = ConnInfoPayload { hostname, socket_info: SocketInfo::Inet(address) };
    peer.mta.send(Command::ConnInfo(connect)).await.unwrap();
    if !row.certificate.is_empty() {
        peer.mta.define(MacroStage::Helo, &[("{cert_subject}", row.certificate)]).await.unwrap();
    }
    peer.mta.send(helo()).await.unwrap();
    if !row.login.is_empty() {
        let login = [("{auth_type}", "PLAIN"), ("{auth_authen}", row.login)];
        peer.mta.define(MacroStage::Mail, &login).await.unwrap();
    }
    peer.mta.send(mail(&format!("<{}>", row.sender))).await.unwrap();
    let mut lines = Vec::new();
    for to in row.recipients {
        peer.mta.define(MacroStage::Rcpt, &[("{rcpt_addr}", to.resolved)]).await.unwrap();
        let answer = peer.mta.send(rcpt(&format!("<{}>", to.written))).await.unwrap();
        let answer = match answer.last() {
            Some(Reply::ReplyCode { reply }) => reply.to_string_lossy().replace("%%", "%"),
            _ => "-".to_owned(),
        };
        lines.push(described(&door.judge.last(), &reply(&answer)));
    }
    lines
}

async fn through_policyd(policy: Policy, row: &Row) -> Vec<String> {
    let door = Door::of(Arc::new(StandIn::new(policy, Stuck::Nowhere)), Manner { alone: true });
    let mut smtpd = door.smtpd();
    // A listener that asks at DATA, and has done so before.
    smtpd.write(&request(&[("protocol_state", "DATA"), ("instance", "x.y.z.0")])).await;
    smtpd.answer().await;
    let mut lines = Vec::new();
    for to in row.recipients {
        let asked = [
            ("client_address", row.client),
            ("sender", row.sender),
            ("recipient", to.told),
            ("sasl_method", if row.login.is_empty() { "" } else { "PLAIN" }),
            ("sasl_username", row.login),
            ("ccert_subject", row.certificate),
        ];
        smtpd.write(&request(&asked)).await;
        let answer = smtpd.answer().await;
        lines.push(described(&door.judge.last(), &reply(&answer)));
    }
    lines
}

fn through_try(dir: &Path, row: &Row) -> Vec<String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(["try", "--json", "--client", row.client, "--helo", "client.example", "--mail", row.sender]);
    command.arg("--config").arg(dir.join("postern.toml"));
    for to in row.recipients {
        command.args(["--rcpt", to.written]);
    }
    for (option, value) in [("--auth", row.login), ("--certificate", row.certificate)] {
        if !value.is_empty() {
            command.args([option, value]);
        }
    }
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{}: {error}\n{}", row.name, String::from_utf8_lossy(&output.stderr)));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |found: &Value| {
        let reply = &found["reply"];
        let line = if reply.is_null() {
            "-".to_owned()
        } else {
            format!("{} {} {}", reply["code"], text(&reply["enhanced"]), text(&reply["text"]))
        };
        format!("{} {} {} {line}", text(&found["reason"]), text(&found["verdict"]), text(&found["applied"]))
    };
    said["recipients"].as_array().unwrap().iter().map(one).collect()
}
