// SPDX-License-Identifier: GPL-3.0-or-later
//! A tenant as Microsoft's login server and Microsoft Graph show it, over HTTPS, and what a test may do to it.
//!
//! Faithful to learn.microsoft.com/graph/delta-query-overview, -users, -groups and /graph/throttling: options in the first request of a
//! round alone, opaque tokens in `@odata.nextLink` and `@odata.deltaLink`, properties that were never set left out, `@removed`,
//! `members@delta` in parts over several pages, 410 for links that have expired. What the objects are is in `tenant`.

use crate::common::address::own_address;
use crate::common::authority::{Authority, Issued};
use crate::graph_tenant::{Reply, Tenant};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// What is done to a request instead of answering it as it should be.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Half of the answer, and then nothing more.
    Cut,
    /// No answer.
    HangUp,
    /// An octet of the answer every now and then, for ever.
    Drip,
    /// More than anybody takes.
    Flood,
    /// Something else: a status with header lines, and a body.
    Answer(&'static str, String),
    /// The right answer with another body.
    Edit(fn(&str) -> String),
    /// The server is killed.
    Kill,
}

/// Requests that something is done to: those whose target has this in it, from the nth on (from 1), so many.
struct Planned {
    part: &'static str,
    nth: usize,
    count: usize,
    seen: usize,
    fault: Fault,
}

/// Which certificate the server has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    Good,
    Expired,
    OfAnother,
}

struct Shared {
    tenant: Mutex<Tenant>,
    planned: Mutex<Vec<Planned>>,
    /// Method and target of every request that came.
    requests: Mutex<Vec<String>>,
    killed: tokio::sync::Notify,
    sent: AtomicUsize,
}

/// A server at work.
pub(crate) struct Peer {
    address: SocketAddr,
    authority: Authority,
    shared: Arc<Shared>,
}

impl Peer {
    /// A server with a good certificate and an empty tenant.
    pub(crate) async fn start() -> Self {
        Self::show(Shown::Good).await
    }

    pub(crate) async fn show(shown: Shown) -> Self {
        let authority = Authority::new();
        let listener = TcpListener::bind(own_address(0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            tenant: Mutex::new(Tenant::new(format!("https://{address}"))),
            planned: Mutex::default(),
            requests: Mutex::default(),
            killed: tokio::sync::Notify::new(),
            sent: AtomicUsize::new(0),
        });
        let peer = Self { address, authority, shared };
        peer.serve(listener, shown);
        peer
    }

    /// The server again, after it was killed.
    pub(crate) async fn revive(&self) {
        self.revive_with(Shown::Good).await;
    }

    /// The same with another certificate.
    pub(crate) async fn revive_with(&self, shown: Shown) {
        // The one before may still be about to end.
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
                Err(error) => panic!("{}: {error}", self.address),
            }
        };
        self.serve(listener, shown);
    }

    /// Ends the server and its connections.
    pub(crate) fn stop(&self) {
        self.shared.killed.notify_waiters();
    }

    fn serve(&self, listener: TcpListener, shown: Shown) {
        let own = format!("IP:{}", self.address.ip());
        let (names, days) = match shown {
            Shown::Good => (own.as_str(), "1"),
            Shown::Expired => (own.as_str(), "-1"),
            Shown::OfAnother => ("DNS:graph.microsoft.example", "1"),
        };
        let Issued { certificate, key } = self.authority.issue("peer", "/CN=peer", names, days);
        let certificates = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key).unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let killed = shared.killed.notified();
            tokio::pin!(killed);
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    // Ends its connections, too.
                    () = &mut killed => return,
                };
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                // Clients that do not like us, or have had enough, are what is tested.
                connections.spawn(async move { talk(stream, acceptor, &shared).await.ok() });
            }
        });
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate of the authority that vouches for it, in PEM.
    pub(crate) fn ca(&self) -> Arc<[u8]> {
        self.authority.certificate()
    }

    /// What it serves.
    pub(crate) fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.shared.tenant.lock().unwrap()
    }

    /// Does something to the nth request (from 1, from now on) whose method and target have this in them, and so many of them.
    pub(crate) fn plan(&self, part: &'static str, nth: usize, count: usize, fault: Fault) {
        self.shared.planned.lock().unwrap().push(Planned { part, nth, count, seen: 0, fault });
    }

    /// Does nothing more to anybody.
    pub(crate) fn behave(&self) {
        self.shared.planned.lock().unwrap().clear();
    }

    /// Method and target of the requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    /// Octets of floods that were sent.
    pub(crate) fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

async fn talk(stream: TcpStream, acceptor: TlsAcceptor, shared: &Shared) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        shared.requests.lock().unwrap().push(line.clone());
        let fault = planned(&line, shared);
        let reply = if let Some(Fault::Answer(status, body)) = &fault {
            Reply { status: (*status).to_owned(), body: body.clone() }
        } else {
            let (method, target) = line.split_once(' ').unwrap();
            let mut tenant = shared.tenant.lock().unwrap();
            tenant.answer(
                method,
                target,
                header("authorization").as_deref(),
                &String::from_utf8(body).unwrap(),
            )
        };
        send(&mut stream, reply, fault, shared).await?;
    }
}

/// What is to be done to this request.
fn planned(line: &str, shared: &Shared) -> Option<Fault> {
    let mut found = None;
    for planned in shared.planned.lock().unwrap().iter_mut().filter(|planned| line.contains(planned.part)) {
        planned.seen += 1;
        if (planned.nth..planned.nth.saturating_add(planned.count)).contains(&planned.seen) {
            found = Some(planned.fault.clone());
        }
    }
    found
}

async fn send(
    stream: &mut TlsStream<TcpStream>,
    reply: Reply,
    fault: Option<Fault>,
    shared: &Shared,
) -> std::io::Result<()> {
    let Reply { status, mut body } = reply;
    let kind = if status.to_ascii_lowercase().contains("content-type") {
        ""
    } else {
        "Content-Type: application/json;odata.metadata=minimal;charset=utf-8\r\n"
    };
    if let Some(Fault::Edit(edit)) = fault {
        body = edit(&body);
    }
    let head = |length: usize| format!("HTTP/1.1 {status}\r\n{kind}Content-Length: {length}\r\n\r\n");
    match fault {
        None | Some(Fault::Answer(..) | Fault::Edit(_)) => {
            stream.write_all(head(body.len()).as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
            stream.flush().await
        }
        Some(Fault::Cut) => {
            stream.write_all(head(body.len()).as_bytes()).await?;
            stream.write_all(&body.as_bytes()[..body.len() / 2]).await?;
            stream.flush().await?;
            Err(std::io::ErrorKind::Other.into())
        }
        Some(Fault::HangUp) => Err(std::io::ErrorKind::Other.into()),
        Some(Fault::Kill) => {
            shared.killed.notify_waiters();
            std::future::pending().await
        }
        Some(Fault::Drip) => {
            stream.write_all(head(1_000_000).as_bytes()).await?;
            let mut drops = interval(Duration::from_millis(20));
            loop {
                drops.tick().await;
                stream.write_all(b" ").await?;
                stream.flush().await?;
            }
        }
        Some(Fault::Flood) => {
            let head = format!("HTTP/1.1 {status}\r\n{kind}Connection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let part = vec![b' '; 64 * 1024];
            for _ in 0..2_000 {
                stream.write_all(&part).await?;
                shared.sent.fetch_add(part.len(), Ordering::Relaxed);
            }
            Err(std::io::ErrorKind::Other.into())
        }
    }
}
