// SPDX-License-Identifier: GPL-3.0-or-later
//! How gateways stand, from the plan and the snapshots alone: the same beside a running server as without one.

use super::archive::Snapshots;
use super::plan::{Plan, Planned};
use super::snapshot::{Held, Snapshot, Trouble};
use super::source::{kind, label};
use crate::config::AddressSource;
use crate::mail::Network;
use crate::policy::{self, LiveName};
use crate::store::Stamp;
use std::sync::Arc;

/// How one gateway stands.
#[derive(Clone, Debug)]
pub struct GatewayStatus {
    /// The gateway as it is in force: its name, addresses and factors.
    pub gateway: Arc<policy::Gateway>,
    /// Its networks with where they come from, as published; those outside `subset_of` are marked.
    pub networks: Vec<NetworkStatus>,
    /// Its sources, in the order of the configuration.
    pub sources: Vec<SourceStatus>,
}

/// One network of a gateway.
#[derive(Clone, Debug)]
pub struct NetworkStatus {
    /// The network.
    pub network: Network,
    /// Where it comes from; nothing when it stands in the configuration or a file of it.
    pub origin: Option<Origin>,
}

/// Where a published network comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The source, as [`SourceStatus::name`] has it.
    pub source: String,
    /// The way to it, from the source's own name to the record.
    pub via: Arc<str>,
    /// When it was first published.
    pub first_seen: Stamp,
    /// When it was last published.
    pub last_seen: Stamp,
    /// Since when it is published no longer; it is used until `removal_hold` is over.
    pub missing_since: Option<Stamp>,
    /// Whether it lies, wholly or in part, outside `subset_of`, so that this part is not used.
    pub outside: bool,
}

/// One source of a gateway.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// What it is.
    pub source: AddressSource,
    /// `spf`, `host` or `feed`.
    pub kind: &'static str,
    /// Kind and name.
    pub name: String,
    /// How many networks it has given.
    pub networks: usize,
    /// What is asked of it for each client, because it cannot be enumerated.
    pub live: Vec<LiveName>,
    /// When its set was last known to be good; nothing when it never was.
    pub loaded: Option<Stamp>,
    /// When it was last asked.
    pub checked: Option<Stamp>,
    /// When it will be asked next.
    pub due: Option<Stamp>,
    /// What is wrong with it at the moment.
    pub trouble: Option<Trouble>,
    /// Whether every answer was validated (DNSSEC).
    pub validated: bool,
    /// What an administrator should know, a sentence each.
    pub notes: Vec<String>,
    /// A change that was stopped.
    pub held: Option<Held>,
}

/// How each gateway of a plan stands.
pub fn status(plan: &Plan, snapshots: &Snapshots) -> Vec<GatewayStatus> {
    plan.gateways().iter().map(|planned| one(planned, snapshots)).collect()
}

fn one(planned: &Planned, snapshots: &Snapshots) -> GatewayStatus {
    let composed = planned.compose(snapshots);
    let fixed = planned.fixed().addresses.iter().flat_map(|addresses| addresses.networks.iter());
    let mut networks: Vec<NetworkStatus> =
        fixed.map(|network| NetworkStatus { network: *network, origin: None }).collect();
    let mut sources = Vec::new();
    for source in planned.sources() {
        let nothing = Snapshot::default();
        let snapshot = snapshots.get(source).unwrap_or(&nothing);
        let before = networks.len();
        for entry in snapshot.in_force(planned.removal_hold()) {
            let Some(network) = entry.item.network() else { continue };
            let origin = Origin {
                source: label(source),
                via: Arc::clone(&entry.via),
                first_seen: entry.first_seen,
                last_seen: entry.last_seen,
                missing_since: entry.missing_since,
                outside: composed.outside.contains(&network),
            };
            networks.push(NetworkStatus { network, origin: Some(origin) });
        }
        sources.push(SourceStatus {
            source: source.clone(),
            kind: kind(source),
            name: label(source),
            networks: networks.len() - before,
            live: snapshot.live(planned.removal_hold()).cloned().collect(),
            loaded: snapshot.loaded,
            checked: snapshot.checked,
            due: snapshot.due,
            trouble: snapshot.trouble.clone(),
            validated: snapshot.validated,
            notes: snapshot.notes.clone(),
            held: snapshot.held.clone(),
        });
    }
    networks.sort_by_key(|found| found.network);
    GatewayStatus { gateway: composed.gateway, networks, sources }
}
