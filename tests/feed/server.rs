// SPDX-License-Identifier: GPL-3.0-or-later
//! A server that speaks TLS and as much HTTP/1.1 as a feed needs, and does to its clients what it is told.

use crate::common::address::own_address;
use crate::common::authority::{Authority, Certificate};
use postern::config::{Feed, FeedFormat};
use postern::dns::{Dns, DnsError, Records};
use postern::gateways::{Fetched, Limits, Reader, SourceError, Validators};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// The name that the server has in every test.
pub(crate) const HOST: &str = "feed.example";

/// What the server does once it has read a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these lines, a `Content-Length`, and a body.
    Answer(&'static str, &'static str),
    /// Sends this many octets more or less than it promises, and hangs up.
    Truncate,
    /// Sends as much as is taken, with or without saying how much there will be.
    Flood { length: Option<usize> },
    /// Sends an octet every now and then, for ever.
    Drip,
    /// Hangs up without a word.
    HangUp,
}

/// A server at work.
pub(crate) struct Server {
    address: SocketAddr,
    /// The heads of the requests that came.
    requests: Arc<Mutex<Vec<String>>>,
    /// Octets of bodies that were sent.
    pub(crate) sent: Arc<AtomicUsize>,
    ca: Arc<[u8]>,
}

impl Server {
    /// A server with a good certificate that does this to each client in turn, and the last of it for ever.
    pub(crate) async fn start(acts: &[Act]) -> Self {
        let authority = Authority::new();
        let certificate = authority.sign(HOST, "1");
        Self::with(&authority, &certificate, acts).await
    }

    pub(crate) async fn with(authority: &Authority, certificate: &Certificate, acts: &[Act]) -> Self {
        let chain =
            CertificateDer::pem_slice_iter(&certificate.chain).collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(&certificate.key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(own_address(0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, sent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (seen, counted, mut acts) = (Arc::clone(&requests), Arc::clone(&sent), acts.to_vec());
        tokio::spawn(async move {
            acts.reverse();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, counted) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&counted));
                let act = if acts.len() > 1 { acts.pop() } else { acts.last().cloned() };
                // Clients that do not like us, or have had enough, are what is tested.
                tokio::spawn(
                    async move { serve(stream, acceptor, act.unwrap(), &seen, &counted).await.ok() },
                );
            }
        });
        Self { address, requests, sent, ca: authority.certificate() }
    }

    /// The feed that it serves.
    pub(crate) fn feed(&self, format: FeedFormat) -> Feed {
        let url = format!("https://{HOST}:{}/list", self.address.port());
        Feed { url: url.into(), format, ca: Some(Arc::clone(&self.ca)), pins: Vec::new() }
    }

    /// Reads a feed from it.
    pub(crate) async fn read(&self, feed: &Feed, validators: &Validators) -> Result<Fetched, SourceError> {
        self.read_within(feed, validators, Limits::default()).await
    }

    /// Reads a feed from it within other limits.
    pub(crate) async fn read_within(
        &self,
        feed: &Feed,
        validators: &Validators,
        limits: Limits,
    ) -> Result<Fetched, SourceError> {
        Reader::new(Arc::new(OneHost(self.address.ip())), limits).read(feed, validators).await
    }

    /// The head of the request that came last.
    pub(crate) fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    act: Act,
    seen: &Mutex<Vec<String>>,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    seen.lock().unwrap().push(String::from_utf8(head).unwrap().to_ascii_lowercase());
    match act {
        Act::Answer(head, body) => {
            let length = body.len();
            stream
                .write_all(format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())
                .await?;
        }
        Act::Truncate => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[\"192.0.2.0/24\"]").await?;
        }
        Act::Flood { length } => flood(&mut stream, length, sent).await?,
        Act::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await?;
            let mut drops = interval(Duration::from_millis(20));
            loop {
                drops.tick().await;
                stream.write_all(b" ").await?;
            }
        }
        Act::HangUp => return Ok(()),
    }
    stream.shutdown().await
}

async fn flood(
    stream: &mut TlsStream<TcpStream>,
    length: Option<usize>,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    let head = match length {
        Some(length) => format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"),
        None => "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(),
    };
    stream.write_all(head.as_bytes()).await?;
    let part = vec![b' '; 16 * 1024];
    for _ in 0..length.unwrap_or(100 * 1024 * 1024) / part.len() {
        stream.write_all(&part).await?;
        sent.fetch_add(part.len(), Ordering::Relaxed);
    }
    Ok(())
}

/// A name system with one host in it.
#[derive(Debug)]
struct OneHost(IpAddr);

impl Dns for OneHost {
    async fn texts(&self, name: &str) -> Result<Records<Vec<u8>>, DnsError> {
        Ok(records(name, Vec::new()))
    }

    async fn ipv4(&self, name: &str) -> Result<Records<Ipv4Addr>, DnsError> {
        let IpAddr::V4(address) = self.0 else { panic!("{} is IPv6", self.0) };
        Ok(records(name, vec![address]))
    }

    async fn ipv6(&self, name: &str) -> Result<Records<Ipv6Addr>, DnsError> {
        Ok(records(name, Vec::new()))
    }

    async fn exchangers(&self, name: &str) -> Result<Records<String>, DnsError> {
        Ok(records(name, Vec::new()))
    }

    async fn names(&self, _: IpAddr) -> Result<Records<String>, DnsError> {
        Ok(records("", Vec::new()))
    }
}

fn records<T>(name: &str, found: Vec<T>) -> Records<T> {
    let exists = name == HOST;
    Records {
        found: if exists { found } else { Vec::new() },
        exists,
        ttl: Duration::from_secs(60),
        validated: false,
    }
}
