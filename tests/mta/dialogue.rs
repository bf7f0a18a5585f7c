// SPDX-License-Identifier: GPL-3.0-or-later
//! A dialogue: what a client says in one session, what it is to hear, and where its messages are to end.
//!
//! What holds for every message need not be said. Each recipient that is accepted is delivered to, unless
//! the dialogue says otherwise, and to nobody else; the text is unchanged; one loop token of ours is on it
//! and no other `X-Postern-` line; nothing is on hold. Each reply with which Postern refuses is one line
//! of printable ASCII with a reference at its end.

use std::net::IpAddr;

use crate::common::sink::Delivery;
use crate::common::smtp::Reply;
use crate::house::House;
use crate::mta::Held;

/// The client that is a gateway.
pub(crate) const GATEWAY: &str = "127.0.0.2";
/// A client that is nobody's gateway.
pub(crate) const STRANGER: &str = "127.0.0.5";
/// A client in the internal networks.
pub(crate) const INTERNAL: &str = "127.0.0.9";
/// The only IPv6 client there is; the gateway of six.example.
pub(crate) const SIX: &str = "::1";

/// Our loop token.
pub(crate) const OURS: &str = "gate.test.example";

/// The reply that a command is to get.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// 2xx.
    Accepted,
    /// A refusal by Postern: code and enhanced code, `550 5.7.1`.
    Refused(&'static str),
    /// A refusal by Postern or by the mail server itself, with a code that begins like this.
    NotAccepted(&'static str),
    /// Whatever it is, the message's fate must agree with it.
    Anything,
}

/// One session.
pub(crate) struct Dialogue {
    name: String,
    client: IpAddr,
    tls: bool,
    helo: &'static [u8],
    before: &'static [&'static str],
    mails: Vec<Mail>,
}

/// One message of a session.
struct Mail {
    sender: &'static str,
    parameters: &'static str,
    smtputf8: bool,
    recipients: Vec<(Vec<u8>, Want)>,
    headers: String,
    end: Want,
    delivered: Delivered,
    held: Option<(Vec<&'static str>, &'static str)>,
    loops: Vec<&'static str>,
    tags: Vec<&'static str>,
}

/// To whom a message is delivered.
enum Delivered {
    /// To each accepted recipient, as the client wrote it.
    AsAccepted,
    /// To one mailbox for each accepted recipient, however the server writes it.
    Somehow,
    /// To these.
    To(Vec<&'static str>),
}

/// Begins a dialogue: its name says what it shows.
pub(crate) fn dialogue(name: impl Into<String>, client: &str) -> Dialogue {
    let client = client.parse().expect("an address");
    Dialogue {
        name: name.into(),
        client,
        tls: false,
        helo: b"EHLO client.example",
        before: &[],
        mails: Vec::new(),
    }
}

impl Dialogue {
    /// Begins TLS before it greets.
    pub(crate) fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Greets with this line instead of the usual one.
    pub(crate) fn helo(mut self, line: &'static [u8]) -> Self {
        self.helo = line;
        self
    }

    /// Says this after the greeting.
    pub(crate) fn before(mut self, lines: &'static [&'static str]) -> Self {
        self.before = lines;
        self
    }

    /// Begins a message from this sender, without brackets.
    pub(crate) fn mail(mut self, sender: &'static str) -> Self {
        self.mails.push(Mail {
            sender,
            parameters: "",
            smtputf8: false,
            recipients: Vec::new(),
            headers: String::new(),
            end: Want::Accepted,
            delivered: Delivered::AsAccepted,
            held: None,
            loops: vec![OURS],
            tags: Vec::new(),
        });
        self
    }

    /// Gives MAIL these parameters.
    pub(crate) fn parameters(mut self, parameters: &'static str) -> Self {
        self.last().parameters = parameters;
        self
    }

    /// Announces SMTPUTF8 where the server knows it.
    pub(crate) fn smtputf8(mut self) -> Self {
        self.last().smtputf8 = true;
        self
    }

    /// Adds a recipient, without brackets.
    pub(crate) fn to(self, recipient: &str, want: Want) -> Self {
        self.argument(format!("<{recipient}>").as_bytes(), want)
    }

    /// Adds a recipient that is accepted, without brackets.
    pub(crate) fn ok(self, recipient: &str) -> Self {
        self.to(recipient, Want::Accepted)
    }

    /// Adds a recipient that Postern refuses, without brackets.
    pub(crate) fn no(self, recipient: &str, reply: &'static str) -> Self {
        self.to(recipient, Want::Refused(reply))
    }

    /// Adds a recipient: what follows `RCPT TO:`.
    pub(crate) fn argument(mut self, argument: &[u8], want: Want) -> Self {
        self.last().recipients.push((argument.to_vec(), want));
        self
    }

    /// Puts these header lines on the message.
    pub(crate) fn headers(mut self, lines: &[&str]) -> Self {
        self.last().headers.extend(lines.iter().flat_map(|line| [*line, "\r\n"]));
        self
    }

    /// What the client hears after the final dot.
    pub(crate) fn end(mut self, want: Want) -> Self {
        self.last().end = want;
        self
    }

    /// To whom it is delivered, when that is not to each accepted recipient.
    pub(crate) fn delivers(mut self, recipients: &[&'static str]) -> Self {
        self.last().delivered = Delivered::To(recipients.to_vec());
        self
    }

    /// Each accepted recipient gets it, however the server writes the address.
    pub(crate) fn delivers_somehow(mut self) -> Self {
        self.last().delivered = Delivered::Somehow;
        self
    }

    /// It is on hold for these recipients, and in no way delivered.
    pub(crate) fn held(mut self, recipients: &[&'static str], reason: &'static str) -> Self {
        self.last().held = Some((recipients.to_vec(), reason));
        self.delivers(&[])
    }

    /// The ids of its loop tokens, when that is not ours alone.
    pub(crate) fn loops(mut self, ids: &[&'static str]) -> Self {
        self.last().loops = ids.to_vec();
        self
    }

    /// The reasons of its tags.
    pub(crate) fn tags(mut self, reasons: &[&'static str]) -> Self {
        self.last().tags = reasons.to_vec();
        self
    }

    fn last(&mut self) -> &mut Mail {
        self.mails.last_mut().expect("mail() comes first")
    }
}

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
    let held_before = house.mta.queue().held;
    let delivered_before = house.sink.deliveries().len();
    let mut wrong = Vec::new();

    let mut smtp = if dialogue.tls {
        house.mta.secure_session(dialogue.client)
    } else {
        house.mta.session(dialogue.client)
    };
    smtp.command(dialogue.helo);
    for line in dialogue.before {
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
    let mut held = house.mta.queue().held;
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
