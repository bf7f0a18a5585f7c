// SPDX-License-Identifier: GPL-3.0-or-later
//! The outcome of all checks: the strongest finding, and what the domain's mode makes of it.

use super::scan::{Passage, Scanning};
use super::source::Candidate;
use super::{Check, DomainPolicy, Finding, Mode, Reason, Replies, ServerId, Verdict};
use crate::mail::Reply;
use std::sync::Arc;

/// What was decided about one recipient, or about a message by its headers.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The domain whose policy decided; nothing for unlisted domains.
    pub domain: Option<Arc<DomainPolicy>>,
    /// Every check's result, in the order of checking.
    pub findings: Vec<Finding>,
    /// Why: the reason of the strongest finding, the first of those that are equally strong.
    pub reason: Reason,
    /// What the findings ask for.
    pub verdict: Verdict,
    /// The mode that was applied.
    pub mode: Mode,
    /// What is to happen.
    pub applied: Verdict,
    /// The refusal to answer with, when `applied` refuses.
    pub reply: Option<Reply>,
    /// Gateways of which the headers tell more.
    pub(super) candidates: Vec<Candidate>,
    /// How the recipient's mail is scanned; nothing where it is not.
    pub(super) scanning: Option<Box<Scanning>>,
    /// What becomes of the message because of scanning; only its headers tell.
    pub(super) passage: Passage,
}

impl AsRef<Self> for Decision {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Decision {
    /// Weighs findings that were collected under a domain's mode and replies.
    pub(super) fn weigh(
        findings: Vec<Finding>,
        domain: Option<Arc<DomainPolicy>>,
        mode: Mode,
        replies: &Replies,
    ) -> Self {
        let mut strongest: Option<&Finding> = None;
        for finding in &findings {
            if strongest.is_none_or(|s| finding.verdict > s.verdict) {
                strongest = Some(finding);
            }
        }
        let (reason, verdict) = match strongest {
            Some(finding) => (finding.reason, finding.verdict),
            None => (Reason::Passed, Verdict::Accept),
        };
        let applied = mode.apply(verdict);
        let reply = replies.reply(reason, applied).cloned();
        Self {
            domain,
            findings,
            reason,
            verdict,
            mode,
            applied,
            reply,
            candidates: Vec::new(),
            scanning: None,
            passage: Passage::Direct,
        }
    }

    /// The finding that decided.
    pub fn deciding(&self) -> Option<&Finding> {
        self.findings.iter().find(|f| f.reason == self.reason && f.verdict == self.verdict)
    }

    /// Whether the message was scanned, where that was looked at.
    pub fn scan(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == Check::Scan)
    }

    /// Where the recipient's mail goes when it was not scanned; nothing where it goes on, whether or not it was.
    pub fn scanner(&self) -> Option<ServerId> {
        let scanning = self.scanning.as_ref().filter(|_| self.applied != Verdict::Discard)?;
        scanning.to()
    }

    /// The gateway that the client came through, if any check named one.
    pub fn gateway(&self) -> Option<&str> {
        self.findings.iter().find_map(|finding| finding.rule.gateway())
    }
}
