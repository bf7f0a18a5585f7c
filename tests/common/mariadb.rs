// SPDX-License-Identifier: GPL-3.0-or-later
//! A database server: MariaDB with the database [`DATABASE`], on a port of 127.0.0.1 of its own.
//!
//! [`USER`] reads every table of it, by a password; the test itself writes, over a socket that is nobody else's. Every
//! statement is logged.
//! It can be killed, frozen, and started again with its data at the same address. What it has committed outlives it, but
//! not the machine: nothing is synced to the disk.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::address::own_port;
use super::authority::{Authority, Issued, Shown};
use super::dir::{TestDir, make_dir};
use super::process::Process;

pub(crate) const DATABASE: &str = "mail";
/// Who reads, and the password for it.
pub(crate) const USER: &str = "postern";
pub(crate) const PASSWORD: &str = "to read/ü@%\"";

const MISSING: &str = "run tests/install.sh, which unpacks the packages of MariaDB";

/// A running MariaDB.
pub(crate) struct MariaDb {
    dir: TestDir,
    authority: Authority,
    address: SocketAddr,
    certificate: Option<Shown>,
    running: Option<Process>,
}

impl MariaDb {
    /// Starts one and waits until it serves. With a certificate it takes nobody without TLS, with none it has no TLS.
    pub(crate) fn start(certificate: Option<Shown>) -> Self {
        let (dir, authority) = (TestDir::new(), Authority::new());
        let mut server = Self { dir, authority, address: own_port(), certificate, running: None };
        make_dir(&server.dir.join("data"), 0o700);
        let mut install = Command::new(root().join("usr/bin/mariadb-install-db"));
        install.arg("--no-defaults").args(server.options());
        install.args(["--skip-test-db", "--auth-root-authentication-method=normal"]);
        server.done(install.current_dir(server.dir.path()), "");
        server.launch();
        server.ask_as_admin(
            "mysql",
            &format!(
                "CREATE DATABASE {DATABASE};\nCREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT SELECT ON {DATABASE}.* TO {USER}@'127.0.0.1';\n"
            ),
        );
        server
    }

    /// Where it is to be asked.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with the certificate of the CA that has signed the server's.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.authority.file()
    }

    /// Runs statements in the database as its owner; what they print, without headings, columns parted by tabs.
    pub(crate) fn run(&self, sql: &str) -> String {
        self.ask_as_admin(DATABASE, sql)
    }

    /// What the client `mariadb` says over TCP to this statement, as this user, with these options for TLS.
    pub(crate) fn ask(&self, user: &str, password: &str, options: &[&str], sql: &str) -> Output {
        let mut client = self.client();
        client.args(["--protocol=TCP", "--host=127.0.0.1", &format!("--port={}", self.address.port())]);
        client.arg(format!("--ssl-ca={}", self.ca_file().display())).args(options);
        client.args([&format!("--user={user}"), DATABASE, "-e", sql]).env("MYSQL_PWD", password);
        client.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("mariadb: {error}; {MISSING}"))
    }

    /// What the server was asked since it was made: connections and statements.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("queries.log")).unwrap_or_default()
    }

    /// Starts it again with its data at the same address.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    /// Starts it again with another certificate, or without TLS.
    pub(crate) fn show(&mut self, certificate: Option<Shown>) {
        self.kill();
        self.certificate = certificate;
        self.launch();
    }

    /// Ends it at once; from then on its address refuses.
    pub(crate) fn kill(&mut self) {
        if let Some(mariadb) = self.running.take() {
            mariadb.kill();
        }
    }

    /// Stops it where it stands: questions get no answer.
    pub(crate) fn freeze(&self) {
        self.running.as_ref().expect("mariadbd runs").freeze();
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.running.as_ref().expect("mariadbd runs").thaw();
    }

    fn ask_as_admin(&self, database: &str, sql: &str) -> String {
        let mut client = self.client();
        client.args(["--protocol=SOCKET", "--socket=socket", "--user=root", database]);
        self.done(&mut client, sql)
    }

    /// The client, which sees no settings but these.
    fn client(&self) -> Command {
        // A server that does not answer would hold the client for ever.
        let mut client = Command::new("timeout");
        client.arg("120").arg(root().join("usr/bin/mariadb")).args([
            "--no-defaults",
            "--batch",
            "--skip-column-names",
        ]);
        client.arg("--default-character-set=utf8mb4").current_dir(self.dir.path());
        client
    }

    /// Runs a program with this input, and returns what it printed.
    fn done(&self, command: &mut Command, input: &str) -> String {
        let file = File::open(self.dir.write("input", input)).expect("the input opens");
        let output = command.stdin(file).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; {MISSING}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}\n{input:.2000}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What both the server and the program that makes its data must know: where things are, and how large.
    fn options(&self) -> Vec<String> {
        let (root, dir) = (root(), self.dir.path());
        let of = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let mut options = vec![
            of("basedir", &root.join("usr")),
            of("datadir", &dir.join("data")),
            of("tmpdir", &dir.join("data")),
            "--innodb-log-file-size=4M".into(),
            "--innodb-buffer-pool-size=32M".into(),
            "--innodb-flush-method=nosync".into(),
            "--innodb-use-native-aio=0".into(),
        ];
        // It refuses to be root's, unless it is told to.
        if self.dir.is_roots() {
            options.push("--user=root".into());
        }
        options
    }

    fn launch(&mut self) {
        let (root, dir) = (root(), self.dir.path());
        let of = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let mut command = Command::new(root.join("usr/sbin/mariadbd"));
        command.arg("--no-defaults").args(self.options());
        command.args([
            of("lc-messages-dir", &root.join("usr/share/mysql")),
            of("socket", &dir.join("socket")),
            of("general-log-file", &dir.join("queries.log")),
            of("pid-file", &dir.join("pid")),
            format!("--port={}", self.address.port()),
        ]);
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--character-set-server=utf8mb4"]);
        // Written to the system with each commit, but not to the disk.
        command.args(["--innodb-flush-log-at-trx-commit=2", "--performance-schema=OFF", "--general-log=ON"]);
        if let Some(shown) = self.certificate {
            let Issued { certificate, key } = self.authority.serve(shown);
            command.args([of("ssl-ca", &self.ca_file()), of("ssl-cert", &certificate), of("ssl-key", &key)]);
            command.arg("--require-secure-transport=ON");
        }
        command.current_dir(dir);
        let mut mariadb = Process::start("mariadbd", command, &dir.join("mariadbd.log"), MISSING);
        mariadb.wait_until_said(|said| said.contains("ready for connections."));
        self.running = Some(mariadb);
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}

fn root() -> PathBuf {
    std::env::var_os("POSTERN_MARIADB_ROOT").map_or_else(|| "/var/tmp/postern-mariadb".into(), PathBuf::from)
}
