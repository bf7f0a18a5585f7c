// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways` and what `check` asks the network, against a real name server, with a server running and without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "common/mod.rs"]
mod common;

use common::address::own_port;
use common::dir::TestDir;
use common::name_server::{NameServer, Zone};
use common::postern::{Endpoint, Postern};
use common::wait::{SOON, wait_until};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

const FIRST: &str = r#"
spf.example      300 IN TXT "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 include:more.example ~all"
more.example     300 IN TXT "v=spf1 ip6:2001:db8::/32 a:host.example -all"
host.example     300 IN A   203.0.113.7
live.example     300 IN TXT "v=spf1 exists:%{i}.list.example -all"
192.0.2.77.list.example  300 IN A 127.0.0.2
"#;

const SECOND: &str = r#"
spf.example      300 IN TXT "v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.64/26 include:more.example ~all"
more.example     300 IN TXT "v=spf1 ip6:2001:db8::/32 a:host.example -all"
host.example     300 IN A   203.0.113.7
live.example     300 IN TXT "v=spf1 exists:%{i}.list.example -all"
"#;

struct House {
    dir: TestDir,
    dns: NameServer,
    milter: SocketAddr,
}

impl House {
    fn new(gateways: &str) -> Self {
        let dir = TestDir::new();
        let dns = NameServer::start(&[Zone::new(".", FIRST)]);
        let milter = own_port();
        let house = Self { dir, dns, milter };
        house.configure(gateways);
        house
    }

    fn configure(&self, gateways: &str) {
        let (state, dns, milter) = (self.dir.join("state"), self.dns.address(), self.milter);
        let state = state.display();
        let toml = format!(
            "state_dir = \"{state}\"\n[milter]\nlisten = [\"inet:{milter}\"]\n[dns]\nservers = [\"{dns}\"]\n{gateways}\n"
        );
        self.dir.write("postern.toml", &toml);
    }

    /// What a command prints on both outputs, and its exit code.
    fn run(&self, arguments: &str) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_postern"))
            .args(arguments.split_whitespace())
            .arg("--config")
            .arg(self.dir.join("postern.toml"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap()).concat();
        (output.status.code().unwrap(), said)
    }

    #[track_caller]
    fn says(&self, arguments: &str, code: i32, what: &[&str]) -> String {
        let (got, said) = self.run(arguments);
        assert_eq!(got, code, "postern {arguments}:\n{said}");
        for part in what {
            assert!(said.contains(part), "postern {arguments}: no {part:?} in\n{said}");
        }
        said
    }

    fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.says(arguments, 0, &[])).unwrap()
    }
}

const TMES: &str = r#"
[gateway.tmes]
spf = ["spf.example"]
networks = ["192.0.2.128/25"]
max_shrink = 60
[domain."example.com"]
mode = "enforce"
gateways = ["tmes"]
"#;

#[test]
fn from_never_loaded_to_fresh_without_a_server() {
    let mut house = House::new(TMES);
    house.says(
        "gateways",
        0,
        &["tmes", "spf spf.example", "never loaded", "a source never answered", "1 network, kept fresh"],
    );
    // A client in a static network is known; any other may be the gateway's.
    house.says("gateways test tmes 192.0.2.200", 0, &["source     yes", "192.0.2.128/25"]);
    house.says("gateways test tmes 203.0.113.7", 1, &["source     unknown"]);
    house.says("try --client 203.0.113.7 --rcpt ann@example.com", 1, &["not-ready", "451 4.7.1"]);

    house.says("gateways diff tmes", 0, &["+ 198.51.100.0/24", "+ 203.0.113.7/32", "a:host.example"]);
    house.says("gateways", 0, &["never loaded"]);
    house.says("gateways test tmes 203.0.113.7", 1, &["never loaded", "spf spf.example: not asked yet"]);
    house.says("gateways --json test tmes 203.0.113.7", 2, &["--json before `test`"]);
    house.says("gateways refresh", 0, &["spf spf.example", "4 networks, for the first time"]);
    house.says("gateways", 0, &["4 networks, good"]);
    house.says("gateways test tmes 203.0.113.7", 0, &["source     yes", "203.0.113.7/32"]);
    house.says("gateways test tmes 203.0.113.8", 1, &["source     no"]);
    house.says("try --client 203.0.113.7 --rcpt ann@example.com", 0, &["accept"]);
    house.says("try --client 203.0.113.8 --rcpt ann@example.com", 1, &["source-not-gateway"]);
    house.says("gateways diff tmes", 0, &["nothing would change"]);

    // Something comes and something goes.
    house.dns.restart(&[Zone::new(".", SECOND)]);
    house.says("gateways diff tmes", 0, &["+ 203.0.113.64/26", "- 198.51.100.0/24", "stays for 3 d"]);
    house.says("gateways refresh tmes", 0, &["5 networks; 4 networks before"]);
    house.says("gateways show tmes", 0, &["198.51.100.0/24", "still used", "configuration"]);
    house.says("gateways test tmes 198.51.100.9", 0, &["source     yes"]);

    // Nobody answers: what was known stays.
    house.dns.kill();
    house.says("gateways refresh", 1, &["no answer"]);
    house.says("gateways diff tmes", 1, &["no answer", "the last good set would stay"]);
    house.says("gateways test tmes 203.0.113.70", 0, &["source     yes"]);
    house.says("gateways", 0, &["trouble", "no answer"]);
}

#[test]
fn a_refresh_that_cannot_be_kept_is_none() {
    let house = House::new(TMES);
    std::fs::create_dir(house.dir.join("state")).unwrap();
    house.dir.write("state/gateways", "no directory");
    house.says("gateways refresh", 2, &["cannot be kept", "Not a directory"]);
}

#[test]
fn a_change_that_is_too_large_waits_for_an_administrator() {
    let mut house = House::new(&TMES.replace("max_shrink = 60", "max_shrink = 30"));
    house.says("gateways refresh", 0, &["4 networks"]);
    house.dns.restart(&[Zone::new(".", SECOND)]);
    house.says("gateways diff tmes", 0, &["+ 203.0.113.64/26", "held", "1 of 4 would go"]);
    house.says("gateways refresh", 1, &["too many at once"]);
    house.says("gateways test tmes 198.51.100.9", 0, &["source     yes"]);
    house.says("gateways", 0, &["held", "--force"]);
    house.says("gateways refresh tmes --force", 0, &["spf spf.example"]);
    let said = house.says("gateways", 0, &["networks, good"]);
    assert!(!said.contains("held"), "{said}");
}

#[test]
fn a_running_server_refreshes_when_it_is_told() {
    let mut house = House::new(TMES);
    let server = Postern::start(house.dir.path(), &[Endpoint::Inet(house.milter)]);
    house.says("gateways refresh", 0, &["spf spf.example"]);
    house.says("gateways test tmes 203.0.113.7", 0, &["source     yes"]);
    let log = server.log().len();
    house.dns.restart(&[Zone::new(".", SECOND)]);
    // The answers that the server keeps itself are asked for again once they are too old; a new one is not there yet.
    house.says("gateways refresh tmes", 0, &["spf spf.example"]);
    server.logged(log, "told to refresh");
    house.says("gateways refresh nobody", 2, &["there is no gateway `nobody`; defined: tmes"]);
    assert!(server.stop().success());
    // A number that a killed server left behind is nobody's.
    house.dir.write("state/postern.pid", "1\n");
    house.says("gateways refresh", 0, &["spf spf.example"]);
}

#[test]
fn lists_for_others_to_read() {
    let house = House::new(TMES);
    house.says("gateways show tmes --format nftables", 0, &["192.0.2.128/25"]);
    house.says("gateways refresh", 0, &[]);
    let cidr = house.says("gateways show tmes --format cidr", 0, &[]);
    assert_eq!(cidr, "192.0.2.0/24\n198.51.100.0/24\n203.0.113.7/32\n2001:db8::/32\n");
    let split = house.says("gateways show tmes --format cidr --ipv4 --split 25", 0, &[]);
    assert_eq!(split.lines().count(), 5, "{split}");
    let asa = house.says("gateways show tmes --format cisco-asa", 0, &["network-object host 203.0.113.7"]);
    assert!(asa.starts_with("object-group network POSTERN-tmes\n"), "{asa}");

    // Postfix reads its table.
    let table = house.dir.write("tmes.cidr", &house.says("gateways show tmes --format postfix", 0, &[]));
    for (client, want) in [("192.0.2.9", "OK\n"), ("2001:db8::9", "OK\n"), ("198.51.101.1", "")] {
        let looked_up = Command::new("postmap")
            .args(["-c"])
            .arg(house.postfix())
            .args(["-q", client])
            .arg(format!("cidr:{}", table.display()))
            .output();
        let looked_up = looked_up.expect("postmap runs: install postfix");
        assert_eq!(String::from_utf8_lossy(&looked_up.stdout), want, "{client}: {looked_up:?}");
    }
    // nft reads its table, in a network of its own.
    let table = house.dir.write("tmes.nft", &house.says("gateways show tmes --format nftables", 0, &[]));
    let loaded =
        Command::new("unshare").args(["-rn", "nft", "-f"]).arg(&table).output().expect("unshare runs");
    assert!(loaded.status.success(), "nft (package nftables): {}", String::from_utf8_lossy(&loaded.stderr));

    let described = house.json("gateways show tmes --format json");
    let vias: Vec<&str> =
        described[0]["origins"].as_array().unwrap().iter().map(|o| o["via"].as_str().unwrap()).collect();
    assert_eq!(vias, ["spf.example > ip4:192.0.2.0/24"], "{described}");
    let all = house.json("gateways --json");
    let first = &all["gateways"][0];
    assert_eq!((&first["name"], &first["complete"]), (&"tmes".into(), &true.into()), "{all}");
    assert!(all["server"].is_null(), "{all}");
    let tested = house.json("gateways test tmes 203.0.113.7 --json");
    assert_eq!(
        (&tested["is_gateway"], &tested["findings"][0]["answer"]),
        (&true.into(), &"yes".into()),
        "{tested}"
    );
    assert_eq!(house.json("gateways diff tmes --json")[0]["came"].as_array().unwrap().len(), 0);
    assert_eq!(house.json("gateways refresh --json")[0]["entries"], 4);
    assert_eq!(house.json("gateways show tmes --json")["networks"].as_array().unwrap().len(), 5);
}

impl House {
    /// A directory with an empty main.cf, which Postfix's tools want to see.
    fn postfix(&self) -> std::path::PathBuf {
        let dir = self.dir.join("postfix");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("main.cf"), "compatibility_level = 3.6\n").unwrap();
        dir
    }
}

#[test]
fn a_name_that_cannot_be_enumerated_is_asked_live() {
    let house = House::new(
        "[gateway.live]\nspf = [\"live.example\"]\n[domain.\"example.com\"]\nmode = \"enforce\"\ngateways = [\"live\"]",
    );
    house.says("check", 0, &["note:", "live.example"]);
    house.says("gateways refresh", 0, &[]);
    house.says("gateways", 0, &["1 name is asked live", "live.example"]);
    house.says("gateways test live 192.0.2.77", 0, &["source     yes"]);
    house.says("gateways test live 192.0.2.78", 1, &["source     no"]);
    house.says("try --client 192.0.2.77 --rcpt ann@example.com", 0, &["accept"]);
    house.says(
        "gateways show live --format cidr",
        2,
        &["can only be asked for each client", "nothing is written"],
    );
}

#[test]
fn a_provider_that_only_says_yes_or_no_is_asked_about_each_client() {
    let house = House::new(
        "[gateway.own]\nspf = [\"exists:%{i}.list.example\"]\n[domain.\"example.com\"]\nmode = \"enforce\"\ngateways = [\"own\"]",
    );
    house.says("check", 0, &["can be used"]);
    house.says("gateways refresh", 0, &[]);
    house.says("gateways test own 192.0.2.77", 0, &["source     yes"]);
    house.says("gateways test own 192.0.2.78", 1, &["source     no"]);
}

#[test]
fn check_asks_the_network_unless_told_not_to() {
    let mut house = House::new(TMES);
    house.says("check", 0, &["can be used"]);
    house.configure(&TMES.replace("spf.example", "slip.example"));
    house.says("check", 1, &["error:", "spf slip.example", "cannot be used"]);
    house.says("check --offline", 0, &["can be used"]);
    house.configure("[reputation]\ndnsbl = [\"bl.example\"]\n[domain.\"example.com\"]\ngateways = \"any\"");
    house.says(
        "check",
        0,
        &["warning:", "`bl.example` does not list 127.0.0.2", "it counts nothing", "can be used"],
    );
    house.configure(TMES);
    house.dns.kill();
    house.says("check", 0, &["warning:", "no answer", "can be used"]);
}

/// One zone in order, and one that refuses us.
const ZONES: &str = r"
2.0.0.127.bl.example      0 IN A 127.0.0.2
*.refusing.example        0 IN A 127.255.255.254
";

const REPUTATION: &str = r#"
[reputation]
dnsbl = ["bl.example", "refusing.example"]
[gateway.bridge]
networks = ["172.17.0.1"]
[domain."example.com"]
mode = "enforce"
gateways = ["bridge"]
[domain."example.net"]
gateways = "any"
"#;

#[test]
fn check_tests_block_lists() {
    let mut house = House::new(REPUTATION);
    house.dns.restart(&[Zone::new(".", ZONES)]);
    let said = house.says(
        "check",
        0,
        &["warning:", "`refusing.example`", "127.255.255.254", "public one", "can be used"],
    );
    assert!(!said.contains("`bl.example`"), "{said}");
    assert!(!house.says("check --offline", 0, &[]).contains("DNSBL"));
    house.dns.kill();
    house.says(
        "check",
        0,
        &["DNSBL `bl.example` does not answer", "DNSBL `refusing.example` does not answer"],
    );
}

/// What becomes of a recipient behind a gateway, for a client of this name.
fn rcpt(milter: SocketAddr, client: &str, helo: &str, sender: &str) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(["try", "--rcpt", "ann@example.com", "--client", client, "--helo", helo, "--mail", sender])
        .args(["--live", &format!("inet:{milter}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_server_tells_how_it_is() {
    let mut house = House::new(REPUTATION);
    house.dns.restart(&[Zone::new(".", ZONES)]);
    let said = house.says("gateways", 0, &["bridge"]);
    assert!(!said.contains("server"), "{said}");
    let server = Postern::start(house.dir.path(), &[Endpoint::Inet(house.milter)]);
    let tells = |what: &[&str]| {
        wait_until(&format!("{what:?}"), SOON, || {
            let said = house.run("gateways").1;
            // Texts are wrapped.
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            what.iter().all(|part| said.contains(part))
        });
    };
    tells(&["server process", "dnssec off", "1 of 2 in use", "refusing.example switched off", "public one"]);
    for n in 0..8 {
        let (code, said) = rcpt(
            house.milter,
            "172.17.0.1",
            &format!("mx.helo{n}.example"),
            &format!("eve@sender{n}.example"),
        );
        assert_eq!(code, i32::from(n == 7), "{n}: {said}");
    }
    tells(&["HIDDEN 172.17.0.1: many unrelated clients", "accept_private = true"]);
    let server_json = &house.json("gateways --json")["server"];
    assert_eq!(
        (&server_json["hidden"][0], &server_json["zones"][1]["state"], &server_json["dnssec"]),
        (&"172.17.0.1".into(), &"off".into(), &false.into()),
        "{server_json}"
    );
    // All in order again.
    house.configure(&REPUTATION.replace(", \"refusing.example\"", ""));
    server.reload();
    tells(&["1, all in use"]);
    let kept = std::fs::read(house.dir.join("state/status.json")).unwrap();
    assert!(server.stop().success());
    assert!(!house.dir.join("state/status.json").exists());
    // What a killed server left behind is nobody's.
    house.dir.write("state/status.json", std::str::from_utf8(&kept).unwrap());
    assert!(house.json("gateways --json")["server"].is_null());
}

#[test]
fn providers_are_listed_and_found_by_their_mail_hosts() {
    let house = House::new(TMES);
    house.says(
        "gateways providers",
        0,
        &["trend-micro/eu", "mailmarshal/us", "microsoft-365/worldwide", "check-point/"],
    );
    house.says("gateways providers mailmarshal", 0, &["spf.eu.mailmarshal.cloud", "certainty"]);
    house.says("gateways providers mailmarshall", 2, &["did you mean `mailmarshal`?"]);
    house.says("gateways providers --mx mx.eu.mailmarshal.cloud", 0, &["provider = \"mailmarshal/eu\""]);
    house.says("gateways providers --mx mail.example.com", 1, &["no provider"]);
    assert!(house.json("gateways providers --json").as_array().unwrap().len() > 15);
    // The list is for those who are still writing their file.
    house.configure("[gateway.slip]\nprovider = \"mailmarshall/eu\"");
    house.says("gateways", 2, &["there is no provider `mailmarshall`"]);
    house.says("gateways providers", 0, &["mailmarshal/eu"]);
}
