// SPDX-License-Identifier: GPL-3.0-or-later
//! Who exists: what directories know, what they cannot tell, and how a recipient is looked up.

use super::*;
use crate::mail::{Domain, LocalPattern};
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
