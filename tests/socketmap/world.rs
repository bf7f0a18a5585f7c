// SPDX-License-Identifier: GPL-3.0-or-later
//! A small policy that has a domain, a gateway, a server and a rule of every kind that tables tell apart.

use postern::mail::{
    CertificatePattern, Domain, DomainPattern, DomainTable, Mailbox, MailboxSetBuilder, Network, NextHop,
};
use postern::policy::{
    Addresses, Directories, Directory, DomainPolicy, Gateway, Gateways, GroupName, Internal, LiveName,
    LoopRule, Mode, Policy, RecipientMode, RecipientRules, Recipients, Replies, Reputation, Require, Route,
    Server, Servers, Source, TlsWish, Unlisted, Unrouted, Verdict, Verdicts,
};
use std::sync::Arc;

/// Recipients that directory `staff` knows in each domain: `ann` is in group `hq`, `bob` in `cloud`, `eve` in none.
const STAFF: [&str; 3] = ["ann", "bob", "eve"];
/// Domains with rules: mail for `hq` goes to server `exchange`, for `cloud` to `cloud`.
const ROUTED: [&str; 4] = ["a.example", "soft.example", "monitor.example", "tagged.example"];

fn mailboxes<'a>(addresses: impl IntoIterator<Item = &'a str>) -> MailboxSetBuilder {
    let mut builder = MailboxSetBuilder::new();
    for address in addresses {
        builder.insert(&Mailbox::parse_strict(address).unwrap());
    }
    builder
}

/// These users in every domain.
fn everywhere(users: &[&str]) -> MailboxSetBuilder {
    let addresses = |user: &&str| DOMAINS.map(|(domain, _)| format!("{user}@{domain}"));
    let addresses: Vec<String> = users.iter().flat_map(addresses).collect();
    mailboxes(addresses.iter().map(String::as_str))
}

const DOMAINS: [(&str, Mode); 14] = [
    ("a.example", Mode::Enforce),
    ("soft.example", Mode::Soft),
    ("monitor.example", Mode::Monitor),
    ("off.example", Mode::Inactive),
    ("tagged.example", Mode::Enforce),
    ("deferred.example", Mode::Enforce),
    ("late.example", Mode::Enforce),
    ("late-monitor.example", Mode::Monitor),
    ("learning.example", Mode::Enforce),
    ("unchecked.example", Mode::Enforce),
    ("whole.example", Mode::Enforce),
    ("xn--bcher-kva.example", Mode::Enforce),
    ("one.example", Mode::Enforce),
    ("default.example", Mode::Enforce),
];

fn networks(texts: &[&str]) -> postern::mail::NetworkSet {
    texts.iter().map(|text| Network::parse(text).unwrap().network).collect()
}

fn gateways() -> (Gateways, Source) {
    let mut gateways = Gateways::default();
    let seg = gateways.add(Gateway::by_networks("seg", networks(&["192.0.2.0/24", "2001:db8:1::/48"])));
    let by = |name: &str, addresses: Addresses| Gateway {
        addresses: Some(addresses),
        ..Gateway::by_networks(name, networks(&[]))
    };
    let loading = Addresses { bounds: networks(&["203.0.113.0/25"]), ..Addresses::default() };
    let loading = gateways.add(by("loading", loading));
    let live = Addresses {
        live: [LiveName::new("spf.example")].into(),
        bounds: networks(&["203.0.113.128/25"]),
        complete: true,
        ..Addresses::default()
    };
    let live = gateways.add(by("live", live));
    let certified = gateways.add(Gateway {
        addresses: None,
        certificate: [CertificatePattern::parse("mail.seg.example").unwrap()].into(),
        require: Require::Any,
        ..Gateway::by_networks("certified", networks(&[]))
    });
    // Nobody's.
    gateways.add(Gateway::by_networks("unused", networks(&["100.64.0.0/10"])));
    (gateways, Source::Gateways(vec![seg, loading, live, certified]))
}

fn server(name: &str, hosts: &[&str], tls: TlsWish) -> Server {
    let hosts = hosts.iter().map(|host| NextHop::parse(host).unwrap()).collect();
    Server { name: name.into(), hosts, tls, down: false }
}

fn verify(names: &[&str]) -> TlsWish {
    TlsWish::Verify(names.iter().map(|name| CertificatePattern::parse(name).unwrap()).collect())
}

/// The policy.
pub(crate) fn policy() -> Policy {
    let (gateways, source) = gateways();
    let mut directories = Directories::default();
    let mut known = everywhere(&STAFF);
    for address in ["\"a b\"@a.example", "josé@xn--bcher-kva.example"] {
        known.insert(&Mailbox::parse_strict(address).unwrap());
    }
    known.insert_domain(Domain::parse("whole.example").unwrap());
    let groups = [("hq", "ann"), ("cloud", "bob")].map(|(group, user)| {
        let mut members = everywhere(&[user]);
        members.insert(&Mailbox::parse_strict("\"a b\"@a.example").unwrap());
        (Arc::<str>::from(group), members.build())
    });
    let staff = Recipients { groups: groups.into(), ..known.build().into() };
    let staff = directories.add(Directory::loaded("staff", staff));
    let late = directories.add(Directory { name: "late".into(), recipients: None, overdue: false });

    let mut servers = Servers::default();
    let exchange = ["ex1.corp.example", "ex2.corp.example:2525", "[2001:db8::9]"];
    let exchange =
        servers.add(server("exchange", &exchange, verify(&["*.corp.example", "mail.example.com"])));
    let cloud = ["mx:a-example.mail.protection.outlook.com"];
    let cloud = servers.add(server("cloud", &cloud, TlsWish::Dane));
    let plain = servers.add(server("plain", &["192.0.2.200:2525", "192.0.2.201:2525"], TlsWish::May));
    servers.add(server("strict", &["192.0.2.201:2525"], TlsWish::Encrypt));
    servers.add(server("odd", &["odd.example"], verify(&["Any Company: mail"])));

    let group = |name: &str| {
        let (directory, name) = name.split_once('/').unwrap();
        GroupName { directory: Some(directory.into()), name: name.into() }
    };
    let rule = |name: &str, groups: &[&str], domains: &[&str], to| Route {
        name: name.into(),
        groups: groups.iter().map(|name| group(name)).collect(),
        recipients: Arc::new(MailboxSetBuilder::new().build()),
        domains: Some(domains.iter().map(|domain| DomainPattern::parse(domain).unwrap()).collect()),
        to,
    };
    let rules = vec![
        rule("hq", &["staff/hq"], &ROUTED, exchange),
        rule("cloud", &["staff/cloud"], &ROUTED, cloud),
        rule("late", &["late/hq"], &["late.example", "late-monitor.example"], exchange),
        rule("one", &[], &["one.example"], plain),
        rule("all-the-same", &["staff/hq"], &["default.example"], plain),
    ];

    let mut table = DomainTable::default();
    for (name, mode) in DOMAINS.into_iter().chain([("*.below.example", Mode::Enforce)]) {
        let pattern = DomainPattern::parse(name).unwrap();
        let verdict = match name {
            "tagged.example" => Verdict::Tag,
            "deferred.example" => Verdict::Defer,
            _ => Verdict::Reject,
        };
        let verdicts = Verdicts { recipient: verdict, route: verdict, ..Verdicts::default() };
        let mode_of_recipients =
            if name == "learning.example" { RecipientMode::Learn } else { RecipientMode::Check };
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode,
            source: source.clone(),
            directories: match name {
                "late.example" | "late-monitor.example" => vec![late],
                "unchecked.example" | "*.below.example" => vec![],
                _ => vec![staff],
            },
            subaddress: "+".into(),
            recipients: RecipientRules { mode: mode_of_recipients, ..RecipientRules::default() },
            unrouted: match name {
                "default.example" => Unrouted::Server(plain),
                "late.example" | "late-monitor.example" => Unrouted::Reject,
                name if ROUTED.contains(&name) => Unrouted::Reject,
                _ => Unrouted::Pass,
            },
            scan: None,
            verdicts,
            replies: Replies::default(),
        };
        table.insert(pattern, Arc::new(domain));
    }
    let internal = Internal { networks: networks(&["10.0.0.0/8"]), authenticated: true };
    Policy::new(
        internal,
        Unlisted::default(),
        table,
        gateways,
        directories,
        LoopRule::default(),
        Reputation::default(),
    )
    .with_routing(servers, rules)
}
