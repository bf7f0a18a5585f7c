// SPDX-License-Identifier: GPL-3.0-or-later
//! A database as checked values.

use crate::mail::Secret;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory in a database.
#[derive(Clone, Debug)]
pub struct Sql {
    /// Where the database is.
    pub database: Database,
    /// The password; UTF-8.
    pub password: Option<Secret>,
    /// Certificates (PEM) of those who may vouch for the server, besides the system's.
    pub ca: Option<Arc<[u8]>>,
    /// The query for addresses.
    pub query: Box<str>,
    /// The query for members of groups.
    pub groups_query: Option<Box<str>>,
}

/// Where a database is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Database {
    /// `PostgreSQL`.
    Postgres(DatabaseServer),
    /// `MySQL` or `MariaDB`.
    MySql(DatabaseServer),
    /// The file of an `SQLite` database.
    Sqlite(PathBuf),
}

/// A database on a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DatabaseServer {
    /// Where the server is.
    pub address: DatabaseAddress,
    /// As whom to log in.
    pub user: Box<str>,
    /// The database's name.
    pub database: Box<str>,
    /// How the way there is protected.
    pub tls: DatabaseTls,
}

/// Where a server is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatabaseAddress {
    /// By TCP.
    Tcp {
        /// A name or an address; IPv6 without brackets.
        host: Box<str>,
        /// The port.
        port: u16,
    },
    /// By a socket: its file, of `PostgreSQL` the directory that it is in.
    Unix {
        /// The path, which is absolute.
        path: PathBuf,
        /// The port, which `PostgreSQL` has in the name of its socket.
        port: u16,
    },
}

/// How the way to a server is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DatabaseTls {
    /// Not at all: to this machine, or without a password.
    Off,
    /// TLS, with whatever certificate.
    Unverified,
    /// TLS, with a certificate that has the server's name on it and that an authority vouches for.
    Full,
}
