// SPDX-License-Identifier: GPL-3.0-or-later
//! Carries a message to a server as a mail server does: recipients that are deferred while others are accepted come
//! again at once, in a message of their own; the rest is told.

use std::net::{IpAddr, SocketAddr};

use super::sink::Delivery;
use super::smtp::{Reply, Smtp};

/// What is carried: an envelope and a text, dots undone, with CRLF.
pub(crate) type Message = Delivery;

/// What became of each recipient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    /// Those whom the server answers for now, in the order in which it took them.
    pub(crate) accepted: Vec<String>,
    /// Those who will never get it, and the last reply.
    pub(crate) refused: Vec<(String, String)>,
    /// Those who may get it later, and the last reply.
    pub(crate) deferred: Vec<(String, String)>,
    /// How many messages it took.
    pub(crate) messages: usize,
}

impl Fate {
    /// Panics unless everybody was accepted.
    pub(crate) fn all_accepted(self) -> Self {
        assert!(self.refused.is_empty() && self.deferred.is_empty(), "not accepted: {self:?}");
        self
    }
}

/// A message of one line to these recipients. `mark` is its subject, by which it is found again.
pub(crate) fn message(recipients: &[&str], mark: &str) -> Message {
    with_headers(recipients, mark, &[])
}

/// The same with these header lines above.
pub(crate) fn with_headers(recipients: &[&str], mark: &str, headers: &[&str]) -> Message {
    let headers: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
    Message {
        sender: "eve@sender.example".to_owned(),
        recipients: recipients.iter().map(ToString::to_string).collect(),
        data: format!("{headers}From: eve@sender.example\r\nSubject: {mark}\r\n\r\n{mark}\r\n").into_bytes(),
    }
}

/// Carries it in one session.
pub(crate) fn carry(source: IpAddr, server: SocketAddr, message: &Message) -> Fate {
    let mut smtp = Smtp::connect(source, server);
    smtp.command("EHLO courier.example");
    let mut fate = Fate::default();
    let mut waiting = message.recipients.clone();
    loop {
        let before = fate.accepted.len();
        waiting = attempt(&mut smtp, message, waiting, &mut fate);
        if waiting.is_empty() || fate.accepted.len() == before {
            break;
        }
        fate.deferred.clear();
    }
    smtp.command("QUIT");
    fate
}

/// One message to these recipients. Returns those who are deferred.
fn attempt(smtp: &mut Smtp, message: &Message, recipients: Vec<String>, fate: &mut Fate) -> Vec<String> {
    let begun = smtp.command(format!("MAIL FROM:<{}>", message.sender));
    let mut waiting = Vec::new();
    let mut taken = Vec::new();
    for recipient in recipients {
        let reply =
            if begun.is_ok() { smtp.command(format!("RCPT TO:<{recipient}>")) } else { begun.clone() };
        if reply.is_ok() {
            taken.push(recipient);
        } else {
            fail(recipient, &reply, &mut waiting, fate);
        }
    }
    if taken.is_empty() {
        smtp.command("RSET");
        return waiting;
    }
    let mut reply = smtp.command("DATA");
    if reply.code == 354 {
        reply = smtp.content(&message.data);
    }
    if reply.is_ok() {
        fate.messages += 1;
        fate.accepted.append(&mut taken);
    } else {
        for recipient in taken {
            fail(recipient, &reply, &mut waiting, fate);
        }
        smtp.command("RSET");
    }
    waiting
}

/// A closed connection has no code, and is no refusal.
fn fail(recipient: String, reply: &Reply, waiting: &mut Vec<String>, fate: &mut Fate) {
    if reply.code >= 500 {
        fate.refused.push((recipient, reply.text()));
    } else {
        fate.deferred.push((recipient.clone(), reply.text()));
        waiting.push(recipient);
    }
}
