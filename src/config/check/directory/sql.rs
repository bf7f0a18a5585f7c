// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories of type `sql`.

use super::At;
use crate::config::check::Check;
use crate::config::database_url::{self, DatabaseUrl, Server};
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Database, DatabaseAddress, DatabaseServer, DatabaseTls, Sql};
use std::net::IpAddr;

impl Check<'_> {
    pub(super) fn sql(&mut self, at: &At<'_>) -> Option<Sql> {
        let file::Directory { url, ca, query, groups_query, .. } = at.table;
        if url.is_none() {
            self.missing(at, "url", "write the database: `url = \"postgres://postern@db.example.com/mail\"`");
        }
        if query.is_none() {
            let help = "write the query for addresses: `query = \"SELECT address FROM mailbox\"`";
            self.missing(at, "query", help);
        }
        for written in [query, groups_query].into_iter().flatten() {
            if written.trim().is_empty() {
                self.error(written, "this asks for nothing", "write a query: \"SELECT ...\"");
            }
        }
        let certificates = ca.as_ref().and_then(|ca| self.certificates(ca));
        let password = self.sql_password(at);
        let database = url.as_ref().and_then(|url| self.database(at, url));
        Some(Sql {
            database: database?,
            password,
            ca: certificates,
            query: query.as_ref()?.as_str().into(),
            groups_query: groups_query.as_ref().map(|query| query.as_str().into()),
        })
    }

    fn sql_password(&mut self, at: &At<'_>) -> Option<crate::mail::Secret> {
        let written = at.table.password.as_ref()?;
        let password = self.password_of(at, "password", Some(written))?;
        let is_text = std::str::from_utf8(password.reveal()).is_ok_and(|text| !text.contains('\0'));
        if !is_text {
            let help = "a database takes UTF-8 only; write the file in it";
            self.error(written, "this password is no text", help);
        }
        is_text.then_some(password)
    }

    fn database(&mut self, at: &At<'_>, url: &Placed<String>) -> Option<Database> {
        match database_url::read(url) {
            Ok(DatabaseUrl::File(file)) => {
                let file::Directory { password, ca, .. } = at.table;
                let places =
                    [password.as_ref().map(|p| Placed::at(p, ())), ca.as_ref().map(|c| Placed::at(c, ()))];
                for place in places.into_iter().flatten() {
                    self.error(&place, "this means nothing to a file", "take it out");
                }
                Some(Database::Sqlite(self.path(&Placed::at(url, file))))
            }
            Ok(DatabaseUrl::Server(server)) => {
                let Server { is_postgres, address, user, database, tls } = server;
                let tls = self.protection(at, url, &address, tls);
                let server = DatabaseServer { address, user, database, tls };
                Some(if is_postgres { Database::Postgres(server) } else { Database::MySql(server) })
            }
            Err((what, help)) => {
                self.error(url, what, help);
                None
            }
        }
    }

    /// How the way to a server is protected. Only what stays on this machine goes without.
    fn protection(
        &mut self,
        at: &At<'_>,
        url: &Placed<String>,
        address: &DatabaseAddress,
        written: Option<DatabaseTls>,
    ) -> DatabaseTls {
        let file::Directory { password, ca, .. } = at.table;
        let verified = "write `?sslmode=verify-full`, or leave it out";
        let (is_socket, is_here) = match address {
            DatabaseAddress::Unix { .. } => (true, true),
            DatabaseAddress::Tcp { host, .. } => (false, is_loopback(host)),
        };
        let usual = if is_socket || (is_here && ca.is_none()) { DatabaseTls::Off } else { DatabaseTls::Full };
        let tls = written.unwrap_or(usual);
        if is_socket && tls != DatabaseTls::Off {
            self.error(url, "there is no TLS on a unix socket", "leave `sslmode` out");
        }
        match tls {
            DatabaseTls::Off if !is_here && password.is_some() => {
                self.error(url, "the password would cross the network in the open", verified);
            }
            DatabaseTls::Off if !is_here => {
                self.warning(url, "whoever sits between us and the server could change who exists", verified);
            }
            DatabaseTls::Unverified if !is_here && password.is_some() => self.warning(
                url,
                "with `sslmode=require` whoever answers for this host is given the password",
                verified,
            ),
            DatabaseTls::Off | DatabaseTls::Unverified | DatabaseTls::Full => {}
        }
        if let (DatabaseTls::Off | DatabaseTls::Unverified, Some(ca)) = (tls, ca) {
            self.error(
                ca,
                "nobody looks at the server's certificate",
                "take this out, or leave `sslmode` out",
            );
        }
        tls
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
