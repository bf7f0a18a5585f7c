// SPDX-License-Identifier: GPL-3.0-or-later
//! Keys of scan tokens and tokens that were used, over restarts and reloads of a real Postern.

use crate::common::dir::TestDir;
use crate::common::wait::{SOON, wait_for};
use crate::session::{GATEWAY, started};
use indymilter::message::command::{Command, ConnInfoPayload, EnvAddrPayload, HeaderPayload, HeloPayload};
use indymilter::message::reply::Reply;
use indymilter::{MacroStage, SocketInfo};
use postern::milter::{Mta, Offer};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tokio::net::UnixStream;

const SCANNER: &str = "203.0.113.5";

/// A directory with a configuration whose one domain is scanned, with these lines in `[scan]`.
fn configured(scan: &str) -> TestDir {
    let dir = TestDir::new();
    configure(&dir, scan);
    dir
}

fn configure(dir: &TestDir, scan: &str) {
    let config = format!(
        "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n[loop]\nid = \"mx.example\"\n\
         [gateway.seg]\nnetworks = [\"192.0.2.0/24\"]\n[gateway.scanner]\nnetworks = [\"203.0.113.0/24\"]\n\
         [server.scanner]\nhosts = [\"192.0.2.77\"]\n[scan]\n{scan}\n\
         [domain.\"a.example\"]\nmode = \"enforce\"\ngateways = [\"seg\"]\nunrouted = \"pass\"\n\
         [domain.\"a.example\".scan]\nvia = \"scanner\"\n"
    );
    dir.write("postern.toml", &config);
}

type Lines = Vec<(String, String)>;

/// Sends a message for ann: the lines that were added to it, or the codes of a refusal.
async fn send(dir: &TestDir, client: &str, headers: &Lines) -> Result<Lines, String> {
    let stream = UnixStream::connect(dir.join("s")).await.unwrap();
    let mut mta = Mta::open(stream, Offer::current()).await.unwrap();
    mta.define(MacroStage::Connect, &[("j", "mx.example"), ("v", "Postfix 3.7.11")]).await.unwrap();
    let socket_info = SocketInfo::Inet((client.parse::<std::net::IpAddr>().unwrap(), 4711).into());
    let hostname = string("client.example");
    mta.send(Command::ConnInfo(ConnInfoPayload { hostname, socket_info })).await.unwrap();
    mta.send(Command::Helo(HeloPayload { hostname: string("client.example") })).await.unwrap();
    mta.send(Command::Mail(EnvAddrPayload { args: vec![string("<joe@elsewhere.example>")] })).await.unwrap();
    mta.define(MacroStage::Rcpt, &[("{rcpt_addr}", "ann@a.example")]).await.unwrap();
    mta.send(Command::Rcpt(EnvAddrPayload { args: vec![string("<ann@a.example>")] })).await.unwrap();
    mta.send(Command::Data).await.unwrap();
    for (name, value) in headers {
        let header = HeaderPayload { name: string(name), value: string(value) };
        mta.send(Command::Header(header)).await.unwrap();
    }
    mta.send(Command::Eoh).await.unwrap();
    let exchange = mta.send(Command::BodyEnd(bytes::Bytes::new())).await.unwrap();
    let postern::milter::Exchange::Answered(answers) = exchange else { panic!("{exchange:?}") };
    let mut lines = Lines::new();
    for answer in answers {
        match answer {
            Reply::AddHeader { name, value } => {
                lines.push((name.to_str().unwrap().to_owned(), value.to_str().unwrap().to_owned()));
            }
            Reply::ReplyCode { reply } => return Err(reply.to_string_lossy()[..9].to_owned()),
            Reply::ChangeHeader { .. } | Reply::Continue => {}
            other => panic!("{other:?}"),
        }
    }
    Ok(lines)
}

fn string(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// The way to the scanner: what it is sent with.
async fn out(dir: &TestDir) -> Lines {
    let lines = send(dir, GATEWAY, &Lines::new()).await.unwrap();
    assert_eq!(note(&lines), "mx.example; scan", "{lines:?}");
    lines
}

/// The way back with these lines: the loop token that is added.
async fn back(dir: &TestDir, lines: &Lines) -> String {
    note(&send(dir, SCANNER, lines).await.unwrap()).to_owned()
}

fn note(lines: &Lines) -> &str {
    lines.iter().find(|(name, _)| name == "X-Postern-Loop").map_or("", |(_, value)| value.as_str())
}

fn key(lines: &Lines) -> &str {
    let token =
        lines.iter().find(|(name, _)| name == "X-Postern-Scan").map_or("", |(_, value)| value.as_str());
    token.split(';').next().unwrap_or_default()
}

#[tokio::test]
async fn mail_is_away_over_restarts_and_counts_once() {
    let dir = configured("");
    let postern = started(&dir);
    let lines = out(&dir).await;
    let keys = dir.join("state/scan/keys.json");
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    // Killed: the key is on the disk before any token is signed with it.
    postern.kill();
    let postern = started(&dir);
    assert_eq!(back(&dir, &lines).await, "mx.example; scanned");
    assert!(postern.stop().success());
    let postern = started(&dir);
    assert_eq!(back(&dir, &lines).await, "mx.example; scan", "it was used before the restart");
    let log = postern.logged(0, "its token was used before");
    assert!(log.contains("came back from gateway scanner, and its token is right"), "{log}");
    // Damaged by somebody else: a new key, and what is away is scanned again.
    let lines = out(&dir).await;
    assert!(postern.stop().success());
    fs::write(&keys, "something").unwrap();
    let postern = started(&dir);
    postern.logged(0, "new keys are made");
    assert_eq!(back(&dir, &lines).await, "mx.example; scan");
    assert_eq!(back(&dir, &out(&dir).await).await, "mx.example; scanned");
}

/// Mail waits until the keys can be read; nothing is delivered and nothing refused for good.
#[tokio::test]
async fn keys_that_cannot_be_read() {
    let dir = configured("");
    let keys = dir.join("state/scan/keys.json");
    fs::create_dir_all(&keys).unwrap();
    let postern = started(&dir);
    postern.logged(0, "cannot read keys");
    assert_eq!(send(&dir, GATEWAY, &Lines::new()).await, Err("451 4.7.1".to_owned()));
    postern.logged(0, "no scan token can be signed or checked");
    fs::remove_dir(&keys).unwrap();
    // A reload looks at once; without it the next look does.
    postern.reload();
    wait_for("a key file", SOON, || keys.is_file().then_some(()));
    postern.logged(0, "reloaded");
    // What is on the disk is in force a moment later.
    let runtime = tokio::runtime::Handle::current();
    let lines = tokio::task::spawn_blocking(move || {
        wait_for("keys in force", SOON, || {
            runtime.block_on(send(&dir, GATEWAY, &Lines::new())).ok().map(|lines| (lines, postern.pid()))
        })
    });
    assert_eq!(note(&lines.await.unwrap().0), "mx.example; scan");
}

/// Two machines share keys; what one sends away comes back to the other.
#[tokio::test]
async fn keys_in_a_file_are_shared_and_read_anew() {
    let keys = |dir: &TestDir, text: &str| {
        let file = dir.write("scan.keys", text);
        fs::set_permissions(dir.join("scan.keys"), fs::Permissions::from_mode(0o640)).unwrap();
        drop(file);
    };
    let (one, two) = ("one abcdefghijklmnopqrstuvwxyz012345", "two ABCDEFGHIJKLMNOPQRSTUVWXYZ012345");
    let (dir, other) = (configured("keys = \"scan.keys\""), configured("keys = \"scan.keys\""));
    keys(&dir, &format!("# the first signs\n{one}\n"));
    keys(&other, &format!("\n{two}\n{one}\n"));
    let (postern, _second) = (started(&dir), started(&other));
    let lines = out(&dir).await;
    assert_eq!(key(&lines), "k=one");
    assert_eq!(back(&other, &lines).await, "mx.example; scanned");
    let lines = out(&other).await;
    assert_eq!(key(&lines), "k=two");
    assert_eq!(back(&dir, &lines).await, "mx.example; scan", "it does not know that key");
    keys(&dir, &format!("{two}\n{one}\n"));
    postern.reload();
    postern.logged(0, "reloaded");
    assert_eq!(back(&dir, &lines).await, "mx.example; scanned");
    assert!(!dir.join("state/scan/keys.json").exists());
    // A file that says nothing leaves all as it was.
    let since = postern.log().len();
    keys(&dir, "two short\n");
    postern.reload();
    postern.logged(since, "reload refused");
    assert_eq!(key(&out(&dir).await), "k=two");
}

/// `postern try` reads tokens with the server's keys, and uses none.
#[tokio::test]
async fn a_token_that_is_tried_is_not_used() {
    let dir = configured("");
    let tried = |lines: &[(String, String)], client: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_postern"));
        command.args(["try", "--client", client, "--rcpt", "ann@a.example", "--config"]);
        command.arg(dir.join("postern.toml"));
        for (name, value) in lines {
            command.args(["--header", &format!("{name}: {}", value.replace("\n\t", " "))]);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{text}");
        // Long lines are folded.
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // No server has made a key yet.
    let text = tried(&[], GATEWAY);
    assert!(text.contains("to be scanned by server scanner: client is not gateway scanner"), "{text}");
    assert!(text.contains("X-Postern-Loop: mx.example; scan added"), "{text}");
    assert!(text.contains("X-Postern-Via: [192.0.2.77] end"), "{text}");
    assert!(!dir.join("state/scan").exists(), "nothing is made");
    let _postern = started(&dir);
    let lines = out(&dir).await;
    for _ in 0..2 {
        let text = tried(&lines, SCANNER);
        assert!(text.contains("came back from gateway scanner, and its token is right"), "{text}");
        assert!(text.contains("X-Postern-Loop: mx.example; scanned end"), "{text}");
    }
    assert_eq!(back(&dir, &lines).await, "mx.example; scanned");
}

#[tokio::test]
async fn no_keys_where_nothing_is_scanned() {
    let dir = crate::session::configured("");
    let postern = started(&dir);
    assert!(postern.stop().success());
    assert!(!dir.join("state/scan").exists());
}
