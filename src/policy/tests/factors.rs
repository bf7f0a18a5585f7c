// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways known by more than an address, as tables: what each factor says, and what they come to together.

use super::*;
use crate::mail::{
    CertificateFingerprint, CertificateFingerprints, CertificatePattern, ClientCertificate, Secret,
};

/// A gateway that has every factor.
pub(super) fn full(name: &str, require: Require) -> Gateway {
    Gateway {
        certificate: [CertificatePattern::parse("*.seg.example").unwrap()].into(),
        header: Some(HeaderFactor {
            name: "X-Seg-Id".into(),
            secrets: [Secret::new(*b"old-secret"), Secret::new(*b"new-secret")].into(),
        }),
        require,
        ..Gateway::by_networks(name, networks(&["192.0.2.0/24"]))
    }
}

fn all(address: bool, certificate: bool, header: bool) -> Require {
    Require::All { address, certificate, header }
}

/// A policy in which a.example is enforced behind these gateways.
pub(super) fn behind_gateways(gateways: Vec<Gateway>) -> Policy {
    let mut placed = Gateways::default();
    let ids = gateways.into_iter().map(|gateway| placed.add(gateway)).collect();
    let mut own = domain("a.example", Mode::Enforce);
    own.source = Source::Gateways(ids);
    policy(vec![own]).with_gateways(placed)
}

pub(super) fn client(address: Option<&str>, certificate: &ClientCertificate) -> Session {
    let mut session = session(address);
    session.client.certificate = certificate.clone();
    session
}

fn trusted(name: &str) -> ClientCertificate {
    ClientCertificate::Trusted(name.into())
}

pub(super) fn lines(policy: &Policy, lines: &[(&str, &str)]) -> HeaderFacts {
    let mut facts = HeaderFacts::default();
    for (name, value) in lines {
        facts.note(name.as_bytes(), value.as_bytes(), policy.watch());
    }
    facts
}

fn source_rule(decision: &Decision) -> String {
    let finding = decision.findings.iter().find(|finding| finding.check == Check::Source);
    finding.map(|finding| finding.rule.to_string()).unwrap_or_default()
}

const YES: (Reason, Verdict) = (Reason::Passed, Verdict::Accept);
const NO: (Reason, Verdict) = (Reason::SourceNotGateway, Verdict::Reject);
const UNKNOWN: (Reason, Verdict) = (Reason::NotReady, Verdict::Defer);

type Row<'a> = (Require, Option<&'a str>, &'a ClientCertificate, (Reason, Verdict), &'a str);

fn judge(rows: &[Row<'_>]) {
    for &(require, address, certificate, want, rule) in rows {
        let policy = behind_gateways(vec![full("seg", require)]);
        let decision = recipient(&policy, &client(address, certificate), &to("ann@a.example"));
        let input = format!("{require:?} {address:?} {certificate:?}");
        assert_eq!((decision.reason, decision.applied), want, "{input}");
        assert_eq!(source_rule(&decision), rule, "{input}");
        assert_eq!(decision.gateway().is_some(), want == YES, "{input}");
    }
}

#[test]
fn an_address_and_a_certificate() {
    use ClientCertificate::{None as Missing, Unclear, Untrusted};
    let (ours, other) = (trusted("mx1.seg.example"), trusted("mx1.other.example"));
    judge(&[
        (all(true, false, false), GATEWAY, &Missing, YES, "client is in 192.0.2.0/24 of gateway seg"),
        (all(true, false, false), STRANGER, &ours, NO, "client is in no network of the domain's gateways"),
        (all(true, false, false), None, &ours, UNKNOWN, "client's address is unknown"),
        (
            all(true, true, false),
            GATEWAY,
            &ours,
            YES,
            "client is in 192.0.2.0/24 of gateway seg, and its certificate has the name *.seg.example",
        ),
        (
            all(true, true, false),
            GATEWAY,
            &other,
            NO,
            "client is in 192.0.2.0/24 of gateway seg, but its certificate is not one of the gateway's",
        ),
        (
            all(true, true, false),
            GATEWAY,
            &Missing,
            NO,
            "client is in 192.0.2.0/24 of gateway seg, but it shows no trusted certificate",
        ),
        (
            all(true, true, false),
            GATEWAY,
            &Untrusted,
            NO,
            "client is in 192.0.2.0/24 of gateway seg, but its certificate is not trusted",
        ),
        (
            all(true, true, false),
            GATEWAY,
            &Unclear,
            UNKNOWN,
            "client is in 192.0.2.0/24 of gateway seg, but it is unclear whether its certificate is trusted",
        ),
        (
            all(true, true, false),
            STRANGER,
            &ours,
            NO,
            "client is in no network of gateway seg, but its certificate has the name *.seg.example",
        ),
        // A no is a no, whatever else is unknown.
        (
            all(true, true, false),
            STRANGER,
            &Unclear,
            NO,
            "client is in no network of gateway seg, but it is unclear whether its certificate is trusted",
        ),
        (
            all(true, true, false),
            None,
            &other,
            NO,
            "client's address is unknown, for gateway seg, but its certificate is not one of the gateway's",
        ),
        (all(true, true, false), None, &ours, UNKNOWN, "client's address is unknown"),
    ]);
}

#[test]
fn an_address_or_a_certificate() {
    use ClientCertificate::{None as Missing, Unclear};
    let (ours, other) = (trusted("mx1.seg.example"), trusted("mx1.other.example"));
    judge(&[
        (
            all(false, true, false),
            None,
            &ours,
            YES,
            "client held against gateway seg: its certificate has the name *.seg.example",
        ),
        (
            all(false, true, false),
            GATEWAY,
            &Missing,
            NO,
            "client held against gateway seg: it shows no trusted certificate",
        ),
        (Require::Any, GATEWAY, &other, YES, "client is in 192.0.2.0/24 of gateway seg"),
        (
            Require::Any,
            STRANGER,
            &trusted("*.seg.example"),
            YES,
            "client is in no network of gateway seg, but its certificate has the name *.seg.example",
        ),
        (
            Require::Any,
            STRANGER,
            &other,
            NO,
            "client is in no network of gateway seg, and its certificate is not one of the gateway's",
        ),
        (
            Require::Any,
            STRANGER,
            &Unclear,
            UNKNOWN,
            "client is in no network of gateway seg, but it is unclear whether its certificate is trusted",
        ),
        (Require::Any, None, &other, UNKNOWN, "client's address is unknown"),
        // Nothing strong is required: then nothing is enough.
        (all(false, false, true), GATEWAY, &ours, NO, "client is in no network of the domain's gateways"),
        (all(false, false, false), GATEWAY, &ours, NO, "client is in no network of the domain's gateways"),
    ]);
}

#[test]
fn a_gateway_without_what_it_must_show_is_nobody() {
    let bare = |require| {
        Gateway { addresses: None, ..Gateway::by_networks("seg", networks(&[])) }.requiring(require)
    };
    for require in [all(true, false, false), all(true, true, false), all(false, true, false), Require::Any] {
        let policy = behind_gateways(vec![bare(require)]);
        let decision = recipient(&policy, &client(GATEWAY, &trusted("mx.seg.example")), &to("ann@a.example"));
        assert_eq!((decision.reason, decision.applied), NO, "{require:?}");
    }
    let headless = Gateway { header: None, ..full("seg", all(true, false, true)) };
    let policy = behind_gateways(vec![headless]);
    let decision = recipient(&policy, &session(GATEWAY), &to("ann@a.example"));
    let facts = lines(&policy, &[("X-Seg-Id", "old-secret")]);
    let by_headers = headers(&policy, &[&decision], &facts).unwrap();
    assert_eq!((by_headers.reason, by_headers.applied), NO);
}

impl Gateway {
    fn requiring(self, require: Require) -> Self {
        Self { require, ..self }
    }
}

#[test]
fn names_that_are_asked_live() {
    use Answer::{No, Unknown, Yes};
    let name = |text: &str| LiveName::new(text);
    let live = |complete| {
        let mut gateway = Gateway::by_networks("seg", networks(&["192.0.2.0/24"]));
        gateway.addresses = Some(Addresses {
            networks: networks(&["192.0.2.0/24"]),
            complete,
            live: [name("one.example"), name("two.example")].into(),
            ..Addresses::default()
        });
        gateway
    };
    for (complete, one, two, want, rule) in [
        (true, No, Yes, YES, "client passes two.example of gateway seg"),
        (true, Unknown, Yes, YES, "client passes two.example of gateway seg"),
        (false, Yes, No, YES, "client passes one.example of gateway seg"),
        (true, No, No, NO, "client is in no network of the domain's gateways"),
        (true, No, Unknown, UNKNOWN, "nobody can tell whether the client passes two.example of gateway seg"),
        (false, No, No, UNKNOWN, "client is in no known network of gateway seg, and not all are known yet"),
    ] {
        let policy = behind_gateways(vec![live(complete)]);
        let asked = [("one.example", one), ("two.example", two)];
        let answers = Answers { live: asked.map(|(n, a)| (name(n), a)).into(), ..Answers::default() };
        let decision = super::super::recipient(&policy, &session(STRANGER), &to("ann@a.example"), &answers);
        assert_eq!((decision.reason, decision.applied), want, "{complete} {one:?} {two:?}");
        assert_eq!(source_rule(&decision), rule, "{complete} {one:?} {two:?}");
        // Who is in a network that is known is nobody's question.
        let known = recipient(&policy, &session(GATEWAY), &to("ann@a.example"));
        assert_eq!((known.reason, known.applied), YES);
    }
}

#[test]
fn a_live_name_is_believed_within_bounds_alone() {
    let mut gateway = Gateway::by_networks("seg", networks(&["192.0.2.0/24"]));
    let live: Box<[LiveName]> = [LiveName::new("live.example")].into();
    let bounds = networks(&["203.0.113.0/24"]);
    for complete in [true, false] {
        let networks = networks(&["192.0.2.0/24"]);
        gateway.addresses =
            Some(Addresses { networks, complete, live: live.clone(), bounds: bounds.clone() });
        let policy = behind_gateways(vec![gateway.clone()]);
        for (client, answer, want) in [
            (GATEWAY, Answer::No, YES),
            (STRANGER, Answer::Yes, NO),
            (STRANGER, Answer::Unknown, NO),
            (Some("203.0.113.7"), Answer::Yes, YES),
            (Some("203.0.113.7"), Answer::Unknown, UNKNOWN),
            (Some("203.0.113.7"), Answer::No, if complete { NO } else { UNKNOWN }),
        ] {
            let answers = Answers { live: vec![(live[0].clone(), answer)], ..Answers::default() };
            let decision = super::super::recipient(&policy, &session(client), &to("ann@a.example"), &answers);
            assert_eq!(
                (decision.reason, decision.applied),
                want,
                "{client:?} {answer:?}, complete {complete}"
            );
        }
    }
}

#[test]
fn an_address_that_hides_many_clients_is_nobodys() {
    let mut meant = full("meant", all(true, false, false));
    meant.accept_private = true;
    for (gateways, address, want) in [
        (vec![full("seg", all(true, false, false))], GATEWAY, UNKNOWN),
        // Nobody can tell either that it is a stranger.
        (vec![full("seg", all(true, false, false))], STRANGER, UNKNOWN),
        (vec![full("seg", all(true, true, false))], GATEWAY, NO),
        (vec![meant.clone()], GATEWAY, YES),
        (vec![meant.clone()], STRANGER, NO),
        (vec![full("seg", all(true, false, false)), meant], GATEWAY, YES),
    ] {
        let names: Vec<_> = gateways.iter().map(|gateway| Arc::clone(&gateway.name)).collect();
        let policy = behind_gateways(gateways);
        let answers = Answers { hidden: true, ..Answers::default() };
        let decision = super::super::recipient(&policy, &session(address), &to("ann@a.example"), &answers);
        assert_eq!((decision.reason, decision.applied), want, "{names:?} {address:?}");
    }
}

#[test]
fn a_header_line_is_awaited_and_then_settled() {
    let require = all(true, false, true);
    let policy = behind_gateways(vec![full("seg", require)]);
    let decision = recipient(&policy, &session(GATEWAY), &to("ann@a.example"));
    assert_eq!((decision.reason, decision.applied), YES);
    assert_eq!(
        source_rule(&decision),
        "client is in 192.0.2.0/24 of gateway seg, and its header line is awaited"
    );
    // The recipient is checked for who may turn out to be the gateway.
    let unknown = recipient(&policy, &session(GATEWAY), &to("zoe@a.example"));
    assert_eq!(unknown.reason, Reason::RecipientUnknown);
    let stranger = recipient(&policy, &session(STRANGER), &to("zoe@a.example"));
    assert_eq!((stranger.reason, stranger.applied), NO);
    let in_it = "client is in 192.0.2.0/24 of gateway seg";
    let flood = [("X-Seg-Id", "guess"); 40];
    let late: Vec<_> = flood.into_iter().chain([("X-Seg-Id", "new-secret")]).collect();
    for (facts, want, rule) in [
        (&[("X-Seg-Id", "old-secret")][..], YES, "and its header line is right"),
        (&[("x-seg-id", " \tnew-secret \r\n")], YES, "and its header line is right"),
        (&[("X-Seg-Id", "guess"), ("X-Seg-Id", "new-secret")], YES, "and its header line is right"),
        (&[("X-Seg-Id", "guess")], NO, "but its header line is wrong"),
        (&[("X-Seg-Id", "NEW-SECRET")], NO, "but its header line is wrong"),
        (&[("X-Seg-Id", "old-secret,new-secret")], NO, "but its header line is wrong"),
        (&[("X-Seg-Id", "")], NO, "but its header line is wrong"),
        (&[("X-Seg-Ids", "new-secret")], NO, "but its header line is missing"),
        (&[], NO, "but its header line is missing"),
        // Guesses are bounded.
        (&late, NO, "but its header line is wrong"),
    ] {
        let by_headers = headers(&policy, &[&decision], &lines(&policy, facts)).unwrap();
        assert_eq!((by_headers.reason, by_headers.applied), want, "{facts:?}");
        assert_eq!(source_rule(&by_headers), format!("{in_it}, {rule}"), "{facts:?}");
        assert!(!format!("{by_headers:?}").contains("secret\""), "{by_headers:?}");
    }
}

#[test]
fn several_gateways() {
    let (strict, lax) = (all(true, false, true), all(true, false, false));
    let loading = |name, require| {
        let mut gateway = full(name, require);
        gateway.addresses = Some(Addresses::default());
        gateway
    };
    let right = &[("X-Seg-Id", "new-secret")][..];
    for (gateways, headers_there, at_rcpt, in_the_end) in [
        // A plain yes wins over one that awaits its header, wherever it stands.
        (vec![full("a", strict), full("b", lax)], &[][..], YES, None),
        (vec![full("a", strict), loading("b", lax)], right, YES, Some(YES)),
        // The one is not the gateway, and of the other nobody can tell.
        (vec![full("a", strict), loading("b", lax)], &[], YES, Some(UNKNOWN)),
        // The other would need a header line too, and that is known by now.
        (vec![loading("b", strict), full("a", strict)], &[], YES, Some(NO)),
        (vec![loading("a", strict), loading("b", lax)], right, UNKNOWN, None),
        (vec![full("a", strict), full("b", all(true, true, false))], &[], YES, Some(NO)),
    ] {
        let names: Vec<_> = gateways.iter().map(|g| (Arc::clone(&g.name), g.require)).collect();
        let policy = behind_gateways(gateways);
        let decision = recipient(&policy, &session(GATEWAY), &to("ann@a.example"));
        assert_eq!((decision.reason, decision.applied), at_rcpt, "{names:?}");
        let by_headers = headers(&policy, &[&decision], &lines(&policy, headers_there)).unwrap();
        let settled = by_headers.findings.iter().any(|finding| finding.check == Check::Source);
        let got = settled.then_some((by_headers.reason, by_headers.applied));
        assert_eq!(got.filter(|_| at_rcpt == YES), in_the_end, "{names:?} {headers_there:?}");
    }
    // Of gateways that it is not, the nearest is told.
    let policy =
        behind_gateways(vec![full("far", all(false, true, false)), full("near", all(true, true, false))]);
    let decision = recipient(&policy, &session(GATEWAY), &to("ann@a.example"));
    assert!(source_rule(&decision).contains("gateway near, but"), "{}", source_rule(&decision));
}

/// The reply says nothing of which factor failed; nor does it say who exists.
#[test]
fn replies_are_the_same_whichever_factor_fails() {
    let cases = [
        (all(true, false, false), STRANGER, ClientCertificate::None),
        (all(true, true, false), GATEWAY, ClientCertificate::None),
        (all(true, true, false), GATEWAY, ClientCertificate::Untrusted),
        (all(true, true, true), GATEWAY, trusted("mx.other.example")),
        (all(true, true, true), STRANGER, trusted("mx.seg.example")),
        (all(true, false, true), GATEWAY, ClientCertificate::None),
        (all(true, true, true), GATEWAY, trusted("mx.seg.example")),
        (Require::Any, STRANGER, trusted("mx.other.example")),
    ];
    let mut replies: Vec<String> = Vec::new();
    for (require, address, certificate) in cases {
        let policy = behind_gateways(vec![full("seg", require)]);
        for rcpt in ["ann@a.example", "zoe@a.example", "postmaster@a.example"] {
            let decision = recipient(&policy, &client(address, &certificate), &to(rcpt));
            if decision.reason == Reason::RecipientUnknown {
                // It may still be the gateway.
                continue;
            }
            let decision = match decision.reply {
                Some(_) => decision,
                None => headers(&policy, &[&decision], &lines(&policy, &[("X-Seg-Id", "guess")])).unwrap(),
            };
            replies.push(decision.reply.expect("refused").to_string());
        }
    }
    replies.sort();
    replies.dedup();
    assert_eq!(replies.len(), 1, "{replies:?}");
}

#[test]
fn header_verdicts_are_about_the_message() {
    let mut placed = Gateways::default();
    let strict = placed.add(full("strict", all(true, false, true)));
    let lax = placed.add(Gateway::by_networks("lax", networks(&["192.0.2.0/24"])));
    let domain_of = |name, mode, gateway, source| {
        let mut own = domain(name, mode);
        own.source = Source::Gateways(vec![gateway]);
        own.directories.clear();
        own.verdicts.source = source;
        own
    };
    let policy = policy(vec![
        domain_of("strict.example", Mode::Enforce, strict, Verdict::Reject),
        domain_of("soft.example", Mode::Soft, strict, Verdict::Reject),
        domain_of("mon.example", Mode::Monitor, strict, Verdict::Reject),
        domain_of("held.example", Mode::Enforce, strict, Verdict::Quarantine),
        domain_of("tag.example", Mode::Enforce, strict, Verdict::Tag),
        domain_of("lax.example", Mode::Enforce, lax, Verdict::Reject),
        domain_of("off.example", Mode::Inactive, strict, Verdict::Reject),
    ])
    .with_gateways(placed);
    for (rcpts, applied, removed) in [
        (&["strict.example"][..], Some(Verdict::Reject), None),
        (&["lax.example", "strict.example"], Some(Verdict::Reject), None),
        (&["soft.example", "mon.example"], Some(Verdict::Defer), None),
        (&["mon.example"], Some(Verdict::Accept), Some(&["X-Seg-Id"][..])),
        (&["held.example", "lax.example"], Some(Verdict::Quarantine), Some(&["X-Seg-Id"])),
        (&["tag.example"], Some(Verdict::Tag), Some(&["X-Seg-Id"])),
        (&["lax.example"], Some(Verdict::Accept), Some(&[])),
        (&["off.example"], None, Some(&[])),
        (&["elsewhere.example"], None, Some(&[])),
    ] {
        let decisions: Vec<_> = rcpts
            .iter()
            .map(|name| recipient(&policy, &session(GATEWAY), &to(&format!("ann@{name}"))))
            .collect();
        let accepted: Vec<&Decision> = decisions.iter().collect();
        let by_headers = headers(&policy, &accepted, &lines(&policy, &[("X-Seg-Id", "guess")]));
        assert_eq!(by_headers.as_ref().map(|d| d.applied), applied, "{rcpts:?}");
        let marks = match ending(&policy, decisions.iter(), by_headers.as_ref()) {
            Ending::Passed(marks) => Some(marks),
            Ending::Refused(_) | Ending::Discarded => None,
        };
        assert_eq!(marks.as_ref().map(|marks| &*marks.remove), removed, "{rcpts:?}");
    }
    // From an internal client too, whose other lines stay.
    let inside = recipient(&policy, &session(Some("10.0.0.1")), &to("ann@strict.example"));
    let Ending::Passed(marks) = ending(&policy, [&inside], None) else { panic!("{inside:?}") };
    assert_eq!((marks.remove_forged, marks.remove), (false, vec!["X-Seg-Id"]));
}

#[test]
fn headers_and_certificates_are_asked_for_where_they_matter() {
    let quiet = |gateway: Gateway, mode| {
        let mut placed = Gateways::default();
        placed.add(gateway);
        let mut policy = policy(vec![domain("a.example", mode)]);
        policy.loops = LoopRule::default();
        policy.with_gateways(placed)
    };
    let plain = || Gateway::by_networks("seg", networks(&["192.0.2.0/24"]));
    let looked_behind = Gateway { behind: Some(Verdict::Tag), ..plain() };
    for (gateway, mode, want) in [
        (plain(), Mode::Enforce, (false, false)),
        (full("seg", all(true, true, true)), Mode::Monitor, (true, true)),
        (full("seg", all(true, true, true)), Mode::Inactive, (false, false)),
        (looked_behind, Mode::Enforce, (true, false)),
    ] {
        let policy = quiet(gateway.clone(), mode);
        assert_eq!((policy.needs_headers(), policy.needs_certificate()), want, "{gateway:?} {mode}");
        assert_eq!(policy.can_ask(Verdict::Tag), gateway.behind.is_some(), "{gateway:?}");
    }
}

/// The SHA-256 of nothing, and another.
const PRINT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER_PRINT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b856";

fn print(text: &str) -> CertificateFingerprint {
    CertificateFingerprint::parse(text).unwrap()
}

#[test]
fn a_fingerprint_is_as_good_as_a_name() {
    use CertificateFingerprints::{None as NoCertificate, NotTold, Told};
    use ClientCertificate::{None as Missing, Unclear, Untrusted};
    let told = |text| Told([print(OTHER_PRINT), print(text)].into());
    let others = || Told([print(OTHER_PRINT)].into());
    let (ours, other) = (trusted("mx1.seg.example"), trusted("mx1.other.example"));
    // Whether the gateway has a name, too; what is told; what that comes to.
    for (named, certificate, fingerprints, want) in [
        (false, &Untrusted, told(PRINT), YES),
        (false, &Missing, told(PRINT), YES),
        (false, &other, told(PRINT), YES),
        (false, &ours, others(), NO),
        (false, &Untrusted, others(), NO),
        (false, &Missing, NoCertificate, NO),
        (false, &Missing, NotTold, UNKNOWN),
        (false, &ours, NotTold, UNKNOWN),
        (true, &ours, others(), YES),
        (true, &ours, NotTold, YES),
        (true, &ours, NoCertificate, YES),
        (true, &Untrusted, told(PRINT), YES),
        (true, &other, others(), NO),
        (true, &Untrusted, others(), NO),
        (true, &Unclear, others(), UNKNOWN),
        (true, &Missing, NoCertificate, NO),
        (true, &Missing, NotTold, UNKNOWN),
        (true, &other, NotTold, UNKNOWN),
    ] {
        for (require, address) in
            [(all(true, true, false), GATEWAY), (all(false, true, false), STRANGER), (Require::Any, STRANGER)]
        {
            let mut gateway = full("seg", require);
            gateway.fingerprints = [print(PRINT)].into();
            if !named {
                gateway.certificate = Box::default();
            }
            let policy = behind_gateways(vec![gateway]);
            assert!(policy.needs_fingerprints());
            let mut session = client(address, certificate);
            session.client.fingerprints = fingerprints.clone();
            let decision = recipient(&policy, &session, &to("ann@a.example"));
            let input = format!("{require:?} {named} {certificate:?} {fingerprints:?}");
            assert_eq!((decision.reason, decision.applied), want, "{input}");
        }
    }
}

#[test]
fn who_is_elsewhere_is_a_stranger_whatever_nobody_has_told() {
    let mut gateway = full("seg", all(true, true, false));
    gateway.fingerprints = [print(PRINT)].into();
    let policy = behind_gateways(vec![gateway]);
    let decision = recipient(&policy, &session(STRANGER), &to("ann@a.example"));
    assert_eq!((decision.reason, decision.applied), NO);
}

#[test]
fn a_header_line_that_never_comes_is_unknown() {
    let policy = behind_gateways(vec![full("seg", all(true, false, true))]);
    for (address, want) in [(GATEWAY, UNKNOWN), (STRANGER, NO)] {
        let decision = recipient(&policy, &session(address), &to("ann@a.example"));
        let decision = without_headers(decision);
        assert_eq!((decision.reason, decision.applied), want, "{address:?}");
        assert!(decision.candidates.is_empty());
    }
    let decision = without_headers(recipient(&policy, &session(GATEWAY), &to("ann@a.example")));
    assert_eq!(
        source_rule(&decision),
        "client is in 192.0.2.0/24 of gateway seg, and its header line is awaited"
    );
}
