// SPDX-License-Identifier: GPL-3.0-or-later
//! A certificate authority and the certificates that it signs, made by OpenSSL.

use crate::common::dir::TestDir;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::process::Command;
use std::sync::Arc;

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

impl Authority {
    pub(crate) fn new() -> Self {
        let dir = TestDir::new();
        let authority = Self { dir };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Test CA",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        authority
    }

    /// Its own certificate, in PEM.
    pub(crate) fn certificate(&self) -> Arc<[u8]> {
        fs::read(self.dir.join("ca.pem")).unwrap().into()
    }

    /// A certificate for a host; one that is valid for so many days from now, perhaps less than none.
    pub(crate) fn sign(&self, host: &str, days: &str) -> Certificate {
        self.dir.write("extensions", &format!("subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n"));
        let curve = "ec_paramgen_curve:P-256";
        let subject = format!("/CN={host}");
        self.openssl(&[
            "req", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-subj", &subject, "-keyout", "host.key",
            "-out", "host.csr",
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "host.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            "extensions",
            "-out",
            "host.pem",
        ]);
        self.openssl(&["pkey", "-in", "host.key", "-pubout", "-outform", "DER", "-out", "host.pub"]);
        let read = |name| fs::read(self.dir.join(name)).unwrap();
        let pin = Sha256::digest(read("host.pub")).into();
        Certificate { chain: read("host.pem"), key: read("host.key"), pin }
    }

    fn openssl(&self, arguments: &[&str]) {
        let done = Command::new("openssl").args(arguments).current_dir(self.dir.path()).output();
        let done = done.expect("openssl runs (Debian's package openssl)");
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
