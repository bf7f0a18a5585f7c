// SPDX-License-Identifier: GPL-3.0-or-later
//! Postern comes and goes: stopped, killed, drained and reloaded while mail is under way. Nothing is lost,
//! and no stranger gets in meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::smtp::{Reply, Smtp};
use crate::common::wait::{SOON, wait_until};
use crate::dialogue::{GATEWAY, STRANGER};
use crate::house::{CONFIG, House, Kind};
use crate::mta::{Extra, Transport};

#[test]
fn stopped_beside_postfix() {
    stopped(House::usual(Kind::Postfix));
}

#[test]
fn stopped_beside_sendmail() {
    stopped(House::usual(Kind::Sendmail));
}

#[test]
fn killed_beside_postfix_over_unix() {
    killed(House::usual(Kind::Postfix));
}

#[test]
fn killed_beside_postfix_over_tcp() {
    killed(House::open(Kind::Postfix, Transport::Tcp, CONFIG, &Extra::default()));
}

#[test]
fn killed_beside_sendmail() {
    killed(House::usual(Kind::Sendmail));
}

#[test]
fn drained_beside_postfix() {
    drained(House::usual(Kind::Postfix));
}

#[test]
fn drained_beside_sendmail() {
    drained(House::usual(Kind::Sendmail));
}

#[test]
fn reloaded_beside_postfix() {
    reloaded(&House::usual(Kind::Postfix));
}

#[test]
fn reloaded_beside_sendmail() {
    reloaded(&House::usual(Kind::Sendmail));
}

/// The commands of one message, up to its content.
const STEPS: [&str; 3] = ["MAIL FROM:<eve@sender.example>", "RCPT TO:<ann@a.example>", "DATA"];

/// Sends what is left of a message after `done` of the steps. The last reply, and whether RCPT was accepted.
fn finish(smtp: &mut Smtp, done: usize, subject: &str) -> (Reply, bool) {
    let mut recipient_accepted = done >= 2;
    for step in &STEPS[done..] {
        let reply = smtp.command(step);
        if !reply.is_ok() {
            return (reply, recipient_accepted);
        }
        recipient_accepted |= step.starts_with("RCPT");
    }
    (smtp.content(format!("Subject: {subject}\r\n\r\nbody\r\n").as_bytes()), recipient_accepted)
}

/// A client that was told 250 has its message delivered, once; any other comes again, and has not.
fn agree(house: &House, subject: &str, last: &Reply) {
    house.settle().expect("an empty queue");
    let delivered = house.sink.with_header("Subject", subject).len();
    let what = format!("{subject}: {last}\n{}", house.logs());
    if last.is_ok() {
        assert_eq!(delivered, 1, "{what}");
    } else {
        assert_eq!(delivered, 0, "{what}");
        assert!((400..500).contains(&last.code) || last.lines.is_empty(), "{what}");
    }
}

/// While Postern is not there, every client comes again; afterwards all is as before.
fn stopped(mut house: House) {
    let status = house.postern.take().expect("Postern runs").stop();
    assert!(status.success(), "{status}\n{}", house.logs());
    for (number, client) in [GATEWAY, STRANGER, GATEWAY].into_iter().enumerate() {
        let subject = format!("stopped-{number}");
        let (last, accepted) = finish(&mut house.session(client), 0, &subject);
        assert!(!accepted, "{last}");
        assert!((400..500).contains(&last.code), "{last}");
        agree(&house, &subject, &last);
    }
    house.start_postern();
    let (last, _) = finish(&mut house.session(GATEWAY), 0, "again");
    assert!(last.is_ok(), "{last}\n{}", house.logs());
    agree(&house, "again", &last);
    let (last, _) = finish(&mut house.session(STRANGER), 0, "stranger");
    assert!(last.text().starts_with("550 5.7.1 "), "{last}");
}

/// Postern dies between any two steps of a message and comes back, or not, before the next.
fn killed(mut house: House) {
    for back in [false, true] {
        for done in 0..=STEPS.len() {
            let subject = format!("killed-{done}-{back}");
            let mut gateway = house.session(GATEWAY);
            for step in &STEPS[..done] {
                let reply = gateway.command(step);
                assert!(reply.is_ok(), "{step}: {reply}\n{}", house.logs());
            }
            let mut stranger = house.session(STRANGER);
            house.postern.take().expect("Postern runs").kill();
            if back {
                house.start_postern();
            }
            let (last, _) = finish(&mut gateway, done, &subject);
            agree(&house, &subject, &last);
            let (last, accepted) = finish(&mut stranger, 0, "stranger");
            assert!(!accepted && !last.is_ok(), "a stranger heard {last}\n{}", stranger.transcript());
            if !back {
                house.start_postern();
            }
            let (last, _) = finish(&mut house.session(GATEWAY), 0, &format!("{subject}-again"));
            assert!(last.is_ok(), "{subject} again: {last}\n{}", house.logs());
        }
    }
    house.settle().expect("an empty queue");
    assert!(house.sink.with_header("Subject", "stranger").is_empty());
}

/// Asked to end, Postern finishes the message that is under way, takes no new one, and ends well.
fn drained(mut house: House) {
    for done in [2, 3] {
        let subject = format!("drained-{done}");
        let mut idle = house.session(GATEWAY);
        let mut busy = house.session(GATEWAY);
        for step in &STEPS[..done] {
            let reply = busy.command(step);
            assert!(reply.is_ok(), "{step}: {reply}\n{}", house.logs());
        }
        let mut postern = house.postern.take().expect("Postern runs");
        postern.terminate();
        wait_until("Postern to take no more sessions", SOON, || {
            let (last, accepted) = finish(&mut house.session(STRANGER), 0, "stranger");
            assert!(!accepted && !last.is_ok(), "{last}");
            (400..500).contains(&last.code)
        });
        let (last, _) = finish(&mut busy, done, &subject);
        assert!(last.is_ok(), "under way: {last}\n{}\n{}", postern.log(), house.logs());
        agree(&house, &subject, &last);
        let (last, _) = finish(&mut idle, 0, &format!("{subject}-idle"));
        agree(&house, &format!("{subject}-idle"), &last);
        let status = postern.wait();
        assert!(status.success(), "{status}\n{}", postern.log());
        house.start_postern();
    }
}

const STAFF: &str = include_str!("staff.txt");

/// Reloads with and without a newcomer, and with broken files, while clients send without a pause.
fn reloaded(house: &House) {
    let stop = AtomicBool::new(false);
    let sent = AtomicUsize::new(0);
    let accepted: Vec<String> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let (stop, sent) = (&stop, &sent);
                scope.spawn(move || traffic(house, sender, stop, sent))
            })
            .collect();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reloads(house, &sent)));
        stop.store(true, Ordering::Relaxed);
        let accepted = senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect();
        if let Err(failure) = outcome {
            std::panic::resume_unwind(failure);
        }
        accepted
    });
    house.settle().expect("an empty queue");
    for subject in &accepted {
        let delivered = house.sink.with_header("Subject", subject).len();
        assert_eq!(delivered, 1, "{subject}\n{}", house.logs());
    }
}

/// One sender: sometimes a new session for each message, sometimes one for all.
fn traffic(house: &House, sender: usize, stop: &AtomicBool, sent: &AtomicUsize) -> Vec<String> {
    let mut subjects = Vec::new();
    let mut kept = house.session(GATEWAY);
    while !stop.load(Ordering::Relaxed) {
        let subject = format!("traffic-{sender}-{}", subjects.len());
        let mut fresh = (sender == 0).then(|| house.session(GATEWAY));
        let smtp = fresh.as_mut().unwrap_or(&mut kept);
        let expect = |reply: &Reply, start: &str| {
            assert!(
                reply.text().starts_with(start),
                "{subject}: wanted {start}, heard {reply}\n{}",
                house.logs()
            );
        };
        expect(&smtp.command("MAIL FROM:<eve@sender.example>"), "250 ");
        expect(&smtp.command("RCPT TO:<nobody@a.example>"), "550 5.1.1 ");
        expect(&smtp.command("RCPT TO:<ann@a.example>"), "250 ");
        expect(&smtp.command("DATA"), "354 ");
        expect(&smtp.content(format!("Subject: {subject}\r\n\r\nbody\r\n").as_bytes()), "250 ");
        let mut stranger = house.session(STRANGER);
        expect(&stranger.command("MAIL FROM:<eve@sender.example>"), "250 ");
        expect(&stranger.command("RCPT TO:<ann@a.example>"), "550 5.7.1 ");
        subjects.push(subject);
        sent.fetch_add(1, Ordering::Relaxed);
    }
    subjects
}

/// Is the newcomer known to a session that begins now?
fn newcomer_is_known(house: &House) -> bool {
    let mut smtp = house.session(GATEWAY);
    smtp.command(STEPS[0]);
    let reply = smtp.command("RCPT TO:<newcomer@a.example>");
    assert!(reply.is_ok() || reply.text().starts_with("550 5.1.1 "), "{reply}");
    reply.is_ok()
}

fn reloads(house: &House, sent: &AtomicUsize) {
    let with_newcomer = format!("{STAFF}newcomer@a.example\n");
    assert!(!newcomer_is_known(house));
    for round in 0..6 {
        let before = sent.load(Ordering::Relaxed);
        // A session keeps the policy that it began with.
        let mut old = house.session(GATEWAY);
        let known = round % 2 == 0;
        house.write("staff.txt", if known { &with_newcomer } else { STAFF });
        house.postern().reload();
        wait_until("the new directory to be in force", SOON, || newcomer_is_known(house) == known);
        old.command(STEPS[0]);
        let reply = old.command("RCPT TO:<newcomer@a.example>");
        assert_eq!(reply.is_ok(), !known, "a session from before the reload heard {reply}");

        // A file with an error in it changes nothing, whichever file it is.
        let noted = house.postern().log().len();
        if round % 3 == 0 {
            house.configure(&format!("{CONFIG}\n[domain.\"late.example\"]\nmode = \"enforced\"\n"));
        } else {
            house.write("staff.txt", "two words@a.example and more\n");
        }
        house.postern().reload();
        wait_until("a word about the broken file", SOON, || {
            let log = house.postern().log();
            let new = &log[noted..];
            new.contains(" WARN ") || new.contains(" ERROR ") || new.contains("WARN") || new.contains("ERROR")
        });
        assert_eq!(newcomer_is_known(house), known, "after a broken file");
        house.configure(CONFIG);
        house.write("staff.txt", if known { &with_newcomer } else { STAFF });
        wait_until("mail meanwhile", SOON, || sent.load(Ordering::Relaxed) > before);
    }
}
