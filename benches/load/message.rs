// SPDX-License-Identifier: GPL-3.0-or-later
//! The messages of a run, and the packets that carry one.
//!
//! Writes are cut as Postfix 3.7 cuts them (seen with strace): everything up to the next command that awaits an
//! answer is one write, but DATA always ends a write, because smtpd hands the socket to cleanup there. With
//! `Writes::Separate` each packet is a write, as in Sendmail. Limits: one recipient, one body packet.

use crate::{
    data,
    dialogue::Outcome,
    wire::{self, Negotiated, Stage, Treatment, Value},
};
use std::{fmt::Write as _, io::Write as _, net::IpAddr, ops::Range};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Writes {
    /// As Postfix: one write up to the next awaited answer.
    Joined,
    /// As Sendmail: one write a packet.
    Separate,
}

/// Everything that makes one message differ from the next.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) client: IpAddr,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mix {
    /// Every client a gateway's, every recipient known.
    Accepted,
    /// Half of the messages like that; the others a stranger, an unknown recipient, both, or a loop.
    Mixed,
}

const SENDER: &str = "newsletter-bounces@sender.example";
const HELO: &str = "mail-relay-7.sender.example";
const HEADERS: [(&str, &str); 12] = [
    (
        "Received",
        "from app-12.sender.example (app-12.sender.example [198.51.100.12])\n\tby mail-relay-7.sender.example (Postfix) with ESMTPS id 4Rk9Tz0Qq1z9sX\n\tfor <someone@elsewhere.example>; Sat, 21 Nov 2026 18:53:32 +0000 (UTC)",
    ),
    (
        "Received",
        "from localhost (localhost [127.0.0.1]) by app-12.sender.example\n\twith SMTP id a17so4711; Sat, 21 Nov 2026 18:53:30 +0000",
    ),
    (
        "DKIM-Signature",
        "v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=k2; t=1795287212;\n\tbh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\n\th=From:To:Subject:Date:List-Unsubscribe;\n\tb=dBpHhkE8xwqGBpl1QbHlm8VdZhQpVwS5fVhEFsK2t0Gk4cDkq2o7Uu1Zx3V9b6nAaXyq",
    ),
    ("From", "\"The Sender\" <newsletter@sender.example>"),
    ("To", "someone@elsewhere.example"),
    ("Subject", "Minutes of the meeting, and three questions about the harbour"),
    ("Date", "Sat, 21 Nov 2026 18:53:29 +0000"),
    ("Message-ID", "<20261121185329.4711.8a3f@app-12.sender.example>"),
    ("MIME-Version", "1.0"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("List-Unsubscribe", "<https://sender.example/unsubscribe/8a3f>"),
    ("X-Mailer", "Sender 4.2 (build 1187)"),
];
const LINE: &[u8] = b"This line of the body is as long as many a line of a real message is.\r\n";
const MAX_BODY: usize = 65_535;

/// The message with this number, and how it has to end under the policy of the data set. The client is that of
/// the connection, so it comes from the number of the connection's first message.
pub(crate) fn plan(
    mix: Mix,
    session: u32,
    number: u32,
    networks: u32,
    recipients: u32,
) -> (Message, Outcome) {
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

/// Bytes that go out in one write, and the stage whose answer is then awaited.
pub(crate) struct Unit {
    pub(crate) bytes: Range<usize>,
    pub(crate) awaits: Option<Stage>,
}

/// What is to be written, cut into writes. Buffers are kept from one message to the next.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) bytes: Vec<u8>,
    pub(crate) units: Vec<Unit>,
    cut: usize,
    scratch: String,
}

impl Script {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.units.clear();
        self.cut = 0;
    }

    /// Ends a write here.
    pub(crate) fn cut(&mut self, awaits: Option<Stage>) {
        if self.cut < self.bytes.len() {
            self.units.push(Unit { bytes: self.cut..self.bytes.len(), awaits });
            self.cut = self.bytes.len();
        }
    }

    /// Adds a message; the first one of a connection brings the connection's own commands along.
    pub(crate) fn message(
        &mut self,
        message: &Message,
        content: &Content,
        negotiated: &Negotiated,
        first: bool,
    ) {
        for stage in Stage::ALL {
            let times = match stage {
                Stage::Connect | Stage::Helo => usize::from(first),
                Stage::Header => content.headers + message.passes as usize,
                Stage::Body => usize::from(content.body > 0),
                Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Eoh | Stage::Eom => 1,
            };
            let treatment = negotiated.stage(stage);
            for index in 0..times {
                // smtpd's macros go out even when the command does not; cleanup's stay away with it.
                if treatment.sent || !matches!(stage, Stage::Header | Stage::Eoh | Stage::Body) {
                    self.macros(message, treatment);
                }
                if content.writes == Writes::Separate {
                    self.cut(None);
                }
                if treatment.sent {
                    self.command(message, content, stage, index, negotiated.leading_space);
                }
                if treatment.answered || stage == Stage::Data || content.writes == Writes::Separate {
                    self.cut(treatment.answered.then_some(stage));
                }
            }
        }
    }

    fn macros(&mut self, message: &Message, treatment: &Treatment) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0, 0, 0, b'D', treatment.stage.letter()]);
        let prefix = if message.client.is_ipv6() { "IPv6:" } else { "" };
        for (name, value) in &treatment.macros {
            self.scratch.clear();
            // Writing to a string cannot fail.
            let _ = match value {
                // Postfix has no queue id before the first recipient is accepted.
                Value::QueueId if (treatment.stage as usize) < Stage::Data as usize => continue,
                Value::QueueId => write!(self.scratch, "{:011X}", message.number),
                Value::ClientAddr => write!(self.scratch, "{prefix}{}", message.client),
                Value::Client => write!(self.scratch, "unknown [{prefix}{}]", message.client),
                Value::Fixed(text) => self.scratch.write_str(text),
                Value::Sender => self.scratch.write_str(SENDER),
                Value::Recipient => self.scratch.write_str(&message.recipient),
            };
            for text in [*name, &self.scratch] {
                self.bytes.extend_from_slice(text.as_bytes());
                self.bytes.push(0);
            }
        }
        wire::finish(&mut self.bytes, start);
    }

    fn command(&mut self, message: &Message, content: &Content, stage: Stage, index: usize, space: bool) {
        let out = &mut self.bytes;
        let letter = stage.letter();
        match stage {
            Stage::Connect => {
                let start = out.len();
                out.extend_from_slice(&[0, 0, 0, 0, letter]);
                let family = if message.client.is_ipv6() { '6' } else { '4' };
                // Writing to a vector cannot fail. The port is two bytes, here "#f".
                let _ = write!(out, "[{}]\0{family}#f{}\0", message.client, message.client);
                wire::finish(out, start);
            }
            Stage::Helo => wire::packet(out, letter, &[HELO.as_bytes(), b"\0"]),
            Stage::Mail => {
                wire::packet(out, letter, &[b"<", SENDER.as_bytes(), b">\0SIZE=3187\0BODY=8BITMIME\0"]);
            }
            Stage::Rcpt => wire::packet(out, letter, &[b"<", message.recipient.as_bytes(), b">\0"]),
            Stage::Header => {
                let own = index.checked_sub(message.passes as usize);
                let (name, value) = own.map_or(("X-Postern-Loop", ""), |own| HEADERS[own % HEADERS.len()]);
                let value = if own.is_none() { &content.loop_id } else { value };
                let space: &[u8] = if space { b" " } else { b"" };
                wire::packet(out, letter, &[name.as_bytes(), b"\0", space, value.as_bytes(), b"\0"]);
            }
            Stage::Body => {
                let start = out.len();
                out.extend_from_slice(&[0, 0, 0, 0, letter]);
                while out.len() < start + 5 + content.body.min(MAX_BODY) {
                    out.extend_from_slice(LINE);
                }
                out.truncate(start + 5 + content.body.min(MAX_BODY));
                wire::finish(out, start);
            }
            Stage::Data | Stage::Eoh | Stage::Eom => wire::packet(out, letter, &[]),
        }
    }
}
