// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern servers probe` and `postern check` as a user meets them.

use crate::common::address::own_address;
use crate::common::authority::Authority;
use crate::common::dir::TestDir;
use crate::common::name_server::{NameServer, Zone};
use crate::common::sink::Sink;
use crate::peer::{Act, GREETING, Peer};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command prints on both outputs, and its exit code; the system's authorities are those in a file.
fn run(dir: &TestDir, trusted: &Path, arguments: &str) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(arguments.split(' '))
        .arg("--config")
        .arg(dir.join("postern.toml"))
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

#[track_caller]
fn says(said: &(i32, String), code: i32, parts: &[&str]) {
    assert_eq!(said.0, code, "{}", said.1);
    // However it is wrapped.
    let line = said.1.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(said.1.contains(part) || line.contains(part), "no {part:?} in\n{}", said.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_probed_and_checked() {
    let dir = TestDir::new();
    let authority = Authority::new();
    let trusted = authority.file();
    let issued = authority.issue("mail", "/CN=x", "DNS:ex1.example.com", "2");
    let secure = Peer::start(Act::tls(&issued)).await;
    let plain = Peer::start(Act::plain(GREETING, &[])).await;
    let busy = Peer::start(Act::plain("421 4.3.2 \x1b[31mcome back later\r\n", &[])).await;
    let sink = Sink::start();
    let closed = own_address(2500);
    let there = |peer: &Peer| format!("A {}", peer.address.ip());
    let dns = NameServer::start(&[Zone::new("example.com", format!("ex1 {}\n", there(&secure)))]);
    let (secure, plain, busy, sink, dns) =
        (secure.address, plain.address, busy.address, sink.address(), dns.address());
    let write = |servers: &str| {
        dir.write(
            "postern.toml",
            &format!(
                "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n[dns]\nservers = [\"{dns}\"]\n\
                 [domain.\"a.example\"]\ngateways = \"any\"\n{servers}"
            ),
        );
    };
    let port = secure.port();
    let good = format!(
        "[server.good]\nhosts = [\"ex1.example.com:{port}\"]\ntls = \"verify\"\n[server.sink]\nhosts = [\"{sink}\"]\n"
    );
    write(&good);
    let probed = run(&dir, &trusted, "servers probe");
    says(
        &probed,
        0,
        &[
            &format!("  ex1.example.com:{port} at {secure}"),
            "    banner        220 peer.example ESMTP\n",
            "    EHLO          250 peer.example (2 extensions, STARTTLS offered)\n",
            "    STARTTLS      220 2.0.0 go ahead\n",
            "    TLS           TLSv1.3",
            "    certificate   trusted: ex1.example.com\n",
            "    EHLO again    250 peer.example\n",
            "    outcome       takes mail, TLSv1.3, the certificate of ex1.example.com\n",
            "    outcome       takes mail, no TLS offered\n",
        ],
    );
    assert!(probed.1.lines().all(|line| line.chars().count() <= 80), "{}", probed.1);
    let checked = run(&dir, &trusted, "check");
    says(&checked, 0, &["can be used"]);
    assert!(!checked.1.contains("takes") && !checked.1.contains("TLS"), "{}", checked.1);

    // Each with its own trouble.
    let bad = format!(
        "{good}[server.bad]\nhosts = [\"{closed}\", \"{plain}\", \"{busy}\", \"gone.example.com\"]\ntls = \"encrypt\"\n\
         [server.other]\nhosts = [\"{secure}\"]\ntls = \"verify\"\ncertificate = [\"*.example.net\"]\n"
    );
    write(&bad);
    let probed = run(&dir, &trusted, "servers probe bad other");
    says(
        &probed,
        1,
        &[
            "outcome       refuses connections",
            "what to do    see that it runs and listens at this port",
            "outcome       does not offer TLS",
            "outcome       takes no mail now (banner): 421 4.3.2 \\x1b[31mcome back later",
            "outcome       there is no name gone.example.com in DNS",
            "has a certificate of ex1.example.com, and *.example.net is wanted",
        ],
    );
    assert!(!probed.1.contains("good"), "{}", probed.1);
    assert!(probed.1.lines().all(|line| line.chars().count() <= 80), "{}", probed.1);
    says(&run(&dir, &trusted, "servers probe good"), 0, &["takes mail"]);
    let checked = run(&dir, &trusted, "check");
    let at = |host: &str, what: &str| format!("warning: `bad`: `{host}` {what}");
    says(
        &checked,
        0,
        &[
            &at(&closed.to_string(), "refuses connections"),
            &at(&plain.to_string(), "does not offer TLS"),
            &at(&busy.to_string(), "takes no mail now (banner): 421 4.3.2"),
            "warning: `bad` has the host `gone.example.com`, and there is no name gone.example.com in DNS",
            &format!(
                "warning: `other`: `{secure}` has a certificate of ex1.example.com, and *.example.net is wanted"
            ),
            "write the name that it has as `certificate`",
        ],
    );
    let offline = run(&dir, &trusted, "check --offline");
    says(&offline, 0, &["can be used"]);
    assert!(!offline.1.contains("refuses connections"), "{}", offline.1);

    // Nobody vouches for it.
    let stranger = Authority::new();
    let probed = run(&dir, &stranger.file(), "servers probe good --json");
    assert_eq!(probed.0, 1, "{}", probed.1);
    let told: Value = serde_json::from_str(&probed.1).unwrap();
    let host = &told[0]["hosts"][0];
    assert_eq!((&host["takes_mail"], &host["fine"]), (&Value::Bool(true), &Value::Bool(false)), "{told}");
    assert_eq!(host["visits"][0]["outcome"], "wrong-certificate");
    assert_eq!(host["visits"][0]["steps"][1]["step"], "banner");
}
