// SPDX-License-Identifier: GPL-3.0-or-later
//! All doors at once: Postfix asks by policy delegation, looks up in tables and shows its messages to the milter, and each
//! recipient is decided about once.

use crate::common::courier::message;
use crate::dialogue::STRANGER;
use crate::estate::{Estate, Setup};
use crate::house::Kind;

#[test]
fn each_recipient_is_decided_about_once() {
    let estate = Estate::open(Kind::Postfix, Setup { policyd: true, ..Setup::default() });
    // What is refused is refused by policy delegation: no other puts its words before ours.
    let words = "Recipient address rejected: ";
    let fate = estate.sends(&message(&["nobody@routed.example", "bob@routed.example"], "unknown"));
    estate.rests();
    let reply = &fate.refused[0].1;
    let is_ours = reply.contains(words) && reply.contains(" (ref ");
    assert!(is_ours && reply.starts_with("550 5.1.1 "), "{fate:?}\n{}", estate.logs());
    assert_eq!(estate.arrivals("unknown"), ["two: bob@routed.example"], "{}", estate.logs());
    let stranger = estate.sends_from(STRANGER, &message(&["ann@routed.example"], "stranger"));
    let reply = &stranger.refused[0].1;
    assert!(reply.contains(words) && reply.starts_with("550 5.7.1 "), "{stranger:?}\n{}", estate.logs());

    // What is for a message is left to the milter, which knows what was decided.
    estate.sends_from(STRANGER, &message(&["ann@held.example"], "held")).all_accepted();
    estate.rests();
    assert_eq!(estate.arrivals("held"), [""; 0], "{}", estate.logs());
    assert_eq!(estate.house.mta.held().len(), 1, "{}", estate.logs());

    // One message for two servers, and for one whose mail is scanned first.
    let (ann, chief) = ("ann@scanned.example", "chief@routed.example");
    estate.passes(&message(&[chief, ann, "cid@routed.example"], "all"));
    estate.rests();
    let wanted = ["one: ann@scanned.example", "one: cid@routed.example", "two: chief@routed.example"];
    assert_eq!(estate.arrivals("all"), wanted, "{}", estate.logs());

    // What is logged comes in order, and a little later.
    estate.passes(&message(&["anybody@two.example"], "last"));
    let log = estate.house.postern().logged(0, " recipient=<anybody@two.example> ");
    let verdicts = |recipient: &str| {
        let about = format!(" recipient=<{recipient}> ");
        log.lines().filter(|line| line.contains("about=recipient") && line.contains(&about)).count()
    };
    for recipient in [
        "nobody@routed.example",
        "bob@routed.example",
        "ann@routed.example",
        "ann@held.example",
        chief,
        "cid@routed.example",
    ] {
        assert_eq!(verdicts(recipient), 1, "{recipient}\n{log}");
    }
    // She was parted from the others, came again, and came back from the scanner.
    assert_eq!(verdicts(ann), 3, "{log}");
}
