// SPDX-License-Identifier: GPL-3.0-or-later
//! Where mail goes: which rule is for whom, what nobody can tell, and what becomes of those whom no rule is for.

use super::*;
use crate::mail::{Domain, LocalPattern};
use std::collections::HashMap;

/// Who is in which groups.
pub(super) fn groups(of: &[(&str, &[&str])]) -> HashMap<Arc<str>, MailboxSet> {
    of.iter().map(|(name, members)| (Arc::from(*name), mailboxes(members))).collect()
}

/// A directory with these recipients and groups.
fn people(name: &str, known: &[&str], of: &[(&str, &[&str])]) -> Directory {
    Directory::loaded(name, Recipients { groups: groups(of), ..mailboxes(known).into() })
}

/// The one that everything here is about, unless it says otherwise.
fn staff() -> Directory {
    let known = [
        "ann@a.example",
        "ann+own@a.example",
        "bob@a.example",
        "eve@a.example",
        "srs0=h=t=c.example=x@a.example",
    ];
    people("ad", &known, &[("cloud", &["ann@a.example", "kim@a.example"]), ("house", &["bob@a.example"])])
}

pub(super) fn server(name: &str) -> Server {
    let hosts = Box::from([crate::mail::NextHop::parse("192.0.2.200").unwrap()]);
    Server { name: name.into(), hosts, tls: TlsWish::May, down: false }
}

/// A rule by `groups` (`name`, or `directory/name`), `recipients` and `domains`.
pub(super) fn rule(
    name: &str,
    groups: &[&str],
    recipients: &[&str],
    domains: Option<&[&str]>,
    to: ServerId,
) -> Route {
    let group = |text: &&str| match text.split_once('/') {
        Some((directory, name)) => GroupName { directory: Some(directory.into()), name: name.into() },
        None => GroupName { directory: None, name: (*text).into() },
    };
    Route {
        name: name.into(),
        groups: groups.iter().map(group).collect(),
        recipients: Arc::new(mailboxes(recipients)),
        domains: domains.map(|texts| texts.iter().map(|text| DomainPattern::parse(text).unwrap()).collect()),
        to,
    }
}

/// A policy of a.example with two servers, these directories and rules.
fn with(
    change: impl FnOnce(&mut DomainPolicy, [ServerId; 2]),
    of: Vec<Directory>,
    rules: impl FnOnce([ServerId; 2]) -> Vec<Route>,
) -> Policy {
    let mut servers = Servers::default();
    let both = [servers.add(server("m365")), servers.add(server("exchange"))];
    let mut directories = Directories::default();
    let ids: Vec<DirectoryId> = of.into_iter().map(|directory| directories.add(directory)).collect();
    let mut own = domain("a.example", Mode::Enforce);
    own.directories = ids;
    own.unrouted = Unrouted::Reject;
    change(&mut own, both);
    policy(vec![own]).with_directories(directories).with_routing(servers, rules(both))
}

/// The rules of most of this: cloud, house, and kim by her address.
fn usual([m365, exchange]: [ServerId; 2]) -> Vec<Route> {
    vec![
        rule("cloud", &["cloud"], &[], None, m365),
        rule("house", &["house"], &["eve+list@a.example"], None, exchange),
    ]
}

/// Where mail goes: `server`, `server (rule)`, `pass`, `nowhere`, `rule: directory, why`; nothing where nobody is asked.
fn sent(policy: &Policy, rcpt: &str) -> Option<String> {
    Some(match route(policy, &to(rcpt))? {
        Routed::To { server, route } => {
            let server = &policy.servers().find(server).unwrap().name;
            route.map_or_else(|| server.to_string(), |route| format!("{server} ({route})"))
        }
        Routed::Pass => "pass".to_owned(),
        Routed::Nowhere => "nowhere".to_owned(),
        Routed::Unknown { route, directory, why } => format!("{route}: {directory} {why:?}"),
    })
}

#[test]
fn the_person_behind_an_address_is_in_his_groups() {
    let alias = DomainPattern::parse("alias.example").unwrap();
    let plain = with(
        |own, _| {
            own.recipients.strip = Strip { batv: true, srs: true };
            own.recipients.verp = [LocalPattern::parse("bounces-*").unwrap()].into_iter().collect();
        },
        vec![staff()],
        usual,
    );
    let other_name = with(
        |own, _| {
            own.pattern = alias.clone();
            own.recipients.alias_of = Some(Domain::parse("a.example").unwrap());
        },
        vec![staff()],
        usual,
    );
    for (policy, rcpt, want) in [
        (&plain, "ann@a.example", "m365 (cloud)"),
        (&plain, "ANN@A.Example", "m365 (cloud)"),
        (&plain, "ann+x@a.example", "m365 (cloud)"),
        (&plain, "prvs=0123abcdef=ann@a.example", "m365 (cloud)"),
        (&plain, "prvs=0123abcdef=ann+x@a.example", "m365 (cloud)"),
        (&plain, "bob@a.example", "exchange (house)"),
        // In a group of a directory and nowhere else.
        (&plain, "kim+x@a.example", "m365 (cloud)"),
        // A mailbox of its own, and no other's.
        (&plain, "ann+own@a.example", "nowhere"),
        (&plain, "eve@a.example", "nowhere"),
        (&plain, "eve+list@a.example", "exchange (house)"),
        (&plain, "eve+other@a.example", "nowhere"),
        (&plain, "zoe@a.example", "nowhere"),
        (&plain, "no address@a.example", "nowhere"),
        // These exist by their form.
        (&plain, "postmaster@a.example", "pass"),
        (&plain, "Abuse+x@a.example", "pass"),
        (&plain, "prvs=0123abcdef=postmaster@a.example", "pass"),
        (&plain, "bounces-1@a.example", "pass"),
        (&plain, "srs0=h=t=b.example=ann@a.example", "pass"),
        (&plain, "srs0=h=t=a.example=ann@a.example", "pass"),
        (&plain, "srs0=h=t=c.example=x@a.example", "nowhere"),
        (&other_name, "ann@alias.example", "m365 (cloud)"),
        (&other_name, "bob+x@alias.example", "exchange (house)"),
        (&other_name, "eve+list@alias.example", "exchange (house)"),
        (&other_name, "prvs=0123abcdef=ann@alias.example", "nowhere"),
        (&other_name, "zoe@alias.example", "nowhere"),
    ] {
        assert_eq!(sent(policy, rcpt).as_deref(), Some(want), "{rcpt}");
    }
    assert_eq!(sent(&plain, "ann@elsewhere.example"), None);
    assert_eq!(sent(&plain, "ann@ a.example"), None);
}

#[test]
fn the_first_rule_that_matches_wins() {
    let both: &[(&str, &[&str])] =
        &[("one", &["ann@a.example"]), ("two", &["ann@a.example", "bob@a.example"])];
    let first = |groups: [&'static str; 2]| {
        move |[m365, exchange]: [ServerId; 2]| {
            vec![
                rule("first", &groups[..1], &[], None, m365),
                rule("second", &groups[1..], &[], None, exchange),
            ]
        }
    };
    let staff = || people("ad", &["ann@a.example", "bob@a.example"], both);
    for (groups, ann, bob) in [
        (["one", "two"], "m365 (first)", "exchange (second)"),
        (["two", "one"], "m365 (first)", "m365 (first)"),
    ] {
        let policy = with(|_, _| {}, vec![staff()], first(groups));
        assert_eq!(sent(&policy, "ann@a.example").as_deref(), Some(ann), "{groups:?}");
        assert_eq!(sent(&policy, "bob@a.example").as_deref(), Some(bob), "{groups:?}");
    }
    // Neither groups nor recipients: for everyone, postmaster and opaque local parts among them.
    let policy = with(|_, _| {}, vec![staff()], |[m365, _]| vec![rule("all", &[], &[], None, m365)]);
    for rcpt in ["ann@a.example", "zoe@a.example", "postmaster@a.example", "a b@a.example"] {
        assert_eq!(sent(&policy, rcpt).as_deref(), Some("m365 (all)"), "{rcpt}");
    }
}

#[test]
fn a_rule_is_for_the_domains_that_it_names_and_their_aliases() {
    let mut servers = Servers::default();
    let m365 = servers.add(server("m365"));
    let listed = |name: &str, alias_of: Option<&str>| {
        let mut own = domain(name, Mode::Enforce);
        own.directories.clear();
        own.unrouted = Unrouted::Reject;
        own.recipients.alias_of = alias_of.map(|name| Domain::parse(name).unwrap());
        own
    };
    let domains = vec![
        listed("a.example", None),
        listed("*.a.example", None),
        listed("b.example", None),
        listed("alias.example", Some("a.example")),
    ];
    let policy = policy(domains);
    let of = |domains: &[&str]| {
        let rules = vec![rule("one", &[], &[], Some(domains), m365)];
        policy.clone().with_routing(servers.clone(), rules)
    };
    for (domains, hosts) in [
        (&["a.example"][..], &["a.example", "alias.example"][..]),
        (&["*.a.example"], &["x.a.example"]),
        (&["a.example", "*.a.example"], &["a.example", "x.a.example", "alias.example"]),
        (&["alias.example"], &["alias.example"]),
        (&["x.a.example"], &[]),
    ] {
        for host in ["a.example", "x.a.example", "b.example", "alias.example"] {
            let want = if hosts.contains(&host) { "m365 (one)" } else { "nowhere" };
            assert_eq!(
                sent(&of(domains), &format!("ann@{host}")).as_deref(),
                Some(want),
                "{domains:?} {host}"
            );
        }
    }
}

#[test]
fn unknown_is_neither_member_nor_stranger() {
    let unloaded = |name: &str| Directory { name: name.into(), recipients: None, overdue: false };
    let overdue = || Directory { overdue: true, ..staff() };
    let narrow = || {
        let served = ["b.example"].iter().map(|text| DomainPattern::parse(text).unwrap()).collect();
        let recipients = Recipients::clone(staff().recipients.as_deref().unwrap());
        Directory::loaded("ad", Recipients { served: Some(served), ..recipients })
    };
    let named = |group: &'static str| {
        move |[m365, exchange]: [ServerId; 2]| {
            vec![rule("one", &[group], &[], None, m365), rule("two", &["house"], &[], None, exchange)]
        }
    };
    for (case, directories, group, ann, bob, zoe) in [
        ("known", vec![staff()], "cloud", "m365 (one)", "exchange (two)", "nowhere"),
        (
            "unloaded",
            vec![unloaded("ad")],
            "cloud",
            "one: ad NotLoaded",
            "one: ad NotLoaded",
            "one: ad NotLoaded",
        ),
        (
            "another is unloaded",
            vec![staff(), unloaded("hr")],
            "cloud",
            "m365 (one)",
            "one: hr NotLoaded",
            "one: hr NotLoaded",
        ),
        (
            "another is unloaded, and not asked at first",
            vec![staff(), unloaded("hr")],
            "ad/cloud",
            "m365 (one)",
            "exchange (two)",
            "two: hr NotLoaded",
        ),
        (
            "of another directory",
            vec![staff(), people("hr", &[], &[("cloud", &[])])],
            "hr/cloud",
            "nowhere",
            "exchange (two)",
            "nowhere",
        ),
        (
            "nobody's directory",
            vec![staff()],
            "gone/cloud",
            "one: gone NotLoaded",
            "one: gone NotLoaded",
            "one: gone NotLoaded",
        ),
        // Old data still tell where people are; who is not in them is not refused.
        ("overdue", vec![overdue()], "cloud", "m365 (one)", "exchange (two)", "one: ad Overdue"),
        (
            "read for other domains",
            vec![narrow()],
            "cloud",
            "m365 (one)",
            "one: ad NotServed",
            "one: ad NotServed",
        ),
        ("no such group", vec![staff()], "clod", "nowhere", "exchange (two)", "nowhere"),
    ] {
        let policy = with(|_, _| {}, directories, named(group));
        for (rcpt, want) in [("ann@a.example", ann), ("bob@a.example", bob), ("zoe@a.example", zoe)] {
            assert_eq!(sent(&policy, rcpt).as_deref(), Some(want), "{case} {rcpt}");
        }
    }
}

#[test]
fn where_nobody_is_routed() {
    let exchange = |both: [ServerId; 2]| Unrouted::Server(both[1]);
    type Chosen = fn([ServerId; 2]) -> Unrouted;
    let cases: [(&str, Chosen, RecipientMode, &str, &str); 6] = [
        ("reject", |_| Unrouted::Reject, RecipientMode::Check, "nowhere", "pass"),
        ("pass", |_| Unrouted::Pass, RecipientMode::Check, "pass", "pass"),
        ("a server", exchange, RecipientMode::Check, "exchange", "exchange"),
        ("reject, unchecked", |_| Unrouted::Reject, RecipientMode::Off, "nowhere", "pass"),
        ("reject, learning", |_| Unrouted::Reject, RecipientMode::Learn, "pass", "pass"),
        ("a server, learning", exchange, RecipientMode::Learn, "exchange", "exchange"),
    ];
    for (case, unrouted, mode, eve, postmaster) in cases {
        let change = |own: &mut DomainPolicy, both| {
            own.unrouted = unrouted(both);
            own.recipients.mode = mode;
        };
        let policy = with(change, vec![staff()], usual);
        for (rcpt, want) in
            [("eve@a.example", eve), ("postmaster@a.example", postmaster), ("ann@a.example", "m365 (cloud)")]
        {
            assert_eq!(sent(&policy, rcpt).as_deref(), Some(want), "{case} {rcpt}");
        }
    }
}

/// What a decision says of the route: its answer, its verdict, its words.
fn decided(policy: &Policy, rcpt: &str) -> (Option<(Answer, Verdict, String)>, Reason, Verdict) {
    let decision = recipient(policy, &session(GATEWAY), &to(rcpt));
    let finding = decision.findings.iter().find(|finding| finding.check == Check::Route);
    (finding.map(|f| (f.answer, f.verdict, f.rule.to_string())), decision.reason, decision.applied)
}

#[test]
fn the_route_is_checked_after_the_recipient() {
    let unloaded = Directory { name: "hr".into(), recipients: None, overdue: false };
    let with_unloaded = |both: [ServerId; 2]| {
        let mut rules = usual(both);
        rules.push(rule("late", &["hr/late"], &[], None, both[0]));
        rules
    };
    let tagging = |own: &mut DomainPolicy, _| own.verdicts.route = Verdict::Tag;
    let elsewhere = |own: &mut DomainPolicy, both: [ServerId; 2]| own.unrouted = Unrouted::Server(both[1]);
    let passing = |own: &mut DomainPolicy, _| own.unrouted = Unrouted::Pass;
    let lenient = |own: &mut DomainPolicy, _| own.verdicts.recipient = Verdict::Accept;
    let plain = with(|_, _| {}, vec![staff()], usual);
    let late = with(
        |own, _| {
            own.directories.truncate(1);
        },
        vec![staff(), unloaded],
        with_unloaded,
    );
    const CLOUD: &str = "route cloud leads to server m365";
    const NONE: &str = "no route is for the recipient";
    for (case, policy, rcpt, want, reason, applied) in [
        (
            "routed",
            &plain,
            "ann+x@a.example",
            Some((Answer::Yes, Verdict::Accept, CLOUD)),
            Reason::Passed,
            Verdict::Accept,
        ),
        (
            "no route",
            &plain,
            "eve@a.example",
            Some((Answer::No, Verdict::Reject, NONE)),
            Reason::NoRoute,
            Verdict::Reject,
        ),
        ("nobody", &plain, "zoe@a.example", None, Reason::RecipientUnknown, Verdict::Reject),
        (
            "postmaster",
            &plain,
            "postmaster@a.example",
            Some((Answer::Yes, Verdict::Accept, "no route is for the recipient, so the MTA's own holds")),
            Reason::Passed,
            Verdict::Accept,
        ),
        (
            "unknown",
            &late,
            "eve@a.example",
            Some((
                Answer::Unknown,
                Verdict::Defer,
                "route cloud may be for the recipient: directory hr is not loaded yet",
            )),
            Reason::NotReady,
            Verdict::Defer,
        ),
        (
            "known before that",
            &late,
            "ann@a.example",
            Some((Answer::Yes, Verdict::Accept, CLOUD)),
            Reason::Passed,
            Verdict::Accept,
        ),
        (
            "a weaker verdict",
            &with(tagging, vec![staff()], usual),
            "eve@a.example",
            Some((Answer::No, Verdict::Tag, NONE)),
            Reason::NoRoute,
            Verdict::Tag,
        ),
        (
            "a server for the rest",
            &with(elsewhere, vec![staff()], usual),
            "eve@a.example",
            Some((
                Answer::Yes,
                Verdict::Accept,
                "no route is for the recipient, and what is unrouted goes to server exchange",
            )),
            Reason::Passed,
            Verdict::Accept,
        ),
        (
            "nobody, who is let in",
            &with(lenient, vec![staff()], usual),
            "zoe@a.example",
            Some((Answer::No, Verdict::Reject, NONE)),
            Reason::NoRoute,
            Verdict::Reject,
        ),
        (
            "no rules",
            &with(passing, vec![staff()], |_| Vec::new()),
            "eve@a.example",
            None,
            Reason::Passed,
            Verdict::Accept,
        ),
        (
            "no rules of this domain",
            &with(passing, vec![staff()], |both| vec![rule("b", &[], &[], Some(&["b.example"]), both[0])]),
            "eve@a.example",
            None,
            Reason::Passed,
            Verdict::Accept,
        ),
    ] {
        let (finding, found, verdict) = decided(policy, rcpt);
        let want = want.map(|(answer, verdict, text)| (answer, verdict, text.to_owned()));
        assert_eq!((finding, found, verdict), (want, reason, applied), "{case}");
    }
    let refused = recipient(&plain, &session(GATEWAY), &to("eve@a.example")).reply.unwrap().to_string();
    assert!(refused.starts_with("550 5.1.1 There is no mailbox for this recipient."), "{refused}");
    // A stranger learns nothing of it, and an internal client is not asked.
    for (client, reason) in [(STRANGER, Reason::SourceNotGateway), (Some("10.0.0.1"), Reason::Internal)] {
        assert_eq!(recipient(&plain, &session(client), &to("eve@a.example")).reason, reason, "{client:?}");
    }
}

/// Who is unknown is accepted where the domain learns, routes or not, and learned.
#[test]
fn rules_do_not_keep_anyone_from_being_learned() {
    let learning = |own: &mut DomainPolicy, _| own.recipients.mode = RecipientMode::Learn;
    let policy = with(learning, vec![staff()], usual);
    let decision = recipient(&policy, &session(GATEWAY), &to("zoe@a.example"));
    assert_eq!(decision.applied, Verdict::Accept, "{decision:?}");
    assert_eq!(
        learned(&decision, None).map(|learned| learned.address.to_string()).as_deref(),
        Some("zoe@a.example")
    );
}

#[test]
fn every_rule_is_explained() {
    let hr = Directory { name: "hr".into(), recipients: None, overdue: false };
    let old = Directory { overdue: true, ..people("old", &[], &[("relics", &[])]) };
    let policy = with(
        |_, _| {},
        vec![staff(), hr, old],
        |[m365, exchange]| {
            vec![
                rule("b", &[], &[], Some(&["b.example"]), m365),
                rule("named", &[], &["bob@a.example"], None, exchange),
                rule("relics", &["old/relics"], &[], None, exchange),
                rule("cloud", &["ad/house", "ad/cloud"], &[], None, m365),
                rule("late", &["hr/late"], &[], None, m365),
                rule("all", &[], &[], Some(&["a.example"]), exchange),
            ]
        },
    );
    let explained = |rcpt: &str| -> Vec<String> {
        let all = explain_route(&policy, &to(rcpt)).unwrap();
        all.iter().map(|one| format!("{} {}: {}", one.route, one.answer.as_str(), one.why)).collect()
    };
    assert_eq!(
        explained("ann+x@a.example"),
        [
            "b no: for other domains",
            "named no: for other recipients",
            "relics no: for other recipients when last known: directory old is older than its max_age",
            "cloud yes: in group cloud of directory ad, as ann@a.example",
            "late unknown: group late cannot be asked: directory hr is not loaded yet",
            "all yes: for everyone",
        ]
    );
    assert_eq!(explained("bob@a.example")[1], "named yes: among its recipients");
    assert!(explain_route(&policy, &to("ann@elsewhere.example")).is_none());
}
