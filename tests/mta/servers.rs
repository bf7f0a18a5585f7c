// SPDX-License-Identifier: GPL-3.0-or-later
//! Real mail servers as mailbox servers: whether they take mail, and whose certificate they show.

use std::fs::{Permissions, set_permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::authority::{Authority, Issued};
use crate::common::dir::TestDir;
use crate::common::sink::Sink;
use crate::mta::{Extra, Mta, Tls};
use crate::postfix::Postfix;
use crate::sendmail::Sendmail;

/// What a probe of one host prints, and its exit code; these authorities are believed.
fn probe(address: SocketAddr, wish: &str, trusted: &Path) -> (Option<i32>, String) {
    let dir = TestDir::new();
    let config = format!(
        "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n[server.mailbox]\nhosts = [\"{address}\"]\n{wish}\n\
         [domain.\"a.example\"]\ngateways = \"any\"\n"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(["servers", "probe", "--config"])
        .arg(dir.write("postern.toml", &config))
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .output()
        .expect("postern runs");
    let said = [output.stdout, output.stderr].map(|octets| String::from_utf8_lossy(&octets).into_owned());
    let line = said.concat().split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code(), line)
}

const VERIFY: &str = "tls = \"verify\"\ncertificate = [\"*.test.example\"]";
const OTHER: &str = "tls = \"verify\"\ncertificate = [\"mx.other.example\"]";

/// One table for every server that has a certificate of an authority.
fn look_at(mta: &dyn Mta, authority: &Authority, stranger: &Authority) {
    let (ours, theirs) = (authority.file(), stranger.file());
    for address in [mta.smtp(), mta.smtp6()] {
        for (wish, trusted, code, what) in [
            ("tls = \"may\"", &ours, 0, "outcome takes mail, TLS offered"),
            ("tls = \"dane\"", &ours, 0, "TLSA records are the MTA's to check"),
            ("tls = \"encrypt\"", &theirs, 0, "any certificate does, here of mx.test.example"),
            (VERIFY, &ours, 0, "outcome takes mail, TLSv1.3, the certificate of mx.test.example"),
            (OTHER, &ours, 1, "has a certificate of mx.test.example, and mx.other.example is wanted"),
            (VERIFY, &theirs, 1, "that is not trusted: nobody trusted here vouches for it"),
        ] {
            let (status, said) = probe(address, wish, trusted);
            let name = mta.name();
            assert_eq!(status, Some(code), "{name}, {address}, {wish}: {said}");
            assert!(said.contains(what), "{name}, {address}, {wish}: no {what:?} in {said}");
            assert!(said.contains("banner 220 "), "{name}: {said}");
        }
    }
}

/// A setting that lives as long as the process, as the servers' starters want it.
fn setting(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn authorities() -> (Authority, Authority, Issued) {
    let authority = Authority::new();
    let issued = authority.issue("mx", "/CN=mx", "DNS:mx.test.example", "2");
    // Sendmail takes no key that others can read.
    set_permissions(&issued.key, Permissions::from_mode(0o600)).expect("the key's mode");
    (authority, Authority::new(), issued)
}

#[test]
fn postfix_is_looked_at() {
    let (authority, stranger, Issued { certificate, key }) = authorities();
    let chain = setting(format!("smtpd_tls_chain_files = {}, {}", key.display(), certificate.display()));
    let settings: &'static [&'static str] = Box::leak(Box::new(["smtpd_tls_security_level = may", chain]));
    let sink = Sink::start();
    let postfix =
        Postfix::start(&sink, None, &Extra { postfix: settings, tls: Tls::Off, ..Extra::default() });
    look_at(&postfix, &authority, &stranger);
    assert!(sink.deliveries().is_empty());
}

#[test]
fn sendmail_is_looked_at() {
    let (authority, stranger, Issued { certificate, key }) = authorities();
    let define = |name: &str, path: &Path| setting(format!("define(`{name}', `{}')dnl", path.display()));
    let lines: &'static [&'static str] = Box::leak(Box::new([
        define("confSERVER_CERT", &certificate),
        define("confSERVER_KEY", &key),
        define("confCACERT", &authority.file()),
        define("confCACERT_PATH", authority.file().parent().expect("a directory")),
    ]));
    let sink = Sink::start();
    let sendmail =
        Sendmail::start(&sink, None, &Extra { sendmail: lines, tls: Tls::Off, ..Extra::default() });
    look_at(&sendmail, &authority, &stranger);
    assert!(sink.deliveries().is_empty());
}

/// Without a certificate of its own, a server offers no TLS.
#[test]
fn a_server_without_tls_is_told() {
    let sink = Sink::start();
    let postfix = Postfix::start(&sink, None, &Extra::default());
    let (authority, ..) = authorities();
    let (status, said) = probe(postfix.smtp(), VERIFY, &authority.file());
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("outcome does not offer TLS"), "{said}");
}
