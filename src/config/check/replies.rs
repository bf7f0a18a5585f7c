// SPDX-License-Identifier: GPL-3.0-or-later
//! `[reply.REASON]` and `[domain.X.reply.REASON]`.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::table::Table;
use crate::config::wording::quoted;
use crate::mail::{EnhancedCode, ReplyClass, ReplyError, ReplyText};
use crate::policy::{Reason, Replies};

/// The parts of one reply that somebody wrote.
#[derive(Clone, Default)]
struct Parts<'a> {
    code: Option<(u16, &'a Placed<i64>)>,
    enhanced: Option<(EnhancedCode, &'a Placed<String>)>,
    text: Option<ReplyText>,
}

/// Every reason that has a reply, with what the file says of it.
fn by_reason(table: &file::Replies) -> [(Reason, Option<&Table<file::Reply>>); 6] {
    let file::Replies {
        source_not_gateway,
        recipient_unknown,
        loop_detected,
        too_many_hops,
        not_our_domain,
        not_ready,
    } = table;
    [
        (Reason::SourceNotGateway, source_not_gateway.as_ref()),
        (Reason::RecipientUnknown, recipient_unknown.as_ref()),
        (Reason::LoopDetected, loop_detected.as_ref()),
        (Reason::TooManyHops, too_many_hops.as_ref()),
        (Reason::NotOurDomain, not_our_domain.as_ref()),
        (Reason::NotReady, not_ready.as_ref()),
    ]
}

impl Check<'_> {
    /// The replies of a table. What it leaves out is taken from the table above it, which has been checked already:
    /// codes as a pair, because they belong together, and the text by itself.
    pub(super) fn replies(&mut self, table: &file::Replies, above: Option<&file::Replies>) -> Replies {
        let mut replies = Replies::default();
        for (at, (reason, own)) in by_reason(table).into_iter().enumerate() {
            let parts = own.map(|reply| self.reply(reason, reply)).unwrap_or_default();
            let inherited = above
                .and_then(|above| by_reason(above)[at].1)
                .map(|reply| parts_of(reply))
                .unwrap_or_default();
            let text = parts.text.or(inherited.text);
            let (code, enhanced) = if parts.code.is_some() || parts.enhanced.is_some() {
                (parts.code, parts.enhanced)
            } else {
                (inherited.code, inherited.enhanced)
            };
            // An error here has been told where the parts stand.
            let _ = replies.set(reason, code.map(|(code, _)| code), enhanced.map(|(code, _)| code), text);
        }
        replies
    }

    /// Checks one reply and gives the parts that are right.
    fn reply<'a>(&mut self, reason: Reason, reply: &'a file::Reply) -> Parts<'a> {
        let file::Reply { code, enhanced, text } = reply;
        let parts = parts_of(reply);
        if let (Some(written), None) = (code, &parts.code) {
            let problem = match **written {
                421 | 521 => self.error(written, ReplyError::ClosesConnection.to_string()),
                _ => self.error(written, ReplyError::Code.to_string()),
            };
            self.problems.push(problem.help("write 550 to reject, 450 or 451 to defer"));
        }
        if let (Some(written), None) = (enhanced, &parts.enhanced) {
            let problem = self.error(written, format!("{} is no enhanced status code", quoted(written)));
            self.problems.push(problem.help("write three numbers like \"5.7.1\", the first one 4 or 5"));
        }
        if let (Some(written), None) = (text, &parts.text) {
            let problem = self.error(written, ReplyError::Text.to_string());
            let help = match written.chars().find(|c| !matches!(c, ' '..='~')) {
                Some(c) => format!("take out {}", quoted(&c.to_string())),
                None if written.trim().is_empty() => "write a text, or leave the key out".to_owned(),
                None => "write a shorter text".to_owned(),
            };
            self.problems.push(problem.help(help));
        }
        if let (Some((number, _)), Some((enhanced, written))) = (parts.code, parts.enhanced)
            && class_of(number) != enhanced.class()
        {
            let right = enhanced.with_class(class_of(number));
            let problem =
                self.error(written, format!("`{enhanced}` is of another class than the code {number}"));
            self.problems.push(problem.help(format!("write \"{right}\", or change the code")));
        }
        if reason == Reason::NotReady {
            if let Some((number, written)) =
                parts.code.filter(|&(code, _)| class_of(code) == ReplyClass::Permanent)
            {
                let problem =
                    self.error(written, format!("{number} rejects, but `not-ready` only ever defers"));
                self.problems.push(problem.help("write 451, or leave the code out"));
            } else if let (None, Some((enhanced, written))) = (parts.code, parts.enhanced)
                && enhanced.class() == ReplyClass::Permanent
            {
                let right = enhanced.with_class(ReplyClass::Transient);
                let problem =
                    self.error(written, format!("`{enhanced}` rejects, but `not-ready` only ever defers"));
                self.problems.push(problem.help(format!("write \"{right}\"")));
            }
        }
        parts
    }
}

/// What of a reply is right by itself.
fn parts_of(reply: &file::Reply) -> Parts<'_> {
    let file::Reply { code, enhanced, text } = reply;
    Parts {
        code: code.as_ref().and_then(|written| {
            let code = u16::try_from(**written).ok()?;
            (matches!(code, 400..=599) && !matches!(code, 421 | 521)).then_some((code, written))
        }),
        enhanced: enhanced.as_ref().and_then(|written| Some((EnhancedCode::parse(written).ok()?, written))),
        text: text.as_ref().and_then(|written| ReplyText::parse(written).ok()),
    }
}

fn class_of(code: u16) -> ReplyClass {
    if code < 500 { ReplyClass::Transient } else { ReplyClass::Permanent }
}
