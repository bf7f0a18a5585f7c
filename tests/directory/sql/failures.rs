// SPDX-License-Identifier: GPL-3.0-or-later
//! What goes wrong, and that it comes out as what it is, without the password.

use super::heard::{Heard, all, error};
use super::peer::{Peer, Server};
use crate::common::authority::{Authority, Shown};
use postern::directories::SourceError;
use sqlx::{Connection as _, Executor as _};
use std::sync::Mutex;

#[test]
fn nothing_can_be_written() {
    for peer in Peer::all() {
        peer.run(
            "CREATE TABLE recipient (address varchar(300)); INSERT INTO recipient VALUES ('a@example.com')",
        );
        peer.allow_writing();
        let mut writing = vec![
            "DELETE FROM recipient",
            "UPDATE recipient SET address = 'b@example.com'",
            "INSERT INTO recipient VALUES ('b@example.com')",
            "DROP TABLE recipient",
            "CREATE TABLE other (address text)",
        ];
        match peer.server {
            Server::Postgres(_) => writing.extend([
                "WITH gone AS (DELETE FROM recipient RETURNING address) SELECT address FROM gone",
                "DELETE FROM recipient RETURNING address",
                "SELECT address FROM recipient; DELETE FROM recipient",
                "COMMIT; DELETE FROM recipient",
            ]),
            Server::MariaDb(_) => writing.extend([
                "DELETE FROM recipient RETURNING address",
                "TRUNCATE recipient",
                "SELECT address FROM recipient; DELETE FROM recipient",
                "COMMIT; DELETE FROM recipient",
            ]),
            Server::Sqlite => writing.extend([
                "DELETE FROM recipient RETURNING address",
                "SELECT address FROM recipient; DELETE FROM recipient",
                "COMMIT; DELETE FROM recipient",
                "COMMIT; PRAGMA query_only = 0; DELETE FROM recipient",
            ]),
        }
        for sql in writing {
            for groups in [false, true] {
                let source = if groups {
                    peer.source("SELECT address FROM recipient", Some(sql))
                } else {
                    peer.source(sql, None)
                };
                let said = error(&source);
                assert!(
                    said.contains(if groups { "`groups_query`" } else { "`query`" }),
                    "{}: {sql}: {said}",
                    peer.name()
                );
                let is =
                    ["read-only", "READ ONLY", "readonly", "multiple commands", "SQL syntax", "and gives 1"];
                assert!(is.iter().any(|is| said.contains(is)), "{}: {sql}: {said}", peer.name());
                assert_eq!(
                    all(&peer.source("SELECT address FROM recipient", None)).addresses(),
                    ["a@example.com"]
                );
            }
        }
    }
}

#[test]
fn questions_that_cannot_be_answered() {
    for peer in Peer::all() {
        peer.run("CREATE TABLE recipient (address varchar(300), a int, b int); INSERT INTO recipient VALUES ('a@example.com', 1, 2)");
        for (query, want) in [
            ("SELEKT address FROM recipient", "syntax error|SQL syntax"),
            ("SELECT address FROM missing", "missing"),
            ("SELECT address, a, b FROM recipient", "column `a` that means nothing"),
            ("SELECT address, a AS internal_onyl, b AS kind FROM recipient", "`internal_onyl`"),
            ("SELECT a FROM recipient", "column `a` holds numbers"),
        ] {
            let said = error(&peer.source(query, None));
            assert!(want.split('|').any(|want| said.contains(want)), "{}: {query}: {said}", peer.name());
        }
        for (query, want) in
            [("SELECT address FROM recipient", "and gives 1"), ("SELECT 1, 'a'", "holds numbers")]
        {
            let said = error(&peer.source("SELECT address FROM recipient", Some(query)));
            assert!(said.contains("groups_query") && said.contains(want), "{}: {query}: {said}", peer.name());
        }
    }
}

#[test]
fn who_may_not_is_refused() {
    for peer in Peer::servers(None) {
        peer.set_password("a wrong S3CRET");
        let source = peer.source("SELECT 'a@example.com' AS address", None);
        let mut heard = Heard::default();
        let error = heard.listen(&source).unwrap_err();
        assert!(matches!(error, SourceError::Refused(_)), "{}: {error}", peer.name());
        for said in [error.to_string(), format!("{error:?}"), format!("{source:?}")] {
            assert!(!said.contains("S3CRET"), "{}: {said}", peer.name());
        }
        let access = peer.access().lines().next().unwrap().to_owned() + "\n";
        let source = peer.source_with(&access, "SELECT 'a@example.com' AS address", None);
        let error = heard.listen(&source).unwrap_err();
        assert!(matches!(error, SourceError::Refused(_)), "{} without a password: {error}", peer.name());
    }
}

#[test]
fn what_may_not_be_read_is_refused() {
    for peer in Peer::servers(None) {
        let table = match peer.server {
            Server::Postgres(_) => "pg_authid",
            Server::MariaDb(_) => "mysql.global_priv",
            Server::Sqlite => panic!("nobody serves a file"),
        };
        if let Server::Postgres(server) = &peer.server {
            server.run("REVOKE pg_read_all_data FROM postern");
        }
        let mut heard = Heard::default();
        let error = heard.listen(&peer.source(&format!("SELECT * FROM {table}"), None)).unwrap_err();
        assert!(matches!(error, SourceError::Refused(_)), "{}: {error}", peer.name());
    }
}

#[test]
fn certificates_that_do_not_do() {
    let stranger = Authority::new();
    for mut peer in Peer::servers(Some(Shown::Good)) {
        let query = "SELECT 'a@example.com' AS address";
        let own = peer.access() + &peer.ca();
        let strange = format!("{}ca = \"{}\"\n", peer.access(), stranger.file().display());
        for (shown, access, want) in [
            (Some(Shown::Good), &own, None),
            (Some(Shown::Good), &strange, Some("invalid peer certificate")),
            (Some(Shown::Expired), &own, Some("peer certificate: Expired")),
            (Some(Shown::OfAnother), &own, Some("not valid for name")),
            (None, &own, Some("does not support TLS")),
        ] {
            peer.show(shown);
            let mut heard = Heard::default();
            let answer = heard.listen(&peer.source_with(access, query, None));
            match (answer, want) {
                (Ok(_), None) => assert_eq!(heard.count, 1, "{} {shown:?}", peer.name()),
                (Err(SourceError::Refused(said)), Some(want)) if said.contains(want) => {}
                (found, want) => panic!("{} {shown:?}: {found:?}, not {want:?}", peer.name()),
            }
        }
    }
}

#[test]
fn a_server_that_ends_in_the_middle() {
    for peer in Peer::servers(None) {
        let source = peer.source(&peer.many(300_000), None);
        let name = peer.name();
        let peer = Mutex::new(peer);
        let mut heard = Heard {
            room: Some(0),
            event: Some((1000, Box::new(|| peer.lock().unwrap().kill()))),
            ..Heard::default()
        };
        let error = heard.listen(&source).unwrap_err();
        assert!(matches!(error, SourceError::Incomplete(_)), "{name}: {error}");
        assert!((1000..300_000).contains(&heard.count), "{name}: {}", heard.count);
        let error = heard.listen(&source).unwrap_err();
        assert!(matches!(error, SourceError::Unreachable(_)), "{name} is gone: {error}");
    }
}

#[test]
fn a_server_that_stands_still() {
    for peer in Peer::servers(None) {
        let name = peer.name();
        let access = format!("{}timeout = \"1s\"\n", peer.access());
        let source = peer.source_with(&access, &peer.many(300_000), None);
        let mut heard =
            Heard { room: Some(0), event: Some((1000, Box::new(|| peer.freeze()))), ..Heard::default() };
        let error = heard.listen(&source).unwrap_err();
        assert_eq!(error.to_string(), "incomplete: nothing came for 1 s", "{name}");
        let error = Heard::default().listen(&source).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("no answer: ") && error.ends_with(": nothing came for 1 s"),
            "{name}: {error}"
        );
        peer.thaw();
        assert_eq!(all(&peer.source("SELECT 'a@example.com' AS address", None)).count, 1, "{name}");
    }
}

#[test]
fn files_that_are_none() {
    let peer = Peer::sqlite();
    std::fs::remove_file(peer.dir.join("mail.db")).unwrap();
    let source = peer.source("SELECT address FROM recipient", None);
    let file = peer.dir.join("mail.db");
    assert_eq!(error(&source), format!("no answer: {}: unable to open database file", file.display()));
    assert!(!peer.dir.join("mail.db").exists(), "it is not made");
    peer.dir.write("mail.db", &"no database, but a text of some length ".repeat(100));
    assert_eq!(error(&source), "`query`: file is not a database");
}

#[test]
fn a_file_that_is_locked() {
    let peer = Peer::sqlite();
    peer.run("CREATE TABLE recipient (address text); INSERT INTO recipient VALUES ('a@example.com')");
    let access = format!("{}timeout = \"1s\"\n", peer.access());
    let source = peer.source_with(&access, "SELECT address FROM recipient", None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("sqlite:{}", peer.dir.join("mail.db").display());
    let mut writer = runtime.block_on(sqlx::SqliteConnection::connect(&url)).unwrap();
    runtime.block_on(writer.execute("BEGIN EXCLUSIVE")).unwrap();
    assert_eq!(error(&source), "no answer: database is locked");
    runtime.block_on(writer.execute("COMMIT")).unwrap();
    assert_eq!(all(&source).count, 1);
}

#[test]
fn a_query_that_never_ends() {
    let peer = Peer::sqlite();
    let access = format!("{}timeout = \"1s\"\n", peer.access());
    peer.run("CREATE TABLE recipient (address text)");
    let query = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT 'a@example.com' AS address FROM n WHERE n < 0";
    assert_eq!(error(&peer.source_with(&access, query, None)), "no answer: nothing came for 1 s");
    // The thread that works on it has been told: the file is free again.
    peer.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DROP TABLE recipient; COMMIT");
}
