// SPDX-License-Identifier: GPL-3.0-or-later
//! `try --live`: against a running Postern, and against milters that answer otherwise.

use crate::common::address::own_address;
use crate::common::dir::TestDir;
use crate::common::postern::{Endpoint, Postern};
use crate::fake::{Say, agreement, all_but, milter};
use crate::transcript::{Shell, home};
use indymilter::ProtoOpts;
use indymilter::message::command::CommandKind;
use indymilter::message::reply::Reply;
use postern::milter::{Mta, MtaError, Offer};
use serde_json::Value;
use std::fs;

/// A running Postern with a configuration of the transcripts, and its two sockets.
fn running(dir: &TestDir, config: &str) -> (Postern, [Endpoint; 2]) {
    let listens = [Endpoint::Unix(dir.join("s")), Endpoint::Inet(own_address(8890))];
    let config = fs::read_to_string(home().join(config)).unwrap();
    let [unix, tcp] = &listens;
    let config = config.replace("\"inet:127.0.0.1:8890\"", &format!("\"{unix}\", \"{tcp}\""));
    dir.write("postern.toml", &format!("state_dir = \"state\"\n{config}"));
    dir.write("staff.txt", &fs::read_to_string(home().join("staff.txt")).unwrap());
    (Postern::start(dir.path(), &listens), listens)
}

#[test]
fn a_running_postern_is_asked() {
    let dir = TestDir::new();
    let (_postern, [unix, tcp]) = running(&dir, "gate.toml");
    Shell::new().with("UNIX", unix.to_string()).with("TCP", tcp.to_string()).replay("live.txt");
}

/// Every trial of `try.txt` and `factors.txt`, with and without a server: what becomes of each recipient is the same.
#[test]
fn a_server_says_what_was_said_without_one() {
    same_with_a_server("try.txt", "gate.toml", 31);
    same_with_a_server("factors.txt", "factors.toml", 12);
}

fn same_with_a_server(transcript: &str, config: &str, at_least: usize) {
    let dir = TestDir::new();
    let (_postern, [unix, _]) = running(&dir, config);
    let shell = Shell::new().with("UNIX", unix.to_string());
    let transcript = fs::read_to_string(home().join(transcript)).unwrap();
    let commands: Vec<&str> = transcript
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .filter(|command| command.contains(config) && !command.ends_with("| true"))
        .collect();
    assert!(commands.len() >= at_least, "{commands:?}");
    for command in commands {
        let outcomes = |options: &str| {
            let output = shell.run(&command.replace(&format!("-c {config}"), options));
            let (json, exit) = output.rsplit_once('[').unwrap();
            let json: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{command}: {e}\n{json}"));
            let recipients = json["recipients"].as_array().unwrap().iter();
            let fates: Vec<&str> = recipients
                .map(|recipient| match recipient["outcome"].as_str().unwrap() {
                    "accept" | "tag" | "accepted" => "accepted",
                    "reject" | "defer" | "parted" | "refused" => "refused",
                    "quarantine" | "held" => "held",
                    "discard" | "discarded" => "discarded",
                    other => panic!("{command}: {other}"),
                })
                .collect();
            format!("{fates:?} {exit}")
        };
        assert_eq!(outcomes(&format!("--json -c {config}")), outcomes("--json --live $UNIX"), "{command}");
    }
}

fn code(text: &std::ffi::CStr) -> Reply {
    Reply::ReplyCode { reply: text.into() }
}

#[test]
fn other_milters_are_asked() {
    let dir = TestDir::new();
    let at = |name: &str, kind: CommandKind, reply: Reply| {
        milter(&dir, name, all_but(move |asked, _| (asked == kind).then(|| reply.clone())))
    };
    let edits = milter(&dir, "edits", |kind, seen| {
        let reply = match kind {
            CommandKind::OptNeg => agreement(ProtoOpts::LEADING_SPACE | ProtoOpts::SKIP),
            CommandKind::BodyChunk => Reply::Skip,
            CommandKind::BodyEnd => return every_edit(&format!("{:?}", told(seen))),
            CommandKind::Abort | CommandKind::Quit => return vec![],
            _ => Reply::Continue,
        };
        vec![Say::Reply(reply)]
    });
    let picky = milter(
        &dir,
        "picky",
        all_but(|kind, seen| match (kind, seen.count) {
            (CommandKind::Rcpt, 2) => Some(code(c"550-5.7.1 100%% sure:\r\n550 5.7.1 no")),
            (CommandKind::Rcpt, 3) => Some(Reply::Reject),
            (CommandKind::Rcpt, 4) => Some(Reply::Tempfail),
            _ => None,
        }),
    );
    Shell::new()
        .with("EDITS", edits)
        .with("PICKY", picky)
        .with("REJECTS_AT_CONNECT", at("rc", CommandKind::ConnInfo, Reply::Reject))
        .with("DISCARDS_AT_HELO", at("dh", CommandKind::Helo, Reply::Discard))
        .with("ACCEPTS_AT_MAIL", at("am", CommandKind::Mail, Reply::Accept))
        .with("DISCARDS_AT_RCPT", at("dr", CommandKind::Rcpt, Reply::Discard))
        .with("DEFERS_AT_DATA", at("td", CommandKind::Data, Reply::Tempfail))
        .with("REJECTS_AT_HEADER", at("rh", CommandKind::Header, code(c"554 5.6.0 bad header")))
        .with("REJECTS_AT_EOH", at("re", CommandKind::Eoh, code(c"550 \x1b[31m5.7.1\\ x")))
        .with("ACCEPTS_AT_BODY", at("ab", CommandKind::BodyChunk, Reply::Accept))
        .with("DISCARDS_AT_END", at("de", CommandKind::BodyEnd, Reply::Discard))
        .replay("live-others.txt");
}

/// The macros, but for those that differ from machine to machine.
fn told(seen: &crate::fake::Seen) -> Vec<String> {
    let stages = seen.macros.iter().map(|(stage, macros)| {
        let told = macros.iter().filter(|(name, _)| !matches!(name.as_str(), "j" | "v" | "{daemon_name}"));
        let told: Vec<String> = told.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{stage}: {}", told.join(" "))
    });
    stages.collect()
}

fn every_edit(macros: &str) -> Vec<Say> {
    let value = std::ffi::CString::new(macros).unwrap();
    let edits = [
        Reply::Progress,
        Reply::InsertHeader { index: 1, name: c"X-First".into(), value: c" a\n\tb".into() },
        Reply::ChangeHeader { name: c"Subject".into(), index: 1, value: c"other".into() },
        Reply::ChangeHeader { name: c"X-Old".into(), index: 2, value: c"".into() },
        Reply::AddRcpt { rcpt: c"<new@a.example>".into() },
        Reply::AddRcptExt { rcpt: c"<new@a.example>".into(), args: Some(c"NOTIFY=NEVER".into()) },
        Reply::DeleteRcpt { rcpt: c"<bob@a.example>".into() },
        Reply::ChangeSender { mail: c"<>".into(), args: None },
        Reply::ReplaceBody { chunk: bytes::Bytes::from_static(b"new body") },
        Reply::AddHeader { name: c"X-Macros".into(), value },
        Reply::Continue,
    ];
    edits.map(Say::Reply).into()
}

#[test]
fn servers_that_are_no_milters_or_fail() {
    let dir = TestDir::new();
    let instead = |name: &str, kind: CommandKind, octets: &'static [u8]| {
        let usual = all_but(|_, _| None);
        milter(&dir, name, move |asked, seen| {
            if asked == kind { vec![Say::Octets(octets), Say::Close] } else { usual(asked, seen) }
        })
    };
    Shell::new()
        .with("SMTP_SERVER", instead("smtp", CommandKind::OptNeg, b"220 mail.example.org ESMTP\r\n"))
        .with("HANGS_UP", instead("h", CommandKind::OptNeg, b""))
        .with("DOES_NOT_NEGOTIATE", instead("n", CommandKind::OptNeg, b"\0\0\0\x01c"))
        .with("HANGS_UP_AT_RCPT", instead("r", CommandKind::Rcpt, b""))
        .with("HANGS_UP_WITHIN", instead("w", CommandKind::Rcpt, b"\0\0\0\x20y550"))
        .with("SPEAKS_GARBAGE", instead("g", CommandKind::Mail, b"\0\0\0\x01X"))
        .with("EDITS_TOO_SOON", instead("e", CommandKind::BodyEnd, b"\0\0\0\x03hx\0"))
        .replay("live-failures.txt");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let (ours, _theirs) = tokio::io::duplex(4096);
    let error = Mta::open(ours, Offer::current()).await.unwrap_err();
    assert!(matches!(error, MtaError::Silent), "{error}");
    assert_eq!(error.to_string(), "no answer from the milter within 30 s");
}
