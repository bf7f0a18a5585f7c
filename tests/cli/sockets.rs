// SPDX-License-Identifier: GPL-3.0-or-later
//! What `run` says of a socket that it cannot have: one clear line and exit code 2; and which it takes over.

use crate::common::address::own_address;
use crate::common::dir::TestDir;
use crate::common::postern::{Endpoint, Postern};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};

const DOMAIN: &str = "[domain.\"a.example\"]\ngateways = \"any\"\ndirectories = [\"staff\"]\n\
                      [directory.staff]\ntype = \"list\"\npath = \"staff.txt\"\n";

/// A directory with a configuration whose `[milter]` table has these lines.
fn configured(milter: &str) -> TestDir {
    let dir = TestDir::new();
    dir.write("postern.toml", &format!("state_dir = \"state\"\n[milter]\n{milter}\n{DOMAIN}"));
    dir.write("staff.txt", "ann@a.example\n");
    dir
}

/// Runs it, expecting that it ends by itself.
fn run(dir: &TestDir) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(["run", "--config", "postern.toml"]).current_dir(dir.path());
    command.output().expect("postern starts")
}

/// It ends with exit code 2 and one line, which is this.
fn refused(dir: &TestDir, want: &str) {
    let output = run(dir);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.trim_end()), (Some(2), want));
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind(own_address(0)).unwrap();
    let address = taken.local_addr().unwrap();
    refused(
        &configured(&format!("listen = [\"inet:{address}\"]")),
        &format!("postern: cannot listen on inet:{address}: Address already in use (os error 98)"),
    );
}

#[test]
fn a_path_where_another_server_listens() {
    let dir = configured("listen = [\"unix:s\"]");
    let _other = UnixListener::bind(dir.join("s")).unwrap();
    refused(&dir, "postern: cannot listen on unix:s: another server is listening there");
    assert!(fs::metadata(dir.join("s")).unwrap().file_type().is_socket(), "the other's socket stays");
}

#[test]
fn a_path_that_is_no_socket() {
    let dir = configured("listen = [\"unix:s\"]");
    dir.write("s", "precious");
    refused(&dir, "postern: cannot listen on unix:s: the path exists and is not a socket");
    assert_eq!(fs::read_to_string(dir.join("s")).unwrap(), "precious");
}

#[test]
fn a_path_in_no_directory() {
    refused(
        &configured("listen = [\"unix:none/s\"]"),
        "postern: cannot listen on unix:none/s: No such file or directory (os error 2)",
    );
}

#[test]
fn a_group_that_does_not_exist() {
    refused(
        &configured("listen = [\"unix:s\"]\nsocket_group = \"no-such-group\""),
        "postern: cannot listen on unix:s: there is no group no-such-group",
    );
}

#[test]
fn a_socket_that_systemd_did_not_pass() {
    refused(
        &configured("listen = [\"systemd:milter\"]"),
        "postern: cannot listen on systemd:milter: systemd passed no socket of that name (FileDescriptorName= in \
         the .socket unit)",
    );
}

#[test]
fn one_socket_of_several_that_cannot_be_had() {
    let dir = configured("listen = [\"unix:s\", \"unix:none/s\"]");
    refused(&dir, "postern: cannot listen on unix:none/s: No such file or directory (os error 2)");
    assert!(!dir.join("s").exists(), "the one that was made is gone");
}

#[test]
fn a_path_that_a_dead_server_left_behind() {
    let dir = configured("listen = [\"unix:s\"]");
    let listen = Endpoint::Unix(dir.join("s"));
    drop(UnixListener::bind(dir.join("s")).unwrap());
    Postern::start(dir.path(), std::slice::from_ref(&listen)).kill();
    assert!(dir.join("s").exists(), "killed, it cannot clear up");
    let status = Postern::start(dir.path(), &[listen]).stop();
    assert_eq!(status.code(), Some(0));
    assert!(!dir.join("s").exists(), "stopped, it has cleared up");
}
