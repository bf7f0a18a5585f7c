// SPDX-License-Identifier: GPL-3.0-or-later
//! What a configuration needs of an MTA, whichever it is: which doors it is to ask, which domains it has to take mail for,
//! which servers mail goes to and how, and what it has to tell of clients.

use crate::config::{self, Config, Door, Listen, Policyd, Unrouted};
use crate::mail::{DomainPattern, NextHop};
use crate::policy::{Mode, Require, TlsWish, Verdict, Verdicts};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// What a configuration needs.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is a thing of its own to need.
pub(super) struct Needs {
    pub(super) milter: Option<Door>,
    pub(super) policyd: Option<Door>,
    pub(super) socketmap: Option<Door>,
    /// Whether the policy service is to discard, which it can at DATA only.
    pub(super) discards: bool,
    /// The domains that the MTA takes mail for.
    pub(super) domains: Vec<Protected>,
    /// Whether unknown recipients matter to any domain.
    pub(super) recipients: bool,
    /// The servers that mail goes to, by rules and for scanning.
    pub(super) servers: Vec<Target>,
    /// Whether any rule says where mail goes.
    pub(super) routes: bool,
    /// Whether any domain's mail goes through a scanner.
    pub(super) scans: bool,
    /// Whether a client's certificate can be a factor, by its name.
    pub(super) certificates: bool,
    /// Whether a client's certificate can be a factor, by its fingerprint.
    pub(super) fingerprints: bool,
    /// Whether this machine itself is an internal client.
    pub(super) loopback_is_internal: bool,
}

/// A domain that is listed.
#[derive(Debug)]
pub(super) struct Protected {
    pub(super) pattern: DomainPattern,
    /// Whether anything is decided about it.
    pub(super) active: bool,
}

/// A server that mail goes to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: Arc<str>,
    pub(super) hosts: Vec<NextHop>,
    pub(super) tls: TlsWish,
    /// Whether rules send mail there.
    pub(super) routed: bool,
    /// Whether mail is scanned there.
    pub(super) scans: bool,
}

impl Needs {
    pub(super) fn of(config: &Config) -> Self {
        let scans = |name: &str| {
            config.domains.iter().any(|domain| domain.scan.as_ref().is_some_and(|scan| *scan.via == *name))
        };
        let servers: Vec<Target> = config
            .servers
            .iter()
            .map(|server| Target {
                name: Arc::clone(&server.name),
                hosts: server.hosts.clone(),
                tls: server.tls.clone(),
                routed: is_routed_to(config, &server.name),
                scans: scans(&server.name),
            })
            .filter(|target| target.routed || target.scans)
            .collect();
        let discards = |domain: &config::Domain| {
            let Verdicts { source, recipient, route, loops, reputation } = domain.verdicts;
            [source, recipient, route, loops, reputation].contains(&Verdict::Discard)
        };
        let alone = config.policyd.as_ref().is_some_and(|policyd| policyd.alone);
        let protected = |domain: &config::Domain| Protected {
            pattern: domain.pattern.clone(),
            active: effective(config, domain).mode != Mode::Inactive,
        };
        Self {
            milter: config.milter.clone(),
            policyd: config.policyd.clone().map(|Policyd { door, alone: _ }| door),
            socketmap: config.socketmap.clone(),
            discards: alone
                && (config.unlisted.verdict == Verdict::Discard || config.domains.iter().any(discards)),
            domains: config.domains.iter().map(protected).collect(),
            recipients: config
                .domains
                .iter()
                .any(|domain| !domain.directories.is_empty() || domain.recipients.is_some()),
            routes: servers.iter().any(|server| server.routed),
            scans: servers.iter().any(|server| server.scans),
            servers,
            certificates: config.gateways.iter().any(shows_name),
            fingerprints: config.gateways.iter().any(shows_fingerprint),
            loopback_is_internal: config.internal.networks.find(Ipv4Addr::LOCALHOST.into()).is_some(),
        }
    }

    /// Servers that want more of a connection than what is offered.
    pub(super) fn demanding(&self) -> impl Iterator<Item = &Target> {
        self.servers.iter().filter(|server| server.tls != TlsWish::May)
    }

    /// Whether a server's certificate is looked at.
    pub(super) fn verifies(&self) -> bool {
        self.servers.iter().any(|server| matches!(server.tls, TlsWish::Verify(_)))
    }
}

fn is_routed_to(config: &Config, name: &str) -> bool {
    let by_default = |domain: &config::Domain| match &domain.unrouted {
        Some(Unrouted::Server(server)) => **server == *name,
        Some(Unrouted::Reject | Unrouted::Pass) | None => false,
    };
    config.routes.iter().any(|route| *route.to == *name) || config.domains.iter().any(by_default)
}

/// The domain whose settings count: of an alias, the one that it is another name for.
fn effective<'a>(config: &'a Config, domain: &'a config::Domain) -> &'a config::Domain {
    let Some(own) = &domain.alias_of else { return domain };
    let is_own = |other: &&config::Domain| other.pattern == DomainPattern::Exact(own.clone());
    config.domains.iter().find(is_own).unwrap_or(domain)
}

fn shows_name(gateway: &config::Gateway) -> bool {
    shows_certificate(gateway) && !gateway.certificate.is_empty()
}

fn shows_fingerprint(gateway: &config::Gateway) -> bool {
    shows_certificate(gateway) && !gateway.fingerprints.is_empty()
}

/// Whether its certificate is looked at.
fn shows_certificate(gateway: &config::Gateway) -> bool {
    match gateway.require {
        Require::All { certificate, .. } => certificate,
        Require::Any => true,
    }
}

/// Where an MTA on this machine reaches a door: its first socket that is not systemd's, whose place only the unit knows.
pub(super) fn reached(door: &Door) -> Option<Listen> {
    door.listen.iter().find_map(at_hand)
}

/// Where it reaches this socket.
pub(super) fn at_hand(listen: &Listen) -> Option<Listen> {
    match listen {
        Listen::Tcp(address) => {
            let ip = match address.ip() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
                ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
            };
            Some(Listen::Tcp(SocketAddr::new(ip, address.port())))
        }
        Listen::Unix(path) => Some(Listen::Unix(path.clone())),
        Listen::Systemd(_) => None,
    }
}
