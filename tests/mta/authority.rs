// SPDX-License-Identifier: GPL-3.0-or-later
//! A certificate authority of the tests' own, made with openssl: what a mail server trusts, and what its clients show.
//!
//! Every key is P-256 and every file PEM, `NAME.pem` and `NAME.key` in one directory that only root reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::dir::make_dir;
use crate::common::smtp::Identity;

/// Certificates of clients, by name: the subject, the days that it is good for, and whether the authority signs it.
const CLIENTS: [(&str, &str, &str, bool); 7] = [
    ("host", "/CN=mx1.eu.example.cloud", "3", true),
    ("wildcard", "/O=Example Cloud/CN=*.eu.example.cloud", "3", true),
    ("other", "/C=XX/O=Other/CN=mx1.us.example.cloud", "3", true),
    // A name of ours in an attribute that anybody can fill in.
    ("disguised", r"/O=Evil\/CN=mx1.eu.example.cloud/CN=mx1.other.example", "3", true),
    ("nameless", "/O=mx1.eu.example.cloud", "3", true),
    ("expired", "/CN=mx1.eu.example.cloud", "-1", true),
    ("self-signed", "/CN=mx1.eu.example.cloud", "3", false),
];

/// The authority and the certificates of its clients, below a server's directory.
pub(crate) struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Makes it all.
    pub(crate) fn found(server: &Path) -> Self {
        let authority = Self::at(server);
        make_dir(&authority.dir, 0o700);
        authority.make_self_signed("ca", "/CN=Test CA", "3");
        for (name, subject, days, signed) in CLIENTS {
            if signed {
                authority.issue(name, subject, days);
            } else {
                authority.make_self_signed(name, subject, days);
            }
        }
        authority
    }

    /// The one that was made in this server's directory.
    pub(crate) fn at(server: &Path) -> Self {
        Self { dir: server.join("authority") }
    }

    /// The authority's own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Calls a function with a client's certificate and key.
    pub(crate) fn with<T>(&self, name: &str, call: impl FnOnce(Identity<'_>) -> T) -> T {
        let (certificate, key) = (self.dir.join(format!("{name}.pem")), self.dir.join(format!("{name}.key")));
        assert!(certificate.exists(), "there is no certificate {name}");
        call(Identity { certificate: &certificate, key: &key })
    }

    fn make_self_signed(&self, name: &str, subject: &str, days: &str) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        self.run(
            &[&["req", "-x509", "-days", days, "-out", &certificate], &fresh(&key, subject)[..]].concat(),
        );
    }

    fn issue(&self, name: &str, subject: &str, days: &str) {
        let (key, request, certificate) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        self.run(&[&["req", "-out", &request], &fresh(&key, subject)[..]].concat());
        let signed = ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-days", days];
        self.run(&[&signed[..], &["-out", &certificate]].concat());
    }

    fn run(&self, arguments: &[&str]) {
        let ran = Command::new("openssl").args(arguments).current_dir(&self.dir).output();
        let ran = ran.expect("openssl runs");
        assert!(ran.status.success(), "openssl {arguments:?}: {ran:?}");
    }
}

/// Options of `openssl req` for a key that is made and a subject.
fn fresh<'a>(key: &'a str, subject: &'a str) -> [&'a str; 9] {
    let curve = "ec_paramgen_curve:prime256v1";
    ["-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", key, "-subj", subject]
}
