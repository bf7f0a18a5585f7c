// SPDX-License-Identifier: GPL-3.0-or-later
//! One value of a row, of whichever database.
//!
//! Texts come as octets: what a database calls text need not be UTF-8. Types that no address and no word can be of are an
//! error, and not guessed at: the query can cast them.

use sqlx::{Database, Decode, MySql, Postgres, Row, Sqlite, TypeInfo, ValueRef};
use std::borrow::Cow;

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value<'r> {
    Null,
    /// A text or octets, without the blanks around it.
    Text(&'r [u8]),
    /// A truth value or a number, which is true unless it is 0.
    Truth(bool),
    /// Another type, by the database's name of it.
    Other(Cow<'r, str>),
}

/// What the types of a database are to us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    Text,
    /// A number in the octets of the machine, in whatever order.
    Number,
    /// A number in digits.
    Digits,
    Other,
}

/// A database that values are read of.
pub(super) trait Typed: Database {
    /// What a type is, by its name.
    fn class(name: &str) -> Class;

    /// Whether a type has a name of the administrator's own, and texts for values: PostgreSQL's enumerations.
    fn is_enumeration(_: &Self::TypeInfo) -> bool {
        false
    }
}

impl Typed for Postgres {
    fn class(name: &str) -> Class {
        match name {
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "BYTEA" | "UNKNOWN" | "\"CHAR\"" => Class::Text,
            "BOOL" | "INT2" | "INT4" | "INT8" => Class::Number,
            _ if name.eq_ignore_ascii_case("citext") => Class::Text,
            _ => Class::Other,
        }
    }

    fn is_enumeration(info: &Self::TypeInfo) -> bool {
        matches!(info.kind(), sqlx::postgres::PgTypeKind::Enum(_))
    }
}

impl Typed for MySql {
    fn class(name: &str) -> Class {
        match name {
            "CHAR" | "VARCHAR" | "BINARY" | "VARBINARY" | "ENUM" | "SET" | "DECIMAL" | "NULL"
            | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB"
            | "LONGBLOB" => Class::Text,
            "BOOLEAN" | "BIT" => Class::Number,
            _ if name.contains("INT") => Class::Number,
            _ => Class::Other,
        }
    }
}

impl Typed for Sqlite {
    /// Any value of a column may be of any type (<https://sqlite.org/datatype3.html>).
    fn class(name: &str) -> Class {
        match name {
            "INTEGER" | "INT4" | "INT8" | "BOOLEAN" => Class::Digits,
            _ => Class::Text,
        }
    }
}

/// Reads the value in a column of a row.
pub(super) fn value<'r, DB>(row: &'r DB::Row, column: usize) -> Result<Value<'r>, sqlx::Error>
where
    DB: Typed,
    usize: sqlx::ColumnIndex<DB::Row>,
    &'r [u8]: Decode<'r, DB>,
{
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let (class, other) = {
        let info = raw.type_info();
        match DB::class(info.name()) {
            Class::Other if DB::is_enumeration(&info) => (Class::Text, None),
            Class::Other => (Class::Other, Some(info.name().to_owned())),
            class @ (Class::Text | Class::Number | Class::Digits) => (class, None),
        }
    };
    if let Some(name) = other {
        return Ok(Value::Other(name.into()));
    }
    let octets = <&[u8] as Decode<'r, DB>>::decode(raw).map_err(sqlx::Error::Decode)?;
    Ok(match class {
        Class::Number => Value::Truth(octets.iter().any(|&octet| octet != 0)),
        Class::Digits => Value::Truth(octets != b"0"),
        Class::Text | Class::Other => Value::Text(octets.trim_ascii()),
    })
}

impl Value<'_> {
    /// Whether it says yes; nothing where it says neither. MySQL has bits as octets in expressions.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Null => Some(false),
            Self::Truth(truth) => Some(*truth),
            Self::Text(text) => match text.to_ascii_lowercase().as_slice() {
                b"1" | b"\x01" | b"t" | b"true" | b"y" | b"yes" | b"on" => Some(true),
                b"" | b"0" | b"\0" | b"f" | b"false" | b"n" | b"no" | b"off" => Some(false),
                _ => None,
            },
            Self::Other(_) => None,
        }
    }
}
