// SPDX-License-Identifier: GPL-3.0-or-later
//! What the gate makes of clients that hide behind one address.

use super::hidden::tests::Log;
use super::*;
use crate::mail::{Client, DomainPattern, DomainTable, NetworkSet, ReversePath};
use crate::policy::{
    Directories, Directory, DomainPolicy, Gateway, Gateways, HeaderFactor, Internal, LoopRule, Mode,
    RecipientMode, RecipientRules, Replies, Reputation, Require, ReverseRule, Source, Unlisted, Verdicts,
};

const BRIDGE: &str = "172.17.0.1";
const INTERNAL: &str = "10.0.0.1";
const BESIDE: &str = "172.17.0.2";

fn networks(texts: &[&str]) -> NetworkSet {
    texts.iter().map(|text| crate::mail::Network::parse(text).unwrap().network).collect()
}

fn domain(name: &str, source: Source) -> DomainPolicy {
    DomainPolicy {
        pattern: DomainPattern::parse(name).unwrap(),
        mode: Mode::Enforce,
        source,
        directories: Vec::new(),
        subaddress: "+".into(),
        recipients: RecipientRules::default(),
        unrouted: policy::Unrouted::Pass,
        scan: None,
        verdicts: Verdicts::default(),
        replies: Replies::default(),
    }
}

/// A gate with a domain behind gateways on private addresses, and one that is its own first hop.
fn gate(accept_private: bool, reputation: Reputation) -> Gate {
    let mut gateways = Gateways::default();
    let seg = Gateway::by_networks("seg", networks(&[BRIDGE, BESIDE, INTERNAL]));
    let id = gateways.add(Gateway { accept_private, ..seg });
    let mut table = DomainTable::default();
    for domain in [domain("a.example", Source::Gateways(vec![id])), domain("open.example", Source::Any)] {
        table.insert(domain.pattern.clone(), Arc::new(domain));
    }
    let internal = Internal { networks: networks(&[INTERNAL]), authenticated: true };
    let loops = LoopRule { id: "mx.example".into(), max_passes: 3, max_received: 50 };
    Gate::new(Policy::new(
        internal,
        Unlisted::default(),
        table,
        gateways,
        Directories::default(),
        loops,
        reputation,
    ))
}

/// A message to ann@a.example and another recipient, as a door brings it; and what the first is answered.
async fn message(gate: &Gate, client: &str, login: Option<&str>, helo: &str, sender: &str) -> String {
    let client =
        Client { address: Some(client.parse().unwrap()), login: login.map(Into::into), ..Client::default() };
    let session = Session { client, helo: Some(helo.as_bytes().into()), mta_name: None };
    let sender = Some(ReversePath::parse(format!("<{sender}>").as_bytes()));
    let message = Message { sender, ..Message::default() };
    let (policy, id) = (gate.policy(), gate.session_id());
    let case = Case { id, session: &session, message: &message, sees_headers: true };
    gate.arrived(&policy, case);
    let mut rulings = Vec::new();
    for rcpt in ["ann@a.example", "bob@a.example"] {
        let recipient = Recipient::new(format!("<{rcpt}>").as_bytes(), Some(rcpt.as_bytes()), None);
        rulings.push(gate.recipient(&policy, case, &recipient).await.decision);
    }
    assert_eq!(rulings[0].reply, rulings[1].reply);
    rulings[0].reply.as_ref().map_or_else(|| "accepted".into(), |reply| reply.to_string()[..9].to_owned())
}

/// What is answered to so many messages, with names made from their numbers.
async fn messages(
    gate: &Gate,
    (client, login): (&str, Option<&str>),
    count: usize,
    helo: fn(usize) -> String,
) -> Vec<String> {
    let mut answers = Vec::new();
    for n in 0..count {
        answers.push(message(gate, client, login, &helo(n), &format!("eve@sender{n}.example")).await);
    }
    answers
}

fn unrelated(n: usize) -> String {
    format!("mx.helo{n}.example")
}

fn related(n: usize) -> String {
    format!("mx{}.seg.example", n % 3)
}

const ACCEPTED: &str = "accepted";
const DEFERRED: &str = "451 4.7.1";
const OFF: Reputation = Reputation { threshold: 0, reverse: ReverseRule::Off };

#[tokio::test]
async fn an_address_that_hides_clients_is_no_gateway() {
    let (log, _guard) = Log::keep();
    let gate = gate(false, OFF);
    let answers = messages(&gate, (BRIDGE, None), 20, unrelated).await;
    assert_eq!(answers[..7], [ACCEPTED; 7]);
    assert_eq!(answers[7..], [DEFERRED; 13], "from the eighth name on");
    assert_eq!(gate.hidden(), [BRIDGE.parse::<IpAddr>().unwrap()]);
    let said: Vec<String> = log.take().into_iter().filter(|line| line.contains(" WARN ")).collect();
    let [said] = said.as_slice() else { panic!("{said:?}") };
    for part in ["address=172.17.0.1", "PROXY protocol", "XCLIENT", "accept_private = true"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(message(&gate, BESIDE, None, "mx.seg.example", "eve@sender.example").await, ACCEPTED);
    assert_eq!(message(&gate, INTERNAL, None, "pc.example", "ann@a.example").await, ACCEPTED);
}

#[tokio::test]
async fn who_never_hides_anybody() {
    for (name, gate, client, login, helo) in [
        ("where it is meant", gate(true, OFF), BRIDGE, None, unrelated as fn(usize) -> String),
        ("a gateway of one organisation", gate(false, OFF), BRIDGE, None, related),
        ("an internal network", gate(false, OFF), INTERNAL, None, unrelated),
        ("clients that have logged in", gate(false, OFF), BRIDGE, Some("joe"), unrelated),
    ] {
        let answers = messages(&gate, (client, login), 50, helo).await;
        assert_eq!(answers, [ACCEPTED; 50], "{name}");
        assert!(gate.hidden().is_empty(), "{name}: {:?}", gate.hidden());
    }
}

/// Where every gateway takes private addresses, it still matters for whom reputation is asked.
#[tokio::test]
async fn what_is_meant_at_a_gateway_is_noticed_for_reputation() {
    let gate = gate(true, Reputation { threshold: 1, reverse: ReverseRule::Off });
    assert_eq!(messages(&gate, (BRIDGE, None), 50, unrelated).await, [ACCEPTED; 50]);
    assert_eq!(gate.hidden(), [BRIDGE.parse::<IpAddr>().unwrap()]);
}

/// Two that keep different parts of the policy fresh at the same time take nothing back of each other.
#[test]
fn what_is_renewed_by_two_is_renewed() {
    let gate = gate(false, OFF);
    let seg = || Gateway::by_networks("seg", networks(&[BESIDE]));
    let rounds = 500;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                gate.renew(|policy| {
                    let more = policy.gateways().iter().cloned().chain([Arc::new(seg())]);
                    policy.with_gateways(more.collect())
                });
            }
        });
        scope.spawn(|| {
            for _ in 0..rounds {
                gate.renew(|policy| {
                    let staff = Directory { name: "staff".into(), recipients: None, overdue: false };
                    let more = policy.directories().iter().cloned().chain([Arc::new(staff)]);
                    policy.with_directories(more.collect())
                });
            }
        });
    });
    let policy = gate.policy();
    assert_eq!((policy.gateways().iter().count(), policy.directories().iter().count()), (rounds + 1, rounds));
}

/// A gate with one domain that learns, behind a gateway that may have to show a header line.
fn learning(header: bool) -> Gate {
    let mut gateways = Gateways::default();
    let seg = Gateway::by_networks("seg", networks(&["192.0.2.0/24"]));
    let secrets = ["secret"].map(|value| crate::mail::Secret::new(value.as_bytes())).into();
    let id = gateways.add(Gateway {
        header: header.then(|| HeaderFactor { name: "X-Id".into(), secrets }),
        require: Require::All { address: true, certificate: false, header },
        ..seg
    });
    let mut own = domain("a.example", Source::Gateways(vec![id]));
    own.recipients.mode = RecipientMode::Learn;
    let mut table = DomainTable::default();
    table.insert(own.pattern.clone(), Arc::new(own));
    Gate::new(Policy::new(
        Internal::default(),
        Unlisted::default(),
        table,
        gateways,
        Directories::default(),
        LoopRule { id: "mx.example".into(), max_passes: 1, max_received: 0 },
        OFF,
    ))
}

#[tokio::test]
async fn accepted_recipients_are_learned_once_it_is_certain() {
    for (name, header, client, lines, want) in [
        ("by address", false, "192.0.2.1", &[][..], &["ann@a.example 1 seg", "zoe@a.example 2 seg"][..]),
        ("a stranger", false, "198.51.100.1", &[], &[]),
        (
            "by header",
            true,
            "192.0.2.1",
            &[("X-Id", "secret")],
            &["ann@a.example 1 seg", "zoe@a.example 2 seg"],
        ),
        ("a wrong header", true, "192.0.2.1", &[("X-Id", "guess")], &[]),
        ("a loop", true, "192.0.2.1", &[("X-Id", "secret"), ("X-Postern-Loop", "mx.example")], &[]),
    ] {
        let gate = learning(header);
        let client = Client { address: Some(client.parse().unwrap()), ..Client::default() };
        let session = Session { client, ..Session::default() };
        let (policy, id) = (gate.policy(), gate.session_id());
        let mut message = Message::default();
        for (name, value) in lines {
            message.headers.note(name.as_bytes(), value.as_bytes(), policy.watch());
        }
        let case = Case { id, session: &session, message: &message, sees_headers: true };
        let mut decisions = Vec::new();
        for rcpt in ["zoe@a.example", "ZOE@A.example", "ann@a.example", "postmaster@a.example"] {
            let recipient = Recipient::new(format!("<{rcpt}>").as_bytes(), Some(rcpt.as_bytes()), None);
            decisions.push(gate.recipient(&policy, case, &recipient).await.decision);
        }
        let accepted: Vec<&Decision> = decisions.iter().filter(|d| !d.applied.refuses()).collect();
        gate.headers(&policy, case, &accepted).await;
        let learned = gate.learned();
        let mut learned: Vec<String> = learned
            .addresses
            .iter()
            .map(|(address, noted)| {
                format!("{address} {} {}", noted.count, noted.gateway.as_deref().unwrap())
            })
            .collect();
        learned.sort();
        assert_eq!(learned, want, "{name}");
        assert!(gate.learned().addresses.is_empty(), "collected once");
    }
}
