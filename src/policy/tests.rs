// SPDX-License-Identifier: GPL-3.0-or-later
//! Decisions as tables; in `properties`, what holds for every input whatever.

mod factors;
mod properties;
mod recipients;
mod reputation;
mod routing;
mod scan;

use super::*;
use crate::mail::{
    Client, DomainPattern, DomainTable, HeaderFacts, HeaderWatch, Mailbox, MailboxSet, MailboxSetBuilder,
    Network, NetworkSet, Recipient, ReplyClass, Session,
};
use std::sync::Arc;

fn networks(texts: &[&str]) -> NetworkSet {
    texts.iter().map(|text| Network::parse(text).unwrap().network).collect()
}

fn mailboxes(entries: &[&str]) -> MailboxSet {
    let mut builder = MailboxSetBuilder::new();
    for entry in entries {
        match entry.strip_prefix('@') {
            Some(domain) => builder.insert_domain(crate::mail::Domain::parse(domain).unwrap()),
            None => builder.insert(&Mailbox::parse_strict(entry).unwrap()),
        }
    }
    builder.build()
}

/// The one directory of every policy here that says nothing else.
fn directories() -> (Directories, DirectoryId) {
    let mut directories = Directories::default();
    let staff = ["ann@a.example", "Bob@a.example", "x+y@a.example", "carl@b.example", "@w.example"];
    let id = directories.add(Directory::loaded("staff", mailboxes(&staff).into()));
    (directories, id)
}

fn gateways() -> (Gateways, GatewayId) {
    let mut gateways = Gateways::default();
    let id = gateways.add(Gateway::by_networks("seg", networks(&["192.0.2.0/24", "2001:db8:1::/48"])));
    (gateways, id)
}

fn domain(name: &str, mode: Mode) -> DomainPolicy {
    // The one gateway of every policy here.
    let (_, gateway) = gateways();
    DomainPolicy {
        pattern: DomainPattern::parse(name).unwrap(),
        mode,
        source: Source::Gateways(vec![gateway]),
        directories: vec![directories().1],
        subaddress: "+".into(),
        recipients: RecipientRules::default(),
        unrouted: Unrouted::Pass,
        scan: None,
        verdicts: Verdicts::default(),
        replies: Replies::default(),
    }
}

fn policy(domains: Vec<DomainPolicy>) -> Policy {
    let mut table = DomainTable::default();
    for domain in domains {
        table.insert(domain.pattern.clone(), Arc::new(domain));
    }
    let internal = Internal { networks: networks(&["10.0.0.0/8"]), authenticated: true };
    let loops = LoopRule { id: "mx.example".into(), max_passes: 3, max_received: 50 };
    Policy::new(
        internal,
        Unlisted::default(),
        table,
        gateways().0,
        directories().0,
        loops,
        Reputation::default(),
    )
}

fn watch() -> HeaderWatch {
    HeaderWatch { loop_id: "mx.example".into(), ..HeaderWatch::default() }
}

/// A decision for which the network was not asked anything.
fn recipient(policy: &Policy, session: &Session, recipient: &Recipient) -> Decision {
    super::recipient(policy, session, recipient, &Answers::default())
}

/// A decision by headers for which the network was not asked anything.
fn headers(policy: &Policy, recipients: &[&Decision], facts: &HeaderFacts) -> Option<Decision> {
    super::headers(policy, recipients, facts, &Answers::default())
}

fn session(address: Option<&str>) -> Session {
    let client = Client { address: address.map(|a| a.parse().unwrap()), ..Client::default() };
    Session { client, ..Session::default() }
}

fn to(address: &str) -> Recipient {
    Recipient::new(format!("<{address}>").as_bytes(), Some(address.as_bytes()), Some("mx.example"))
}

const GATEWAY: Option<&str> = Some("192.0.2.9");
const STRANGER: Option<&str> = Some("198.51.100.1");

#[test]
fn the_order_of_checks() {
    use Reason::{
        Internal as FromInside, NotOurDomain, NotReady, Passed, RecipientUnknown, SourceNotGateway,
    };
    let mut open = domain("open.example", Mode::Enforce);
    open.source = Source::Any;
    let mut undirected = domain("nodir.example", Mode::Enforce);
    undirected.directories.clear();
    let policy = policy(vec![
        domain("a.example", Mode::Enforce),
        domain("*.a.example", Mode::Enforce),
        domain("w.example", Mode::Enforce),
        open,
        undirected,
        domain("off.example", Mode::Inactive),
    ]);
    for (client, rcpt, reason, verdict) in [
        (GATEWAY, "ann@a.example", Passed, Verdict::Accept),
        (GATEWAY, "ANN@A.Example", Passed, Verdict::Accept),
        (GATEWAY, "ann+tag@a.example", Passed, Verdict::Accept),
        (GATEWAY, "x+y@a.example", Passed, Verdict::Accept),
        (GATEWAY, "x+z@a.example", RecipientUnknown, Verdict::Reject),
        (GATEWAY, "+ann@a.example", RecipientUnknown, Verdict::Reject),
        (GATEWAY, r#""bob"@a.example"#, Passed, Verdict::Accept),
        (GATEWAY, "zoe@a.example", RecipientUnknown, Verdict::Reject),
        (GATEWAY, "a b@a.example", RecipientUnknown, Verdict::Reject),
        (GATEWAY, "PostMaster@a.example", Passed, Verdict::Accept),
        (GATEWAY, "abuse+x@a.example", Passed, Verdict::Accept),
        (GATEWAY, "ann@sub.a.example", RecipientUnknown, Verdict::Reject),
        (GATEWAY, "anyone at all@w.example", Passed, Verdict::Accept),
        (GATEWAY, "zoe@nodir.example", Passed, Verdict::Accept),
        (STRANGER, "ann@a.example", SourceNotGateway, Verdict::Reject),
        (STRANGER, "zoe@a.example", SourceNotGateway, Verdict::Reject),
        (STRANGER, "postmaster@a.example", SourceNotGateway, Verdict::Reject),
        (STRANGER, "postmaster@open.example", Passed, Verdict::Accept),
        (STRANGER, "zoe@open.example", RecipientUnknown, Verdict::Reject),
        (STRANGER, "ann@off.example", Reason::Inactive, Verdict::Accept),
        (STRANGER, "ann@elsewhere.example", NotOurDomain, Verdict::Accept),
        (STRANGER, "ann@[192.0.2.1]", NotOurDomain, Verdict::Accept),
        (None, "ann@a.example", NotReady, Verdict::Defer),
        (None, "abuse@open.example", Passed, Verdict::Accept),
        (None, "ann@elsewhere.example", NotOurDomain, Verdict::Accept),
        (Some("::ffff:192.0.2.7"), "ann@a.example", Passed, Verdict::Accept),
        (Some("2001:db8:1::7"), "ann@a.example", Passed, Verdict::Accept),
        (Some("127.0.0.1"), "ann@a.example", SourceNotGateway, Verdict::Reject),
        (Some("10.2.3.4"), "zoe@a.example", FromInside, Verdict::Accept),
        (Some("10.2.3.4"), "zoe@elsewhere.example", FromInside, Verdict::Accept),
        (GATEWAY, "ann@ a.example", NotReady, Verdict::Defer),
    ] {
        let decision = recipient(&policy, &session(client), &to(rcpt));
        assert_eq!((decision.reason, decision.applied), (reason, verdict), "{client:?} {rcpt} {decision:?}");
        assert_eq!(decision.reply.is_some(), verdict.refuses(), "{rcpt}");
    }
}

#[test]
fn authenticated_clients_are_internal_if_so_configured() {
    let mut policy = policy(vec![domain("a.example", Mode::Enforce)]);
    let mut session = session(STRANGER);
    session.client.login = Some("ann".into());
    assert_eq!(recipient(&policy, &session, &to("zoe@a.example")).reason, Reason::Internal);
    policy.internal.authenticated = false;
    assert_eq!(recipient(&policy, &session, &to("zoe@a.example")).reason, Reason::SourceNotGateway);
}

#[test]
fn a_stranger_learns_nothing_unless_strangers_are_let_in() {
    let mut lenient = domain("a.example", Mode::Enforce);
    lenient.verdicts.source = Verdict::Tag;
    let policy_of = |verdict: Verdict| {
        let mut domain = lenient.clone();
        domain.verdicts.source = verdict;
        policy(vec![domain])
    };
    for (source, findings, reason, applied) in [
        (Verdict::Accept, 2, Reason::RecipientUnknown, Verdict::Reject),
        (Verdict::Tag, 2, Reason::RecipientUnknown, Verdict::Reject),
        (Verdict::Quarantine, 1, Reason::SourceNotGateway, Verdict::Quarantine),
        (Verdict::Discard, 1, Reason::SourceNotGateway, Verdict::Discard),
        (Verdict::Defer, 1, Reason::SourceNotGateway, Verdict::Defer),
    ] {
        let decision = recipient(&policy_of(source), &session(STRANGER), &to("zoe@a.example"));
        assert_eq!(
            (decision.findings.len(), decision.reason, decision.applied),
            (findings, reason, applied),
            "{source}"
        );
    }
    let known = recipient(&policy_of(Verdict::Tag), &session(STRANGER), &to("ann@a.example"));
    assert_eq!((known.reason, known.applied), (Reason::SourceNotGateway, Verdict::Tag));
}

#[test]
fn a_forwarding_alias_is_no_way_around() {
    let policy = policy(vec![domain("a.example", Mode::Enforce)]);
    let forwarded = Recipient::new(b"<ann@a.example>", Some(b"ann@elsewhere.example"), None);
    assert_eq!(recipient(&policy, &session(STRANGER), &forwarded).reason, Reason::SourceNotGateway);
    assert_eq!(recipient(&policy, &session(GATEWAY), &forwarded).reason, Reason::Passed);
    for argument in ["<ann%a.example>", "<a.example!ann>", r#"<"ann@A.example">"#, "<g:ann@a.example;>"] {
        let forwarded = Recipient::new(argument.as_bytes(), Some(b"ann@elsewhere.example"), None);
        assert_eq!(recipient(&policy, &session(STRANGER), &forwarded).reason, Reason::NotReady, "{argument}");
    }
    let foreign = Recipient::new(b"<ann%b.example@c.example>", Some(b"ann@b.example"), None);
    assert_eq!(recipient(&policy, &session(STRANGER), &foreign).reason, Reason::NotOurDomain);
}

#[test]
fn soft_defers_with_the_reasons_own_code() {
    let policy = policy(vec![domain("a.example", Mode::Soft)]);
    for (client, rcpt, want) in
        [(STRANGER, "ann@a.example", "451 4.7.1"), (GATEWAY, "zoe@a.example", "450 4.1.1")]
    {
        let decision = recipient(&policy, &session(client), &to(rcpt));
        assert_eq!((decision.verdict, decision.applied), (Verdict::Reject, Verdict::Defer));
        let reply = decision.reply.unwrap();
        assert_eq!(format!("{} {}", reply.code(), reply.enhanced()), want);
    }
}

fn header_facts(passes: usize, received: usize) -> HeaderFacts {
    let mut facts = HeaderFacts::default();
    (0..passes).for_each(|_| facts.note(b"X-Postern-Loop", b"mx.example", &watch()));
    (0..received).for_each(|_| facts.note(b"Received", b"x", &watch()));
    facts
}

#[test]
fn loops_are_judged_for_the_whole_message() {
    let mut held = domain("held.example", Mode::Enforce);
    held.verdicts.loops = Verdict::Quarantine;
    let policy = policy(vec![
        domain("a.example", Mode::Enforce),
        domain("soft.example", Mode::Soft),
        domain("mon.example", Mode::Monitor),
        domain("off.example", Mode::Inactive),
        held,
    ]);
    for (rcpts, passes, received, want) in [
        (&["a.example"][..], 2, 50, Some((Reason::Passed, Verdict::Accept))),
        (&["a.example"], 3, 0, Some((Reason::LoopDetected, Verdict::Reject))),
        (&["a.example"], 0, 51, Some((Reason::TooManyHops, Verdict::Reject))),
        (&["a.example"], 3, 51, Some((Reason::LoopDetected, Verdict::Reject))),
        (&["soft.example"], 3, 0, Some((Reason::LoopDetected, Verdict::Defer))),
        (&["mon.example"], 3, 0, Some((Reason::LoopDetected, Verdict::Accept))),
        (&["off.example"], 3, 99, None),
        (&["elsewhere.example"], 3, 99, None),
        (&["mon.example", "soft.example", "off.example"], 3, 0, Some((Reason::LoopDetected, Verdict::Defer))),
        (&["held.example", "soft.example"], 3, 0, Some((Reason::LoopDetected, Verdict::Defer))),
        (&["held.example", "mon.example"], 3, 0, Some((Reason::LoopDetected, Verdict::Quarantine))),
        (&["mon.example", "a.example"], 3, 0, Some((Reason::LoopDetected, Verdict::Reject))),
    ] {
        // Internal mail skips every check but this one.
        let session = session(Some("10.0.0.1"));
        let decisions: Vec<_> =
            rcpts.iter().map(|domain| recipient(&policy, &session, &to(&format!("ann@{domain}")))).collect();
        let decision =
            headers(&policy, &decisions.iter().collect::<Vec<_>>(), &header_facts(passes, received));
        assert_eq!(decision.map(|d| (d.reason, d.applied)), want, "{rcpts:?} {passes} {received}");
    }
}

#[test]
fn overdue_is_not_ready_in_the_recipients_mode() {
    let policy = policy(vec![domain("a.example", Mode::Enforce), domain("mon.example", Mode::Monitor)]);
    let enforced = overdue(&policy, &to("ann@a.example"));
    assert_eq!((enforced.reason, enforced.applied), (Reason::NotReady, Verdict::Defer));
    assert_eq!(enforced.reply.unwrap().to_string().split(' ').next(), Some("451"));
    assert_eq!(overdue(&policy, &to("ann@mon.example")).applied, Verdict::Accept);
}
