// SPDX-License-Identifier: GPL-3.0-or-later
//! Leads many milter sessions at once from few threads, and measures them.
//!
//! Each thread has its own epoll set and its share of the connections. After a write it waits for readiness
//! and then reads once, so that a round trip costs two system calls here and a share of an epoll call.
//! Nagle stays on and acknowledgements are delayed, as in the MTAs, so their 40 ms stalls happen here too; with
//! `quick_ack` half an answer is acknowledged at once, which spares a milter that leaves Nagle on itself. A run in which nothing happens for `STALL` is given up.

use crate::{
    dialogue::{Dialogue, Next, Outcome},
    message::{Content, Message, Mix, plan},
    wire::Negotiated,
};
use mio::{Events, Interest, Poll, Token, event::Source, net};
use socket2::SockRef;
use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

const STALL: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(200);
/// Wrong answers that are kept word for word.
const KEPT: usize = 5;

/// Where the milter listens.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Inet(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let address = text.strip_prefix("inet:").unwrap_or(text);
        address.parse().map(Self::Inet).map_err(|_| "write inet:ADDRESS:PORT or unix:PATH".into())
    }
}

/// What a run is to do; the same for all threads.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) target: Target,
    pub(crate) content: Content,
    pub(crate) mix: Mix,
    pub(crate) expect: Expect,
    pub(crate) networks: u32,
    pub(crate) recipients: u32,
    pub(crate) reuse: u32,
    pub(crate) quick_ack: bool,
    pub(crate) messages: u32,
    pub(crate) until: Option<Instant>,
}

impl Job {
    pub(crate) fn plan(&self, session: u32, number: u32) -> (Message, Outcome) {
        plan(self.mix, session, number, self.networks, self.recipients)
    }
}

/// Which outcome is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Expect {
    /// What the policy of the data set says; an accepted message gets one header.
    Policy,
    /// Every message is accepted, edited or not.
    Accept,
    /// Anything that the protocol allows.
    Any,
}

impl Expect {
    pub(crate) fn holds(self, expected: Outcome, outcome: Outcome) -> bool {
        match self {
            Self::Policy => expected == outcome,
            Self::Accept => matches!(outcome, Outcome::Accepted { .. }),
            Self::Any => true,
        }
    }
}

/// What a thread saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) micros: Vec<u32>,
    pub(crate) trips: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) notes: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.trips += other.trips;
        self.wrong += other.wrong;
        self.failed += other.failed;
        self.notes.extend(other.notes);
        self.notes.truncate(KEPT);
    }

    pub(crate) fn note(&mut self, text: String) {
        if self.notes.len() < KEPT {
            self.notes.push(text);
        }
    }
}

trait Stream: Read + Write + Source {
    /// Acknowledges at once what was received.
    fn ack_now(&self) {}
}

impl Stream for net::TcpStream {
    fn ack_now(&self) {
        let _ = SockRef::from(self).set_tcp_quickack(true);
    }
}

impl Stream for net::UnixStream {}

struct Slot {
    stream: Option<Box<dyn Stream>>,
    dialogue: Dialogue,
    expected: Outcome,
    number: u32,
    /// The number of the connection's first message, which settles its client.
    first: u32,
    since: Instant,
    left: u32,
    writing: bool,
    closing: bool,
}

struct Driver<'a> {
    job: &'a Job,
    next: &'a AtomicU32,
    poll: Poll,
    known: Option<Rc<Negotiated>>,
    tally: Tally,
    buffer: Vec<u8>,
    open: usize,
}

/// Runs `slots` connections until the job's messages or its time are used up.
pub(crate) fn run(job: &Job, next: &AtomicU32, slots: usize) -> io::Result<Tally> {
    let mut driver = Driver {
        job,
        next,
        poll: Poll::new()?,
        known: None,
        tally: Tally::default(),
        buffer: vec![0; 65_536],
        open: 0,
    };
    let content = Rc::new(job.content.clone());
    let mut slots: Vec<Slot> = (0..slots)
        .map(|_| Slot {
            stream: None,
            dialogue: Dialogue::new(content.clone()),
            expected: Outcome::Discarded,
            number: 0,
            first: 0,
            since: Instant::now(),
            left: 0,
            writing: false,
            closing: false,
        })
        .collect();
    for (index, slot) in slots.iter_mut().enumerate() {
        driver.start(slot, index)?;
    }
    let mut events = Events::with_capacity(1024);
    let mut last = Instant::now();
    while driver.open > 0 {
        match driver.poll.poll(&mut events, Some(TICK)) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
            Err(_) | Ok(()) => {}
        }
        if !events.is_empty() {
            last = Instant::now();
        } else if last.elapsed() > STALL {
            return Err(io::Error::other(format!("no answer for {STALL:?} on {} connections", driver.open)));
        }
        for event in &events {
            let index = event.token().0;
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            driver.pump(&mut slots[index], index, readable)?;
        }
    }
    Ok(driver.tally)
}

impl Driver<'_> {
    /// The number of the next message, while there is one to send.
    fn take(&self) -> Option<u32> {
        if self.job.until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.job.messages).then_some(number)
    }

    /// Opens a connection for the next message; without one the slot stays empty.
    fn start(&mut self, slot: &mut Slot, index: usize) -> io::Result<()> {
        let Some(number) = self.take() else { return Ok(()) };
        slot.since = Instant::now();
        let (message, expected) = self.job.plan(number, number);
        let mut stream: Box<dyn Stream> = match &self.job.target {
            Target::Inet(address) => Box::new(net::TcpStream::connect(*address)?),
            Target::Unix(path) => Box::new(net::UnixStream::connect(path)?),
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut *stream, Token(index), interest)?;
        slot.stream = Some(stream);
        slot.dialogue.open(Some(message));
        slot.expected = expected;
        slot.number = number;
        slot.first = number;
        slot.left = self.job.reuse - 1;
        slot.writing = true;
        slot.closing = false;
        self.open += 1;
        self.pump(slot, index, false)
    }

    /// Goes on with one connection as far as it goes without waiting.
    fn pump(&mut self, slot: &mut Slot, index: usize, readable: bool) -> io::Result<()> {
        let mut readable = readable;
        while slot.stream.is_some() {
            let moved = if slot.writing { Self::write(slot) } else { self.read(slot, &mut readable) };
            match moved {
                Ok(Some(Next::Write)) => slot.writing = true,
                // Nothing is awaited after the last write, and nobody minds when it fails.
                Ok(Some(Next::Read)) | Err(_) if slot.closing => self.end(slot, index)?,
                Ok(Some(Next::Read)) => slot.writing = false,
                Ok(Some(Next::Done(outcome))) => self.done(slot, outcome),
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.tally.failed += 1;
                    self.tally.note(format!("message {}: {error}", slot.number));
                    self.end(slot, index)?;
                }
            }
        }
        Ok(())
    }

    fn write(slot: &mut Slot) -> Result<Option<Next>, String> {
        let Some(stream) = &mut slot.stream else { return Ok(None) };
        match stream.write(slot.dialogue.pending()) {
            Ok(count) => Ok(Some(slot.dialogue.wrote(count))),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => Ok(None),
            Err(e) => Err(format!("write: {e}")),
        }
    }

    fn read(&mut self, slot: &mut Slot, readable: &mut bool) -> Result<Option<Next>, String> {
        let Some(stream) = slot.stream.as_mut().filter(|_| *readable) else { return Ok(None) };
        match stream.read(&mut self.buffer) {
            Ok(0) => Err("the milter closed the connection".into()),
            Ok(count) => {
                *readable = count == self.buffer.len();
                let next = slot.dialogue.feed(&self.buffer[..count], &mut self.known)?;
                if self.job.quick_ack && next == Next::Read {
                    stream.ack_now();
                }
                Ok(Some(next))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(format!("read: {e}")),
        }
    }

    /// Judges a finished message and begins what follows it on the connection.
    fn done(&mut self, slot: &mut Slot, outcome: Outcome) {
        let micros = u32::try_from(slot.since.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.tally.micros.push(micros);
        self.tally.trips += slot.dialogue.take_trips();
        if !self.job.expect.holds(slot.expected, outcome) {
            self.tally.wrong += 1;
            self.tally
                .note(format!("message {}: {outcome:?} where {:?} is right", slot.number, slot.expected));
        }
        slot.writing = true;
        if slot.left > 0
            && let Some(number) = self.take()
        {
            slot.left -= 1;
            slot.number = number;
            slot.since = Instant::now();
            let (message, expected) = self.job.plan(slot.first, number);
            slot.expected = expected;
            slot.dialogue.next_message(message);
        } else {
            slot.closing = true;
            slot.dialogue.close();
        }
    }

    fn end(&mut self, slot: &mut Slot, index: usize) -> io::Result<()> {
        slot.stream = None;
        self.open -= 1;
        self.start(slot, index)
    }
}
