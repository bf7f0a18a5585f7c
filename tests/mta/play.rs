// SPDX-License-Identifier: GPL-3.0-or-later
//! Holding dialogues, and comparing what was heard, delivered and held with what was wanted.
//!
//! Every message carries a line `X-Row` of its own, by which its deliveries are found again. A dialogue is
//! over when the mail server has nothing more under way, so what has not been delivered by then never is.

use crate::common::sink::Delivery;
use crate::common::smtp::Reply;
use crate::dialogue::{Delivered, Dialogue, Mail, SECRET_HEADER, Want};
use crate::house::House;
use crate::mta::Held;

/// Holds all the dialogues, one after the other, and panics with every one that went wrong.
pub(crate) fn play(house: &House, dialogues: &[Dialogue]) {
    let mut failures = Vec::new();
    for (number, dialogue) in dialogues.iter().enumerate() {
        if let Err(failure) = hold(house, dialogue, number) {
            failures.push(format!("{} on {}:\n{failure}", dialogue.name, house.mta.name()));
        }
    }
    let (failed, all) = (failures.len(), dialogues.len());
    assert!(failures.is_empty(), "{failed} of {all} dialogues failed\n\n{}", failures.join("\n"));
}

fn hold(house: &House, dialogue: &Dialogue, number: usize) -> Result<(), String> {
    let held_before = house.mta.held();
    let delivered_before = house.sink.deliveries().len();
    let mut wrong = Vec::new();

    let mut smtp = match dialogue.tls {
        Some(shows) => house.mta.secure_session(dialogue.client, shows),
        None => house.mta.session(dialogue.client),
    };
    smtp.command(dialogue.helo);
    for line in &dialogue.before {
        let reply = smtp.command(line);
        if !reply.is_ok() {
            wrong.push(format!("{line}: {reply}"));
        }
    }
    let mut fates = Vec::new();
    for (place, mail) in dialogue.mails.iter().enumerate() {
        let token = format!("{number}-{place}");
        let utf8 = if mail.smtputf8 { house.mta.smtputf8() } else { "" };
        let reply = smtp.command(format!("MAIL FROM:<{}>{}{utf8}", mail.sender, mail.parameters));
        check("MAIL", &reply, Want::Accepted, &mut wrong);
        let mut accepted = Vec::new();
        for (argument, want) in &mail.recipients {
            let reply = smtp.command([b"RCPT TO:", argument.as_slice()].concat());
            check(&argument.escape_ascii().to_string(), &reply, *want, &mut wrong);
            if reply.is_ok() {
                accepted.push(String::from_utf8_lossy(argument).into_owned());
            }
        }
        let mut got_250 = false;
        if accepted.is_empty() {
            smtp.command("RSET");
        } else {
            let reply = smtp.command("DATA");
            if reply.code == 354 {
                let end = smtp.content(text(mail, &token).as_bytes());
                check("the final dot", &end, mail.end, &mut wrong);
                got_250 = end.is_ok();
            } else {
                check("DATA", &reply, mail.end, &mut wrong);
            }
        }
        fates.push((mail, token, if got_250 { accepted } else { Vec::new() }));
    }
    smtp.command("QUIT");

    if let Err(stuck) = house.settle() {
        wrong.push(stuck);
    }
    let mut delivered = house.sink.deliveries().split_off(delivered_before);
    let mut held = house.mta.held();
    held.retain(|one| !held_before.contains(one));
    for (mail, token, accepted) in &fates {
        let (ours, others) = delivered.into_iter().partition(|one| one.values("X-Row").contains(token));
        delivered = others;
        check_deliveries(mail, accepted, &ours, &mut wrong);
        held = check_held(mail, held, &mut wrong);
    }
    for delivery in &delivered {
        wrong.push(format!("mail that nobody sent: {}", delivery.data.escape_ascii()));
    }
    for one in &held {
        wrong.push(format!("on hold: {one:?}"));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("  - {}\n{}\n{}", wrong.join("\n  - "), smtp.transcript(), house.logs()))
}

/// The message as the client sends it.
fn text(mail: &Mail, token: &str) -> String {
    format!("{}X-Row: {token}\r\nSubject: 100 % sure\r\n\r\n{BODY}", mail.headers)
}

const BODY: &str = "Dear all,\r\n\r\n.\r\n..dots\r\nX-Postern-Tag: no header\r\n";

/// Is this the reply that was wanted?
fn check(command: &str, reply: &Reply, want: Want, wrong: &mut Vec<String>) {
    let text = reply.text();
    let right = match want {
        Want::Accepted => reply.is_ok(),
        Want::Refused(start) => text.starts_with(&format!("{start} ")),
        Want::NotAccepted(start) => !reply.is_ok() && text.starts_with(start),
        Want::Anything => true,
    };
    if !right {
        wrong.push(format!("{command}: wanted {want:?}, heard {reply}"));
    }
    if let (Want::Refused(_), false) = (want, reply.is_ok())
        && let Some(fault) = fault_of(reply)
    {
        wrong.push(format!("{command}: {fault}: {reply}"));
    }
}

/// What is wrong with the form of a reply of Postern's.
fn fault_of(reply: &Reply) -> Option<&'static str> {
    let [line] = reply.lines.as_slice() else { return Some("not one line") };
    if !line.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Some("not printable ASCII");
    }
    if line.len() > 510 {
        return Some("longer than a reply line may be");
    }
    let reference = line.strip_suffix(b")").and_then(|rest| rest.rsplit(|&byte| byte == b' ').next());
    let intact = reference.is_some_and(|it| it.len() >= 4 && it.iter().all(u8::is_ascii_alphanumeric));
    let announced = reference.is_some_and(|it| line.ends_with(&[b" (ref ", it, b")"].concat()));
    (!intact || !announced).then_some("no reference at the end")
}

/// Did the message reach whom it should, as it should?
fn check_deliveries(mail: &Mail, accepted: &[String], deliveries: &[Delivery], wrong: &mut Vec<String>) {
    let found = sorted(deliveries.iter().flat_map(|one| &one.recipients).map(String::as_str));
    let accepted = sorted(accepted.iter().map(|one| address_in(one)));
    let (right, wanted) = match &mail.delivered {
        Delivered::AsAccepted => (found == accepted, accepted),
        Delivered::Somehow => (found.len() == accepted.len(), accepted),
        Delivered::To(recipients) => {
            let wanted = sorted(recipients.iter().copied());
            (found == wanted, wanted)
        }
    };
    if !right {
        wrong.push(format!("delivered to {found:?}, not to {wanted:?}"));
    }
    for delivery in deliveries {
        if delivery.sender != mail.sender {
            wrong.push(format!("the sender became {:?}", delivery.sender));
        }
        if delivery.body() != BODY.as_bytes() {
            wrong.push(format!("the body became {:?}", String::from_utf8_lossy(delivery.body())));
        }
        if delivery.values("Subject") != ["100 % sure"] {
            wrong.push(format!("the subject became {:?}", delivery.values("Subject")));
        }
        let ids = delivery.values("X-Postern-Loop");
        let ids = sorted(ids.iter().map(|value| value.split(';').next().unwrap_or_default().trim()));
        let wanted = sorted(mail.loops.iter().copied());
        if ids != wanted {
            wrong.push(format!("loop tokens {ids:?}, not {wanted:?}"));
        }
        let tags = delivery.values("X-Postern-Tag");
        if tags != mail.tags {
            wrong.push(format!("tags {tags:?}, not {:?}", mail.tags));
        }
        let secrets = delivery.values(SECRET_HEADER);
        if secrets != mail.secrets {
            wrong.push(format!("{SECRET_HEADER} {secrets:?}, not {:?}", mail.secrets));
        }
        for (name, value) in delivery.headers() {
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("x-postern-") && lower != "x-postern-loop" && lower != "x-postern-tag" {
                wrong.push(format!("a header line {name}: {value}"));
            }
        }
    }
}

/// Is the message on hold, if it should be? Returns what is on hold beside it.
fn check_held(mail: &Mail, mut held: Vec<Held>, wrong: &mut Vec<String>) -> Vec<Held> {
    let Some((recipients, reason)) = &mail.held else { return held };
    let wanted = sorted(recipients.iter().copied());
    let here = held.iter().position(|one| sorted(one.recipients.iter().map(String::as_str)) == wanted);
    let Some(here) = here else {
        wrong.push(format!("nothing is on hold for {wanted:?}, only {held:?}"));
        return held;
    };
    let one = held.swap_remove(here);
    if one.reason.as_ref().is_some_and(|found| !found.contains(reason)) {
        wrong.push(format!("on hold for {:?}, not for {reason:?}", one.reason));
    }
    held
}

/// The address of a RCPT argument.
fn address_in(argument: &str) -> &str {
    let end = argument.rfind('>').unwrap_or(argument.len());
    argument[..end].trim_start_matches('<')
}

/// Addresses as they are compared: without case, without quotes that change nothing, in order.
fn sorted<'a>(addresses: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut sorted: Vec<String> = addresses.map(plain).collect();
    sorted.sort();
    sorted
}

fn plain(address: &str) -> String {
    let address = address.to_lowercase();
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let bare = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let dot_string =
                |text: &str| text.chars().all(|letter| letter.is_alphanumeric() || "+-._'".contains(letter));
            let local = bare.filter(|bare| dot_string(bare)).unwrap_or(local);
            format!("{local}@{}", domain.trim_end_matches('.'))
        }
        None => address,
    }
}
