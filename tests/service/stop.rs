// SPDX-License-Identifier: GPL-3.0-or-later
//! Stopping: what is under way is finished, within a limit, unless it is told twice.

use crate::session::{GATEWAY, Session, configured, started};
use std::fs;
use tokio::net::UnixStream;

#[tokio::test]
async fn a_message_under_way_is_finished() {
    let dir = configured("drain_timeout = \"1h\"");
    let mut postern = started(&dir);
    let mut session = Session::begin(&dir.join("s"), GATEWAY).await;
    assert_eq!(session.rcpt("ann@a.example").await, "continue");
    let mut idle = Session::open(&dir.join("s")).await.unwrap();
    postern.terminate();
    postern.logged(0, "stopping");
    assert!(idle.is_over().await, "a session between messages ends at once");
    assert_eq!(session.rcpt("zoe@a.example").await, "550 5.1.1");
    assert_eq!(session.finish().await, "continue");
    assert!(postern.wait().success());
    assert!(UnixStream::connect(dir.join("s")).await.is_err());
    let log = postern.log();
    assert!(log.contains("stopped") && log.contains("recipient-unknown/reject=1"), "{log}");
    assert!(!log.contains("cut off"), "{log}");
}

#[tokio::test]
async fn an_interrupt_stops_it_too() {
    let dir = configured("");
    let mut postern = started(&dir);
    postern.signal("INT");
    assert_eq!(postern.wait().code(), Some(0));
    assert!(!dir.join("s").exists(), "the socket is gone");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    for second in ["TERM", "INT"] {
        let dir = configured("drain_timeout = \"1h\"");
        let mut postern = started(&dir);
        let mut session = Session::begin(&dir.join("s"), GATEWAY).await;
        assert_eq!(session.rcpt("ann@a.example").await, "continue");
        postern.terminate();
        postern.logged(0, "stopping");
        postern.signal(second);
        assert_eq!(postern.wait().code(), Some(0), "{second}");
        assert!(postern.log().contains("told twice"), "{}", postern.log());
        assert!(session.is_over().await);
    }
}

#[tokio::test]
async fn messages_that_take_too_long_are_cut_off() {
    let dir = configured("drain_timeout = \"1ms\"");
    let mut postern = started(&dir);
    let mut session = Session::begin(&dir.join("s"), GATEWAY).await;
    assert_eq!(session.rcpt("ann@a.example").await, "continue");
    postern.terminate();
    assert_eq!(postern.wait().code(), Some(0));
    assert!(postern.log().contains("sessions cut off: drain_timeout is over"), "{}", postern.log());
    assert!(session.is_over().await);
}

#[test]
fn the_process_id_is_on_file_while_it_runs() {
    let dir = configured("");
    let postern = started(&dir);
    postern.logged(0, "ready");
    // Relative to the configuration, like every path in it.
    let file = dir.join("state/postern.pid");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", postern.pid()));
    postern.stop();
    assert!(!file.exists());
}

#[test]
fn a_state_directory_that_cannot_be_made_is_no_reason_not_to_serve() {
    let dir = configured("");
    dir.write("state", "a file");
    let postern = started(&dir);
    postern.logged(0, "cannot write the pid file");
    assert_eq!(postern.stop().code(), Some(0));
}
