// SPDX-License-Identifier: GPL-3.0-or-later
//! The rules that decisions follow: one immutable picture, replaced whole when anything in it changes.

use super::{Mode, Reason, Replies, Verdict};
use crate::mail::{Client, Domain, DomainPattern, DomainTable, Mailbox, MailboxSet, NetworkSet, Recipient};
use std::sync::Arc;

/// Everything that a decision needs.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub(super) internal: Internal,
    unlisted: Unlisted,
    domains: DomainTable<Arc<DomainPolicy>>,
    pub(super) loops: LoopRule,
    strictest: Mode,
}

/// Who is internal.
#[derive(Clone, Debug, Default)]
pub struct Internal {
    /// Clients in these networks.
    pub networks: NetworkSet,
    /// Clients that have logged in.
    pub authenticated: bool,
}

/// What happens to recipients of domains that are not listed.
#[derive(Clone, Debug)]
pub struct Unlisted {
    /// The verdict; no mode weakens it.
    pub verdict: Verdict,
    /// The replies of everything that belongs to no listed domain.
    pub replies: Replies,
}

impl Default for Unlisted {
    fn default() -> Self {
        Self { verdict: Reason::NotOurDomain.default_verdict(), replies: Replies::default() }
    }
}

/// The loop check.
#[derive(Clone, Debug, Default)]
pub struct LoopRule {
    /// This installation's loop token.
    pub id: Box<str>,
    /// From how many own tokens on a message is a loop; 0 is never, and then no token is added.
    pub max_passes: u32,
    /// Above how many `Received` lines a message is a loop; 0 is never.
    pub max_received: u32,
}

impl LoopRule {
    /// Whether headers need to be looked at for loops.
    pub fn is_on(&self) -> bool {
        self.max_passes > 0 || self.max_received > 0
    }
}

/// One protected domain, or all below one.
#[derive(Clone, Debug)]
pub struct DomainPolicy {
    /// The name it is listed under.
    pub pattern: DomainPattern,
    /// How far it is switched on.
    pub mode: Mode,
    /// Who may deliver.
    pub source: Source,
    /// Who exists; where empty, recipients are not checked.
    pub directories: Vec<Arc<Directory>>,
    /// Each of these characters parts a subaddress from its mailbox (RFC 5233).
    pub subaddress: Box<str>,
    /// What each check asks for when it fails.
    pub verdicts: Verdicts,
    /// The domain's replies.
    pub replies: Replies,
}

/// Who may deliver for a domain.
#[derive(Clone, Debug)]
pub enum Source {
    /// Anyone: the domain is its own first hop.
    Any,
    /// These gateways.
    Gateways(Vec<Arc<Gateway>>),
}

/// Who may hand us mail.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its addresses.
    pub networks: NetworkSet,
}

/// Who exists.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its recipients.
    pub mailboxes: MailboxSet,
}

/// What each check asks for when it fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdicts {
    /// The client is no gateway.
    pub source: Verdict,
    /// The recipient is unknown.
    pub recipient: Verdict,
    /// The message loops.
    pub loops: Verdict,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self {
            source: Reason::SourceNotGateway.default_verdict(),
            recipient: Reason::RecipientUnknown.default_verdict(),
            loops: Reason::LoopDetected.default_verdict(),
        }
    }
}

/// What the recipient's domain is to Postern.
pub(super) enum Standing<'a> {
    /// A listed domain, and the mailbox in it.
    Listed(&'a Arc<DomainPolicy>, &'a Mailbox, &'a Domain),
    /// A domain, or an address literal, that is not listed.
    Unlisted,
    /// Nobody knows where the message would go.
    Unclear,
}

impl Policy {
    /// Puts a policy together.
    pub fn new(
        internal: Internal,
        unlisted: Unlisted,
        domains: DomainTable<Arc<DomainPolicy>>,
        loops: LoopRule,
    ) -> Self {
        let strictest = domains.values().map(|domain| domain.mode).max().unwrap_or(Mode::Inactive);
        Self { internal, unlisted, domains, loops, strictest }
    }

    /// Who is internal.
    pub fn internal(&self) -> &Internal {
        &self.internal
    }

    /// What happens to domains that are not listed.
    pub fn unlisted(&self) -> &Unlisted {
        &self.unlisted
    }

    /// The protected domains.
    pub fn domains(&self) -> &DomainTable<Arc<DomainPolicy>> {
        &self.domains
    }

    /// The loop check.
    pub fn loops(&self) -> &LoopRule {
        &self.loops
    }

    /// The strictest mode of any domain: that of a recipient whose domain cannot be told, so that an installation
    /// that only monitors refuses nothing at all.
    pub fn strictest_mode(&self) -> Mode {
        self.strictest
    }

    /// Whether any message's headers need to be read.
    pub fn needs_headers(&self) -> bool {
        self.loops.is_on() && self.strictest > Mode::Inactive
    }

    /// Whether any domain can ask for this verdict, so that a door can ask its MTA for what carrying it out takes.
    pub fn can_ask(&self, verdict: Verdict) -> bool {
        self.unlisted.verdict == verdict
            || self.domains.values().any(|domain| {
                let Verdicts { source, recipient, loops } = domain.verdicts;
                [source, recipient, loops].into_iter().any(|v| domain.mode.apply(v) == verdict)
            })
    }

    /// Where a recipient belongs. An address that the client plainly wrote in a listed domain stays in it even where
    /// the MTA forwards it elsewhere (Sendmail's virtusertable); otherwise a forwarding alias would be a way around
    /// the gateway. A recipient that is not plain, is forwarded, and names a listed domain anywhere is unclear.
    pub(super) fn standing<'a>(&'a self, recipient: &'a Recipient) -> Standing<'a> {
        let Some(mailbox) = recipient.mailbox() else {
            return Standing::Unclear;
        };
        let listed = |mailbox: &'a Mailbox| {
            let domain = mailbox.domain()?;
            Some(Standing::Listed(self.domains.find(domain)?, mailbox, domain))
        };
        if let Some(standing) = listed(mailbox).or_else(|| recipient.written_mailbox().and_then(listed)) {
            return standing;
        }
        if recipient.written_mailbox().is_none()
            && recipient.named_domains().any(|d| self.domains.find(&d).is_some())
        {
            return Standing::Unclear;
        }
        Standing::Unlisted
    }
}

impl Internal {
    pub(super) fn find(&self, client: &Client) -> Option<super::Rule> {
        if self.authenticated && client.login.is_some() {
            return Some(super::Rule::Authenticated);
        }
        let network = self.networks.find(client.address?)?;
        Some(super::Rule::InternalNetwork(*network))
    }
}
