// SPDX-License-Identifier: GPL-3.0-or-later
//! What a database's errors mean to a sync. The password is taken out of whatever they say.

use crate::directories::SourceError;
use crate::mail::Secret;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::sqlite::SqliteError;
use std::time::Duration;

/// How far a sync has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Nothing has come yet.
    Connecting,
    /// Rows have come.
    Answering,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// Nobody is there, or has time.
    Away,
    /// We may not.
    Access,
    /// The question.
    Question,
}

/// An error of a database in our terms.
#[allow(clippy::wildcard_enum_match_arm, reason = "others' errors, which may become more")]
pub(super) fn failure(error: &sqlx::Error, stage: Stage, password: Option<&Secret>) -> SourceError {
    let (fault, text) = match error {
        sqlx::Error::Database(error) if is_log_shut(&**error) => (Fault::Access, LOG.to_owned()),
        sqlx::Error::Database(error) => (fault(&**error), error.message().to_owned()),
        // The handshake's own errors come as errors of reading.
        sqlx::Error::Io(error) => {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => (Fault::Access, error.to_string()),
                None => (Fault::Away, error.to_string()),
            }
        }
        sqlx::Error::Tls(error) => (Fault::Access, error.to_string()),
        // What a connection that ends instead of an answer to our wish for TLS looks like to sqlx-postgres.
        sqlx::Error::Protocol(text) if text.contains("response from SSLRequest: 0x00") => {
            (Fault::Away, "the connection has ended".to_owned())
        }
        sqlx::Error::WorkerCrashed => (Fault::Away, "the connection has ended".to_owned()),
        other => (Fault::Question, other.to_string()),
    };
    let text = without(text.trim(), password);
    match (fault, stage) {
        (Fault::Away, Stage::Connecting) => SourceError::Unreachable(text),
        (Fault::Away, Stage::Answering) => SourceError::Incomplete(text),
        (Fault::Access, _) => SourceError::Refused(text),
        (Fault::Question, _) => SourceError::Wrong(text),
    }
}

/// It has been silent for too long.
pub(super) fn silence(waited: Duration, stage: Stage) -> SourceError {
    let text = format!("nothing came for {} s", waited.as_secs());
    match stage {
        Stage::Connecting => SourceError::Unreachable(text),
        Stage::Answering => SourceError::Incomplete(text),
    }
}

fn fault(error: &dyn DatabaseError) -> Fault {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return fault_of_mysql(error.number());
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // Extended codes have the primary one in their lowest octet.
        return fault_of_sqlite(code.parse::<u32>().unwrap_or_default() & 0xff);
    }
    fault_of_postgres(&code)
}

/// What is said where SQLite cannot use its log.
const LOG: &str = "the file is in WAL mode, and its directory is not writable to us; put it into another mode, or let us write there";

/// Whether a file has a log beside it that we cannot use: `READONLY_RECOVERY`, `_CANTLOCK`, `_CANTINIT`, `_DIRECTORY`.
fn is_log_shut(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    error.try_downcast_ref::<SqliteError>().is_some() && ["264", "520", "1288", "1544"].contains(&&*code)
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn fault_of_postgres(code: &str) -> Fault {
    match code {
        // insufficient_privilege, and class 28: invalid authorization specification
        "42501" => Fault::Access,
        _ if code.starts_with("28") => Fault::Access,
        // serialization_failure and deadlock_detected are what a standby says that cancels us; lock_not_available
        "40001" | "40P01" | "55P03" => Fault::Away,
        // connection exceptions, insufficient resources, operator intervention
        _ if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => Fault::Away,
        _ => Fault::Question,
    }
}

/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>
fn fault_of_mysql(number: u16) -> Fault {
    match number {
        // Access denied, to the database, a table, a column, without a password, or for want of TLS (also 3159)
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 | 3159 | 4151 => Fault::Access,
        // Too many connections, shutdown, connections that ended, locks, killed, time over
        1040 | 1053 | 1152..=1161 | 1203 | 1205 | 1213 | 1226 | 1317 | 1927 | 1969 | 3024 => Fault::Away,
        _ => Fault::Question,
    }
}

/// <https://sqlite.org/rescode.html>
fn fault_of_sqlite(code: u32) -> Fault {
    match code {
        // PERM, AUTH
        3 | 23 => Fault::Access,
        // BUSY, LOCKED, INTERRUPT, IOERR, CANTOPEN, PROTOCOL
        5 | 6 | 9 | 10 | 14 | 15 => Fault::Away,
        _ => Fault::Question,
    }
}

/// A text in which the password does not stand.
fn without(text: &str, password: Option<&Secret>) -> String {
    match password.and_then(|password| std::str::from_utf8(password.reveal()).ok()) {
        Some(password) if !password.is_empty() => text.replace(password, "..."),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_taken_out() {
        let secret = Secret::new(*b"S3CRET");
        let error = sqlx::Error::Protocol("who is S3CRET?".to_owned());
        let text = failure(&error, Stage::Connecting, Some(&secret)).to_string();
        assert!(text.contains("who is ...?"), "{text}");
    }
}
