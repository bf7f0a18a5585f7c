// SPDX-License-Identifier: GPL-3.0-or-later
//! How large a set is, in entries and in addresses of each family, and whether another is too far from it.

use super::extent::{Extent, Ranges};
use super::snapshot::Item;
use crate::mail::Network;
use std::collections::HashSet;

/// A set may become this many times as large at once.
const MAX_GROWTH: usize = 10;
/// Sets below this many networks are taken for as large.
const SMALL: usize = 10;
/// As many IPv4 addresses may always be there: a /15.
const SMALL_V4: u128 = 1 << 17;
/// As many IPv6 addresses may always be there: a /32.
const SMALL_V6: u128 = 1 << 96;

/// A set and how large it is.
pub(super) struct Measured<'a> {
    networks: Vec<Network>,
    live: HashSet<&'a Item>,
    extent: Extent,
}

impl<'a> Measured<'a> {
    /// Measures a set.
    pub(super) fn new(items: impl Iterator<Item = &'a Item>) -> Self {
        let (mut networks, mut live) = (Vec::new(), HashSet::new());
        for item in items {
            match item {
                Item::Network(network) => networks.push(*network),
                Item::Live(_) => drop(live.insert(item)),
            }
        }
        let extent = networks.iter().copied().collect();
        Self { networks, live, extent }
    }

    fn len(&self) -> usize {
        self.networks.len() + self.live.len()
    }

    /// How many of this set the other does not wholly cover.
    pub(super) fn missing_in(&self, other: &Self) -> usize {
        let networks = self.networks.iter().filter(|network| !other.extent.covers(**network)).count();
        networks + self.live.difference(&other.live).count()
    }

    /// Whether this set is too large to have come of the old one.
    pub(super) fn outgrows(&self, old: &Self) -> bool {
        let too_large = |new: &Ranges, old: &Ranges, small: u128| {
            new.size() > old.size().saturating_mul(MAX_GROWTH as u128).max(small)
        };
        self.len() > old.len().max(SMALL).saturating_mul(MAX_GROWTH)
            || too_large(&self.extent.v4, &old.extent.v4, SMALL_V4)
            || too_large(&self.extent.v6, &old.extent.v6, SMALL_V6)
    }

    /// Whether more than this part, in percent, goes when the new set follows.
    pub(super) fn loses_too_much(&self, gone: usize, new: &Self, percent: u8) -> bool {
        let too_much = |lost: u128, of: u128| {
            lost > of / 100 * u128::from(percent) + of % 100 * u128::from(percent) / 100
        };
        let lost = |old: &Ranges, new: &Ranges| (old.size() - old.common(new), old.size());
        let (lost_v4, of_v4) = lost(&self.extent.v4, &new.extent.v4);
        let (lost_v6, of_v6) = lost(&self.extent.v6, &new.extent.v6);
        too_much(gone as u128, self.len() as u128) || too_much(lost_v4, of_v4) || too_much(lost_v6, of_v6)
    }
}
