// SPDX-License-Identifier: GPL-3.0-or-later
//! What a client's reputation comes to: the weight of the DNSBLs that list it, and its reverse name.
//!
//! Private addresses have none: nobody lists them, and nobody outside gives them names.
//!
//! It is asked of strangers alone, and of the client in front of a gateway where the gateway is to be looked behind. The
//! first can refuse, the second cannot: the gateway has taken the message already, and refusing it would only make
//! the gateway send a bounce to whoever is written in it.

use super::decide::{failing, passing, unknown};
use super::source::Stranger;
use super::{
    Answer, Answers, Check, DomainPolicy, Finding, Gateway, Listing, Listings, Policy, Questions, Reason,
    ReverseName, Rule, Verdict,
};
use crate::mail::{HeaderFacts, is_private, original_client};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What is asked about clients that are no gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reputation {
    /// From which sum of weights on a client is listed; 0 when no DNSBL is asked.
    pub threshold: u32,
    /// What its reverse name must be.
    pub reverse: ReverseRule,
}

/// What a client's reverse name must be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReverseRule {
    /// Nothing is asked.
    #[default]
    Off,
    /// There must be one.
    Present,
    /// There must be one that points back to the address.
    Confirmed,
}

/// What DNSBLs say of an address, all together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Weighed {
    /// The address.
    pub address: IpAddr,
    /// The gateway that it is behind; nothing for the client itself.
    pub behind: Option<Arc<str>>,
    /// The zones that list it.
    pub listed: Vec<Listing>,
    /// The weight of zones that gave no answer.
    pub unanswered: u32,
    /// From which weight on it is listed.
    pub threshold: u32,
}

impl Weighed {
    fn new(address: IpAddr, behind: Option<Arc<str>>, listings: Option<&Listings>, threshold: u32) -> Self {
        let (listed, unanswered) = match listings {
            Some(Listings { listed, unanswered }) => (listed.clone(), *unanswered),
            None => (Vec::new(), u32::MAX),
        };
        Self { address, behind, listed, unanswered, threshold }
    }

    /// The weight of the zones that list it.
    pub fn weight(&self) -> u32 {
        self.listed.iter().fold(0, |sum, listing| sum.saturating_add(listing.weight))
    }

    /// Whether it is not listed, whatever the zones say that have not answered.
    fn answer(&self) -> Answer {
        let weight = self.weight();
        if weight >= self.threshold {
            Answer::No
        } else if weight.saturating_add(self.unanswered) >= self.threshold {
            Answer::Unknown
        } else {
            Answer::Yes
        }
    }
}

impl fmt::Display for Weighed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, behind, listed, unanswered, threshold } = self;
        write!(f, "{address}")?;
        if let Some(gateway) = behind {
            write!(f, ", behind gateway {gateway},")?;
        }
        if listed.is_empty() {
            f.write_str(" is on no DNSBL")?;
        } else {
            write!(f, " is on DNSBLs of weight {}, threshold {threshold}: ", self.weight())?;
            for (at, Listing { zone, weight: _, code }) in listed.iter().enumerate() {
                write!(f, "{}{zone} ({code})", if at == 0 { "" } else { ", " })?;
            }
        }
        match *unanswered {
            0 => Ok(()),
            u32::MAX => f.write_str(" that answered; none did"),
            weight => write!(f, "; those of weight {weight} gave no answer"),
        }
    }
}

impl Reputation {
    /// Whether anything is asked.
    pub fn is_on(self) -> bool {
        self.threshold > 0 || self.reverse != ReverseRule::Off
    }

    /// What is left to be asked about a stranger.
    pub(super) fn questions(self, stranger: Stranger, answers: &Answers) -> Option<Questions> {
        let listings = self.threshold > 0 && answers.listings.is_none();
        let reverse = self.reverse != ReverseRule::Off && answers.reverse.is_none();
        let client = stranger.address().filter(|client| (listings || reverse) && !is_private(*client))?;
        Some(Questions { client, live: Vec::new(), listings, reverse })
    }
}

/// Checks a stranger's reputation.
pub(super) fn check(
    policy: &Policy,
    domain: &DomainPolicy,
    stranger: Stranger,
    answers: &Answers,
    findings: &mut Vec<Finding>,
) {
    let Reputation { threshold, reverse } = policy.reputation();
    if !policy.reputation().is_on() {
        return;
    }
    let Some(address) = stranger.address() else {
        let rule = if answers.hidden { Rule::AddressShared } else { Rule::ClientUnknown };
        findings.push(unknown(Check::Listed, rule));
        return;
    };
    if is_private(address) {
        // To ask for a name that nobody outside can give would refuse local mail.
        let checks = [(threshold > 0, Check::Listed), (reverse != ReverseRule::Off, Check::ReverseName)];
        let asked = checks.into_iter().filter_map(|(is_on, check)| is_on.then_some(check));
        findings.extend(asked.map(|check| passing(check, Rule::PrivateAddress)));
        return;
    }
    if threshold > 0 {
        let weighed = Weighed::new(address, None, answers.listings.as_ref(), threshold);
        let answer = weighed.answer();
        let rule = Rule::Listings(Box::new(weighed));
        findings.push(match answer {
            Answer::Yes => passing(Check::Listed, rule),
            Answer::No => failing(Check::Listed, rule, Reason::Listed, domain.verdicts.reputation),
            Answer::Unknown => unknown(Check::Listed, rule),
        });
    }
    if reverse != ReverseRule::Off {
        let name = answers.reverse.clone().unwrap_or(ReverseName::Unknown);
        findings.push(check_reverse(domain, reverse, name));
    }
}

fn check_reverse(domain: &DomainPolicy, wanted: ReverseRule, name: ReverseName) -> Finding {
    let check = Check::ReverseName;
    let right = match (&name, wanted) {
        (ReverseName::Unknown, _) => None,
        (ReverseName::Confirmed(_), _) | (_, ReverseRule::Off) => Some(true),
        (ReverseName::Unconfirmed(_), wanted) => Some(wanted == ReverseRule::Present),
        (ReverseName::Missing, ReverseRule::Present | ReverseRule::Confirmed) => Some(false),
    };
    let rule = Rule::ReverseName(name);
    match right {
        Some(true) => passing(check, rule),
        Some(false) => failing(check, rule, Reason::NoReverseName, domain.verdicts.reputation),
        // A reason of its own, whose deferral says 4.7.25: the client's administrator can do something about it.
        None => Finding {
            check,
            answer: Answer::Unknown,
            rule,
            reason: Reason::NoReverseName,
            verdict: Verdict::Defer,
        },
    }
}

/// The client in front of a gateway, as far as the gateway has written it down.
pub(super) fn client_behind(gateway: &Gateway, headers: &HeaderFacts) -> Option<IpAddr> {
    let networks = gateway.addresses.as_ref().map(|addresses| &addresses.networks);
    let is_own = |address: IpAddr| networks.is_some_and(|networks| networks.find(address).is_some());
    original_client(headers.values("Received"), is_own)
}

/// Checks the client in front of a gateway by what was answered about it.
pub(super) fn check_behind<'a>(
    policy: &Policy,
    gateway: &Gateway,
    headers: &HeaderFacts,
    listings_of: impl Fn(IpAddr) -> Option<&'a Listings>,
) -> Option<Finding> {
    let verdict = gateway.behind?;
    let threshold = policy.reputation().threshold;
    if threshold == 0 {
        return None;
    }
    let check = Check::Listed;
    let name = || Arc::clone(&gateway.name);
    let Some(address) = client_behind(gateway, headers) else {
        return Some(overlooked(check, Rule::NobodyBehind { gateway: name() }));
    };
    let weighed = Weighed::new(address, Some(name()), listings_of(address), threshold);
    let answer = weighed.answer();
    let rule = Rule::Listings(Box::new(weighed));
    Some(match answer {
        Answer::Yes => passing(check, rule),
        // Whatever is configured: never refused, see the top of this file.
        Answer::No => failing(check, rule, Reason::Listed, verdict.min(Verdict::Quarantine)),
        Answer::Unknown => overlooked(check, rule),
    })
}

/// An unknown that stands in nobody's way. It is the one exception to the rule that unknown defers: a gateway's mail
/// is never refused for what is behind the gateway, and so not for now either.
fn overlooked(check: Check, rule: Rule) -> Finding {
    Finding { check, answer: Answer::Unknown, rule, reason: Reason::Passed, verdict: Verdict::Accept }
}
