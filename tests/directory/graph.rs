// SPDX-License-Identifier: GPL-3.0-or-later
//! Microsoft Graph: what is read, in full and by changes.

use crate::graph_peer::{Fault, Peer};
use crate::graph_sink::{Synced, config, rules};
use postern::directories::{Extent, SourceError};
use postern::mail::RecipientKind;
use serde_json::{Value, json};

/// An id, told by a number.
pub(crate) fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// A company: ten users, three groups, a contact.
pub(crate) async fn company() -> Peer {
    let peer = Peer::start().await;
    {
        let mut tenant = peer.tenant();
        for number in 1..=10 {
            let address = format!("user{number}@a.example");
            let aliases =
                json!([format!("SMTP:{address}"), format!("smtp:u{number}@a.example"), "SIP:x@a.example"]);
            tenant.set("users", &id(number), json!({ "mail": address, "proxyAddresses": aliases }));
        }
        let list = json!({ "mail": "all@a.example", "proxyAddresses": ["SMTP:all@a.example"], "displayName": "All", "mailEnabled": true });
        tenant.set("groups", &id(101), list);
        tenant.set(
            "groups",
            &id(102),
            json!({ "displayName": "Readers", "mailEnabled": false, "mail": null }),
        );
        tenant.set("groups", &id(103), json!({ "displayName": "Nobody", "mailEnabled": false }));
        for number in 1..=7 {
            tenant.member(&id(101), &id(number), true);
        }
        tenant.member(&id(102), &id(101), true);
        tenant.member(&id(102), &id(9), true);
        tenant.member(&id(102), "99999999-0000-4000-8000-000000000001", true);
        let contact = json!({ "mail": "friend@b.example", "proxyAddresses": ["SMTP:friend@b.example"], "displayName": "Friend" });
        tenant.set("contacts", &id(201), contact);
    }
    peer
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(id).collect()
}

#[tokio::test]
async fn a_tenant_is_read_in_full() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    let complete = synced.sync().await.unwrap();
    assert_eq!(complete.extent, Extent::Everything);
    assert_eq!(complete.notes, [""; 0]);
    let taken = &synced.taken;
    assert_eq!(taken.addresses().len(), 22, "{:?}", taken.addresses());
    assert_eq!(taken.of(&id(3)), ["user3@a.example", "u3@a.example"]);
    assert_eq!(taken.records[&id(3)].kind, RecipientKind::User);
    assert_eq!(taken.records[&id(101)].kind, RecipientKind::Group);
    assert_eq!(taken.records[&id(201)].kind, RecipientKind::Contact);
    assert_eq!(taken.of(&id(101)), ["all@a.example"]);
    assert_eq!(taken.members(&id(101)), ids(1..=7));
    assert_eq!(taken.records[&id(101)].name.as_deref(), Some("All"));
    // One that takes no mail; the device in it is left out.
    assert_eq!(taken.of(&id(102)), [""; 0]);
    assert_eq!(taken.members(&id(102)), ids([9, 101]));
    assert!(taken.members(&id(103)).is_empty());
    let requests = peer.requests();
    let first: Vec<&String> = requests.iter().filter(|request| request.contains("$select")).collect();
    assert_eq!(
        first,
        [
            "GET /v1.0/users/delta?$select=id,mail,proxyAddresses",
            "GET /v1.0/groups/delta?$select=id,mail,proxyAddresses,displayName,mailEnabled,members",
            "GET /v1.0/contacts/delta?$select=id,mail,proxyAddresses",
        ]
    );
    let tokens = requests.iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(tokens, 1, "{requests:?}");
}

#[tokio::test]
async fn changes_are_put_on_top() {
    for minimal in [false, true] {
        let peer = company().await;
        peer.tenant().minimal = minimal;
        let mut synced = Synced::of(&peer);
        synced.sync().await.unwrap();
        assert_eq!(synced.sync().await.unwrap().extent, Extent::Nothing, "minimal: {minimal}");
        {
            let mut tenant = peer.tenant();
            tenant.set(
                "users",
                &id(11),
                json!({ "mail": "new@a.example", "proxyAddresses": ["SMTP:new@a.example"] }),
            );
            let aliases = json!(["smtp:user3@a.example", "SMTP:three@a.example"]);
            tenant.set("users", &id(3), json!({ "mail": "three@a.example", "proxyAddresses": aliases }));
            // What stays of it may be left out.
            tenant.set(
                "users",
                &id(4),
                json!({ "proxyAddresses": ["SMTP:user4@a.example", "smtp:four@a.example"] }),
            );
            tenant.set("users", &id(5), json!({ "mail": null, "proxyAddresses": [] }));
            tenant.remove("users", &id(1), "changed");
            tenant.remove("users", &id(2), "deleted");
            tenant.member(&id(101), &id(7), false);
            tenant.member(&id(101), &id(11), true);
            tenant.set("groups", &id(102), json!({ "displayName": "All readers" }));
            tenant.remove("groups", &id(103), "deleted");
            tenant.remove("contacts", &id(201), "deleted");
        }
        peer.requests();
        assert_eq!(synced.sync().await.unwrap().extent, Extent::Changes);
        let taken = &synced.taken;
        assert_eq!(taken.of(&id(11)), ["new@a.example"]);
        assert_eq!(taken.of(&id(3)), ["three@a.example", "user3@a.example"], "minimal: {minimal}");
        assert_eq!(taken.of(&id(4)), ["user4@a.example", "four@a.example"], "minimal: {minimal}");
        assert_eq!(taken.of(&id(5)), [""; 0]);
        for gone in [id(1), id(2), id(103), id(201)] {
            assert!(!taken.records.contains_key(&gone), "{gone} is there");
        }
        // Deleted users are in no group any more, and nobody says so of the group: that their records are gone has to do.
        let members = taken.members(&id(101));
        let there: Vec<&str> =
            members.into_iter().filter(|member| taken.records.contains_key(*member)).collect();
        assert_eq!(there, ids([3, 4, 5, 6, 11]));
        assert_eq!(taken.of(&id(101)), ["all@a.example"], "minimal: {minimal}");
        assert_eq!(taken.records[&id(102)].name.as_deref(), Some("All readers"));
        assert_eq!(taken.members(&id(102)), ids([9, 101]), "a name alone has changed");
        let requests = peer.requests();
        assert!(requests.iter().all(|request| !request.contains("delta?$select")), "{requests:?}");
        // Comes and goes, and comes again.
        peer.tenant().set("users", &id(1), json!({}));
        peer.tenant().set("users", &id(1), json!({ "mail": "user1@a.example" }));
        assert_eq!(synced.sync().await.unwrap().extent, Extent::Changes);
        assert!(synced.taken.of(&id(1)).contains(&"user1@a.example"));
        assert_eq!(synced.sync().await.unwrap().extent, Extent::Nothing);
    }
}

#[tokio::test]
async fn a_server_that_is_behind_hides_no_change() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    let before = peer.tenant().now();
    peer.tenant().behind = Some(before);
    peer.tenant().member(&id(101), &id(10), true);
    peer.tenant().member(&id(101), &id(1), false);
    synced.sync().await.unwrap();
    assert_eq!(synced.taken.members(&id(101)), ids((2..=7).chain([10])));
}

#[tokio::test]
async fn objects_come_twice_and_in_any_order() {
    for page_size in [1, 2, 5, 100] {
        let peer = company().await;
        {
            let mut tenant = peer.tenant();
            tenant.repeats = true;
            tenant.page_size = page_size;
            tenant.member_page_size = 3;
        }
        let mut synced = Synced::of(&peer);
        synced.sync().await.unwrap();
        assert_eq!(synced.taken.addresses().len(), 22, "{page_size}");
        assert_eq!(synced.taken.members(&id(101)), ids(1..=7), "{page_size}");
        peer.tenant().member(&id(101), &id(8), true);
        peer.tenant().set("users", &id(8), json!({ "mail": "eight@a.example" }));
        synced.sync().await.unwrap();
        assert_eq!(synced.taken.members(&id(101)), ids(1..=8), "{page_size}");
        assert!(synced.taken.of(&id(8)).contains(&"eight@a.example"), "{page_size}");
    }
}

#[tokio::test]
async fn who_goes_while_pages_come_is_gone() {
    let peer = company().await;
    peer.tenant().repeats = true;
    peer.plan("/users/delta?$skiptoken", 1, 1, Fault::Edit(removes_the_first));
    peer.plan("/groups/delta?$skiptoken", 2, 1, Fault::Edit(removes_a_member));
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    let first = synced.taken.records.values().find(|record| record.addresses.is_empty()).unwrap();
    assert_eq!(first.kind, RecipientKind::User, "{first:?}");
    assert_eq!(synced.taken.addresses().len(), 20);
}

/// Adds to a page that somebody of the page before is gone.
fn removes_the_first(page: &str) -> String {
    let mut page: Value = serde_json::from_str(page).unwrap();
    let gone = json!({ "id": id(6), "@removed": { "reason": "changed" } });
    page["value"].as_array_mut().unwrap().retain(|object| object["id"] != id(6).as_str());
    page["value"].as_array_mut().unwrap().push(gone);
    page.to_string()
}

fn removes_a_member(page: &str) -> String {
    let mut page: Value = serde_json::from_str(page).unwrap();
    let gone =
        json!({ "@odata.type": "#microsoft.graph.user", "id": id(77), "@removed": { "reason": "deleted" } });
    page["value"].as_array_mut().unwrap().push(json!({ "id": id(101), "members@delta": [gone] }));
    page.to_string()
}

#[tokio::test]
async fn an_empty_tenant_is_everything_too() {
    let peer = Peer::start().await;
    let mut synced = Synced::of(&peer);
    assert_eq!(synced.sync().await.unwrap().extent, Extent::Everything);
    assert!(synced.taken.records.is_empty());
    assert_eq!(synced.sync().await.unwrap().extent, Extent::Nothing);
}

#[tokio::test]
async fn it_grows_and_shrinks() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    {
        let mut tenant = peer.tenant();
        tenant.page_size = 100;
        for number in 1000..3000 {
            tenant.set(
                "users",
                &id(number),
                json!({ "mail": format!("n{number}@a.example"), "proxyAddresses": [] }),
            );
        }
    }
    assert_eq!(synced.sync().await.unwrap().extent, Extent::Changes);
    assert_eq!(synced.taken.addresses().len(), 2022);
    (1..=9).chain(1000..3000).for_each(|number| peer.tenant().remove("users", &id(number), "deleted"));
    synced.sync().await.unwrap();
    assert_eq!(
        synced.taken.addresses(),
        ["all@a.example", "friend@b.example", "u10@a.example", "user10@a.example"]
    );
}

#[tokio::test]
async fn too_many_open_changes_are_everything() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    peer.tenant().page_size = 1000;
    for number in 1000..3001 {
        // Accounts without mailboxes: some property of theirs was never set.
        peer.tenant().set("users", &id(number), json!({ "proxyAddresses": [] }));
    }
    assert!(matches!(synced.sync().await, Err(SourceError::Resync)));
    synced.cookie = None;
    assert_eq!(synced.sync().await.unwrap().extent, Extent::Everything);
    assert_eq!(synced.taken.addresses().len(), 22);
}

#[tokio::test]
async fn links_that_have_expired() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    peer.tenant().forget_links();
    assert!(matches!(synced.sync().await, Err(SourceError::Resync)));
    synced.cookie = None;
    assert_eq!(synced.sync().await.unwrap().extent, Extent::Everything);
    // Microsoft says it by 400, too.
    let body = r#"{"error":{"code":"resyncRequired","message":"Again."}}"#;
    peer.plan("/groups/delta", 1, 1, Fault::Answer("400 Bad Request", body.into()));
    assert!(matches!(synced.sync().await, Err(SourceError::Resync)));
    // In the middle of everything there is nothing to go on from, and nothing to begin again at once.
    peer.plan("/users/delta?$skiptoken", 1, 1, Fault::Answer("410 Gone", String::new()));
    synced.cookie = None;
    let error = synced.sync().await.unwrap_err();
    assert!(matches!(error, SourceError::Incomplete(_)), "{error}");
}

#[tokio::test]
async fn a_cookie_is_good_for_one_question() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    let cookie = synced.cookie.clone().unwrap();
    let text = cookie.0.to_string();
    assert!(text.len() < 1000 && !text.contains("t0ken") && !text.contains("S3CRET"), "{text}");
    let own = config(&peer);
    let elsewhere = text.replace("127.", "198.51.100.7:443/127.");
    assert_ne!(elsewhere, text);
    for (name, config, rules, cookie) in [
        ("tenant", postern::config::Graph { tenant: "b.example".into(), ..own.clone() }, rules(), &*text),
        ("application", postern::config::Graph { client_id: "b".into(), ..own.clone() }, rules(), &*text),
        (
            "properties",
            postern::config::Graph { addresses: vec!["mail".into()], ..own.clone() },
            rules(),
            &*text,
        ),
        (
            "kinds",
            own.clone(),
            postern::config::SyncRules { include: vec![RecipientKind::User], ..rules() },
            &*text,
        ),
        ("no changes wanted", postern::config::Graph { incremental: false, ..own.clone() }, rules(), &*text),
        ("not ours", own.clone(), rules(), "{}"),
        ("no JSON", own.clone(), rules(), "\0"),
    ] {
        let mut other = Synced::with(&config, &rules);
        other.cookie = Some(postern::directories::Cookie(cookie.into()));
        let error = other.sync().await.unwrap_err();
        assert!(matches!(error, SourceError::Resync), "{name}: {error}");
    }
    peer.requests();
    let mut robbed = Synced::with(&own, &rules());
    robbed.cookie = Some(postern::directories::Cookie(elsewhere.into()));
    let error = robbed.fails().await;
    assert!(error.contains("away from"), "{error}");
    assert_eq!(peer.requests(), [""; 0]);
}

#[tokio::test]
async fn without_changes_everything_is_asked_each_time() {
    let peer = company().await;
    let config = postern::config::Graph { incremental: false, ..config(&peer) };
    let mut synced = Synced::with(&config, &rules());
    for _ in 0..2 {
        let complete = synced.sync().await.unwrap();
        assert_eq!((complete.extent, complete.cookie), (Extent::Everything, None));
    }
}

#[tokio::test]
async fn what_is_not_included_is_not_asked_for() {
    for (include, want, paths) in [
        (vec![RecipientKind::User], 20, vec!["users", "groups"]),
        (vec![RecipientKind::User, RecipientKind::Contact], 21, vec!["users", "groups", "contacts"]),
        (vec![RecipientKind::Group], 1, vec!["groups"]),
        (vec![RecipientKind::Contact], 1, vec!["groups", "contacts"]),
    ] {
        let peer = company().await;
        let mut synced =
            Synced::with(&config(&peer), &postern::config::SyncRules { include: include.clone(), ..rules() });
        synced.sync().await.unwrap();
        // Groups say who is in them, whether or not they are recipients; that is for the snapshot to tell.
        let mut included = synced.taken.clone();
        included.records.retain(|_, record| include.contains(&record.kind));
        assert_eq!(included.addresses().len(), want, "{include:?}");
        assert_eq!(synced.taken.members(&id(101)).len(), 7, "{include:?}");
        let requests = peer.requests();
        let mut asked: Vec<&str> = requests
            .iter()
            .filter_map(|request| request.split('/').nth(2))
            .filter(|path| *path != "oauth2")
            .collect();
        asked.dedup();
        assert_eq!(asked, paths, "{include:?}");
    }
}

#[tokio::test]
async fn entries_of_every_kind() {
    let peer = Peer::start().await;
    let hostile = "\u{1b}[31m\u{202e}\"'<b>; DROP TABLE users\r\n\0";
    {
        let mut tenant = peer.tenant();
        let users = [
            json!({ "mail": "Jörg@müller.example", "proxyAddresses": ["SMTP:Jörg@müller.example", "smtp:joerg@xn--mller-kva.example"] }),
            json!({ "mail": "Ann@A.Example", "proxyAddresses": ["smtp:ann@a.example", "SMTP:ANN@a.example"] }),
            json!({ "mail": "guest@elsewhere.example", "proxyAddresses": ["x500:/o=A/cn=guest", "SPO:SPO_1@SPO_2"] }),
            json!({ "proxyAddresses": ["SMTP:HealthMailbox0659e34c2d5b4aa1bc5b9ed5b4d1f9a7@a.example"] }),
            json!({ "mail": 17, "proxyAddresses": [null, ["smtp:a@a.example"], "smtp:seventeen@a.example"] }),
            json!({ "mail": hostile }),
        ];
        for (number, user) in (1..).zip(users) {
            tenant.set("users", &id(number), user);
        }
        tenant.set(
            "groups",
            &id(101),
            json!({ "displayName": hostile, "mail": "g@a.example", "mailEnabled": true }),
        );
        tenant.set(
            "groups",
            &id(102),
            json!({ "displayName": "", "mail": "was@a.example", "mailEnabled": false }),
        );
    }
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    let taken = &synced.taken;
    for (number, want) in [
        (1, vec!["Jörg@müller.example", "joerg@xn--mller-kva.example"]),
        (2, vec!["Ann@A.Example"]),
        (3, vec!["guest@elsewhere.example"]),
        (5, vec!["seventeen@a.example"]),
        (101, vec!["g@a.example"]),
        (102, vec![]),
    ] {
        assert_eq!(taken.of(&id(number)), want, "{number}");
    }
    assert!(!taken.records.contains_key(&id(4)));
    assert_eq!(taken.passed_over, 1);
    assert_eq!(taken.records[&id(101)].name.as_deref(), Some(hostile), "texts are as the source has them");
    assert_eq!(taken.records[&id(102)].name, None);
    assert_eq!(taken.invalid.len(), 3, "{:?}", taken.invalid);
    assert!(taken.invalid[0].starts_with(&format!("users {}, mail: 17: ", id(5))), "{:?}", taken.invalid);
}

#[tokio::test]
async fn other_properties_may_have_addresses() {
    let peer = Peer::start().await;
    let user = json!({ "mail": "a@a.example", "userPrincipalName": "ann@a.example", "otherMails": ["ann@home.example"] });
    peer.tenant().set("users", &id(1), user);
    peer.tenant().set("contacts", &id(2), json!({ "mail": "b@b.example" }));
    for (addresses, want) in [
        (vec!["mail", "proxyAddresses"], vec!["a@a.example", "b@b.example"]),
        (vec!["userPrincipalName"], vec!["ann@a.example"]),
        (
            vec!["mail", "userPrincipalName", "otherMails"],
            vec!["a@a.example", "ann@a.example", "ann@home.example", "b@b.example"],
        ),
    ] {
        let addresses: Vec<Box<str>> = addresses.into_iter().map(Into::into).collect();
        let mut synced =
            Synced::with(&postern::config::Graph { addresses: addresses.clone(), ..config(&peer) }, &rules());
        synced.sync().await.unwrap();
        assert_eq!(synced.taken.addresses(), want, "{addresses:?}");
    }
}
