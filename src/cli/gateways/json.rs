// SPDX-License-Identifier: GPL-3.0-or-later
//! Gateways as JSON: everything that the text says, under names that stay. Moments are seconds since 1970.

use super::Opened;
use crate::cli::status::Status;
use crate::gateways::{Change, GatewayStatus, Held, NetworkStatus, SourceStatus, Stamp};
use crate::mail::{CertificatePattern, Network};
use crate::policy::{Gateway, LiveName, Require};
use serde::Serialize;

/// All gateways, and the server that runs.
#[derive(Serialize)]
pub(super) struct ListJson<'a> {
    pub(super) gateways: Vec<GatewayJson<'a>>,
    /// Nothing where none runs or none has told anything yet.
    pub(super) server: Option<&'a Status>,
}

/// A gateway.
#[derive(Serialize)]
pub(super) struct GatewayJson<'a> {
    name: &'a str,
    provider: Option<&'a str>,
    /// How many networks are in force.
    size: usize,
    /// Whether every source has answered at least once.
    complete: bool,
    /// Names that are asked for each client.
    live: Vec<&'a str>,
    /// `any`, or the factors that it must show.
    require: Vec<&'static str>,
    certificate: Vec<&'a str>,
    fingerprint: Vec<String>,
    header: Option<&'a str>,
    accept_private: bool,
    sources: Vec<SourceJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<Vec<NetworkJson>>,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    name: &'a str,
    kind: &'static str,
    networks: usize,
    live: Vec<&'a str>,
    loaded: Option<u64>,
    checked: Option<u64>,
    due: Option<u64>,
    validated: bool,
    trouble: Option<TroubleJson<'a>>,
    held: Option<HeldJson>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct TroubleJson<'a> {
    since: u64,
    why: &'a str,
}

#[derive(Serialize)]
struct HeldJson {
    /// `shrink` or `growth`.
    change: &'static str,
    had: usize,
    has: usize,
    gone: usize,
}

/// A network and where it comes from.
#[derive(Serialize)]
pub(super) struct NetworkJson {
    network: String,
    /// None of it for a network of the configuration.
    origins: Vec<OriginJson>,
}

#[derive(Serialize)]
struct OriginJson {
    source: String,
    via: String,
    first_seen: u64,
    last_seen: u64,
    missing_since: Option<u64>,
    outside: bool,
}

impl<'a> GatewayJson<'a> {
    /// A gateway, with its networks if they are wanted.
    pub(super) fn of(opened: &'a Opened, status: &'a GatewayStatus, networks: bool) -> Self {
        let GatewayStatus { gateway, networks: found, sources } = status;
        let Gateway {
            name,
            addresses,
            certificate,
            fingerprints,
            header,
            require,
            behind: _,
            accept_private,
        } = &**gateway;
        let written = opened.written(name);
        Self {
            name,
            provider: written.and_then(|written| written.provider.as_deref()),
            size: addresses.as_ref().map_or(0, |addresses| addresses.networks.len()),
            complete: addresses.as_ref().is_none_or(|addresses| addresses.complete),
            live: addresses
                .iter()
                .flat_map(|addresses| addresses.live.iter().map(LiveName::as_str))
                .collect(),
            require: required(*require),
            certificate: certificate.iter().map(CertificatePattern::as_str).collect(),
            fingerprint: fingerprints.iter().map(ToString::to_string).collect(),
            header: header.as_ref().map(|header| &*header.name),
            accept_private: *accept_private,
            sources: sources.iter().map(SourceJson::of).collect(),
            networks: networks.then(|| found.iter().map(NetworkJson::of).collect()),
        }
    }
}

fn required(require: Require) -> Vec<&'static str> {
    match require {
        Require::Any => vec!["any"],
        Require::All { address, certificate, header } => {
            [(address, "address"), (certificate, "certificate"), (header, "header")]
                .into_iter()
                .filter_map(|(is, name)| is.then_some(name))
                .collect()
        }
    }
}

impl<'a> SourceJson<'a> {
    fn of(status: &'a SourceStatus) -> Self {
        let SourceStatus {
            source: _,
            kind,
            name,
            networks,
            live,
            loaded,
            checked,
            due,
            trouble,
            validated,
            notes,
            held,
        } = status;
        Self {
            name,
            kind,
            networks: *networks,
            live: live.iter().map(LiveName::as_str).collect(),
            loaded: loaded.map(Stamp::seconds),
            checked: checked.map(Stamp::seconds),
            due: due.map(Stamp::seconds),
            validated: *validated,
            trouble: trouble
                .as_ref()
                .map(|trouble| TroubleJson { since: trouble.since.seconds(), why: &trouble.why }),
            held: held.as_ref().map(HeldJson::of),
            notes,
        }
    }
}

impl HeldJson {
    fn of(held: &Held) -> Self {
        let Held { change, had, has, gone, proposed: _ } = held;
        let change = match change {
            Change::Shrink => "shrink",
            Change::Growth => "growth",
        };
        Self { change, had: *had, has: *has, gone: *gone }
    }
}

impl NetworkJson {
    fn of(found: &NetworkStatus) -> Self {
        let origins = found.origin.iter().map(|origin| OriginJson {
            source: origin.source.clone(),
            via: origin.via.to_string(),
            first_seen: origin.first_seen.seconds(),
            last_seen: origin.last_seen.seconds(),
            missing_since: origin.missing_since.map(Stamp::seconds),
            outside: origin.outside,
        });
        Self { network: found.network.to_string(), origins: origins.collect() }
    }

    /// A network that was put together or split, with the origins of all that it has a part of.
    pub(super) fn of_part(network: Network, status: &GatewayStatus) -> Self {
        let touches = |other: &Network| {
            other.is_ipv4() == network.is_ipv4()
                && other.first() <= network.last()
                && network.first() <= other.last()
        };
        let origins = status.networks.iter().filter(|found| touches(&found.network)).map(Self::of);
        Self { network: network.to_string(), origins: origins.flat_map(|found| found.origins).collect() }
    }
}
