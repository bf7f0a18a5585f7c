// SPDX-License-Identifier: GPL-3.0-or-later
//! One milter session as Postfix leads it: what to write next, what answer is due, how the message ended.
//!
//! The caller moves the bytes: it writes `pending()`, feeds what it reads, and is told when a message is over.
//! Limits: one recipient a message; an answer that refuses the connection ends the message.

use crate::{
    message::{Content, Message, Script},
    wire::{self, Negotiated, Stage},
};
use std::rc::Rc;

/// How a message ended, as the milter said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted {
        edits: u32,
    },
    Discarded,
    /// Refused for good or for now, with the enhanced status code where a text was given.
    Refused([u8; 5]),
}

/// What the caller has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Read,
    Write,
    Done(Outcome),
}

pub(crate) struct Dialogue {
    content: Rc<Content>,
    script: Script,
    at: usize,
    input: Vec<u8>,
    edits: u32,
    negotiated: Option<Rc<Negotiated>>,
    message: Option<Message>,
    /// Answers waited for since the last `take_trips`.
    trips: u64,
}

impl Dialogue {
    pub(crate) fn new(content: Rc<Content>) -> Self {
        Self {
            content,
            script: Script::default(),
            at: 0,
            input: Vec::new(),
            edits: 0,
            negotiated: None,
            message: None,
            trips: 0,
        }
    }

    /// Begins a connection with the negotiation; `message` follows once it is answered.
    pub(crate) fn open(&mut self, message: Option<Message>) {
        self.reset();
        self.negotiated = None;
        self.message = message;
        wire::offer(&mut self.script.bytes);
        self.script.cut(None);
    }

    /// Begins the next message on the connection.
    pub(crate) fn next_message(&mut self, message: Message) {
        self.reset();
        wire::packet(&mut self.script.bytes, b'A', &[]);
        self.message = Some(message);
        self.compose(false);
    }

    /// Ends the connection: an abort for the message, one for the session, and quit.
    pub(crate) fn close(&mut self) {
        self.reset();
        for letter in *b"AAQ" {
            wire::packet(&mut self.script.bytes, letter, &[]);
        }
        self.script.cut(None);
    }

    fn reset(&mut self) {
        self.script.clear();
        self.at = 0;
        self.input.clear();
        self.edits = 0;
    }

    pub(crate) const fn take_trips(&mut self) -> u64 {
        std::mem::replace(&mut self.trips, 0)
    }

    /// The rest of the current write.
    pub(crate) fn pending(&self) -> &[u8] {
        self.script.units.get(self.at).map_or(&[], |unit| &self.script.bytes[unit.bytes.clone()])
    }

    /// Notes that `count` bytes of `pending()` are written.
    pub(crate) fn wrote(&mut self, count: usize) -> Next {
        let Some(unit) = self.script.units.get_mut(self.at) else { return Next::Read };
        unit.bytes.start += count;
        if !unit.bytes.is_empty() {
            return Next::Write;
        }
        if unit.awaits.is_some() || self.negotiated.is_none() {
            return Next::Read;
        }
        self.at += 1;
        if self.at < self.script.units.len() { Next::Write } else { Next::Read }
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

    fn answer(
        &mut self,
        letter: u8,
        payload: &[u8],
        known: &mut Option<Rc<Negotiated>>,
    ) -> Result<Next, String> {
        let Some(unit) = self.script.units.get(self.at) else {
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
                return Ok(if self.at < self.script.units.len() { Next::Write } else { Next::Read });
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

    fn negotiate(
        &mut self,
        letter: u8,
        payload: &[u8],
        known: &mut Option<Rc<Negotiated>>,
    ) -> Result<Next, String> {
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
        self.script.clear();
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

    fn compose(&mut self, first: bool) {
        if let (Some(message), Some(negotiated)) = (self.message.take(), &self.negotiated) {
            self.script.message(&message, &self.content, negotiated, first);
        }
    }
}
