// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways that are kept fresh: with DNS, without, and after a restart without.

use crate::common::dir::TestDir;
use crate::common::name_server::{NameServer, Zone};
use crate::common::wait::SOON;
use crate::session::{GATEWAY, STRANGER, Session, started};
use postern::gateways::Order;
use std::fs;
use std::time::{Duration, Instant};

/// Writes a configuration whose one gateway is an SPF name, with more lines for it.
fn configure(dir: &TestDir, dns: &NameServer, gateway: &str) {
    let address = dns.address();
    let config = format!(
        "state_dir = \"state\"\n[dns]\nservers = [\"{address}\"]\n[milter]\nlisten = [\"unix:s\"]\n[loop]\nid = \"mx.example\"\n\
         [gateway.seg]\nspf = [\"spf.example\"]\n{gateway}\n\
         [domain.\"a.example\"]\nmode = \"enforce\"\ngateways = [\"seg\"]\n"
    );
    dir.write("postern.toml", &config);
}

/// A name server that knows this of the gateway.
fn zones(spf: &str) -> [Zone; 1] {
    [Zone::new("example", format!("spf TXT \"v=spf1 {spf} -all\""))]
}

/// What becomes of a recipient from this client.
pub(crate) async fn rcpt(dir: &TestDir, client: &str) -> String {
    Session::begin(&dir.join("s"), client).await.rcpt("ann@a.example").await
}

/// Waits until this becomes of it.
pub(crate) async fn becomes(dir: &TestDir, client: &str, want: &str) {
    let began = Instant::now();
    loop {
        let found = rcpt(dir, client).await;
        if found == want {
            return;
        }
        assert!(began.elapsed() < SOON, "{client}: {found}, and not {want}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) const UNKNOWN: &str = "451 4.7.1";
const REFUSED: &str = "550 5.7.1";
pub(crate) const ACCEPTED: &str = "continue";

#[tokio::test]
async fn a_gateway_is_unknown_until_it_first_answers_and_then_outlives_its_name_server() {
    let mut dns = NameServer::start(&zones("ip4:192.0.2.0/24"));
    dns.kill();
    let dir = TestDir::new();
    configure(&dir, &dns, "");
    let postern = started(&dir);
    let log = postern.logged(0, "not refreshed");
    assert!(log.contains(" WARN ") && log.contains(" gateway=seg source=\"spf spf.example\" why="), "{log}");
    for client in [GATEWAY, STRANGER] {
        assert_eq!(rcpt(&dir, client).await, UNKNOWN, "{client}");
    }
    // It asks again by itself, soon.
    dns.restart(&zones("ip4:192.0.2.0/24"));
    becomes(&dir, GATEWAY, ACCEPTED).await;
    assert_eq!(rcpt(&dir, STRANGER).await, REFUSED);
    dns.kill();
    postern.kill();
    let postern = started(&dir);
    for (client, want) in [(GATEWAY, ACCEPTED), (STRANGER, REFUSED)] {
        assert_eq!(rcpt(&dir, client).await, want, "{client}");
    }
    let since = postern.log().len();
    postern.signal("USR1");
    postern.logged(since, "not refreshed");
    assert_eq!(rcpt(&dir, GATEWAY).await, ACCEPTED);
    assert_eq!(postern.stop().code(), Some(0));
}

#[tokio::test]
async fn a_damaged_snapshot_is_as_good_as_none() {
    let mut dns = NameServer::start(&zones("ip4:192.0.2.0/24"));
    let dir = TestDir::new();
    configure(&dir, &dns, "networks = [\"203.0.113.0/24\"]");
    let postern = started(&dir);
    becomes(&dir, GATEWAY, ACCEPTED).await;
    dns.kill();
    postern.kill();
    let kept: Vec<_> =
        fs::read_dir(dir.join("state/gateways")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = kept.as_slice() else { panic!("{kept:?}") };
    let whole = fs::read_to_string(file).unwrap();
    fs::write(file, whole.replace("192.0.2.0/24", "0.0.0.0/0")).unwrap();
    let postern = started(&dir);
    let log = postern.log();
    assert!(log.contains("is damaged") && log.contains("`spf spf.example`"), "{log}");
    for (client, want) in [(GATEWAY, UNKNOWN), (STRANGER, UNKNOWN), ("203.0.113.5", ACCEPTED)] {
        assert_eq!(rcpt(&dir, client).await, want, "{client}");
    }
    dns.restart(&zones("ip4:192.0.2.0/24"));
    postern.signal("USR1");
    becomes(&dir, GATEWAY, ACCEPTED).await;
    assert_eq!(rcpt(&dir, STRANGER).await, REFUSED);
}

#[tokio::test]
async fn a_reload_takes_over_what_is_known() {
    let mut dns = NameServer::start(&zones("ip4:192.0.2.0/24"));
    let dir = TestDir::new();
    configure(&dir, &dns, "");
    // Nothing can be kept: what is known is known in memory alone.
    dir.write("state", "a file");
    let postern = started(&dir);
    becomes(&dir, GATEWAY, ACCEPTED).await;
    assert!(postern.logged(0, "serving from memory").contains("cannot keep"));
    dns.kill();
    for lines in ["removal_hold = \"1h\"", "networks = [\"203.0.113.0/24\"]", ""] {
        configure(&dir, &dns, lines);
        let since = postern.log().len();
        postern.reload();
        postern.logged(since, "reloaded");
        for (client, want) in [(GATEWAY, ACCEPTED), (STRANGER, REFUSED)] {
            assert_eq!(rcpt(&dir, client).await, want, "{lines}: {client}");
        }
        let is_ours = if lines.starts_with("networks") { ACCEPTED } else { REFUSED };
        assert_eq!(rcpt(&dir, "203.0.113.5").await, is_ours, "{lines}");
    }
}

#[tokio::test]
async fn a_change_that_is_too_large_waits_for_an_order() {
    let mut dns = NameServer::start(&zones("ip4:192.0.2.0/24"));
    let dir = TestDir::new();
    configure(&dir, &dns, "");
    let postern = started(&dir);
    becomes(&dir, GATEWAY, ACCEPTED).await;
    dns.restart(&zones("ip4:203.0.113.0/24"));
    // The resolver keeps answers for their TTL; a new one does not know them.
    postern.reload();
    postern.logged(0, "reloaded");
    postern.signal("USR1");
    let log = postern.logged(0, "a change was stopped");
    assert!(log.contains("1 of 1 networks would be gone"), "{log}");
    becomes(&dir, "203.0.113.5", ACCEPTED).await;
    assert_eq!(rcpt(&dir, GATEWAY).await, ACCEPTED);
    for (gateways, want) in [(vec!["other".to_owned()], ACCEPTED), (vec!["seg".to_owned()], REFUSED)] {
        let order = Order { gateways, force: true };
        order.leave(&dir.join("state")).unwrap();
        let since = postern.log().len();
        postern.signal("USR1");
        postern.logged(since, "told to refresh");
        becomes(&dir, GATEWAY, want).await;
        assert!(!dir.join("state/refresh.json").exists());
    }
    assert_eq!(rcpt(&dir, "203.0.113.5").await, ACCEPTED);
}

#[tokio::test]
async fn what_is_published_counts_within_its_bounds_alone() {
    let dns = NameServer::start(&zones("ip4:192.0.0.0/16 ip4:198.51.100.0/24"));
    let dir = TestDir::new();
    configure(&dir, &dns, "subset_of = [\"192.0.2.0/24\"]");
    let postern = started(&dir);
    becomes(&dir, GATEWAY, ACCEPTED).await;
    for client in [STRANGER, "192.0.3.1"] {
        assert_eq!(rcpt(&dir, client).await, REFUSED, "{client}");
    }
    let log = postern.logged(0, "outside subset_of");
    assert!(log.contains("192.0.0.0/16 198.51.100.0/24"), "{log}");
}

#[tokio::test]
async fn a_record_that_cannot_be_enumerated_is_asked_about_each_client() {
    let records = "spf TXT \"v=spf1 exists:%{i}.list.example -all\"\n192.0.2.9.list A 127.0.0.2";
    let dns = NameServer::start(&[Zone::new("example", records)]);
    let dir = TestDir::new();
    configure(&dir, &dns, "");
    let _postern = started(&dir);
    becomes(&dir, GATEWAY, ACCEPTED).await;
    assert_eq!(rcpt(&dir, STRANGER).await, REFUSED);
    dns.freeze();
    for (client, want) in [(GATEWAY, ACCEPTED), (STRANGER, REFUSED), ("198.51.100.8", UNKNOWN)] {
        assert_eq!(rcpt(&dir, client).await, want, "{client}");
    }
    dns.thaw();
}
