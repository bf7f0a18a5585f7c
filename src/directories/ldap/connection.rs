// SPDX-License-Identifier: GPL-3.0-or-later
//! A connection to one LDAP server: opened, secured, bound, closed again.
//!
//! TLS is ours, so that it is rustls with our settings and what comes is looked at before the library gets it. The library's
//! part of the work is done only while an answer is waited for: what a server sends stays in the socket until then, and
//! nothing runs on when a sync is dropped. Every wait ends after `timeout`.

use super::relay;
use crate::config::{Ldap, LdapBind, LdapServer};
use crate::directories::source::SourceError;
use futures_util::future::join;
use ldap3::{LdapConnAsync, LdapConnSettings, LdapError, LdapResult, StdStream};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// The extended request that begins TLS (RFC 4511 4.14.1): message 1, with the name of the operation alone.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// Characters of what a server says that are passed on.
const SHOWN: usize = 200;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is bound.
pub(super) struct Connection {
    ldap: ldap3::Ldap,
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
    /// Why there is no connection any more.
    cause: Arc<OnceLock<String>>,
    timeout: Duration,
}

impl Connection {
    /// Connects to a server and binds.
    pub(super) async fn open(
        server: &LdapServer,
        ldap: &Ldap,
        tls: Option<&Arc<ClientConfig>>,
        timeout: Duration,
    ) -> Result<Self, SourceError> {
        let within = |what: &'static str| move |_| silent(what, timeout);
        let connecting = TcpStream::connect((&*server.host, server.port));
        let tcp = tokio::time::timeout(timeout, connecting).await.map_err(within("the connection"))?;
        let mut tcp = tcp.map_err(|error| SourceError::Unreachable(error.to_string()))?;
        // Questions are small and wait for an answer.
        let _ = tcp.set_nodelay(true);
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(tcp),
            Some(config) => {
                if !server.tls {
                    let begun = tokio::time::timeout(timeout, start_tls(&mut tcp)).await;
                    begun.map_err(within("StartTLS"))??;
                }
                let name = ServerName::try_from(server.host.to_string())
                    .map_err(|error| SourceError::Wrong(format!("no name that TLS knows: {error}")))?;
                let shaking = TlsConnector::from(Arc::clone(config)).connect(name, tcp);
                let tls = tokio::time::timeout(timeout, shaking).await.map_err(within("TLS"))?;
                Box::new(tls.map_err(|error| not_trusted(&error))?)
            }
        };
        let mut connection = Self::over(stream, timeout).await?;
        connection.bind(&ldap.bind).await?;
        Ok(connection)
    }

    /// Speaks LDAP over a stream.
    async fn over(stream: Box<dyn Stream>, timeout: Duration) -> Result<Self, SourceError> {
        let local = |error: std::io::Error| SourceError::Unreachable(error.to_string());
        let (ours, library) = std::os::unix::net::UnixStream::pair().map_err(local)?;
        ours.set_nonblocking(true).map_err(local)?;
        let ours = UnixStream::from_std(ours).map_err(local)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(library));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
            .await
            .map_err(|error| SourceError::Unreachable(error.to_string()))?;
        let cause = Arc::new(OnceLock::new());
        let found = Arc::clone(&cause);
        let relayed = async move {
            if let Err(error) = relay::run(stream, ours).await {
                // Nobody else sets it.
                let _ = found.set(error.to_string());
            }
        };
        let driver = Box::pin(async move {
            let ((), _) = join(relayed, connection.drive()).await;
        });
        Ok(Self { ldap, driver, ended: false, cause, timeout })
    }

    async fn bind(&mut self, bind: &LdapBind) -> Result<(), SourceError> {
        let mut ldap = self.handle();
        let (who, result) = match bind {
            LdapBind::Anonymous => return Ok(()),
            LdapBind::Simple { dn, password } => {
                // RFC 4513 5.1.3: text is UTF-8.
                let password = str::from_utf8(password.reveal())
                    .map_err(|_| SourceError::Wrong("the password is not UTF-8".into()))?;
                let mut result = self.ask(ldap.simple_bind(dn, password)).await?;
                result.text = result.text.replace(password, "***");
                (&**dn, result)
            }
            LdapBind::External(_) => ("our certificate", self.ask(ldap.sasl_external_bind()).await?),
        };
        match result.rc {
            0 => Ok(()),
            51 | 52 => Err(SourceError::Unreachable(said(&result))),
            _ => Err(SourceError::Refused(format!("the bind as {who}: {}", said(&result)))),
        }
    }

    /// What questions are asked with.
    pub(super) fn handle(&self) -> ldap3::Ldap {
        self.ldap.clone()
    }

    /// Waits for an answer.
    pub(super) async fn ask<T>(
        &mut self,
        answer: impl Future<Output = ldap3::result::Result<T>>,
    ) -> Result<T, SourceError> {
        let timeout = self.timeout;
        let mut answer = pin!(answer);
        let waiting = async {
            loop {
                tokio::select! {
                    biased;
                    // What has come is taken before more is read.
                    answer = &mut answer => return answer,
                    () = &mut self.driver, if !self.ended => self.ended = true,
                }
            }
        };
        match tokio::time::timeout(timeout, waiting).await {
            Err(_) => Err(silent("its answer", timeout)),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.lost(&error)),
        }
    }

    /// Says good-bye.
    pub(super) async fn close(mut self) {
        let mut ldap = self.handle();
        // The answers are there; whether the server hears of the end makes no difference to them.
        if self.ask(async move { ldap.unbind().await }).await.is_ok() && !self.ended {
            let _ = tokio::time::timeout(self.timeout, self.driver).await;
        }
    }

    fn lost(&self, error: &LdapError) -> SourceError {
        match (self.cause.get(), error) {
            (Some(cause), _) => SourceError::Unreachable(cause.clone()),
            (None, LdapError::FilterParsing) => SourceError::Wrong("`filter` is no filter".into()),
            (None, error) => SourceError::Unreachable(error.to_string()),
        }
    }
}

/// What a result that is no success means for a sync.
pub(super) fn failed(result: &LdapResult) -> SourceError {
    let said = said(result);
    match result.rc {
        // RFC 4511 A.1. A limit has cut the answer.
        3 | 4 => SourceError::Incomplete(said),
        11 => SourceError::Incomplete(format!("{said}; it may want smaller pages (`page_size`)")),
        8 | 13 | 48..=50 => SourceError::Refused(said),
        51 | 52 => SourceError::Unreachable(said),
        // RFC 4533 2.6.
        4096 => SourceError::Resync,
        _ => SourceError::Wrong(said),
    }
}

/// What a server says in a result.
fn said(result: &LdapResult) -> String {
    let name = match result.rc {
        1 => "operations error",
        2 => "protocol error",
        3 => "the server's time limit was exceeded",
        4 => "the server's size limit was exceeded",
        7 => "the server does not know this way to bind",
        8 => "the server wants stronger authentication",
        10 => "the server refers to another one",
        11 => "a limit of the server was exceeded",
        12 => "the server lacks what it was asked for",
        13 => "the server wants TLS",
        32 => "there is no such entry, or it may not be read",
        34 => "the server knows no such DN syntax",
        48 => "the server refuses this way to bind",
        49 => "wrong name or password",
        50 => "no right to do this",
        51 => "the server is busy",
        52 => "the server is unavailable",
        53 => "the server is unwilling",
        _ => "an error",
    };
    let text: String = result.text.trim().chars().take(SHOWN).collect();
    match text.as_str() {
        "" => format!("{name} ({})", result.rc),
        text => format!("{name} ({}: {})", result.rc, text.escape_debug()),
    }
}

/// Nothing came in time.
fn silent(what: &str, timeout: Duration) -> SourceError {
    SourceError::Unreachable(format!("{what} has not come within {} s", timeout.as_secs_f64()))
}

fn not_trusted(error: &std::io::Error) -> SourceError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => SourceError::Wrong(format!("TLS: {error}")),
        None => SourceError::Unreachable(format!("TLS: {error}")),
    }
}

/// Asks for TLS on a connection on which nothing was said yet.
async fn start_tls(tcp: &mut TcpStream) -> Result<(), SourceError> {
    let lost = |error: std::io::Error| SourceError::Unreachable(format!("StartTLS: {error}"));
    tcp.write_all(START_TLS).await.map_err(lost)?;
    let mut message = Vec::new();
    // One octet at a time is buffered: what comes after the answer is TLS.
    relay::next(&mut BufReader::with_capacity(1, tcp), &mut message).await.map_err(lost)?;
    let code = ldap3::asn1::parse_tag(&message).ok().and_then(|(_, tag)| result_code(tag));
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(SourceError::Wrong(format!("the server does not begin TLS (result {code})"))),
        None => Err(SourceError::Wrong("the server's answer to StartTLS is no LDAP".into())),
    }
}

/// The code in the answer to an extended request, `[APPLICATION 24]`, with the id of ours.
fn result_code(message: ldap3::asn1::StructureTag) -> Option<u8> {
    let mut parts = message.expect_constructed()?.into_iter();
    let id = parts.next()?.expect_primitive()?;
    let code = parts.next()?.match_id(24)?.expect_constructed()?.into_iter().next()?.expect_primitive()?;
    match (&id[..], &code[..]) {
        ([1], [code]) => Some(*code),
        _ => None,
    }
}
