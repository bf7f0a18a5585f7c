// SPDX-License-Identifier: GPL-3.0-or-later
//! Does the recipient exist?
//!
//! Asked in this order, so that the plainest answer is given: the address as it is, in every directory; the mailbox of a
//! signed bounce address; the sender whom a forwarder's address stands for; the domain's own bounce addresses; the address without its
//! subaddress; patterns; whole domains. A domain that is an alias asks at each step for its own name, then for the other.
//! Nothing here verifies a signature: whoever forges one reaches a mailbox that exists, and no other.

use super::decide::{failing, passing, unknown};
use super::rules::Standing;
use super::spelling::{Meaning, meanings};
use super::{
    Answer, Check, Directory, DirectoryId, DomainPolicy, Entry, Finding, Mode, Policy, Reason, RecipientMode,
    Recipients, Rule, Spelling, Unready, Verdict,
};
use crate::mail::{self, Domain, DomainPattern, Mailbox, Recipient, SrsSender};
use std::sync::Arc;

/// How often a forwarder's address may stand for another: SRS1 for the SRS0 of a domain of ours, that for its sender.
const MOST_SRS: u8 = 2;
/// Longest address that is recorded, in octets: what SMTP allows (RFC 5321 4.5.3.1.3), and what folding may add.
const MOST_LEARNED: usize = 320;

/// What is known of a recipient.
enum Known {
    /// It exists.
    Yes(Rule),
    /// It exists, and takes mail from internal clients alone.
    ForInternal(Rule),
    /// Nobody can tell.
    Unknown(Rule),
    /// It does not exist. This is the address to record, where the domain learns and it can be learned.
    No(Option<Arc<str>>),
}

/// Looks a recipient up as a decision about it would, whoever the client is; nothing when its domain is not listed, or
/// nobody knows where it would be delivered.
pub fn existence(policy: &Policy, recipient: &Recipient) -> Option<Finding> {
    match policy.standing(recipient) {
        Standing::Listed(own, mailbox, domain) => Some(check(policy, own, mailbox, domain)),
        Standing::Unlisted | Standing::Unclear => None,
    }
}

/// Checks a recipient of a listed domain.
pub(super) fn check(policy: &Policy, own: &DomainPolicy, mailbox: &Mailbox, domain: &Domain) -> Finding {
    let recipient =
        |answer, rule, reason, verdict| Finding { check: Check::Recipient, answer, rule, reason, verdict };
    let local = mailbox.folded_local();
    let known = look_up(policy, own, local.as_deref(), domain, MOST_SRS);
    match (own.recipients.mode, known) {
        (_, Known::Yes(rule)) => passing(Check::Recipient, rule),
        (RecipientMode::Learn, Known::ForInternal(rule)) => {
            recipient(Answer::No, rule, Reason::RecipientInternal, Verdict::Accept)
        }
        // The answer would be accepted whatever it is.
        (RecipientMode::Learn, Known::Unknown(rule)) => {
            recipient(Answer::Unknown, rule, Reason::NotReady, Verdict::Accept)
        }
        (RecipientMode::Learn, Known::No(address)) => {
            let rule = address.map_or(Rule::InNoDirectory, |address| Rule::Learned { address });
            recipient(Answer::No, rule, Reason::RecipientUnknown, Verdict::Accept)
        }
        (RecipientMode::Off | RecipientMode::Check, Known::ForInternal(rule)) => {
            failing(Check::Recipient, rule, Reason::RecipientInternal, own.verdicts.recipient)
        }
        (RecipientMode::Off | RecipientMode::Check, Known::Unknown(rule)) => unknown(Check::Recipient, rule),
        (RecipientMode::Off | RecipientMode::Check, Known::No(_)) => {
            failing(Check::Recipient, Rule::InNoDirectory, Reason::RecipientUnknown, own.verdicts.recipient)
        }
    }
}

/// Looks up a folded local part; without one, there is only the domain to go by.
fn look_up(policy: &Policy, own: &DomainPolicy, local: Option<&str>, domain: &Domain, most_srs: u8) -> Known {
    match own.recipients.mode {
        RecipientMode::Off => return Known::Yes(Rule::RecipientsOff),
        RecipientMode::Check if own.directories.is_empty() && own.recipients.learned.is_none() => {
            return Known::Yes(Rule::NoDirectories);
        }
        RecipientMode::Learn | RecipientMode::Check => {}
    }
    let domains = Asked { policy, own, domain, spelling: Spelling::default() };
    let Some(local) = local else {
        return domains
            .whole("")
            .unwrap_or_else(|| domains.unready().map_or(Known::No(None), Known::Unknown));
    };
    domains.local(local, most_srs)
}

/// Where a local part is looked up.
#[derive(Clone, Copy)]
struct Asked<'a> {
    policy: &'a Policy,
    own: &'a DomainPolicy,
    domain: &'a Domain,
    /// What was taken off the local part before.
    spelling: Spelling,
}

impl Asked<'_> {
    fn local(mut self, local: &str, most_srs: u8) -> Known {
        let mut bare = local;
        for meaning in meanings(self.own, local, most_srs > 0) {
            let known = match meaning {
                Meaning::Role => Some(Known::Yes(Rule::RoleAddress)),
                Meaning::Mailbox { local, entry, batv } => {
                    self.spelling.batv = batv;
                    self.mailbox(local, &entry)
                }
                Meaning::Sender(SrsSender { local, domain }) => {
                    Some(self.sender(&local, &domain, most_srs.saturating_sub(1)))
                }
                Meaning::OwnBounce(pattern) => Some(Known::Yes(Rule::OwnBounces(pattern.clone()))),
                Meaning::Any(local) => {
                    bare = local;
                    self.pattern(local).or_else(|| self.whole(local))
                }
            };
            if let Some(known) = known {
                return known;
            }
        }
        self.nobody(bare)
    }

    /// The sender whom a forwarder's address stands for. Bounces to one who is elsewhere go back to where the forwarder
    /// got the message from, if its hash is right, which only the forwarder can tell; one of a domain listed here must exist.
    fn sender(&self, local: &str, domain: &Domain, most_srs: u8) -> Known {
        match self.policy.domains().find(domain) {
            None => Known::Yes(Rule::ForwardedSender),
            Some(other) if other.mode == Mode::Inactive => Known::Yes(Rule::ForwardedSender),
            Some(other) => {
                let known = look_up(self.policy, other, Some(local), domain, most_srs);
                match known {
                    Known::Yes(Rule::Directory { directory, entry, spelling }) => {
                        let spelling = Spelling { srs: true, ..spelling };
                        Known::Yes(Rule::Directory { directory, entry, spelling })
                    }
                    Known::Yes(rule) => Known::Yes(rule),
                    Known::ForInternal(rule) => Known::ForInternal(rule),
                    Known::Unknown(rule) => Known::Unknown(rule),
                    // A forwarder makes these anew every day.
                    Known::No(_) => Known::No(None),
                }
            }
        }
    }

    /// A mailbox that is listed itself.
    fn mailbox(&self, local: &str, entry: &Entry) -> Option<Known> {
        self.own.names(self.domain).find_map(|(domain, alias)| {
            let (directory, known) = self
                .policy
                .known_directories(self.own)
                .find(|(_, known)| known.mailboxes.contains(local, domain))?;
            Some(self.listed(directory, known, (local, domain), (entry.clone(), alias)))
        })
    }

    fn pattern(&self, local: &str) -> Option<Known> {
        self.own.names(self.domain).find_map(|(domain, alias)| {
            self.policy.known_directories(self.own).find_map(|(directory, known)| {
                let entry = Entry::Pattern(known.pattern(local, domain)?.clone());
                Some(self.listed(directory, known, (local, domain), (entry, alias)))
            })
        })
    }

    fn whole(&self, local: &str) -> Option<Known> {
        self.own.names(self.domain).find_map(|(domain, alias)| {
            let (directory, known) = self
                .policy
                .known_directories(self.own)
                .find(|(_, known)| known.mailboxes.contains_whole(domain))?;
            Some(self.listed(directory, known, (local, domain), (Entry::WholeDomain, alias)))
        })
    }

    fn listed(
        &self,
        directory: &Arc<Directory>,
        known: &Recipients,
        (local, domain): (&str, &Domain),
        (entry, alias): (Entry, bool),
    ) -> Known {
        let directory = Arc::clone(&directory.name);
        if known.is_internal_only(local, domain) {
            return Known::ForInternal(Rule::InternalOnly { directory });
        }
        Known::Yes(Rule::Directory { directory, entry, spelling: Spelling { alias, ..self.spelling } })
    }

    /// Nobody knows the recipient.
    fn nobody(&self, local: &str) -> Known {
        if let Some(rule) = self.unready() {
            return Known::Unknown(rule);
        }
        match self.own.recipients.mode {
            RecipientMode::Off | RecipientMode::Check => Known::No(None),
            RecipientMode::Learn => {
                // Under the name that every alias looks it up by.
                let domain = self.own.recipients.alias_of.as_ref().unwrap_or(self.domain);
                let address = mail::address(local, domain);
                Known::No((address.len() <= MOST_LEARNED).then(|| address.into()))
            }
        }
    }

    /// The first directory that cannot say that the recipient does not exist. Where the domain is an alias, its data have
    /// to cover both names, because the recipient may be listed under either.
    fn unready(&self) -> Option<Rule> {
        let Self { policy, own, domain, .. } = *self;
        let target = own.recipients.alias_of.as_ref();
        let listed_as = target.cloned().map(DomainPattern::Exact);
        let listed_as = || [&own.pattern].into_iter().chain(&listed_as);
        let why = |id: DirectoryId, why: &dyn Fn(&Directory) -> Option<Unready>| match policy
            .directories()
            .find(id)
        {
            Some(directory) => {
                Some(Rule::DirectoryUnready { directory: Arc::clone(&directory.name), why: why(directory)? })
            }
            // Nobody takes a place away; if somebody did, nothing would be known of it.
            None => Some(Rule::DirectoryUnready { directory: Arc::from("?"), why: Unready::NotLoaded }),
        };
        let in_own =
            own.directories.iter().find_map(|id| why(*id, &|directory| directory.unready(listed_as())));
        in_own.or_else(|| {
            why(own.recipients.learned?, &|learned| {
                let Some(recipients) = &learned.recipients else { return Some(Unready::NotLoaded) };
                // Nobody has approved anything of most domains, and that says nothing about who exists there.
                let covers = |domain: &Domain| {
                    let exactly = DomainPattern::Exact(domain.clone());
                    recipients.served.as_ref().is_none_or(|served| served.contains(&exactly))
                };
                let alone = own.directories.is_empty() && own.recipients.mode == RecipientMode::Check;
                (alone && !covers(domain) && !target.is_some_and(covers)).then_some(Unready::Empty)
            })
        })
    }
}
