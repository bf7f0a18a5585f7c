// SPDX-License-Identifier: GPL-3.0-or-later
//! A database server: PostgreSQL with the database [`DATABASE`], on a port of 127.0.0.1 of its own.
//!
//! [`USER`] reads every table of it, by a password; the test itself writes, over a socket that is nobody else's. Every
//! statement is logged. PostgreSQL refuses to be root's, so that root starts it as `nobody`.
//! It can be killed, frozen, and started again with its data at the same address. What it has committed outlives it, but
//! not the machine: nothing is synced to the disk.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::address::own_port;
use super::authority::{Authority, Issued, Shown};
use super::dir::{TestDir, make_dir};
use super::process::Process;

pub(crate) const DATABASE: &str = "mail";
/// Who reads, and the password for it.
pub(crate) const USER: &str = "postern";
pub(crate) const PASSWORD: &str = "to read/ü@%\\";

const MISSING: &str = "run tests/install.sh, which unpacks the packages of PostgreSQL";

/// The user `nobody` and its group, who need not be in the system's lists.
const NOBODY: u32 = 65_534;

/// A running PostgreSQL.
pub(crate) struct Postgres {
    dir: TestDir,
    authority: Authority,
    address: SocketAddr,
    certificate: Option<Shown>,
    running: Option<Process>,
}

impl Postgres {
    /// Starts one and waits until it serves. With a certificate it takes nobody without TLS, with none it has no TLS.
    pub(crate) fn start(certificate: Option<Shown>) -> Self {
        let (dir, authority) = (TestDir::new(), Authority::new());
        let mut server = Self { dir, authority, address: own_port(), certificate, running: None };
        make_dir(&server.home(), 0o700);
        if server.dir.is_roots() {
            chown(server.home(), Some(NOBODY), Some(NOBODY)).expect("root may do that");
        }
        let mut initdb = server.command("initdb");
        initdb.args(["-D", "data", "--no-sync", "--no-instructions", "-U", "admin", "-A", "reject"]);
        server.done(initdb.args(["-E", "UTF8", "--locale=C.UTF-8"]), "");
        server.configure();
        server.launch();
        let password = PASSWORD.replace('\'', "''");
        // A database cannot be created together with others.
        server.ask_as_admin("postgres", &format!("CREATE DATABASE {DATABASE}"));
        server.run(&format!("CREATE ROLE {USER} LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data"));
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

    /// Runs statements in the database as its owner; what they print, without headings, columns parted by `|`. `COPY` may
    /// be followed by its rows.
    pub(crate) fn run(&self, sql: &str) -> String {
        self.ask_as_admin(DATABASE, sql)
    }

    /// What `psql` says over TCP to this statement, as this user, with libpq's `sslmode` (`disable`, `verify-full`).
    pub(crate) fn ask(&self, user: &str, password: &str, mode: &str, sql: &str) -> Output {
        let (port, ca) = (self.address.port(), self.ca_file());
        let mut psql = self.psql();
        // That the name of the certificate may be an address is new in version 15.
        psql.arg(format!(
            "host=localhost hostaddr=127.0.0.1 port={port} user={user} dbname={DATABASE} sslmode={mode}"
        ));
        psql.args(["-c", sql]).env("PGPASSWORD", password).env("PGSSLROOTCERT", ca).stdin(Stdio::null());
        psql.output().unwrap_or_else(|error| panic!("psql: {error}; {MISSING}"))
    }

    /// What the server has logged since it was started: connections and statements.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("postgres.log")).unwrap_or_default()
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
        self.configure();
        self.launch();
    }

    /// Ends it at once; from then on its address refuses.
    pub(crate) fn kill(&mut self) {
        let Some(postgres) = self.running.take() else { return };
        postgres.kill();
        // It has had no time to remove the shared memory that marks its data as used: the seventh line has key and number.
        let pid = fs::read_to_string(self.home().join("data/postmaster.pid")).unwrap_or_default();
        if let Some(number) = pid.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) {
            drop(Command::new("ipcrm").args(["-m", number]).stderr(Stdio::null()).status());
        }
    }

    /// Stops it where it stands: questions get no answer.
    pub(crate) fn freeze(&self) {
        self.running.as_ref().expect("postgres runs").freeze();
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.running.as_ref().expect("postgres runs").thaw();
    }

    /// The directory that is the server's own.
    fn home(&self) -> PathBuf {
        self.dir.join("pg")
    }

    fn ask_as_admin(&self, database: &str, sql: &str) -> String {
        let mut psql = self.psql();
        psql.arg("-h").arg(self.home()).args([
            "-p",
            &self.address.port().to_string(),
            "-U",
            "admin",
            database,
        ]);
        self.done(&mut psql, sql)
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

    fn psql(&self) -> Command {
        // A server that does not answer would hold the client for ever.
        let mut psql = Command::new("timeout");
        psql.arg("120").arg(programs().join("psql")).args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        psql.current_dir(self.dir.path());
        psql
    }

    fn configure(&self) {
        let (home, port) = (self.home(), self.address.port());
        // Its further shared memory is files among its data, so that none outlives it.
        let mut text = format!(
            "dynamic_shared_memory_type = mmap\nlisten_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '..'\nmax_connections = 30\n\
             shared_buffers = 16MB\nfsync = off\nfull_page_writes = off\nwal_level = minimal\nmax_wal_senders = 0\n\
             jit = off\nautovacuum = off\nlog_connections = on\nlog_statement = all\n"
        );
        let mut access = "local all admin trust\n".to_owned();
        if let Some(shown) = self.certificate {
            let issued = self.authority.serve(shown);
            self.give(&issued);
            text += "ssl = on\nssl_cert_file = '../server.pem'\nssl_key_file = '../server.key'\n";
            access += "hostssl all all 127.0.0.1/32 scram-sha-256\n";
        } else {
            access += "host all all 127.0.0.1/32 scram-sha-256\n";
        }
        // Both files are there already, as the server's own.
        fs::write(home.join("data/postgresql.conf"), text).expect("the configuration is written");
        fs::write(home.join("data/pg_hba.conf"), access).expect("the configuration is written");
    }

    /// A key must be the server's own, and nobody else may read it.
    fn give(&self, Issued { certificate, key }: &Issued) {
        for (from, name) in [(certificate, "server.pem"), (key, "server.key")] {
            let to = self.home().join(name);
            fs::copy(from, &to).expect("the certificate is copied");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("the mode is set");
            if self.dir.is_roots() {
                chown(&to, Some(NOBODY), Some(NOBODY)).expect("root may do that");
            }
        }
    }

    fn launch(&mut self) {
        let mut command = self.command("postgres");
        command.args(["-D", "data"]);
        let log = self.dir.join("postgres.log");
        let mut postgres = Process::start("postgres", command, &log, MISSING);
        postgres.wait_until_said(|said| said.contains("database system is ready to accept connections"));
        self.running = Some(postgres);
    }

    /// One of the programs that PostgreSQL wants to be run by its user.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        command.current_dir(self.home()).env("LC_ALL", "C.UTF-8");
        if self.dir.is_roots() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(postgres) = self.running.take() {
            // At once, but without shared memory left behind.
            postgres.stop("QUIT");
        }
    }
}

/// Where the programs of the newest version are.
fn programs() -> PathBuf {
    let root = std::env::var_os("POSTERN_POSTGRES_ROOT");
    let root =
        root.map_or_else(|| "/var/tmp/postern-postgres".into(), PathBuf::from).join("usr/lib/postgresql");
    let versions = fs::read_dir(&root).into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    root.join(newest.unwrap_or_default().to_string()).join("bin")
}
