// SPDX-License-Identifier: GPL-3.0-or-later
//! Databases synced as the service does it: growth, shrinking, failures that change nothing.

use super::peer::{Peer, Server};
use crate::contract::House;
use postern::directories::Outcome;

const KEYS: &str = "query = 'SELECT address FROM recipient'\ngroups_query = 'SELECT name, member FROM grouping'\nmax_removed = 10";

#[tokio::test(flavor = "multi_thread")]
async fn growth_shrinking_and_failures() {
    for peer in Peer::all() {
        let name = peer.name();
        peer.run("CREATE TABLE recipient (address varchar(300)); CREATE TABLE grouping (name varchar(30), member varchar(300))");
        peer.run("INSERT INTO recipient VALUES ('ann@example.com'), ('Ann@example.com'), ('far@elsewhere.example')");
        peer.run("INSERT INTO grouping VALUES ('sales', 'ANN@example.com')");
        let more = |from: usize, to: usize| {
            let rows: Vec<String> = (from..to).map(|n| format!("('p{n}@example.com')")).collect();
            peer.run(&format!("INSERT INTO recipient VALUES {}", rows.join(",")));
        };
        more(0, 199);
        let access = match peer.server {
            Server::Sqlite => format!("url = \"sqlite:{}\"\n", peer.dir.join("mail.db").display()),
            Server::Postgres(_) | Server::MariaDb(_) => {
                peer.access().replace("secret.txt", &peer.dir.join("secret.txt").display().to_string())
            }
        };
        let house = House::new(&format!("type = \"sql\"\n{access}{KEYS}"));
        assert_eq!(house.applied().await, (200, 0, 200), "{name}");
        more(199, 300);
        assert_eq!(house.applied().await, (101, 0, 301), "{name}");
        assert!(house.has("ann@example.com") && house.has("p299@example.com"), "{name}");

        peer.run("DELETE FROM recipient WHERE address LIKE 'p1%'");
        let held = house.sync().await;
        assert!(matches!(held.outcome, Outcome::Held { .. }), "{name}: {held:#?}");
        assert!(house.has("p1@example.com"), "{name}");

        peer.run("DELETE FROM recipient");
        let held = house.sync().await;
        assert!(!matches!(held.outcome, Outcome::Applied(_)), "{name}: {held:#?}");

        peer.run("DROP TABLE grouping");
        let said = house.failed().await;
        assert!(said.contains("`groups_query`") && said.contains("grouping"), "{name}: {said}");
        assert!(house.has("p1@example.com"), "{name}");
    }
}
