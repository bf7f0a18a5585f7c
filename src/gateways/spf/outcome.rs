// SPDX-License-Identifier: GPL-3.0-or-later
//! What a tree of SPF records comes to: for each address whether it passes, fails to, or cannot be told without asking
//! for that one address.
//!
//! Terms are taken in their order (RFC 7208 4.6.2). An address is settled by the first term that matches it. Where a
//! term can only be asked about one client, an address may have been settled there: it still passes for certain when
//! it could only have passed there and passes later anyway, and likewise for failing; otherwise it is unsure.

use super::tree::{Matches, Otherwise, Tree};
use super::{MAX_NETWORKS, MIN_PREFIX};
use crate::gateways::{Published, PublishedNetwork, SourceError};
use crate::mail::{AddressRanges, Network};
use crate::policy::LiveName;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// What a record comes to.
#[derive(Debug, Default)]
struct Outcome {
    /// What passes for certain, piece by piece; pieces may overlap.
    passing: Vec<Piece>,
    /// All of it.
    passed: AddressRanges,
    /// What may or may not pass.
    unsure: AddressRanges,
    /// A term that is too wide for a gateway, and may have passed some of that.
    too_wide: Option<Arc<str>>,
}

/// Addresses that one term passes.
#[derive(Clone, Debug)]
struct Piece {
    addresses: AddressRanges,
    /// The network that was published, as long as nothing has been cut from it.
    whole: Option<Network>,
    /// Whether the term is too wide for a gateway. One that excludes may be as wide as it likes, so that is a matter of
    /// what is left in the end.
    too_wide: bool,
    via: Arc<str>,
}

impl Piece {
    fn everyone(via: String) -> Self {
        Self { addresses: AddressRanges::all(), whole: None, too_wide: true, via: via.into() }
    }

    /// Without these addresses.
    fn cut(&self, addresses: &AddressRanges) -> Option<Self> {
        let left = self.addresses.difference(addresses);
        if left.is_empty() {
            return None;
        }
        let whole = self.whole.filter(|_| left == self.addresses);
        Some(Self { addresses: left, whole, too_wide: self.too_wide, via: Arc::clone(&self.via) })
    }
}

/// A record on the way through its terms.
#[derive(Default)]
struct Progress {
    outcome: Outcome,
    /// Settled, and not passing for certain.
    denied: AddressRanges,
    /// Not settled, and may have passed at a term that only the client can be asked about.
    may_pass: AddressRanges,
    /// Not settled, and may have failed there.
    may_fail: AddressRanges,
}

impl Progress {
    /// These addresses match a term that passes them.
    fn pass(&mut self, pieces: &[Piece]) {
        let settled = self.denied.union(&self.may_fail);
        let mut matched = AddressRanges::default();
        for piece in pieces {
            matched = matched.union(&piece.addresses);
            if piece.too_wide && !self.open(&piece.addresses).intersection(&self.may_fail).is_empty() {
                self.outcome.too_wide.get_or_insert_with(|| Arc::clone(&piece.via));
            }
            if let Some(piece) = piece.cut(&settled) {
                self.outcome.passed = self.outcome.passed.union(&piece.addresses);
                self.outcome.passing.push(piece);
            }
        }
        self.doubt(&matched.intersection(&self.may_fail));
    }

    /// These addresses match a term that does not pass them.
    fn fail(&mut self, matched: &AddressRanges) {
        let matched = self.open(matched);
        self.doubt(&matched.intersection(&self.may_pass));
        self.denied = self.denied.union(&matched);
    }

    /// These addresses may match a term.
    fn ask(&mut self, matched: &AddressRanges, passes: bool) {
        let matched = self.open(matched);
        let may = if passes { &mut self.may_pass } else { &mut self.may_fail };
        *may = may.union(&matched);
    }

    /// These addresses are settled, one way or the other.
    fn doubt(&mut self, addresses: &AddressRanges) {
        let addresses = self.open(addresses);
        self.outcome.unsure = self.outcome.unsure.union(&addresses);
        self.denied = self.denied.union(&addresses);
    }

    /// Those of these addresses that are not settled.
    fn open(&self, addresses: &AddressRanges) -> AddressRanges {
        addresses.difference(&self.denied).difference(&self.outcome.passed)
    }

    fn finish(mut self) -> Outcome {
        // Whoever is left fails.
        self.fail(&AddressRanges::all());
        self.outcome
    }
}

/// What the root of a tree publishes; `live` is its name, for what is unsure.
pub(super) fn publish(tree: &Tree, live: LiveName) -> Result<Published, SourceError> {
    let Outcome { passing, unsure, too_wide, .. } = evaluate(tree, 0);
    // An IPv4-mapped client is an IPv4 client (RFC 7208 5), so what is written about such addresses matches no one.
    let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
    let mapped: AddressRanges = Network::around(IpAddr::V6(mapped), 96).into_iter().collect();
    let widest = passing.iter().find(|piece| piece.too_wide).map(|piece| &piece.via).or(too_wide.as_ref());
    if let Some(via) = widest {
        let (v4, v6) = MIN_PREFIX;
        let why = format!(
            "{via} passes more than a gateway can have (networks of at least /{v4}, or /{v6} for IPv6)"
        );
        return Err(SourceError::Wrong(why));
    }
    let mut networks = Vec::new();
    let mut seen = HashSet::new();
    for piece in passing.iter().filter_map(|piece| piece.cut(&mapped)) {
        let parts: Vec<Network> = match piece.whole {
            Some(whole) => vec![whole],
            None => piece.addresses.networks().take(MAX_NETWORKS + 1).collect(),
        };
        for network in parts {
            if seen.insert(network) {
                networks.push(PublishedNetwork { network, via: Arc::clone(&piece.via) });
            }
        }
        if networks.len() > MAX_NETWORKS {
            let why = format!("{}: more than {MAX_NETWORKS} networks", piece.via);
            return Err(SourceError::Wrong(why));
        }
    }
    let is_exact = unsure.difference(&mapped).is_empty();
    let live = if is_exact { Vec::new() } else { vec![live] };
    let Tree { ttl, validated, notes, .. } = tree;
    Ok(Published { networks, live, ttl: *ttl, validated: *validated, notes: notes.clone() })
}

/// Goes through the terms of one record. Records cannot come back to themselves, and are at most as deep as there are terms.
fn evaluate(tree: &Tree, at: usize) -> Outcome {
    let mut progress = Progress::default();
    let Some(node) = tree.nodes.get(at) else { return progress.finish() };
    for clause in &node.clauses {
        let way = || format!("{} > {}", node.via, clause.text);
        match (&clause.matches, clause.passes) {
            (Matches::NoOne, _) => {}
            (Matches::Everyone, true) => progress.pass(&[Piece::everyone(way())]),
            (Matches::Everyone, false) => progress.fail(&AddressRanges::all()),
            (Matches::Networks(networks), true) => progress.pass(&pieces(networks, way())),
            (Matches::Networks(networks), false) => progress.fail(&networks.iter().copied().collect()),
            (Matches::PerClient, passes) => progress.ask(&AddressRanges::all(), passes),
            (Matches::Record(included), passes) => {
                let Outcome { passing, passed, unsure, too_wide } = evaluate(tree, *included);
                if passes {
                    progress.pass(&passing);
                    progress.outcome.too_wide = progress.outcome.too_wide.or(too_wide);
                } else {
                    progress.fail(&passed);
                }
                progress.ask(&unsure, passes);
            }
        }
    }
    match node.otherwise {
        Otherwise::Neutral => {}
        Otherwise::Record(other) => {
            let Outcome { passing, unsure, too_wide, .. } = evaluate(tree, other);
            progress.pass(&passing);
            progress.outcome.too_wide = progress.outcome.too_wide.or(too_wide);
            progress.doubt(&unsure);
        }
        Otherwise::PerClient => progress.doubt(&AddressRanges::all()),
    }
    progress.finish()
}

fn pieces(networks: &[Network], via: String) -> Vec<Piece> {
    let via: Arc<str> = via.into();
    let (min_v4, min_v6) = MIN_PREFIX;
    let piece = |&network: &Network| Piece {
        addresses: network.into(),
        whole: Some(network),
        too_wide: network.prefix_len() < if network.first().is_ipv4() { min_v4 } else { min_v6 },
        via: Arc::clone(&via),
    };
    networks.iter().map(piece).collect()
}
