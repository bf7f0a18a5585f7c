// SPDX-License-Identifier: GPL-3.0-or-later
//! Routing by group while Postern serves: who changes his group is routed otherwise, without a restart.

use crate::common::dir::TestDir;
use crate::common::wait::SOON;
use crate::session::{GATEWAY, Session, started};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ACCEPTED: &str = "continue";
const NOWHERE: &str = "550 5.1.1";

/// Mail for one group is routed in a.example, for the other one in b.example, so that either address tells of a route.
fn configure(dir: &TestDir, [a, b]: [&str; 2], refresh: &str) {
    dir.write(
        "postern.toml",
        &format!(
            r#"
            state_dir = "state"
            [milter]
            listen = ["unix:s"]
            [loop]
            id = "mx.example"
            [gateway.seg]
            networks = ["192.0.2.0/24"]
            [directory.staff]
            type = "csv"
            path = "staff.csv"
            columns = {{ addresses = ["mail", "other"], groups = "team" }}
            refresh = "{refresh}"
            removal_grace = "1h"
            [server.one]
            hosts = ["192.0.2.201"]
            [server.two]
            hosts = ["192.0.2.202"]
            [[route]]
            name = "one"
            groups = ["{a}"]
            domains = ["a.example"]
            to = "one"
            [[route]]
            name = "two"
            groups = [{{ directory = "staff", name = "{b}" }}]
            domains = ["b.example"]
            to = "two"
            [domain."a.example"]
            mode = "enforce"
            gateways = ["seg"]
            directories = ["staff"]
            [domain."b.example"]
            mode = "enforce"
            gateways = ["seg"]
            directories = ["staff"]
            "#
        ),
    );
}

/// Who is in which team.
fn export(dir: &TestDir, teams: &[(&str, &str)]) {
    let lines = teams.iter().map(|(name, team)| format!("{name}@a.example,{name}@b.example,{team}\n"));
    dir.write("staff.csv", &format!("mail,other,team\n{}", lines.collect::<String>()));
}

fn sync(dir: &TestDir) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(["directories", "sync", "--config"]).arg(dir.join("postern.toml"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Waits until mail for somebody is taken in these two domains, or not.
async fn routed(dir: &TestDir, name: &str, want: [&str; 2]) {
    let began = Instant::now();
    loop {
        let mut found = Vec::new();
        for domain in ["a.example", "b.example"] {
            let mut session = Session::begin(&dir.join("s"), GATEWAY).await;
            found.push(session.rcpt(&format!("{name}@{domain}")).await);
        }
        if found == want {
            return;
        }
        assert!(began.elapsed() < SOON, "{name}: {found:?}, and not {want:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_changes_his_group_is_routed_otherwise_at_once() {
    let dir = TestDir::new();
    configure(&dir, ["One", "Two"], "1h");
    export(&dir, &[("ann", "One"), ("bob", "Two"), ("eve", "one"), ("kim", "")]);
    let postern = started(&dir);
    routed(&dir, "ann", [ACCEPTED, NOWHERE]).await;
    routed(&dir, "bob", [NOWHERE, ACCEPTED]).await;
    routed(&dir, "kim", [NOWHERE, NOWHERE]).await;
    // Ann and kim change; eve leaves, and as long as she has grace she is where she was.
    export(&dir, &[("ann", "Two"), ("bob", "Two"), ("kim", "ONE")]);
    sync(&dir);
    routed(&dir, "ann", [NOWHERE, ACCEPTED]).await;
    routed(&dir, "kim", [ACCEPTED, NOWHERE]).await;
    routed(&dir, "eve", [ACCEPTED, NOWHERE]).await;
    routed(&dir, "bob", [NOWHERE, ACCEPTED]).await;
    // Nobody is left in one of them.
    let since = postern.log().len();
    export(&dir, &[("ann", "One"), ("bob", "One"), ("kim", "One")]);
    sync(&dir);
    routed(&dir, "bob", [ACCEPTED, NOWHERE]).await;
    postern.logged(since, "nobody is in this group any more");
}

/// Other groups of the same snapshot, which has to be read again.
#[tokio::test]
async fn a_reload_with_other_rules_goes_by_their_groups() {
    let dir = TestDir::new();
    configure(&dir, ["one", "two"], "1h");
    export(&dir, &[("ann", "one"), ("bob", "two"), ("kim", "three")]);
    let postern = started(&dir);
    routed(&dir, "ann", [ACCEPTED, NOWHERE]).await;
    for (groups, ann, bob, kim) in [
        (["two", "three"], [NOWHERE, NOWHERE], [ACCEPTED, NOWHERE], [NOWHERE, ACCEPTED]),
        (["three", "one"], [NOWHERE, ACCEPTED], [NOWHERE, NOWHERE], [ACCEPTED, NOWHERE]),
        (["one", "two"], [ACCEPTED, NOWHERE], [NOWHERE, ACCEPTED], [NOWHERE, NOWHERE]),
    ] {
        configure(&dir, groups, "1h");
        let since = postern.log().len();
        postern.reload();
        postern.logged(since, "reloaded");
        for (name, want) in [("ann", ann), ("bob", bob), ("kim", kim)] {
            routed(&dir, name, want).await;
        }
    }
    // A group that nobody has is warned of, and nothing else changes.
    configure(&dir, ["one", "twoo"], "1h");
    let since = postern.log().len();
    postern.reload();
    postern.logged(since, "`staff` has no group `twoo`");
    postern.logged(since, "reloaded");
    routed(&dir, "ann", [ACCEPTED, NOWHERE]).await;
    routed(&dir, "bob", [NOWHERE, NOWHERE]).await;
}
