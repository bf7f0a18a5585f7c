// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern try --live`: puts a message to a running milter, any milter, in the way that Postfix does, and tells every
//! answer. Nothing is delivered: what the milter would edit is shown and goes nowhere.

mod macros;
mod report;
mod talk;

use super::FAILED;
use super::output::{self, Page};
use super::question::Question;
use crate::listen::Stream;
use crate::milter::{Mta, MtaError, Offer};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use talk::{Talk, Transcript};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Duration, timeout};

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Where a server is to be found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// A host, by name or address, and a port.
    Tcp(String),
    /// A unix socket.
    Unix(PathBuf),
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "write inet:HOST:PORT or unix:PATH";
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let place = text.strip_prefix("inet:").ok_or(WANTED)?;
        let (host, port) = place.rsplit_once(':').ok_or(WANTED)?;
        let host_fits = !host.is_empty() && (!host.contains(':') || host.starts_with('['));
        if !host_fits || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(WANTED);
        }
        Ok(Self::Tcp(place.to_owned()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => write!(f, "inet:{place}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Asks a server; `bare` says that there is no message, so that one is to be made up.
pub(super) fn ask(server: &Endpoint, question: &Question, bare: bool, json: bool) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut transcript = Transcript::new(question);
    let outcome = runtime.block_on(async {
        let stream = connect(server).await?;
        let mta = Mta::open(stream, Offer::current()).await?;
        Talk::begin(mta, question, bare, &mut transcript).hold().await
    });
    if json {
        output::print_json(&transcript.to_json(server, outcome.as_ref().err().map(told)))?;
    } else if transcript.has_begun() {
        let mut page = Page::new(output::colour(&io::stdout()));
        transcript.show(server, &mut page);
        output::print(&page.into_text())?;
    }
    if let Err(error) = outcome {
        output::complain(&format!("postern: {server}: {}\n", told(&error)));
        return Ok(ExitCode::from(FAILED));
    }
    Ok(ExitCode::from(u8::from(!transcript.passes())))
}

/// Why there is no answer.
fn told(error: &MtaError) -> String {
    match error {
        MtaError::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            "what it says is not the milter protocol".to_owned()
        }
        MtaError::Io(_)
        | MtaError::Silent
        | MtaError::Closed
        | MtaError::Answer(_)
        | MtaError::NoNegotiation(_) => error.to_string(),
    }
}

async fn connect(server: &Endpoint) -> Result<Stream, MtaError> {
    let connecting = async {
        match server {
            Endpoint::Tcp(place) => TcpStream::connect(place).await.map(Stream::tcp),
            Endpoint::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
        }
    };
    let connected = timeout(CONNECT_LIMIT, connecting).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(MtaError::Io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for text in ["inet:127.0.0.1:8890", "inet:[::1]:8890", "inet:localhost:25", "unix:/run/s", "unix:s"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in
            ["", "unix:", "inet:", "inet:8890", "inet::8890", "inet:localhost", "inet:h:0", "inet:h:x"]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        for text in ["inet:::1:8890", "127.0.0.1:8890", "/run/s", "systemd:milter"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
