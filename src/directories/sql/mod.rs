// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories of type `sql`: recipients from tables in `PostgreSQL`, `MySQL` or `MariaDB`, and `SQLite`.
//!
//! One query gives an address a row, a second one members of groups. Both are put in one read-only transaction that sees one
//! state of the tables (of MySQL's, those with transactions), and rows are handed on one by one as they come. Every wait for
//! the server ends after `timeout`. How large a row may be is the server's limit; of a text, [`MAX_TEXT`] octets are taken.
//!
//! Everything is asked for each time, of a file too: a query may depend on the time of day, so that an unchanged file says
//! nothing.

mod columns;
mod failure;
mod session;
mod value;

use super::kind_word::KindWord;
use super::record::Record;
use super::source::{Complete, Cookie, Extent, Sink, Source, SourceError};
use crate::config::{self, Database, DatabaseAddress, SyncRules};
use columns::{AddressColumns, GroupColumns};
use failure::{Stage, failure, silence};
use futures_util::TryStreamExt;
use session::Begin;
use sqlx::{Column, ColumnIndex, Connection, Decode, Executor, IntoArguments, MySql, Postgres, Row, Sqlite};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use value::{Value, value};

/// Largest text in a row that is looked at, in octets; an address has 254 at most (RFC 5321 section 4.5.3.1.3).
const MAX_TEXT: usize = 2000;
/// As much of a text is shown that could not be read, in characters.
const SHOWN: usize = 100;
/// Instructions of SQLite's after which it looks whether anybody still waits; some microseconds' worth.
const INSTRUCTIONS: i32 = 10_000;

/// A directory in a database.
#[derive(Debug)]
pub struct Sql {
    config: config::Sql,
    timeout: Duration,
}

impl Sql {
    /// Tables that are asked as the configuration says. Nothing is asked yet.
    pub fn new(sql: &config::Sql, rules: &SyncRules) -> Self {
        Self { config: sql.clone(), timeout: rules.timeout }
    }
}

#[async_trait::async_trait]
impl Source for Sql {
    async fn sync(&self, _since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        match &self.config.database {
            Database::Postgres(server) => {
                let options = session::postgres(&self.config, server);
                self.everything::<Postgres>(self.connect::<Postgres>(&options).await?, sink).await?;
            }
            Database::MySql(server) => {
                let options = session::mysql(&self.config, server);
                self.everything::<MySql>(self.connect::<MySql>(&options).await?, sink).await?;
            }
            Database::Sqlite(file) => {
                let options = session::sqlite(file, self.timeout);
                let mut connection = self.connect::<Sqlite>(&options).await?;
                // It works on a thread of its own, which knows nothing of our patience.
                let waiting = Waiting(Arc::new(AtomicBool::new(true)));
                let still = Arc::clone(&waiting.0);
                self.wait(Stage::Connecting, connection.lock_handle())
                    .await?
                    .set_progress_handler(INSTRUCTIONS, move || still.load(Ordering::Relaxed));
                self.everything::<Sqlite>(connection, sink).await?;
            }
        }
        Ok(Complete { extent: Extent::Everything, cookie: None, notes: Vec::new() })
    }
}

/// Says so when nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Sql {
    async fn connect<DB: sqlx::Database>(
        &self,
        options: &<DB::Connection as Connection>::Options,
    ) -> Result<DB::Connection, SourceError> {
        match self.wait(Stage::Connecting, DB::Connection::connect_with(options)).await {
            Err(SourceError::Unreachable(why)) => {
                Err(SourceError::Unreachable(format!("{}: {why}", self.place())))
            }
            connected => connected,
        }
    }

    /// Where the database is, for messages.
    fn place(&self) -> String {
        match &self.config.database {
            Database::Postgres(server) | Database::MySql(server) => match &server.address {
                DatabaseAddress::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
                DatabaseAddress::Tcp { host, port } => format!("{host}:{port}"),
                DatabaseAddress::Unix { path, port: _ } => path.display().to_string(),
            },
            Database::Sqlite(file) => file.display().to_string(),
        }
    }

    /// Puts both queries and hands on what they give.
    async fn everything<DB>(
        &self,
        mut connection: DB::Connection,
        sink: &mut dyn Sink,
    ) -> Result<(), SourceError>
    where
        DB: Begin + sqlx::database::HasStatementCache,
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
        for<'q> DB::Arguments<'q>: IntoArguments<'q, DB>,
        for<'r> &'r [u8]: Decode<'r, DB>,
        usize: ColumnIndex<DB::Row>,
    {
        for statement in DB::begin(self.timeout) {
            self.wait(Stage::Connecting, connection.execute(statement.as_str())).await?;
        }
        // What goes wrong before anything came is not the loss of something.
        let mut stage = Stage::Connecting;
        let mut addresses = Addresses { columns: None, row: 0, word: (Vec::new(), KindWord::read("")) };
        self.each_row::<DB>(&mut connection, &mut stage, "query", &self.config.query, |row| {
            addresses.take::<DB>(row, sink)
        })
        .await?;
        if let Some(query) = &self.config.groups_query {
            let mut members = Members { columns: None, row: 0 };
            self.each_row::<DB>(&mut connection, &mut stage, "groups_query", query, |row| {
                members.take::<DB>(row, sink)
            })
            .await?;
        }
        // Everything is here: whether the server hears the farewell is all the same.
        drop(tokio::time::timeout(self.timeout, connection.close()).await);
        Ok(())
    }

    async fn each_row<DB>(
        &self,
        connection: &mut DB::Connection,
        stage: &mut Stage,
        key: &str,
        query: &str,
        mut take: impl FnMut(&DB::Row) -> Result<(), RowError> + Send,
    ) -> Result<(), SourceError>
    where
        DB: Begin + sqlx::database::HasStatementCache,
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
        for<'q> DB::Arguments<'q>: IntoArguments<'q, DB>,
    {
        let of_key = |error| match error {
            SourceError::Wrong(text) => SourceError::Wrong(format!("`{key}`: {text}")),
            error @ (SourceError::Unreachable(_)
            | SourceError::Refused(_)
            | SourceError::Incomplete(_)
            | SourceError::Later(_)
            | SourceError::Resync
            | SourceError::Sink(_)) => error,
        };
        let mut rows = sqlx::query::<DB>(query).persistent(false).fetch(connection);
        while let Some(row) = self.wait(*stage, rows.try_next()).await.map_err(of_key)? {
            *stage = Stage::Answering;
            take(&row).map_err(|error| match error {
                RowError::Source(error) => error,
                RowError::Database(error) => {
                    of_key(failure(&error, Stage::Answering, self.config.password.as_ref()))
                }
            })?;
        }
        Ok(())
    }

    /// Waits for the server, but not for ever.
    async fn wait<T>(
        &self,
        stage: Stage,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, SourceError> {
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure(&error, stage, self.config.password.as_ref())),
            Err(_) => Err(silence(self.timeout, stage)),
        }
    }
}

/// Why a row ends a sync.
enum RowError {
    Source(SourceError),
    Database(sqlx::Error),
}

impl<E: Into<SourceError>> From<E> for RowError {
    fn from(error: E) -> Self {
        Self::Source(error.into())
    }
}

/// Takes rows of the query for addresses.
struct Addresses {
    columns: Option<AddressColumns>,
    row: u64,
    /// The word for the kind in the row before, and what it means: there are few words and many rows.
    word: (Vec<u8>, KindWord),
}

impl Addresses {
    fn take<DB>(&mut self, row: &DB::Row, sink: &mut dyn Sink) -> Result<(), RowError>
    where
        DB: Begin,
        for<'r> &'r [u8]: Decode<'r, DB>,
        usize: ColumnIndex<DB::Row>,
    {
        self.row += 1;
        let columns = match self.columns {
            Some(columns) => columns,
            None => *self.columns.insert(AddressColumns::of(&names(row)).map_err(SourceError::Wrong)?),
        };
        let value = |column| value::<DB>(row, column).map_err(RowError::Database);
        let place = |column| format!("`query`: column `{}`", name(row, column));
        let address = value(columns.address)?;
        let Some(address) = text(&address, || place(columns.address), "row", self.row, sink)? else {
            return Ok(());
        };
        let kind = match columns.kind {
            None => KindWord::read(""),
            Some(column) => match value(column)? {
                Value::Null => KindWord::read(""),
                Value::Text(word) => self.kind(word),
                Value::Truth(_) => return Err(unusable(&place(column), "numbers")),
                Value::Other(other) => return Err(unusable(&place(column), &other)),
            },
        };
        let KindWord::Recipient(kind) = kind else {
            sink.passed_over()?;
            return Ok(());
        };
        let internal_only = match columns.internal_only {
            None => false,
            Some(column) => value(column)?.truth().ok_or_else(|| {
                let (place, row) = (place(column), self.row);
                SourceError::Wrong(format!("{place} says neither yes nor no in row {row}"))
            })?,
        };
        sink.record(Record {
            called: Vec::new(),
            key: address.to_lowercase().into(),
            line: None,
            kind,
            // Where groups are known by their addresses, their members are told by them.
            name: (kind == crate::mail::RecipientKind::Group).then(|| address.into()),
            addresses: vec![address.into()],
            members: Vec::new(),
            groups: Vec::new(),
            internal_only,
        })?;
        Ok(())
    }

    fn kind(&mut self, word: &[u8]) -> KindWord {
        if self.word.0 != word {
            let known = KindWord::read(&String::from_utf8_lossy(&word[..word.len().min(MAX_TEXT)]));
            self.word = (word.to_vec(), known);
        }
        self.word.1
    }
}

/// Takes rows of the query for groups.
struct Members {
    columns: Option<GroupColumns>,
    row: u64,
}

impl Members {
    fn take<DB>(&mut self, row: &DB::Row, sink: &mut dyn Sink) -> Result<(), RowError>
    where
        DB: Begin,
        for<'r> &'r [u8]: Decode<'r, DB>,
        usize: ColumnIndex<DB::Row>,
    {
        self.row += 1;
        let columns = match self.columns {
            Some(columns) => columns,
            None => *self.columns.insert(GroupColumns::of(&names(row)).map_err(SourceError::Wrong)?),
        };
        let mut of = |column| {
            let value = value::<DB>(row, column).map_err(RowError::Database)?;
            let place = || format!("`groups_query`: column `{}`", name(row, column));
            text(&value, place, "row of groups", self.row, sink)
        };
        if let (Some(group), Some(member)) = (of(columns.group)?, of(columns.member)?) {
            sink.membership(group, member)?;
        }
        Ok(())
    }
}

/// The text of a value; nothing where there is none, which is said to the sink.
fn text<'r>(
    value: &Value<'r>,
    column: impl Fn() -> String,
    what: &str,
    row: u64,
    sink: &mut dyn Sink,
) -> Result<Option<&'r str>, RowError> {
    let (octets, why) = match value {
        Value::Null => (&b"NULL"[..], "there is nothing in it"),
        Value::Text(b"") => (&b""[..], "there is nothing in it"),
        Value::Text(octets) if octets.len() > MAX_TEXT => (*octets, "it is too long"),
        Value::Text(octets) => match std::str::from_utf8(octets) {
            Ok(text) => return Ok(Some(text)),
            Err(_) => (*octets, "it is not UTF-8"),
        },
        Value::Truth(_) => return Err(unusable(&column(), "numbers")),
        Value::Other(other) => return Err(unusable(&column(), other)),
    };
    let shown: String =
        String::from_utf8_lossy(&octets[..octets.len().min(4 * SHOWN)]).chars().take(SHOWN).collect();
    sink.invalid(&format!("{what} {row}"), &shown, why)?;
    Ok(None)
}

fn unusable(column: &str, found: &str) -> RowError {
    SourceError::Wrong(format!("{column} holds {found}; cast it to a text in the query")).into()
}

fn names<R: Row>(row: &R) -> Vec<&str> {
    row.columns().iter().map(Column::name).collect()
}

fn name<R: Row>(row: &R, column: usize) -> String {
    row.columns().get(column).map(|column| column.name().escape_debug().to_string()).unwrap_or_default()
}
