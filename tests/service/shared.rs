// SPDX-License-Identifier: GPL-3.0-or-later
//! Many domains whose gateways are taken from the same few presets: every name that these publish is asked for once for all
//! of them, at the start and in each refresh.

use crate::common::dir::{TestDir, make_dir};
use crate::common::name_server::{NameServer, Zone};
use crate::common::postern::Postern;
use crate::common::wait::{SOON, wait_until};
use crate::session::{STRANGER, Session, started};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

const DOMAINS: usize = 5000;
const GATEWAYS: usize = 500;

/// Two regions of one provider, with two SPF names of its own each and a host of both.
const PRESET: &str = r#"
name = "our-filter"
title = "Our own filter"
[[fact]]
hosts = ["mx.example"]
source = "our own"
date = "2026-11-21"
certainty = "high"
[region.eu]
title = "Europe"
[[region.eu.fact]]
spf = ["a.example", "b.example"]
source = "our own"
date = "2026-11-21"
certainty = "high"
[region.us]
title = "United States"
[[region.us.fact]]
spf = ["c.example", "d.example"]
source = "our own"
date = "2026-11-21"
certainty = "high"
"#;

/// d.example may be kept for a second only.
const RECORDS: &str = r#"
a   TXT "v=spf1 ip4:192.0.2.0/28 include:_a.example -all"
_a  TXT "v=spf1 ip4:192.0.2.16/28 a:h.example -all"
h   A 192.0.2.32
h   AAAA 2001:db8::32
b   TXT "v=spf1 include:_a.example ip4:192.0.2.64/28 -all"
c   TXT "v=spf1 ip4:192.0.2.128/28 -all"
d 1 TXT "v=spf1 ip4:192.0.2.144/28 -all"
mx  A 192.0.2.192
"#;

/// What there is to ask for.
const QUESTIONS: [&str; 9] = [
    "A h.example",
    "A mx.example",
    "AAAA h.example",
    "AAAA mx.example",
    "TXT _a.example",
    "TXT a.example",
    "TXT b.example",
    "TXT c.example",
    "TXT d.example",
];

const SOURCES: usize = 5;

fn configured(dns: &NameServer) -> TestDir {
    let dir = TestDir::new();
    make_dir(&dir.join("providers"), 0o755);
    dir.write("providers/our-filter.toml", PRESET);
    let mut config = format!(
        "state_dir = \"state\"\nproviders = \"providers\"\n[dns]\nservers = [\"{}\"]\n\
         [milter]\nlisten = [\"unix:s\"]\n[loop]\nid = \"mx.example\"\n\
         [directory.staff]\ntype = \"list\"\npath = \"staff.txt\"\n",
        dns.address()
    );
    for number in 0..GATEWAYS {
        let region = if number % 2 == 0 { "eu" } else { "us" };
        // Each has addresses of its own beside.
        let (high, low) = (number / 250, number % 250);
        writeln!(
            config,
            "[gateway.g{number}]\nprovider = \"our-filter/{region}\"\nnetworks = [\"203.0.{high}.{low}\"]"
        )
        .unwrap();
    }
    for number in 0..DOMAINS {
        let gateway = number % GATEWAYS;
        writeln!(config, "[domain.\"d{number}.example\"]\nmode = \"enforce\"\ngateways = [\"g{gateway}\"]\ndirectories = [\"staff\"]")
            .unwrap();
    }
    dir.write("postern.toml", &config);
    let staff: Vec<_> = (0..DOMAINS).map(|number| format!("ann@d{number}.example")).collect();
    dir.write("staff.txt", &staff.join("\n"));
    dir
}

/// How often each thing was asked for.
fn asked(dns: &NameServer) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for query in dns.queries() {
        *asked.entry(format!("{} {}", query.kind, query.name)).or_default() += 1;
    }
    asked
}

fn once() -> BTreeMap<String, usize> {
    QUESTIONS.iter().map(|question| ((*question).to_owned(), 1)).collect()
}

/// `postern gateways refresh`, which ends when the server has asked every source.
fn refresh(dir: &TestDir) {
    let output = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(["gateways", "refresh", "--config"])
        .arg(dir.join("postern.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn wait_for_sets(postern: &Postern) {
    wait_until("every source to be loaded", SOON, || {
        postern.log().matches("loaded for the first time").count() == SOURCES
    });
}

/// What becomes of clients in one domain of each region, and in the first and last of all.
async fn holds(dir: &TestDir) {
    for (domain, client, want) in [
        (0, "192.0.2.15", "continue"),
        (0, "192.0.2.65", "continue"),
        (0, "192.0.2.192", "continue"),
        (0, "192.0.2.129", "550 5.7.1"),
        (2001, "192.0.2.129", "continue"),
        (2001, "192.0.2.159", "continue"),
        (2001, "192.0.2.15", "550 5.7.1"),
        (4998, "2001:db8::32", "continue"),
        (4999, "203.0.1.249", "continue"),
        (4999, "203.0.1.248", "550 5.7.1"),
        (4999, STRANGER, "550 5.7.1"),
    ] {
        let recipient = format!("ann@d{domain}.example");
        let found = Session::begin(&dir.join("s"), client).await.rcpt(&recipient).await;
        assert_eq!(found, want, "{client} {recipient}");
    }
}

#[tokio::test]
async fn five_thousand_domains_ask_each_name_once() {
    let mut dns = NameServer::start(&[Zone::new("example", RECORDS)]);
    let dir = configured(&dns);
    let postern = started(&dir);
    wait_for_sets(&postern);
    assert_eq!(asked(&dns), once());

    // What may still be kept is not asked for again; what may not is, once for each refresh.
    let mut refreshes = 0;
    while asked(&dns)["TXT d.example"] == 1 {
        refresh(&dir);
        refreshes += 1;
        assert!(refreshes < 10, "{:?}", asked(&dns));
    }
    let mut now = asked(&dns);
    assert!(now.remove("TXT d.example").is_some_and(|times| times <= 1 + refreshes), "{refreshes}");
    assert!(now.values().all(|times| *times == 1) && now.len() == QUESTIONS.len() - 1, "{now:?}");
    holds(&dir).await;

    // The next start knows it all, and asks nothing before it is due.
    assert_eq!(postern.stop().code(), Some(0));
    dns.restart(&[Zone::new("example", RECORDS)]);
    let postern = started(&dir);
    holds(&dir).await;
    assert_eq!(asked(&dns), BTreeMap::new());
    refresh(&dir);
    assert_eq!(asked(&dns), once());
    assert_eq!(postern.stop().code(), Some(0));
}
