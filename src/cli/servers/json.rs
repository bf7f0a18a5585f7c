// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers as JSON: everything that the text says, under names that stay. Moments are seconds since 1970.

use super::list::{Known, Uses, kind};
use super::{Probed, certificate, wish};
use crate::cli::status::{HostStanding, Troubled};
use crate::gateways::Stamp;
use crate::servers::Visit;
use serde::Serialize;
use std::net::SocketAddr;

/// All servers.
#[derive(Serialize)]
pub(super) struct ListJson<'a> {
    servers: Vec<ServerJson<'a>>,
    /// Whether a server runs that looks at their hosts.
    serving: bool,
}

#[derive(Serialize)]
struct ServerJson<'a> {
    name: &'a str,
    r#type: &'static str,
    tls: &'static str,
    certificate: Vec<&'a str>,
    /// Seconds between two looks at a host; nothing where nobody looks.
    health: Option<u64>,
    down: bool,
    hosts: Vec<HostJson<'a>>,
    used_by: UsesJson<'a>,
}

#[derive(Serialize)]
struct HostJson<'a> {
    host: &'a str,
    state: HostStanding,
    since: Option<Stamp>,
    /// Whether the last look failed.
    failing: bool,
    /// What came of the last look, in words.
    text: Option<&'a str>,
    /// TLS that is not as is wished.
    tls: Option<&'a Troubled>,
}

#[derive(Serialize)]
struct UsesJson<'a> {
    routes: &'a [&'a str],
    unrouted: &'a [String],
    scan: &'a [String],
}

pub(super) fn listed<'a>(known: &'a [Known<'a>], serving: bool) -> ListJson<'a> {
    let server = |known: &'a Known<'a>| {
        let Known { server, hosts, down, used: Uses { routes, unrouted, scan } } = known;
        let hosts = hosts.iter().map(|(name, host)| HostJson {
            host: name,
            state: host.map_or(HostStanding::Unknown, |host| host.state),
            since: host.and_then(|host| host.since),
            failing: host.is_some_and(|host| host.failing),
            text: host.map(|host| host.text.as_str()).filter(|text| !text.is_empty()),
            tls: host.and_then(|host| host.tls.as_ref()),
        });
        ServerJson {
            name: &server.name,
            r#type: kind(server.kind),
            tls: wish(&server.tls),
            certificate: certificate(&server.tls),
            health: server.health.map(|every| crate::servers::shortest(every).as_secs()),
            down: *down,
            hosts: hosts.collect(),
            used_by: UsesJson { routes, unrouted, scan },
        }
    };
    ListJson { servers: known.iter().map(server).collect(), serving }
}

/// A server that was looked at.
#[derive(Serialize)]
pub(super) struct ProbedJson<'a> {
    server: &'a str,
    hosts: Vec<ProbedHostJson<'a>>,
}

#[derive(Serialize)]
struct ProbedHostJson<'a> {
    host: String,
    /// Nothing where nobody knows.
    takes_mail: Option<bool>,
    /// Whether it takes mail, with TLS as is wished.
    fine: bool,
    visits: Vec<VisitJson<'a>>,
}

#[derive(Serialize)]
struct VisitJson<'a> {
    host: &'a str,
    address: Option<SocketAddr>,
    steps: Vec<StepJson<'a>>,
    /// One word.
    outcome: &'static str,
    text: String,
    advice: Option<&'static str>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    step: &'static str,
    text: &'a str,
}

pub(super) fn probed<'a>(probed: &'a [Probed<'a>]) -> Vec<ProbedJson<'a>> {
    let visit = |visit: &'a Visit| {
        let Visit { host, address, steps, outcome } = visit;
        let steps = steps.iter().map(|(step, text)| StepJson { step: step.as_str(), text });
        VisitJson {
            host,
            address: *address,
            steps: steps.collect(),
            outcome: outcome.as_str(),
            text: outcome.to_string(),
            advice: outcome.advice(),
        }
    };
    let probed = probed.iter().map(|(server, hosts)| ProbedJson {
        server: &server.name,
        hosts: hosts
            .iter()
            .map(|(hop, looked)| ProbedHostJson {
                host: hop.to_string(),
                takes_mail: looked.takes_mail(),
                fine: looked.is_fine(),
                visits: looked.visits.iter().map(visit).collect(),
            })
            .collect(),
    });
    probed.collect()
}
