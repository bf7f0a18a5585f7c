// SPDX-License-Identifier: GPL-3.0-or-later
//! Microsoft Graph in the battery: a tenant of users with one address each.

use crate::battery::{self, Fault, Rig};
use crate::common::dir::TestDir;
use crate::graph::id;
use crate::graph_peer::{self, Peer, Shown};
use crate::graph_tenant::{CLIENT_ID, SECRET, TENANT};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

struct Graph {
    dir: TestDir,
    peer: Peer,
    /// Number and address of each user.
    users: Vec<(u32, String)>,
    made: u32,
}

impl Graph {
    fn set_secret(&self, secret: &str) {
        let file = self.dir.write("secret.txt", secret);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[async_trait::async_trait]
impl Rig for Graph {
    fn name(&self) -> &'static str {
        "Graph"
    }

    fn keys(&self) -> String {
        let (url, dir) = (self.peer.url(), self.dir.path().display());
        format!(
            "type = \"graph\"\ntenant = \"{TENANT}\"\nclient_id = \"{CLIENT_ID}\"\n\
             secret = {{ file = \"{dir}/secret.txt\" }}\ngraph_url = \"{url}\"\nlogin_url = \"{url}/\"\nca = \"{dir}/ca.pem\"\ntimeout = \"10s\""
        )
    }

    async fn hold(&mut self, people: &[String]) {
        let mut new = people.to_vec();
        let mut tenant = self.peer.tenant();
        tenant.page_size = 50;
        self.users.retain(|(number, address)| {
            let stays = new.iter().position(|one| one == address);
            match stays {
                Some(at) => drop(new.swap_remove(at)),
                None => tenant.remove("users", &id(*number), "deleted"),
            }
            stays.is_some()
        });
        for address in new {
            self.made += 1;
            tenant.set("users", &id(self.made), json!({ "mail": address, "proxyAddresses": [] }));
            self.users.push((self.made, address));
        }
    }

    async fn harm(&mut self, fault: Fault) -> Option<&'static str> {
        let always = usize::MAX;
        match fault {
            Fault::Away => {
                self.peer.stop();
                Some("no answer: ")
            }
            Fault::Lost => {
                self.peer.plan("users/delta?$skiptoken", 2, always, graph_peer::Fault::Cut);
                Some("incomplete: ")
            }
            Fault::Killed => {
                self.peer.plan("users/delta?$skiptoken", 2, always, graph_peer::Fault::Kill);
                Some("no answer: ")
            }
            Fault::Password => {
                self.set_secret("another");
                Some("access refused: ")
            }
            Fault::Certificate => {
                self.peer.stop();
                self.peer.revive_with(Shown::Expired).await;
                Some("xpired")
            }
        }
    }

    async fn heal(&mut self, fault: Fault) {
        self.peer.behave();
        match fault {
            Fault::Away | Fault::Killed => self.peer.revive().await,
            Fault::Lost => {}
            Fault::Password => self.set_secret(SECRET),
            Fault::Certificate => {
                self.peer.stop();
                self.peer.revive().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_in_the_battery() {
    let rig = Graph { dir: TestDir::new(), peer: Peer::start().await, users: Vec::new(), made: 0 };
    fs::write(rig.dir.join("ca.pem"), rig.peer.ca()).unwrap();
    rig.set_secret(SECRET);
    battery::run(rig).await;
}
