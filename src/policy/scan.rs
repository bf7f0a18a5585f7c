// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail that goes through a scanning gateway before it is delivered: who scans, what its return is known by, and what
//! becomes of a message that has been there or has not.
//!
//! A message was scanned for a recipient when its client is the scan gateway and it carries the sign that is agreed on: a
//! token of ours for this recipient, or the gateway's header line. Every other goes to the scanner, with or without a
//! token that is not taken; none is refused for it. Where one message is for several whose mail is scanned, it goes to the
//! scanner if it has not been there for one of them.

use super::decide::{failing, passing, unknown};
use super::source::Candidate;
use super::{
    Answer, Answers, ByHeader, Check, Decision, DomainPolicy, Finding, Gateway, GatewayId, Mode, Policy,
    Reason, Rule, ServerId, Verdict,
};
use crate::mail::{
    Client, Domain, HeaderFacts, Mailbox, SCAN_HEADER, ScanAddress, ScanKeys, ScanToken, SpentToken,
    TokenFault,
};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// How a domain's mail is scanned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScanRule {
    /// The server that scans it.
    pub via: ServerId,
    /// The gateway that it comes back from.
    pub gateway: GatewayId,
    /// What shows that it has been there.
    pub on_return: OnReturn,
    /// How long a token is valid, in seconds.
    pub valid: u32,
    /// What happens while the scanner is down.
    pub on_down: OnScannerDown,
}

/// What shows that a message was scanned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnReturn {
    /// The token that it was sent away with.
    #[default]
    Token,
    /// The gateway's own header line, which is taken off; the gateway must require it.
    Strip,
}

/// What happens to mail while the scanner is down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnScannerDown {
    /// It waits in the MTA's queue.
    #[default]
    Wait,
    /// It is delivered without having been scanned.
    Deliver,
}

/// Trips to the scanner from which a message did not come back scanned, after which it is a loop.
const MOST_TRIPS: u32 = 2;

/// What a decision keeps of a recipient whose mail is scanned, until the headers are known.
#[derive(Clone, Debug)]
pub(super) struct Scanning {
    domain: Domain,
    address: ScanAddress,
    /// The gateway that scanned mail comes back from, and what the client shows of it.
    from: Candidate,
    /// Where mail goes that was not scanned; nothing where it goes on as it is.
    to: Option<ServerId>,
}

/// What shows, or does not show, that a message was scanned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sign {
    /// Its token: right, or not taken.
    Token(Option<TokenFault>),
    /// The gateway's header line.
    Header(ByHeader),
}

impl Sign {
    fn is_right(self) -> bool {
        match self {
            Self::Token(fault) => fault.is_none(),
            Self::Header(header) => header == ByHeader::Right,
        }
    }

    /// Whether there is nothing of the kind.
    pub(super) fn is_missing(self) -> bool {
        match self {
            Self::Token(fault) => fault == Some(TokenFault::Missing),
            Self::Header(header) => header == ByHeader::Missing,
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(None) => f.write_str("its token is right"),
            Self::Token(Some(fault)) => write!(f, "its token {fault}"),
            Self::Header(ByHeader::Right) => f.write_str("its header line is right"),
            Self::Header(ByHeader::Wrong) => f.write_str("its header line is wrong"),
            Self::Header(ByHeader::Missing | ByHeader::Awaited) => f.write_str("its header line is missing"),
        }
    }
}

/// What the scan tokens of a message are worth to its recipients; by default nothing, and nothing can be signed.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Whether there are keys, so that tokens can be signed and what is read of them is true.
    pub keys: bool,
    /// For each recipient what is to be remembered of its token when it has been used, or why it is not taken.
    pub read: Vec<Result<SpentToken, TokenFault>>,
}

impl Tokens {
    /// Reads the tokens of a message for its recipients, `now` in seconds since 1970; without keys, none of them is known.
    /// Whether one was used before is not known here.
    pub fn read(recipients: &[&Decision], headers: &HeaderFacts, keys: Option<&ScanKeys>, now: u64) -> Self {
        let read = |value| keys.map_or(Err(TokenFault::UnknownKey), |keys| ScanToken::read(value, keys));
        let tokens: Vec<_> = headers.values(SCAN_HEADER).map(read).collect();
        let for_one = |decision: &&Decision| {
            let (scanning, rule) = scanned_for_token(decision).ok_or(TokenFault::Missing)?;
            let mut nearest = TokenFault::Missing;
            for token in &tokens {
                let taken = token.as_ref().map_err(|fault| *fault).and_then(|token| {
                    token.for_recipient(&scanning.domain, &scanning.address, now, rule.valid)
                });
                match taken {
                    Ok(spent) => return Ok(spent),
                    Err(fault) => nearest = nearest.max(fault),
                }
            }
            Err(nearest)
        };
        Self { keys: true, read: recipients.iter().map(for_one).collect() }
    }
}

/// Recipients that a message has to carry tokens for when it is sent to be scanned, by domain.
pub fn to_sign<'a>(recipients: &[&'a Decision]) -> BTreeMap<&'a Domain, Vec<&'a ScanAddress>> {
    let mut by_domain: BTreeMap<&Domain, Vec<&ScanAddress>> = BTreeMap::new();
    for decision in recipients.iter().filter(|decision| decision.scanner().is_some()) {
        if let Some((scanning, _)) = scanned_for_token(decision) {
            by_domain.entry(&scanning.domain).or_default().push(&scanning.address);
        }
    }
    by_domain
}

/// How a recipient's mail is scanned, where a token shows it.
fn scanned_for_token(decision: &Decision) -> Option<(&Scanning, &ScanRule)> {
    let rule = decision.domain.as_ref()?.scan.as_ref()?;
    let scanning = decision.scanning.as_deref()?;
    (rule.on_return == OnReturn::Token).then_some((scanning, rule))
}

/// What becomes of a message because of scanning.
#[derive(Clone, Debug, Default)]
pub(super) enum Passage {
    /// Nothing: nobody's mail is scanned, or it goes on without.
    #[default]
    Direct,
    /// It came back scanned; these tokens have been used when it is accepted.
    Scanned(Box<[SpentToken]>),
    /// It goes to the scanner.
    Away,
}

impl Scanning {
    /// What is to be kept of a recipient; nothing where its mail is not scanned.
    pub(super) fn begin(
        policy: &Policy,
        own: &DomainPolicy,
        (mailbox, domain): (&Mailbox, &Domain),
        client: &Client,
        answers: &Answers,
    ) -> Option<Box<Self>> {
        let rule = own.scan.as_ref().filter(|_| own.mode > Mode::Inactive)?;
        let gateway = policy.gateways().find(rule.gateway)?;
        let is_down = policy.servers().find(rule.via).is_some_and(|server| server.down);
        let steers = own.mode > Mode::Monitor && !(is_down && rule.on_down == OnScannerDown::Deliver);
        Some(Box::new(Self {
            domain: domain.clone(),
            address: ScanAddress::of(mailbox),
            from: Candidate::new(gateway, client, answers),
            to: steers.then_some(rule.via),
        }))
    }

    /// Where mail goes that was not scanned.
    pub(super) fn to(&self) -> Option<ServerId> {
        self.to
    }

    /// The recipient's domain.
    pub(super) fn domain(&self) -> &Domain {
        &self.domain
    }
}

/// What is to be done with a message for one recipient, the weakest first: of several recipients the strongest counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Fate {
    Scanned,
    Deliver,
    Away,
    Unknown,
    Loop,
}

/// What scanning comes to for a message.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pub(super) passage: Passage,
    /// By domain, whose recipients have one policy.
    by_domain: HashMap<*const DomainPolicy, (Fate, Vec<Finding>)>,
}

impl Scans {
    /// Looks whether a message was scanned for those whom it will be delivered to.
    pub(super) fn of(
        policy: &Policy,
        recipients: &[&Decision],
        headers: &HeaderFacts,
        tokens: &Tokens,
    ) -> Self {
        let mut scans = Self::default();
        let mut spent = Vec::new();
        let mut strongest = None;
        for (at, decision) in recipients.iter().enumerate() {
            let (Some(domain), Some(scanning)) = (&decision.domain, decision.scanning.as_deref()) else {
                continue;
            };
            let Some(rule) = domain.scan.as_ref().filter(|_| decision.applied != Verdict::Discard) else {
                continue;
            };
            let token = tokens.read.get(at).copied().unwrap_or(Err(TokenFault::Missing));
            let found = Found::of(scanning, rule, headers, token);
            let (fate, findings) = found.weigh(policy, domain, rule, headers, tokens.keys);
            if scanning.to.is_some() || fate == Fate::Scanned && domain.mode > Mode::Monitor {
                strongest = strongest.max(Some(fate));
                spent.extend(
                    token.ok().filter(|_| fate == Fate::Scanned && rule.on_return == OnReturn::Token),
                );
            }
            let known =
                scans.by_domain.entry(Arc::as_ptr(domain)).or_insert_with(|| (fate, findings.clone()));
            if fate > known.0 {
                *known = (fate, findings);
            }
        }
        scans.passage = match strongest {
            Some(Fate::Scanned) => Passage::Scanned(spent.into()),
            Some(Fate::Away | Fate::Unknown | Fate::Loop) => Passage::Away,
            Some(Fate::Deliver) | None => Passage::Direct,
        };
        scans
    }

    /// What was found for a domain.
    pub(super) fn findings(&self, domain: &Arc<DomainPolicy>) -> impl Iterator<Item = Finding> {
        let found = self.by_domain.get(&Arc::as_ptr(domain));
        found.into_iter().flat_map(|(_, findings)| findings.iter().cloned())
    }

    /// Whether a message has come back scanned to all recipients of a domain.
    pub(super) fn came_back(&self, domain: &Arc<DomainPolicy>) -> bool {
        self.by_domain.get(&Arc::as_ptr(domain)).is_some_and(|(fate, _)| *fate == Fate::Scanned)
    }
}

/// What is seen of a message that should be scanned.
struct Found<'a> {
    gateway: &'a Arc<Gateway>,
    /// Whether the client is the gateway.
    from: Answer,
    sign: Sign,
}

impl<'a> Found<'a> {
    fn of(
        scanning: &'a Scanning,
        rule: &ScanRule,
        headers: &HeaderFacts,
        token: Result<SpentToken, TokenFault>,
    ) -> Self {
        let gateway = &scanning.from.gateway;
        let sign = match rule.on_return {
            OnReturn::Token => Sign::Token(token.err()),
            OnReturn::Strip => Sign::Header(ByHeader::of(gateway, headers)),
        };
        Self { gateway, from: scanning.from.with_headers(headers), sign }
    }

    fn weigh(
        &self,
        policy: &Policy,
        domain: &DomainPolicy,
        rule: &ScanRule,
        headers: &HeaderFacts,
        keys: bool,
    ) -> (Fate, Vec<Finding>) {
        let Self { gateway, from, sign } = self;
        let name = || Arc::clone(&gateway.name);
        let server = policy.servers().find(rule.via);
        let server_name = || server.map_or_else(|| Arc::from(""), |server| Arc::clone(&server.name));
        let delivers = server.is_some_and(|server| server.down) && rule.on_down == OnScannerDown::Deliver;
        // Nothing can be told of tokens without keys, and a message that is away with one must not be a loop for it.
        if rule.on_return == OnReturn::Token && !keys && !delivers {
            return (Fate::Unknown, vec![unknown(Check::Scan, Rule::NoScanKeys)]);
        }
        match from {
            Answer::Yes if sign.is_right() => {
                let rule = Rule::Scanned { gateway: name(), sign: *sign };
                return (Fate::Scanned, vec![passing(Check::Scan, rule)]);
            }
            // It would be scanned for nothing, and in the end be a loop.
            Answer::Unknown if sign.is_right() => {
                let rule = Rule::MayBeScanned { gateway: name(), sign: *sign };
                return (Fate::Unknown, vec![unknown(Check::Scan, rule)]);
            }
            Answer::Yes | Answer::No | Answer::Unknown => {}
        }
        if delivers {
            let rule = Rule::ScannerDown { server: server_name() };
            return (Fate::Deliver, vec![not_scanned(rule)]);
        }
        let to_scan =
            not_scanned(Rule::ToScan { server: server_name(), gateway: name(), from: *from, sign: *sign });
        let trips = headers.unanswered_scans();
        if trips < MOST_TRIPS {
            return (Fate::Away, vec![to_scan]);
        }
        // That it cannot be remembered is our own fault.
        if *sign == Sign::Token(Some(TokenFault::Unremembered)) {
            return (Fate::Unknown, vec![unknown(Check::Scan, to_scan.rule)]);
        }
        // Two machines would hand it to each other for ever; there is no such thing as a loop that passes.
        let verdict = match domain.verdicts.loops {
            Verdict::Accept | Verdict::Tag => Verdict::Reject,
            verdict @ (Verdict::Quarantine | Verdict::Discard | Verdict::Defer | Verdict::Reject) => verdict,
        };
        let rule = Rule::ScanTrips { seen: trips };
        (Fate::Loop, vec![to_scan, failing(Check::Loop, rule, Reason::LoopDetected, verdict)])
    }
}

/// It was not scanned, which decides nothing by itself.
fn not_scanned(rule: Rule) -> Finding {
    Finding { check: Check::Scan, answer: Answer::No, rule, reason: Reason::Passed, verdict: Verdict::Accept }
}
