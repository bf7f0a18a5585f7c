// SPDX-License-Identifier: GPL-3.0-or-later
//! An SMTP client that says exactly what it is told, from the address it is told.
//!
//! One command, one reply, no pipelining. It keeps a transcript for the report of a failed test.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// One reply, perhaps of several lines. Its code is 0 when the server closed the connection.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The reply code of the last line.
    pub(crate) code: u16,
    /// All lines as received, without line ends.
    pub(crate) lines: Vec<Vec<u8>>,
}

impl Reply {
    /// The last line as text.
    pub(crate) fn text(&self) -> String {
        self.lines.last().map(|line| String::from_utf8_lossy(line).into_owned()).unwrap_or_default()
    }

    /// Was it a success?
    pub(crate) fn is_ok(&self) -> bool {
        (200..400).contains(&self.code)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return f.write_str("(connection closed)");
        }
        for (index, line) in self.lines.iter().enumerate() {
            let separator = if index == 0 { "" } else { " | " };
            write!(f, "{separator}{}", line.escape_ascii())?;
        }
        Ok(())
    }
}

/// A session with a server.
pub(crate) struct Smtp {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
    transcript: Vec<String>,
    greeting: Reply,
    tls: Option<Child>,
}

/// A certificate and its key, both PEM files.
#[derive(Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) certificate: &'a Path,
    pub(crate) key: &'a Path,
}

impl Smtp {
    /// Connects from `source` and takes the greeting.
    pub(crate) fn connect(source: IpAddr, server: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).expect("a socket");
        socket
            .bind(&SocketAddr::new(source, 0).into())
            .unwrap_or_else(|error| panic!("bind {source}: {error}"));
        socket.connect(&server.into()).unwrap_or_else(|error| panic!("connect {server}: {error}"));
        socket.set_read_timeout(Some(REPLY_TIMEOUT)).expect("a read timeout");
        socket.set_tcp_nodelay(true).expect("no delay");
        let writer = socket.try_clone().expect("a second handle");
        Self::over(Box::new(socket), Box::new(writer))
    }

    /// Speaks over a stream that is already open and takes the greeting.
    pub(crate) fn over(reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send>) -> Self {
        let mut smtp = Self::after_greeting(reader, writer);
        smtp.greeting = smtp.reply();
        smtp
    }

    /// Connects from `source` and begins TLS, showing this certificate, if any; the next command is EHLO. The TLS is
    /// openssl's, as a child process.
    pub(crate) fn secured(source: IpAddr, server: SocketAddr, identity: Option<Identity<'_>>) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-starttls", "smtp", "-connect", &server.to_string()]);
        if let Some(Identity { certificate, key }) = identity {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
        let mut openssl = command
            .args(["-bind", &SocketAddr::new(source, 0).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let reader = openssl.stdout.take().expect("its output");
        let writer = openssl.stdin.take().expect("its input");
        let mut smtp = Self::after_greeting(Box::new(reader), Box::new(writer));
        smtp.tls = Some(openssl);
        smtp
    }

    fn after_greeting(reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send>) -> Self {
        let greeting = Reply { code: 0, lines: Vec::new() };
        Self { reader: BufReader::new(reader), writer, transcript: Vec::new(), greeting, tls: None }
    }

    /// The server's first words.
    pub(crate) fn greeting(&self) -> &Reply {
        &self.greeting
    }

    /// Sends one command line and takes its reply.
    pub(crate) fn command(&mut self, line: impl AsRef<[u8]>) -> Reply {
        let line = line.as_ref();
        self.note("C", &line.escape_ascii().to_string());
        self.raw(&[line, b"\r\n"].concat());
        self.reply()
    }

    /// Sends a message's content after a 354, dots doubled, and takes the reply to the final dot.
    pub(crate) fn content(&mut self, message: &[u8]) -> Reply {
        let mut wire = Vec::with_capacity(message.len() + 64);
        for line in message.split_inclusive(|&byte| byte == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        wire.extend_from_slice(b".\r\n");
        self.note("C", &format!("({} bytes of content)", message.len()));
        self.raw(&wire);
        self.reply()
    }

    /// Sends bytes as they are; a server that has hung up is noticed at the next reply.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        drop(self.writer.write_all(bytes).and_then(|()| self.writer.flush()));
    }

    /// Takes one reply.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        let mut code = 0;
        loop {
            let mut line = Vec::new();
            match self.reader.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("no reply ({error}) after:\n{}", self.transcript()),
            }
            while line.ends_with(b"\n") || line.ends_with(b"\r") {
                line.pop();
            }
            let more = line.get(3) == Some(&b'-');
            code = line.get(..3).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0);
            lines.push(line);
            if !more {
                break;
            }
        }
        let reply = Reply { code, lines };
        self.note("S", &reply.to_string());
        reply
    }

    /// The session so far, a command or reply a line.
    pub(crate) fn transcript(&self) -> String {
        self.transcript.join("\n")
    }

    fn note(&mut self, who: &str, what: &str) {
        self.transcript.push(format!("    {who}: {what}"));
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        if let Some(mut openssl) = self.tls.take() {
            drop(openssl.kill());
            drop(openssl.wait());
        }
    }
}
