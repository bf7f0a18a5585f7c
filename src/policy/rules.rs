// SPDX-License-Identifier: GPL-3.0-or-later
//! The rules that decisions follow: one immutable picture, replaced whole when anything in it changes.

use super::{
    Directories, DirectoryId, Gateway, GatewayId, Gateways, Mode, Reason, RecipientRules, Replies,
    Reputation, Route, ScanRule, Servers, Unrouted, Verdict,
};
use crate::mail::{
    Client, Domain, DomainPattern, DomainTable, HeaderWatch, Mailbox, NetworkSet, Recipient, SCAN_HEADER,
    VIA_HEADER,
};
use std::sync::Arc;

/// Everything that a decision needs.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub(super) internal: Internal,
    unlisted: Unlisted,
    pub(super) domains: Arc<DomainTable<Arc<DomainPolicy>>>,
    gateways: Gateways,
    directories: Directories,
    pub(super) loops: LoopRule,
    pub(super) reputation: Reputation,
    servers: Servers,
    routes: Arc<[Route]>,
    strictest: Mode,
    scans: bool,
    /// Those that any domain names, by place.
    in_use: Arc<[GatewayId]>,
    watch: Arc<HeaderWatch>,
    asks: bool,
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
    /// Who exists; where there are none, recipients are not checked, unless `recipients` says so.
    pub directories: Vec<DirectoryId>,
    /// Each of these characters parts a subaddress from its mailbox (RFC 5233).
    pub subaddress: Box<str>,
    /// How else recipients are looked up, and what becomes of unknown ones.
    pub recipients: RecipientRules,
    /// Where mail goes that no routing rule is for.
    pub unrouted: Unrouted,
    /// How it is scanned, where it is.
    pub scan: Option<ScanRule>,
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
    Gateways(Vec<GatewayId>),
}

/// What each check asks for when it fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdicts {
    /// The client is no gateway.
    pub source: Verdict,
    /// The recipient is unknown.
    pub recipient: Verdict,
    /// No routing rule is for the recipient.
    pub route: Verdict,
    /// The message loops.
    pub loops: Verdict,
    /// The client has a bad reputation.
    pub reputation: Verdict,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self {
            source: Reason::SourceNotGateway.default_verdict(),
            recipient: Reason::RecipientUnknown.default_verdict(),
            route: Reason::NoRoute.default_verdict(),
            loops: Reason::LoopDetected.default_verdict(),
            reputation: Reason::Listed.default_verdict(),
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
        gateways: Gateways,
        directories: Directories,
        loops: LoopRule,
        reputation: Reputation,
    ) -> Self {
        let strictest = domains.values().map(|domain| domain.mode).max().unwrap_or(Mode::Inactive);
        let scans = domains.values().any(|domain| domain.scan.is_some() && domain.mode > Mode::Inactive);
        let watch = Arc::new(watch(&loops, &gateways, scans));
        let asks = asks(&gateways, reputation);
        let in_use = in_use(&domains);
        let domains = Arc::new(domains);
        Self {
            internal,
            unlisted,
            domains,
            gateways,
            directories,
            loops,
            reputation,
            servers: Servers::default(),
            routes: Arc::from([]),
            strictest,
            scans,
            in_use,
            watch,
            asks,
        }
    }

    /// The same policy with these servers, and these rules, in order, by which mail goes to them.
    #[must_use]
    pub fn with_routing(self, servers: Servers, routes: impl Into<Arc<[Route]>>) -> Self {
        Self { servers, routes: routes.into(), ..self }
    }

    /// The same policy with other servers in the same places.
    #[must_use]
    pub fn with_servers(&self, servers: Servers) -> Self {
        Self { servers, ..self.clone() }
    }

    /// All servers.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The routing rules, in order.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The same policy with other gateways in the same places.
    #[must_use]
    pub fn with_gateways(&self, gateways: Gateways) -> Self {
        let watch = Arc::new(watch(&self.loops, &gateways, self.scans));
        let asks = asks(&gateways, self.reputation);
        Self { gateways, watch, asks, ..self.clone() }
    }

    /// The same policy with other directories in the same places.
    #[must_use]
    pub fn with_directories(&self, directories: Directories) -> Self {
        Self { directories, ..self.clone() }
    }

    /// All directories.
    pub fn directories(&self) -> &Directories {
        &self.directories
    }

    /// All gateways.
    pub fn gateways(&self) -> &Gateways {
        &self.gateways
    }

    /// The gateways that any listed domain names.
    pub(super) fn gateways_in_use(&self) -> impl Iterator<Item = &Arc<Gateway>> {
        self.in_use.iter().filter_map(|id| self.gateways.find(*id))
    }

    /// What is asked about clients that are no gateway.
    pub fn reputation(&self) -> Reputation {
        self.reputation
    }

    /// What is looked for in headers.
    pub fn watch(&self) -> &HeaderWatch {
        &self.watch
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
        (self.loops.is_on() || !self.watch.names.is_empty()) && self.strictest > Mode::Inactive
    }

    /// Whether any client's certificate matters.
    pub fn needs_certificate(&self) -> bool {
        let matters = |gateway: &Arc<Gateway>| !gateway.certificate.is_empty();
        self.strictest > Mode::Inactive && self.gateways.iter().any(matters)
    }

    /// Whether any client's certificate is known by its fingerprint.
    pub fn needs_fingerprints(&self) -> bool {
        let matters = |gateway: &Arc<Gateway>| !gateway.fingerprints.is_empty();
        self.strictest > Mode::Inactive && self.gateways.iter().any(matters)
    }

    /// Whether there is anything that the network could have to be asked about a client.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Whether a client's address can make it a gateway, or a stranger of bad repute, so that it matters whose it is.
    pub fn trusts_addresses(&self) -> bool {
        let trusts = |gateway: &Arc<Gateway>| gateway.addresses.is_some() && !gateway.accept_private;
        self.reputation.is_on() || self.gateways.iter().any(trusts)
    }

    /// Whether a client is internal.
    pub fn is_internal(&self, client: &Client) -> bool {
        self.internal.find(client).is_some()
    }

    /// Whether the mail of any domain is scanned.
    pub fn scans(&self) -> bool {
        self.scans
    }

    /// For how long a scan token may be valid at most, in seconds.
    pub fn longest_scan(&self) -> u32 {
        self.domains.values().filter_map(|domain| Some(domain.scan.as_ref()?.valid)).max().unwrap_or(0)
    }

    /// The gateways that a domain's mail may come from; those that it names first, then the one that it is scanned by.
    pub(super) fn gateways_of<'a>(
        &'a self,
        domain: &'a DomainPolicy,
    ) -> impl Iterator<Item = &'a Arc<Gateway>> {
        let ids = match &domain.source {
            Source::Any => &[],
            Source::Gateways(ids) => ids.as_slice(),
        };
        let scan = domain.scan.as_ref().map(|scan| scan.gateway).filter(|scan| !ids.contains(scan));
        ids.iter().copied().chain(scan).filter_map(|id| self.gateways.find(id))
    }

    /// The names of the header lines by which a domain's gateways are known.
    pub(super) fn header_names<'a>(&'a self, domain: &'a DomainPolicy) -> impl Iterator<Item = &'a str> {
        self.gateways_of(domain).filter_map(|gateway| Some(&*gateway.header.as_ref()?.name))
    }

    /// Whether any domain can ask for this verdict, so that a door can ask its MTA for what carrying it out takes.
    pub fn can_ask(&self, verdict: Verdict) -> bool {
        let behind = self.gateways.iter().any(|gateway| gateway.behind == Some(verdict));
        self.unlisted.verdict == verdict
            || self.domains.values().any(|domain| {
                let Verdicts { source, recipient, route, loops, reputation } = domain.verdicts;
                let behind = behind.then_some(verdict);
                let mut asked = [source, recipient, route, loops, reputation].into_iter().chain(behind);
                asked.any(|v| domain.mode.apply(v) == verdict)
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

/// The gateways that any domain names, each once.
fn in_use(domains: &DomainTable<Arc<DomainPolicy>>) -> Arc<[GatewayId]> {
    let named = domains.values().flat_map(|domain| match &domain.source {
        Source::Any => [].as_slice(),
        Source::Gateways(ids) => ids.as_slice(),
    });
    let mut ids: Vec<GatewayId> = named.copied().collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

/// Whether anything can need asking: a live name, or a reputation.
fn asks(gateways: &Gateways, reputation: Reputation) -> bool {
    let mut addresses = gateways.iter().filter_map(|gateway| gateway.addresses.as_ref());
    reputation.is_on() || addresses.any(|addresses| !addresses.live.is_empty())
}

/// What headers are looked at for: our loop token, the lines by which gateways are known, the hops before one, and what
/// mail is sent to a scanner with.
fn watch(loops: &LoopRule, gateways: &Gateways, scans: bool) -> HeaderWatch {
    let own = [SCAN_HEADER, VIA_HEADER].into_iter().filter(|_| scans);
    let mut names: Vec<Box<str>> = own.map(Into::into).collect();
    for gateway in gateways.iter() {
        let hops = gateway.behind.map(|_| "Received");
        for name in gateway.header.iter().map(|header| &*header.name).chain(hops) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.into());
            }
        }
    }
    HeaderWatch { loop_id: loops.id.clone(), names: names.into() }
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
