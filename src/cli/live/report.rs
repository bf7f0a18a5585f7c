// SPDX-License-Identifier: GPL-3.0-or-later
//! A conversation with a milter as text for people and as JSON for programs.

use super::Endpoint;
use super::talk::{Agreed, Fate, Transcript, Turn, reply_text};
use crate::cli::output::{Mood, Page};
use crate::mail::Escaped;
use crate::milter::Exchange;
use indymilter::MacroStage;
use indymilter::message::reply::Reply;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::CString;

/// Where answers begin beside what was sent.
const COLUMN: usize = 40;
/// Most of a header line that is shown.
const SHOWN: usize = 35;

impl Transcript {
    /// Everything for people. Where the conversation broke off, it ends with what was sent last.
    pub(super) fn show(&self, server: &Endpoint, page: &mut Page) {
        page.entry(0, "server", 11, &server.to_string());
        if let Some(agreed) = &self.agreed {
            agreed.show(page);
        }
        page.gap();
        for turn in &self.turns {
            turn.show(page);
        }
        if let Some((stage, sent)) = &self.waiting {
            page.entry(0, &label(stage, sent), COLUMN, "");
            return;
        }
        page.gap();
        for (address, fate) in &self.recipients {
            let Some(fate) = fate else { continue };
            let mood = match fate {
                Fate::Accepted => Mood::Good,
                Fate::Held => Mood::Doubtful,
                Fate::Refused(_) | Fate::Discarded => Mood::Bad,
            };
            let address = Escaped(address.as_str().as_bytes()).to_string();
            page.entry_in(mood, 0, &address, COLUMN, fate.as_str());
        }
    }

    /// Everything for programs.
    pub(super) fn to_json(&self, server: &Endpoint, error: Option<String>) -> TranscriptJson {
        let recipients = self.recipients.iter().map(|(address, fate)| RecipientJson {
            recipient: address.as_str().to_owned(),
            outcome: fate.as_ref().map(Fate::as_str),
            reply: match fate {
                Some(Fate::Refused(reply)) => Some(reply.clone()),
                Some(Fate::Accepted | Fate::Held | Fate::Discarded) | None => None,
            },
        });
        let exchanges = self.turns.iter().map(|turn| ExchangeJson {
            stage: turn.stage,
            sent: turn.sent.clone(),
            answers: match &turn.exchange {
                Exchange::Answered(replies) => replies.iter().map(plain_answer).collect(),
                Exchange::Declined | Exchange::Unanswered => Vec::new(),
            },
            asked_for: turn.exchange != Exchange::Declined,
        });
        TranscriptJson {
            server: server.to_string(),
            negotiation: self.agreed.as_ref().map(Agreed::to_json),
            exchanges: exchanges.collect(),
            recipients: recipients.collect(),
            error,
        }
    }
}

impl Agreed {
    fn show(&self, page: &mut Page) {
        let or_none =
            |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        page.entry(0, "version", 11, &self.version.to_string());
        page.entry(0, "actions", 11, &or_none(self.action_names()));
        page.entry(0, "options", 11, &or_none(self.option_names()));
        for (at, (stage, names)) in self.macros.iter().enumerate() {
            let label = if at == 0 { "macros" } else { "" };
            page.entry(0, label, 11, &format!("{}: {}", stage_name(*stage), escaped(names)));
        }
    }

    fn action_names(&self) -> Vec<String> {
        self.actions.iter_names().map(|(name, _)| spoken(name)).collect()
    }

    fn option_names(&self) -> Vec<String> {
        self.options.iter_names().map(|(name, _)| spoken(name)).collect()
    }

    fn to_json(&self) -> AgreedJson {
        let macros = self.macros.iter().map(|(stage, names)| (stage_name(*stage), escaped(names)));
        AgreedJson {
            version: self.version,
            actions: self.action_names(),
            options: self.option_names(),
            macros: macros.collect(),
        }
    }
}

impl Turn {
    fn show(&self, page: &mut Page) {
        let mut label = label(self.stage, &self.sent);
        let answers = match &self.exchange {
            Exchange::Declined => vec!["not asked for".to_owned()],
            Exchange::Unanswered => vec!["no answer, as agreed".to_owned()],
            Exchange::Answered(replies) => replies.iter().flat_map(answer_lines).collect(),
        };
        for answer in answers {
            page.entry(0, &label, COLUMN, &answer);
            label.clear();
        }
    }
}

/// What was sent, in short.
fn label(stage: &str, sent: &str) -> String {
    let shown = if stage == "header" { SHOWN } else { usize::MAX };
    let mut label: String = format!("{stage} {sent}").trim_end().to_owned();
    if let Some((at, _)) = label.char_indices().nth(shown) {
        label.replace_range(at.., "...");
    }
    label
}

impl Fate {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused(_) => "refused",
            Self::Held => "held",
            Self::Discarded => "discarded",
        }
    }
}

/// An answer for people: a reply of several lines takes as many.
fn answer_lines(reply: &Reply) -> Vec<String> {
    match reply {
        Reply::ReplyCode { reply } => {
            let text = reply_text(reply);
            text.lines().map(|line| Escaped(line.as_bytes()).to_string()).collect()
        }
        Reply::OptNeg { .. }
        | Reply::Accept
        | Reply::Continue
        | Reply::Discard
        | Reply::Progress
        | Reply::Reject
        | Reply::Skip
        | Reply::Tempfail
        | Reply::AddRcpt { .. }
        | Reply::DeleteRcpt { .. }
        | Reply::AddRcptExt { .. }
        | Reply::ReplaceBody { .. }
        | Reply::ChangeSender { .. }
        | Reply::AddHeader { .. }
        | Reply::InsertHeader { .. }
        | Reply::ChangeHeader { .. }
        | Reply::Quarantine { .. } => vec![plain_answer(reply)],
    }
}

fn plain_answer(reply: &Reply) -> String {
    match reply {
        Reply::OptNeg { .. } => "negotiation".to_owned(),
        Reply::Accept => "accept".to_owned(),
        Reply::Continue => "continue".to_owned(),
        Reply::Discard => "discard".to_owned(),
        Reply::Progress => "progress".to_owned(),
        Reply::Reject => "reject".to_owned(),
        Reply::Skip => "skip".to_owned(),
        Reply::Tempfail => "tempfail".to_owned(),
        Reply::ReplyCode { reply } => reply_text(reply),
        Reply::AddRcpt { rcpt } | Reply::AddRcptExt { rcpt, args: None } => {
            format!("add recipient {}", escaped(rcpt))
        }
        Reply::AddRcptExt { rcpt, args: Some(args) } => {
            format!("add recipient {} {}", escaped(rcpt), escaped(args))
        }
        Reply::DeleteRcpt { rcpt } => format!("remove recipient {}", escaped(rcpt)),
        Reply::ReplaceBody { chunk } => format!("replace body, {} octets", chunk.len()),
        Reply::ChangeSender { mail, args: None } => format!("change sender to {}", escaped(mail)),
        Reply::ChangeSender { mail, args: Some(args) } => {
            format!("change sender to {} {}", escaped(mail), escaped(args))
        }
        Reply::AddHeader { name, value } => format!("add {}: {}", escaped(name), escaped(value)),
        Reply::InsertHeader { index, name, value } => {
            format!("insert at {index} {}: {}", escaped(name), escaped(value))
        }
        Reply::ChangeHeader { name, index, value } if value.is_empty() => {
            format!("remove {}, line {index} of that name", escaped(name))
        }
        Reply::ChangeHeader { name, index, value } => {
            format!("change {}, line {index} of that name, to {}", escaped(name), escaped(value))
        }
        Reply::Quarantine { reason } => format!("hold: {}", escaped(reason)),
    }
}

fn escaped(text: &CString) -> String {
    Escaped(text.as_bytes()).to_string()
}

/// `NO_CONNECT` as `no-connect`.
fn spoken(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

fn stage_name(stage: MacroStage) -> &'static str {
    match stage {
        MacroStage::Connect => "connect",
        MacroStage::Helo => "helo",
        MacroStage::Mail => "mail",
        MacroStage::Rcpt => "rcpt",
        MacroStage::Data => "data",
        MacroStage::Eoh => "end of headers",
        MacroStage::Eom => "end of message",
    }
}

/// A conversation.
#[derive(Serialize)]
pub(super) struct TranscriptJson {
    server: String,
    negotiation: Option<AgreedJson>,
    exchanges: Vec<ExchangeJson>,
    recipients: Vec<RecipientJson>,
    /// Why the conversation broke off, if it did.
    error: Option<String>,
}

#[derive(Serialize)]
struct AgreedJson {
    version: u32,
    actions: Vec<String>,
    options: Vec<String>,
    macros: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct ExchangeJson {
    stage: &'static str,
    sent: String,
    /// Whether the milter wants this packet at all.
    asked_for: bool,
    /// Empty where the milter had said that it does not answer.
    answers: Vec<String>,
}

#[derive(Serialize)]
struct RecipientJson {
    recipient: String,
    /// Nothing when the conversation broke off.
    outcome: Option<&'static str>,
    reply: Option<String>,
}
