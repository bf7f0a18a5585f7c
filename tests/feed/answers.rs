// SPDX-License-Identifier: GPL-3.0-or-later
//! What servers answer, and how they fail to.

use crate::server::{Act, Server};
use postern::config::FeedFormat;
use postern::gateways::{Fetched, Limits, SourceError, Validators};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const LIST: &str = r#"["192.0.2.0/24", "2001:db8::/32"]"#;

fn networks(fetched: &Result<Fetched, SourceError>) -> Vec<String> {
    match fetched {
        Ok(Fetched::Published(published, _)) => {
            published.networks.iter().map(|n| n.network.to_string()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_document_is_read_and_then_only_when_it_has_changed() {
    let marked = "200 OK\r\nETag: \"one\"\r\nLast-Modified: Sat, 21 Nov 2026 12:00:00 GMT\r\nCache-Control: max-age=600";
    let server = Server::start(&[Act::Answer(marked, LIST), Act::Answer("304 Not Modified", "")]).await;
    let feed = server.feed(FeedFormat::Json);
    let first = server.read(&feed, &Validators::default()).await;
    assert_eq!(networks(&first), ["192.0.2.0/24", "2001:db8::/32"]);
    assert!(!server.last_request().contains("if-"), "{}", server.last_request());
    let Ok(Fetched::Published(published, validators)) = first else { panic!("no document") };
    assert_eq!(published.ttl, Duration::from_secs(600));
    assert!(published.networks[0].via.starts_with("https://feed.example:"), "{}", published.networks[0].via);
    assert_eq!(validators.etag.as_deref(), Some("\"one\""));
    let second = server.read(&feed, &validators).await;
    assert_eq!(second, Ok(Fetched::Unchanged(Duration::from_secs(3600))));
    let request = server.last_request();
    assert!(request.contains("if-none-match: \"one\"\r\n"), "{request}");
    assert!(request.contains("if-modified-since: sat, 21 nov 2026 12:00:00 gmt\r\n"), "{request}");
    assert!(request.contains("user-agent: postern/") && request.contains("host: feed.example:"), "{request}");
}

#[tokio::test]
async fn microsofts_document() {
    let document = r#"[{"id":10,"ips":["198.51.100.0/24"],"tcpPorts":"25"},{"id":1,"ips":["192.0.2.0/24"],"tcpPorts":"80"}]"#;
    let server = Server::start(&[Act::Answer("200 OK\r\nContent-Type: application/json", document)]).await;
    let read = server.read(&server.feed(FeedFormat::Microsoft), &Validators::default()).await;
    assert_eq!(networks(&read), ["198.51.100.0/24"]);
    assert!(server.last_request().starts_with("get /list?clientrequestid="), "{}", server.last_request());
}

#[tokio::test]
async fn answers_that_are_no_documents() {
    for (act, want) in [
        (Act::Answer("429 Too Many Requests\r\nRetry-After: 1800", ""), "asks to be left alone for 1800 s"),
        (Act::Answer("429 Too Many Requests", ""), "asks to be left alone for 3600 s"),
        (Act::Answer("503 Service Unavailable\r\nRetry-After: 7", ""), "asks to be left alone for 7 s"),
        (Act::Answer("500 Internal Server Error", LIST), "no answer: the server answers 500"),
        (Act::Answer("404 Not Found", LIST), "the server answers 404"),
        (Act::Answer("410 Gone", LIST), "the server answers 410"),
        (Act::Answer("200 OK", "<html>"), "the document is not JSON"),
        (Act::Answer("200 OK", "[]"), "the document has no networks"),
        (Act::Answer("200 OK", "[\"0.0.0.0/0\"]"), "too wide"),
        (Act::Truncate, "no answer: "),
        (Act::HangUp, "no answer: "),
        (Act::Answer("nonsense", ""), "no answer: "),
        (Act::Answer("302 Found\r\nLocation: http://feed.example/", ""), "not HTTPS"),
    ] {
        let server = Server::start(std::slice::from_ref(&act)).await;
        let read = server.read(&server.feed(FeedFormat::Json), &Validators::default()).await;
        let error = read.expect_err("no document").to_string();
        assert!(error.contains(want), "{act:?}: {error}");
    }
}

#[tokio::test]
async fn redirects_are_followed_a_few_times() {
    let server = Server::start(&[
        Act::Answer("301 Moved Permanently\r\nLocation: /elsewhere", ""),
        Act::Answer("307 Temporary Redirect\r\nLocation: /there", ""),
        Act::Answer("200 OK", LIST),
    ])
    .await;
    let read = server.read(&server.feed(FeedFormat::Json), &Validators::default()).await;
    assert_eq!(networks(&read).len(), 2);
    assert!(server.last_request().starts_with("get /there "), "{}", server.last_request());
    let server = Server::start(&[Act::Answer("301 Moved Permanently\r\nLocation: /list", "")]).await;
    let error = server.read(&server.feed(FeedFormat::Json), &Validators::default()).await.unwrap_err();
    assert!(matches!(&error, SourceError::Wrong(why) if why.contains("too often")), "{error}");
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    const MEGABYTE: usize = 1024 * 1024;
    for (length, most) in [(Some(100 * MEGABYTE), 16 * MEGABYTE), (None, 32 * MEGABYTE)] {
        let server = Server::start(&[Act::Flood { length }]).await;
        let error = server.read(&server.feed(FeedFormat::Json), &Validators::default()).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::Wrong(why) if why.contains("16777216 octets")),
            "{length:?}: {error}"
        );
        // What lay in buffers at that moment may have been sent, too.
        let sent = server.sent.load(Ordering::Relaxed);
        assert!(sent < most, "{length:?}: {sent} octets were sent");
    }
}

#[tokio::test]
async fn a_drip_is_not_waited_for() {
    let server = Server::start(&[Act::Drip]).await;
    let limits = Limits { total: Duration::from_secs(1), ..Limits::default() };
    let began = Instant::now();
    let error =
        server.read_within(&server.feed(FeedFormat::Json), &Validators::default(), limits).await.unwrap_err();
    assert!(matches!(&error, SourceError::Unreachable(why) if why.contains("too slow")), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
