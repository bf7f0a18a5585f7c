// SPDX-License-Identifier: GPL-3.0-or-later
//! Full: one connection too many is closed at once, and a process without file descriptors goes on.

use crate::common::postern::{Endpoint, Postern};
use crate::common::wait::{SOON, wait_for};
use crate::session::{GATEWAY, Session, configure, configured, started};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use tokio::runtime::Runtime;

/// A session, as soon as there is room for one.
fn admitted(runtime: &Runtime, path: &Path) -> Session {
    wait_for("room for a session", SOON, || runtime.block_on(Session::open(path)).ok())
}

#[test]
fn one_connection_too_many_is_closed_at_once() {
    let dir = configured("max_connections = 2");
    let postern = started(&dir);
    let path = dir.join("s");
    let runtime = Runtime::new().unwrap();
    let (first, mut second) = (admitted(&runtime, &path), admitted(&runtime, &path));
    for _ in 0..3 {
        let mut third = UnixStream::connect(&path).unwrap();
        third.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(third.read(&mut [0; 1]).unwrap_or(0), 0, "closed");
    }
    postern.logged(0, "too many connections");
    drop(first);
    let mut fourth = admitted(&runtime, &path);
    for session in [&mut second, &mut fourth] {
        runtime.block_on(session.hello(GATEWAY, "client.example"));
        assert_eq!(runtime.block_on(session.rcpt("ann@a.example")), "continue");
    }
    // A reload moves the limit.
    configure(&dir, "enforce", "max_connections = 3");
    postern.reload();
    postern.logged(0, "reloaded");
    let _fifth = admitted(&runtime, &path);
}

#[test]
fn without_file_descriptors_it_goes_on_trying() {
    let dir = configured("max_connections = 1000");
    let mut command = Command::new("prlimit");
    command.args(["--nofile=48:48", "--", env!("CARGO_BIN_EXE_postern"), "run", "--config"]);
    command.arg(dir.join("postern.toml")).stdin(Stdio::null());
    let path = dir.join("s");
    let mut postern = Postern::launch(command, dir.path(), &[Endpoint::Unix(path.clone())]);
    postern.logged(0, "fewer open files allowed");
    // More than it has descriptors for; the rest waits in the backlog.
    let crowd: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(&path).unwrap()).collect();
    postern.logged(0, "cannot accept connections at the moment");
    drop(crowd);
    let runtime = Runtime::new().unwrap();
    let mut session = admitted(&runtime, &path);
    runtime.block_on(session.hello(GATEWAY, "client.example"));
    assert_eq!(runtime.block_on(session.rcpt("ann@a.example")), "continue");
    drop(session);
    postern.terminate();
    assert_eq!(postern.wait().code(), Some(0));
}
