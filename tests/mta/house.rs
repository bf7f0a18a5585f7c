// SPDX-License-Identifier: GPL-3.0-or-later
//! A mail server with Postern beside it and a sink behind it: where a dialogue is held.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::common::dir::{TestDir, make_dir};
use crate::common::postern::{Endpoint, Postern};
use crate::common::sink::Sink;
use crate::common::smtp::Smtp;
use crate::common::wait::{SOON, found_within};
use crate::dialogue::proxied;
use crate::mta::{Extra, Mta, Transport, fill};
use crate::postfix::Postfix;
use crate::sendmail::Sendmail;

/// The configuration that most dialogues are held under.
pub(crate) const CONFIG: &str = include_str!("postern.toml");

/// Which mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Postfix.
    Postfix,
    /// Sendmail.
    Sendmail,
}

/// The running servers. They stop in the order of the fields.
pub(crate) struct House {
    /// Postern; none while a test has it stopped.
    pub(crate) postern: Option<Postern>,
    /// The mail server.
    pub(crate) mta: Box<dyn Mta>,
    /// The next hop.
    pub(crate) sink: Sink,
    home: TestDir,
    listens: Vec<Endpoint>,
}

impl House {
    /// Starts everything, Postern with this configuration.
    pub(crate) fn open(kind: Kind, transport: Transport, config: &str, extra: &Extra<'_>) -> Self {
        let sink = Sink::start();
        let mta: Box<dyn Mta> = match kind {
            Kind::Postfix => Box::new(Postfix::start(&sink, Some(transport), extra)),
            Kind::Sendmail => Box::new(Sendmail::start(&sink, Some(transport), extra)),
        };
        let home = Self::home();
        home.write("staff.txt", include_str!("staff.txt"));
        let listens = vec![mta.milter().expect("a milter").clone()];
        let mut house = Self { postern: None, mta, sink, home, listens };
        house.configure(config);
        house.start_postern();
        house
    }

    /// What the tests have started themselves.
    pub(crate) fn of(
        mta: Box<dyn Mta>,
        postern: Postern,
        sink: Sink,
        home: TestDir,
        listens: Vec<Endpoint>,
    ) -> Self {
        Self { postern: Some(postern), mta, sink, home, listens }
    }

    /// A directory for Postern, with one for its state.
    pub(crate) fn home() -> TestDir {
        let home = TestDir::new();
        make_dir(&home.join("state"), 0o755);
        home
    }

    /// Everything under the common configuration, over a unix socket.
    pub(crate) fn usual(kind: Kind) -> Self {
        Self::open(kind, Transport::Unix, CONFIG, &Extra::default())
    }

    /// Writes Postern's configuration, which is read at its next start or reload.
    pub(crate) fn configure(&self, config: &str) {
        let places = [
            ("DIR", self.dir().display().to_string()),
            ("LISTEN", self.listens[0].to_string()),
            ("MTA", self.mta.dir().display().to_string()),
        ];
        let places = places.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.write("postern.toml", &fill(config, &places));
    }

    /// Writes a file beside the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.home.write(name, text);
    }

    /// Starts Postern and waits until it listens.
    pub(crate) fn start_postern(&mut self) {
        self.postern = Some(Postern::start(self.dir(), &self.listens));
    }

    /// The running Postern.
    pub(crate) fn postern(&self) -> &Postern {
        self.postern.as_ref().expect("Postern runs")
    }

    /// Runs a command of Postern's on the configuration: its exit code, and what it prints on both outputs.
    pub(crate) fn command(&self, arguments: &str) -> (i32, String) {
        command(&self.home, arguments)
    }

    /// The same for a command that is to succeed.
    pub(crate) fn does(&self, arguments: &str) -> String {
        let (code, said) = self.command(arguments);
        assert_eq!(code, 0, "postern {arguments}:\n{said}\n{}", self.logs());
        said
    }

    /// A session that has said EHLO.
    pub(crate) fn session(&self, source: &str) -> Smtp {
        let source: IpAddr = source.parse().expect("an address");
        let mut smtp = self.mta.session(source);
        smtp.command("EHLO client.example");
        smtp
    }

    /// A session that has said EHLO, through a proxy that Postfix trusts: the client may have any address.
    pub(crate) fn proxied(&self, client: IpAddr) -> Smtp {
        let dialogue = proxied("", client);
        let mut smtp = self.mta.session(dialogue.client);
        for line in &dialogue.before {
            smtp.command(line);
        }
        smtp
    }

    /// Waits until the mail server has passed on, or put on hold, all that it took.
    pub(crate) fn settle(&self) -> Result<(), String> {
        found_within(SOON, || self.mta.waiting().is_empty().then_some(()))
            .ok_or_else(|| format!("messages stay in the queue: {:?}", self.mta.waiting()))
    }

    /// What both servers wrote last, for the report of a failure.
    pub(crate) fn logs(&self) -> String {
        let postern = self.postern.as_ref().map(Postern::log).unwrap_or_default();
        format!("  {}:\n    {}\n  Postern:\n    {}\n", self.mta.name(), tail(&self.mta.log()), tail(&postern))
    }

    fn dir(&self) -> &Path {
        self.home.path()
    }
}

/// Runs a command of Postern's on the configuration in this directory: its exit code, and what it prints on both outputs.
fn command(home: &TestDir, arguments: &str) -> (i32, String) {
    let output = output(home, arguments);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

/// Runs a command of Postern's on the configuration in this directory.
pub(crate) fn output(home: &TestDir, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(arguments.split_whitespace())
        .arg("--config")
        .arg(home.join("postern.toml"))
        .stdin(Stdio::null())
        .output()
        .expect("postern runs")
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.len().saturating_sub(15);
    lines[first..].join("\n    ")
}
