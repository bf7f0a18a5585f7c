// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories that are kept true while Postern serves: over reloads, restarts, damage and a disk that refuses.

use crate::common::dir::TestDir;
use crate::common::postern::Postern;
use crate::common::wait::{SOON, wait_until};
use crate::session::{GATEWAY, Session, started};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const ACCEPTED: &str = "continue";
const NOBODY: &str = "550 5.1.1";
const UNKNOWN: &str = "451 4.7.1";

/// Writes a configuration with an export, for these domains.
fn configure(dir: &TestDir, rules: &str, domains: &[&str]) {
    let mut config = format!(
        "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n[loop]\nid = \"mx.example\"\n\
         [gateway.seg]\nnetworks = [\"192.0.2.0/24\"]\n\
         [directory.staff]\ntype = \"csv\"\npath = \"staff.csv\"\ncolumns = {{ addresses = [\"mail\"] }}\n{rules}\n"
    );
    for domain in domains {
        write!(
            config,
            "[domain.\"{domain}\"]\nmode = \"enforce\"\ngateways = [\"seg\"]\ndirectories = [\"staff\"]\n"
        )
        .unwrap();
    }
    dir.write("postern.toml", &config);
}

fn export(dir: &TestDir, addresses: &[&str]) {
    dir.write("staff.csv", &format!("mail\n{}\n", addresses.join("\n")));
}

fn configured() -> TestDir {
    let dir = TestDir::new();
    configure(&dir, "refresh = \"1h\"", &["a.example"]);
    export(&dir, &["ann@a.example", "bob@a.example", "ann@b.example"]);
    dir
}

async fn rcpt(dir: &TestDir, recipient: &str) -> String {
    Session::begin(&dir.join("s"), GATEWAY).await.rcpt(recipient).await
}

async fn becomes(dir: &TestDir, recipient: &str, want: &str) {
    let began = Instant::now();
    loop {
        let found = rcpt(dir, recipient).await;
        if found == want {
            return;
        }
        assert!(began.elapsed() < SOON, "{recipient}: {found}, and not {want}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ann exists, and it is known that nobody else does.
async fn holds(dir: &TestDir) {
    assert_eq!(rcpt(dir, "ann@a.example").await, ACCEPTED);
    assert_eq!(rcpt(dir, "nobody@a.example").await, NOBODY);
}

fn reload(postern: &Postern) -> String {
    let since = postern.log().len();
    postern.reload();
    postern.logged(since, "reloaded")
}

fn sync(dir: &TestDir) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(["directories", "sync", "--config"]).arg(dir.join("postern.toml"));
    command.stdin(Stdio::null()).output().unwrap()
}

fn snapshots(dir: &TestDir) -> Vec<PathBuf> {
    let kept = fs::read_dir(dir.join("state/directories/staff")).into_iter().flatten().flatten();
    let mut kept: Vec<_> = kept.map(|entry| entry.path()).collect();
    kept.retain(|path| path.extension().is_some_and(|extension| extension == "snapshot"));
    kept.sort();
    kept
}

/// Puts what is aside in the place of the state and the state aside, in one step: the server would make a directory in between.
fn swap(dir: &TestDir) {
    let (state, aside) = (dir.join("state"), dir.join("aside"));
    wait_until("the state to be there", SOON, || state.exists());
    renameat2(AT_FDCWD, &state, AT_FDCWD, &aside, RenameFlags::RENAME_EXCHANGE).unwrap();
}

#[tokio::test]
async fn a_domain_that_is_new_is_unknown_until_it_is_synced() {
    let dir = configured();
    let postern = started(&dir);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    holds(&dir).await;
    // Its export cannot be read now, so that nothing is known of b.example.
    let table = fs::read_to_string(dir.join("staff.csv")).unwrap();
    dir.write("staff.csv", "broken\n");
    configure(&dir, "refresh = \"1h\"", &["a.example", "b.example"]);
    reload(&postern);
    holds(&dir).await;
    for recipient in ["ann@b.example", "nobody@b.example"] {
        assert_eq!(rcpt(&dir, recipient).await, UNKNOWN, "{recipient}");
    }
    postern.logged(0, "sync failed");
    dir.write("staff.csv", &table);
    assert!(sync(&dir).status.success());
    assert_eq!(rcpt(&dir, "ann@b.example").await, ACCEPTED);
    assert_eq!(rcpt(&dir, "nobody@b.example").await, NOBODY);
    holds(&dir).await;
}

#[tokio::test]
async fn a_new_domain_is_asked_for_at_once() {
    let dir = configured();
    let postern = started(&dir);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    configure(&dir, "refresh = \"1h\"", &["a.example", "b.example"]);
    reload(&postern);
    becomes(&dir, "ann@b.example", ACCEPTED).await;
    assert_eq!(rcpt(&dir, "nobody@b.example").await, NOBODY);
}

#[tokio::test]
async fn a_reload_reads_no_snapshot_again() {
    let dir = configured();
    let postern = started(&dir);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    // Whoever read it would find it gone.
    for snapshot in snapshots(&dir) {
        fs::remove_file(snapshot).unwrap();
    }
    reload(&postern);
    holds(&dir).await;
}

#[tokio::test]
async fn a_start_without_the_source() {
    let dir = configured();
    let postern = started(&dir);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    postern.kill();
    fs::remove_file(dir.join("staff.csv")).unwrap();
    let _postern = started(&dir);
    holds(&dir).await;
    assert_eq!(sync(&dir).status.code(), Some(1));
    holds(&dir).await;
}

#[tokio::test]
async fn a_start_without_the_source_and_without_a_snapshot() {
    let dir = configured();
    fs::remove_file(dir.join("staff.csv")).unwrap();
    let postern = started(&dir);
    postern.logged(0, "sync failed");
    for recipient in ["ann@a.example", "nobody@a.example"] {
        assert_eq!(rcpt(&dir, recipient).await, UNKNOWN, "{recipient}");
    }
    export(&dir, &["ann@a.example"]);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    holds(&dir).await;
}

#[tokio::test]
async fn a_snapshot_that_is_damaged() {
    let dir = configured();
    assert!(sync(&dir).status.success());
    export(&dir, &["ann@a.example", "bob@a.example", "cid@a.example"]);
    assert!(sync(&dir).status.success());
    let kept = snapshots(&dir);
    assert_eq!(kept.len(), 2);
    let whole = fs::read(&kept[1]).unwrap();
    for damage in [whole.len() / 2, 0] {
        fs::write(&kept[1], &whole[..damage]).unwrap();
        fs::remove_file(dir.join("staff.csv")).unwrap();
        let postern = started(&dir);
        holds(&dir).await;
        let log = postern.log();
        assert!(log.contains("an older snapshot of `staff` is used"), "{log}");
        postern.logged(0, "sync failed");
        // It mends itself when the source is back.
        export(&dir, &["ann@a.example", "bob@a.example", "cid@a.example"]);
        assert!(sync(&dir).status.success());
        assert_eq!(rcpt(&dir, "cid@a.example").await, ACCEPTED);
        holds(&dir).await;
        assert_eq!(postern.stop().code(), Some(0));
    }
    for snapshot in snapshots(&dir) {
        fs::write(snapshot, "nothing good").unwrap();
    }
    fs::remove_file(dir.join("staff.csv")).unwrap();
    let postern = started(&dir);
    assert!(postern.log().contains("what was kept of `staff` cannot be used"), "{}", postern.log());
    assert_eq!(rcpt(&dir, "nobody@a.example").await, UNKNOWN);
    export(&dir, &["ann@a.example"]);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    holds(&dir).await;
}

/// What is there where the state should be is a file, so that not even root can write.
#[tokio::test]
async fn a_disk_that_refuses() {
    let dir = configured();
    let postern = started(&dir);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    dir.write("aside", "no directory");
    swap(&dir);
    export(&dir, &["ann@a.example", "bob@a.example", "cid@a.example"]);
    let failed = sync(&dir);
    assert!(!failed.status.success(), "{failed:?}");
    holds(&dir).await;
    reload(&postern);
    holds(&dir).await;
    swap(&dir);
    assert!(sync(&dir).status.success());
    becomes(&dir, "cid@a.example", ACCEPTED).await;
    holds(&dir).await;
}

/// Syncs of files of several sizes are killed as soon as they run, wherever they are then.
#[tokio::test]
async fn killed_while_it_syncs() {
    let dir = configured();
    let postern = started(&dir);
    becomes(&dir, "nobody@a.example", NOBODY).await;
    postern.kill();
    let before = fs::read(dir.join("state/directories/staff/state.json")).unwrap();
    for rows in [1, 1_000, 100_000] {
        let table: Vec<String> = (0..rows).map(|n| format!("user{n}@a.example\n")).collect();
        dir.write("staff.csv", &format!("mail\nann@a.example\n{}", table.concat()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command.args(["directories", "sync", "--config"]).arg(dir.join("postern.toml"));
        let mut sync = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        sync.kill().unwrap();
        sync.wait().unwrap();
        let postern = started(&dir);
        holds(&dir).await;
        postern.kill();
        if rows == 1 {
            let state = fs::read(dir.join("state/directories/staff/state.json")).unwrap();
            assert!(state == before || snapshots(&dir).len() > 1);
        }
    }
    let _postern = started(&dir);
    assert!(sync(&dir).status.success());
    assert_eq!(rcpt(&dir, "user99999@a.example").await, ACCEPTED);
}

#[tokio::test]
async fn what_was_learned_waits_for_a_disk_that_refuses() {
    let dir = TestDir::new();
    dir.write("staff.txt", "ann@a.example\n");
    dir.write(
        "postern.toml",
        "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n[loop]\nid = \"mx.example\"\n\
         [gateway.seg]\nnetworks = [\"192.0.2.0/24\"]\n[directory.staff]\ntype = \"list\"\npath = \"staff.txt\"\n\
         [domain.\"a.example\"]\nmode = \"enforce\"\ngateways = [\"seg\"]\ndirectories = [\"staff\"]\nrecipients = \"learn\"\n",
    );
    let postern = started(&dir);
    let learn = async |address: &str| {
        let mut session = Session::begin(&dir.join("s"), GATEWAY).await;
        assert_eq!(session.rcpt(address).await, ACCEPTED, "{address}");
        session.finish().await;
    };
    dir.write("aside", "no directory");
    swap(&dir);
    learn("zoe@a.example").await;
    postern.logged(0, "cannot keep what is learned of recipients");
    learn("zed@a.example").await;
    reload(&postern);
    swap(&dir);
    let began = Instant::now();
    loop {
        let kept = fs::read_to_string(dir.join("state/learned.json")).unwrap_or_default();
        if kept.contains("zoe@a.example") && kept.contains("zed@a.example") {
            break;
        }
        assert!(began.elapsed() < SOON, "{kept}\n{}", postern.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
