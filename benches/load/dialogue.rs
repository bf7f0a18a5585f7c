// SPDX-License-Identifier: GPL-3.0-or-later
//! One milter session as Postfix leads it: what to write next, what answer is due, how the message ended.
//!
//! The caller moves the bytes: it writes `pending()`, feeds what it reads, and is told when a message is over.
//! Writes are cut as Postfix 3.7 cuts them (seen with strace): everything up to the next command that needs an
//! answer is one write, but DATA always ends a write, because smtpd hands the socket to cleanup there. With
//! `Writes::Separate` each packet is a write, as in Sendmail.
//! Limits: one recipient a message; an answer that refuses the connection ends the message.

use crate::{
    data,
    wire::{self, Negotiated, Stage, Value},
};
use std::{fmt::Write as _, io::Write as _, ops::Range, rc::Rc};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Writes {
    /// As Postfix: one write up to the next awaited answer.
    Joined,
    /// As Sendmail: one write a packet.
    Separate,
}

/// How a message ended, as the milter said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted { edits: u32 },
    Discarded,
    /// Refused for good or for now, with the enhanced status code where a text was given.
    Refused([u8; 5]),
}

/// Everything that makes one message differ from the next.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) client: std::net::IpAddr,
    pub(crate) recipient: String,
    /// Loop tokens that the message already carries.
    pub(crate) passes: u32,
    pub(crate) number: u32,
}

/// What all messages of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) writes: Writes,
    pub(crate) headers: usize,
    pub(crate) body: usize,
    pub(crate) loop_id: String,
}

/// What the caller has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Read,
    Write,
    Done(Outcome),
}

struct Unit {
    bytes: Range<usize>,
    awaits: Option<Stage>,
}

pub(crate) struct Dialogue {
    content: Rc<Content>,
    out: Vec<u8>,
    units: Vec<Unit>,
    at: usize,
    input: Vec<u8>,
    edits: u32,
    negotiated: Option<Rc<Negotiated>>,
    message: Option<Message>,
    scratch: String,
    /// Answers waited for since the last `take_trips`.
    trips: u64,
}

const SENDER: &str = "newsletter-bounces@sender.example";
const HELO: &str = "mail-relay-7.sender.example";
const HEADERS: [(&str, &str); 12] = [
    ("Received", " from app-12.sender.example (app-12.sender.example [198.51.100.12])\n\tby mail-relay-7.sender.example (Postfix) with ESMTPS id 4Rk9Tz0Qq1z9sX\n\tfor <someone@elsewhere.example>; Sat, 21 Nov 2026 18:53:32 +0000 (UTC)"),
    ("Received", " from localhost (localhost [127.0.0.1]) by app-12.sender.example\n\twith SMTP id a17so4711; Sat, 21 Nov 2026 18:53:30 +0000"),
    ("DKIM-Signature", " v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=k2; t=1795287212;\n\tbh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\n\th=From:To:Subject:Date:List-Unsubscribe;\n\tb=dBpHhkE8xwqGBpl1QbHlm8VdZhQpVwS5fVhEFsK2t0Gk4cDkq2o7Uu1Zx3V9b6nAaXyq"),
    ("From", " \"The Sender\" <newsletter@sender.example>"),
    ("To", " someone@elsewhere.example"),
    ("Subject", " Minutes of the meeting, and three questions about the harbour"),
    ("Date", " Sat, 21 Nov 2026 18:53:29 +0000"),
    ("Message-ID", " <20261121185329.4711.8a3f@app-12.sender.example>"),
    ("MIME-Version", " 1.0"),
    ("Content-Type", " text/plain; charset=utf-8"),
    ("List-Unsubscribe", " <https://sender.example/unsubscribe/8a3f>"),
    ("X-Mailer", " Sender 4.2 (build 1187)"),
];

impl Dialogue {
    pub(crate) const fn new(content: Rc<Content>) -> Self {
        Self {
            content,
            out: Vec::new(),
            units: Vec::new(),
            at: 0,
            input: Vec::new(),
            edits: 0,
            negotiated: None,
            message: None,
            scratch: String::new(),
            trips: 0,
        }
    }

    /// Begins a connection with the negotiation; `message` follows once it is answered.
    pub(crate) fn open(&mut self, message: Option<Message>) {
        self.reset();
        self.negotiated = None;
        self.message = message;
        wire::offer(&mut self.out);
        self.units.push(Unit { bytes: 0..self.out.len(), awaits: None });
    }

    /// Begins the next message on the connection.
    pub(crate) fn next_message(&mut self, message: Message) {
        self.reset();
        wire::packet(&mut self.out, b'A', &[]);
        self.message = Some(message);
        self.compose(false);
    }

    /// Ends the connection: an abort for the message, one for the session, and quit.
    pub(crate) fn close(&mut self) {
        self.reset();
        for letter in *b"AAQ" {
            wire::packet(&mut self.out, letter, &[]);
        }
        self.units.push(Unit { bytes: 0..self.out.len(), awaits: None });
    }

    fn reset(&mut self) {
        self.out.clear();
        self.units.clear();
        self.at = 0;
        self.input.clear();
        self.edits = 0;
    }

    pub(crate) const fn negotiated(&self) -> Option<&Rc<Negotiated>> {
        self.negotiated.as_ref()
    }

    pub(crate) const fn take_trips(&mut self) -> u64 {
        std::mem::replace(&mut self.trips, 0)
    }

    /// The rest of the current write.
    pub(crate) fn pending(&self) -> &[u8] {
        self.units.get(self.at).map_or(&[], |unit| &self.out[unit.bytes.clone()])
    }

    /// Notes that `count` bytes of `pending()` are written.
    pub(crate) fn wrote(&mut self, count: usize) -> Next {
        let Some(unit) = self.units.get_mut(self.at) else { return Next::Read };
        unit.bytes.start += count;
        if !unit.bytes.is_empty() {
            return Next::Write;
        }
        if unit.awaits.is_some() || self.negotiated.is_none() {
            return Next::Read;
        }
        self.at += 1;
        if self.at < self.units.len() { Next::Write } else { Next::Read }
    }

    /// Takes what was read. `known` is the last negotiation seen, which is almost always this one too.
    pub(crate) fn feed(&mut self, bytes: &[u8], known: &mut Option<Rc<Negotiated>>) -> Result<Next, String> {
        let buffered = !self.input.is_empty();
        if buffered {
            self.input.extend_from_slice(bytes);
        }
        let input = if buffered { std::mem::take(&mut self.input) } else { Vec::new() };
        let mut rest = if buffered { &input[..] } else { bytes };
        let mut next = Next::Read;
        while let Some((letter, payload, length)) = wire::first_packet(rest) {
            if next != Next::Read {
                return Err(format!("stray answer {:?} after the one that was due", char::from(letter)));
            }
            rest = &rest[length..];
            next = self.answer(letter, payload, known)?;
        }
        if next != Next::Read && !rest.is_empty() {
            return Err("stray bytes after the answer that was due".into());
        }
        self.input = rest.to_vec();
        Ok(next)
    }

    fn answer(&mut self, letter: u8, payload: &[u8], known: &mut Option<Rc<Negotiated>>) -> Result<Next, String> {
        let Some(unit) = self.units.get(self.at) else {
            return Err(format!("answer {:?} when none is due", char::from(letter)));
        };
        if !unit.bytes.is_empty() {
            return Err(format!("answer {:?} before the command was sent", char::from(letter)));
        }
        if self.negotiated.is_none() {
            return self.negotiate(letter, payload, known);
        }
        let Some(stage) = unit.awaits else {
            return Err(format!("answer {:?} to a stage without one", char::from(letter)));
        };
        let end = stage == Stage::Eom;
        match letter {
            b'p' if end => return Ok(Next::Read),
            b'h' | b'i' | b'm' | b'+' | b'2' | b'-' | b'e' | b'b' | b'q' if end => {
                self.edits += u32::from(matches!(letter, b'h' | b'i'));
                return Ok(Next::Read);
            }
            _ => self.trips += 1,
        }
        let outcome = match letter {
            b'c' if !end => {
                self.at += 1;
                return Ok(if self.at < self.units.len() { Next::Write } else { Next::Read });
            }
            b'c' | b'a' => Outcome::Accepted { edits: self.edits },
            b'd' => Outcome::Discarded,
            b'r' => Outcome::Refused(*b"5.0.0"),
            b't' => Outcome::Refused(*b"4.0.0"),
            b'y' => {
                let code = payload.get(4..9).and_then(|code| code.try_into().ok());
                Outcome::Refused(code.ok_or("reply without an enhanced status code")?)
            }
            other => return Err(format!("answer {:?} at {stage:?}", char::from(other))),
        };
        Ok(Next::Done(outcome))
    }

    fn negotiate(&mut self, letter: u8, payload: &[u8], known: &mut Option<Rc<Negotiated>>) -> Result<Next, String> {
        if letter != b'O' {
            return Err(format!("answer {:?} to the negotiation", char::from(letter)));
        }
        self.trips += 1;
        let negotiated = match known {
            Some(known) if known.payload == payload => known.clone(),
            _ => Rc::new(Negotiated::parse(payload)?),
        };
        *known = Some(negotiated.clone());
        self.negotiated = Some(negotiated);
        self.out.clear();
        self.units.clear();
        self.at = 0;
        if self.message.is_none() {
            return Ok(Next::Done(Outcome::Accepted { edits: 0 }));
        }
        self.compose(true);
        Ok(Next::Write)
    }

    /// Starts the held message on a connection that has only been negotiated.
    pub(crate) fn first_message(&mut self, message: Message) {
        self.reset();
        self.message = Some(message);
        self.compose(true);
    }

    /// Lays out the message in `out` and cuts it into writes.
    fn compose(&mut self, first: bool) {
        let Some(message) = self.message.take() else { return };
        let Some(negotiated) = self.negotiated.clone() else { return };
        let content = self.content.clone();
        let mut start = 0;
        for stage in Stage::ALL {
            if !first && matches!(stage, Stage::Connect | Stage::Helo) {
                continue;
            }
            let treatment = negotiated.stage(stage);
            let times = match stage {
                Stage::Header => content.headers + message.passes as usize,
                Stage::Body => usize::from(content.body > 0),
                _ => 1,
            };
            for index in 0..times {
                // The macros go out even when the command does not.
                self.macros(&message, treatment);
                if content.writes == Writes::Separate {
                    self.cut(&mut start, None);
                }
                if treatment.sent {
                    self.command(&message, stage, index, negotiated.leading_space);
                }
                let cut = content.writes == Writes::Separate || stage == Stage::Data || treatment.answered;
                if cut {
                    self.cut(&mut start, treatment.answered.then_some(stage));
                }
            }
        }
    }

    fn cut(&mut self, start: &mut usize, awaits: Option<Stage>) {
        if *start < self.out.len() {
            self.units.push(Unit { bytes: *start..self.out.len(), awaits });
            *start = self.out.len();
        }
    }

    fn macros(&mut self, message: &Message, treatment: &wire::Treatment) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0, 0, 0, 0, b'D', treatment.stage.letter()]);
        for (name, value) in &treatment.macros {
            let text = match value {
                Value::Fixed(text) => text,
                // Postfix has no queue id before the first recipient is accepted.
                Value::QueueId if (treatment.stage as usize) < Stage::Data as usize => continue,
                Value::Sender => SENDER,
                Value::Recipient => &message.recipient,
                Value::QueueId | Value::ClientAddr | Value::Client => {
                    self.scratch.clear();
                    let prefix = if message.client.is_ipv6() { "IPv6:" } else { "" };
                    // Writing to a string cannot fail.
                    let _ = match value {
                        Value::QueueId => write!(self.scratch, "{:011X}", message.number),
                        Value::ClientAddr => write!(self.scratch, "{prefix}{}", message.client),
                        _ => write!(self.scratch, "unknown [{prefix}{}]", message.client),
                    };
                    &self.scratch
                }
            };
            self.out.extend_from_slice(name.as_bytes());
            self.out.push(0);
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(0);
        }
        wire::finish(&mut self.out, start);
    }

    fn command(&mut self, message: &Message, stage: Stage, index: usize, leading_space: bool) {
        let out = &mut self.out;
        let letter = stage.letter();
        match stage {
            Stage::Connect => {
                let start = out.len();
                out.extend_from_slice(&[0, 0, 0, 0, letter]);
                let family = if message.client.is_ipv6() { '6' } else { '4' };
                // Writing to a vector cannot fail.
                let _ = write!(out, "[{}]\0{family}\u{23}\u{66}{}\0", message.client, message.client);
                wire::finish(out, start);
            }
            Stage::Helo => wire::packet(out, letter, &[HELO.as_bytes(), b"\0"]),
            Stage::Mail => {
                wire::packet(out, letter, &[b"<", SENDER.as_bytes(), b">\0SIZE=3187\0BODY=8BITMIME\0"]);
            }
            Stage::Rcpt => wire::packet(out, letter, &[b"<", message.recipient.as_bytes(), b">\0"]),
            Stage::Header => {
                if index < message.passes as usize {
                    let id = &self.content.loop_id;
                    let space: &[u8] = if leading_space { b" " } else { b"" };
                    return wire::packet(out, letter, &[b"X-Postern-Loop\0", space, id.as_bytes(), b"\0"]);
                }
                let (name, value) = HEADERS[(index - message.passes as usize) % HEADERS.len()];
                let value = if leading_space { value } else { value.trim_start_matches(' ') };
                wire::packet(out, letter, &[name.as_bytes(), b"\0", value.as_bytes(), b"\0"]);
            }
            Stage::Body => {
                const LINE: &[u8] = b"This line of the body is as long as many a line of a real message is.\r\n";
                let start = out.len();
                out.extend_from_slice(&[0, 0, 0, 0, letter]);
                let size = self.content.body.min(65_535);
                out.extend(LINE.iter().cycle().take(size));
                wire::finish(out, start);
            }
            Stage::Data | Stage::Eoh | Stage::Eom => wire::packet(out, letter, &[]),
        }
    }
}

/// The message with this number, and how it has to end under the policy of the data set. The client is that of
/// the connection, so it comes from the number of the connection's first message.
pub(crate) fn plan(mix: Mix, session: u32, number: u32, networks: u32, recipients: u32) -> (Message, Outcome) {
    // Steps that share no factor with the sizes visit everything, far apart.
    let network = session.wrapping_mul(7919) % networks;
    let person = u32::try_from(u64::from(number) * 611_953 % u64::from(recipients)).unwrap_or(0);
    let mixed = mix == Mix::Mixed;
    let gateway = !(mixed && session % 4 == 1);
    let (known, passes) = match number % 8 {
        3 | 5 if mixed => (false, 0),
        7 if mixed => (true, 3),
        _ => (true, 0),
    };
    let client = if gateway { data::gateway_client(network) } else { data::stranger_client(session) };
    let recipient = if known { data::recipient(person) } else { data::stranger_recipient(person) };
    let outcome = match (gateway, known, passes) {
        (false, _, _) => Outcome::Refused(*b"5.7.1"),
        (true, false, _) => Outcome::Refused(*b"5.1.1"),
        (true, true, 0) => Outcome::Accepted { edits: 1 },
        (true, true, _) => Outcome::Refused(*b"5.4.6"),
    };
    (Message { client, recipient, passes, number }, outcome)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mix {
    /// Every client a gateway's, every recipient known.
    Accepted,
    /// Half of the messages like that; the others a stranger, an unknown recipient, both, or a loop.
    Mixed,
}
