// SPDX-License-Identifier: GPL-3.0-or-later
//! What the gate decides by the answers of a real name server: weights against a threshold, reverse names, and that a
//! gateway is never asked about.

use std::net::IpAddr;
use std::sync::Arc;

use postern::dns::Resolver;
use postern::gate::{Asked, Case, Gate, Judge as _, Outside};
use postern::mail::{Client, DomainPattern, DomainTable, LocalPart, Message, Network, Recipient, Session};
use postern::policy::{
    self, Answer, Directories, DomainPolicy, Gateway, GatewayId, Gateways, Internal, Listings, LiveName,
    LoopRule, Mode, Policy, RecipientRules, Replies, ReverseName, ReverseRule, Source, Unlisted, Unrouted,
    Verdicts,
};
use postern::reputation::Reputation;

use crate::common::name_server::{NameServer, Zone};
use crate::support::{address, reputation};

/// Asks a reputation, and nobody about live names.
#[derive(Debug)]
struct Asks(Arc<Reputation<Resolver>>);

impl Outside for Asks {
    fn live<'a>(&'a self, name: &'a LiveName, _: IpAddr) -> Asked<'a, Answer> {
        panic!("asked about {name}")
    }

    fn listings(&self, client: IpAddr) -> Asked<'_, Listings> {
        Box::pin(self.0.listings(client))
    }

    fn reverse(&self, client: IpAddr) -> Asked<'_, ReverseName> {
        Box::pin(self.0.reverse(client))
    }
}

/// A gate before a domain that is its own first hop, and one behind the gateway 192.0.2.0/24.
fn gate(reputation: Arc<Reputation<Resolver>>, threshold: u32, reverse: ReverseRule) -> Gate {
    let mut gateways = Gateways::default();
    let network = Network::parse("192.0.2.0/24").unwrap().network;
    let gateway = gateways.add(Gateway::by_networks("gw", [network].into_iter().collect()));
    let domain = |name: &str, source| DomainPolicy {
        pattern: DomainPattern::parse(name).unwrap(),
        mode: Mode::Enforce,
        source,
        directories: Vec::new(),
        subaddress: "+".into(),
        recipients: RecipientRules::default(),
        unrouted: Unrouted::Pass,
        scan: None,
        verdicts: Verdicts::default(),
        replies: Replies::default(),
    };
    let mut table = DomainTable::default();
    let behind = |gateway: GatewayId| Source::Gateways(vec![gateway]);
    for domain in [domain("any.example", Source::Any), domain("behind.example", behind(gateway))] {
        table.insert(domain.pattern.clone(), Arc::new(domain));
    }
    let rule = policy::Reputation { threshold, reverse };
    let loops = LoopRule::default();
    let gate = Gate::new(Policy::new(
        Internal::default(),
        Unlisted::default(),
        table,
        gateways,
        Directories::default(),
        loops,
        rule,
    ));
    gate.ask(Box::new(Asks(reputation)));
    gate
}

async fn decide(gate: &Gate, client: &str, recipient: &str) -> String {
    let client = Client { address: Some(address(client)), ..Client::default() };
    let session = Session { client, ..Session::default() };
    let message = Message::default();
    let case = Case { id: gate.session_id(), session: &session, message: &message, sees_headers: true };
    let recipient = Recipient::new(recipient.as_bytes(), Some(recipient.as_bytes()), None);
    assert!(recipient.mailbox().is_some_and(|mailbox| matches!(mailbox.local(), LocalPart::Valid(_))));
    let ruling = gate.recipient(&gate.policy(), case, &recipient).await;
    format!("{} {}", ruling.decision.applied, ruling.decision.reason)
}

#[tokio::test]
async fn weights_reverse_names_and_gateways() {
    let lists = |more: &str| format!("2.0.0.127 IN A 127.0.0.2\n{more}");
    let zones = [
        Zone::new(
            "two.example",
            lists("1.113.0.203 IN A 127.0.0.2\n2.113.0.203 IN A 127.0.0.2\n9.2.0.192 IN A 127.0.0.2"),
        ),
        Zone::new(
            "three.example",
            lists("1.113.0.203 IN A 127.0.0.2\n3.113.0.203 IN A 127.0.0.2\n9.2.0.192 IN A 127.0.0.2"),
        ),
        // In order but for one answer.
        Zone::new("half.example", lists("4.113.0.203 IN CNAME x.broken.example.")),
        Zone::broken("broken.example"),
        Zone::new("off.example", "* IN A 127.0.0.2"),
        Zone::new(
            "113.0.203.in-addr.arpa",
            "6 IN PTR host.any.example.\n7 IN PTR other.any.example.\n4 IN PTR x.broken.example.",
        ),
        Zone::new("any.example", "host IN A 203.0.113.6"),
        Zone::new("2.0.192.in-addr.arpa", ""),
    ];
    let server = NameServer::start(&zones);
    let weights = [("two.example", 2), ("three.example", 3), ("half.example", 2), ("off.example", 100)];
    let reputation = Arc::new(reputation(&server, &weights));
    reputation.test().await;
    let by_threshold = |threshold| Box::new(gate(Arc::clone(&reputation), threshold, ReverseRule::Off));
    let by_name = |rule| Box::new(gate(Arc::clone(&reputation), 0, rule));
    for (name, gate, client, want) in [
        ("two and three are five", by_threshold(5), "203.0.113.1", "reject listed"),
        ("and no six", by_threshold(6), "203.0.113.1", "accept passed"),
        ("two alone", by_threshold(3), "203.0.113.2", "accept passed"),
        ("three alone", by_threshold(3), "203.0.113.3", "reject listed"),
        ("nobody", by_threshold(1), "203.0.113.8", "accept passed"),
        ("two might be missing", by_threshold(2), "203.0.113.4", "defer not-ready"),
        ("and do not matter", by_threshold(3), "203.0.113.4", "accept passed"),
        ("a private address", by_threshold(1), "10.0.0.1", "accept passed"),
        ("a name that points back", by_name(ReverseRule::Confirmed), "203.0.113.6", "accept passed"),
        ("one that does not", by_name(ReverseRule::Confirmed), "203.0.113.7", "reject no-reverse-name"),
        ("and need not", by_name(ReverseRule::Present), "203.0.113.7", "accept passed"),
        ("no name", by_name(ReverseRule::Present), "203.0.113.8", "reject no-reverse-name"),
        ("nobody can tell", by_name(ReverseRule::Confirmed), "203.0.113.4", "defer no-reverse-name"),
    ] {
        assert_eq!(decide(&gate, client, "ann@any.example").await, want, "{name}: {client}");
    }
    let strict = gate(Arc::clone(&reputation), 1, ReverseRule::Confirmed);
    assert_eq!(
        decide(&strict, "192.0.2.9", "ann@behind.example").await,
        "accept passed",
        "a gateway that is listed"
    );
    let asked = server.queries().into_iter().filter(|query| query.name.starts_with("9.2.0.192."));
    assert_eq!(asked.count(), 0, "a gateway is asked about");
}
