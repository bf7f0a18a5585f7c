// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern mta sendmail`: the rules that it prints, in a real Sendmail, for every way in which an address can be written; and
//! what `--check` finds in a sendmail.cf that has lost one of them.

use std::fs;

use serde_json::Value;

use crate::common::courier::message;
use crate::common::wait::{SOON, wait_for};
use crate::estate::{Estate, SCANNER_NAME, Setup};
use crate::house::Kind;

/// Addresses on their way to the scanner, and what it is told.
const ON_THEIR_WAY: [(&str, &str); 5] = [
    ("ann@routed.example.scanner.postern-scan.invalid", "ann@routed.example"),
    ("Ann@Routed.EXAMPLE.Scanner.Postern-Scan.INVALID", "Ann@Routed.EXAMPLE"),
    ("ann+news@routed.example.scanner.postern-scan.invalid", "ann+news@routed.example"),
    ("\"a b\"@two.example.scanner.postern-scan.invalid", "\"a b\"@two.example"),
    ("\"a:b\"@two.example.scanner.postern-scan.invalid", "\"a:b\"@two.example"),
];

#[test]
fn the_scanner_is_told_the_address_as_it_was() {
    let mut estate = Estate::open(Kind::Sendmail, Setup::default());
    for (number, (address, told)) in ON_THEIR_WAY.into_iter().enumerate() {
        let mark = format!("way-{number}");
        estate.sends(&message(&[address], &mark)).all_accepted();
        let inbox = &estate.scanner.inbox;
        let came = || inbox.with_header("Subject", &mark).pop();
        let delivery = wait_for(&mark, SOON, came);
        assert_eq!(delivery.recipients, [told], "{}", estate.logs());
    }
    // One that is down keeps its mail waiting, by the name that is in the queue.
    estate.rests();
    estate.scanner.inbox.close();
    let (address, told) = ON_THEIR_WAY[2];
    estate.waits(address, || estate.sends(&message(&[address], "later")).all_accepted());
    estate.scanner.inbox.open();
    let inbox = &estate.scanner.inbox;
    let later = || inbox.with_header("Subject", "later").pop();
    let delivery = wait_for("later", SOON, later);
    assert_eq!(delivery.recipients, [told], "{}", estate.logs());
    // One that nobody knows is not looked for in the DNS, and waits at the sender.
    let fate = estate.sends(&message(&["ann@routed.example.other.postern-scan.invalid"], "nowhere"));
    assert!(fate.deferred[0].1.contains("there is no such scanner"), "{fate:?}");
}

#[test]
fn local_parts_that_look_like_mailers_are_none() {
    let estate = Estate::open(Kind::Sendmail, Setup::default());
    // It is unlisted there, so the mail goes elsewhere; no rule may take its local part apart.
    estate.sends_from("127.0.0.2", &message(&["\"esmtp:[127.0.0.1]\"@pass.example"], "odd"));
    estate.rests();
    assert!(estate.arrivals("odd").iter().all(|one| one.starts_with("elsewhere: ")), "{}", estate.logs());
}

#[test]
fn what_is_missing_is_found() {
    let estate = Estate::open(Kind::Sendmail, Setup { certificate: Some(SCANNER_NAME), ..Setup::default() });
    let right = fs::read_to_string(estate.house.mta.dir().join("sendmail.cf")).expect("sendmail.cf");
    let check = |cf: &str| -> Vec<Value> {
        let file = estate.house.mta.dir().join("checked.cf");
        fs::write(&file, cf).expect("checked.cf");
        let (code, said) =
            estate.house.command(&format!("mta sendmail --check --json --sendmail-cf {}", file.display()));
        let findings: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
        assert_eq!(code, i32::from(!findings.is_empty()), "{said}");
        findings
    };
    assert_eq!(check(&right), [] as [Value; 0]);
    for (line, instead, severity, place, why) in [
        ("Xpostern,", "Xother,\n#", "error", "sendmail.cf: Xpostern", "nobody is asked"),
        (", F=T,", ",", "error", "sendmail.cf: Xpostern", "everybody is let in"),
        (", F=T,", ", F=R,", "error", "sendmail.cf: Xpostern", "good mail bounces"),
        ("R:30s", "R:2s", "warning", "sendmail.cf: Xpostern", "shorter than"),
        (
            "Name=MTA6, Family=inet6, Addr=::1",
            "Name=IN, Family=inet6, InputMailFilters=",
            "error",
            "DaemonPortOptions IN",
            "a way around",
        ),
        ("C{R}routed.example", "#", "error", "class R", "takes no mail for routed.example"),
        ("CPpostern-scan.invalid", "#", "error", "LOCAL_CONFIG", "does not get to the scanner"),
        (
            "R$+ < @ $+ .scanner.postern-scan.invalid",
            "#",
            "error",
            "LOCAL_RULE_0",
            "does not get to the scanner",
        ),
        ("Kpostern", "#", "error", "LOCAL_CONFIG", "[[route]] has no effect"),
        ("R< postern $~[", "#", "error", "LOCAL_RULE_0", "[[route]] has no effect"),
        ("C{PosternTls1}", "#", "error", "LOCAL_CONFIG", "may go in clear"),
        ("ROK : scanner.example", "#", "error", "LOCAL_RULESETS", "may go in clear"),
        ("Mpostern2600", "#", "error", "MAILER_DEFINITIONS", "no mailer to this port"),
        ("O CACertFile", "#", "error", "O CACertFile", "no certificate is trusted"),
    ] {
        assert!(right.contains(line), "{line} is not in sendmail.cf");
        let findings = check(&right.replace(line, instead));
        let has = |finding: &Value, key: &str, part: &str| {
            finding[key].as_str().is_some_and(|text| text.contains(part))
        };
        let is_it = |finding: &Value| {
            has(finding, "severity", severity) && has(finding, "place", place) && has(finding, "why", why)
        };
        assert!(findings.iter().any(is_it), "{line}: no {severity} {place}: {why} in {findings:#?}");
    }
    // Nobody minds what only this machine can reach.
    let silent = right.replace("O InputMailFilters=postern", "#");
    assert_eq!(check(&silent), [] as [Value; 0]);
    let open = check(&silent.replace("Addr=::1", "Addr=2001:db8::25"));
    assert!(
        open[0]["why"].as_str().is_some_and(|why| why.contains("no message is shown to it")),
        "{open:#?}"
    );
}
