// SPDX-License-Identifier: GPL-3.0-or-later
//! Networks that two gateways of different domains have in common: what comes from there passes for both.

use super::Check;
use crate::config::file::{self, Named};
use crate::config::words::Gateways;
use crate::config::{Place, Problem};
use crate::mail::Network;
use std::collections::{BTreeMap, HashSet};

/// Pairs that are shown.
const MAX_SHOWN: usize = 20;

/// A network with its gateway and place.
pub(super) type OwnNetwork = (Network, String, Place);

impl Check<'_> {
    /// Says which gateways overlap, each pair once, where some domain has the one and some domain the other alone. Of
    /// networks that lie in several others, the narrowest around it is told.
    pub(super) fn overlaps(&mut self, domains: &Named<file::Domain>) {
        let mut networks = std::mem::take(&mut self.own_networks);
        let mut users: BTreeMap<&str, HashSet<usize>> = BTreeMap::new();
        for (number, table) in domains.values().enumerate() {
            // Mail comes from the gateway that scans a domain's mail, too.
            if let Some(scan) = &table.scan
                && let Some(name) = scan.gateway.as_ref().or(scan.via.as_ref())
            {
                users.entry(name).or_default().insert(number);
            }
            let Some(Gateways::Named(names)) = table.gateways.as_deref() else {
                continue;
            };
            for name in names {
                users.entry(name).or_default().insert(number);
            }
        }
        let apart = |a: &str, b: &str| match (users.get(a), users.get(b)) {
            (Some(a), Some(b)) => !a.is_subset(b) && !b.is_subset(a),
            (Some(_) | None, _) => false,
        };
        // By first address, wide before narrow, so that each network follows those that hold it.
        networks.sort_by_key(|(network, ..)| (network.first(), network.prefix_len()));
        let mut around: Vec<&OwnNetwork> = Vec::new();
        let mut told: HashSet<(&str, &str)> = HashSet::new();
        for entry in &networks {
            let (network, name, place) = entry;
            while around.last().is_some_and(|(outer, ..)| outer.last() < network.first()) {
                around.pop();
            }
            let other = around.iter().rev().find(|(_, other, _)| other != name);
            if let Some((outer, other, first)) = other {
                let pair = if name < other {
                    (name.as_str(), other.as_str())
                } else {
                    (other.as_str(), name.as_str())
                };
                if told.len() < MAX_SHOWN && !told.contains(&pair) && apart(name, other) {
                    told.insert(pair);
                    let what = if network == outer {
                        format!(
                            "`{network}` belongs to the gateways `{name}` and `{other}` of different domains"
                        )
                    } else {
                        format!(
                            "`{network}` lies in `{outer}`, which belongs to another gateway of other domains"
                        )
                    };
                    let help = "what comes from there passes for both; a shared gateway is better named once, and told \
                                apart by a `header`";
                    let problem = Problem::warning(place.clone(), what).help(help);
                    self.problems.push(problem.see(format!("of the gateway `{other}`"), first.clone()));
                }
            }
            around.push(entry);
        }
    }
}
