// SPDX-License-Identifier: GPL-3.0-or-later
//! systemd's protocols, spoken without systemd: readiness (`sd_notify(3)`) and passed sockets (`sd_listen_fds(3)`).

use crate::common::address::own_address;
use crate::common::dir::TestDir;
use crate::common::postern::{Endpoint, Postern};
use crate::common::wait::SOON;
use crate::session::{GATEWAY, Session, configure, configured, started};
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

/// What a service told its manager.
fn told(manager: &UnixDatagram) -> Vec<String> {
    let mut datagram = [0; 4096];
    let length = manager.recv(&mut datagram).expect("a notification");
    str::from_utf8(&datagram[..length]).unwrap().lines().map(Into::into).collect()
}

#[test]
fn it_tells_when_it_is_ready_reloads_and_stops() {
    let dir = configured("");
    let manager = UnixDatagram::bind(dir.join("notify")).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let mut command = Postern::command(dir.path());
    command.env("NOTIFY_SOCKET", dir.join("notify"));
    let mut postern = Postern::launch(command, dir.path(), &[]);
    assert_eq!(told(&manager), ["READY=1"]);
    assert!(dir.join("s").exists(), "ready is when it listens");
    for mode in ["soft", "no-such-mode"] {
        configure(&dir, mode, "");
        postern.reload();
        let reloading = told(&manager);
        let [first, time] = reloading.as_slice() else { panic!("{reloading:?}") };
        assert_eq!(first, "RELOADING=1", "{mode}");
        assert!(time.strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0, "{mode}");
        assert_eq!(told(&manager), ["READY=1"], "{mode}");
    }
    postern.terminate();
    assert_eq!(told(&manager), ["STOPPING=1"]);
    assert!(postern.wait().success());
}

/// Starts Postern as systemd does, with these sockets as descriptors 3 and 4. A shell moves them there, because the
/// process id has to be known before the program begins.
fn activated(dir: &TestDir, [three, four]: [OwnedFd; 2], names: &str) -> Postern {
    let mut command = Command::new("sh");
    let script = "exec 3<&0 4>&1 </dev/null >/dev/null; LISTEN_FDS=2 LISTEN_PID=$$ exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_postern"), "run", "--config"]);
    command.arg(dir.join("postern.toml")).env("LISTEN_FDNAMES", names);
    command.stdin(Stdio::from(three)).stdout(Stdio::from(four));
    Postern::launch(command, dir.path(), &[])
}

#[tokio::test]
async fn sockets_are_taken_over_by_their_names() {
    let dir = configured("");
    let config = fs::read_to_string(dir.join("postern.toml")).unwrap();
    dir.write("postern.toml", &config.replace("\"unix:s\"", "\"systemd:local\", \"systemd:remote\""));
    let remote = TcpListener::bind(own_address(0)).unwrap();
    let address = remote.local_addr().unwrap();
    let local = UnixListener::bind(dir.join("passed")).unwrap();
    let mut postern = activated(&dir, [remote.into(), local.into()], "remote:local");
    let mut session = Session::begin(&dir.join("passed"), GATEWAY).await;
    assert_eq!(session.rcpt("ann@a.example").await, "continue");
    let log = postern.logged(0, "ready");
    assert!(log.contains(&format!("inet:{address}")) && log.contains("passed"), "{log}");
    drop(session);
    postern.terminate();
    assert_eq!(postern.wait().code(), Some(0));
    assert!(dir.join("passed").exists(), "the path is systemd's");
}

#[test]
fn a_socket_of_another_name_is_not_taken() {
    let dir = configured("");
    let config = fs::read_to_string(dir.join("postern.toml")).unwrap();
    dir.write("postern.toml", &config.replace("\"unix:s\"", "\"systemd:milter\""));
    let sockets = ["a", "b"].map(|name| UnixListener::bind(dir.join(name)).unwrap().into());
    let mut postern = activated(&dir, sockets, "http:other");
    assert_eq!(postern.wait().code(), Some(2));
    assert!(postern.log().contains("systemd passed no socket of that name"), "{}", postern.log());
}

#[test]
fn a_journal_that_is_another_processes_is_not_written_to() {
    let dir = configured("");
    let mut command = Postern::command(dir.path());
    command.env("JOURNAL_STREAM", "8:12345");
    let postern = Postern::launch(command, dir.path(), &[Endpoint::Unix(dir.join("s"))]);
    postern.logged(0, " INFO ");
    drop(postern);
    drop(started(&dir));
}
