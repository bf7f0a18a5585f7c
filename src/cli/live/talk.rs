// SPDX-License-Identifier: GPL-3.0-or-later
//! The conversation: one message put to a milter, stage by stage, and what each answer means for the message.
//!
//! Answers mean what they mean to Postfix (`src/smtpd/smtpd.c`, `src/milter/milter8.c`): a refusal at connect or HELO
//! refuses everything, one at MAIL or after the recipients the message, one at RCPT its recipient; `accept` ends
//! filtering and lets all that follows pass; `discard` is passed over at connect and HELO.

use super::macros::Macros;
use crate::cli::question::{Address, Question};
use crate::mail::Escaped;
use crate::milter::{Exchange, Mta, MtaError};
use bytes::Bytes;
use indymilter::message::command::{Command, ConnInfoPayload, EnvAddrPayload, HeaderPayload, HeloPayload};
use indymilter::message::reply::Reply;
use indymilter::{Actions, MacroStage, ProtoOpts, SocketInfo};
use std::ffi::CString;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};

/// Octets of a body that are sent at once (`MILTER_CHUNK_SIZE`).
const CHUNK: usize = 65_535;
/// The body of a message that was made up.
const BODY: &[u8] = b"A message that was made up by postern try.\r\n";

/// What was agreed on at the beginning.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) version: u32,
    pub(super) actions: Actions,
    pub(super) options: ProtoOpts,
    pub(super) macros: Vec<(MacroStage, CString)>,
}

/// One packet and what came of it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) stage: &'static str,
    /// In short, safe to print.
    pub(super) sent: String,
    pub(super) exchange: Exchange,
}

/// What becomes of the message for one recipient.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    Accepted,
    Refused(String),
    Held,
    Discarded,
}

/// Everything that was said.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) agreed: Option<Agreed>,
    pub(super) turns: Vec<Turn>,
    /// What was sent last, while no answer has come; safe to print.
    pub(super) waiting: Option<(&'static str, String)>,
    /// The recipients in their order; without a fate as long as the message is under way.
    pub(super) recipients: Vec<(Address, Option<Fate>)>,
}

impl Transcript {
    pub(super) fn new(question: &Question) -> Self {
        let recipients = question.recipients.iter().map(|address| (address.clone(), None)).collect();
        Self { agreed: None, turns: Vec::new(), waiting: None, recipients }
    }

    /// Whether there is anything to tell.
    pub(super) fn has_begun(&self) -> bool {
        self.agreed.is_some()
    }

    /// Whether the message passes for all recipients.
    pub(super) fn passes(&self) -> bool {
        self.recipients.iter().all(|(_, fate)| *fate == Some(Fate::Accepted))
    }

    fn settle(&mut self, fate: &Fate) {
        for (_, open) in self.recipients.iter_mut().filter(|(_, known)| known.is_none()) {
            *open = Some(fate.clone());
        }
    }
}

/// What an answer asks for.
enum Wish {
    GoOn,
    Skip,
    End(Fate),
}

/// An MTA that hands over one message.
#[derive(Debug)]
pub(super) struct Talk<'a, S> {
    mta: Mta<S>,
    question: &'a Question,
    bare: bool,
    macros: Macros<'a>,
    transcript: &'a mut Transcript,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'a, S> {
    pub(super) fn begin(
        mta: Mta<S>,
        question: &'a Question,
        bare: bool,
        transcript: &'a mut Transcript,
    ) -> Self {
        use MacroStage::{Connect, Data, Eoh, Eom, Helo, Mail, Rcpt};
        let stages = [Connect, Helo, Mail, Rcpt, Data, Eoh, Eom];
        let macros = stages.iter().filter_map(|&stage| Some((stage, mta.macros_wanted(stage)?.clone())));
        transcript.agreed = Some(Agreed {
            version: mta.version(),
            actions: mta.actions(),
            options: mta.options(),
            macros: macros.collect(),
        });
        Self { mta, question, bare, macros: Macros::new(question), transcript }
    }

    /// The whole conversation.
    pub(super) async fn hold(mut self) -> Result<(), MtaError> {
        if let Some(fate) = self.message().await? {
            self.transcript.settle(&fate);
        }
        // The milter may have hung up by itself; nobody waits for an answer to these.
        let _ = self.mta.send(Command::Abort).await;
        let _ = self.mta.send(Command::Quit).await;
        Ok(())
    }

    /// What becomes of those recipients that were not refused; nothing when all were.
    async fn message(&mut self) -> Result<Option<Fate>, MtaError> {
        if let Some(fate) = self.envelope().await? {
            return Ok(Some(fate));
        }
        if self.transcript.recipients.iter().all(|(_, fate)| fate.is_some()) {
            return Ok(None);
        }
        if let Some(fate) = self.content().await? {
            return Ok(Some(fate));
        }
        self.end().await.map(Some)
    }

    /// Up to the last recipient; a fate when the milter decided about all of them.
    async fn envelope(&mut self) -> Result<Option<Fate>, MtaError> {
        let question = self.question;
        let address = question.client.to_string();
        let socket_info = match question.client.0 {
            Some(ip) => SocketInfo::Inet(SocketAddr::new(ip, 0)),
            None => SocketInfo::Unknown,
        };
        let hostname = string(&format!("[{address}]"));
        let connect = Command::ConnInfo(ConnInfoPayload { hostname, socket_info });
        self.define(MacroStage::Connect, false, None).await?;
        if let Wish::End(fate) = self.send("connect", &address, connect).await? {
            return Ok(Some(fate));
        }
        let name = question.helo.as_deref().unwrap_or("postern-try.invalid");
        let helo = Command::Helo(HeloPayload { hostname: string(name) });
        self.define(MacroStage::Helo, false, None).await?;
        if let Wish::End(fate) = self.send("helo", name, helo).await? {
            return Ok(Some(fate));
        }
        let sender = question.sender.in_brackets();
        let mail = Command::Mail(EnvAddrPayload { args: vec![string(&sender)] });
        self.define(MacroStage::Mail, false, None).await?;
        if let Wish::End(fate) = self.send("mail", &sender, mail).await? {
            return Ok(Some(fate));
        }
        // Postfix has a queue id once a recipient was accepted.
        let mut queued = false;
        for (at, address) in question.recipients.iter().enumerate() {
            let argument = address.in_brackets();
            let rcpt = Command::Rcpt(EnvAddrPayload { args: vec![string(&argument)] });
            self.define(MacroStage::Rcpt, queued, Some(address)).await?;
            match self.send("rcpt", &argument, rcpt).await? {
                Wish::GoOn | Wish::Skip => queued = true,
                Wish::End(fate @ Fate::Refused(_)) => self.transcript.recipients[at].1 = Some(fate),
                Wish::End(fate) => return Ok(Some(fate)),
            }
        }
        Ok(None)
    }

    /// From DATA to the end of the body.
    async fn content(&mut self) -> Result<Option<Fate>, MtaError> {
        self.define(MacroStage::Data, true, None).await?;
        if let Wish::End(fate) = self.send("data", "", Command::Data).await? {
            return Ok(Some(fate));
        }
        for (name, value) in self.headers() {
            let shown = [name.as_bytes(), b": ", value.as_bytes().trim_ascii_start()].concat();
            let header = Command::Header(HeaderPayload { name, value });
            if let Wish::End(fate) = self.send("header", &shown, header).await? {
                return Ok(Some(fate));
            }
        }
        if !self.mta.options().contains(ProtoOpts::NO_EOH) {
            self.define(MacroStage::Eoh, true, None).await?;
        }
        if let Wish::End(fate) = self.send("end of headers", "", Command::Eoh).await? {
            return Ok(Some(fate));
        }
        let body = if self.bare { Bytes::from_static(BODY) } else { crlf(&self.question.content.body) };
        for chunk in body.chunks(CHUNK) {
            let shown = format!("{} octets", chunk.len());
            match self.send("body", &shown, Command::BodyChunk(body.slice_ref(chunk))).await? {
                Wish::GoOn => {}
                Wish::Skip => break,
                Wish::End(fate) => return Ok(Some(fate)),
            }
        }
        Ok(None)
    }

    /// The end of the message, with the edits that come before its answer.
    async fn end(&mut self) -> Result<Fate, MtaError> {
        self.define(MacroStage::Eom, true, None).await?;
        let wish = self.send("end of message", "", Command::BodyEnd(Bytes::new())).await?;
        if let Wish::End(fate @ (Fate::Refused(_) | Fate::Discarded)) = wish {
            return Ok(fate);
        }
        let mut fate = Fate::Accepted;
        let Some(Turn { exchange: Exchange::Answered(edits), .. }) = self.transcript.turns.last() else {
            return Ok(fate);
        };
        for edit in edits {
            if let Reply::Quarantine { .. } = edit {
                fate = Fate::Held;
            }
            if let Reply::DeleteRcpt { rcpt } = edit {
                let named = |address: &Address| {
                    [address.as_str(), &address.in_brackets()].iter().any(|a| a.as_bytes() == rcpt.as_bytes())
                };
                let open = self.transcript.recipients.iter_mut().filter(|(_, fate)| fate.is_none());
                open.filter(|(address, _)| named(address))
                    .for_each(|(_, fate)| *fate = Some(Fate::Discarded));
            }
        }
        Ok(fate)
    }

    /// Header names and values as this milter wants them.
    fn headers(&self) -> Vec<(CString, CString)> {
        let keep_blanks = self.mta.options().contains(ProtoOpts::LEADING_SPACE);
        let given = &self.question.content.headers;
        let mut lines: Vec<(CString, CString)> = Vec::new();
        for line in given {
            let value = line.value.as_slice();
            let value = if keep_blanks { value } else { value.trim_ascii_start() };
            lines.push((octets(&line.name), octets(value)));
        }
        if self.bare {
            let to: Vec<String> = self.question.recipients.iter().map(Address::in_brackets).collect();
            let sender = &self.question.sender;
            // A notification has a null sender and an author all the same (RFC 5321 4.5.5, RFC 5322 3.6.2).
            let from = if sender.is_null() { "<MAILER-DAEMON>".to_owned() } else { sender.in_brackets() };
            for (name, value) in
                [("From", from), ("To", to.join(", ")), ("Subject", "postern try".to_owned())]
            {
                if !given.iter().any(|line| line.name.eq_ignore_ascii_case(name.as_bytes())) {
                    let blank = if keep_blanks { " " } else { "" };
                    lines.push((string(name), string(&format!("{blank}{value}"))));
                }
            }
        }
        lines
    }

    async fn define(
        &mut self,
        stage: MacroStage,
        queued: bool,
        recipient: Option<&Address>,
    ) -> Result<(), MtaError> {
        let macros = self.macros.at(stage, self.mta.macros_wanted(stage), queued, recipient);
        let macros: Vec<(&str, &str)> = macros.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.mta.define(stage, &macros).await
    }

    async fn send(
        &mut self,
        stage: &'static str,
        sent: impl AsRef<[u8]>,
        command: Command,
    ) -> Result<Wish, MtaError> {
        let sent = Escaped(sent.as_ref()).to_string();
        self.transcript.waiting = Some((stage, sent.clone()));
        let exchange = self.mta.send(command).await?;
        self.transcript.waiting = None;
        let wish = match exchange.last() {
            None => Wish::GoOn,
            Some(reply) => wish(reply)?,
        };
        self.transcript.turns.push(Turn { stage, sent, exchange });
        let ignored = matches!(stage, "connect" | "helo") && matches!(wish, Wish::End(Fate::Discarded));
        Ok(if ignored { Wish::GoOn } else { wish })
    }
}

fn wish(reply: &Reply) -> Result<Wish, MtaError> {
    Ok(match reply {
        Reply::Continue => Wish::GoOn,
        Reply::Skip => Wish::Skip,
        Reply::Accept => Wish::End(Fate::Accepted),
        Reply::Discard => Wish::End(Fate::Discarded),
        Reply::Reject => Wish::End(Fate::Refused("550 5.7.1 Command rejected".to_owned())),
        Reply::Tempfail => {
            Wish::End(Fate::Refused("451 4.7.1 Service unavailable - try again later".to_owned()))
        }
        Reply::ReplyCode { reply } => Wish::End(Fate::Refused(reply_text(reply))),
        Reply::OptNeg { .. }
        | Reply::AddRcpt { .. }
        | Reply::DeleteRcpt { .. }
        | Reply::AddRcptExt { .. }
        | Reply::ReplaceBody { .. }
        | Reply::ChangeSender { .. }
        | Reply::AddHeader { .. }
        | Reply::InsertHeader { .. }
        | Reply::ChangeHeader { .. }
        | Reply::Progress
        | Reply::Quarantine { .. } => return Err(MtaError::Answer(format!("{reply:?} is no answer here"))),
    })
}

/// A reply as the client would see it: percent signs come doubled.
pub(super) fn reply_text(reply: &CString) -> String {
    reply.to_string_lossy().replace("%%", "%")
}

/// Line ends as MTAs send them.
fn crlf(body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + body.len() / 32);
    for line in body.split_inclusive(|&b| b == b'\n') {
        match line {
            [.., b'\r', b'\n'] => out.extend_from_slice(line),
            [text @ .., b'\n'] | text => out.extend([text, b"\r\n"].concat()),
        }
    }
    out.into()
}

fn string(text: &str) -> CString {
    octets(text.as_bytes())
}

/// Octets for the wire; what follows a NUL is cut off, as an MTA would.
fn octets(octets: &[u8]) -> CString {
    let end = octets.iter().position(|&b| b == 0).unwrap_or(octets.len());
    CString::new(&octets[..end]).unwrap_or_default()
}
