// SPDX-License-Identifier: GPL-3.0-or-later
//! A trial as text for people.

use super::{End, Fate, Message, Outcome, Trial, Tried};
use crate::cli::output::{Mood, Page};
use crate::mail::{Escaped, Reply};
use crate::policy::{Decision, Finding, Reason};

/// Where texts begin beside their labels.
const COLUMN: usize = 13;
/// Where the rules of findings begin beside their check and answer.
const RULE_COLUMN: usize = 20;

impl Trial<'_> {
    /// The whole trial for people.
    pub(in crate::cli) fn show(&self, page: &mut Page) {
        let question = self.question;
        page.entry(0, "client", COLUMN, &question.client.to_string());
        if let Some(login) = &question.login {
            page.entry(0, "login", COLUMN, &escaped(login));
        }
        if let Some(name) = &question.certificate {
            page.entry(0, "certificate", COLUMN, &escaped(name));
        }
        if let Some(name) = &question.helo {
            page.entry(0, "helo", COLUMN, &escaped(name));
        }
        page.entry(0, "mail", COLUMN, &escaped(&question.sender.in_brackets()));
        for (tried, outcome) in self.outcomes() {
            page.gap();
            tried.show(&outcome, page);
        }
        if let Some(message) = &self.message {
            page.gap();
            message.show(page);
        }
        page.gap();
        page.entry(0, "result", COLUMN, &self.summary());
    }

    /// `2 recipients: 1 accept, 1 reject`, in the order of the recipients.
    fn summary(&self) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for (_, outcome) in self.outcomes() {
            let word = outcome.fate.as_str();
            match counts.iter_mut().find(|(known, _)| *known == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((word, 1)),
            }
        }
        if let [(word, 1)] = counts.as_slice() {
            return (*word).to_owned();
        }
        let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        format!("{} recipients: {}", self.recipients.len(), counts.join(", "))
    }
}

impl Tried {
    fn show(&self, outcome: &Outcome<'_>, page: &mut Page) {
        let mood = match outcome.fate {
            Fate::Applied(applied) => Mood::from(applied),
            Fate::Parted => Mood::Doubtful,
        };
        page.line(mood, &escaped(self.address.as_str()));
        let listed = match &self.decision.domain {
            Some(domain) => format!("{}, mode {}", domain.pattern, domain.mode),
            None if self.decision.reason == Reason::NotReady => "cannot be told".to_owned(),
            None => "not listed".to_owned(),
        };
        page.entry(2, "domain", COLUMN, &listed);
        show_decision(&self.decision, page);
        if let Some(reply) = &self.parted {
            page.entry(2, "parted", COLUMN, &reply_line(reply));
        }
    }
}

impl Message {
    fn show(&self, page: &mut Page) {
        page.line(Mood::Heading, "message");
        match &self.decision {
            Some(decision) => show_decision(decision, page),
            None => page.entry(2, "headers", COLUMN, "not looked at"),
        }
        match &self.end {
            End::Refused => page.entry(2, "end", COLUMN, "refused for all recipients"),
            End::Discarded => page.entry(2, "end", COLUMN, "accepted and delivered to nobody"),
            End::Passed { removed, added, held } => {
                for line in removed {
                    let what = format!("{}, line {} of that name", Escaped(&line.name), line.index);
                    page.entry(2, "removed", COLUMN, &what);
                }
                for (name, value) in added {
                    page.entry(2, "added", COLUMN, &format!("{name}: {value}"));
                }
                page.entry(2, "end", COLUMN, if *held { "accepted and held" } else { "accepted" });
            }
        }
    }
}

/// Verdict, reason, reply and findings of a decision.
fn show_decision(decision: &Decision, page: &mut Page) {
    let Decision { verdict, applied, mode, .. } = decision;
    let done = if applied == verdict {
        verdict.to_string()
    } else {
        format!("{verdict} -> {applied}, by mode {mode}")
    };
    page.entry(2, "verdict", COLUMN, &done);
    page.entry(2, "reason", COLUMN, decision.reason.as_str());
    if let Some(reply) = &decision.reply {
        page.entry(2, "reply", COLUMN, &reply_line(reply));
    }
    show_findings(&decision.findings, 2, page);
}

/// What each check found, a line each.
pub(in crate::cli) fn show_findings<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    indent: usize,
    page: &mut Page,
) {
    for Finding { check, answer, rule, reason: _, verdict: _ } in findings {
        let label = format!("{:<10} {}", check.as_str(), answer.as_str());
        page.entry_in(Mood::from(*answer), indent, &label, indent + RULE_COLUMN, &rule.to_string());
    }
}

/// The reply as the client would see it. There is no decision on record, so there is no reference to it.
fn reply_line(reply: &Reply) -> String {
    format!("{reply} (ref ...)")
}

fn escaped(text: &str) -> String {
    Escaped(text.as_bytes()).to_string()
}
