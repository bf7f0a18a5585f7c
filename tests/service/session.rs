// SPDX-License-Identifier: GPL-3.0-or-later
//! A configured directory, and an MTA's session with the Postern that runs in it.

use crate::common::dir::TestDir;
use crate::common::postern::{Endpoint, Postern};
use indymilter::message::command::{Command, ConnInfoPayload, EnvAddrPayload, HeaderPayload, HeloPayload};
use indymilter::message::reply::Reply;
use indymilter::{MacroStage, SocketInfo};
use postern::milter::{Mta, MtaError, Offer};
use std::ffi::CString;
use std::path::Path;
use tokio::net::UnixStream;

/// An address of the gateway, and one that is none.
pub(crate) const GATEWAY: &str = "192.0.2.9";
pub(crate) const STRANGER: &str = "198.51.100.7";

/// A directory with a configuration that enforces a.example, with these lines in `[milter]`.
pub(crate) fn configured(milter: &str) -> TestDir {
    let dir = TestDir::new();
    configure(&dir, "enforce", milter);
    dir.write("staff.txt", "ann@a.example\n");
    dir
}

/// Writes the configuration anew.
pub(crate) fn configure(dir: &TestDir, mode: &str, milter: &str) {
    let config = format!(
        "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n{milter}\n\
         [gateway.seg]\nnetworks = [\"192.0.2.0/24\"]\n\
         [directory.staff]\ntype = \"list\"\npath = \"staff.txt\"\n\
         [loop]\nid = \"mx.example\"\n\
         [domain.\"a.example\"]\nmode = \"{mode}\"\ngateways = [\"seg\"]\ndirectories = [\"staff\"]\n"
    );
    dir.write("postern.toml", &config);
}

/// Starts it, listening on the unix socket `s`.
pub(crate) fn started(dir: &TestDir) -> Postern {
    Postern::start(dir.path(), &[Endpoint::Unix(dir.join("s"))])
}

/// An MTA's session.
pub(crate) struct Session(Mta<UnixStream>);

impl Session {
    /// Connects and negotiates.
    pub(crate) async fn open(path: &Path) -> Result<Self, MtaError> {
        Ok(Self(Mta::open(UnixStream::connect(path).await?, Offer::current()).await?))
    }

    /// A session in which this client has begun a message.
    pub(crate) async fn begin(path: &Path, client: &str) -> Self {
        let mut session = Self::open(path).await.expect("a session");
        session.hello(client, "client.example").await;
        session
    }

    /// The client connects, says its name and begins a message.
    pub(crate) async fn hello(&mut self, client: &str, helo: &str) {
        self.0.define(MacroStage::Connect, &[("j", "mx.example")]).await.unwrap();
        let socket_info = SocketInfo::Inet((client.parse::<std::net::IpAddr>().unwrap(), 4711).into());
        let hostname = string("client.example");
        self.send(Command::ConnInfo(ConnInfoPayload { hostname, socket_info })).await;
        self.send(Command::Helo(HeloPayload { hostname: string(helo) })).await;
        self.send(Command::Mail(EnvAddrPayload { args: vec![string("<joe@elsewhere.example>")] })).await;
    }

    /// One recipient: `continue`, or the codes of a refusal.
    pub(crate) async fn rcpt(&mut self, address: &str) -> String {
        self.0.define(MacroStage::Rcpt, &[("i", "4QJ7"), ("{rcpt_addr}", address)]).await.unwrap();
        self.send(Command::Rcpt(EnvAddrPayload { args: vec![string(&format!("<{address}>"))] })).await
    }

    /// The rest of the message: the answer at its end.
    pub(crate) async fn finish(&mut self) -> String {
        self.send(Command::Data).await;
        let header = HeaderPayload { name: string("Subject"), value: string("x") };
        self.send(Command::Header(header)).await;
        self.send(Command::Eoh).await;
        self.send(Command::BodyEnd(bytes::Bytes::new())).await
    }

    async fn send(&mut self, command: Command) -> String {
        match self.0.send(command).await.expect("an answer").last() {
            None => String::new(),
            Some(Reply::ReplyCode { reply }) => {
                reply.to_string_lossy().split(' ').take(2).collect::<Vec<_>>().join(" ")
            }
            Some(reply) => format!("{reply:?}").to_lowercase(),
        }
    }

    /// Whether the server has hung up.
    pub(crate) async fn is_over(&mut self) -> bool {
        let packet = Command::Rcpt(EnvAddrPayload { args: vec![string("<ann@a.example>")] });
        matches!(self.0.send(packet).await, Err(MtaError::Closed | MtaError::Io(_)))
    }
}

fn string(text: &str) -> CString {
    CString::new(text).unwrap()
}
