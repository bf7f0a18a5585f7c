// SPDX-License-Identifier: GPL-3.0-or-later
//! A host that does to SMTP clients what it is told, and remembers their commands.

use crate::common::address::own_address;
use crate::common::authority::Issued;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What it answers to a command that begins so; the first that fits counts. What nothing fits is answered `250 ok`.
pub(crate) type Answers = &'static [(&'static str, &'static str)];

/// What a host does.
#[derive(Clone)]
pub(crate) enum Act {
    /// Says this first, then answers, and under TLS with the second answers.
    Talk { banner: &'static str, answers: Answers, tls: Option<TlsAcceptor>, secure: Answers },
    /// Says this, and then nothing any more.
    Silent(&'static str),
    /// Says this again and again, for ever.
    Flood(&'static str),
    /// Says this again and again, an octet every now and then.
    Drip(&'static str),
    /// Says this and hangs up.
    HangUp(&'static str),
}

impl Act {
    /// One that answers without TLS.
    pub(crate) fn plain(banner: &'static str, answers: Answers) -> Self {
        Self::Talk { banner, answers, tls: None, secure: &[] }
    }

    /// One that offers TLS with this certificate.
    pub(crate) fn tls(issued: &Issued) -> Self {
        Self::Talk {
            banner: GREETING,
            answers: &[("EHLO", OFFER), ("STARTTLS", "220 2.0.0 go ahead\r\n")],
            tls: Some(acceptor(issued)),
            secure: &[("EHLO", "250-peer.example\r\n250 SIZE 1000\r\n")],
        }
    }
}

pub(crate) const GREETING: &str = "220 peer.example ESMTP\r\n";
pub(crate) const OFFER: &str = "250-peer.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n";

/// A host at work; it stops when it is dropped.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    commands: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Listens on an address of its own.
    pub(crate) async fn start(act: Act) -> Self {
        Self::at(own_address(2500), act).await
    }

    /// Listens there.
    pub(crate) async fn at(address: SocketAddr, act: Act) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let commands = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&commands);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (act, heard) = (act.clone(), Arc::clone(&heard));
                // Clients that have had enough are what is tested.
                tokio::spawn(async move { drop(serve(stream, act, &heard).await) });
            }
        });
        Self { address, commands, task }
    }

    /// Closes it; from then on its address refuses connections.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        drop((&mut self.task).await);
    }

    /// The commands that came, first words only.
    pub(crate) fn commands(&self) -> Vec<String> {
        let commands = self.commands.lock().unwrap();
        commands.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    /// The commands that came.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, act: Act, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    match act {
        Act::Talk { banner, answers, tls, secure } => {
            stream.write_all(banner.as_bytes()).await?;
            let mut stream = BufReader::new(stream);
            if talk(&mut stream, answers, tls.is_some(), heard).await?
                && let Some(acceptor) = tls
            {
                let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
                talk(&mut stream, secure, false, heard).await?;
            }
        }
        Act::Silent(text) => {
            stream.write_all(text.as_bytes()).await?;
            let mut lines = BufReader::new(stream).lines();
            while let Some(line) = lines.next_line().await? {
                heard.lock().unwrap().push(line);
            }
        }
        Act::Flood(text) => loop {
            stream.write_all(text.as_bytes()).await?;
        },
        Act::Drip(text) => {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            for octet in text.bytes().cycle() {
                ticks.tick().await;
                stream.write_all(&[octet]).await?;
            }
        }
        Act::HangUp(text) => stream.write_all(text.as_bytes()).await?,
    }
    Ok(())
}

/// Answers until QUIT, or until STARTTLS was answered with 220 and TLS can begin.
async fn talk(
    stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
    answers: Answers,
    knows_tls: bool,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end();
        heard.lock().unwrap().push(line.to_owned());
        let found = answers.iter().find(|(command, _)| line.starts_with(command));
        let answer = found.map_or("250 ok\r\n", |(_, answer)| answer);
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        match line {
            "QUIT" => return Ok(false),
            "STARTTLS" if knows_tls && answer.starts_with("220") => return Ok(true),
            _ => {}
        }
    }
}

/// Speaks TLS with a certificate.
pub(crate) fn acceptor(issued: &Issued) -> TlsAcceptor {
    let chain = fs::read(&issued.certificate).unwrap();
    let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&issued.key).unwrap()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
