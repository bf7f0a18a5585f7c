// SPDX-License-Identifier: GPL-3.0-or-later
//! What databases have, and how it is read.

use super::heard::{Heard, all};
use super::peer::{Peer, Server};
use crate::common::authority::Shown;
use postern::mail::RecipientKind;
use std::fs;

const TABLES: &str = "
CREATE TABLE recipient (address varchar(300), kind varchar(40), internal_only smallint);
CREATE TABLE grouping (name varchar(100), member varchar(300));
INSERT INTO recipient VALUES
  ('Ann@Example.com', 'user', 0), ('bob@example.com', 'UserMailbox', NULL), ('info@example.com', 'shared', 0),
  ('all@example.com', 'group', 1), ('x@example.com', 'DiscoveryMailbox', 0), ('@example.org', NULL, 0),
  ('room@example.com', 'room', 0), ('k@example.com', 'pomegranate', 0);
INSERT INTO grouping VALUES ('all@example.com', 'ann@example.com'), ('sales', 'bob@example.com'), (NULL, 'b@example.com');
";

#[test]
fn addresses_and_groups() {
    for peer in Peer::all() {
        peer.run(TABLES);
        let source =
            peer.source("SELECT kind, internal_only, address FROM recipient", Some("SELECT * FROM grouping"));
        let heard = all(&source);
        let name = peer.name();
        for (key, address, kind, group, internal_only) in [
            ("ann@example.com", "Ann@Example.com", RecipientKind::User, None, false),
            ("bob@example.com", "bob@example.com", RecipientKind::User, None, false),
            ("info@example.com", "info@example.com", RecipientKind::Shared, None, false),
            ("all@example.com", "all@example.com", RecipientKind::Group, Some("all@example.com"), true),
            ("@example.org", "@example.org", RecipientKind::Unspecified, None, false),
            ("room@example.com", "room@example.com", RecipientKind::Room, None, false),
            ("k@example.com", "k@example.com", RecipientKind::Unspecified, None, false),
        ] {
            let record = heard.find(key);
            assert_eq!(record.addresses, [address.into()], "{name} {key}");
            assert_eq!((record.kind, record.internal_only), (kind, internal_only), "{name} {key}");
            assert_eq!(record.name.as_deref(), group, "{name} {key}");
        }
        assert_eq!((heard.count, heard.passed_over), (7, 1), "{name}");
        let told: Vec<_> = heard.memberships.iter().map(|(g, m)| (g.as_str(), m.as_str())).collect();
        assert_eq!(told, [("all@example.com", "ann@example.com"), ("sales", "bob@example.com")], "{name}");
        let invalid = ("row of groups 3".into(), "NULL".into(), "there is nothing in it".into());
        assert_eq!(heard.invalid, [invalid], "{name}");

        let nothing = all(&peer.source("SELECT address FROM recipient WHERE 1 = 0", None));
        assert_eq!((nothing.count, nothing.invalid.len()), (0, 0), "{name}");

        peer.run("DELETE FROM recipient WHERE address LIKE 'bob@%'; INSERT INTO recipient VALUES ('eve@example.com', '', 0)");
        let later = all(&peer.source("SELECT address, kind FROM recipient", None));
        assert_eq!(later.count, 7, "{name}");
        assert!(later.addresses().contains(&"eve@example.com"), "{name}");
        assert!(!later.addresses().contains(&"bob@example.com"), "{name}");
    }
}

#[test]
fn hostile_and_foreign_values() {
    let long = format!("{}@example.com", "x".repeat(3000));
    let values = [
        "'; DROP TABLE recipient; --@example.com",
        "\"a b\"@example.com",
        "\\x00@example.com",
        "%s$1?@example.com",
        "j\u{f6}rg@example.com",
        "ann@b\u{fc}cher.example",
        "ann@xn--bcher-kva.example",
        "\u{1f600}@example.com",
        "ann@example.com",
        "ann@example.com",
        "ANN@example.com",
        "a\nb@example.com",
    ];
    for peer in Peer::all() {
        peer.run("CREATE TABLE recipient (address text)");
        let escape = matches!(peer.server, Server::MariaDb(_));
        let quoted = |value: &str| {
            let value = value.replace('\'', "''");
            format!("('{}')", if escape { value.replace('\\', "\\\\") } else { value })
        };
        let mut rows: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        rows.extend(["(NULL)".into(), "('')".into(), "('  ')".into(), quoted(&long)]);
        peer.run(&format!("INSERT INTO recipient VALUES {}", rows.join(",")));
        let heard = all(&peer.source("SELECT address FROM recipient", None));
        let mut want = values.to_vec();
        want.sort_unstable();
        assert_eq!(heard.addresses(), want, "{}", peer.name());
        let invalid: Vec<_> = heard.invalid.iter().map(|(p, w, why)| (&**p, w.len(), &**why)).collect();
        let nothing = "there is nothing in it";
        let want = [
            ("row 13", 4, nothing),
            ("row 14", 0, nothing),
            ("row 15", 0, nothing),
            ("row 16", 100, "it is too long"),
        ];
        assert_eq!(invalid, want, "{}", peer.name());
        assert_eq!(heard.records.iter().filter(|record| &*record.key == "ann@example.com").count(), 3);
    }
}

#[test]
fn types_of_postgresql() {
    let peer = Peer::postgres(None);
    peer.run("CREATE EXTENSION citext; CREATE TYPE what AS ENUM ('user', 'group'); CREATE DOMAIN mail AS varchar(100)");
    for (address, kind, internal_only, want) in [
        ("'a@example.com'", "'user'", "true", Ok((RecipientKind::User, true))),
        ("'a@example.com'::citext", "'user'::citext", "'t'", Ok((RecipientKind::User, true))),
        ("'a@example.com'::char(40)", "'group'::char(20)", "0::bigint", Ok((RecipientKind::Group, false))),
        ("'a@example.com'::bytea", "'group'::what", "1::smallint", Ok((RecipientKind::Group, true))),
        ("'a@example.com'::mail", "'user'::name", "false", Ok((RecipientKind::User, false))),
        ("42", "'user'", "false", Err("column `address` holds numbers")),
        ("'a@example.com'", "1", "false", Err("column `kind` holds numbers")),
        ("ARRAY['a@example.com']", "'user'", "false", Err("column `address` holds TEXT[]")),
        (
            "'a@example.com'",
            "'user'",
            "now()",
            Err("column `internal_only` says neither yes nor no in row 1"),
        ),
        (
            "'a@example.com'",
            "'user'",
            "'maybe'",
            Err("column `internal_only` says neither yes nor no in row 1"),
        ),
    ] {
        expect(&peer, address, kind, internal_only, want);
    }
    let broken = all(&peer.source(r"SELECT '\xff40'::bytea AS address", None));
    assert_eq!(broken.invalid, [("row 1".into(), "\u{fffd}@".into(), "it is not UTF-8".into())]);
}

#[test]
fn types_of_mariadb() {
    let peer = Peer::mariadb(None);
    for (address, kind, internal_only, want) in [
        ("'a@example.com'", "'user'", "TRUE", Ok((RecipientKind::User, true))),
        (
            "CAST('a@example.com' AS BINARY)",
            "CAST('group' AS CHAR(20))",
            "b'0'",
            Ok((RecipientKind::Group, false)),
        ),
        ("REPEAT('a@example.com', 1)", "NULL", "256", Ok((RecipientKind::Unspecified, true))),
        ("42", "'user'", "0", Err("column `address` holds numbers")),
        ("1.5e0", "'user'", "0", Err("column `address` holds DOUBLE")),
        ("'a@example.com'", "NOW()", "0", Err("column `kind` holds DATETIME")),
        ("'a@example.com'", "'user'", "'vielleicht'", Err("neither yes nor no")),
    ] {
        expect(&peer, address, kind, internal_only, want);
    }
    peer.run(
        "CREATE TABLE old (mail varchar(50) CHARACTER SET latin1, what ENUM('user', 'group'), raw varbinary(50));\
         INSERT INTO old VALUES ('j\u{f6}rg@example.com', 'group', X'ff40')",
    );
    let heard = all(&peer.source("SELECT mail, what FROM old", None));
    assert_eq!(heard.addresses(), ["j\u{f6}rg@example.com"]);
    assert_eq!(heard.records[0].kind, RecipientKind::Group);
    let broken = all(&peer.source("SELECT raw FROM old", None));
    assert_eq!(broken.invalid, [("row 1".into(), "\u{fffd}@".into(), "it is not UTF-8".into())]);
}

#[test]
fn types_of_sqlite() {
    let peer = Peer::sqlite();
    for (address, kind, internal_only, want) in [
        ("'a@example.com'", "'user'", "1", Ok((RecipientKind::User, true))),
        ("CAST('a@example.com' AS BLOB)", "'group'", "'no'", Ok((RecipientKind::Group, false))),
        ("'a@example.com'", "'user'", "0", Ok((RecipientKind::User, false))),
        ("42", "'user'", "0", Err("column `address` holds numbers")),
    ] {
        expect(&peer, address, kind, internal_only, want);
    }
    let nul = all(&peer.source("SELECT 'a' || char(0) || 'b@example.com' AS address", None));
    assert_eq!(nul.addresses(), ["a\0b@example.com"], "whoever reads addresses refuses it");
    fs::remove_file(peer.dir.join("mail.db")).unwrap();
    peer.run("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (address); INSERT INTO t VALUES ('j\u{f6}rg@example.com')");
    assert_eq!(all(&peer.source("SELECT address FROM t", None)).addresses(), ["j\u{f6}rg@example.com"]);
}

fn expect(
    peer: &Peer,
    address: &str,
    kind: &str,
    internal_only: &str,
    want: Result<(RecipientKind, bool), &str>,
) {
    let query = format!("SELECT {address} AS address, {kind} AS kind, {internal_only} AS internal_only");
    let mut heard = Heard::default();
    match (heard.listen(&peer.source(&query, None)), want) {
        (Ok(_), Ok(want)) => {
            let record = heard.find("a@example.com");
            assert_eq!((record.kind, record.internal_only), want, "{query}");
        }
        (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{query}: {error}"),
        (found, want) => panic!("{query}: {found:?}, not {want:?}; {:?}", heard.records),
    }
}

/// The most memory that this process has had since it was forgotten, in kB (`proc(5)`).
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_large_answer_takes_no_memory() {
    for peer in Peer::all() {
        let source = peer.source(&peer.many(300_000), None);
        // What a connection takes, and what the process has forgotten by then.
        all(&peer.source(&peer.many(10), None));
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak();
        let mut heard = Heard { room: Some(0), ..Heard::default() };
        heard.listen(&source).unwrap();
        let taken = peak() - before;
        assert_eq!(heard.count, 300_000, "{}", peer.name());
        assert!(taken < 8_000, "{}: {taken} kB for an answer of 64,000", peer.name());
    }
}

#[test]
fn both_queries_see_the_same_state() {
    for peer in Peer::all() {
        if peer.is_sqlite() {
            peer.run("PRAGMA journal_mode = WAL");
        }
        peer.run("CREATE TABLE recipient (address varchar(300)); CREATE TABLE grouping (name varchar(30), member varchar(300))");
        peer.run("INSERT INTO recipient VALUES ('a@example.com'), ('b@example.com')");
        peer.run("INSERT INTO grouping VALUES ('sales', 'a@example.com'), ('sales', 'b@example.com')");
        let source = peer.source("SELECT address FROM recipient", Some("SELECT name, member FROM grouping"));
        let change = || {
            peer.run("DELETE FROM recipient; DELETE FROM grouping; INSERT INTO grouping VALUES ('sales', 'c@example.com')");
        };
        let mut heard = Heard { event: Some((1, Box::new(change))), ..Heard::default() };
        heard.listen(&source).unwrap();
        assert_eq!(heard.addresses(), ["a@example.com", "b@example.com"], "{}", peer.name());
        let members: Vec<_> = heard.memberships.iter().map(|(_, member)| member.as_str()).collect();
        assert_eq!(members, ["a@example.com", "b@example.com"], "{}", peer.name());
        let later = all(&source);
        assert_eq!((later.count, later.memberships.len()), (0, 1), "{}", peer.name());
    }
}

#[test]
fn unix_sockets() {
    for peer in Peer::servers(None) {
        let url = match &peer.server {
            Server::Postgres(server) => {
                let data = server.run("SHOW data_directory");
                let (dir, _) = data.trim().rsplit_once('/').unwrap();
                format!("postgres://admin@localhost:{}/mail?socket={dir}", server.address().port())
            }
            Server::MariaDb(server) => {
                format!("mysql://root@localhost/mail?socket={}", server.run("SELECT @@socket").trim())
            }
            Server::Sqlite => panic!("nobody serves a file"),
        };
        let source =
            peer.source_with(&format!("url = \"{url}\"\n"), "SELECT 'a@example.com' AS address", None);
        assert_eq!(all(&source).addresses(), ["a@example.com"], "{}", peer.name());
    }
}

#[test]
fn tls() {
    for peer in Peer::servers(Some(Shown::Good)) {
        for behind in ["", "?sslmode=verify-full", "?ssl-mode=VERIFY_IDENTITY"] {
            let access = peer.access_with(behind) + &peer.ca();
            let source = peer.source_with(&access, "SELECT 'a@example.com' AS address", None);
            assert_eq!(all(&source).addresses(), ["a@example.com"], "{} {behind}", peer.name());
        }
        let access = peer.access_with("?sslmode=require");
        let source = peer.source_with(&access, "SELECT 'a@example.com' AS address", None);
        assert_eq!(all(&source).addresses(), ["a@example.com"], "{}", peer.name());
    }
}
