// SPDX-License-Identifier: GPL-3.0-or-later
//! Databases in the battery: PostgreSQL and MariaDB with TLS behind a line that can be cut, and a file of SQLite.

use super::peer::{Peer, Server};
use crate::battery::{self, Fault, Rig};
use crate::common::authority::Shown;
use crate::common::{mariadb, postgres};
use crate::line::{Deed, Line};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

struct Database {
    name: &'static str,
    /// `type`, `url` and what else is always the same.
    keys: String,
    peer: Arc<Mutex<Peer>>,
    /// To a server; none to a file.
    line: Option<Line>,
}

impl Database {
    fn of(peer: Peer) -> Self {
        peer.run("CREATE TABLE recipient (address varchar(300))");
        let (name, dir) = (peer.name(), peer.dir.path().display().to_string());
        let server: Option<SocketAddr> = match &peer.server {
            Server::Postgres(server) => Some(server.address()),
            Server::MariaDb(server) => Some(server.address()),
            Server::Sqlite => None,
        };
        let line = server.map(Line::to);
        let access = match (&server, &line) {
            (Some(server), Some(line)) => {
                let own = peer.access().replace(&server.to_string(), &line.address().to_string());
                own.replace("secret.txt", &format!("{dir}/secret.txt")) + &peer.ca()
            }
            _ => format!("url = \"sqlite:{dir}/mail.db\"\n"),
        };
        let keys =
            format!("type = \"sql\"\n{access}timeout = \"10s\"\nquery = \"SELECT address FROM recipient\"");
        Self { name, keys, peer: Arc::new(Mutex::new(peer)), line }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Peer) -> T) -> T {
        act(&mut self.peer.lock().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.with(|peer| peer.dir.join(name))
    }

    fn harm_server(&self, line: &Line, fault: Fault) -> &'static str {
        match fault {
            Fault::Away => {
                self.with(Peer::kill);
                "no answer"
            }
            Fault::Lost => {
                line.cut(None);
                // Whether rows have come depends on how many it puts into one packet.
                "incomplete: |no answer: "
            }
            Fault::Killed => {
                let peer = Arc::clone(&self.peer);
                let kill: Deed = Box::new(move || peer.lock().unwrap().kill());
                line.cut(Some(kill));
                // The second time it is not there any more.
                "incomplete: |no answer: "
            }
            Fault::Password => {
                self.with(|peer| peer.set_password("another"));
                "access refused: "
            }
            Fault::Certificate => {
                self.with(|peer| peer.show(Some(Shown::Expired)));
                "xpired"
            }
        }
    }

    fn harm_file(&self, fault: Fault) -> Option<&'static str> {
        let (file, aside) = (self.file("mail.db"), self.file("aside"));
        match fault {
            Fault::Away => {
                fs::rename(file, aside).unwrap();
                Some("mail.db: unable to open database file")
            }
            Fault::Lost => {
                fs::copy(&file, aside).unwrap();
                let length = fs::metadata(&file).unwrap().len();
                fs::File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
                Some("database disk image is malformed")
            }
            Fault::Killed | Fault::Password | Fault::Certificate => None,
        }
    }
}

#[async_trait::async_trait]
impl Rig for Database {
    fn name(&self) -> &'static str {
        self.name
    }

    fn keys(&self) -> String {
        self.keys.clone()
    }

    async fn hold(&mut self, people: &[String]) {
        let rows: Vec<String> = people.iter().map(|one| format!("('{}')", one.replace('\'', "''"))).collect();
        let insert = match &*rows {
            [] => String::new(),
            rows => format!("INSERT INTO recipient VALUES {};", rows.join(",")),
        };
        self.with(|peer| peer.run(&format!("DELETE FROM recipient;\n{insert}")));
    }

    async fn harm(&mut self, fault: Fault) -> Option<&'static str> {
        match &self.line {
            Some(line) => Some(self.harm_server(line, fault)),
            None => self.harm_file(fault),
        }
    }

    async fn heal(&mut self, fault: Fault) {
        let Some(line) = &self.line else {
            fs::rename(self.file("aside"), self.file("mail.db")).unwrap();
            return;
        };
        line.mend();
        match fault {
            Fault::Lost => {}
            Fault::Password => self.with(|peer| {
                peer.set_password(match peer.server {
                    Server::Postgres(_) => postgres::PASSWORD,
                    Server::MariaDb(_) | Server::Sqlite => mariadb::PASSWORD,
                });
            }),
            Fault::Away | Fault::Killed | Fault::Certificate => {
                self.with(|peer| peer.show(Some(Shown::Good)));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_in_the_battery() {
    battery::run(Database::of(Peer::postgres(Some(Shown::Good)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_in_the_battery() {
    battery::run(Database::of(Peer::mariadb(Some(Shown::Good)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_the_battery() {
    battery::run(Database::of(Peer::sqlite())).await;
}
