// SPDX-License-Identifier: GPL-3.0-or-later
//! Who exists: what directories know, what they cannot tell, and how a recipient is looked up.

use super::*;
use crate::mail::{Domain, LocalPattern, LocalPatterns};
use std::collections::HashSet;

fn patterns(texts: &[&str]) -> HashSet<DomainPattern> {
    texts.iter().map(|text| DomainPattern::parse(text).unwrap()).collect()
}

/// A policy of one domain with these directories.
fn with(change: impl FnOnce(&mut DomainPolicy), of: Vec<Directory>) -> Policy {
    let mut directories = Directories::default();
    let ids: Vec<DirectoryId> = of.into_iter().map(|directory| directories.add(directory)).collect();
    let mut own = domain("a.example", Mode::Enforce);
    own.directories = ids;
    change(&mut own);
    policy(vec![own]).with_directories(directories)
}

fn decided(policy: &Policy, rcpt: &str) -> Decision {
    recipient(policy, &session(GATEWAY), &to(rcpt))
}

fn rule(policy: &Policy, rcpt: &str) -> String {
    decided(policy, rcpt).findings.last().unwrap().rule.to_string()
}

#[test]
fn unknown_is_neither_yes_nor_no() {
    let known = || Directory::loaded("staff", mailboxes(&["ann@a.example"]).into());
    let served = |texts: &[&str]| {
        let recipients = Recipients { served: Some(patterns(texts)), ..mailboxes(&["bob@a.example"]).into() };
        Directory::loaded("ad", recipients)
    };
    let unloaded = Directory { name: "ad".into(), recipients: None, overdue: false };
    for (name, directories, ann, bob, zoe) in [
        ("all known", vec![known(), served(&["a.example"])], "yes", "yes", "no"),
        ("not loaded", vec![known(), unloaded.clone()], "yes", "is not loaded yet", "is not loaded yet"),
        (
            "not loaded, first",
            vec![unloaded.clone(), known()],
            "yes",
            "is not loaded yet",
            "is not loaded yet",
        ),
        (
            "overdue",
            vec![known(), Directory { overdue: true, ..served(&["a.example"]) }],
            "yes",
            "yes",
            "directory ad is older than its max_age",
        ),
        (
            "read before the domain was listed",
            vec![known(), served(&["b.example", "*.a.example"])],
            "yes",
            "yes",
            "directory ad was read before this domain was listed",
        ),
        ("nothing at all", vec![unloaded], "is not loaded", "is not loaded", "is not loaded"),
    ] {
        let policy = with(|_| {}, directories);
        for (rcpt, want) in [("ann@a.example", ann), ("bob@a.example", bob), ("zoe@a.example", zoe)] {
            let decision = decided(&policy, rcpt);
            let got = (decision.reason, decision.applied);
            match want {
                "yes" => assert_eq!(got, (Reason::Passed, Verdict::Accept), "{name} {rcpt}"),
                "no" => assert_eq!(got, (Reason::RecipientUnknown, Verdict::Reject), "{name} {rcpt}"),
                why => {
                    assert_eq!(got, (Reason::NotReady, Verdict::Defer), "{name} {rcpt}");
                    let rule = rule(&policy, rcpt);
                    assert!(rule.contains(why) && rule.contains("directory ad"), "{name} {rcpt} {rule}");
                }
            }
        }
    }
}

#[test]
fn patterns_of_a_directory() {
    let mut recipients = Recipients::from(mailboxes(&["ann@a.example"]));
    let pattern = [LocalPattern::parse("Sales-*").unwrap()].into_iter().collect();
    recipients.patterns.insert(Domain::parse("a.example").unwrap(), pattern);
    let policy = with(|_| {}, vec![Directory::loaded("staff", recipients)]);
    for (rcpt, want) in [
        ("ann@a.example", "listed in directory staff"),
        ("SALES-eu@a.example", "listed in directory staff as sales-*"),
        ("sales@a.example", "in none of the domain's directories"),
    ] {
        assert_eq!(rule(&policy, rcpt), want, "{rcpt}");
    }
}

/// Fresh directories change nothing else, and a policy that is in use stays as it was.
#[test]
fn directories_are_replaced_by_place() {
    let old = with(|_| {}, vec![Directory::loaded("staff", mailboxes(&["ann@a.example"]).into())]);
    let fresh = Arc::new(Directory::loaded("staff", mailboxes(&["bob@a.example"]).into()));
    let new = old.with_directories([fresh].into_iter().collect());
    for (policy, ann, bob) in
        [(&old, Verdict::Accept, Verdict::Reject), (&new, Verdict::Reject, Verdict::Accept)]
    {
        assert_eq!(decided(policy, "ann@a.example").applied, ann);
        assert_eq!(decided(policy, "bob@a.example").applied, bob);
    }
    assert!(Arc::ptr_eq(&old.domains, &new.domains));
}

fn name(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn globs(texts: &[&str]) -> LocalPatterns {
    texts.iter().map(|text| LocalPattern::parse(text).unwrap()).collect()
}

/// A policy of a.example with these mailboxes in the directory staff.
fn listing(entries: &[&str], change: impl FnOnce(&mut DomainPolicy)) -> Policy {
    with(change, vec![Directory::loaded("staff", mailboxes(entries).into())])
}

const UNKNOWN: &str = "in none of the domain's directories";
const EXACT: &str = "listed in directory staff";
const BASE: &str = "listed in directory staff without its subaddress";

#[test]
fn subaddresses_are_parted_as_postfix_parts_them() {
    let staff = ["ann", "ann-x+y", "owner", "list", "mailer", "double", "o"]
        .map(|local| format!("{local}@a.example"));
    let staff: Vec<&str> = staff.iter().map(String::as_str).collect();
    for (delimiters, rcpt, want) in [
        ("+", "ann+x", BASE),
        ("+", "ann+x+y", BASE),
        ("+", "ANN+X", BASE),
        ("+", "ann-x", UNKNOWN),
        ("+", "ann-x+y", EXACT),
        ("+", "+ann", UNKNOWN),
        ("+", "ann+", BASE),
        ("+-", "ann-x", BASE),
        ("+-", "ann+x-y", BASE),
        ("+-", "ann-x+y", EXACT),
        // At the first delimiter, whichever it is, and there alone.
        ("+-", "ann-x+z", BASE),
        ("+-", "owner-ann", UNKNOWN),
        ("+-", "Owner-ann", UNKNOWN),
        ("+-", "list-request", UNKNOWN),
        ("+-", "list+x-request", UNKNOWN),
        ("+-", "-request", UNKNOWN),
        ("+-", "mailer-daemon", UNKNOWN),
        ("+-", "double-bounce", UNKNOWN),
        ("+-", "double-bounces", BASE),
        ("+", "owner+ann", BASE),
        ("+", "list-request", UNKNOWN),
        ("o", "postmaster", "postmaster and abuse always exist"),
        ("", "ann+x", UNKNOWN),
    ] {
        let policy = listing(&staff, |own| own.subaddress = delimiters.into());
        assert_eq!(rule(&policy, &format!("{rcpt}@a.example")), want, "{delimiters:?} {rcpt}");
    }
}

#[test]
fn signatures_of_bounce_addresses() {
    let staff = ["ann@a.example", "prvs=0123abcdef=eve@a.example"];
    let own = "listed in directory staff, its BATV signature taken off";
    let base = "listed in directory staff without its subaddress, its BATV signature taken off";
    for (batv, rcpt, want) in [
        (true, "prvs=0123abcdef=ann", own),
        (true, "PRVS=0123ABCDEF=Ann", own),
        (true, "prvs=ann/0123abcdef", own),
        (true, "btv1==127d1a8fdbd==ann", own),
        (true, "prvs=0123abcdef=ann+x", base),
        (true, "prvs=0123abcdef=zoe", UNKNOWN),
        (true, "prvs=0123abcdef=eve", EXACT),
        (true, "prvs=0123abcdef=postmaster", "postmaster and abuse always exist"),
        (true, "prvs=ann", UNKNOWN),
        (false, "prvs=0123abcdef=ann", UNKNOWN),
        (false, "prvs=0123abcdef=eve", EXACT),
    ] {
        let policy = listing(&staff, |own| own.recipients.strip.batv = batv);
        assert_eq!(rule(&policy, &format!("{rcpt}@a.example")), want, "{batv} {rcpt}");
    }
}

#[test]
fn addresses_of_forwarders() {
    const ELSEWHERE: &str = "forwarder's address (SRS) for a sender elsewhere";
    const SENDER: &str = "listed in directory staff, as the sender in a forwarder's address (SRS)";
    let staff = ["ann@a.example", "bob@b.example", "srs0=h=t=c.example=eve@a.example"];
    let mut a = domain("a.example", Mode::Enforce);
    a.recipients.strip = Strip { batv: false, srs: true };
    let mut b = domain("b.example", Mode::Enforce);
    b.recipients.strip = Strip { batv: true, srs: false };
    let mut unchecked = domain("unchecked.example", Mode::Enforce);
    unchecked.directories.clear();
    let mut off = domain("off.example", Mode::Inactive);
    off.directories.clear();
    let mut directories = Directories::default();
    directories.add(Directory::loaded("staff", mailboxes(&staff).into()));
    let policy = policy(vec![a, b, unchecked, off]).with_directories(directories);
    for (rcpt, want) in [
        ("SRS0=HHH=TT=c.example=zoe@a.example", ELSEWHERE),
        ("SRS0+HHH=TT=c.example=zoe@a.example", ELSEWHERE),
        ("SRS1=HHH=f.example==HHH=TT=c.example=zoe@a.example", ELSEWHERE),
        ("SRS0=HHH=TT=off.example=zoe@a.example", ELSEWHERE),
        ("SRS0=HHH=TT=unchecked.example=zoe@a.example", "domain has no directories"),
        ("SRS0=H=T=c.example=eve@a.example", EXACT),
        ("SRS0=HHH=TT=a.example=ann@a.example", SENDER),
        ("SRS0=HHH=TT=b.example=bob@a.example", SENDER),
        (
            "SRS0=HHH=TT=b.example=bob+x@a.example",
            "listed in directory staff without its subaddress, as the sender in a forwarder's address (SRS)",
        ),
        (
            "SRS0=HHH=TT=b.example=prvs=0123abcdef=bob@a.example",
            "listed in directory staff, as the sender in a forwarder's address (SRS), its BATV signature taken off",
        ),
        ("SRS0=HHH=TT=b.example=zoe@a.example", UNKNOWN),
        ("SRS0=HHH=TT=a.example=postmaster@a.example", "postmaster and abuse always exist"),
        // Forwarded twice, the second time by us, who forwarded it first.
        ("SRS1=HHH=a.example==HHH=TT=a.example=ann@a.example", SENDER),
        ("SRS1=HHH=a.example==HHH=TT=c.example=zoe@a.example", ELSEWHERE),
        ("SRS1=HHH=a.example==HHH=TT=b.example=zoe@a.example", UNKNOWN),
        // No end of it.
        ("SRS0=HHH=TT=a.example=SRS0=HHH=TT=a.example=SRS0=HHH=TT=c.example=zoe@a.example", UNKNOWN),
        ("SRS0=HHH=zoe@a.example", UNKNOWN),
        // b.example forwards nothing.
        ("SRS0=HHH=TT=c.example=zoe@b.example", UNKNOWN),
    ] {
        assert_eq!(rule(&policy, rcpt), want, "{rcpt}");
    }
}

#[test]
fn own_bounce_addresses() {
    let policy = listing(&["ann@a.example", "bounces-1@a.example"], |own| {
        own.recipients.verp = globs(&["bounces-*", "*-bounces+*"]);
        own.recipients.strip.batv = true;
    });
    for (rcpt, want) in [
        ("bounces-1", EXACT),
        ("Bounces-2", "own bounce address bounces-*"),
        ("list-bounces+ann=c.example", "own bounce address *-bounces+*"),
        ("prvs=0123abcdef=bounces-2", "own bounce address bounces-*"),
        ("bounces", UNKNOWN),
        ("list-bounces", UNKNOWN),
    ] {
        assert_eq!(rule(&policy, &format!("{rcpt}@a.example")), want, "{rcpt}");
    }
}

/// Entries of directories as one system writes them, recipients as another does.
#[test]
fn spellings_of_one_address_are_one_address() {
    let entries = ["Grün@bücher.example", "νικος@xn--bcher-kva.example", "gru\u{308}n.x@BÜCHER.example"];
    let mut own = domain("bücher.example", Mode::Enforce);
    own.recipients.alias_of = Some(name("bücher.example"));
    let mut other = domain("xn--mller-kva.example", Mode::Enforce);
    other.recipients.alias_of = Some(name("BÜCHER.example"));
    let mut directories = Directories::default();
    directories.add(Directory::loaded("staff", mailboxes(&entries).into()));
    let policy = policy(vec![own, other]).with_directories(directories);
    for local in ["grün", "GRÜN", "gru\u{308}n", "ΝΙΚΟΣ", "νικοσ", "Νικος+Σ", "GRÜN.X"] {
        for host in ["bücher.example", "bu\u{308}cher.example", "XN--BCHER-KVA.example.", "müller.example"]
        {
            let decision = decided(&policy, &format!("{local}@{host}"));
            assert_eq!(decision.reason, Reason::Passed, "{local}@{host} {decision:?}");
        }
    }
    for rcpt in ["grun@bücher.example", "grün@bucher.example.invalid", "ｇrün@müller.example"] {
        assert_ne!(decided(&policy, rcpt).findings.last().unwrap().rule.to_string(), EXACT, "{rcpt}");
    }
}

#[test]
fn an_alias_looks_recipients_up_under_both_names() {
    const THERE: &str = "listed in directory staff, under the domain that this is an alias of";
    let alias = |own: &mut DomainPolicy| {
        own.pattern = DomainPattern::parse("*.alias.example").unwrap();
        own.recipients.alias_of = Some(name("a.example"));
    };
    let policy = listing(&["ann@a.example", "bob@x.alias.example", "ann+own@x.alias.example"], alias);
    for (rcpt, want) in [
        ("ann@x.alias.example", THERE),
        ("ann@deep.y.alias.example", THERE),
        ("ann+x@x.alias.example", &format!("{BASE}, under the domain that this is an alias of")),
        ("ann+own@x.alias.example", EXACT),
        ("bob@x.alias.example", EXACT),
        ("bob@y.alias.example", UNKNOWN),
        ("zoe@x.alias.example", UNKNOWN),
    ] {
        assert_eq!(rule(&policy, rcpt), want, "{rcpt}");
    }
    // Filtered by one name only: those listed under the other may be missing.
    for (served, want) in [
        (&["a.example", "*.alias.example"][..], UNKNOWN),
        (&["a.example"], "directory staff was read before this domain was listed"),
        (&["*.alias.example"], "directory staff was read before this domain was listed"),
    ] {
        let recipients =
            Recipients { served: Some(patterns(served)), ..mailboxes(&["ann@a.example"]).into() };
        let policy = with(alias, vec![Directory::loaded("staff", recipients)]);
        assert_eq!(rule(&policy, "ann@x.alias.example"), THERE, "{served:?}");
        assert_eq!(rule(&policy, "zoe@x.alias.example"), want, "{served:?}");
    }
}

#[test]
fn recipients_for_internal_clients_only() {
    let recipients = || Recipients {
        internal_only: mailboxes(&["all@a.example"]),
        ..mailboxes(&["ann@a.example", "all@a.example"]).into()
    };
    let change = |verdict, mode| {
        move |own: &mut DomainPolicy| {
            own.verdicts.recipient = verdict;
            own.recipients.mode = mode;
            own.recipients.strip = Strip { batv: true, srs: true };
        }
    };
    let policy_of = |verdict, mode| with(change(verdict, mode), vec![Directory::loaded("ad", recipients())]);
    for (verdict, mode, want) in [
        (Verdict::Reject, RecipientMode::Check, (Reason::RecipientInternal, Verdict::Reject)),
        (Verdict::Defer, RecipientMode::Check, (Reason::RecipientInternal, Verdict::Defer)),
        (Verdict::Quarantine, RecipientMode::Check, (Reason::RecipientInternal, Verdict::Quarantine)),
        (Verdict::Reject, RecipientMode::Learn, (Reason::Passed, Verdict::Accept)),
        (Verdict::Reject, RecipientMode::Off, (Reason::Passed, Verdict::Accept)),
    ] {
        let policy = policy_of(verdict, mode);
        // There is no way around it.
        for rcpt in ["all", "ALL+x", "prvs=0123abcdef=all", "SRS0=HHH=TT=a.example=all"] {
            let rcpt = format!("{rcpt}@a.example");
            let decision = decided(&policy, &rcpt);
            assert_eq!((decision.reason, decision.applied), want, "{verdict} {mode:?} {rcpt}");
            let inside = recipient(&policy, &session(Some("10.0.0.1")), &to(&rcpt));
            assert_eq!((inside.reason, inside.applied), (Reason::Internal, Verdict::Accept), "{rcpt}");
            let outside = recipient(&policy, &session(STRANGER), &to(&rcpt));
            assert_eq!(outside.reason, Reason::SourceNotGateway, "a stranger learns nothing of {rcpt}");
        }
        assert_eq!(decided(&policy, "ann@a.example").reason, Reason::Passed);
    }
    let refused = decided(&policy_of(Verdict::Reject, RecipientMode::Check), "all@a.example");
    assert!(refused.reply.unwrap().to_string().starts_with("550 5.7.1 This address takes mail from inside"));
}

#[test]
fn what_becomes_of_unknown_recipients() {
    use Answer::{No, Unknown, Yes};
    use RecipientMode::{Check, Learn, Off};
    let unloaded = || Directory { name: "ad".into(), recipients: None, overdue: false };
    let staff = || Directory::loaded("staff", mailboxes(&["ann@a.example"]).into());
    let learned = |served: &[&str]| {
        let recipients =
            Recipients { served: Some(patterns(served)), ..mailboxes(&["kim@a.example"]).into() };
        Directory::loaded("learned", recipients)
    };
    for (case, mode, directories, by_learned, rcpt, want, records) in [
        ("off", Off, vec![staff()], None, "zoe", (Yes, Verdict::Accept), None),
        ("unknown", Check, vec![staff()], None, "zoe", (No, Verdict::Reject), None),
        ("approved", Check, vec![staff()], Some(&["a.example"][..]), "kim", (Yes, Verdict::Accept), None),
        (
            "approved, with more",
            Check,
            vec![staff()],
            Some(&["a.example"]),
            "zoe",
            (No, Verdict::Reject),
            None,
        ),
        ("nothing approved here", Check, vec![staff()], Some(&[]), "zoe", (No, Verdict::Reject), None),
        ("nothing else", Check, vec![], Some(&["a.example"]), "zoe", (No, Verdict::Reject), None),
        ("nothing at all", Check, vec![], Some(&[]), "zoe", (Unknown, Verdict::Defer), None),
        ("of others", Check, vec![], Some(&["b.example"]), "zoe", (Unknown, Verdict::Defer), None),
        ("learn", Learn, vec![staff()], Some(&[]), "zoe", (No, Verdict::Accept), Some("zoe@a.example")),
        ("learn alone", Learn, vec![], Some(&[]), "zoe", (No, Verdict::Accept), Some("zoe@a.example")),
        ("learn, known", Learn, vec![staff()], Some(&[]), "ann", (Yes, Verdict::Accept), None),
        ("learn, unloaded", Learn, vec![unloaded()], Some(&[]), "zoe", (Unknown, Verdict::Accept), None),
        (
            "learn, folded",
            Learn,
            vec![],
            None,
            "\"Zo\u{308}e B\"",
            (No, Verdict::Accept),
            Some("\"zöe b\"@a.example"),
        ),
        ("learn, whole", Learn, vec![], None, "zoe+x", (No, Verdict::Accept), Some("zoe+x@a.example")),
        ("learn, no address", Learn, vec![], None, "zoe x", (No, Verdict::Accept), None),
        (
            "learn, signed",
            Learn,
            vec![],
            None,
            "prvs=0123abcdef=zoe",
            (No, Verdict::Accept),
            Some("zoe@a.example"),
        ),
        ("learn, forwarder", Learn, vec![], None, "srs0=h=t=a.example=zoe", (No, Verdict::Accept), None),
    ] {
        let mut all = directories;
        let own = all.len();
        all.extend(by_learned.map(learned));
        let policy = with(
            |domain| {
                domain.recipients.learned =
                    (domain.directories.len() > own).then(|| domain.directories.remove(own));
                domain.recipients.mode = mode;
                domain.recipients.strip = Strip { batv: true, srs: true };
            },
            all,
        );
        let decision = decided(&policy, &format!("{rcpt}@a.example"));
        let finding = decision.findings.last().unwrap();
        assert_eq!(
            (finding.check, finding.answer, finding.verdict),
            (super::Check::Recipient, want.0, want.1),
            "{case}"
        );
        let recorded = learned_of(&decision);
        assert_eq!(recorded.as_deref(), records, "{case}");
    }
}

fn learned_of(decision: &Decision) -> Option<String> {
    learned(decision, None).map(|learned| learned.address.to_string())
}

/// An address is learned under the name that all aliases look it up by.
#[test]
fn an_alias_learns_for_the_domain_that_it_stands_for() {
    let policy = listing(&[], |own| {
        own.pattern = DomainPattern::parse("alias.example").unwrap();
        own.recipients.alias_of = Some(name("a.example"));
        own.recipients.mode = RecipientMode::Learn;
    });
    assert_eq!(learned_of(&decided(&policy, "Zoe@alias.example")).as_deref(), Some("zoe@a.example"));
}

/// Whoever is no gateway teaches nothing, and what is not accepted is not learned.
#[test]
fn what_is_learned_has_passed() {
    let policy_of = |source: Verdict, from: Option<Source>| {
        listing(&[], |own| {
            own.recipients.mode = RecipientMode::Learn;
            own.verdicts.source = source;
            own.source = from.unwrap_or(own.source.clone());
        })
    };
    let zoe = Some("zoe@a.example");
    for (name, policy, client, want) in [
        ("a gateway", policy_of(Verdict::Reject, None), GATEWAY, zoe),
        ("a stranger", policy_of(Verdict::Reject, None), STRANGER, None),
        ("a stranger who is let in", policy_of(Verdict::Accept, None), STRANGER, None),
        ("a stranger who is let in and marked", policy_of(Verdict::Tag, None), STRANGER, None),
        ("nobody knows whom", policy_of(Verdict::Accept, None), None, None),
        ("an internal client", policy_of(Verdict::Accept, None), Some("10.0.0.1"), None),
        ("anyone, where all may", policy_of(Verdict::Reject, Some(Source::Any)), STRANGER, zoe),
    ] {
        let decision = recipient(&policy, &session(client), &to("zoe@a.example"));
        assert_eq!(learned_of(&decision).as_deref(), want, "{name}");
    }
    let mut bad = policy_of(Verdict::Reject, Some(Source::Any));
    bad.reputation = Reputation { threshold: 0, reverse: ReverseRule::Present };
    let answers = Answers { reverse: Some(ReverseName::Missing), ..Answers::default() };
    let decision = super::super::recipient(&bad, &session(STRANGER), &to("zoe@a.example"), &answers);
    assert_eq!((decision.applied, learned_of(&decision)), (Verdict::Reject, None));
}

/// Where a gateway is known by a line of its own as well, nothing is learned before it has been seen.
#[test]
fn what_is_learned_waits_for_the_header() {
    let require = Require::All { address: true, certificate: false, header: true };
    let mut gateways = Gateways::default();
    gateways.add(factors::full("seg", require));
    let policy = listing(&[], |own| own.recipients.mode = RecipientMode::Learn).with_gateways(gateways);
    let decision = decided(&policy, "zoe@a.example");
    assert_eq!(decision.applied, Verdict::Accept);
    assert_eq!(learned_of(&decision), None);
    for (line, want) in [("old-secret", Some("zoe@a.example via seg")), ("guess", None)] {
        let facts = factors::lines(&policy, &[("X-Seg-Id", line)]);
        let learned = learned(&decision, Some(&facts));
        let learned = learned.map(|l| format!("{} via {}", l.address, l.gateway.unwrap()));
        assert_eq!(learned.as_deref(), want, "{line}");
    }
}
