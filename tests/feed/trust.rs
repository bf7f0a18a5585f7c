// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is believed: certificates that are right and wrong, and pinned keys.

use crate::common::authority::Authority;
use crate::server::{Act, HOST, Server};
use postern::config::{Feed, FeedFormat};
use postern::gateways::{SourceError, Validators};

const LIST: Act = Act::Answer("200 OK", r#"["192.0.2.0/24"]"#);

async fn read(server: &Server, feed: &Feed) -> Result<(), SourceError> {
    server.read(feed, &Validators::default()).await.map(drop)
}

#[tokio::test]
async fn a_certificate_has_to_be_right() {
    let authority = Authority::new();
    for (host, days, why) in
        [(HOST, "1", None), ("other.example", "1", Some("not valid for name")), (HOST, "-1", Some("Expired"))]
    {
        let server = Server::with(&authority, &authority.sign(host, days), &[LIST]).await;
        let error = read(&server, &server.feed(FeedFormat::Json)).await.err().map(|error| error.to_string());
        match (&error, why) {
            (None, None) => {}
            (Some(error), Some(why)) => {
                assert!(
                    error.starts_with("no answer: ") && error.contains(why),
                    "{host}, {days} days: {error}"
                );
            }
            _ => panic!("{host}, {days} days: {error:?}"),
        }
    }
}

#[tokio::test]
async fn only_its_own_authority_vouches_for_a_feed() {
    let server = Server::start(&[LIST]).await;
    let other = Authority::new().certificate();
    for (name, ca) in [("another CA", Some(other)), ("the system's CAs", None)] {
        let feed = Feed { ca, ..server.feed(FeedFormat::Json) };
        let error = read(&server, &feed).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable(_)), "{name}: {error}");
    }
    for (ca, why) in [("", "no certificate"), ("no PEM", "no certificate")] {
        let feed = Feed { ca: Some(ca.as_bytes().into()), ..server.feed(FeedFormat::Json) };
        let error = read(&server, &feed).await.unwrap_err();
        assert!(matches!(&error, SourceError::Wrong(found) if found.contains(why)), "{ca:?}: {error}");
    }
}

#[tokio::test]
async fn a_pinned_key_is_asked_for_on_top() {
    let authority = Authority::new();
    let certificate = authority.sign(HOST, "1");
    let server = Server::with(&authority, &certificate, &[LIST]).await;
    let stranger = Authority::new().certificate();
    let (right, wrong) = (certificate.pin, [7; 32]);
    for (name, pins, ca, why) in [
        ("right", vec![right], None, None),
        ("one of two", vec![wrong, right], None, None),
        ("wrong", vec![wrong], None, Some("not one that `pin` names")),
        ("right, but nobody vouches", vec![right], Some(stranger), Some("invalid peer certificate")),
    ] {
        let feed = server.feed(FeedFormat::Json);
        let feed = Feed { pins, ca: ca.or(feed.ca.clone()), ..feed };
        let error = read(&server, &feed).await.err().map(|error| error.to_string());
        match (&error, why) {
            (None, None) => {}
            (Some(error), Some(why)) => assert!(error.contains(why), "{name}: {error}"),
            _ => panic!("{name}: {error:?}"),
        }
    }
}
