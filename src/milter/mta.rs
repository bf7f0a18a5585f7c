// SPDX-License-Identifier: GPL-3.0-or-later
//! The MTA's side of the protocol: drives a milter, any milter, command by command, and hands out every answer.
//!
//! It sends what the milter asked for and waits where the milter has said that it answers. `postern try --live` and the
//! tests are its users; it edits no message.

use indymilter::message::command::{Command, CommandKind, MacroPayload, OptNegPayload};
use indymilter::message::reply::Reply;
use indymilter::message::{self, PROTOCOL_VERSION, Version};
use indymilter::{Actions, MacroStage, ProtoOpts};
use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::{Duration, timeout};

/// How long an answer may take; Postfix waits as long (`milter_command_timeout`).
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Why a milter cannot be driven on.
#[derive(Debug, thiserror::Error)]
pub enum MtaError {
    /// The connection failed.
    #[error("the connection to the milter failed: {0}")]
    Io(#[from] io::Error),
    /// No answer in time.
    #[error("no answer from the milter within {} s", ANSWER_LIMIT.as_secs())]
    Silent,
    /// The milter closed the connection instead of answering.
    #[error("the milter closed the connection")]
    Closed,
    /// The answer is none of the protocol.
    #[error("the milter's answer cannot be read: {0}")]
    Answer(String),
    /// The answer to the negotiation was something else.
    #[error("the milter did not negotiate; it answered {0}")]
    NoNegotiation(String),
}

/// What the MTA offers a milter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offer {
    /// The protocol version.
    pub version: Version,
    /// Edits that the MTA carries out.
    pub actions: Actions,
    /// Protocol options that the MTA knows.
    pub options: ProtoOpts,
}

impl Offer {
    /// What Postfix 3.7 and Sendmail 8.17 offer: everything.
    pub fn current() -> Self {
        Self { version: PROTOCOL_VERSION, actions: Actions::all(), options: ProtoOpts::all() }
    }
}

/// One command and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Exchange {
    /// The milter had declined this stage; nothing was sent.
    Declined,
    /// It was sent, and the milter had said that it would not answer.
    Unanswered,
    /// The answers, the one that decides last.
    Answered(Vec<Reply>),
}

impl Exchange {
    /// The answer that decides, if there was one.
    pub fn last(&self) -> Option<&Reply> {
        match self {
            Self::Declined | Self::Unanswered => None,
            Self::Answered(replies) => replies.last(),
        }
    }
}

/// An MTA in conversation with a milter.
#[derive(Debug)]
pub struct Mta<S> {
    stream: BufReader<S>,
    version: Version,
    actions: Actions,
    options: ProtoOpts,
    macros: HashMap<MacroStage, CString>,
    answers: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Mta<S> {
    /// Negotiates.
    pub async fn open(stream: S, offer: Offer) -> Result<Self, MtaError> {
        let Offer { version, actions, options } = offer;
        let mut mta = Self {
            stream: BufReader::new(stream),
            version,
            actions,
            options,
            macros: HashMap::new(),
            answers: 0,
        };
        mta.write(Command::OptNeg(OptNegPayload { version, actions, opts: options })).await?;
        let reply = mta.read().await?;
        let Reply::OptNeg { version, actions, opts, macros } = reply else {
            return Err(MtaError::NoNegotiation(format!("{reply:?}")));
        };
        Ok(Self { version, actions, options: opts, macros, ..mta })
    }

    /// The version agreed on.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The edits that the milter asked for.
    pub fn actions(&self) -> Actions {
        self.actions
    }

    /// The options that the milter asked for.
    pub fn options(&self) -> ProtoOpts {
        self.options
    }

    /// The macros that the milter asked for at a stage, if it asked.
    pub fn macros_wanted(&self, stage: MacroStage) -> Option<&CString> {
        self.macros.get(&stage)
    }

    /// How many answers have come, the negotiation's included: the round trips that an MTA waits for.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// Defines macros for the command that comes next.
    pub async fn define(&mut self, stage: MacroStage, macros: &[(&str, &str)]) -> Result<(), MtaError> {
        let strings = macros.iter().flat_map(|(name, value)| [*name, *value]).map(c_string).collect();
        self.write(Command::DefMacros(MacroPayload { stage, macros: strings })).await
    }

    /// Sends a command, unless the milter has declined it, and collects its answers.
    pub async fn send(&mut self, command: Command) -> Result<Exchange, MtaError> {
        let (declined, silent) = flags(kind_of(&command));
        if self.options.intersects(declined) {
            return Ok(Exchange::Declined);
        }
        let never = matches!(
            kind_of(&command),
            CommandKind::Abort | CommandKind::Quit | CommandKind::QuitNc | CommandKind::DefMacros
        );
        let answers = !never && !self.options.intersects(silent);
        self.write(command).await?;
        if !answers {
            return Ok(Exchange::Unanswered);
        }
        let mut replies = Vec::new();
        loop {
            let reply = self.read().await?;
            let decides = decides(&reply);
            if reply != Reply::Progress {
                replies.push(reply);
            }
            if decides {
                return Ok(Exchange::Answered(replies));
            }
        }
    }

    async fn write(&mut self, command: Command) -> Result<(), MtaError> {
        let mut octets = Vec::new();
        message::write(&mut octets, command.into_message()).await?;
        self.stream.get_mut().write_all(&octets).await?;
        Ok(())
    }

    async fn read(&mut self) -> Result<Reply, MtaError> {
        let read =
            timeout(ANSWER_LIMIT, message::read(&mut self.stream)).await.map_err(|_| MtaError::Silent)?;
        let packet = read.map_err(|error| {
            let closed = error.kind() == io::ErrorKind::UnexpectedEof;
            if closed { MtaError::Closed } else { MtaError::Io(error) }
        })?;
        let reply = Reply::parse_reply(packet).map_err(|error| MtaError::Answer(error.to_string()))?;
        if decides(&reply) {
            self.answers += 1;
        }
        Ok(reply)
    }
}

/// A string for the wire; what follows a NUL is cut off, as an MTA would.
pub(crate) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

fn decides(reply: &Reply) -> bool {
    match reply {
        Reply::OptNeg { .. }
        | Reply::Accept
        | Reply::Continue
        | Reply::Discard
        | Reply::Reject
        | Reply::Skip
        | Reply::Tempfail
        | Reply::ReplyCode { .. } => true,
        Reply::AddRcpt { .. }
        | Reply::DeleteRcpt { .. }
        | Reply::AddRcptExt { .. }
        | Reply::ReplaceBody { .. }
        | Reply::ChangeSender { .. }
        | Reply::AddHeader { .. }
        | Reply::InsertHeader { .. }
        | Reply::ChangeHeader { .. }
        | Reply::Progress
        | Reply::Quarantine { .. } => false,
    }
}

fn kind_of(command: &Command) -> CommandKind {
    match command {
        Command::Abort => CommandKind::Abort,
        Command::BodyChunk(_) => CommandKind::BodyChunk,
        Command::ConnInfo(_) => CommandKind::ConnInfo,
        Command::DefMacros(_) => CommandKind::DefMacros,
        Command::BodyEnd(_) => CommandKind::BodyEnd,
        Command::Helo(_) => CommandKind::Helo,
        Command::QuitNc => CommandKind::QuitNc,
        Command::Header(_) => CommandKind::Header,
        Command::Mail(_) => CommandKind::Mail,
        Command::Eoh => CommandKind::Eoh,
        Command::OptNeg(_) => CommandKind::OptNeg,
        Command::Quit => CommandKind::Quit,
        Command::Rcpt(_) => CommandKind::Rcpt,
        Command::Data => CommandKind::Data,
        Command::Unknown(_) => CommandKind::Unknown,
    }
}

/// The options by which a milter declines a stage, and by which it stays silent at it.
fn flags(kind: CommandKind) -> (ProtoOpts, ProtoOpts) {
    match kind {
        CommandKind::ConnInfo => (ProtoOpts::NO_CONNECT, ProtoOpts::NOREPLY_CONNECT),
        CommandKind::Helo => (ProtoOpts::NO_HELO, ProtoOpts::NOREPLY_HELO),
        CommandKind::Mail => (ProtoOpts::NO_MAIL, ProtoOpts::NOREPLY_MAIL),
        CommandKind::Rcpt => (ProtoOpts::NO_RCPT, ProtoOpts::NOREPLY_RCPT),
        CommandKind::Data => (ProtoOpts::NO_DATA, ProtoOpts::NOREPLY_DATA),
        CommandKind::Header => (ProtoOpts::NO_HEADER, ProtoOpts::NOREPLY_HEADER),
        CommandKind::Eoh => (ProtoOpts::NO_EOH, ProtoOpts::NOREPLY_EOH),
        CommandKind::BodyChunk => (ProtoOpts::NO_BODY, ProtoOpts::NOREPLY_BODY),
        CommandKind::Unknown => (ProtoOpts::NO_UNKNOWN, ProtoOpts::NOREPLY_UNKNOWN),
        CommandKind::OptNeg
        | CommandKind::DefMacros
        | CommandKind::Abort
        | CommandKind::BodyEnd
        | CommandKind::Quit
        | CommandKind::QuitNc => (ProtoOpts::empty(), ProtoOpts::empty()),
    }
}
