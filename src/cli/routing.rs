// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers, routing rules and scanning as the policy knows them, from the configuration.

use crate::config;
use crate::mail::MailboxSetBuilder;
use crate::policy::{GatewayId, GroupName, Route, ScanRule, Server, ServerId, Servers, Unrouted};
use std::collections::HashMap;
use std::sync::Arc;

/// Where each server is.
pub(super) type Places = HashMap<Arc<str>, ServerId>;

pub(super) fn servers(servers: &[config::Server]) -> (Servers, Places) {
    let mut by_place = Servers::default();
    let mut places = Places::new();
    for server in servers {
        let config::Server { name, kind: _, hosts, tls, health: _, place: _ } = server;
        let server =
            Server { name: Arc::clone(name), hosts: hosts.clone().into(), tls: tls.clone(), down: false };
        places.insert(Arc::clone(name), by_place.add(server));
    }
    (by_place, places)
}

/// The rules. A group of any directory is one of each that can have groups.
pub(super) fn routes(
    routes: &[config::Route],
    servers: &Places,
    directories: &[config::Directory],
) -> Vec<Route> {
    let placed = |group: &GroupName| -> Vec<GroupName> {
        let may_have = directories.iter().filter(|directory| directory.may_have(group));
        let all = may_have.map(|directory| GroupName {
            directory: Some(Arc::clone(&directory.name)),
            name: Arc::clone(&group.name),
        });
        let all: Vec<GroupName> = all.collect();
        // Without any groups at all it would be for everyone.
        if all.is_empty() { vec![group.clone()] } else { all }
    };
    let route = |route: &config::Route| {
        let config::Route { name, groups, recipients, domains, to, place: _ } = route;
        let mut mailboxes = MailboxSetBuilder::new();
        for mailbox in recipients {
            mailboxes.insert(mailbox);
        }
        Some(Route {
            name: Arc::clone(name),
            groups: groups.iter().flat_map(placed).collect(),
            recipients: Arc::new(mailboxes.build()),
            domains: domains.clone().map(Into::into),
            // Nobody else sees a configuration whose servers are not all there.
            to: *servers.get(to)?,
        })
    };
    routes.iter().filter_map(route).collect()
}

/// Where mail of a domain goes that no rule is for.
pub(super) fn unrouted(
    written: Option<&config::Unrouted>,
    domain: &config::Domain,
    routes: &[Route],
    servers: &Places,
) -> Unrouted {
    let is_for = |route: &Route| route.is_for(&domain.pattern, domain.alias_of.as_ref());
    match written {
        Some(config::Unrouted::Reject) => Unrouted::Reject,
        Some(config::Unrouted::Server(name)) => {
            servers.get(name).map_or(Unrouted::Reject, |server| Unrouted::Server(*server))
        }
        None if routes.iter().any(is_for) => Unrouted::Reject,
        Some(config::Unrouted::Pass) | None => Unrouted::Pass,
    }
}

pub(super) fn scan(
    scan: &config::DomainScan,
    servers: &Places,
    gateways: &HashMap<Arc<str>, GatewayId>,
) -> Option<ScanRule> {
    let config::DomainScan { via, gateway, on_return, valid, on_scanner_down, place: _ } = scan;
    Some(ScanRule {
        via: *servers.get(via)?,
        gateway: *gateways.get(gateway)?,
        on_return: *on_return,
        valid: u32::try_from(valid.as_secs()).unwrap_or(u32::MAX),
        on_down: *on_scanner_down,
    })
}
