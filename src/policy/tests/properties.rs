// SPDX-License-Identifier: GPL-3.0-or-later
//! What holds for every policy, session, message and answer whatever.

use super::*;
use crate::mail::ClientCertificate;
use proptest::prelude::*;

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(Verdict::ALL.to_vec())
}

fn any_policy(modes: &'static [Mode]) -> impl Strategy<Value = Policy> {
    let one = (
        prop::sample::select(modes),
        any_verdict(),
        any_verdict(),
        any_verdict(),
        any::<bool>(),
        any::<bool>(),
        any_rules(),
    );
    let loops = (0u32..4, 0u32..4);
    let others = (any_gateway(), any_gateway(), any_reputation(), any_directory(), any_routes());
    (prop::collection::vec(one, 1..4), loops, others).prop_map(
        |(domains, loops, (first, second, reputation, directory, (servers, routes, unrouted)))| {
            let mut placed = Gateways::default();
            let both = vec![placed.add(first), placed.add(second)];
            let (max_passes, max_received) = loops;
            let domains = domains.into_iter().zip(["a.example", "*.a.example", "b.example"]);
            let mut policy = policy(
                domains
                    .map(|((mode, source, recipient, loops, any, undirected, rules), name)| {
                        let mut domain = domain(name, mode);
                        domain.verdicts =
                            Verdicts { source, recipient, route: recipient, loops, reputation: source };
                        domain.source = if any { Source::Any } else { Source::Gateways(both.clone()) };
                        domain.recipients = rules;
                        domain.unrouted = unrouted;
                        if undirected {
                            domain.directories.clear();
                        }
                        domain
                    })
                    .collect(),
            );
            policy.loops = LoopRule { id: "mx.example".into(), max_passes, max_received };
            policy.reputation = reputation;
            let directories = [Arc::new(directory)].into_iter().collect();
            policy.with_gateways(placed).with_directories(directories).with_routing(servers, routes)
        },
    )
}

fn any_rules() -> impl Strategy<Value = RecipientRules> {
    let modes = vec![RecipientMode::Off, RecipientMode::Learn, RecipientMode::Check];
    let alias = prop::option::of(Just(crate::mail::Domain::parse("b.example").unwrap()));
    (prop::sample::select(modes), any::<[bool; 4]>(), alias).prop_map(
        |(mode, [asks_learned, batv, srs, verp], alias_of)| RecipientRules {
            mode,
            learned: asks_learned.then(|| directories().1),
            strip: Strip { batv, srs },
            verp: verp.then(|| crate::mail::LocalPattern::parse("z*").unwrap()).into_iter().collect(),
            alias_of,
        },
    )
}

/// The one directory, in any state.
fn any_directory() -> impl Strategy<Value = Directory> {
    let pattern = prop::sample::select(vec!["a.example", "*.a.example", "b.example"]);
    let served = prop::option::of(prop::collection::vec(pattern, 0..4));
    (prop::bool::weighted(0.8), prop::bool::weighted(0.2), served).prop_map(|(loaded, overdue, served)| {
        let known = ["ann@a.example", "carl@b.example", "all@a.example"];
        let served =
            served.map(|patterns| patterns.iter().map(|p| DomainPattern::parse(p).unwrap()).collect());
        let internal_only = mailboxes(&["all@a.example"]);
        let groups = routing::groups(&[("team", &["ann@a.example", "zoe@a.example", "carl@b.example"])]);
        let recipients = Recipients { internal_only, served, groups, ..mailboxes(&known).into() };
        Directory { name: "staff".into(), recipients: loaded.then(|| Arc::new(recipients)), overdue }
    })
}

/// Two servers, rules for them, and what becomes of whom no rule is for.
fn any_routes() -> impl Strategy<Value = (Servers, Vec<Route>, Unrouted)> {
    let groups = prop::sample::subsequence(vec!["team", "staff/team", "staff/none", "gone/team"], 0..3);
    let recipients = prop::sample::subsequence(vec!["ann@a.example", "postmaster@b.example"], 0..2);
    let domains =
        prop::option::of(prop::sample::subsequence(vec!["a.example", "*.a.example", "b.example"], 1..3));
    let rule = (groups, recipients, domains, 0usize..2);
    let unrouted = prop::option::of(prop::option::of(0usize..2));
    (prop::collection::vec(rule, 0..4), unrouted).prop_map(|(rules, unrouted)| {
        let mut servers = Servers::default();
        let both = ["m365", "exchange"].map(|name| servers.add(routing::server(name)));
        let rules = rules.iter().zip(["first", "second", "third"]);
        let rules = rules.map(|((groups, recipients, domains, to), name)| {
            routing::rule(name, groups, recipients, domains.as_deref(), both[*to])
        });
        let unrouted = match unrouted {
            None => Unrouted::Pass,
            Some(None) => Unrouted::Reject,
            Some(Some(server)) => Unrouted::Server(both[server]),
        };
        let rules = rules.collect();
        (servers, rules, unrouted)
    })
}

fn any_gateway() -> impl Strategy<Value = Gateway> {
    let require = prop_oneof![
        Just(Require::Any),
        any::<[bool; 3]>().prop_map(|[address, certificate, header]| Require::All {
            address,
            certificate,
            header
        }),
    ];
    let live = prop::collection::vec(any_live_name(), 0..3);
    let addresses = prop::option::weighted(0.9, (any::<bool>(), live));
    let behind = prop::option::of(any_verdict());
    (require, addresses, any::<[bool; 3]>(), behind).prop_map(|(require, addresses, has, behind)| {
        let mut gateway = factors::full("seg", require);
        gateway.addresses = addresses.map(|(complete, live)| Addresses {
            networks: networks(&["192.0.2.0/24"]),
            complete,
            live: live.into(),
            ..Addresses::default()
        });
        let [certificate, header, accept_private] = has;
        if !certificate {
            gateway.certificate = Box::default();
        }
        gateway.header = gateway.header.filter(|_| header);
        Gateway { behind, accept_private, ..gateway }
    })
}

fn any_live_name() -> impl Strategy<Value = LiveName> {
    prop::sample::select(vec!["one.example", "two.example", "three.example"]).prop_map(LiveName::new)
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop::sample::select(vec![Answer::Yes, Answer::No, Answer::Unknown])
}

fn any_reputation() -> impl Strategy<Value = Reputation> {
    let rules = vec![ReverseRule::Off, ReverseRule::Present, ReverseRule::Confirmed];
    (0u32..3, prop::sample::select(rules)).prop_map(|(threshold, reverse)| Reputation { threshold, reverse })
}

fn any_listings() -> impl Strategy<Value = Listings> {
    let listing = (1u32..3).prop_map(|weight| Listing {
        zone: "bl.example".into(),
        weight,
        code: std::net::Ipv4Addr::new(127, 0, 0, 2),
    });
    let unanswered = prop_oneof![Just(0), Just(1), Just(u32::MAX)];
    (prop::collection::vec(listing, 0..3), unanswered)
        .prop_map(|(listed, unanswered)| Listings { listed, unanswered })
}

fn any_answers() -> impl Strategy<Value = Answers> {
    let reverse = prop::sample::select(vec![
        ReverseName::Confirmed("mail.example".into()),
        ReverseName::Unconfirmed("mail.example".into()),
        ReverseName::Missing,
        ReverseName::Unknown,
    ]);
    let live = prop::collection::vec((any_live_name(), any_answer()), 0..4);
    let hidden = prop::bool::weighted(0.2);
    (live, prop::option::of(any_listings()), prop::option::of(reverse), hidden).prop_map(
        |(live, listings, reverse, hidden)| Answers {
            live,
            listings,
            reverse,
            hidden,
            tokens: Tokens::default(),
        },
    )
}

fn any_headers() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let line = prop::sample::select(vec![
        ("X-Seg-Id", "old-secret"),
        ("x-seg-id", "guess"),
        ("X-Postern-Loop", "mx.example"),
        ("Received", "from mail.example ([198.51.100.77]) by mx.seg.example"),
        ("X-Postern-Tag", "x"),
    ]);
    prop::collection::vec(line, 0..8)
}

fn any_recipient() -> impl Strategy<Value = Recipient> {
    let likely = prop::sample::select(vec![
        "ann@a.example",
        "zoe@a.example",
        "ann@x.a.example",
        "carl@b.example",
        "all+x@a.example",
        "prvs=0123abcdef=ann@a.example",
        "srs0=h=t=b.example=zoe@a.example",
        "srs0=h=t=c.example=zoe@a.example",
        "ann@c.example",
        "\"a b\"@a.example",
        "ann%a.example",
        "postmaster",
        "@",
        "ann@[192.0.2.1]",
        "",
    ]);
    let octets = prop_oneof![
        4 => likely.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    (octets.clone(), prop::option::of(octets), any::<bool>()).prop_map(|(argument, resolved, bracketed)| {
        let argument = if bracketed { [b"<", &argument[..], b">"].concat() } else { argument };
        Recipient::new(&argument, resolved.as_deref(), Some("mx.example"))
    })
}

fn any_session() -> impl Strategy<Value = Session> {
    let address = prop_oneof![
        Just(None),
        Just(Some("192.0.2.1".parse().unwrap())),
        Just(Some("10.0.0.1".parse().unwrap())),
        any::<std::net::IpAddr>().prop_map(Some),
    ];
    let certificate = prop::sample::select(vec![
        ClientCertificate::None,
        ClientCertificate::Untrusted,
        ClientCertificate::Unclear,
        ClientCertificate::Trusted("mx.seg.example".into()),
        ClientCertificate::Trusted("mx.other.example".into()),
    ]);
    let login = prop::bool::weighted(0.2);
    (address, login, certificate).prop_map(|(address, login, certificate)| Session {
        client: Client { address, login: login.then(|| "ann".into()), certificate, ..Client::default() },
        ..Session::default()
    })
}

/// What is decided at every stage of a message, and by its headers.
#[derive(Debug)]
struct Decided {
    by_recipient: Vec<Decision>,
    by_headers: Option<Decision>,
}

impl Decided {
    fn new(
        policy: &Policy,
        session: &Session,
        recipients: &[Recipient],
        headers: &[(&str, &str)],
        answers: &Answers,
    ) -> Self {
        let mut by_recipient: Vec<_> = recipients
            .iter()
            .map(|recipient| super::super::recipient(policy, session, recipient, answers))
            .collect();
        by_recipient.extend(recipients.iter().map(|r| overdue(policy, r)));
        let accepted: Vec<&Decision> = by_recipient.iter().filter(|d| !d.applied.refuses()).collect();
        let by_headers = super::super::headers(policy, &accepted, &factors::lines(policy, headers), answers);
        Self { by_recipient, by_headers }
    }

    fn all(&self) -> impl Iterator<Item = &Decision> {
        self.by_recipient.iter().chain(&self.by_headers)
    }
}

fn any_recipients() -> impl Strategy<Value = Vec<Recipient>> {
    prop::collection::vec(any_recipient(), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn monitor_never_does_anything(
        policy in any_policy(&[Mode::Monitor, Mode::Inactive]), session in any_session(),
        recipients in any_recipients(), headers in any_headers(), answers in any_answers(),
    ) {
        let decided = Decided::new(&policy, &session, &recipients, &headers, &answers);
        for decision in decided.all() {
            prop_assert_eq!(decision.applied, Verdict::Accept);
            prop_assert!(decision.reply.is_none());
        }
    }

    #[test]
    fn soft_never_refuses_for_good_nor_discards(
        policy in any_policy(&[Mode::Soft, Mode::Monitor]), session in any_session(),
        recipients in any_recipients(), headers in any_headers(), answers in any_answers(),
    ) {
        let decided = Decided::new(&policy, &session, &recipients, &headers, &answers);
        for decision in decided.all() {
            prop_assert!(!matches!(decision.applied, Verdict::Reject | Verdict::Discard));
            if let Some(reply) = &decision.reply {
                prop_assert_eq!(reply.class(), ReplyClass::Transient);
            }
        }
    }

    #[test]
    fn every_decision_is_consistent(
        policy in any_policy(&Mode::ALL), session in any_session(),
        recipients in any_recipients(), headers in any_headers(), answers in any_answers(),
    ) {
        let decided = Decided::new(&policy, &session, &recipients, &headers, &answers);
        for decision in decided.all() {
            let strongest = decision.findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::Accept);
            prop_assert_eq!(decision.verdict, strongest);
            prop_assert_eq!(decision.applied, decision.mode.apply(decision.verdict));
            prop_assert_eq!(decision.reply.is_some(), decision.applied.refuses());
            if let Some(reply) = &decision.reply {
                let class = if decision.applied == Verdict::Reject { ReplyClass::Permanent } else { ReplyClass::Transient };
                prop_assert_eq!(reply.class(), class);
            }
        }
    }

    /// Unknown is never no and never yes; a domain that learns takes everyone, and learns nothing of them. What nobody can tell of who is behind a gateway is in nobody's way.
    #[test]
    fn unknown_neither_rejects_nor_passes(
        policy in any_policy(&Mode::ALL), session in any_session(),
        recipients in any_recipients(), headers in any_headers(), answers in any_answers(),
    ) {
        let decided = Decided::new(&policy, &session, &recipients, &headers, &answers);
        for decision in decided.all() {
            for finding in &decision.findings {
                let by_headers = decided.by_headers.as_ref().is_some_and(|d| std::ptr::eq(d, decision));
                let behind = by_headers && finding.check == Check::Listed;
                let domain = decision.domain.as_ref();
                let learns = domain.is_some_and(|domain| domain.recipients.mode == RecipientMode::Learn);
                match (finding.answer, behind) {
                    (Answer::Unknown, false) if learns && finding.check == Check::Recipient => {
                        prop_assert_eq!(finding.verdict, Verdict::Accept);
                        prop_assert_eq!(learned(decision, None), None);
                    }
                    (Answer::Unknown, false) => {
                        prop_assert_eq!(finding.verdict, Verdict::Defer);
                        prop_assert!(matches!(finding.reason, Reason::NotReady | Reason::NoReverseName));
                    }
                    (Answer::Unknown, true) => prop_assert_eq!(finding.verdict, Verdict::Accept),
                    (Answer::Yes | Answer::No, _) => {
                        prop_assert_ne!(finding.reason, Reason::NotReady);
                        prop_assert!(!behind || finding.verdict <= Verdict::Quarantine);
                    }
                }
            }
        }
    }

    /// A route is asked for where the recipient may come, and says what the rules say; nobody is refused for want of one
    /// where nothing says so.
    #[test]
    fn a_route_is_what_the_rules_say(
        policy in any_policy(&Mode::ALL), session in any_session(), recipient in any_recipient(), answers in any_answers(),
    ) {
        let decision = super::super::recipient(&policy, &session, &recipient, &answers);
        let routed = route(&policy, &recipient);
        let explained = explain_route(&policy, &recipient);
        prop_assert_eq!(routed.is_some(), explained.is_some());
        let of = |check| decision.findings.iter().find(|finding| finding.check == check);
        let Some((routed, explained)) = routed.zip(explained) else {
            prop_assert_eq!(of(Check::Route), None);
            return Ok(());
        };
        prop_assert_eq!(explained.len(), policy.routes().len());
        let first = explained.iter().find(|one| one.answer != Answer::No);
        match &routed {
            Routed::To { server, route: Some(route) } => {
                let first = first.unwrap();
                prop_assert_eq!((first.answer, &first.route, first.to), (Answer::Yes, route, *server));
            }
            Routed::Unknown { route, why: Unready::Overdue, .. } => {
                prop_assert!(first.is_none() && explained.iter().any(|one| one.route == *route));
            }
            Routed::Unknown { route, .. } => prop_assert_eq!(first.map(|one| (one.answer, &one.route)), Some((Answer::Unknown, route))),
            Routed::To { route: None, .. } | Routed::Pass | Routed::Nowhere => prop_assert!(first.is_none()),
        }
        let Some(exists) = of(Check::Recipient) else {
            prop_assert_eq!(of(Check::Route), None);
            return Ok(());
        };
        let domain = decision.domain.as_ref().unwrap();
        match of(Check::Route) {
            None => prop_assert!(exists.verdict > Verdict::Tag || (routed == Routed::Pass && domain.unrouted == Unrouted::Pass)),
            Some(finding) => {
                prop_assert!(exists.verdict <= Verdict::Tag);
                let (answer, verdict) = match routed {
                    Routed::To { .. } | Routed::Pass => (Answer::Yes, Verdict::Accept),
                    Routed::Nowhere => (Answer::No, domain.verdicts.route),
                    Routed::Unknown { .. } => (Answer::Unknown, Verdict::Defer),
                };
                prop_assert_eq!((finding.answer, finding.verdict), (answer, verdict));
                prop_assert_eq!(finding.reason == Reason::NoRoute, routed == Routed::Nowhere);
                if routed == Routed::Nowhere {
                    prop_assert_eq!(domain.unrouted, Unrouted::Reject);
                    prop_assert_ne!(domain.recipients.mode, RecipientMode::Learn);
                    prop_assert!(!matches!(exists.rule, Rule::RoleAddress | Rule::ForwardedSender | Rule::OwnBounces(_)));
                }
            }
        }
    }

    /// What is learned came through a gateway, was accepted, and is nobody that anyone knows.
    #[test]
    fn only_unknown_recipients_that_passed_are_learned(
        policy in any_policy(&Mode::ALL), session in any_session(),
        recipients in any_recipients(), headers in any_headers(), answers in any_answers(),
    ) {
        let decided = Decided::new(&policy, &session, &recipients, &headers, &answers);
        let facts = factors::lines(&policy, &headers);
        for decision in decided.all() {
            let learned = [None, Some(&facts)].map(|headers| learned(decision, headers));
            prop_assert!(learned.iter().flatten().count() < 2);
            for learned in learned.iter().flatten() {
                prop_assert_eq!(decision.domain.as_ref().map(|d| d.recipients.mode), Some(RecipientMode::Learn));
                prop_assert!(decision.verdict <= Verdict::Tag);
                let source = decision.findings.iter().find(|f| f.check == Check::Source).unwrap();
                prop_assert_eq!(source.answer, Answer::Yes);
                let mailbox = Mailbox::parse_strict(&learned.address).unwrap();
                let again = existence(&policy, &Recipient::at(mailbox));
                prop_assert!(again.is_none_or(|found| found.answer != Answer::Yes || found.rule == Rule::RecipientsOff
                    || found.rule == Rule::NoDirectories || policy.domains().len() > 1));
            }
        }
    }

    /// Whatever a domain is, its alias is, as far as its directories hold the domain's own addresses and were filtered by
    /// both names.
    #[test]
    fn an_alias_is_what_it_stands_for(
        rules in any_rules(), directory in any_directory(), mode in prop::sample::select(Mode::ALL.to_vec()),
        verdict in any_verdict(), session in any_session(), answers in any_answers(), routes in any_routes(), local in prop::sample::select(vec![
            "ann", "Ann+x", "all", "zoe", "postmaster", "prvs=0123abcdef=ann", "srs0=h=t=a.example=all", "z-1", "\"a b\"",
        ]),
    ) {
        let mut directory = directory;
        if let Some(recipients) = &directory.recipients {
            let mut recipients = Recipients::clone(recipients);
            let alias = DomainPattern::parse("alias.example").unwrap();
            if let Some(served) = recipients.served.as_mut().filter(|s| s.contains(&DomainPattern::parse("a.example").unwrap())) {
                served.insert(alias);
            }
            directory.recipients = Some(Arc::new(recipients));
        }
        let mut own = domain("a.example", mode);
        own.verdicts.recipient = verdict;
        own.recipients = RecipientRules { alias_of: None, ..rules };
        let (servers, routes, unrouted) = routes;
        own.unrouted = unrouted;
        let mut alias = DomainPolicy { pattern: DomainPattern::parse("alias.example").unwrap(), ..own.clone() };
        alias.recipients.alias_of = Some(crate::mail::Domain::parse("a.example").unwrap());
        let directories = [Arc::new(directory)].into_iter().collect();
        let policy = policy(vec![own, alias]).with_directories(directories).with_routing(servers, routes);
        let [route_of_own, route_of_alias] =
            ["a.example", "alias.example"].map(|host| route(&policy, &to(&format!("{local}@{host}"))));
        prop_assert_eq!(route_of_own, route_of_alias);
        let [own, alias] = ["a.example", "alias.example"].map(|host| {
            super::super::recipient(&policy, &session, &to(&format!("{local}@{host}")), &answers)
        });
        prop_assert_eq!((own.reason, own.verdict, own.applied), (alias.reason, alias.verdict, alias.applied));
        prop_assert_eq!(own.reply.as_ref().map(ToString::to_string), alias.reply.as_ref().map(ToString::to_string));
        prop_assert_eq!(learned(&own, None), learned(&alias, None));
    }

    /// Nobody asks about the reputation of a gateway, of an internal client, or of a stranger who is refused; and two
    /// rounds of questions are enough.
    #[test]
    fn only_strangers_are_asked_about(
        policy in any_policy(&Mode::ALL), session in any_session(), recipient in any_recipient(),
        answers in any_answers(), live in prop::collection::vec(any_answer(), 3),
    ) {
        let mut known = Answers { hidden: answers.hidden, ..Answers::default() };
        for round in 0..3 {
            let Some(asked) = questions(&policy, &session, &recipient, &known) else { break };
            prop_assert!(round < 2);
            prop_assert_eq!(Some(asked.client), session.client.address);
            prop_assert!(asked.live.is_empty() != (!asked.listings && !asked.reverse));
            if asked.live.is_empty() {
                let address = session.client.address.unwrap();
                let of = |gateway: &Arc<Gateway>| gateway.addresses.as_ref().is_some_and(|a| a.networks.find(address).is_some());
                let decision = super::super::recipient(&policy, &session, &recipient, &known);
                let source = &decision.findings[0];
                prop_assert_eq!(source.check, Check::Source);
                prop_assert!(source.verdict <= Verdict::Tag);
                prop_assert!(source.answer == Answer::No || (source.rule == Rule::AnyClient && !policy.gateways().iter().any(of)));
                prop_assert!(!answers.hidden);
            }
            known.live.extend(asked.live.into_iter().zip(live.iter().copied().cycle()));
            known.listings = known.listings.or(asked.listings.then(Listings::default));
            known.reverse = known.reverse.or(asked.reverse.then_some(ReverseName::Unknown));
        }
    }

    /// Whoever is refused as a stranger gets the same reply for every recipient, whatever failed and when.
    #[test]
    fn strangers_get_one_reply(
        first in any_policy(&[Mode::Enforce]), second in any_policy(&[Mode::Enforce]),
        one in any_session(), other in any_session(), headers in any_headers(), answers in any_answers(),
    ) {
        let recipients = ["ann@a.example", "zoe@a.example", "postmaster@a.example", "x@b.example"].map(to);
        let mut replies = Vec::new();
        for (policy, session) in [(&first, &one), (&first, &other), (&second, &one), (&second, &other)] {
            let decided = Decided::new(policy, session, &recipients, &headers, &answers);
            let refused = decided.all().filter(|d| d.reason == Reason::SourceNotGateway && d.applied == Verdict::Reject);
            replies.extend(refused.map(|d| d.reply.as_ref().map(ToString::to_string)));
        }
        replies.dedup();
        prop_assert!(replies.len() < 2, "{:?}", replies);
    }
}
