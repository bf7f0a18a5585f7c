// SPDX-License-Identifier: GPL-3.0-or-later
//! The state machine of one milter session: a packet in, what is answered out. No I/O.
//!
//! Which packet may follow which is libmilter's order, with freedoms that real MTAs need: more recipients may come after
//! a DATA that another milter refused, a message may end without headers or their end, and an unknown SMTP command
//! changes nothing. A packet out of order ends the message under way, and is then taken as the first of a new one if it
//! can be, and else passed over. `tests/milter/libmilter.rs` holds this against libmilter itself.

use super::DECISION_LIMIT;
use super::answer;
use super::facts;
use super::macros::Macros;
use super::steering::Mta;
use super::terms::{Needs, Terms};
use super::transaction::{Admitted, Transaction};
use crate::gate::{Case, Event, Judge, Recalled, Ruling, SessionId};
use crate::mail::{self, CertificateFingerprints, QueueId, Recipient, ReversePath};
use crate::policy::Policy;
use bytes::Bytes;
use indymilter::MacroStage;
use indymilter::message::Message as Packet;
use indymilter::message::command::{CommandKind, OptNegPayload};
use indymilter::message::reply::ReplyKind;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout;

/// What comes after a packet.
#[derive(Debug)]
pub enum Flow {
    /// The next packet.
    Continue,
    /// A recipient has to be decided about first, which may take time.
    Decide(Recipient),
    /// The message has to be decided about first, which may take time.
    Finish,
    /// The end: the MTA has said goodbye.
    Close,
}

/// The peer does not speak the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Garbage {
    /// The first packet was no negotiation.
    #[error("the session did not begin with option negotiation")]
    NoNegotiation,
    /// Nothing can be agreed on.
    #[error("the protocol version is too old")]
    Version,
    /// No such command.
    #[error("unknown command {0:#04x}")]
    Command(u8),
    /// A packet ends too soon.
    #[error("a packet is too short")]
    Short,
    /// A string has no end.
    #[error("a string in a packet has no end")]
    Unterminated,
    /// No such address family.
    #[error("unknown address family")]
    Family,
    /// A packet is longer than any MTA sends.
    #[error("a packet is too long")]
    TooLong,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Opened,
    Negotiated,
    Connected,
    Greeted,
    Mail,
    Rcpt,
    Data,
    Headers,
    Body,
    Ended,
}

impl Stage {
    fn allows(self, kind: CommandKind) -> bool {
        use CommandKind as K;
        match kind {
            K::OptNeg => self == Self::Opened,
            K::ConnInfo => self == Self::Negotiated,
            K::Helo | K::Mail => {
                matches!(self, Self::Negotiated | Self::Connected | Self::Greeted | Self::Ended)
            }
            K::Rcpt => matches!(self, Self::Mail | Self::Rcpt | Self::Data),
            K::Data => self == Self::Rcpt,
            K::Header | K::Eoh => matches!(self, Self::Rcpt | Self::Data | Self::Headers),
            K::BodyChunk | K::BodyEnd => matches!(self, Self::Rcpt | Self::Data | Self::Headers | Self::Body),
            K::Unknown => self != Self::Opened,
            K::DefMacros | K::Abort | K::Quit | K::QuitNc => true,
        }
    }

    fn after(self, kind: CommandKind) -> Self {
        use CommandKind as K;
        match kind {
            K::OptNeg | K::QuitNc => Self::Negotiated,
            K::ConnInfo => Self::Connected,
            K::Helo => Self::Greeted,
            K::Mail => Self::Mail,
            K::Rcpt => Self::Rcpt,
            K::Data => Self::Data,
            K::Header => Self::Headers,
            K::Eoh | K::BodyChunk => Self::Body,
            K::BodyEnd => Self::Ended,
            K::Abort if self.in_message() => Self::Ended,
            K::Abort | K::DefMacros | K::Unknown | K::Quit => self,
        }
    }

    fn in_message(self) -> bool {
        match self {
            Self::Mail | Self::Rcpt | Self::Data | Self::Headers | Self::Body => true,
            Self::Opened | Self::Negotiated | Self::Connected | Self::Greeted | Self::Ended => false,
        }
    }
}

/// One session of an MTA with us. It keeps the policy that it began with.
#[derive(Debug)]
pub struct Session<J> {
    judge: Arc<J>,
    policy: Arc<Policy>,
    id: SessionId,
    began: Instant,
    terms: Option<Terms>,
    stage: Stage,
    macros: Macros,
    mta: Mta,
    facts: mail::Session,
    transaction: Transaction,
}

impl<J: Judge> Session<J> {
    /// A session that begins now.
    pub fn new(judge: Arc<J>) -> Self {
        Self {
            policy: judge.policy(),
            id: judge.session_id(),
            began: Instant::now(),
            judge,
            terms: None,
            stage: Stage::Opened,
            macros: Macros::default(),
            mta: Mta::default(),
            facts: mail::Session::default(),
            transaction: Transaction::default(),
        }
    }

    /// Its name in the log.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whether the MTA has negotiated.
    pub fn is_open(&self) -> bool {
        self.terms.is_some()
    }

    /// Whether no message is under way, so that closing loses nothing but an SMTP session's patience.
    pub fn is_idle(&self) -> bool {
        !self.stage.in_message()
    }

    /// Takes in one packet and puts into `out` what is answered.
    pub fn step(&mut self, letter: u8, payload: &[u8], out: &mut Vec<Packet>) -> Result<Flow, Garbage> {
        let kind = CommandKind::try_from(letter).map_err(|_| Garbage::Command(letter))?;
        if self.stage == Stage::Opened && !matches!(kind, CommandKind::OptNeg | CommandKind::Quit) {
            return Err(Garbage::NoNegotiation);
        }
        if !self.stage.allows(kind) {
            self.end_message();
            self.stage = Stage::Ended;
            if !self.stage.allows(kind) {
                return Ok(Flow::Continue);
            }
        }
        self.stage = self.stage.after(kind);
        match kind {
            CommandKind::OptNeg => out.push(self.negotiate(payload)?),
            CommandKind::DefMacros => self.macros.define(payload),
            CommandKind::ConnInfo => self.connected(payload)?,
            CommandKind::Helo => self.greeted(payload)?,
            CommandKind::Mail => self.begin_message(payload)?,
            CommandKind::Rcpt => return Ok(Flow::Decide(self.recipient(payload)?)),
            CommandKind::Header => self.header(payload)?,
            CommandKind::BodyEnd => return Ok(Flow::Finish),
            CommandKind::Abort => self.end_message(),
            CommandKind::QuitNc => self.reset(),
            CommandKind::Quit => return Ok(Flow::Close),
            CommandKind::Data | CommandKind::Eoh | CommandKind::BodyChunk | CommandKind::Unknown => {}
        }
        if let Some(answer) = self.standing_answer(kind) {
            out.push(answer);
        }
        Ok(Flow::Continue)
    }

    /// The answer to commands that decide nothing, where the MTA waits for one.
    fn standing_answer(&self, kind: CommandKind) -> Option<Packet> {
        let terms = self.terms.as_ref()?;
        let decided = matches!(kind, CommandKind::Rcpt | CommandKind::BodyEnd);
        if decided || !terms.wants_answer(kind) {
            return None;
        }
        let skips = kind == CommandKind::BodyChunk && terms.can_skip();
        Some(answer::plain(if skips { ReplyKind::Skip } else { ReplyKind::Continue }))
    }

    fn negotiate(&mut self, payload: &[u8]) -> Result<Packet, Garbage> {
        let offer =
            OptNegPayload::parse_buffer(Bytes::copy_from_slice(payload)).map_err(|_| Garbage::Short)?;
        let terms = Terms::agree(&offer, Needs::of(&self.policy)).ok_or(Garbage::Version)?;
        let told = terms.to_message();
        self.terms = Some(terms);
        Ok(told)
    }

    fn connected(&mut self, payload: &[u8]) -> Result<(), Garbage> {
        let client = facts::client(payload)?;
        let mta_name = self.macros.text("j").map(Into::into);
        self.mta = Mta::of(self.macros.text("v"));
        self.facts = mail::Session { client, helo: None, mta_name };
        Ok(())
    }

    /// A second HELO comes after STARTTLS, and then tells of the client's certificate.
    fn greeted(&mut self, payload: &[u8]) -> Result<(), Garbage> {
        self.facts.helo = Some(facts::string(payload)?.0.into());
        self.facts.client.certificate = facts::certificate(&self.macros);
        self.facts.client.fingerprints = CertificateFingerprints::NotTold;
        // A HELO whose macros do not come must not be taken for the one before it.
        self.macros.end_stage(MacroStage::Helo);
        Ok(())
    }

    fn begin_message(&mut self, payload: &[u8]) -> Result<(), Garbage> {
        let (sender, _) = facts::string(payload)?;
        let queue_id = self.queue_id();
        let sender = Some(ReversePath::parse(sender));
        self.facts.client.login = facts::login(&self.macros);
        self.transaction = Transaction::begin(mail::Message { sender, queue_id, ..mail::Message::default() });
        Ok(())
    }

    fn recipient(&mut self, payload: &[u8]) -> Result<Recipient, Garbage> {
        let (argument, _) = facts::string(payload)?;
        let recipient =
            Recipient::new(argument, self.macros.find("rcpt_addr"), self.facts.mta_name.as_deref());
        if let Some(id) = self.queue_id() {
            self.transaction.facts.queue_id = Some(id);
        }
        // A recipient whose macros do not come must not be taken for the one before it.
        self.macros.end_stage(MacroStage::Rcpt);
        Ok(recipient)
    }

    /// Decides about a recipient, within [`DECISION_LIMIT`], and says what is answered. What policy delegation has decided
    /// about it just now stands.
    pub async fn decide(&mut self, recipient: &Recipient) -> Packet {
        let is_first = self.transaction.is_first();
        let Recalled { ruling, fingerprints } =
            self.judge.recall(&self.policy, self.case(), recipient, self.began);
        if let Some(ruling) = ruling {
            return self.admit(recipient, ruling);
        }
        if fingerprints != CertificateFingerprints::NotTold {
            self.facts.client.fingerprints = fingerprints;
        }
        let case = self.case();
        if is_first {
            self.judge.arrived(&self.policy, case);
        }
        let decision = self.judge.recipient(&self.policy, case, recipient);
        let ruling = timeout(DECISION_LIMIT, decision).await.unwrap_or_else(|_| {
            self.judge.count(Event::Overdue);
            self.judge.overdue(&self.policy, case, recipient)
        });
        self.admit(recipient, ruling)
    }

    fn case(&self) -> Case<'_> {
        let (session, message) = (&self.facts, &self.transaction.facts);
        Case { id: self.id, session, message, sees_headers: true }
    }

    fn admit(&mut self, recipient: &Recipient, ruling: Ruling) -> Packet {
        let Some(terms) = &self.terms else { return answer::plain(ReplyKind::Tempfail) };
        match self.transaction.admit(recipient, ruling, (terms, self.mta)) {
            Admitted::Yes => answer::plain(ReplyKind::Continue),
            Admitted::Refused(reply, reference) => answer::refusal(&reply, reference),
            Admitted::Parted(reply, reference) => {
                self.judge.count(Event::Parted);
                tracing::info!(session = %self.id, %recipient, %reply, r#ref = %reference, "parted");
                answer::refusal(&reply, reference)
            }
        }
    }

    fn header(&mut self, payload: &[u8]) -> Result<(), Garbage> {
        let (name, rest) = facts::string(payload)?;
        let (value, _) = facts::string(rest)?;
        self.transaction.facts.headers.note(name, value, self.policy.watch());
        Ok(())
    }

    /// Decides about the message, within [`DECISION_LIMIT`], and puts into `out` what is answered.
    pub async fn finish(&mut self, out: &mut Vec<Packet>) {
        if let Some(id) = self.queue_id() {
            self.transaction.facts.queue_id = Some(id);
        }
        let case = self.case();
        let recipients = self.transaction.decisions();
        let decision = self.judge.headers(&self.policy, case, &recipients);
        let by_headers = timeout(DECISION_LIMIT, decision).await.unwrap_or_else(|_| {
            self.judge.count(Event::Overdue);
            self.judge.overdue_headers(&self.policy, case, &recipients)
        });
        if let Some(terms) = &self.terms {
            let mta = (terms, self.mta);
            out.extend(self.transaction.finish(by_headers.as_ref(), &self.policy, mta, &*self.judge));
        }
        self.judge.count(Event::Message);
        self.end_message();
    }

    fn queue_id(&self) -> Option<QueueId> {
        QueueId::parse(self.macros.find("i")?)
    }

    fn end_message(&mut self) {
        self.transaction = Transaction::default();
        self.macros.end_message();
    }

    fn reset(&mut self) {
        self.transaction = Transaction::default();
        self.macros.clear();
        self.facts = mail::Session::default();
    }
}
