// SPDX-License-Identifier: GPL-3.0-or-later
//! Is the client one of the domain's gateways?
//!
//! One gateway that says yes is enough. Where none does, one that only awaits its header line is a yes for the time
//! being, then one that cannot tell makes it unknown, and only then is it a no. Whom all say no to is a [`Stranger`].

use super::decide::{failing, passing, unknown};
use super::factor::Shown;
use super::{Answer, Answers, Check, DomainPolicy, Finding, Gateway, LiveName, Policy, Reason, Rule, Source};
use crate::mail::{Client, HeaderFacts, is_private};
use std::net::IpAddr;
use std::sync::Arc;

/// A gateway that a client is, or that it may turn out to be once the headers are known.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) gateway: Arc<Gateway>,
    shown: Shown,
}

impl PartialEq for Candidate {
    /// Whether it is the very same gateway, and shows the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gateway, &other.gateway) && self.shown == other.shown
    }
}

impl Candidate {
    /// What a client shows of a gateway before the headers are known.
    pub(super) fn new(gateway: &Arc<Gateway>, client: &Client, answers: &Answers) -> Self {
        Self { gateway: Arc::clone(gateway), shown: Shown::of(gateway, client, answers) }
    }

    /// Whether the client is the gateway, now that the headers are known.
    pub(super) fn with_headers(&self, headers: &HeaderFacts) -> Answer {
        self.shown.with_headers(&self.gateway, headers).answer(self.gateway.require)
    }

    fn answer(&self) -> Answer {
        self.shown.answer(self.gateway.require)
    }

    fn name(&self) -> Arc<str> {
        Arc::clone(&self.gateway.name)
    }
}

/// A client that is no gateway. Only of such a one can its reputation be asked, and only here can one be made: that is
/// how a gateway is exempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stranger {
    /// Nothing where the address is not known, or not this client's alone.
    address: Option<IpAddr>,
}

impl Stranger {
    /// Nothing may be asked about an address that is not known or that many share.
    pub(super) fn address(self) -> Option<IpAddr> {
        self.address
    }

    fn new(client: &Client, answers: &Answers) -> Self {
        // A private one is never asked about, whoever hides behind it, and has to stay known for that.
        Self { address: client.address.filter(|address| !answers.hidden || is_private(*address)) }
    }
}

/// The source check's result.
pub(super) struct Checked {
    pub(super) finding: Finding,
    /// Gateways about which something is left to do when the headers are known; nearly always none.
    pub(super) candidates: Vec<Candidate>,
    /// The client, where it is no gateway.
    pub(super) stranger: Option<Stranger>,
}

impl Checked {
    fn settled(finding: Finding) -> Self {
        Self { finding, candidates: Vec::new(), stranger: None }
    }
}

/// Checks the source by what is known before the headers are.
pub(super) fn check(policy: &Policy, domain: &DomainPolicy, client: &Client, answers: &Answers) -> Checked {
    if let Source::Any = domain.source {
        let stranger = first_hop(policy, client, answers);
        return Checked { stranger, ..Checked::settled(passing(Check::Source, Rule::AnyClient)) };
    }
    let mut undecided = Vec::new();
    let mut nearest = Nearest::default();
    for gateway in policy.gateways_of(domain) {
        let shown = Shown::of(gateway, client, answers);
        match shown.answer(gateway.require) {
            Answer::Yes if !shown.awaits() => return is_gateway(gateway, shown),
            Answer::Yes | Answer::Unknown => {
                undecided.push(Candidate { gateway: Arc::clone(gateway), shown });
            }
            Answer::No => nearest.consider(gateway, shown),
        }
    }
    if let Some(awaited) = undecided.iter().find(|candidate| candidate.answer() == Answer::Yes) {
        let rule = Rule::Gateway { gateway: awaited.name(), shown: awaited.shown.clone() };
        return Checked { candidates: undecided, ..Checked::settled(passing(Check::Source, rule)) };
    }
    match undecided.first() {
        Some(_) if client.address.is_none() => Checked::settled(unknown(Check::Source, Rule::ClientUnknown)),
        Some(candidate) => Checked::settled(may_be(candidate)),
        None => Checked {
            stranger: Some(Stranger::new(client, answers)),
            ..Checked::settled(nearest.finding(domain))
        },
    }
}

fn is_gateway(gateway: &Arc<Gateway>, shown: Shown) -> Checked {
    // Kept only where what is behind the gateway is of interest.
    let candidates = match gateway.behind {
        Some(_) => vec![Candidate { gateway: Arc::clone(gateway), shown: shown.clone() }],
        None => Vec::new(),
    };
    let rule = Rule::Gateway { gateway: Arc::clone(&gateway.name), shown };
    Checked { candidates, ..Checked::settled(passing(Check::Source, rule)) }
}

/// Whether one of these gateways may yet show a header line, so that nothing is certain before.
pub(super) fn awaits(candidates: &[Candidate]) -> bool {
    candidates.iter().any(|candidate| candidate.shown.awaits())
}

/// What is left where a header line is awaited that will never be known.
pub(super) fn in_doubt(candidates: &[Candidate]) -> Option<Finding> {
    let Candidate { gateway, shown } = candidates.iter().find(|candidate| candidate.shown.awaits())?;
    let rule = Rule::MayBeGateway { gateway: Arc::clone(&gateway.name), shown: shown.clone() };
    Some(unknown(Check::Source, rule))
}

/// What the headers say of the gateways that were left. Gives the gateway that the message came through, if it came
/// through one of them, and a finding where a header line was awaited.
pub(super) fn settle<'a>(
    domain: &DomainPolicy,
    candidates: &'a [Candidate],
    headers: &HeaderFacts,
) -> (Option<&'a Arc<Gateway>>, Option<Finding>) {
    if !awaits(candidates) {
        return (candidates.first().map(|candidate| &candidate.gateway), None);
    }
    let mut doubtful = None;
    let mut nearest = Nearest::default();
    for Candidate { gateway, shown } in candidates {
        let shown = shown.with_headers(gateway, headers);
        match shown.answer(gateway.require) {
            Answer::Yes => {
                let rule = Rule::Gateway { gateway: Arc::clone(&gateway.name), shown };
                return (Some(gateway), Some(passing(Check::Source, rule)));
            }
            Answer::Unknown => {
                doubtful.get_or_insert(Candidate { gateway: Arc::clone(gateway), shown });
            }
            Answer::No => nearest.consider(gateway, shown),
        }
    }
    (None, Some(doubtful.as_ref().map_or_else(|| nearest.finding(domain), may_be)))
}

fn may_be(candidate: &Candidate) -> Finding {
    let rule = Rule::MayBeGateway { gateway: candidate.name(), shown: candidate.shown.clone().so_far() };
    unknown(Check::Source, rule)
}

/// Live names that have to be asked before the source can be told: those of gateways that only such a name keeps from
/// a yes.
pub(super) fn unasked(
    policy: &Policy,
    domain: &DomainPolicy,
    client: &Client,
    answers: &Answers,
) -> Vec<LiveName> {
    let mut names: Vec<LiveName> = Vec::new();
    let mut ask = |gateway: &Gateway| {
        let live = gateway.addresses.iter().flat_map(|addresses| &addresses.live);
        for name in live.filter(|name| !answers.knows(name)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    };
    // Whether mail comes back from there matters, whoever else the client is.
    let scan = domain.scan.as_ref().and_then(|scan| policy.gateways().find(scan.gateway));
    let waits = |gateway: &Arc<Gateway>, shown: &Shown| {
        shown.answer(gateway.require) == Answer::Unknown && shown.waits_for_name()
    };
    if let Some(gateway) = scan.filter(|gateway| waits(gateway, &Shown::of(gateway, client, answers))) {
        ask(gateway);
    }
    let mut undecided = Vec::new();
    for gateway in policy.gateways_of(domain).filter(|_| !matches!(domain.source, Source::Any)) {
        let shown = Shown::of(gateway, client, answers);
        if shown.answer(gateway.require) == Answer::Yes && !shown.awaits() {
            undecided.clear();
            break;
        }
        if waits(gateway, &shown) {
            undecided.push(gateway);
        }
    }
    for gateway in undecided {
        ask(gateway);
    }
    names
}

/// The client of a domain that is its own first hop, unless it is somebody's gateway here: one that also serves other
/// domains of this installation is no stranger.
fn first_hop(policy: &Policy, client: &Client, answers: &Answers) -> Option<Stranger> {
    let known = |gateway: &Arc<Gateway>| {
        let networks = gateway.addresses.as_ref().map(|addresses| &addresses.networks);
        client.address.zip(networks).is_some_and(|(address, networks)| networks.find(address).is_some())
            || Shown::of(gateway, client, answers).answer(gateway.require) == Answer::Yes
    };
    let asked = policy.reputation().is_on();
    (asked && !policy.gateways().iter().any(known)).then(|| Stranger::new(client, answers))
}

/// Of gateways that a client is not, the one of which most fits: what it lacks is what an administrator looks for.
#[derive(Default)]
struct Nearest {
    found: Option<(Arc<str>, Shown)>,
}

impl Nearest {
    fn consider(&mut self, gateway: &Gateway, shown: Shown) {
        let shown = shown.so_far();
        let fits = shown.fitting();
        // Of gateways known by address alone and not by this one there is nothing to tell.
        let tells = fits > 0 || shown.is_more_than_address();
        let better = self.found.as_ref().is_none_or(|(_, nearest)| fits > nearest.fitting());
        if tells && better {
            self.found = Some((Arc::clone(&gateway.name), shown));
        }
    }

    fn finding(self, domain: &DomainPolicy) -> Finding {
        let rule = match self.found {
            Some((gateway, shown)) => Rule::NotGateway { gateway, shown },
            None => Rule::NoGateway,
        };
        failing(Check::Source, rule, Reason::SourceNotGateway, domain.verdicts.source)
    }
}
