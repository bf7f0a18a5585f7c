// SPDX-License-Identifier: GPL-3.0-or-later
//! A scanning gateway: takes mail over SMTP, over TLS where it has a certificate, works on it as it is told, and delivers it
//! to a mail server from an address of its own.
//!
//! What the server defers stays in its queue until it is told to try again; what is refused is on record, and so is a copy
//! of all that it delivered. It looks for no viruses.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::authority::Certificate;
use super::courier::{Fate, Message, carry};
use super::sink::{Delivery, Sink};

/// The header line of its own that it puts on everything.
pub(crate) const SCANNED: &str = "X-Scanned-By";

/// What it does to mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Habits {
    /// Lines that it adds beside its own.
    pub(crate) stamp: Vec<&'static str>,
    /// Whether it orders header lines its own way and folds them anew.
    pub(crate) rewrites: bool,
    /// Whether it sends each recipient a message of its own.
    pub(crate) splits: bool,
    /// What it does to the lines of a name.
    pub(crate) tampers: Option<(&'static str, Tampering)>,
    /// Whether it keeps everything until it is told to go on.
    pub(crate) keeps: bool,
}

/// What is done to header lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tampering {
    /// They are taken off.
    Drop,
    /// Their last letter becomes another.
    Alter,
    /// They are there twice.
    Double,
    /// Each has another above it that says nothing.
    AddNonsense,
}

/// A running scanner. It stops when it is dropped.
pub(crate) struct Scanner {
    /// Its way in, with what came there.
    pub(crate) inbox: Sink,
    work: Arc<Work>,
}

struct Work {
    source: IpAddr,
    server: OnceLock<SocketAddr>,
    habits: Mutex<Habits>,
    /// Whoever holds it delivers.
    queue: Mutex<Vec<Message>>,
    /// Messages that came and are in the queue, delivered, or refused by now.
    done: AtomicUsize,
    sent: Mutex<Vec<(Message, Fate)>>,
}

impl Scanner {
    /// Begins to take mail. It sends from `source`, once it knows whereto.
    pub(crate) fn start(certificate: Option<&Certificate>, source: IpAddr) -> Self {
        let (passes, comes) = channel::<Delivery>();
        let inbox = Sink::passing(certificate, Some(passes));
        let work = Arc::new(Work {
            source,
            server: OnceLock::new(),
            habits: Mutex::default(),
            queue: Mutex::default(),
            done: AtomicUsize::new(0),
            sent: Mutex::default(),
        });
        let working = Arc::clone(&work);
        // It ends with the inbox, which has the other end of the channel.
        std::thread::spawn(move || comes.iter().for_each(|message| working.take(message)));
        Self { inbox, work }
    }

    /// Delivers to this server from now on.
    pub(crate) fn delivers_to(&self, server: SocketAddr) {
        self.work.server.set(server).expect("one server");
    }

    /// Has these habits from now on.
    pub(crate) fn adopts(&self, habits: Habits) {
        *locked(&self.work.habits) = habits;
    }

    /// Has no queue and nothing in hand, and how many messages came by then.
    pub(crate) fn rests(&self) -> Option<usize> {
        let came = self.inbox.deliveries().len();
        let done = self.work.done.load(Ordering::SeqCst);
        (came == done && locked(&self.work.queue).is_empty()).then_some(came)
    }

    /// The messages that wait for another try.
    pub(crate) fn queue(&self) -> Vec<Message> {
        locked(&self.work.queue).clone()
    }

    /// Tries everything again that waits.
    pub(crate) fn retry(&self) {
        self.work.deliver(&mut locked(&self.work.queue));
    }

    /// What it tried to deliver, each time, and what became of it.
    pub(crate) fn sent(&self) -> Vec<(Message, Fate)> {
        locked(&self.work.sent).clone()
    }

    /// Delivers this, whatever it is, and says what became of it.
    pub(crate) fn sends(&self, message: &Message) -> Fate {
        self.work.carry(message)
    }
}

impl Work {
    fn take(&self, message: Message) {
        let habits = locked(&self.habits).clone();
        let message = Message { data: habits.work_on(&message.data), ..message };
        let mut queue = locked(&self.queue);
        if habits.splits {
            queue.extend(
                message
                    .recipients
                    .iter()
                    .map(|recipient| Message { recipients: vec![recipient.clone()], ..message.clone() }),
            );
        } else {
            queue.push(message);
        }
        if !habits.keeps {
            self.deliver(&mut queue);
        }
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    fn deliver(&self, queue: &mut Vec<Message>) {
        for message in std::mem::take(queue) {
            let fate = self.carry(&message);
            if !fate.deferred.is_empty() {
                let recipients = fate.deferred.into_iter().map(|(recipient, _)| recipient).collect();
                queue.push(Message { recipients, ..message });
            }
        }
    }

    fn carry(&self, message: &Message) -> Fate {
        let server = self.server.get().expect("a server to deliver to");
        let fate = carry(self.source, *server, message);
        locked(&self.sent).push((message.clone(), fate.clone()));
        fate
    }
}

impl Habits {
    /// The text as it leaves.
    fn work_on(&self, data: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(data);
        let (header, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut fields: Vec<String> = Vec::new();
        for line in header.split("\r\n") {
            match fields.last_mut() {
                Some(field) if line.starts_with([' ', '\t']) => {
                    field.push_str("\r\n");
                    field.push_str(line);
                }
                _ => fields.push(line.to_owned()),
            }
        }
        if let Some((name, tampering)) = self.tampers {
            fields = fields.into_iter().flat_map(|field| tampering.change(name, field)).collect();
        }
        if self.rewrites {
            // Trace lines keep their order and stay on top (RFC 5321 4.4); nobody promises that of others.
            let (trace, mut others): (Vec<String>, Vec<String>) =
                fields.into_iter().partition(|field| is_named(field, "Received"));
            others.sort_by_key(|field| field.to_lowercase());
            fields = trace.into_iter().chain(others.into_iter().map(|field| refold(&field))).collect();
        }
        let mut own = vec![
            "Received: from mx.test.example by scanner.example with ESMTP; Sun, 22 Nov 2026 04:00:00 +0000"
                .to_owned(),
        ];
        own.append(&mut fields);
        own.push(format!("{SCANNED}: scanner.example"));
        own.extend(self.stamp.iter().map(ToString::to_string));
        format!("{}\r\n\r\n{body}", own.join("\r\n")).into_bytes()
    }
}

impl Tampering {
    fn change(self, name: &str, field: String) -> Vec<String> {
        if !is_named(&field, name) {
            return vec![field];
        }
        match self {
            Self::Drop => Vec::new(),
            Self::Double => vec![field.clone(), field],
            Self::AddNonsense => vec![format!("{name}: nonsense"), field],
            Self::Alter => {
                let mut altered = field;
                let last = altered.pop();
                altered.push(if last == Some('A') { 'Q' } else { 'A' });
                vec![altered]
            }
        }
    }
}

/// Blanks become one blank each, and lines end at the last blank before the 40th letter, where there is one.
fn refold(field: &str) -> String {
    let mut folded = String::new();
    let mut length = 0;
    for (number, word) in field.split_whitespace().enumerate() {
        // Not behind the name: a line of nothing but blanks is obsolete.
        if number > 1 && length + word.len() > 40 {
            folded.push_str("\r\n\t");
            length = 0;
        } else if number > 0 {
            folded.push(' ');
        }
        folded.push_str(word);
        length += word.len() + 1;
    }
    folded
}

fn is_named(field: &str, name: &str) -> bool {
    field.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
