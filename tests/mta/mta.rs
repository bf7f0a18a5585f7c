// SPDX-License-Identifier: GPL-3.0-or-later
//! What the dialogues need of a mail server, Postfix or Sendmail.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;

use crate::authority::Authority;
use crate::common::address::{own_address, own_address6};
use crate::common::postern::Endpoint;
use crate::common::smtp::{Identity, Smtp};

/// How the mail server reaches Postern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Over a unix socket.
    Unix,
    /// Over TCP.
    Tcp,
    /// Over TCP and IPv6.
    Tcp6,
}

impl Transport {
    /// Where Postern is to listen for the server in this directory.
    pub(crate) fn endpoint(self, dir: &Path) -> Endpoint {
        match self {
            Self::Unix => Endpoint::Unix(dir.join("milter.sock")),
            Self::Tcp => Endpoint::Inet(own_address(8890)),
            Self::Tcp6 => Endpoint::Inet(own_address6()),
        }
    }
}

/// Whether a server offers STARTTLS, and whom it then trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tls {
    /// It does not.
    #[default]
    Off,
    /// It trusts a client that shows the server's own certificate.
    Itself,
    /// It trusts what the tests' authority has signed.
    Authority,
}

/// What a client shows in TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// The server's own certificate.
    Servers,
    /// This one of the authority's.
    Certificate(&'static str),
    /// None.
    Nothing,
}

/// What a server is started with beside its template.
#[derive(Default)]
pub(crate) struct Extra<'a> {
    /// Whether it offers STARTTLS.
    pub(crate) tls: Tls,
    /// Settings of Postfix, `name = value`.
    pub(crate) postfix: &'a [&'a str],
    /// Lines of `sendmail.mc`, before the mailers.
    pub(crate) sendmail: &'a [&'a str],
    /// Lines of `sendmail.mc`, behind the mailers.
    pub(crate) sendmail_end: &'a [&'a str],
    /// Raw lines of `sendmail.cf`.
    pub(crate) sendmail_cf: &'a [&'a str],
}

/// A private mail server on loopback that asks a milter and relays everything to the sink.
pub(crate) trait Mta: Send + Sync {
    /// `Postfix` or `Sendmail`.
    fn name(&self) -> &'static str;

    /// Where it takes mail, over IPv4.
    fn smtp(&self) -> SocketAddr;

    /// Where it takes mail, over IPv6.
    fn smtp6(&self) -> SocketAddr;

    /// Where it looks for its milter; none when it runs without one.
    fn milter(&self) -> Option<&Endpoint>;

    /// The ids of the messages that it has taken and not yet passed on.
    fn waiting(&self) -> Vec<String>;

    /// The messages that wait for an admin.
    fn held(&self) -> Vec<Held>;

    /// Lets a held message go on.
    fn release(&self, id: &str);

    /// Its log so far.
    fn log(&self) -> String;

    /// The parameter with which MAIL announces addresses in UTF-8, where the server knows one.
    fn smtputf8(&self) -> &'static str {
        ""
    }

    /// Its directory.
    fn dir(&self) -> &Path;

    /// Opens an SMTP session with STARTTLS from this address.
    fn secure_session(&self, source: IpAddr, shows: Shows) -> Smtp {
        let show = |identity: Identity<'_>| Smtp::secured(source, self.smtp(), Some(identity));
        match shows {
            Shows::Servers => {
                let (certificate, key) = (self.dir().join("cert.pem"), self.dir().join("key.pem"));
                show(Identity { certificate: &certificate, key: &key })
            }
            Shows::Certificate(name) => Authority::at(self.dir()).with(name, show),
            Shows::Nothing => Smtp::secured(source, self.smtp(), None),
        }
    }

    /// Opens an SMTP session from this address.
    fn session(&self, source: IpAddr) -> Smtp {
        Smtp::connect(source, if source.is_ipv4() { self.smtp() } else { self.smtp6() })
    }
}

/// A message on hold (Postfix) or in quarantine (Sendmail).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The queue id.
    pub(crate) id: String,
    /// Its recipients, without brackets.
    pub(crate) recipients: Vec<String>,
    /// Why, where the server keeps the reason: Sendmail does, Postfix does not.
    pub(crate) reason: Option<String>,
}

/// Panics with what to do when a program or a right that the tests need is missing.
pub(crate) fn need(program: &Path, package: &str) {
    assert!(
        program.exists(),
        "{} is missing: run ./tests/install.sh, or install {package}",
        program.display()
    );
    assert!(geteuid().is_root(), "a mail server starts as root only: use ./tests/run.sh, or be root");
}

/// Makes a certificate for `joe`, signed by itself, with a key that only root can read.
pub(crate) fn make_certificate(dir: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=joe", "-days", "3", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "openssl: {made:?}");
}

/// Fills in the `@NAME@` places of a template.
pub(crate) fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in places {
        text = text.replace(&format!("@{name}@"), value);
    }
    text
}
