// SPDX-License-Identifier: GPL-3.0-or-later
//! A certificate authority and the certificates that it signs, made by OpenSSL.
//!
//! Every key is P-256 and every file PEM, in a directory of the authority's own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::dir::TestDir;

/// A CA in a directory of its own.
pub(crate) struct Authority {
    dir: TestDir,
}

/// A certificate and its key, as PEM files' contents.
pub(crate) struct Certificate {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Vec<u8>,
    /// The SHA-256 of its public key.
    pub(crate) pin: [u8; 32],
}

/// A certificate and its key, as PEM files. Anybody may read them.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Which certificate a server shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Shown {
    /// For 127.0.0.1 and localhost.
    #[default]
    Good,
    /// The same, but it has ended.
    Expired,
    /// For another host.
    OfAnother,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { dir: TestDir::new() };
        let mut arguments = vec!["req", "-x509", "-days", "2", "-subj", "/CN=Test CA", "-out", "ca.pem"];
        arguments.extend(FRESH);
        arguments.push("ca.key");
        authority.openssl(&arguments);
        authority
    }

    /// Its own certificate, in PEM.
    pub(crate) fn certificate(&self) -> Arc<[u8]> {
        fs::read(self.file()).expect("the authority has a certificate").into()
    }

    /// The file with its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A certificate for a host; one that is valid for so many days from now, perhaps less than none.
    pub(crate) fn sign(&self, host: &str, days: &str) -> Certificate {
        let Issued { certificate, key } =
            self.issue(host, &format!("/CN={host}"), &format!("DNS:{host}"), days);
        let key_file = key.to_str().expect("a plain path");
        self.openssl(&["pkey", "-in", key_file, "-pubout", "-outform", "DER", "-out", "host.pub"]);
        let read = |path| fs::read(path).expect("openssl wrote it");
        let pin = Sha256::digest(read(self.dir.join("host.pub"))).into();
        Certificate { chain: read(certificate), key: read(key), pin }
    }

    /// A certificate for a server on 127.0.0.1.
    pub(crate) fn serve(&self, shown: Shown) -> Issued {
        let (name, names, days) = match shown {
            Shown::Good => ("good", LOCAL, "1"),
            Shown::Expired => ("expired", LOCAL, "-1"),
            Shown::OfAnother => ("another", "DNS:other.example", "1"),
        };
        self.issue(name, "/CN=server", names, days)
    }

    /// A certificate in `NAME.pem` and its key in `NAME.key`: the subject as openssl takes it (`/O=Example/CN=reader`), the
    /// alternative names (`DNS:a.example,IP:192.0.2.1`), and how many days from now it is valid, perhaps less than none.
    pub(crate) fn issue(&self, name: &str, subject: &str, alternative: &str, days: &str) -> Issued {
        let (pem, key, csr) = (format!("{name}.pem"), format!("{name}.key"), format!("{name}.csr"));
        self.dir.write("extensions", &format!("subjectAltName={alternative}\nbasicConstraints=CA:FALSE\n"));
        let mut request = vec!["req", "-subj", subject, "-out", &csr];
        request.extend(FRESH);
        request.push(&key);
        self.openssl(&request);
        let signing = ["x509", "-req", "-in", &csr, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        let written = ["-days", days, "-extfile", "extensions", "-out", &pem];
        self.openssl(&[&signing[..], &written].concat());
        Issued { certificate: self.dir.join(&pem), key: self.dir.join(&key) }
    }

    fn openssl(&self, arguments: &[&str]) {
        let done = Command::new("openssl").args(arguments).current_dir(self.dir.path()).output();
        let done = done.expect("openssl runs (Debian's package openssl)");
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

const LOCAL: &str = "IP:127.0.0.1,DNS:localhost";

/// Options of `openssl req` for a fresh key, whose file follows.
const FRESH: [&str; 6] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
