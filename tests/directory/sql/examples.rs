// SPDX-License-Identifier: GPL-3.0-or-later
//! The queries of `examples/sql.toml`, put to tables of the shapes that they are for.

use super::heard::all;
use super::peer::{Peer, Server};
use postern::config::{self, Problems};
use postern::mail::RecipientKind::{Group, Room, Unspecified, User};
use std::path::Path;

/// Tables as `PostfixAdmin` has them, but for columns that say nothing about who exists.
const POSTFIXADMIN: &str = "
CREATE TABLE domain (domain varchar(255), backupmx BOOL, active BOOL);
CREATE TABLE mailbox (username varchar(255), password varchar(255), local_part varchar(255), domain varchar(255), active BOOL);
CREATE TABLE alias (address varchar(255), goto text, domain varchar(255), active BOOL);
CREATE TABLE alias_domain (alias_domain varchar(255), target_domain varchar(255), active BOOL);
INSERT INTO domain VALUES ('a.example', false, true), ('off.example', false, false), ('b.example', false, true);
INSERT INTO mailbox VALUES ('ann@a.example', 'x', 'ann', 'a.example', true), ('bob@a.example', 'x', 'bob', 'a.example', false),
  ('eve@off.example', 'x', 'eve', 'off.example', true);
INSERT INTO alias VALUES ('ann@a.example', 'ann@a.example', 'a.example', true), ('info@a.example', 'ann@a.example', 'a.example', true),
  ('old@a.example', 'ann@a.example', 'a.example', false), ('@b.example', 'ann@a.example', 'b.example', true),
  ('eve@off.example', 'eve@off.example', 'off.example', true);
INSERT INTO alias_domain VALUES ('c.example', 'a.example', true), ('d.example', 'a.example', false);
";

const IREDMAIL: &str = "
CREATE TABLE mailbox (username varchar(255), domain varchar(255), active smallint);
CREATE TABLE alias (address varchar(255), accesspolicy varchar(30), domain varchar(255), active smallint);
CREATE TABLE maillists (address varchar(255), accesspolicy varchar(30), domain varchar(255), active smallint);
CREATE TABLE forwardings (address varchar(255), forwarding varchar(255), domain varchar(255), is_list smallint,
  is_forwarding smallint, is_alias smallint, active smallint);
CREATE TABLE alias_domain (alias_domain varchar(255), target_domain varchar(255), active smallint);
INSERT INTO mailbox VALUES ('ann@a.example', 'a.example', 1), ('bob@a.example', 'a.example', 0);
INSERT INTO alias VALUES ('all@a.example', 'domain', 'a.example', 1), ('info@a.example', 'public', 'a.example', 1);
INSERT INTO maillists VALUES ('news@a.example', 'membersonly', 'a.example', 1);
INSERT INTO forwardings VALUES ('ann@a.example', 'ann@a.example', 'a.example', 0, 1, 0, 1),
  ('a.smith@a.example', 'ann@a.example', 'a.example', 0, 0, 1, 1), ('all@a.example', 'ann@a.example', 'a.example', 1, 0, 0, 1),
  ('b.example', 'ann@a.example', 'b.example', 0, 0, 0, 1);
INSERT INTO alias_domain VALUES ('c.example', 'a.example', 1);
";

const MAILCOW: &str = "
CREATE TABLE mailbox (username varchar(255), kind varchar(100) NOT NULL DEFAULT '', domain varchar(255), active tinyint(1));
CREATE TABLE alias (id int, address varchar(255), goto text, domain varchar(255), active tinyint(1));
CREATE TABLE alias_domain (alias_domain varchar(255), target_domain varchar(255), active tinyint(1));
CREATE TABLE spamalias (address varchar(255), goto text, validity int);
INSERT INTO mailbox VALUES ('ann@a.example', '', 'a.example', 1), ('hall@a.example', 'location', 'a.example', 2),
  ('bob@a.example', '', 'a.example', 0);
INSERT INTO alias VALUES (1, 'ann@a.example', 'ann@a.example', 'a.example', 1), (2, 'info@a.example', 'ann@a.example', 'a.example', 1),
  (3, '@b.example', 'ann@a.example', 'b.example', 1);
INSERT INTO alias_domain VALUES ('c.example', 'a.example', 1);
INSERT INTO spamalias VALUES ('x1@a.example', 'ann@a.example', 2147483647), ('x2@a.example', 'ann@a.example', 1);
";

const VIRTUAL: &str = "
CREATE TABLE virtual_users (id int, domain_id int, password varchar(150), email varchar(100));
CREATE TABLE virtual_aliases (id int, domain_id int, source varchar(100), destination varchar(100));
INSERT INTO virtual_users VALUES (1, 1, 'x', 'ann@a.example'), (2, 1, 'x', 'bob@a.example');
INSERT INTO virtual_aliases VALUES (1, 1, 'all@a.example', 'ann@a.example'), (2, 1, 'all@a.example', 'bob@a.example'),
  (3, 1, 'ann@a.example', 'ann@elsewhere.example');
";

const DOVECOT: &str = "
CREATE TABLE users (username varchar(128), domain varchar(128), password varchar(64), active char(1));
INSERT INTO users VALUES ('ann', 'a.example', 'x', 'Y'), ('bob', 'a.example', 'x', 'N');
";

#[test]
fn queries_for_well_known_tables() {
    let mut problems = Problems::default();
    let config = config::read(Path::new("examples/sql.toml"), &mut problems).unwrap();
    assert!(problems.is_empty(), "{problems:#?}");
    let config = config.unwrap();
    let peers = Peer::all();
    for (name, tables, want, members) in [
        (
            "postfixadmin",
            POSTFIXADMIN,
            &[
                ("@b.example", Unspecified, false),
                ("ann@a.example", User, false),
                ("ann@c.example", Unspecified, false),
                ("info@a.example", Unspecified, false),
                ("info@c.example", Unspecified, false),
            ][..],
            0,
        ),
        (
            "iredmail",
            IREDMAIL,
            &[
                ("@b.example", Unspecified, false),
                ("a.smith@a.example", Unspecified, false),
                ("all@a.example", Group, true),
                ("ann@a.example", User, false),
                ("ann@c.example", Unspecified, false),
                ("info@a.example", Group, false),
                ("news@a.example", Group, false),
            ],
            1,
        ),
        (
            "mailcow",
            MAILCOW,
            &[
                ("@b.example", Unspecified, false),
                ("ann@a.example", User, false),
                ("ann@c.example", Unspecified, false),
                ("hall@a.example", Room, false),
                ("info@a.example", Unspecified, false),
                ("info@c.example", Unspecified, false),
                ("x1@a.example", Unspecified, false),
            ],
            0,
        ),
        (
            "virtual",
            VIRTUAL,
            &[
                ("all@a.example", Unspecified, false),
                ("ann@a.example", User, false),
                ("bob@a.example", User, false),
            ],
            3,
        ),
        ("dovecot", DOVECOT, &[("ann@a.example", User, false)], 0),
    ] {
        let directory = config.directories.iter().find(|directory| &*directory.name == name).unwrap();
        let config::DirectorySource::Sql(sql) = &directory.source else { panic!("{name}") };
        for peer in &peers {
            // mailcow knows no other database.
            if name == "mailcow" && !matches!(peer.server, Server::MariaDb(_)) {
                continue;
            }
            peer.run(tables);
            let heard = all(&peer.source(&sql.query, sql.groups_query.as_deref()));
            let mut found: Vec<_> = heard
                .records
                .iter()
                .map(|record| (&*record.key, record.kind, record.internal_only))
                .collect();
            found.sort_unstable();
            assert_eq!(found, want, "{name} in {}", peer.name());
            assert_eq!(
                (heard.memberships.len(), heard.invalid.len()),
                (members, 0),
                "{name} in {}",
                peer.name()
            );
            for table in tables.split("CREATE TABLE ").skip(1) {
                peer.run(&format!("DROP TABLE {}", table.split_whitespace().next().unwrap()));
            }
        }
    }
}
