// SPDX-License-Identifier: GPL-3.0-or-later
//! One visit to one address: connect, banner, EHLO, STARTTLS where it is wished, EHLO again, QUIT. No message is begun.

use super::certificate::{self, Trust};
use super::outcome::{Outcome, Said, Spoken, Step, Tls};
use super::reply::{self, NoReply, Reply};
use crate::mail::CertificatePattern;
use crate::policy::TlsWish;
use rustls::pki_types::{CertificateDer, ServerName};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long good-bye may take.
const GOOD_BYE: Duration = Duration::from_secs(2);

/// How long a visit may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The TCP connection.
    pub connect: Duration,
    /// Any other step. Servers that let clients wait for the banner, to see whether they can, take some 5 to 15 s.
    pub step: Duration,
    /// All of it.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), step: seconds(20), whole: seconds(40) }
    }
}

/// A visit under way.
pub(super) struct Dialogue<'a> {
    /// Our name for EHLO; without one, our address.
    pub(super) own: Option<&'a str>,
    pub(super) trust: &'a Trust,
    pub(super) patience: Patience,
    /// When it has to be over.
    pub(super) ends: Instant,
    pub(super) steps: Vec<(Step, String)>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl Dialogue<'_> {
    /// Visits it.
    pub(super) async fn visit(&mut self, address: SocketAddr, wish: &TlsWish) -> Outcome {
        self.talk(address, wish).await.unwrap_or_else(|outcome| outcome)
    }

    /// An error is an outcome, too: from there on nothing more can be learnt.
    async fn talk(&mut self, address: SocketAddr, wish: &TlsWish) -> Result<Outcome, Outcome> {
        let connected = self.within(Step::Connect, TcpStream::connect(address)).await?;
        let tcp = connected.map_err(|error| {
            let refused = error.kind() == io::ErrorKind::ConnectionRefused;
            if refused { Outcome::Refused } else { Outcome::Unreachable(cause(&error)) }
        })?;
        // Each command waits for an answer.
        let _ = tcp.set_nodelay(true);
        let own = self.own.map_or_else(|| literal(tcp.local_addr().ok()), str::to_owned);
        self.steps.push((Step::Connect, address.to_string()));

        let mut plain = BufReader::new(tcp);
        let banner = self.reply(Step::Banner, &mut plain).await?;
        self.steps.push((Step::Banner, banner.text()));
        let banner = banner.text();
        let hello = self.hello(Step::Hello, &own, &mut plain).await?;
        let offered = hello.announces("STARTTLS");
        let count = hello.lines.len().saturating_sub(1);
        let extensions = if count == 1 { "1 extension".to_owned() } else { format!("{count} extensions") };
        let starttls = if offered { "STARTTLS offered" } else { "no STARTTLS" };
        self.steps.push((Step::Hello, format!("{} ({extensions}, {starttls})", hello.text())));

        let (wanted, tls) = match wish {
            TlsWish::May => (None, Some(Tls::NotAsked { offered })),
            TlsWish::Dane if offered => (None, Some(Tls::Offered)),
            TlsWish::Encrypt if offered => (None, None),
            TlsWish::Verify(wanted) if offered => (Some(&**wanted), None),
            TlsWish::Dane | TlsWish::Encrypt | TlsWish::Verify(_) => {
                good_bye(&mut plain).await;
                return Err(Outcome::NoTls(None));
            }
        };
        if let Some(tls) = tls {
            good_bye(&mut plain).await;
            return Ok(Outcome::Fine { banner, tls });
        }
        let mut secure = self.start_tls(plain, address).await?;
        let spoken = self.look_at_certificate(secure.get_ref(), wanted);
        let spoken = match spoken {
            Ok(spoken) => spoken,
            Err(outcome) => {
                good_bye(&mut secure).await;
                return Err(outcome);
            }
        };
        let hello = self.hello(Step::SecureHello, &own, &mut secure).await?;
        self.steps.push((Step::SecureHello, hello.text()));
        good_bye(&mut secure).await;
        Ok(Outcome::Fine { banner, tls: Tls::Spoken(spoken) })
    }

    /// Begins TLS.
    async fn start_tls(
        &mut self,
        mut plain: BufReader<TcpStream>,
        address: SocketAddr,
    ) -> Result<BufReader<TlsStream<TcpStream>>, Outcome> {
        let answer = self.ask(Step::StartTls, "STARTTLS", &mut plain).await?;
        if !answer.is(2) {
            good_bye(&mut plain).await;
            return Err(Outcome::NoTls(Some(answer.text())));
        }
        self.steps.push((Step::StartTls, answer.text()));
        // RFC 3207 6: what came before TLS came from anybody.
        if !plain.buffer().is_empty() {
            return Err(Outcome::BrokenTls("it says more before TLS begins".into()));
        }
        let connector = TlsConnector::from(std::sync::Arc::clone(&self.trust.config));
        let name = ServerName::IpAddress(address.ip().into());
        let tls = self.within(Step::Handshake, connector.connect(name, plain.into_inner())).await?;
        Ok(BufReader::new(tls.map_err(|error| Outcome::BrokenTls(cause(&error)))?))
    }

    /// Looks at what was shown in the handshake.
    fn look_at_certificate(
        &mut self,
        tls: &TlsStream<TcpStream>,
        wanted: Option<&[CertificatePattern]>,
    ) -> Result<Spoken, Outcome> {
        let connection = tls.get_ref().1;
        let chain: &[CertificateDer<'_>] = connection.peer_certificates().unwrap_or_default();
        let names = chain.first().map(certificate::names).unwrap_or_default();
        let names: Vec<String> = names.iter().map(|name| reply::printable(name.as_bytes())).collect();
        let version = connection.protocol_version().and_then(|version| version.as_str());
        let version = version.map_or_else(|| "TLS".to_owned(), |version| version.replace('_', "."));
        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let said = suite.map_or_else(|| version.clone(), |suite| format!("{version}, {suite}"));
        self.steps.push((Step::Handshake, said));
        let verified = wanted.is_some();
        if let Some(wanted) = wanted {
            self.trust.check(chain, wanted).map_err(|fault| Outcome::WrongCertificate {
                fault,
                seen: names.clone(),
                wanted: wanted.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            })?;
        }
        let shown = if names.is_empty() { "no host name".to_owned() } else { names.join(", ") };
        let trusted = if verified { "trusted: " } else { "not looked at: " };
        self.steps.push((Step::Certificate, format!("{trusted}{shown}")));
        Ok(Spoken { version, names, verified })
    }

    /// Says who we are; where EHLO is not known, in the old way.
    async fn hello(
        &self,
        step: Step,
        own: &str,
        stream: &mut BufReader<impl Stream>,
    ) -> Result<Reply, Outcome> {
        let answer = self.ask(step, &format!("EHLO {own}"), stream).await?;
        let answer =
            if answer.is(5) { self.ask(step, &format!("HELO {own}"), stream).await? } else { answer };
        self.accepted(step, answer, stream).await
    }

    /// Waits for what the host says by itself.
    async fn reply(&self, step: Step, stream: &mut BufReader<impl Stream>) -> Result<Reply, Outcome> {
        let reply = self.within(step, reply::read(stream)).await?.map_err(no_reply)?;
        self.accepted(step, reply, stream).await
    }

    async fn ask(
        &self,
        step: Step,
        command: &str,
        stream: &mut BufReader<impl Stream>,
    ) -> Result<Reply, Outcome> {
        let asking = async {
            stream.write_all(format!("{command}\r\n").as_bytes()).await.map_err(NoReply::Lost)?;
            stream.flush().await.map_err(NoReply::Lost)?;
            reply::read(stream).await
        };
        self.within(step, asking).await?.map_err(no_reply)
    }

    /// A reply of class 2, or what another one means.
    async fn accepted(
        &self,
        step: Step,
        reply: Reply,
        stream: &mut BufReader<impl Stream>,
    ) -> Result<Reply, Outcome> {
        if reply.is(2) {
            return Ok(reply);
        }
        good_bye(stream).await;
        let said = Said { step, reply: reply.text() };
        Err(match reply.code / 100 {
            4 => Outcome::NotNow(said),
            5 => Outcome::No(said),
            _ => Outcome::NotSmtp(format!("it answers {} with {}", step.as_str(), said.reply)),
        })
    }

    /// Waits as long as is good for one step.
    async fn within<T>(&self, step: Step, doing: impl Future<Output = T>) -> Result<T, Outcome> {
        let Patience { connect, step: other, whole: _ } = self.patience;
        let limit = if step == Step::Connect { connect } else { other };
        let ends = self.ends.min(Instant::now() + limit);
        timeout_at(ends, doing).await.map_err(|_| Outcome::TimedOut(step))
    }
}

/// Ends a session in order, as far as the host has the patience.
async fn good_bye(stream: &mut BufReader<impl Stream>) {
    let quitting = async {
        stream.write_all(b"QUIT\r\n").await.ok()?;
        stream.flush().await.ok()?;
        reply::read(stream).await.ok()
    };
    // What it answers changes nothing any more.
    let _ = timeout(GOOD_BYE, quitting).await;
}

fn no_reply(why: NoReply) -> Outcome {
    match why {
        NoReply::Lost(error) => Outcome::Unreachable(cause(&error)),
        NoReply::Garbage(why) => Outcome::NotSmtp(why.to_owned()),
    }
}

/// An error without the system's number for it.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// Our address as the name of who has none (RFC 5321 4.1.3).
fn literal(address: Option<SocketAddr>) -> String {
    match address.map(|address| address.ip().to_canonical()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}
