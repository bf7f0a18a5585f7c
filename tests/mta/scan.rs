// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail that goes through a scanning gateway before it is delivered: there and back exactly once, whatever the gateway makes
//! of it, and never past it.

use std::time::{SystemTime, UNIX_EPOCH};

use postern::mail::{Domain, Mailbox, ScanAddress};
use postern::tokens::KeyRing;

use crate::common::courier::{Message, message, with_headers};
use crate::common::scanner::{Habits, SCANNED, Tampering};
use crate::common::wait::{SOON, wait_until};
use crate::dialogue::{INTERNAL, STRANGER};
use crate::estate::{Estate, SCANNER_NAME, Setup};
use crate::house::Kind;

const TOKEN: &str = "X-Postern-Scan";
const LOOP: &str = "X-Postern-Loop";

const ANN: &str = "ann@scanned.example";
const BOB: &str = "bob@scanned.example";

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_postfix { $(#[test] fn $name() { super::$name(super::Kind::Postfix); })* }
        mod on_sendmail { $(#[test] fn $name() { super::$name(super::Kind::Sendmail); })* }
    };
}

on_both! {
    there_and_back, tokens_that_are_not_taken, tokens_that_are_too_old, a_scanner_that_keeps_our_line_for_itself, a_scanner_that_is_down,
    a_scanner_with_a_certificate, a_scanner_with_another_certificate, a_scanner_that_stamps, not_scanned,
    postern_is_away_meanwhile, bounces_name_the_recipient,
}

fn certified(name: &'static str) -> Setup {
    Setup { certificate: Some(name), ..Setup::default() }
}

fn there_and_back(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    let habits = [
        Habits::default(),
        Habits { rewrites: true, ..Habits::default() },
        Habits { splits: true, ..Habits::default() },
        Habits { splits: true, rewrites: true, stamp: vec!["X-Spam-Score: 0.1"], ..Habits::default() },
    ];
    for (number, habits) in habits.into_iter().enumerate() {
        let splits = habits.splits;
        estate.scanner.adopts(habits);

        let mark = format!("one-{number}");
        let before = estate.scanner.inbox.deliveries().len();
        estate.passes(&message(&[ANN], &mark));
        estate.rests();
        assert_eq!(estate.arrivals(&mark), [format!("one: {ANN}")], "{}", estate.logs());
        let scanned = estate.scanner.inbox.deliveries().split_off(before);
        assert_eq!(scanned.len(), 1, "{}", estate.logs());
        assert_eq!(scanned[0].recipients, [ANN], "{}", estate.logs());
        assert_eq!(scanned[0].sender, "eve@sender.example");
        assert_eq!(scanned[0].values(TOKEN).len(), 1, "{}", estate.logs());
        assert_eq!(scanned[0].values(LOOP), ["gate.test.example; scan"]);
        let delivered = &estate.copies(&mark)[0].1;
        let mut loops = delivered.values(LOOP);
        loops.sort();
        assert_eq!(loops, ["gate.test.example; scan", "gate.test.example; scanned"]);
        assert_eq!(delivered.values(SCANNED), ["scanner.example"]);
        assert_eq!(delivered.body(), format!("{mark}\r\n").as_bytes());

        let mark = format!("two-{number}");
        let before = estate.scanner.inbox.deliveries().len();
        estate.passes(&message(&[ANN, BOB], &mark));
        estate.rests();
        let wanted = [format!("one: {ANN}"), format!("two: {BOB}")];
        assert_eq!(estate.arrivals(&mark), wanted, "splits: {splits}\n{}", estate.logs());
        assert_eq!(estate.scanner.inbox.deliveries().len(), before + 1, "{}", estate.logs());

        // Together with those whose mail is not scanned, and one who does not exist.
        let mark = format!("mixed-{number}");
        let fate = estate.sends(&message(
            &["ann@routed.example", ANN, "nobody@scanned.example", "anybody@two.example", BOB],
            &mark,
        ));
        assert_eq!(fate.refused.len(), 1, "{fate:?}");
        assert!(fate.deferred.is_empty(), "{fate:?}");
        estate.rests();
        let wanted = ["one: ann@routed.example", "one: ann@scanned.example", "two: anybody@two.example"];
        let wanted = [&wanted.map(str::to_owned)[..], &[format!("two: {BOB}")]].concat();
        assert_eq!(estate.arrivals(&mark), wanted, "{}", estate.logs());
    }
    // However the recipient is written, and whoever the sender is.
    estate.scanner.adopts(Habits { rewrites: true, ..Habits::default() });
    let before = estate.scanner.inbox.deliveries().len();
    for (number, (sender, recipient)) in [
        ("eve@sender.example", "ann+news@scanned.example"),
        ("eve@sender.example", "\"ann\"@scanned.example"),
        ("eve@sender.example", "ANN@Scanned.Example"),
        ("", ANN),
        ("", "postmaster@scanned.example"),
    ]
    .into_iter()
    .enumerate()
    {
        let mark = format!("written-{number}");
        let sent = Message { sender: sender.to_owned(), ..message(&[recipient], &mark) };
        estate.passes(&sent);
        estate.rests();
        let copies = estate.copies(&mark);
        assert_eq!(copies.len(), 1, "{recipient}\n{}", estate.logs());
        assert_eq!(copies[0].1.sender, sender, "{recipient}\n{}", estate.logs());
        let local = recipient.split(['@', '"']).find(|part| !part.is_empty()).expect("a local part");
        let is_same = copies[0].1.recipients[0].contains(local);
        assert!(is_same, "{recipient}: {:?}\n{}", copies[0].1.recipients, estate.logs());
        assert_eq!(estate.scanner.inbox.deliveries().len(), before + number + 1, "{}", estate.logs());
    }
    for delivery in estate.scanner.inbox.deliveries() {
        let others =
            delivery.recipients.iter().filter(|one| !one.to_lowercase().ends_with("@scanned.example"));
        assert_eq!(others.count(), 0, "{:?}", delivery.recipients);
    }
}

/// Whatever is on it, mail without a token that is taken goes to the scanner, and is delivered when it comes back.
fn tokens_that_are_not_taken(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    estate.passes(&message(&[ANN], "first"));
    estate.rests();
    let (returned, _) = estate.scanner.sent()[0].clone();
    let token = returned.values(TOKEN).pop().expect("a token");
    let line = format!("{TOKEN}: {token}");
    let altered = {
        let (rest, last) = line.split_at(line.len() - 1);
        format!("{rest}{}", if last == "A" { "Q" } else { "A" })
    };
    let (fields, hmac) = line.rsplit_once("h=").expect("a token ends with h=");
    let later = format!("{}h={hmac}", fields.replace("t=1", "t=2"));

    for (number, (what, lines)) in [
        ("none", vec![]),
        ("nonsense", vec!["X-Postern-Scan: k=1; d=scanned.example; t=1; r=AAAA; h=AAAA".to_owned()]),
        ("a used one", vec![line.clone()]),
        ("an altered one", vec![altered]),
        ("an altered time", vec![later]),
        ("two of them", vec![line.clone(), line.clone()]),
        (
            "loop lines as if it had been scanned",
            vec![format!("{LOOP}: gate.test.example; scan"), format!("{LOOP}: gate.test.example; scanned")],
        ),
        ("where to go", vec!["X-Postern-Via: [127.0.0.1]:9".to_owned()]),
    ]
    .into_iter()
    .enumerate()
    {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        // From outside, and from the scanner's address as its other customers have it.
        for from_scanner in [false, true] {
            let mark = format!("forged-{number}-{from_scanner}");
            let before = estate.scanner.inbox.deliveries().len();
            let message = with_headers(&[ANN], &mark, &lines);
            let fate = if from_scanner { estate.scanner.sends(&message) } else { estate.sends(&message) };
            fate.all_accepted();
            estate.rests();
            let scanned = estate.scanner.inbox.deliveries().split_off(before);
            assert_eq!(scanned.len(), 1, "{what}, from the scanner: {from_scanner}\n{}", estate.logs());
            assert_eq!(scanned[0].values(TOKEN).len(), 1, "{what}");
            assert!(!scanned[0].values(TOKEN).contains(&token), "{what}");
            assert_eq!(estate.arrivals(&mark), [format!("one: {ANN}")], "{what}\n{}", estate.logs());
        }
    }
    let stranger = estate.sends_from(STRANGER, &with_headers(&[ANN], "stranger", &[&line]));
    assert!(stranger.refused[0].1.starts_with("550 5.7.1 "), "{stranger:?}");

    // A token that has not come back yet, for somebody else, and for one more than it was made for.
    estate.scanner.adopts(Habits { keeps: true, ..Habits::default() });
    estate.passes(&message(&[ANN], "kept"));
    wait_until("a message at the scanner", SOON, || estate.scanner.queue().len() == 1);
    let kept = estate.scanner.queue().pop().expect("a message");
    estate.scanner.adopts(Habits::default());
    for recipients in [&[BOB][..], &[ANN, BOB]] {
        let before = estate.scanner.inbox.deliveries().len();
        let stolen =
            Message { recipients: recipients.iter().map(ToString::to_string).collect(), ..kept.clone() };
        estate.scanner.sends(&stolen).all_accepted();
        wait_until("its way to the scanner", SOON, || estate.scanner.inbox.deliveries().len() > before);
    }
    estate.scanner.retry();
    estate.rests();
    let arrivals = estate.arrivals("kept");
    let of = |recipient: &str| arrivals.iter().filter(|line| line.ends_with(recipient)).count();
    assert_eq!((of(BOB), of(ANN)), (2, 2), "{arrivals:?}\n{}", estate.logs());

    // The same message once more, as it came back.
    let before = estate.scanner.inbox.deliveries().len();
    estate.scanner.sends(&returned).all_accepted();
    estate.rests();
    assert_eq!(estate.scanner.inbox.deliveries().len(), before + 1, "{}", estate.logs());
    assert_eq!(estate.arrivals("first").len(), 2, "it was scanned again");
}

/// Tokens signed with the very keys, of which one is as good as Postern's own.
fn tokens_that_are_too_old(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    estate.passes(&message(&[ANN], "first"));
    estate.rests();
    let ring = KeyRing::read(&estate.house.state_dir()).expect("a file").expect("keys");
    let keys = ring.keys().expect("keys");
    let mailbox = Mailbox::parse_strict(ANN).expect("an address");
    let domain = Domain::parse("scanned.example").expect("a domain");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let token = |at| {
        let lines = keys.signing().mint(&domain, at, 4711, [&ScanAddress::of(&mailbox)]);
        format!("{TOKEN}: {}", lines[0].replace('\n', "\r\n"))
    };
    // A day, and a minute for the way; the clock may be ahead of another by five.
    for (mark, at, is_scanned) in [
        ("now", now, false),
        ("a day ago", now - 24 * 3600 - 60, true),
        ("almost a day ago", now - 24 * 3600 + 3600, false),
        ("in an hour", now + 3600, true),
        ("in a minute", now + 60, false),
    ] {
        let before = estate.scanner.inbox.deliveries().len();
        estate.scanner.sends(&with_headers(&[ANN], mark, &[&token(at)])).all_accepted();
        estate.rests();
        let scanned = estate.scanner.inbox.deliveries().len() - before;
        assert_eq!(scanned, usize::from(is_scanned), "{mark}\n{}", estate.logs());
        assert_eq!(estate.arrivals(mark), [format!("one: {ANN}")], "{mark}\n{}", estate.logs());
    }
}

fn a_scanner_that_keeps_our_line_for_itself(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    for (number, tampering) in [Tampering::Drop, Tampering::Alter].into_iter().enumerate() {
        estate.scanner.adopts(Habits { tampers: Some((TOKEN, tampering)), ..Habits::default() });
        let mark = format!("loop-{number}");
        let before = estate.scanner.inbox.deliveries().len();
        estate.passes(&message(&[ANN], &mark));
        estate.rests();
        assert_eq!(estate.arrivals(&mark), [""; 0], "{tampering:?}\n{}", estate.logs());
        let scanned = estate.scanner.inbox.deliveries().split_off(before);
        assert_eq!(scanned.len(), 2, "{tampering:?}\n{}", estate.logs());
        // Whom the scanner then has to tell is its sender.
        let (_, last) = estate.scanner.sent().pop().expect("a try");
        let refused = last.refused.iter().any(|(_, reply)| reply.starts_with("554 5.4.6 "));
        assert!(refused, "{tampering:?}: {last:?}\n{}", estate.logs());
    }
    // One that has it twice, or ours and one that is none.
    for (number, tampering) in [Tampering::Double, Tampering::AddNonsense].into_iter().enumerate() {
        estate.scanner.adopts(Habits { tampers: Some((TOKEN, tampering)), ..Habits::default() });
        let mark = format!("more-{number}");
        estate.passes(&message(&[ANN], &mark));
        estate.rests();
        assert_eq!(estate.arrivals(&mark), [format!("one: {ANN}")], "{tampering:?}\n{}", estate.logs());
    }
}

fn a_scanner_that_is_down(kind: Kind) {
    let mut estate = Estate::open(kind, Setup::default());
    estate.scanner.inbox.close();
    estate.waits(ANN, || estate.passes(&message(&[ANN, BOB], "down")));
    assert_eq!(estate.arrivals("down"), [""; 0], "{}", estate.logs());
    // Others' mail does not wait.
    estate.passes(&message(&["ann@routed.example"], "others"));
    estate.reaches("others", 1);
    estate.scanner.inbox.open();
    estate.rests();
    let wanted = [format!("one: {ANN}"), format!("two: {BOB}")];
    assert_eq!(estate.arrivals("down"), wanted, "{}", estate.logs());
    assert_eq!(estate.scanner.inbox.deliveries().len(), 1, "{}", estate.logs());
}

/// Where the domain wants mail unscanned rather than late.
#[test]
fn a_scanner_that_is_passed_by() {
    let mut estate = Estate::open(Kind::Postfix, Setup::default());
    let ann = "ann@eager.example";
    estate.passes(&message(&[ann], "up"));
    estate.rests();
    assert_eq!(estate.scanner.inbox.deliveries().len(), 1, "{}", estate.logs());
    let arrived = [format!("one: {ann}")];
    assert_eq!(estate.arrivals("up"), arrived, "{}", estate.logs());

    let since = estate.house.postern().log().len();
    estate.scanner.inbox.close();
    estate.house.postern().logged(since, "none of the server's hosts takes mail; their order stays");
    estate.passes(&message(&[ann, ANN], "down"));
    estate.reaches("down", 1);
    assert_eq!(estate.arrivals("down"), arrived, "{}", estate.logs());

    let since = estate.house.postern().log().len();
    estate.scanner.inbox.open();
    estate.house.postern().logged(since, "host takes mail again");
    estate.passes(&message(&[ann], "up again"));
    estate.rests();
    assert_eq!(estate.arrivals("up again"), arrived, "{}", estate.logs());
    assert_eq!(estate.arrivals("down"), [format!("one: {ann}"), format!("one: {ANN}")], "{}", estate.logs());
    assert_eq!(estate.scanner.inbox.deliveries().len(), 3, "{}", estate.logs());
}

fn a_scanner_with_a_certificate(kind: Kind) {
    let estate = Estate::open(kind, certified(SCANNER_NAME));
    estate.passes(&message(&[ANN, BOB], "verified"));
    estate.rests();
    let wanted = [format!("one: {ANN}"), format!("two: {BOB}")];
    assert_eq!(estate.arrivals("verified"), wanted, "{}", estate.logs());
    assert_eq!(estate.scanner.inbox.secured(), 1, "{}", estate.logs());
}

fn a_scanner_with_another_certificate(kind: Kind) {
    let estate = Estate::open(kind, certified("other.example"));
    estate.waits(ANN, || estate.passes(&message(&[ANN], "unverified")));
    assert_eq!(estate.scanner.inbox.begun(), 0, "{}", estate.logs());
    assert_eq!(estate.arrivals("unverified"), [""; 0], "{}", estate.logs());
    assert!(!estate.house.mta.waiting().is_empty(), "{}", estate.logs());
}

/// It is known by a line of its own, which nobody but it and we know.
fn a_scanner_that_stamps(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    let (ann, bob) = ("ann@stamped.example", "bob@stamped.example");
    let stamp = "X-MMCloud-ID: f6a7c1d0-guid";
    // A scanner that keeps all lines of ours for itself.
    let habits = Habits { stamp: vec![stamp], tampers: Some((TOKEN, Tampering::Drop)), ..Habits::default() };
    estate.scanner.adopts(habits);
    estate.passes(&message(&[ann, bob], "stamped"));
    estate.rests();
    let wanted = [format!("one: {ann}"), format!("two: {bob}")];
    assert_eq!(estate.arrivals("stamped"), wanted, "{}", estate.logs());
    assert_eq!(estate.scanner.inbox.deliveries().len(), 1, "{}", estate.logs());
    for (_, copy) in estate.copies("stamped") {
        assert_eq!(copy.values("X-MMCloud-ID"), [""; 0], "{}", estate.logs());
        assert_eq!(copy.values(SCANNED), ["scanner.example"]);
    }

    // Together with those who are known by our own line, and whose scanner is the same or another.
    let all = ["ann@stamped.example", ANN, "ann@eager.example", "ann@routed.example"];
    estate.scanner.adopts(Habits { stamp: vec![stamp], ..Habits::default() });
    estate.passes(&message(&all, "three"));
    estate.rests();
    let mut wanted = all.map(|recipient| format!("one: {recipient}"));
    wanted.sort();
    assert_eq!(estate.arrivals("three"), wanted, "{}", estate.logs());

    // The line does not help anybody else, nor another line the scanner.
    let before = estate.scanner.inbox.deliveries().len();
    estate.passes(&with_headers(&[ann], "guessed", &[stamp]));
    estate.rests();
    assert_eq!(estate.scanner.inbox.deliveries().len(), before + 1, "{}", estate.logs());
    assert_eq!(estate.arrivals("guessed"), [format!("one: {ann}")], "{}", estate.logs());
    assert_eq!(estate.copies("guessed")[0].1.values("X-MMCloud-ID"), [""; 0], "{}", estate.logs());
    let stamp = "X-MMCloud-ID: f6a7c1d0-other";
    estate.scanner.adopts(Habits { stamp: vec![stamp], ..Habits::default() });
    estate.passes(&message(&[ann], "wrong stamp"));
    estate.rests();
    assert_eq!(estate.arrivals("wrong stamp"), [""; 0], "{}", estate.logs());
}

fn not_scanned(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    let (ann, dee) = ("ann@watched.example", "dee@watched.example");
    estate.passes(&message(&[ann, dee], "watched"));
    estate.rests();
    assert_eq!(estate.scanner.inbox.begun(), 0, "{}", estate.logs());
    assert_eq!(estate.arrivals("watched"), [format!("elsewhere: {dee}"), format!("one: {ann}")]);

    // Nor is what comes from inside.
    estate.sends_from(INTERNAL, &message(&[ANN], "inside")).all_accepted();
    estate.rests();
    assert_eq!(estate.scanner.inbox.begun(), 0, "{}", estate.logs());
    assert_eq!(estate.arrivals("inside"), [format!("one: {ANN}")], "{}", estate.logs());
}

fn postern_is_away_meanwhile(kind: Kind) {
    let mut estate = Estate::open(kind, Setup::default());
    estate.scanner.adopts(Habits { keeps: true, ..Habits::default() });
    estate.passes(&message(&[ANN, BOB], "away"));
    wait_until("a message at the scanner", SOON, || estate.scanner.queue().len() == 1);
    estate.house.postern.take().expect("Postern runs").kill();
    estate.scanner.retry();
    assert_eq!(estate.scanner.queue().len(), 1, "the server answers for nothing now\n{}", estate.logs());
    assert_eq!(estate.arrivals("away"), [""; 0], "{}", estate.logs());
    estate.house.start_postern();
    estate.settled();
    estate.scanner.retry();
    estate.rests();
    let wanted = [format!("one: {ANN}"), format!("two: {BOB}")];
    assert_eq!(estate.arrivals("away"), wanted, "{}", estate.logs());
    // It knows its token over the restart, and that it was used.
    assert_eq!(estate.scanner.inbox.deliveries().len(), 1, "{}", estate.logs());
    estate.scanner.adopts(Habits::default());
    let (returned, _) = estate.scanner.sent().pop().expect("what came back");
    estate.house.postern.take().expect("Postern runs").stop();
    estate.house.start_postern();
    estate.settled();
    estate.scanner.sends(&returned).all_accepted();
    estate.rests();
    assert_eq!(estate.scanner.inbox.deliveries().len(), 2, "{}", estate.logs());
}

/// A scanner that refuses: whom the sender is told about.
fn bounces_name_the_recipient(kind: Kind) {
    let estate = Estate::open(kind, Setup::default());
    estate.scanner.inbox.refuses(ANN);
    estate.passes(&message(&[ANN, BOB], "refused"));
    estate.rests();
    assert_eq!(estate.arrivals("refused"), [format!("two: {BOB}")], "{}", estate.logs());
    let told: Vec<_> =
        estate.house.sink.deliveries().into_iter().filter(|one| one.sender.is_empty()).collect();
    assert_eq!(told.len(), 1, "{}", estate.logs());
    assert_eq!(told[0].recipients, ["eve@sender.example"]);
    let text = String::from_utf8_lossy(&told[0].data).into_owned();
    // What is for machines has the address as it was. Sendmail's words for people have it with our name behind it.
    assert!(text.to_lowercase().contains(&format!("\r\nfinal-recipient: rfc822; {ANN}\r\n")), "{text}");
    let (_, report) = text.split_once("message/delivery-status").expect("a report");
    assert!(!report.contains("postern-scan.invalid"), "{text}");
}
