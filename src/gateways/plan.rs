// SPDX-License-Identifier: GPL-3.0-or-later
//! How gateways are put together: what the configuration and its files say of each, and what its sources add to that.
//!
//! Reading the plan is the part that can go wrong and is done at a reload; composing cannot, and is done whenever a
//! snapshot has changed. Of published networks only what lies in `subset_of` is used.

use super::archive::Snapshots;
use super::snapshot::Snapshot;
use crate::config::{self, AddressSource, FileProblems, Guard, NetworkList, Problems, wide_sum};
use crate::mail::Network;
use crate::policy::{self, Addresses, Gateways, LiveName};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// All gateways, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    gateways: Vec<Planned>,
    sources: HashMap<AddressSource, Use>,
}

/// One gateway.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The gateway with the networks that never change by themselves.
    fixed: Arc<policy::Gateway>,
    sources: Vec<AddressSource>,
    subset_of: Vec<Network>,
    removal_hold: Duration,
}

/// Who uses a source, and how careful all of them together want it to be.
#[derive(Clone, Debug)]
pub struct Use {
    /// Places of its gateways in the plan.
    pub gateways: Vec<usize>,
    /// The longest hold and the smallest shrink of them all. Each gateway lets go of a network after its own hold.
    pub guard: Guard,
}

/// A gateway, put together.
#[derive(Clone, Debug)]
pub struct Composed {
    /// The gateway.
    pub gateway: Arc<policy::Gateway>,
    /// Published networks that lie outside `subset_of`, wholly or in part.
    pub outside: Vec<Network>,
}

impl Plan {
    /// Reads the networks of gateways, and says what is wrong with them.
    pub fn read(gateways: &[config::Gateway], problems: &mut Problems) -> Self {
        let mut plan = Self::default();
        for gateway in gateways {
            plan.add(gateway, problems);
        }
        plan
    }

    fn add(&mut self, gateway: &config::Gateway, problems: &mut Problems) {
        let planned = planned(gateway, problems);
        let place = self.gateways.len();
        for source in &planned.sources {
            let Guard { removal_hold, max_shrink } = gateway.guard;
            let shared = self
                .sources
                .entry(source.clone())
                .or_insert(Use { gateways: Vec::new(), guard: gateway.guard });
            shared.gateways.push(place);
            shared.guard.removal_hold = shared.guard.removal_hold.max(removal_hold);
            shared.guard.max_shrink = shared.guard.max_shrink.min(max_shrink);
        }
        self.gateways.push(planned);
    }

    /// All gateways with what is known of their sources.
    pub fn compose(&self, snapshots: &Snapshots) -> Gateways {
        self.gateways.iter().map(|planned| planned.compose(snapshots).gateway).collect()
    }

    /// The gateways, in the order of the configuration.
    pub fn gateways(&self) -> &[Planned] {
        &self.gateways
    }

    /// Each source once, and its use.
    pub fn sources(&self) -> &HashMap<AddressSource, Use> {
        &self.sources
    }

    /// The sources of the gateways with these names, each once; all sources when no name is given.
    pub fn sources_of(&self, names: &[String]) -> HashSet<AddressSource> {
        let meant =
            |planned: &&Planned| names.is_empty() || names.iter().any(|name| **name == *planned.fixed.name);
        self.gateways.iter().filter(meant).flat_map(|planned| planned.sources.iter().cloned()).collect()
    }

    /// The names of the gateways that use a source, some of them when there are many.
    pub fn users(&self, source: &AddressSource) -> String {
        const SHOWN: usize = 3;
        let places = self.sources.get(source).map(|shared| shared.gateways.as_slice()).unwrap_or_default();
        let users = places.iter().filter_map(|place| self.gateways.get(*place));
        let names: Vec<&str> = users.take(SHOWN).map(|planned| &*planned.fixed.name).collect();
        match places.len().saturating_sub(SHOWN) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}

impl Planned {
    /// The gateway without what its sources add.
    pub fn fixed(&self) -> &Arc<policy::Gateway> {
        &self.fixed
    }

    /// Its sources.
    pub fn sources(&self) -> &[AddressSource] {
        &self.sources
    }

    /// How long it holds a network that is no longer published.
    pub fn removal_hold(&self) -> Duration {
        self.removal_hold
    }

    /// Networks outside of which nothing that is published is used; everything is where empty.
    pub fn subset_of(&self) -> &[Network] {
        &self.subset_of
    }

    /// The gateway with what is known of its sources.
    pub fn compose(&self, snapshots: &Snapshots) -> Composed {
        let Self { fixed, sources, subset_of, removal_hold } = self;
        if sources.is_empty() {
            return Composed { gateway: Arc::clone(fixed), outside: Vec::new() };
        }
        let known: Vec<&Snapshot> = sources.iter().filter_map(|source| snapshots.get(source)).collect();
        let published: HashSet<Network> =
            known.iter().flat_map(|snapshot| snapshot.networks(*removal_hold)).collect();
        let live: HashSet<&LiveName> =
            known.iter().flat_map(|snapshot| snapshot.live(*removal_hold)).collect();
        let mut live: Box<[LiveName]> = live.into_iter().cloned().collect();
        live.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let mut outside: Vec<Network> =
            published.iter().copied().filter(|network| !within(*network, subset_of).eq([*network])).collect();
        outside.sort();
        let fixed_networks = fixed.addresses.iter().flat_map(|addresses| addresses.networks.iter().copied());
        let published = published.into_iter().flat_map(|network| within(network, subset_of));
        let complete = sources.iter().all(|source| snapshots.get(source).is_some_and(Snapshot::is_loaded));
        let networks = fixed_networks.chain(published).collect();
        let bounds = subset_of.iter().copied().collect();
        let addresses = Addresses { networks, complete, live, bounds };
        let gateway = policy::Gateway { addresses: Some(addresses), ..policy::Gateway::clone(fixed) };
        Composed { gateway: Arc::new(gateway), outside }
    }
}

/// The parts of a network that lie in one of these; all of it where there are none. Two networks nest or are disjoint.
fn within(network: Network, bounds: &[Network]) -> impl Iterator<Item = Network> {
    let holds =
        |outer: &Network, inner: &Network| outer.first() <= inner.first() && inner.last() <= outer.last();
    let whole = bounds.is_empty() || bounds.iter().any(|bound| holds(bound, &network));
    let parts = bounds.iter().copied().filter(move |bound| !whole && holds(&network, bound));
    whole.then_some(network).into_iter().chain(parts)
}

fn planned(gateway: &config::Gateway, problems: &mut Problems) -> Planned {
    let config::Gateway {
        name,
        provider: _,
        networks,
        files,
        sources,
        certificate,
        fingerprints,
        header,
        require,
        subset_of,
        guard,
        behind,
        accept_private,
        place,
    } = gateway;
    let mut networks = networks.clone();
    for file in files {
        let mut list = NetworkList::of_gateway(*accept_private);
        file.read("network", problems, |entry, found| {
            let written = entry.text.split('#').next().unwrap_or_default().trim();
            list.add(written, &entry.place(), |problem| found.push(problem));
        });
        let mut found = FileProblems::default();
        networks.extend(list.finish(|problem| found.push(problem)));
        found.give_to(file.named(), problems);
    }
    if let Some(problem) = wide_sum(&networks, place) {
        problems.push(problem);
    }
    let is_known_by_address = !networks.is_empty() || !sources.is_empty();
    let addresses = Addresses {
        networks: networks.into_iter().collect(),
        complete: sources.is_empty(),
        ..Addresses::default()
    };
    let fixed = policy::Gateway {
        name: Arc::clone(name),
        addresses: is_known_by_address.then_some(addresses),
        certificate: certificate.as_slice().into(),
        fingerprints: fingerprints.as_slice().into(),
        header: header.clone(),
        require: *require,
        behind: *behind,
        accept_private: *accept_private,
    };
    Planned {
        fixed: Arc::new(fixed),
        sources: sources.clone(),
        subset_of: subset_of.clone(),
        removal_hold: guard.removal_hold,
    }
}

#[cfg(test)]
mod tests;
