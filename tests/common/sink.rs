// SPDX-License-Identifier: GPL-3.0-or-later
//! The next hop: an SMTP server that takes every message and remembers it.
//!
//! A delivery is on record before the client sees 250. It announces what a mail server would, SMTPUTF8 and
//! DSN among it, and STARTTLS where it has a certificate; it checks nothing, and refuses nobody unless it
//! is told so. It can be closed, as a server that is down, and opened again at the same address.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::address::own_address;
use super::authority::Certificate;

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
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    deliveries: Mutex<Vec<Delivery>>,
    /// MAIL commands so far.
    begun: AtomicUsize,
    /// Messages that came over TLS.
    secured: AtomicUsize,
    /// Whom it refuses.
    refused: Mutex<Vec<String>>,
    /// Who is connected.
    sessions: Mutex<HashMap<SocketAddr, TcpStream>>,
    stop: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
    /// Who gets each delivery as well.
    passes: Option<Sender<Delivery>>,
}

impl Sink {
    /// Listens on an address of its own.
    pub(crate) fn start() -> Self {
        Self::at(own_address(2600))
    }

    /// Listens on this address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self::with(address, Shared::default())
    }

    /// The same with this certificate, and with somebody who gets each delivery before the client sees 250.
    pub(crate) fn passing(certificate: Option<&Certificate>, to: Option<Sender<Delivery>>) -> Self {
        Self::with(
            own_address(2600),
            Shared { tls: certificate.map(server_config), passes: to, ..Shared::default() },
        )
    }

    fn with(address: SocketAddr, shared: Shared) -> Self {
        let mut sink = Self { address, shared: Arc::new(shared), accepting: None };
        sink.open();
        sink
    }

    /// Listens again.
    pub(crate) fn open(&mut self) {
        let address = self.address;
        let listener =
            TcpListener::bind(address).unwrap_or_else(|error| panic!("sink on {address}: {error}"));
        self.shared.stop.store(false, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), Ok(session)) = (stream.peer_addr(), stream.try_clone()) else { continue };
                locked(&shared.sessions).insert(client, session);
                let serving = Arc::clone(&shared);
                std::thread::spawn(move || {
                    serve(stream, &serving);
                    locked(&serving.sessions).remove(&client);
                });
            }
        }));
    }

    /// Ends every session, and refuses connections from now on.
    pub(crate) fn close(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
        for (_, session) in locked(&self.shared.sessions).drain() {
            drop(session.shutdown(Shutdown::Both));
        }
    }

    /// Refuses this recipient from now on.
    pub(crate) fn refuses(&self, recipient: &str) {
        locked(&self.shared.refused).push(recipient.to_owned());
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All deliveries so far.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        locked(&self.shared.deliveries).clone()
    }

    /// How many messages clients have begun to send, also those that they broke off.
    pub(crate) fn begun(&self) -> usize {
        self.shared.begun.load(Ordering::SeqCst)
    }

    /// How many messages came over TLS.
    pub(crate) fn secured(&self) -> usize {
        self.shared.secured.load(Ordering::SeqCst)
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
        self.close();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn server_config(certificate: &Certificate) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(&certificate.chain).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(&certificate.key).expect("a key in PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates in PEM"), key)
        .expect("a key that fits the certificate");
    Arc::new(config)
}

/// What a session goes over.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

type Session = BufReader<Wire>;

/// One session; it ends when the client hangs up.
fn serve(stream: TcpStream, shared: &Shared) {
    // The client pipelines; its answers must not wait for each other.
    if stream.set_nodelay(true).is_ok() {
        talk(BufReader::new(Wire::Plain(stream)), shared);
    }
}

fn talk(mut session: Session, shared: &Shared) -> Option<()> {
    let (mut sender, mut recipients) = (String::new(), Vec::new());
    say(&mut session, "220 sink.example ESMTP\r\n")?;
    while let Some(line) = read_line(&mut session) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = text.get(..4).unwrap_or(&text).to_ascii_uppercase();
        let is_plain = matches!(session.get_ref(), Wire::Plain(_));
        match verb.as_str() {
            "EHLO" => {
                let starttls = if is_plain && shared.tls.is_some() { "250-STARTTLS\r\n" } else { "" };
                let reply = format!(
                    "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                     250-DSN\r\n{starttls}250 ENHANCEDSTATUSCODES\r\n"
                );
                say(&mut session, &reply)?;
            }
            "STAR" => {
                let (Some(config), Wire::Plain(stream)) = (&shared.tls, session.get_ref()) else {
                    say(&mut session, "502 5.5.1 no TLS\r\n")?;
                    continue;
                };
                let stream = stream.try_clone().ok()?;
                say(&mut session, "220 2.0.0 go on\r\n")?;
                let connection = ServerConnection::new(Arc::clone(config)).ok()?;
                session = BufReader::new(Wire::Tls(Box::new(StreamOwned::new(connection, stream))));
            }
            "MAIL" => {
                shared.begun.fetch_add(1, Ordering::SeqCst);
                (sender, recipients) = (path_in(&text), Vec::new());
                say(&mut session, "250 2.1.0 ok\r\n")?;
            }
            "RCPT" => {
                let recipient = path_in(&text);
                if locked(&shared.refused).contains(&recipient) {
                    say(&mut session, "550 5.7.1 not this one\r\n")?;
                } else {
                    recipients.push(recipient);
                    say(&mut session, "250 2.1.5 ok\r\n")?;
                }
            }
            "DATA" => {
                say(&mut session, "354 go on\r\n")?;
                let data = read_content(&mut session)?;
                let recipients = std::mem::take(&mut recipients);
                let delivery = Delivery { sender: sender.clone(), recipients, data };
                if !is_plain {
                    shared.secured.fetch_add(1, Ordering::SeqCst);
                }
                locked(&shared.deliveries).push(delivery.clone());
                if let Some(passes) = &shared.passes {
                    drop(passes.send(delivery));
                }
                say(&mut session, "250 2.0.0 ok\r\n")?;
            }
            "QUIT" => {
                say(&mut session, "221 2.0.0 bye\r\n")?;
                return None;
            }
            _ => say(&mut session, "250 2.0.0 ok\r\n")?,
        }
    }
    None
}

/// Answers; nothing when the client has hung up.
fn say(session: &mut Session, reply: &str) -> Option<()> {
    let wire = session.get_mut();
    wire.write_all(reply.as_bytes()).and_then(|()| wire.flush()).ok()
}

fn read_line(session: &mut Session) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = session.read_until(b'\n', &mut line).ok()?;
    (read > 0).then_some(line)
}

fn read_content(session: &mut Session) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line = read_line(session)?;
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
