// SPDX-License-Identifier: GPL-3.0-or-later
//! The three databases, so that a test can be put to each of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::heard::source;
use crate::common::authority::Shown;
use crate::common::dir::TestDir;
use crate::common::mariadb::{self, MariaDb};
use crate::common::postgres::{self, Postgres};
use postern::directories::Sql;

/// A database and a directory for the configuration.
pub(super) struct Peer {
    pub(super) dir: TestDir,
    pub(super) server: Server,
}

#[allow(clippy::large_enum_variant, reason = "there are three of them")]
pub(super) enum Server {
    Postgres(Postgres),
    MariaDb(MariaDb),
    Sqlite,
}

impl Peer {
    pub(super) fn all() -> [Self; 3] {
        [Self::postgres(None), Self::mariadb(None), Self::sqlite()]
    }

    pub(super) fn servers(shown: Option<Shown>) -> [Self; 2] {
        [Self::postgres(shown), Self::mariadb(shown)]
    }

    pub(super) fn postgres(shown: Option<Shown>) -> Self {
        Self::of(Server::Postgres(Postgres::start(shown)), postgres::PASSWORD)
    }

    pub(super) fn mariadb(shown: Option<Shown>) -> Self {
        Self::of(Server::MariaDb(MariaDb::start(shown)), mariadb::PASSWORD)
    }

    pub(super) fn sqlite() -> Self {
        let peer = Self::of(Server::Sqlite, "");
        peer.run("PRAGMA user_version = 1");
        peer
    }

    fn of(server: Server, password: &str) -> Self {
        let peer = Self { dir: TestDir::new(), server };
        peer.set_password(password);
        peer
    }

    pub(super) fn set_password(&self, password: &str) {
        let file = self.dir.write("secret.txt", &format!("{password}\n"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) fn name(&self) -> &'static str {
        match self.server {
            Server::Postgres(_) => "PostgreSQL",
            Server::MariaDb(_) => "MariaDB",
            Server::Sqlite => "SQLite",
        }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.server, Server::Sqlite)
    }

    /// Runs statements as the database's owner.
    pub(super) fn run(&self, sql: &str) -> String {
        match &self.server {
            Server::Postgres(server) => server.run(sql),
            Server::MariaDb(server) => server.run(sql),
            Server::Sqlite => {
                let file = self.dir.join("mail.db");
                let output = Command::new("sqlite3").arg(file).arg(sql).output();
                let output = output.unwrap_or_else(|error| panic!("{error}; install the package sqlite3"));
                assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8_lossy(&output.stdout).into_owned()
            }
        }
    }

    /// `url` and `password` of the directory.
    pub(super) fn access(&self) -> String {
        self.access_with("")
    }

    /// The same with something behind the URL.
    pub(super) fn access_with(&self, behind: &str) -> String {
        let (scheme, address) = match &self.server {
            Server::Postgres(server) => ("postgres", server.address()),
            Server::MariaDb(server) => ("mysql", server.address()),
            Server::Sqlite => return "url = \"sqlite:mail.db\"\n".to_owned(),
        };
        format!(
            "url = \"{scheme}://postern@{address}/mail{behind}\"\npassword = {{ file = \"secret.txt\" }}\n"
        )
    }

    /// The directory that these queries make.
    pub(super) fn source(&self, query: &str, groups_query: Option<&str>) -> Sql {
        self.source_with(&self.access(), query, groups_query)
    }

    /// The same with other keys than the usual.
    pub(super) fn source_with(&self, access: &str, query: &str, groups_query: Option<&str>) -> Sql {
        let groups = groups_query.map(|query| format!("groups_query = '''{query}'''\n")).unwrap_or_default();
        source(&self.dir, &format!("{access}query = '''{query}'''\n{groups}"))
    }

    /// Lets Postern's user write, so that only the session can keep it from that.
    pub(super) fn allow_writing(&self) {
        match &self.server {
            Server::Postgres(server) => {
                server.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO postern; GRANT ALL ON SCHEMA public TO postern");
            }
            Server::MariaDb(server) => {
                server.run("GRANT ALL ON mail.* TO postern@'127.0.0.1'");
            }
            Server::Sqlite => {}
        }
    }

    pub(super) fn ca(&self) -> String {
        let file = match &self.server {
            Server::Postgres(server) => server.ca_file(),
            Server::MariaDb(server) => server.ca_file(),
            Server::Sqlite => panic!("a file has no certificate"),
        };
        format!("ca = \"{}\"\n", file.display())
    }

    pub(super) fn show(&mut self, shown: Option<Shown>) {
        match &mut self.server {
            Server::Postgres(server) => server.show(shown),
            Server::MariaDb(server) => server.show(shown),
            Server::Sqlite => panic!("a file has no certificate"),
        }
    }

    pub(super) fn kill(&mut self) {
        match &mut self.server {
            Server::Postgres(server) => server.kill(),
            Server::MariaDb(server) => server.kill(),
            Server::Sqlite => panic!("nobody serves a file"),
        }
    }

    pub(super) fn freeze(&self) {
        match &self.server {
            Server::Postgres(server) => server.freeze(),
            Server::MariaDb(server) => server.freeze(),
            Server::Sqlite => panic!("nobody serves a file"),
        }
    }

    pub(super) fn thaw(&self) {
        match &self.server {
            Server::Postgres(server) => server.thaw(),
            Server::MariaDb(server) => server.thaw(),
            Server::Sqlite => panic!("nobody serves a file"),
        }
    }

    /// A query for so many addresses of 212 octets, from no table.
    pub(super) fn many(&self, count: usize) -> String {
        match self.server {
            Server::Postgres(_) => format!(
                "SELECT lpad(n::text, 200, 'x') || '@example.com' AS address FROM generate_series(1, {count}) AS n"
            ),
            Server::MariaDb(_) => {
                format!("SELECT CONCAT(LPAD(seq, 200, 'x'), '@example.com') AS address FROM seq_1_to_{count}")
            }
            Server::Sqlite => format!(
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count}) \
                 SELECT substr(printf('%0200d', n), -200) || '@example.com' AS address FROM n"
            ),
        }
    }
}
