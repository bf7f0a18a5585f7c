// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked about one client while it serves, across reloads, and where there is nobody to ask.

use crate::common::dir::TestDir;
use crate::common::name_server::{NameServer, Zone};
use crate::common::postern::{Endpoint, Postern};
use crate::refresh::{ACCEPTED, UNKNOWN, becomes, rcpt};
use crate::session::{STRANGER, started};
use std::process::{Command, Stdio};

const LISTED: &str = "554 5.7.1";

/// Writes a configuration whose one domain takes mail from anybody, by the word of these DNSBLs.
fn configure(dir: &TestDir, dns: &str, dnsbl: &str) {
    let config = format!(
        "state_dir = \"state\"\n{dns}\n[milter]\nlisten = [\"unix:s\"]\n[loop]\nid = \"mx.example\"\n\
         [reputation]\ndnsbl = {dnsbl}\n[domain.\"a.example\"]\nmode = \"enforce\"\ngateways = \"any\"\n"
    );
    dir.write("postern.toml", &config);
}

fn asks(dns: &NameServer) -> String {
    format!("[dns]\nservers = [\"{}\"]", dns.address())
}

/// The entry that every zone has (RFC 5782 5), and a client.
fn zones() -> [Zone; 2] {
    let listed = "2.0.0.127 A 127.0.0.2\n7.100.51.198 A 127.0.0.3";
    let other = "2.0.0.127 A 127.0.0.2\n8.100.51.198 A 127.0.0.3";
    [Zone::new("bl.example", listed), Zone::new("other.example", other)]
}

#[tokio::test]
async fn zones_are_tested_and_asked_while_it_serves() {
    let mut dns = NameServer::start(&zones());
    let dir = TestDir::new();
    configure(&dir, &asks(&dns), "[\"bl.example\"]");
    let postern = started(&dir);
    becomes(&dir, STRANGER, LISTED).await;
    assert_eq!(rcpt(&dir, "198.51.100.8").await, ACCEPTED);
    // A zone that is new has been tested when it is first asked.
    configure(&dir, &asks(&dns), "[\"bl.example\", \"other.example\"]");
    let since = postern.log().len();
    postern.reload();
    postern.logged(since, "reloaded");
    for client in [STRANGER, "198.51.100.8"] {
        assert_eq!(rcpt(&dir, client).await, LISTED, "{client}");
    }
    assert_eq!(rcpt(&dir, "198.51.100.9").await, ACCEPTED);
    // What was tested and answered is known after a reload that changes something else, with nobody to ask.
    dns.kill();
    configure(
        &dir,
        &format!("{}\n[internal]\nauthenticated = false", asks(&dns)),
        "[\"bl.example\", \"other.example\"]",
    );
    let since = postern.log().len();
    postern.reload();
    postern.logged(since, "reloaded");
    assert_eq!(rcpt(&dir, STRANGER).await, LISTED);
    assert_eq!(rcpt(&dir, "198.51.100.9").await, ACCEPTED);
    assert_eq!(rcpt(&dir, "127.0.0.1").await, ACCEPTED);
    // A new zone that does not answer counts nothing.
    configure(&dir, &asks(&dns), "[\"new.example\"]");
    let since = postern.log().len();
    postern.reload();
    postern.logged(since, "reloaded");
    assert_eq!(rcpt(&dir, STRANGER).await, ACCEPTED);
}

/// Runs with a file of the test's own in the place of /etc/resolv.conf.
#[tokio::test]
async fn without_name_servers_it_tries_again_until_there_are_some() {
    let dir = TestDir::new();
    configure(&dir, "", "[\"bl.example\"]");
    let resolv = dir.write("resolv.conf", "# nobody\n");
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""])
        .arg(&resolv)
        .arg(env!("CARGO_BIN_EXE_postern"))
        .args(["run", "--config"])
        .arg(dir.join("postern.toml"))
        .stdin(Stdio::null());
    let postern = Postern::launch(command, dir.path(), &[Endpoint::Unix(dir.join("s"))]);
    postern.logged(0, "no names can be asked for");
    assert_eq!(rcpt(&dir, STRANGER).await, UNKNOWN);
    let since = postern.log().len();
    // In its place, where it is mounted.
    std::fs::write(&resolv, "nameserver 127.0.0.1\n").unwrap();
    postern.logged(since, "names can be asked for");
    assert_eq!(postern.stop().code(), Some(0));
}
