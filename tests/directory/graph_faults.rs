// SPDX-License-Identifier: GPL-3.0-or-later
//! Microsoft Graph: what goes wrong on the way, who we are, and that secrets stay secret.

use crate::common::dir::TestDir;
use crate::graph::{company, id};
use crate::graph_peer::{Fault, Peer, Shown};
use crate::graph_sink::{Synced, Taken, config, rules};
use crate::graph_tenant::{Known, SECRET};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postern::config::{Graph, GraphCredential, Identity, SyncRules};
use postern::directories::{Extent, Source as _, SourceError};
use postern::mail::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::process::Command;
use std::time::Duration;

/// A page with something about its links changed.
fn relinked(page: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut page: Value = serde_json::from_str(page).unwrap();
    change(&mut page);
    page.to_string()
}

fn without_link(page: &str) -> String {
    relinked(page, |page| drop(page.as_object_mut().unwrap().remove("@odata.nextLink")))
}

fn with_both(page: &str) -> String {
    relinked(page, |page| page["@odata.deltaLink"] = page["@odata.nextLink"].clone())
}

fn to_another_host(page: &str) -> String {
    relinked(page, |page| {
        page["@odata.nextLink"] = json!("https://203.0.113.9/v1.0/users/delta?$skiptoken=x");
    })
}

fn without_tls(page: &str) -> String {
    relinked(page, |page| {
        let link = page["@odata.nextLink"].as_str().unwrap().replace("https:", "http:");
        page["@odata.nextLink"] = json!(link);
    })
}

fn with_a_user_name(page: &str) -> String {
    relinked(page, |page| {
        let link = page["@odata.nextLink"].as_str().unwrap().replace("https://", "https://a:b@");
        page["@odata.nextLink"] = json!(link);
    })
}

fn in_a_circle(page: &str) -> String {
    relinked(page, |page| {
        let link = page["@odata.nextLink"].as_str().unwrap();
        let here = link.split('?').next().unwrap().to_owned();
        page["@odata.nextLink"] = json!(format!("{here}?$select=id,mail,proxyAddresses"));
    })
}

fn half(page: &str) -> String {
    page[..page.len() / 2].to_owned()
}

fn other_ids(page: &str) -> String {
    page.replace("\"id\":\"0000", "\"id\":\"../0")
}

/// One fault: the sync fails, says this, keeps nothing, and the next one is as if nothing had been.
async fn breaks(part: &'static str, nth: usize, count: usize, fault: Fault, want: &str) {
    let what = format!("{fault:?} at {part}, {nth}");
    let kills = matches!(fault, Fault::Kill);
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    peer.plan(part, nth, count, fault);
    let error = synced.fails().await;
    assert!(error.contains(want), "{what}: {error}");
    assert!(!error.contains(SECRET) && !error.contains("t0ken"), "{what}: {error}");
    assert!(synced.taken.records.is_empty() && synced.cookie.is_none(), "{what}");
    peer.behave();
    if kills {
        peer.revive().await;
    }
    assert_eq!(synced.sync().await.unwrap().extent, Extent::Everything, "{what}");
    assert_eq!(synced.taken.addresses().len(), 22, "{what}");
}

#[tokio::test]
async fn what_goes_wrong_changes_nothing() {
    let always = usize::MAX;
    let html = "200 OK\r\nContent-Type: text/html";
    let moved = "302 Found\r\nLocation: https://203.0.113.9/";
    for (part, nth, count, fault, want) in [
        ("users/delta?$skiptoken", 2, always, Fault::Cut, "incomplete: "),
        ("users/delta?$skiptoken", 2, always, Fault::HangUp, "no answer: "),
        ("groups/delta?$skiptoken", 1, always, Fault::Kill, "no answer: "),
        (
            "users/delta?$skiptoken",
            1,
            always,
            Fault::Edit(half),
            "incomplete: a page of users cannot be read",
        ),
        (
            "contacts/delta",
            1,
            1,
            Fault::Answer("200 OK", "garbage".into()),
            "a page of contacts cannot be read",
        ),
        (
            "users/delta",
            1,
            1,
            Fault::Answer("200 OK", "{}".into()),
            "a page of users cannot be read: missing field `value`",
        ),
        ("users/delta", 1, 1, Fault::Answer(html, "<html>".into()), "answers \"text/html\" instead of JSON"),
        ("users/delta", 1, 1, Fault::Answer(moved, String::new()), "sends us elsewhere (302 Found)"),
        ("users/delta", 1, 1, Fault::Answer("404 Not Found", "{}".into()), "Graph does not know users"),
        (
            "users/delta",
            1,
            1,
            Fault::Answer("400 Bad Request", "{}".into()),
            "Graph does not take the question for users",
        ),
        ("users/delta", 1, 1, Fault::Answer("501 Not Implemented", "{}".into()), "501 Not Implemented"),
        ("users/delta", 1, 1, Fault::Edit(without_link), "incomplete: a page of users has neither"),
        ("users/delta", 1, 1, Fault::Edit(with_both), "a page of users has both"),
        (
            "users/delta",
            1,
            1,
            Fault::Edit(to_another_host),
            "a link leads to \"203.0.113.9\", away from https://127.",
        ),
        ("users/delta", 1, 1, Fault::Edit(without_tls), "away from https://127."),
        ("users/delta", 1, 1, Fault::Edit(with_a_user_name), "away from https://127."),
        ("users/delta", 1, 1, Fault::Edit(in_a_circle), "the links of users lead in a circle"),
        ("users/delta", 1, 1, Fault::Edit(other_ids), "an id that is no UUID"),
        (
            "users/delta",
            1,
            1,
            Fault::Answer("429 Too Many Requests\r\nRetry-After: 120", String::new()),
            "asks to be left alone for 120 s",
        ),
        (
            "users/delta",
            1,
            1,
            Fault::Answer("503 Service Unavailable\r\nRetry-After: 3600", String::new()),
            "asks to be left alone for 3600 s",
        ),
    ] {
        breaks(part, nth, count, fault, want).await;
    }
}

#[tokio::test]
async fn a_login_server_that_grants_nothing() {
    let always = usize::MAX;
    for (part, nth, count, fault, want) in [
        ("oauth2", 1, 1, Fault::Answer("200 OK", "{}".into()), "without a token that can be read"),
        (
            "oauth2",
            1,
            1,
            Fault::Answer("200 OK", r#"{"token_type":"mac","expires_in":1,"access_token":"x"}"#.into()),
            "a token of an unknown type",
        ),
        (
            "oauth2",
            1,
            1,
            Fault::Answer(
                "200 OK",
                r#"{"token_type":"Bearer","expires_in":1,"access_token":"x\r\ny"}"#.into(),
            ),
            "the access token is no text",
        ),
        ("oauth2", 1, 1, Fault::Answer("404 Not Found", String::new()), "is no login server"),
        ("oauth2", 1, always, Fault::HangUp, "no answer: "),
    ] {
        breaks(part, nth, count, fault, want).await;
    }
}

#[tokio::test]
async fn a_change_that_is_lost_comes_again() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    peer.tenant().member(&id(101), &id(8), true);
    peer.tenant().remove("users", &id(1), "deleted");
    for (part, fault) in [
        ("users/delta", Fault::Cut),
        ("members", Fault::Cut),
        ("members?$skiptoken", Fault::HangUp),
        ("contacts/delta", Fault::Kill),
    ] {
        let what = format!("{fault:?} at {part}");
        let kills = matches!(fault, Fault::Kill);
        peer.plan(part, 1, usize::MAX, fault);
        synced.fails().await;
        assert!(synced.taken.records.contains_key(&id(1)), "{what}");
        peer.behave();
        if kills {
            peer.revive().await;
        }
    }
    assert_eq!(synced.sync().await.unwrap().extent, Extent::Changes);
    assert!(!synced.taken.records.contains_key(&id(1)));
    assert!(synced.taken.members(&id(101)).contains(&&*id(8)));
}

#[tokio::test]
async fn a_connection_that_breaks_once_is_made_again() {
    let peer = company().await;
    peer.plan("users/delta?$skiptoken", 1, 1, Fault::Cut);
    peer.plan("groups/delta?$skiptoken", 1, 1, Fault::HangUp);
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    assert_eq!(synced.taken.addresses().len(), 22);
}

#[tokio::test]
async fn floods_and_drips_are_cut_off() {
    const MEGABYTE: usize = 1024 * 1024;
    let peer = company().await;
    peer.plan("users/delta", 1, 1, Fault::Flood);
    let error = Synced::of(&peer).fails().await;
    assert!(error.contains("more than 33554432 octets"), "{error}");
    assert!(peer.sent() < 64 * MEGABYTE, "{} octets were sent", peer.sent());
    peer.behave();
    peer.plan("groups/delta", 1, 1, Fault::Drip);
    let rules = SyncRules { timeout: Duration::from_secs(1), ..rules() };
    let error = Synced::with(&config(&peer), &rules).fails().await;
    assert!(error.starts_with("no answer: too slow"), "{error}");
}

#[tokio::test]
async fn a_busy_server_is_waited_for() {
    for answer in [
        "429 Too Many Requests\r\nRetry-After: 1",
        "503 Service Unavailable\r\nRetry-After: 1",
        "504 Gateway Timeout",
        "502 Bad Gateway",
        "429 Too Many Requests\r\nRetry-After: Sat, 21 Nov 2020 12:00:00 GMT",
    ] {
        let peer = company().await;
        peer.tenant().headers = "\r\nx-ms-throttle-limit-percentage: 0.9\r\nx-ms-resource-unit: 2";
        let body = r#"{"error":{"code":"TooManyRequests","message":"Later."}}"#;
        peer.plan("users/delta?$skiptoken", 1, 1, Fault::Answer(answer, body.into()));
        let mut synced = Synced::of(&peer);
        let complete = synced.sync().await.unwrap_or_else(|error| panic!("{answer}: {error}"));
        assert_eq!(synced.taken.addresses().len(), 22, "{answer}");
        let want =
            ["Graph says that 90 % of what the application may ask is used up", "Graph had us wait for 1 s"];
        assert_eq!(complete.notes, want, "{answer}");
    }
}

#[tokio::test]
async fn tokens_end() {
    let peer = company().await;
    let mut synced = Synced::of(&peer);
    synced.sync().await.unwrap();
    let tokens = |peer: &Peer| peer.requests().iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(tokens(&peer), 1);
    synced.sync().await.unwrap();
    assert_eq!(tokens(&peer), 0, "it is kept");
    peer.tenant().end_tokens();
    synced.sync().await.unwrap();
    assert_eq!(tokens(&peer), 1, "a new one instead of one that is not taken any more");
    // In the middle of a sync.
    let refused = r#"{"error":{"code":"InvalidAuthenticationToken","message":"Expired."}}"#;
    peer.plan("users/delta?$skiptoken", 2, 1, Fault::Answer("401 Unauthorized", refused.into()));
    synced.cookie = None;
    synced.sync().await.unwrap();
    assert_eq!(tokens(&peer), 1);
    assert_eq!(synced.taken.addresses().len(), 22);
    // One that never is.
    peer.plan("users/delta", 1, usize::MAX, Fault::Answer("401 Unauthorized", refused.into()));
    let error = synced.sync().await.unwrap_err();
    assert!(
        matches!(&error, SourceError::Refused(why) if why.contains("InvalidAuthenticationToken: Expired.")),
        "{error}"
    );
    assert_eq!(tokens(&peer), 1);
    peer.behave();
    // One that ends at once is asked for anew each time.
    peer.tenant().end_tokens();
    peer.tenant().token_lifetime = 0;
    synced.cookie = None;
    synced.sync().await.unwrap();
    assert!(tokens(&peer) > 3);
}

#[tokio::test]
async fn who_we_are_has_to_be_right() {
    let peer = company().await;
    let own = config(&peer);
    let wrong = GraphCredential::Secret(Secret::new(*b"S3CRET-of-another"));
    for (name, config, want) in [
        (
            "secret",
            Graph { credential: wrong, ..own.clone() },
            "access refused: `secret` is wrong; it has to be the secret's value",
        ),
        (
            "application",
            Graph { client_id: "other".into(), ..own.clone() },
            "no application with this `client_id`",
        ),
        ("tenant", Graph { tenant: "other.example".into(), ..own.clone() }, "there is no such `tenant`"),
    ] {
        let error = Synced::with(&config, &rules()).fails().await;
        assert!(error.contains(want) && error.contains("AADSTS"), "{name}: {error}");
        assert!(!error.contains("S3CRET") && !error.contains("Trace"), "{name}: {error}");
    }
    for (resource, permission) in
        [("users", "User.Read.All"), ("groups", "GroupMember.Read.All"), ("contacts", "OrgContact.Read.All")]
    {
        peer.tenant().denied = vec![resource];
        let error = Synced::of(&peer).sync().await.unwrap_err();
        let SourceError::Refused(why) = &error else { panic!("{resource}: {error}") };
        let want = format!(
            "may not read {resource}; grant it the application permission {permission} (Authorization_RequestDenied: "
        );
        assert!(why.contains(&want), "{error}");
    }
}

/// An application's own certificate, and what the login server knows of it.
fn identity(dir: &TestDir, kind: &[&str]) -> (Identity, Known) {
    let run = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).current_dir(dir.path()).output();
        let done = done.expect("openssl runs (Debian's package openssl)");
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let made = [
        "req",
        "-x509",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=postern",
        "-out",
        "own.pem",
        "-keyout",
        "own.key",
    ];
    run(&[&made[..], kind].concat());
    run(&["pkey", "-in", "own.key", "-pubout", "-out", "own.pub"]);
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read("own.pem")).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
    let identity = Identity { certificate: read("own.pem").into(), key: Secret::new(read("own.key")) };
    (identity, Known { key: read("own.pub"), thumbprint })
}

#[tokio::test]
async fn a_certificate_shows_who_we_are() {
    let dir = TestDir::new();
    let (own, known) = identity(&dir, &["-newkey", "rsa:2048"]);
    let (other, _) = identity(&dir, &["-newkey", "rsa:2048"]);
    let (curve, _) = identity(&dir, &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let peer = company().await;
    peer.tenant().certificate = Some(known);
    let with = |identity: &Identity| {
        let credential = GraphCredential::Certificate(identity.clone());
        Synced::with(&Graph { credential, ..config(&peer) }, &rules())
    };
    let mut synced = with(&own);
    synced.sync().await.unwrap();
    peer.tenant().end_tokens();
    synced.sync().await.unwrap();
    assert_eq!(synced.taken.addresses().len(), 22);
    let swapped = Identity { certificate: own.certificate.clone(), key: other.key.clone() };
    for (name, identity, want) in [
        ("another's", other.clone(), "access refused: the application does not know `certificate`"),
        ("another key", swapped, "access refused: the application does not know `certificate`"),
        ("a curve", curve, "`key` is no RSA key"),
        ("no key", Identity { key: Secret::new(*b"none"), ..own.clone() }, "`key` is no RSA key"),
        (
            "no certificate",
            Identity { certificate: (*b"none").into(), ..own.clone() },
            "`certificate` holds no certificate",
        ),
    ] {
        let error = with(&identity).fails().await;
        assert!(error.contains(want), "{name}: {error}");
    }
}

#[tokio::test]
async fn only_the_right_server_is_believed() {
    for (shown, want) in [(Shown::Expired, "Expired"), (Shown::OfAnother, "not valid for name")] {
        let peer = Peer::show(shown).await;
        let error = Synced::of(&peer).fails().await;
        assert!(error.starts_with("no answer: ") && error.contains(want), "{shown:?}: {error}");
        assert_eq!(peer.requests(), [""; 0], "{shown:?}");
    }
    let (peer, other) = (company().await, Peer::start().await);
    for ca in [Some(other.ca()), None] {
        let error = Synced::with(&Graph { ca, ..config(&peer) }, &rules()).fails().await;
        assert!(error.starts_with("no answer: "), "{error}");
        assert_eq!(peer.requests(), [""; 0]);
    }
    let error = Synced::with(&Graph { ca: Some((*b"").into()), ..config(&peer) }, &rules()).fails().await;
    assert!(error.contains("`ca` has no certificate"), "{error}");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let peer = company().await;
    let synced = Synced::of(&peer);
    let mut taken = Taken::default();
    let complete = synced.source.sync(None, &mut taken).await.unwrap();
    for shown in [
        format!("{:?}", synced.source),
        format!("{:#?}", config(&peer)),
        format!("{complete:?}"),
        format!("{taken:?}"),
    ] {
        assert!(!shown.contains(SECRET) && !shown.contains("t0ken"), "{shown}");
    }
}
