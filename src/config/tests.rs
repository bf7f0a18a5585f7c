// SPDX-License-Identifier: GPL-3.0-or-later
//! What is written about gateways, DNS and reputation comes out as checked values.

use super::*;
use crate::policy::{Require, ReverseRule, Verdict};
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
