// SPDX-License-Identifier: GPL-3.0-or-later
//! The next hop: an SMTP server that takes every message and remembers it.
//!
//! A delivery is on record before the client sees 250. It announces what a mail server would, SMTPUTF8 and
//! DSN among it, checks nothing, and refuses nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::address::own_address;

/// One message as the next hop got it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// The envelope sender, without brackets.
    pub(crate) sender: String,
    /// The recipients, without brackets, in the order of the commands.
    pub(crate) recipients: Vec<String>,
    /// The message, dots undone, with CRLF.
    pub(crate) data: Vec<u8>,
}

impl Delivery {
    /// The header lines: name, and the value with folds and the blank after the colon taken off.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.data);
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in text.split("\r\n").take_while(|line| !line.is_empty()) {
            if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
                value.push(' ');
                value.push_str(line.trim());
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        headers
    }

    /// The values of the header lines of this name, compared without case.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let matches = self.headers().into_iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        matches.map(|(_, value)| value).collect()
    }

    /// What follows the header.
    pub(crate) fn body(&self) -> &[u8] {
        let end =
            self.data.windows(4).position(|four| four == b"\r\n\r\n").map_or(self.data.len(), |at| at + 4);
        &self.data[end..]
    }
}

/// A running sink. It stops when it is dropped.
pub(crate) struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    deliveries: Mutex<Vec<Delivery>>,
    stop: AtomicBool,
}

impl Sink {
    /// Listens on an address of its own.
    pub(crate) fn start() -> Self {
        Self::at(own_address(2600))
    }

    /// Listens on this address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let listener =
            TcpListener::bind(address).unwrap_or_else(|error| panic!("sink on {address}: {error}"));
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.stop.load(Ordering::Relaxed) {
                    return;
                }
                let serving = Arc::clone(&accepting);
                std::thread::spawn(move || serve(stream, &serving));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All deliveries so far.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The deliveries whose header has this line.
    pub(crate) fn with_header(&self, name: &str, value: &str) -> Vec<Delivery> {
        self.deliveries()
            .into_iter()
            .filter(|one| one.values(name).iter().any(|found| found == value))
            .collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

/// One session; it ends when the client hangs up.
fn serve(mut stream: TcpStream, shared: &Shared) {
    // The client pipelines; its answers must not wait for each other.
    let (Ok(()), Ok(reading)) = (stream.set_nodelay(true), stream.try_clone()) else { return };
    let mut reader = BufReader::new(reading);
    let (mut sender, mut recipients) = (String::new(), Vec::new());
    if stream.write_all(b"220 sink.example ESMTP\r\n").is_err() {
        return;
    }
    while let Some(line) = read_line(&mut reader) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = text.get(..4).unwrap_or(&text).to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" => {
                "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                       250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
                    .to_owned()
            }
            "MAIL" => {
                (sender, recipients) = (path_in(&text), Vec::new());
                "250 2.1.0 ok\r\n".to_owned()
            }
            "RCPT" => {
                recipients.push(path_in(&text));
                "250 2.1.5 ok\r\n".to_owned()
            }
            "DATA" => {
                if stream.write_all(b"354 go on\r\n").is_err() {
                    return;
                }
                let Some(data) = read_content(&mut reader) else { return };
                let delivery =
                    Delivery { sender: sender.clone(), recipients: std::mem::take(&mut recipients), data };
                shared.deliveries.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
                "250 2.0.0 ok\r\n".to_owned()
            }
            "QUIT" => {
                drop(stream.write_all(b"221 2.0.0 bye\r\n"));
                return;
            }
            _ => "250 2.0.0 ok\r\n".to_owned(),
        };
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = reader.read_until(b'\n', &mut line).ok()?;
    (read > 0).then_some(line)
}

fn read_content(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line == b".\r\n" {
            return Some(data);
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// The path of a MAIL or RCPT command: what stands between the first `<` and the `>` that closes it.
fn path_in(command: &str) -> String {
    let after = command.split_once('<').map_or("", |(_, after)| after);
    let mut quoted = false;
    let mut escaped = false;
    let end = after.find(|letter| {
        let closes = letter == '>' && !quoted;
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        closes
    });
    after[..end.unwrap_or(after.len())].to_owned()
}
