// SPDX-License-Identifier: GPL-3.0-or-later
//! What is compiled in is right, complete and dated, and MX hosts lead to it.

use super::*;
use crate::config::Problems;
use crate::config::settings::FeedFormat;

fn all() -> Providers {
    Providers::built_in()
}

#[test]
fn every_file_is_right_and_has_its_place() {
    let mut problems = Problems::default();
    let read = built_in::read(&mut problems);
    assert!(problems.is_empty(), "{}", problems.render(false));
    assert_eq!(read.len(), built_in::FILES.len(), "two files with one name");
    for ((file, _), provider) in built_in::FILES.iter().zip(&read) {
        assert_eq!(*file, format!("{}.toml", provider.name), "each file is called as its provider, in order");
    }
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/providers");
    let on_disk = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let on_disk = on_disk.filter(|path| path.extension().is_some_and(|e| e == "toml")).count();
    assert_eq!(on_disk, read.len(), "a file is not compiled in");
}

#[test]
fn every_fact_has_source_date_and_certainty() {
    let mut count = 0;
    for provider in all().iter() {
        assert!(!provider.regions.is_empty(), "{}", provider.name);
        for region in &provider.regions {
            assert!(!region.facts.is_empty(), "{}", region.written);
            for fact in region.facts.iter().chain(&region.unverified) {
                count += 1;
                assert!(fact.source.len() > 5 && fact.date.len() == 10, "{}: {fact:?}", region.written);
            }
            assert!(region.facts.iter().all(|fact| fact.certainty > Certainty::Low), "{}", region.written);
            assert!(
                region.unverified.iter().all(|fact| fact.certainty == Certainty::Low),
                "{}",
                region.written
            );
            let customer = region.needs_customer().then_some("customer.example");
            let resolved = region.resolve(customer);
            let addresses = !resolved.sources.is_empty() || !resolved.networks.is_empty();
            assert_eq!(addresses, region.has_addresses(), "{}", region.written);
            assert!(resolved.networks.iter().all(|net| net.prefix_len() >= 16), "{}", region.written);
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn the_products_that_postern_follows_are_there() {
    for (written, want) in [
        ("trend-micro/us", "spf-us.tmes.trendmicro.com"),
        ("trend-micro/eu", "spf.tmes.trendmicro.eu"),
        ("trend-micro/anz", "spf.tmes-anz.trendmicro.com"),
        ("trend-micro/jp", "spf.tmems-jp.trendmicro.com"),
        ("trend-micro/sg", "spf.tmes-sg.trendmicro.com"),
        ("trend-micro/in", "spf.tmes-in.trendmicro.com"),
        ("trend-micro/uae", "spf.tmes-uae.trendmicro.com"),
        ("trend-micro/uk", "spf.tmes-uk.trendmicro.com"),
        ("trend-micro/ca", "spf.tmes-ca.trendmicro.com"),
        ("trend-micro/za", "spf.tmes-za.trendmicro.com"),
        ("trend-micro/id", "spf.tmes-id.trendmicro.com"),
        ("trend-micro/all", "spf.tmes.trendmicro.com"),
        ("trend-micro/hes", "spf.hes.trendmicro.com"),
        ("mailmarshal/au", "spf.au.mailmarshal.cloud"),
        ("trustwave/eu", "spf.eu.mailmarshal.cloud"),
        ("LevelBlue/US", "spf.us.mailmarshal.cloud"),
        ("check-point/relay", "spfa.cpmails.com"),
        ("check-point/managed", "code.spf.checkpoint-spf.com"),
        ("microsoft-365/worldwide", "spf.protection.outlook.com"),
        ("microsoft-365/gcc-high", "spf.protection.office365.us"),
        ("proofpoint", "%{ir}.%{v}.code.spf.has.pphosted.com"),
        ("cisco", "exists:%{i}.spf.code.iphmx.com"),
        ("zerospam", ""),
    ] {
        let providers = all();
        let region = providers.find(written).unwrap_or_else(|| panic!("{written}"));
        let source = match region.resolve(Some("code")).sources.as_slice() {
            [AddressSource::Spf(name)] => name.to_string(),
            _ => String::new(),
        };
        assert_eq!(source, want, "{written}");
    }
}

#[test]
fn what_a_region_comes_to() {
    let providers = all();
    let resolve = |written: &str, customer| providers.find(written).unwrap().resolve(customer);
    let marshal = resolve("mailmarshal/eu", None);
    assert_eq!(marshal.certificate, [CertificatePattern::parse("*.eu.mailmarshal.cloud").unwrap()]);
    assert!(marshal.shared);
    let cisco = resolve("cisco", Some("hc123-45.eu"));
    assert!(!cisco.shared && cisco.certificate[0].matches("mx1.hc123-45.eu.iphmx.com"), "{cisco:?}");
    assert!(resolve("cisco", None).sources.is_empty());
    let feed = resolve("microsoft-365/worldwide-feed", None);
    let [AddressSource::Feed(feed)] = feed.sources.as_slice() else { panic!("{feed:?}") };
    assert_eq!(feed.format, FeedFormat::Microsoft);
    let sophos = providers.find("sophos/all").unwrap();
    assert!(sophos.resolve(None).certificate.is_empty());
    assert_eq!(sophos.alternative_names().collect::<Vec<_>>(), ["*.prod.hydra.sophos.com"]);
    // The same provider, named by two gateways, is one source.
    assert_eq!(resolve("mimecast/eu", None).sources, resolve("MIMECAST/EU", None).sources);
}

#[test]
fn mx_hosts_lead_to_providers() {
    let providers = all();
    for (host, want) in [
        ("example-com.mail.protection.outlook.com", Some("microsoft-365/worldwide")),
        ("example-com.p-v1.mx.microsoft.", Some("microsoft-365/worldwide")),
        ("mx1.us.mailmarshal.cloud", None),
        ("mx.us.mailmarshal.cloud", Some("mailmarshal/us")),
        ("1234.MX.EU.mailmarshal.cloud", Some("mailmarshal/eu")),
        ("a.seg.trustwave.com", Some("mailmarshal")),
        ("example.in.tmes-sg.trendmicro.com", Some("trend-micro/sg")),
        ("example.in.tmes.trendmicro.com", Some("trend-micro/us")),
        ("example.in.tmes.trendmicro.eu", Some("trend-micro/eu")),
        ("mxa-00123.gslb.pphosted.com", Some("proofpoint")),
        ("mx1-us1.ppe-hosted.com", Some("proofpoint-essentials")),
        ("eu-smtp-inbound-1.mimecast.com", Some("mimecast")),
        ("d123.a.ess.uk.barracudanetworks.com", Some("barracuda/uk")),
        ("d123.a.ess.barracudanetworks.com", Some("barracuda/us")),
        ("mx1.hc123-45.eu.iphmx.com", Some("cisco")),
        ("cluster1.eu.messagelabs.com", Some("messagelabs")),
        ("cust123.in.mailcontrol.com", Some("forcepoint")),
        ("mx-01-eu-west-1.prod.hydra.sophos.com", Some("sophos")),
        ("mx01.hornetsecurity.com", Some("hornetsecurity")),
        ("mx1.mtaroutes.com", Some("n-able")),
        ("gw.fortimailcloud.com", Some("fortimail-cloud")),
        ("a.esvacloud.com", Some("libraesva")),
        ("notpphosted.com", None),
        ("pphosted.com.evil.example", None),
        ("mail.example.com", None),
        ("", None),
        ("a b", None),
    ] {
        let found = providers.suggest(host).map(|found| match found.region {
            Some(region) => region.written.to_string(),
            None => found.provider.name.to_string(),
        });
        assert_eq!(found.as_deref(), want, "{host}");
    }
}
