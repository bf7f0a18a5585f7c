// SPDX-License-Identifier: GPL-3.0-or-later
//! Microsoft Graph, configured as an administrator does it, and kept as the service keeps it.

use crate::common::dir::TestDir;
use crate::contract::House;
use crate::graph::id;
use crate::graph_peer::{Fault, Peer};
use crate::graph_tenant::{CLIENT_ID, SECRET, TENANT};
use postern::directories::Outcome;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A house with a tenant of forty users with two addresses each, a guest, and a group of ten.
async fn house(more: &str) -> (Peer, House) {
    let peer = Peer::start().await;
    {
        let mut tenant = peer.tenant();
        tenant.page_size = 10;
        for number in 1..=40 {
            let (address, alias) =
                (format!("user{number}@example.com"), format!("smtp:u{number}@example.com"));
            let user = json!({ "mail": address, "proxyAddresses": [format!("SMTP:{address}"), alias] });
            tenant.set("users", &id(number), user);
        }
        tenant.set("users", &id(50), json!({ "mail": "guest@elsewhere.example", "userType": "Guest" }));
        let group = json!({ "mail": "Team@Example.com", "displayName": "Team", "mailEnabled": true });
        tenant.set("groups", &id(101), group);
        (1..=10).for_each(|number| tenant.member(&id(101), &id(number), true));
    }
    let dir = TestDir::new();
    fs::write(dir.join("ca.pem"), peer.ca()).unwrap();
    let secret = dir.write("secret.txt", &format!("{SECRET}\n"));
    fs::set_permissions(secret, fs::Permissions::from_mode(0o640)).unwrap();
    let url = peer.url();
    let keys = format!(
        "type = \"graph\"\ntenant = \"{TENANT}\"\nclient_id = \"{CLIENT_ID}\"\nsecret = {{ file = \"secret.txt\" }}\n\
         graph_url = \"{url}\"\nlogin_url = \"{url}/\"\nca = \"ca.pem\"\n{more}"
    );
    (peer, House::within(dir, &keys))
}

#[tokio::test]
async fn a_tenant_is_kept_as_it_changes() {
    let (peer, house) = house("removal_grace = \"0s\"").await;
    assert_eq!(house.applied().await, (81, 0, 81));
    assert!(house.has("team@example.com") && house.has("u40@example.com"));
    assert_eq!(house.applied().await, (0, 0, 81));
    {
        let mut tenant = peer.tenant();
        tenant.set("users", &id(41), json!({ "mail": "new@example.com", "proxyAddresses": [] }));
        tenant.remove("users", &id(1), "changed");
        tenant.set(
            "users",
            &id(2),
            json!({ "proxyAddresses": ["SMTP:user2@example.com", "smtp:two@example.com"] }),
        );
    }
    house.pass(std::time::Duration::from_secs(60));
    peer.requests();
    assert_eq!(house.applied().await, (2, 3, 80));
    assert!(house.has("new@example.com") && house.has("two@example.com"));
    assert!(!house.has("user1@example.com") && !house.has("u2@example.com"));
    assert!(
        peer.requests().iter().all(|request| !request.contains("delta?$select")),
        "changes alone are asked for"
    );
    // Links that have expired cost a full round and nothing else.
    peer.tenant().forget_links();
    peer.tenant().remove("users", &id(3), "deleted");
    assert_eq!(house.applied().await, (0, 2, 78));
    assert!(peer.requests().iter().any(|request| request.contains("users/delta?$select")));
}

#[tokio::test]
async fn who_shrinks_too_much_is_not_believed() {
    let (peer, house) = house("").await;
    house.applied().await;
    for number in 1..=30 {
        peer.tenant().remove("users", &id(number), "deleted");
    }
    for _ in 0..2 {
        let synced = house.sync().await;
        assert!(matches!(synced.outcome, Outcome::Held { .. }), "{synced:#?}");
        assert!(house.has("user1@example.com"));
    }
    // Somebody who takes the application's rights away does not take the users away.
    peer.tenant().denied = vec!["users"];
    let error = house.failed().await;
    assert!(error.contains("User.Read.All"), "{error}");
    assert!(house.has("user40@example.com"));
}

#[tokio::test]
async fn a_failure_changes_nothing() {
    let (peer, house) = house("").await;
    for (part, fault) in
        [("users/delta?$skiptoken", Fault::Cut), ("groups/delta", Fault::HangUp), ("oauth2", Fault::Cut)]
    {
        peer.plan(part, 1, usize::MAX, fault);
        house.failed().await;
        assert!(house.loaded().is_none(), "{part}: half of a tenant is in force");
        peer.behave();
    }
    assert_eq!(house.applied().await.2, 81);
    peer.tenant().set("users", &id(60), json!({ "mail": "late@example.com", "proxyAddresses": [] }));
    for (part, fault) in [("contacts/delta", Fault::Cut), ("contacts/delta", Fault::Kill)] {
        peer.plan(part, 1, usize::MAX, fault);
        house.failed().await;
        assert!(!house.has("late@example.com") && house.has("user1@example.com"), "{part}");
        peer.behave();
    }
    peer.revive().await;
    assert_eq!(house.applied().await, (1, 0, 82));
}

#[tokio::test]
async fn an_empty_tenant_is_not_believed() {
    let (peer, house) = house("").await;
    let fill = || peer.plan("delta", 1, usize::MAX, Fault::Edit(empty));
    fill();
    let error = house.failed().await;
    assert!(error.contains("no recipient"), "{error}");
    peer.behave();
    house.applied().await;
}

/// A page without objects, and without a next one.
fn empty(page: &str) -> String {
    let page: serde_json::Value = serde_json::from_str(page).unwrap();
    let link = ["@odata.nextLink", "@odata.deltaLink"].iter().find_map(|kind| page[kind].as_str()).unwrap();
    json!({ "value": [], "@odata.deltaLink": link.replace("skiptoken", "deltatoken") }).to_string()
}

#[tokio::test]
async fn nothing_that_is_kept_holds_a_secret() {
    let (_peer, house) = house("").await;
    house.applied().await;
    let mut seen = 0;
    look(&house.dir.join("state"), &mut seen);
    assert!(seen > 0, "nothing is kept");
}

fn look(dir: &Path, seen: &mut usize) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            look(&entry.path(), seen);
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
        *seen += 1;
        assert!(!text.contains("S3CRET") && !text.contains("t0ken"), "{}", entry.path().display());
    }
}
