// SPDX-License-Identifier: GPL-3.0-or-later
//! Hosts that go and come back while a service runs: what it logs and tells, what a reload keeps, and what is put in force.

use crate::common::address::own_address;
use crate::common::dir::TestDir;
use crate::common::postern::{Endpoint, Postern};
use crate::common::wait::{SOON, wait_for};
use crate::peer::{Act, GREETING, OFFER, Peer};
use postern::dns::Resolver;
use postern::gate::{Gate, Judge as _};
use postern::mail::NextHop;
use postern::policy::{Policy, Server, Servers, TlsWish};
use postern::servers::{Keeper, Patience, Probe, States, Watched};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Greets, and offers no TLS.
fn plain() -> Act {
    Act::plain(GREETING, &[])
}

fn configure(dir: &TestDir, hosts: [SocketAddr; 2], tls: &str, more: &str) {
    let [first, second] = hosts;
    // Nobody looks at the second server.
    let config = format!(
        "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n[socketmap]\nlisten = [\"unix:maps\"]\n[loop]\nid = \"mx.example\"\n\
         [server.exchange]\nhosts = [\"{first}\", \"{second}\"]\nhealth = \"5s\"\ntls = \"{tls}\"\n\
         [server.other]\nhosts = [\"192.0.2.1\"]\n\
         [domain.\"a.example\"]\ngateways = \"any\"\nunrouted = \"default:exchange\"\n{more}"
    );
    dir.write("postern.toml", &config);
}

/// Where the MTA is told to bring mail of the domain: the hosts in their order.
fn transport(dir: &TestDir) -> String {
    let mut socket = UnixStream::connect(dir.join("maps")).unwrap();
    let request = "transport ann@a.example";
    socket.write_all(format!("{}:{request},", request.len()).as_bytes()).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether the first host stands before the second in an answer that has both.
fn in_order(answer: &str, first: SocketAddr, second: SocketAddr) -> bool {
    let at = |host: SocketAddr| answer.find(&format!("[{}]:{}", host.ip(), host.port()));
    at(first).unwrap_or_else(|| panic!("{answer}")) < at(second).unwrap_or_else(|| panic!("{answer}"))
}

fn postern(dir: &TestDir, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(arguments).arg("--config").arg(dir.join("postern.toml")).stdin(Stdio::null());
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// The hosts in the order of now with where they stand, and whether the server is down.
fn now(dir: &TestDir) -> Option<(Vec<(String, String)>, bool)> {
    let told: Value = serde_json::from_str(&postern(dir, &["servers", "--json"])).ok()?;
    let server = &told["servers"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let hosts = server["hosts"].as_array()?.iter();
    Some((hosts.map(|host| (text(&host["host"]), text(&host["state"]))).collect(), server["down"].as_bool()?))
}

#[track_caller]
fn becomes(dir: &TestDir, want: [(SocketAddr, &str); 2], down: bool) {
    let want = want.map(|(host, state)| (host.to_string(), state.to_owned()));
    let mut last = None;
    let found = crate::common::wait::found_within(SOON, || {
        last = now(dir);
        last.as_ref().filter(|(hosts, is_down)| hosts[..] == want && *is_down == down).map(drop)
    });
    assert!(found.is_some(), "wanted {want:?}, down: {down}; last {last:?}\n{}", postern(dir, &["servers"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_step_back_and_return() {
    let dir = TestDir::new();
    let [first, second] = [own_address(2500), own_address(2500)];
    configure(&dir, [first, second], "may", "");
    let (one, two) = (Peer::at(first, plain()).await, Peer::at(second, plain()).await);
    let service = Postern::start(dir.path(), &[Endpoint::Unix(dir.join("s"))]);
    becomes(&dir, [(first, "takes-mail"), (second, "takes-mail")], false);
    assert!(in_order(&transport(&dir), first, second));

    one.stop().await;
    becomes(&dir, [(second, "takes-mail"), (first, "back")], false);
    assert!(in_order(&transport(&dir), second, first), "what MTAs are told follows");
    let log = service.log();
    assert!(log.contains("host steps back behind the others"), "{log}");
    assert!(log.contains("refuses connections"), "{log}");
    let shown = postern(&dir, &["servers"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("stands behind the others for") && shown.contains("every 5 s"), "{shown}");
    assert!(shown.ends_with("2 servers look at exchange"), "{shown}");

    // A reload begins where it was.
    let since = service.log().len();
    configure(&dir, [first, second], "may", "[internal]\nauthenticated = false\n");
    service.reload();
    service.logged(since, "reloaded");
    assert!(in_order(&transport(&dir), second, first));
    becomes(&dir, [(second, "takes-mail"), (first, "back")], false);

    two.stop().await;
    becomes(&dir, [(first, "back"), (second, "back")], true);
    let log = service.logged(since, "none of the server's hosts takes mail");
    assert_eq!(log.matches("steps back").count(), 1, "who stands back is not told of again:\n{log}");
    let shown = postern(&dir, &["servers"]);
    assert!(shown.contains("DOWN"), "{shown}");

    let since = service.log().len();
    let one = Peer::at(first, plain()).await;
    becomes(&dir, [(first, "takes-mail"), (second, "back")], false);
    service.logged(since, "host takes mail again");
    let begun = one.commands().iter().any(|command| !["EHLO", "QUIT"].contains(&&**command));
    assert!(!begun && !one.commands().is_empty(), "{:?}", one.commands());
    assert_eq!(service.stop().code(), Some(0));
}

/// TLS that is not as is wished is told once, and moves nobody.
#[tokio::test(flavor = "multi_thread")]
async fn tls_trouble_is_shown_and_moves_nobody() {
    let dir = TestDir::new();
    let [first, second] = [own_address(2500), own_address(2500)];
    configure(&dir, [first, second], "dane", "");
    let one = Peer::at(first, plain()).await;
    let _two = Peer::at(second, Act::plain(GREETING, &[("EHLO", OFFER)])).await;
    let service = Postern::start(dir.path(), &[Endpoint::Unix(dir.join("s"))]);
    service.logged(0, "TLS is not as is wished");
    wait_for("three looks", SOON, || {
        (one.commands().iter().filter(|command| *command == "QUIT").count() >= 3).then_some(())
    });
    becomes(&dir, [(first, "takes-mail"), (second, "takes-mail")], false);
    let log = service.log();
    assert_eq!(log.matches("TLS is not as is wished").count(), 1, "{log}");
    let shown = postern(&dir, &["servers"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("does not offer TLS") && shown.contains("TLSA records"), "{shown}");
    one.stop().await;
    let since = service.log().len();
    let _one = Peer::at(first, Act::plain(GREETING, &[("EHLO", OFFER)])).await;
    service.logged(since, "TLS is as is wished again");
    assert_eq!(service.stop().code(), Some(0));
}

/// What a keeper finds is in the policy by which doors answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_policy_in_force_has_the_order_of_now() {
    let [first, second] = [own_address(2500), own_address(2500)];
    let peer = Peer::at(second, plain()).await;
    let hosts: Vec<NextHop> =
        [first, second].map(|address| NextHop::parse(&address.to_string()).unwrap()).to_vec();
    let mut servers = Servers::default();
    let place = servers.add(Server {
        name: "exchange".into(),
        hosts: hosts.clone().into(),
        tls: TlsWish::May,
        down: false,
    });
    let gate = Arc::new(Gate::new(Policy::default().with_routing(servers, Vec::new())));
    let watched = vec![Watched {
        name: "exchange".into(),
        hosts: hosts.clone(),
        tls: TlsWish::May,
        every: Duration::ZERO,
    }];
    let names = Box::new(|| Err("nobody is asked".to_owned()));
    let probe = Probe::<Resolver>::new(names, "mx.example", None, Patience::default()).unwrap();
    let (in_force, all) = (Arc::clone(&gate), watched.clone());
    let publish = move |states: &States, changed: bool| {
        if changed {
            in_force.renew(|policy| policy.with_servers(states.compose(policy.servers(), &all)));
        }
    };
    let keeper = Keeper::start(watched, States::default(), probe, publish).unwrap();
    let in_force = || {
        let policy = gate.policy();
        let server = policy.servers().find(place).unwrap();
        (server.hosts.to_vec(), server.down)
    };
    let session = gate.policy();
    let turned: Vec<NextHop> = hosts.iter().rev().cloned().collect();
    wait_for("the second host to come first", SOON, || (in_force() == (turned.clone(), false)).then_some(()));
    peer.stop().await;
    wait_for("the server to be down", SOON, || (in_force() == (hosts.clone(), true)).then_some(()));
    keeper.stop();
    // A session keeps the policy that it began with.
    assert_eq!(session.servers().find(place).unwrap().hosts[..], hosts[..]);
}
