// SPDX-License-Identifier: GPL-3.0-or-later
//! What is written about gateways, DNS and reputation comes out as checked values.

use super::*;
use crate::policy::{OnReturn, OnScannerDown, Require, ReverseRule, TlsWish, Verdict};
use std::time::Duration;

fn example(name: &str) -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut problems = Problems::default();
    let config = read(&path, &mut problems).unwrap().unwrap();
    assert!(!problems.has_errors(), "{}", problems.render(false));
    config
}

fn gateway<'a>(config: &'a Config, name: &str) -> &'a Gateway {
    config.gateways.iter().find(|gateway| &*gateway.name == name).unwrap()
}

fn factors(address: bool, certificate: bool, header: bool) -> Require {
    Require::All { address, certificate, header }
}

#[test]
fn gateways_come_out_as_they_are_written() {
    let config = example("full.toml");
    let tmes = gateway(&config, "tmes");
    assert_eq!((tmes.networks.len(), tmes.sources.len(), tmes.require), (2, 0, factors(true, false, false)));
    assert_eq!((tmes.guard, tmes.behind, tmes.accept_private), (Guard::default(), None, false));

    let cloud = gateway(&config, "cloud");
    assert_eq!(cloud.provider.as_deref(), Some("mailmarshal/eu"));
    assert_eq!(cloud.sources, [AddressSource::Spf("spf.eu.mailmarshal.cloud".into())]);
    assert_eq!(cloud.certificate[0].as_str(), "*.eu.mailmarshal.cloud");
    assert_eq!((cloud.require, cloud.behind), (factors(true, true, false), Some(Verdict::Tag)));
    assert_eq!(cloud.guard, Guard { removal_hold: Duration::from_secs(72 * 3600), max_shrink: 30 });
    assert_eq!(cloud.subset_of.len(), 3);

    let other = gateway(&config, "other");
    assert_eq!((other.require, other.certificate.len()), (factors(true, true, false), 2));
    let [
        AddressSource::Spf(flat),
        AddressSource::Spf(live),
        AddressSource::Host(host),
        AddressSource::Feed(feed),
    ] = other.sources.as_slice()
    else {
        panic!("{:?}", other.sources)
    };
    assert_eq!((&**flat, host.as_str()), ("spf.example.com", "dispatch.example.com"));
    assert_eq!(&**live, "%{ir}.%{v}.example.com.spf.example.net");
    // The SHA-256 of nothing.
    assert_eq!((feed.format, feed.pins[0][..4].to_vec()), (FeedFormat::Json, vec![0xe3, 0xb0, 0xc4, 0x42]));
}

#[test]
fn gateways_of_one_provider_ask_the_same_sources() {
    let config = example("gateways.toml");
    let container = gateway(&config, "container");
    assert!(container.accept_private && container.sources.is_empty());
    let asked = &gateway(&config, "proofpoint").sources;
    assert_eq!(asked, &[AddressSource::Spf("%{ir}.%{v}.example.com.spf.has.pphosted.com".into())]);
    let other = config.providers.find("proofpoint-enterprise").unwrap().resolve(Some("example.com"));
    assert_eq!(&other.sources, asked);
}

#[test]
fn dns_and_reputation_come_out_as_they_are_written() {
    let Config { dns, reputation, .. } = example("full.toml");
    let servers: Vec<String> = dns.servers.iter().map(ToString::to_string).collect();
    assert_eq!((servers, dns.dnssec), (vec!["127.0.0.1:53".to_owned(), "[::1]:53".to_owned()], false));
    let zones: Vec<_> = reputation.zones.iter().map(|zone| (zone.zone.as_str(), zone.weight)).collect();
    assert_eq!(zones, [("zen.example.org", 1), ("bl.example.org", 2)]);
    assert_eq!((reputation.threshold, reputation.reverse), (2, ReverseRule::Confirmed));
    assert_eq!(reputation.rule().threshold, 2);

    let minimal = example("minimal.toml");
    assert_eq!((minimal.dns, minimal.reputation.rule().threshold), (Dns::default(), 0));
}

#[test]
fn where_mail_goes_comes_out_as_it_is_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/routing.toml");
    let mut problems = Problems::default();
    let Config { servers, routes, domains, scan, .. } = read(&path, &mut problems).unwrap().unwrap();
    // Its password is kept elsewhere.
    let others = problems.iter().filter(|problem| !problem.message.contains("ldap-password")).count();
    assert_eq!(others, 0, "{}", problems.render(false));
    let servers: Vec<_> = servers
        .iter()
        .map(|server| {
            let hosts: Vec<String> = server.hosts.iter().map(ToString::to_string).collect();
            let names = match &server.tls {
                TlsWish::Verify(names) => names.iter().map(ToString::to_string).collect(),
                TlsWish::May | TlsWish::Encrypt | TlsWish::Dane => Vec::new(),
            };
            (&*server.name, server.kind, hosts.join(" "), names.join(" "), server.health)
        })
        .collect();
    let text = str::to_owned;
    let exchange = "ex1.example.com ex2.example.com";
    let (cloud, tenant) = ("*.mail.protection.outlook.com", "example-com.mail.protection.outlook.com");
    let half_a_minute = Some(Duration::from_secs(30));
    assert_eq!(
        servers,
        [
            ("cloud", ServerKind::Microsoft365, text(tenant), text(cloud), None),
            ("exchange", ServerKind::Exchange, text(exchange), text(exchange), half_a_minute),
            ("scanner", ServerKind::Smtp, text("relay.scanner.example"), text("relay.scanner.example"), None),
        ]
    );
    let routes: Vec<_> = routes
        .iter()
        .map(|route| {
            let groups: Vec<_> =
                route.groups.iter().map(|group| (group.directory.as_deref(), &*group.name)).collect();
            (&*route.name, groups, route.recipients.len(), route.domains.as_ref().map(Vec::len), &*route.to)
        })
        .collect();
    assert_eq!(
        routes,
        [
            ("printers", vec![], 2, None, "exchange"),
            ("moved", vec![(None, "mailboxes in the cloud")], 0, Some(1), "cloud"),
            ("partners", vec![(Some("ad"), "partners")], 0, Some(1), "exchange"),
        ]
    );
    let domain = |name: &str| domains.iter().find(|domain| domain.pattern.to_string() == name).unwrap();
    for name in ["example.com", "example.org"] {
        let Domain { unrouted, scan, .. } = domain(name);
        assert_eq!(*unrouted, Some(Unrouted::Server("exchange".into())), "{name}");
        let DomainScan { via, gateway, on_return, valid, on_scanner_down, place: _ } = scan.as_ref().unwrap();
        assert_eq!((&**via, &**gateway, valid.as_secs()), ("scanner", "scanner", 4 * 3600), "{name}");
        assert_eq!((*on_return, *on_scanner_down), (OnReturn::Token, OnScannerDown::Wait), "{name}");
    }
    assert_eq!(domain("example.net").unrouted, Some(Unrouted::Reject));
    assert_eq!(scan.rotate.as_secs(), 30 * 24 * 3600);
}
