// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups as they lie in a snapshot: a table of them, and of each the places of its addresses among the fingerprints.

use super::layout::{Medium, Part, Section};
use super::numbers::Checked;
use super::{Group, Snapshot, SnapshotError};
use crate::mail::MailboxSet;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A group and where its members lie.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::directories) struct Placed {
    pub(in crate::directories) group: Group,
    /// Octets from the beginning of the section.
    pub(in crate::directories) begin: u64,
    pub(in crate::directories) length: u64,
    pub(in crate::directories) checksum: u32,
}

impl Placed {
    fn is_called(&self, folded: &str) -> bool {
        self.group.name.to_lowercase() == folded || self.group.key.to_lowercase() == folded
    }
}

/// Places as they are written: each as the distance from the one before, seven bits to an octet, the lowest first.
pub(in crate::directories) fn encode(places: &[u32], octets: &mut Vec<u8>) {
    let mut before = 0;
    for place in places {
        let mut distance = place.wrapping_sub(before);
        before = *place;
        while distance >= 0x80 {
            #[allow(clippy::cast_possible_truncation)] // Seven bits.
            octets.push((distance & 0x7f) as u8 | 0x80);
            distance >>= 7;
        }
        #[allow(clippy::cast_possible_truncation)] // What is left is less.
        octets.push(distance as u8);
    }
}

fn decode(octets: &[u8]) -> Option<Vec<u32>> {
    let mut places = Vec::new();
    let (mut place, mut distance, mut shift) = (0u32, 0u32, 0u32);
    for octet in octets {
        distance |= u32::from(octet & 0x7f).checked_shl(shift).filter(|_| shift < 32)?;
        shift += 7;
        if octet & 0x80 == 0 {
            place = place.checked_add(distance)?;
            places.push(place);
            (distance, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(places)
}

impl Snapshot {
    pub(in crate::directories) fn placed_groups(
        &self,
    ) -> Result<impl Iterator<Item = Result<Placed, SnapshotError>> + use<>, SnapshotError> {
        let mut checked = Checked::new(&self.medium, self.section(Part::Groups)?);
        let mut over = false;
        Ok(std::iter::from_fn(move || {
            if over {
                return None;
            }
            let next = checked.piece().and_then(|piece| match piece {
                None => Ok(None),
                Some(piece) => postcard::from_bytes(&piece)
                    .map(Some)
                    .map_err(|error| checked.medium.damaged(format!("a group cannot be read: {error}"))),
            });
            over = !matches!(next, Ok(Some(_)));
            next.transpose()
        }))
    }

    /// All groups, by name.
    pub fn groups(&self) -> Result<Vec<Group>, SnapshotError> {
        let mut groups: Vec<Group> =
            self.placed_groups()?.map(|placed| Ok(placed?.group)).collect::<Result<_, SnapshotError>>()?;
        groups.sort_by(|one, other| (&one.name, &one.key).cmp(&(&other.name, &other.key)));
        Ok(groups)
    }

    /// The addresses in all groups of this name or key, compared without case, nested ones resolved; nothing when there
    /// is no such group.
    pub fn group(&self, name: &str) -> Result<Option<MailboxSet>, SnapshotError> {
        let Some(places) = self.places(name)? else { return Ok(None) };
        let (key, fingerprints) = self.keyed()?;
        let count = places.len() as u64;
        let mut wanted = places.into_iter().peekable();
        let chosen = (0u32..).zip(fingerprints).filter_map(|(index, number)| match number {
            Ok(number) if wanted.next_if_eq(&index).is_some() => Some(Ok(number)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        self.set(&key, count, chosen, HashSet::new()).map(Some)
    }

    /// The places of the addresses in all groups of this name or key among the fingerprints, ascending.
    fn places(&self, name: &str) -> Result<Option<Vec<u32>>, SnapshotError> {
        let folded = name.to_lowercase();
        let mut all: Option<Vec<u32>> = None;
        for placed in self.placed_groups()? {
            let placed = placed?;
            if placed.is_called(&folded) {
                all.get_or_insert_default().extend(self.members(&placed)?);
            }
        }
        Ok(all.map(|mut all| {
            all.sort_unstable();
            all.dedup();
            all
        }))
    }

    /// The places of a group's addresses among the fingerprints, ascending.
    pub(in crate::directories) fn members(&self, placed: &Placed) -> Result<Vec<u32>, SnapshotError> {
        let section = self.section(Part::Members)?;
        let indexes = read(&self.medium, section, placed)?;
        let count = indexes.len() as u64;
        if count != placed.group.members
            || indexes.last().is_some_and(|last| u64::from(*last) >= self.meta.addresses)
        {
            return Err(self.medium.damaged("a group has impossible members"));
        }
        Ok(indexes)
    }
}

fn read(medium: &Medium, section: Section, placed: &Placed) -> Result<Vec<u32>, SnapshotError> {
    let wrong = || medium.damaged(format!("the members of group {:?} cannot be read", placed.group.name));
    let fits = placed.begin.checked_add(placed.length).is_some_and(|end| end <= section.length);
    let length = usize::try_from(placed.length).ok().filter(|_| fits).ok_or_else(wrong)?;
    let mut octets = vec![0; length];
    medium.read_at(section.begin + placed.begin, &mut octets)?;
    if crc32fast::hash(&octets) != placed.checksum {
        return Err(wrong());
    }
    decode(&octets).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn places_come_back() {
        for places in
            [vec![], vec![0], vec![0, 1, 127, 128, 300, 16_384, u32::MAX - 1, u32::MAX], vec![u32::MAX]]
        {
            let mut octets = Vec::new();
            encode(&places, &mut octets);
            assert_eq!(decode(&octets), Some(places.clone()), "{places:?}");
        }
        for wrong in
            [&[0x80][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1]]
        {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
