// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways that are SPF names, through Postfix: ten cases of the table that the expansion is held against, each a gateway
//! of a domain of its own, and each asked about the addresses at the edges of all ten.

use std::fmt::Write as _;
use std::net::IpAddr;

use postern::mail::{AddressRanges, Network};

use crate::common::edges::edges;
use crate::common::name_server::{NameServer, Zone};
use crate::common::wait::{SOON, wait_until};
use crate::dialogue::Want::{Accepted, Refused};
use crate::dialogue::{Dialogue, Want, proxied};
use crate::house::{House, Kind};
use crate::mta::{Extra, Transport};
use crate::play::play;
use crate::table::{self, BROKEN, CASES, Case, Comes};

/// Names of cases.
const TEN: [&str; 10] = [
    "include",
    "redirect",
    "shadow",
    "include-excluded",
    "a-dual-cidr",
    "mx-dual-cidr",
    "split-strings",
    "google-flat",
    "live-exists",
    "plus-all",
];

#[test]
fn ten_cases_of_the_table() {
    let dns = NameServer::start(&[Zone::new("test", table::records()), Zone::broken(BROKEN)]);
    let cases = TEN.map(Expected::of);
    let config = configuration(&dns, &cases);
    let house = House::open(Kind::Postfix, Transport::Unix, &config, &Extra::default());
    let log = house.postern().logged(0, "source=\"spf spf.plus-all.test\"");
    assert!(log.contains("not refreshed, its addresses are still unknown"), "{log}");
    for case in &cases {
        let Some(inside) = case.inside() else { continue };
        wait_until(&format!("the set of {}", case.name), SOON, || {
            let mut smtp = house.proxied(inside);
            smtp.command("MAIL FROM:<eve@sender.example>");
            smtp.command(format!("RCPT TO:<{}>", case.recipient())).is_ok()
        });
    }
    let dialogues = dialogues(&cases);
    assert!(dialogues.len() > 50, "{}", dialogues.len());
    play(&house, &dialogues);
}

/// A case and whom its name passes.
struct Expected {
    name: &'static str,
    networks: Vec<Network>,
    set: AddressRanges,
    /// What is asked live.
    also: Vec<(IpAddr, bool)>,
    /// Whether nothing can be told of anybody.
    unknown: bool,
}

impl Expected {
    fn of(name: &'static str) -> Self {
        let case: &Case = CASES.iter().find(|case| case.name == name).expect("a case of the table");
        let networks: &[&str] = match case.comes {
            Comes::To(networks) | Comes::Live(networks) => networks,
            Comes::Wrong(_) | Comes::Unreachable => &[],
        };
        let networks: Vec<Network> =
            networks.iter().map(|network| Network::parse(network).expect("a network").network).collect();
        Self {
            name,
            set: networks.iter().copied().collect(),
            networks,
            also: case.also.iter().map(|(client, is)| (client.parse().expect("an address"), *is)).collect(),
            unknown: matches!(case.comes, Comes::Wrong(_) | Comes::Unreachable),
        }
    }

    fn recipient(&self) -> String {
        format!("ann@{}.example", self.name)
    }

    fn inside(&self) -> Option<IpAddr> {
        self.networks.first().map(Network::first)
    }

    fn want(&self, client: IpAddr) -> Want {
        let passes = self.set.contains(client) || self.also.contains(&(client, true));
        match (self.unknown, passes) {
            (true, _) => Refused("451 4.7.1"),
            (false, true) => Accepted,
            (false, false) => Refused("550 5.7.1"),
        }
    }
}

fn configuration(dns: &NameServer, cases: &[Expected]) -> String {
    let address = dns.address();
    let mut config = format!(
        "state_dir = \"@DIR@/state\"\n[dns]\nservers = [\"{address}\"]\n[loop]\nid = \"gate.test.example\"\n\
         [milter]\nlisten = [\"@LISTEN@\"]\nsocket_mode = \"0666\"\n"
    );
    for Expected { name, .. } in cases {
        write!(
            config,
            "[gateway.{name}]\nspf = [\"spf.{name}.test\"]\n\
             [domain.\"{name}.example\"]\nmode = \"enforce\"\ngateways = [\"{name}\"]\n"
        )
        .expect("a string");
    }
    config
}

/// One of each client, to all ten domains.
fn dialogues(cases: &[Expected]) -> Vec<Dialogue> {
    let mut clients: Vec<IpAddr> = cases
        .iter()
        .flat_map(|case| {
            let asked = case.also.iter().map(|(client, _)| *client);
            edges(&case.networks).into_iter().chain(asked)
        })
        // Postfix takes no client without an address.
        .filter(|client| !client.is_unspecified())
        .collect();
    clients.sort();
    clients.dedup();
    clients
        .into_iter()
        .map(|client| {
            let begun = proxied(client.to_string(), client).mail("eve@sender.example");
            cases.iter().fold(begun, |begun, case| begun.to(&case.recipient(), case.want(client)))
        })
        .collect()
}
