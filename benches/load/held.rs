// SPDX-License-Identifier: GPL-3.0-or-later
//! Connections that are opened, negotiated and held while a run goes on, as idle SMTP sessions hold them.
//!
//! At the end each carries one message, so that a session that was lost or forgotten meanwhile is seen.

use crate::{
    dialogue::{Dialogue, Next, Outcome},
    drive::{Job, Target},
    message::Content,
    wire::Negotiated,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    rc::Rc,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub(crate) struct Held {
    sessions: Vec<(Box<dyn Stream>, Dialogue)>,
    known: Option<Rc<Negotiated>>,
}

impl Held {
    pub(crate) fn open(target: &Target, content: &Content, count: usize) -> Result<Self, String> {
        let content = Rc::new(content.clone());
        let mut held = Self { sessions: Vec::with_capacity(count), known: None };
        for index in 0..count {
            let failed = |e: std::io::Error| format!("held connection {index}: {e}");
            let mut stream: Box<dyn Stream> = match target {
                Target::Inet(address) => {
                    let stream = TcpStream::connect(address).map_err(failed)?;
                    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                    Box::new(stream)
                }
                Target::Unix(path) => {
                    let stream = UnixStream::connect(path).map_err(failed)?;
                    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                    Box::new(stream)
                }
            };
            let mut dialogue = Dialogue::new(content.clone());
            dialogue.open(None);
            converse(&mut *stream, &mut dialogue, &mut held.known)
                .map_err(|e| format!("held {index}: {e}"))?;
            held.sessions.push((stream, dialogue));
        }
        Ok(held)
    }

    /// The payload of the negotiation answer, for `load negotiate`.
    pub(crate) fn negotiated(&self) -> Option<&[u8]> {
        self.known.as_ref().map(|known| &known.payload[..])
    }

    /// Sends one message over each connection and says which did not get the right answer.
    pub(crate) fn finish(mut self, job: &Job) -> Vec<String> {
        let mut wrong = Vec::new();
        for (index, (stream, dialogue)) in self.sessions.iter_mut().enumerate() {
            let number = u32::try_from(index).unwrap_or(0);
            let (message, expected) = job.plan(number, number);
            dialogue.first_message(message);
            match converse(&mut **stream, dialogue, &mut self.known) {
                Ok(outcome) if job.expect.holds(expected, outcome) => {}
                Ok(outcome) => wrong.push(format!("held {index}: {outcome:?} where {expected:?} is right")),
                Err(error) => wrong.push(format!("held {index}: {error}")),
            }
            dialogue.close();
            let _ = stream.write_all(dialogue.pending());
        }
        wrong
    }
}

/// Plays one message, or the bare negotiation, to its end.
fn converse(
    stream: &mut dyn Stream,
    dialogue: &mut Dialogue,
    known: &mut Option<Rc<Negotiated>>,
) -> Result<Outcome, String> {
    let mut buffer = [0; 4096];
    let mut next = Next::Write;
    loop {
        next = match next {
            Next::Done(outcome) => return Ok(outcome),
            Next::Write => {
                let pending = dialogue.pending();
                stream.write_all(pending).map_err(|e| format!("write: {e}"))?;
                let count = pending.len();
                dialogue.wrote(count)
            }
            Next::Read => match stream.read(&mut buffer).map_err(|e| format!("read: {e}"))? {
                0 => return Err("the milter closed the connection".into()),
                count => dialogue.feed(&buffer[..count], known)?,
            },
        }
    }
}
