// SPDX-License-Identifier: GPL-3.0-or-later
//! SIGHUP: all or nothing, and no session sees two policies.

use crate::session::{GATEWAY, STRANGER, Session, configure, configured, started};

#[tokio::test]
async fn new_sessions_get_the_new_policy_and_old_ones_keep_theirs() {
    let dir = configured("");
    let postern = started(&dir);
    let mut old = Session::begin(&dir.join("s"), STRANGER).await;
    assert_eq!(old.rcpt("ann@a.example").await, "550 5.7.1");
    configure(&dir, "soft", "");
    postern.reload();
    postern.logged(0, "reloaded");
    let mut new = Session::begin(&dir.join("s"), STRANGER).await;
    assert_eq!(new.rcpt("ann@a.example").await, "451 4.7.1");
    assert_eq!(old.rcpt("ann@a.example").await, "550 5.7.1");
}

#[tokio::test]
async fn recipients_are_read_anew() {
    let dir = configured("");
    let postern = started(&dir);
    dir.write("staff.txt", "zoe@a.example\n");
    postern.reload();
    postern.logged(0, "reloaded");
    let mut session = Session::begin(&dir.join("s"), GATEWAY).await;
    assert_eq!(session.rcpt("zoe@a.example").await, "continue");
    assert_eq!(session.rcpt("ann@a.example").await, "550 5.1.1");
}

#[tokio::test]
async fn what_is_broken_changes_nothing() {
    let dir = configured("");
    let postern = started(&dir);
    let broken: [(&str, &dyn Fn()); 6] = [
        ("is not closed", &|| drop(dir.write("postern.toml", "[milter\n"))),
        ("enforced", &|| configure(&dir, "enforced", "")),
        ("no such file", &|| std::fs::remove_file(dir.join("postern.toml")).unwrap()),
        ("staff.txt:1:1", &|| drop(dir.write("staff.txt", "two words\n"))),
        ("is empty", &|| drop(dir.write("staff.txt", "# nobody\n"))),
        ("cannot read", &|| std::fs::remove_file(dir.join("staff.txt")).unwrap()),
    ];
    for (why, break_it) in broken {
        configure(&dir, "soft", "");
        dir.write("staff.txt", "zoe@a.example\n");
        break_it();
        let since = postern.log().len();
        postern.reload();
        let log = postern.logged(since, "reload refused");
        assert!(log.contains(" WARN ") && log.contains(why), "{why}:\n{log}");
        let mut session = Session::begin(&dir.join("s"), STRANGER).await;
        assert_eq!(session.rcpt("ann@a.example").await, "550 5.7.1", "{why}");
        let mut session = Session::begin(&dir.join("s"), GATEWAY).await;
        assert_eq!(session.rcpt("ann@a.example").await, "continue", "{why}");
    }
    // And when all is right again, it is taken.
    configure(&dir, "soft", "");
    dir.write("staff.txt", "zoe@a.example\n");
    let since = postern.log().len();
    postern.reload();
    postern.logged(since, "reloaded");
    let mut session = Session::begin(&dir.join("s"), STRANGER).await;
    assert_eq!(session.rcpt("ann@a.example").await, "451 4.7.1");
}

#[tokio::test]
async fn sockets_stay_as_they_are_and_the_log_says_so() {
    let dir = configured("");
    let postern = started(&dir);
    configure(&dir, "soft", "socket_mode = \"0600\"");
    postern.reload();
    let log = postern.logged(0, "reloaded");
    assert!(log.contains("restart to listen there"), "{log}");
    let mut session = Session::begin(&dir.join("s"), STRANGER).await;
    assert_eq!(session.rcpt("ann@a.example").await, "451 4.7.1");
}
