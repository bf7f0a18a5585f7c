// SPDX-License-Identifier: GPL-3.0-or-later
//! How each database is logged in to, and what makes a session read-only and both queries see the same state.
//!
//! The environment's `PGHOST`, `PGPASSWORD` and so on, and `.pgpass`, do not count. On a server, queries are put as prepared
//! statements, so that a text is one statement and cannot end the transaction and go on; a file is opened to be read only,
//! and so is every other that a query attaches.

use super::value::Typed;
use crate::config::{DatabaseAddress, DatabaseServer, DatabaseTls, Sql};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, MySql, Postgres, Sqlite};
use std::path::Path;
use std::time::Duration;

/// How long a server works on a query at most, when nobody has told it that we are gone.
const LONGEST_QUERY: Duration = Duration::from_secs(3600);
/// How long a server lets us take in what it has sent, while the disk is busy.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// A database that can be logged in to.
pub(super) trait Begin: Typed {
    /// Statements that make the session, each put by itself.
    fn begin(timeout: Duration) -> Vec<String>;
}

impl Begin for Postgres {
    fn begin(timeout: Duration) -> Vec<String> {
        let (query, pause, lock) =
            (LONGEST_QUERY.as_millis(), LONGEST_PAUSE.as_millis(), timeout.as_millis().max(1));
        vec![
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            // For the transaction alone: a pooler may give the connection to others afterwards.
            format!("SET LOCAL statement_timeout = {query}"),
            format!("SET LOCAL idle_in_transaction_session_timeout = {pause}"),
            format!("SET LOCAL lock_timeout = {lock}"),
        ]
    }
}

impl Begin for MySql {
    fn begin(timeout: Duration) -> Vec<String> {
        let (query, pause, lock) =
            (LONGEST_QUERY.as_secs(), LONGEST_PAUSE.as_secs(), timeout.as_secs().max(1));
        vec![
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned(),
            // A server may be set to give everybody no more than so many rows. The comments are for MariaDB alone and for MySQL
            // alone, which name the longest time differently.
            format!(
                "SET SESSION sql_select_limit = 18446744073709551615, net_write_timeout = {pause}, \
                 lock_wait_timeout = {lock} /*M!100101 , max_statement_time = {query} */\
                 /*!50708 , max_execution_time = {query}000 */"
            ),
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY".to_owned(),
        ]
    }
}

impl Begin for Sqlite {
    fn begin(_: Duration) -> Vec<String> {
        vec!["BEGIN".to_owned()]
    }
}

/// How to log in to a PostgreSQL.
pub(super) fn postgres(sql: &Sql, server: &DatabaseServer) -> PgConnectOptions {
    let DatabaseServer { address, user, database, tls } = server;
    let options = PgConnectOptions::new_without_pgpass();
    let options = match address {
        DatabaseAddress::Tcp { host, port } => options.host(host).port(*port),
        DatabaseAddress::Unix { path, port } => options.socket(path).port(*port),
    };
    let mode = match tls {
        DatabaseTls::Off => PgSslMode::Disable,
        DatabaseTls::Unverified => PgSslMode::Require,
        DatabaseTls::Full => PgSslMode::VerifyFull,
    };
    let options = options.username(user).database(database).password(password(sql)).ssl_mode(mode);
    let options = match &sql.ca {
        Some(ca) => options.ssl_root_cert_from_pem(ca.to_vec()),
        None => options,
    };
    options.application_name("postern").extra_float_digits(None).disable_statement_logging()
}

/// How to log in to a MySQL or MariaDB.
pub(super) fn mysql(sql: &Sql, server: &DatabaseServer) -> MySqlConnectOptions {
    let DatabaseServer { address, user, database, tls } = server;
    let options = MySqlConnectOptions::new();
    let options = match address {
        DatabaseAddress::Tcp { host, port } => options.host(host).port(*port),
        DatabaseAddress::Unix { path, port: _ } => options.socket(path),
    };
    let mode = match tls {
        DatabaseTls::Off => MySqlSslMode::Disabled,
        DatabaseTls::Unverified => MySqlSslMode::Required,
        DatabaseTls::Full => MySqlSslMode::VerifyIdentity,
    };
    let options = options.username(user).database(database).ssl_mode(mode);
    // An empty one is not the same as none.
    let options = match &sql.password {
        Some(_) => options.password(password(sql)),
        None => options,
    };
    let options = match &sql.ca {
        Some(ca) => options.ssl_ca_from_pem(ca.to_vec()),
        None => options,
    };
    // A query is to mean what it means in the client in which it was tried.
    let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
    options.disable_statement_logging()
}

/// How to open a file.
pub(super) fn sqlite(file: &Path, timeout: Duration) -> SqliteConnectOptions {
    // It is to say that the file is locked before we lose patience with it.
    let options = SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(timeout * 3 / 4);
    options.disable_statement_logging()
}

/// The password, which has been checked to be UTF-8. An empty one keeps what the environment has from counting.
fn password(sql: &Sql) -> &str {
    sql.password.as_ref().and_then(|password| std::str::from_utf8(password.reveal()).ok()).unwrap_or_default()
}
