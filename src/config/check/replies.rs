// SPDX-License-Identifier: GPL-3.0-or-later
//! `[reply.REASON]` and `[domain.X.reply.REASON]`.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::{Domain, Reputation, Unrouted};
use crate::config::table::Table;
use crate::config::wording::quoted;
use crate::mail::{EnhancedCode, ReplyClass, ReplyError, ReplyText};
use crate::policy::{Mode, Reason, Replies, ReverseRule, Verdict};

/// The parts of one reply that are right by themselves.
#[derive(Clone, Default)]
struct Parts<'a> {
    code: Option<(u16, &'a Placed<i64>)>,
    enhanced: Option<(EnhancedCode, &'a Placed<String>)>,
    text: Option<ReplyText>,
}

/// Who gets the replies of a table.
#[derive(Clone, Copy)]
pub(super) struct Use<'a> {
    /// Recipients of these domains.
    pub(super) domains: &'a [Domain],
    /// Recipients of other domains, with their verdict.
    pub(super) unlisted: Option<Verdict>,
    /// What is asked about them.
    pub(super) reputation: &'a Reputation,
    /// Whether there are rules for where mail goes.
    pub(super) has_rules: bool,
}

/// Every reason that has a reply, with what the file says of it.
fn by_reason(table: &file::Replies) -> [(Reason, Option<&Table<file::Reply>>); 10] {
    let file::Replies {
        source_not_gateway,
        recipient_unknown,
        recipient_internal,
        no_route,
        loop_detected,
        too_many_hops,
        listed,
        no_reverse_name,
        not_our_domain,
        not_ready,
    } = table;
    [
        (Reason::SourceNotGateway, source_not_gateway.as_ref()),
        (Reason::RecipientUnknown, recipient_unknown.as_ref()),
        (Reason::RecipientInternal, recipient_internal.as_ref()),
        (Reason::NoRoute, no_route.as_ref()),
        (Reason::LoopDetected, loop_detected.as_ref()),
        (Reason::TooManyHops, too_many_hops.as_ref()),
        (Reason::Listed, listed.as_ref()),
        (Reason::NoReverseName, no_reverse_name.as_ref()),
        (Reason::NotOurDomain, not_our_domain.as_ref()),
        (Reason::NotReady, not_ready.as_ref()),
    ]
}

impl Check<'_> {
    /// The replies of a table. What it leaves out is taken from the table above it, which is checked elsewhere: codes
    /// as a pair, because they belong together, and the text by itself.
    pub(super) fn replies(&mut self, table: &file::Replies, above: Option<&file::Replies>) -> Replies {
        let mut replies = Replies::default();
        let mut above = above.map(by_reason).into_iter().flatten();
        for (reason, own) in by_reason(table) {
            let inherited = above.next().and_then(|(_, reply)| reply);
            let inherited = inherited.map(|reply| Parts::of(reply)).unwrap_or_default();
            let own = own.map(|reply| self.reply(reason, reply)).unwrap_or_default();
            let (code, enhanced) = match own {
                Parts { code: None, enhanced: None, .. } => (inherited.code, inherited.enhanced),
                Parts { code, enhanced, .. } => (code, enhanced),
            };
            let text = own.text.or(inherited.text);
            // What is wrong here has been said where it stands.
            let _ = replies.set(reason, code.map(|(code, _)| code), enhanced.map(|(code, _)| code), text);
        }
        replies
    }

    /// Checks one reply and gives the parts that are right.
    fn reply<'r>(&mut self, reason: Reason, reply: &'r file::Reply) -> Parts<'r> {
        let parts = Parts::of(reply);
        let file::Reply { code, enhanced, text } = reply;
        if let (Some(written), None) = (code, &parts.code) {
            let error = match **written {
                421 | 521 => ReplyError::ClosesConnection,
                _ => ReplyError::Code,
            };
            self.error(written, error.to_string(), "write 550 to reject, 450 or 451 to defer");
        }
        if let (Some(written), None) = (enhanced, &parts.enhanced) {
            let what = format!("{} is no enhanced status code", quoted(written));
            self.error(written, what, "write three numbers like \"5.7.1\", the first one 4 or 5");
        }
        if let (Some(written), None) = (text, &parts.text) {
            let help = match written.chars().find(|c| !matches!(c, ' '..='~')) {
                Some(c) => format!("take out {}", quoted(&c.to_string())),
                None if written.trim().is_empty() => "write a text, or leave the key out".to_owned(),
                None => "write a shorter text".to_owned(),
            };
            self.error(written, ReplyError::Text.to_string(), help);
        }
        self.classes(reason, &parts);
        parts
    }

    fn classes(&mut self, reason: Reason, parts: &Parts<'_>) {
        let only_defers = reason == Reason::NotReady;
        match (parts.code, parts.enhanced) {
            (Some((code, written)), _) if only_defers && class_of(code) == ReplyClass::Permanent => {
                let what = format!("{code} rejects, but `{reason}` only ever defers");
                self.error(written, what, "write 451, or leave the code out");
            }
            (Some((code, _)), Some((enhanced, written))) if class_of(code) != enhanced.class() => {
                let right = enhanced.with_class(class_of(code));
                let what = format!(
                    "`{enhanced}` does not go with the code {code}: they must begin with the same digit"
                );
                self.error(written, what, format!("write \"{right}\", or another code"));
            }
            (None, Some((enhanced, written))) if only_defers && enhanced.class() == ReplyClass::Permanent => {
                let right = enhanced.with_class(ReplyClass::Transient);
                let what = format!("`{enhanced}` rejects, but `{reason}` only ever defers");
                self.error(written, what, format!("write \"{right}\""));
            }
            (Some(_) | None, Some(_) | None) => {}
        }
    }

    /// Says which codes no verdict ever leads to: a code does not change what happens.
    pub(super) fn use_of_replies(&mut self, table: &file::Replies, used: &Use<'_>) {
        if self.lost.touches(&["domain"])
            || self.lost.touches(&["verdict"])
            || self.lost.touches(&["unlisted"])
        {
            return;
        }
        for (reason, reply) in by_reason(table) {
            if let (Some(table), Some(help)) = (reply, used.never_asked(reason))
                && !self.lost.touches(&["reputation"])
                && !self.lost.touches(&["route"])
            {
                let why = if reason == Reason::NoRoute {
                    "no domain refuses those whom no [[route]] is for".to_owned()
                } else {
                    format!("nobody is asked what `{reason}` needs")
                };
                let what = format!("this reply is never sent: {why}");
                self.warning(table, what, help);
                continue;
            }
            let Some((code, written)) = reply.and_then(|reply| Parts::of(reply).code) else { continue };
            let (wanted, digit, verdict) = match class_of(code) {
                ReplyClass::Transient => (Verdict::Defer, 5, Verdict::Reject),
                ReplyClass::Permanent => (Verdict::Reject, 4, Verdict::Defer),
            };
            // A domain with a reply of its own for other domains hears about that elsewhere.
            let of_nobody = reason == Reason::NotOurDomain && used.unlisted.is_none();
            if reason == Reason::NotReady
                || of_nobody
                || used.verdicts(reason).any(|verdict| verdict == wanted)
            {
                continue;
            }
            let what = format!("{code} is never sent: no verdict for `{reason}` is `{wanted}`");
            let help = if used.verdicts(reason).any(|other| other == verdict) {
                format!("write a code of {digit}xx, or `{wanted}` as the verdict")
            } else {
                format!("leave the code out, or write `{wanted}` as the verdict")
            };
            self.warning(written, what, help);
        }
    }
}

impl Use<'_> {
    /// What to write so that a reason of reputation can come up at all, where it cannot.
    fn never_asked(&self, reason: Reason) -> Option<&'static str> {
        match reason {
            Reason::Listed if self.reputation.zones.is_empty() => {
                Some("write [reputation] and below it `dnsbl = [\"zen.example\"]`, or take the reply out")
            }
            Reason::NoReverseName if self.reputation.reverse == ReverseRule::Off => {
                Some("write [reputation] and below it `reverse_name = \"present\"`, or take the reply out")
            }
            Reason::NoRoute if !self.domains.iter().any(|domain| self.may_refuse_unrouted(domain)) => {
                Some("write `unrouted = \"reject\"` for a domain, or take the reply out")
            }
            Reason::Listed
            | Reason::NoReverseName
            | Reason::SourceNotGateway
            | Reason::RecipientUnknown
            | Reason::RecipientInternal
            | Reason::NoRoute
            | Reason::LoopDetected
            | Reason::TooManyHops
            | Reason::NotReady
            | Reason::NotOurDomain
            | Reason::Internal
            | Reason::Inactive
            | Reason::Passed => None,
        }
    }

    /// Whether a domain can refuse a recipient that no rule is for.
    fn may_refuse_unrouted(&self, domain: &Domain) -> bool {
        match domain.unrouted {
            Some(Unrouted::Reject) => true,
            Some(Unrouted::Server(_) | Unrouted::Pass) => false,
            None => self.has_rules,
        }
    }

    /// The verdicts that a reason can lead to. Monitoring is taken for a preparation of what comes after it.
    fn verdicts(&self, reason: Reason) -> impl Iterator<Item = Verdict> {
        let of_domain = move |domain: &Domain| {
            let verdict = match reason {
                Reason::SourceNotGateway => domain.verdicts.source,
                Reason::RecipientUnknown | Reason::RecipientInternal => domain.verdicts.recipient,
                Reason::NoRoute => domain.verdicts.route,
                Reason::LoopDetected | Reason::TooManyHops => domain.verdicts.loops,
                Reason::Listed | Reason::NoReverseName => domain.verdicts.reputation,
                Reason::NotReady
                | Reason::NotOurDomain
                | Reason::Internal
                | Reason::Inactive
                | Reason::Passed => reason.default_verdict(),
            };
            let next = match domain.mode {
                Mode::Inactive | Mode::Monitor | Mode::Soft => Mode::Soft,
                Mode::Enforce => Mode::Enforce,
            };
            [next.apply(verdict), verdict]
        };
        let unlisted = self.unlisted.filter(|_| reason == Reason::NotOurDomain);
        self.domains.iter().flat_map(of_domain).chain(unlisted)
    }
}

impl Parts<'_> {
    fn of(reply: &file::Reply) -> Parts<'_> {
        let file::Reply { code, enhanced, text } = reply;
        Parts {
            code: code.as_ref().and_then(|written| {
                let code = u16::try_from(**written).ok()?;
                (matches!(code, 400..=599) && !matches!(code, 421 | 521)).then_some((code, written))
            }),
            enhanced: enhanced
                .as_ref()
                .and_then(|written| Some((EnhancedCode::parse(written).ok()?, written))),
            text: text.as_ref().and_then(|written| ReplyText::parse(written).ok()),
        }
    }
}

fn class_of(code: u16) -> ReplyClass {
    if code < 500 { ReplyClass::Transient } else { ReplyClass::Permanent }
}
