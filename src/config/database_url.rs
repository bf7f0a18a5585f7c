// SPDX-License-Identifier: GPL-3.0-or-later
//! The URL of a database: `postgres://USER@HOST[:PORT]/DATABASE`, `mysql://` likewise, `sqlite:FILE`.
//!
//! `?socket=/PATH` (or `host=/PATH`, as libpq has it) names a unix socket instead of the host, `?sslmode=MODE` the protection,
//! in PostgreSQL's or in MySQL's words. Nothing else may follow the `?`. What is wrong is said without the URL's text, because
//! a password may be in it.

use super::settings::{DatabaseAddress, DatabaseTls};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use std::path::PathBuf;

/// What is wrong, and what to write instead.
pub(super) type Wrong = (String, String);

/// What to write.
const SERVER: &str =
    "write \"postgres://user@host/database\", \"mysql://user@host/database\" or \"sqlite:FILE\"";

/// What a URL says.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum DatabaseUrl {
    /// A file, as it is written.
    File(String),
    /// A server.
    Server(Server),
}

/// A server.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Server {
    /// Whether it is `PostgreSQL`, and not `MySQL`.
    pub(super) is_postgres: bool,
    pub(super) address: DatabaseAddress,
    pub(super) user: Box<str>,
    pub(super) database: Box<str>,
    /// The protection, where it is written.
    pub(super) tls: Option<DatabaseTls>,
}

/// Reads a URL.
pub(super) fn read(written: &str) -> Result<DatabaseUrl, Wrong> {
    if let Some(file) = written.strip_prefix("sqlite:") {
        return file_of(file.strip_prefix("//").unwrap_or(file)).map(DatabaseUrl::File);
    }
    let is_postgres = match written.split_once("://") {
        Some(("postgres" | "postgresql", _)) => true,
        Some(("mysql" | "mariadb", _)) => false,
        Some(_) | None => return wrong("this is no database", SERVER),
    };
    let Ok(url) = Url::parse(written) else { return wrong("this is no URL of a database", SERVER) };
    if url.password().is_some() {
        return password();
    }
    if url.fragment().is_some() {
        return wrong("no server is told what follows the `#`", "leave it out, or write `%23` for a `#`");
    }
    let (mut socket, mut tls) = (None, None);
    for (key, value) in url.query_pairs() {
        match &*key.to_ascii_lowercase().replace('_', "-") {
            "password" | "passwd" => return password(),
            "sslmode" | "ssl-mode" => tls = Some(mode(&value)?),
            "socket" | "host" if value.starts_with('/') => socket = Some(PathBuf::from(&*value)),
            "socket" | "host" => {
                return wrong("a socket is named by its whole path", "write it as `?socket=/run/...`");
            }
            _ => {
                let help =
                    "behind the `?` may stand `sslmode` and `socket`; what else there is has keys of its own";
                return wrong("there is something behind the `?` of this URL that means nothing here", help);
            }
        }
    }
    let port = url.port().unwrap_or(if is_postgres { 5432 } else { 3306 });
    let address = match (socket, url.host_str().unwrap_or_default()) {
        (Some(path), _) => DatabaseAddress::Unix { path, port },
        (None, "") => return wrong("this URL names no host", SERVER),
        (None, host) => {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            match decoded(bare)? {
                path if path.starts_with('/') => DatabaseAddress::Unix { path: PathBuf::from(&*path), port },
                host => DatabaseAddress::Tcp { host, port },
            }
        }
    };
    let user = decoded(url.username())?;
    if user.is_empty() {
        return wrong("this URL does not say as whom to log in", SERVER);
    }
    let database = decoded(url.path().strip_prefix('/').unwrap_or_default())?;
    if database.is_empty() {
        return wrong("this URL names no database", SERVER);
    }
    Ok(DatabaseUrl::Server(Server { is_postgres, address, user, database, tls }))
}

fn file_of(file: &str) -> Result<String, Wrong> {
    if file.is_empty() || file == ":memory:" {
        return wrong(
            "this names no file",
            "write the path, relative to this file or absolute: \"sqlite:mail.db\"",
        );
    }
    if file.contains('?') {
        return wrong(
            "there is something behind the file",
            "write the path alone; it is opened to be read only",
        );
    }
    Ok(file.to_owned())
}

/// A protection in the words of `PostgreSQL` or `MySQL`.
fn mode(word: &str) -> Result<DatabaseTls, Wrong> {
    match &*word.to_ascii_lowercase().replace('_', "-") {
        "disable" | "disabled" => Ok(DatabaseTls::Off),
        "require" | "required" => Ok(DatabaseTls::Unverified),
        // TLS as it is done here cannot look at the authority without looking at the name.
        "verify-ca" => wrong(
            "with this any server that the authority has certified would do",
            "write `sslmode=verify-full`, and the name that stands in the certificate as the host",
        ),
        "verify-full" | "verify-identity" => Ok(DatabaseTls::Full),
        "allow" | "prefer" | "preferred" => wrong(
            "whoever sits between us and the server could talk it out of TLS",
            "write `sslmode=verify-full`",
        ),
        _ => wrong(
            "this is no `sslmode`",
            "write `verify-full`, which is the default for other hosts, `require` or `disable`",
        ),
    }
}

fn decoded(text: &str) -> Result<Box<str>, Wrong> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok((&*text).into()),
        Err(_) => wrong("this URL is not UTF-8 behind its percent signs", "write it without them"),
    }
}

fn password<T>() -> Result<T, Wrong> {
    let help =
        "write it into a file that only Postern's group may read, and `password = { file = \"secret.txt\" }`";
    wrong("a password does not stand in the configuration", help)
}

fn wrong<T>(what: &str, help: &str) -> Result<T, Wrong> {
    Err((what.to_owned(), help.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> DatabaseAddress {
        DatabaseAddress::Tcp { host: host.into(), port }
    }

    fn unix(path: &str, port: u16) -> DatabaseAddress {
        DatabaseAddress::Unix { path: path.into(), port }
    }

    #[test]
    fn servers() {
        for (url, is_postgres, address, user, database, tls) in [
            ("postgres://p@db.example.com/mail", true, tcp("db.example.com", 5432), "p", "mail", None),
            ("postgresql://p@[::1]:5433/mail", true, tcp("::1", 5433), "p", "mail", None),
            ("mysql://p%40a@192.0.2.1/ma%20il", false, tcp("192.0.2.1", 3306), "p@a", "ma il", None),
            (
                "mariadb://p@db:1/m?ssl-mode=VERIFY_IDENTITY",
                false,
                tcp("db", 1),
                "p",
                "m",
                Some(DatabaseTls::Full),
            ),
            (
                "postgres://p@db/m?sslmode=require",
                true,
                tcp("db", 5432),
                "p",
                "m",
                Some(DatabaseTls::Unverified),
            ),
            (
                "postgres://p@localhost/m?host=/run/postgresql",
                true,
                unix("/run/postgresql", 5432),
                "p",
                "m",
                None,
            ),
            ("postgres://p@%2Frun%2Fpostgresql/m", true, unix("/run/postgresql", 5432), "p", "m", None),
            ("mysql://p@localhost/m?socket=/run/my.sock", false, unix("/run/my.sock", 3306), "p", "m", None),
        ] {
            let want = Server { is_postgres, address, user: user.into(), database: database.into(), tls };
            assert_eq!(read(url), Ok(DatabaseUrl::Server(want)), "{url}");
        }
    }

    #[test]
    fn files() {
        for (url, want) in [
            ("sqlite:mail.db", "mail.db"),
            ("sqlite:/var/mail.db", "/var/mail.db"),
            ("sqlite:///var/mail.db", "/var/mail.db"),
            ("sqlite://mail.db", "mail.db"),
        ] {
            assert_eq!(read(url), Ok(DatabaseUrl::File(want.to_owned())), "{url}");
        }
    }

    #[test]
    fn nothing_wrong_is_said_with_the_text_of_the_url() {
        for (url, want) in [
            ("postgres://p:S3CRET@db/m", "a password"),
            ("postgres://p:@db/m", "names"),
            ("mysql://p@db/m?password=S3CRET", "a password"),
            ("mysql://p@db/m?S3CRET=1", "behind the `?`"),
            ("postgres://p@db/m?sslmode=S3CRET", "no `sslmode`"),
            ("postgres://p@db/m?sslmode=prefer", "talk it out of TLS"),
            ("postgres://p@db/m?sslmode=verify-ca", "any server"),
            ("postgres://p@db/m?host=S3CRET", "whole path"),
            ("postgres://p:S3CRET/m", "no URL"),
            ("postgres://p@db:S3CRET/m", "no URL"),
            ("oracle://p:S3CRET@db/m", "no database"),
            ("S3CRET", "no database"),
            ("postgres://p@db/m#S3CRET", "the `#`"),
            ("postgres://db/m", "as whom"),
            ("postgres://p@db/", "names no database"),
            ("postgres://p@db", "names no database"),
            ("postgres:///m", "names no host"),
            ("postgres://p%ff@db/m", "not UTF-8"),
            ("sqlite:", "no file"),
            ("sqlite::memory:", "no file"),
            ("sqlite:mail.db?mode=rwc", "behind the file"),
        ] {
            match read(url) {
                Err((what, help)) => {
                    assert!(what.contains(want), "{url}: {what}");
                    assert!(!what.contains("S3CRET") && !help.contains("S3CRET"), "{url}: {what}; {help}");
                }
                // An empty password is none.
                Ok(_) => assert_eq!(url, "postgres://p:@db/m"),
            }
        }
    }
}
