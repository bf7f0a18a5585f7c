// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups as they lie in a snapshot: a table of them, and of each the places of its addresses among the fingerprints.

use super::layout::{Part, Section};
use super::numbers::Checked;
use super::recipients::Union;
use super::{Group, Leaving, Snapshot, SnapshotError, View};
use crate::mail::{MailboxKey, MailboxSet};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Octets of the key before the fingerprints.
const KEY: u64 = 16;
/// Octets of fingerprints that are read at one time: few members lie far apart.
const WINDOW: u64 = 8 * 1024;

/// A group and where its members lie.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::directories) struct Placed {
    pub(in crate::directories) group: Group,
    /// Octets from the beginning of the section.
    pub(in crate::directories) begin: u64,
    pub(in crate::directories) length: u64,
    pub(in crate::directories) checksum: u32,
}

impl Group {
    /// Which of these names, in lower case and ascending, are its name or its key; none twice.
    pub(in crate::directories) fn called(&self, names: &[Arc<str>]) -> impl Iterator<Item = usize> + use<> {
        let find = |text: &str| {
            let folded = text.to_lowercase();
            names.binary_search_by(|name| (**name).cmp(&folded)).ok()
        };
        let (by_name, by_key) = (find(&self.name), find(&self.key));
        by_name.into_iter().chain(by_key.filter(|_| by_key != by_name))
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

/// The place that follows `before`; nothing at the end. An error of nothing says that what stands there is no place.
fn decode<E>(
    before: u32,
    mut octet: impl FnMut() -> Result<Option<u8>, E>,
) -> Result<Option<u32>, Option<E>> {
    let (mut distance, mut shift) = (0u32, 0u32);
    loop {
        let octet = match octet().map_err(Some)? {
            None if shift == 0 => return Ok(None),
            None => return Err(None),
            Some(octet) => octet,
        };
        if shift >= 32 {
            return Err(None);
        }
        distance |= u32::from(octet & 0x7f) << shift;
        shift += 7;
        if octet & 0x80 == 0 {
            return before.checked_add(distance).map(Some).ok_or(None);
        }
    }
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

    /// The addresses in all groups that have one of these names or keys, which are in lower case and ascending; nested
    /// groups are resolved. Those who are leaving by `view` stay where they were when they were last there. A group that there
    /// is not is empty.
    pub(super) fn members_of(
        &self,
        wanted: &[Arc<str>],
        key: &MailboxKey,
        view: View,
    ) -> Result<HashMap<Arc<str>, MailboxSet>, SnapshotError> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let mut placed: Vec<Vec<Placed>> = wanted.iter().map(|_| Vec::new()).collect();
        for one in self.placed_groups()? {
            let one = one?;
            for index in one.group.called(wanted) {
                if let Some(placed) = placed.get_mut(index) {
                    placed.push(one.clone());
                }
            }
        }
        let left = self.left(wanted, view)?;
        let sets = wanted
            .iter()
            .zip(placed)
            .zip(left)
            .map(|((name, placed), left)| Ok((Arc::clone(name), self.member_set(&placed, left, key)?)));
        sets.collect()
    }

    fn member_set(
        &self,
        placed: &[Placed],
        left: Vec<u64>,
        key: &MailboxKey,
    ) -> Result<MailboxSet, SnapshotError> {
        let left_count = left.len() as u64;
        let left = left.into_iter().map(Ok);
        let set = |count, places: &mut dyn Iterator<Item = Result<u32, SnapshotError>>| {
            let fingerprints = self.at_places(places)?;
            self.set(key, count + left_count, Union::new(fingerprints, left), HashSet::new())
        };
        if let [one] = placed {
            return set(one.group.members, &mut self.places(one)?);
        }
        let mut all = Vec::new();
        for one in placed {
            all.extend(self.members(one)?);
        }
        all.sort_unstable();
        all.dedup();
        set(all.len() as u64, &mut all.into_iter().map(Ok))
    }

    /// The fingerprints of those who are leaving by `view`, ascending, by the groups that they were in.
    fn left(&self, wanted: &[Arc<str>], view: View) -> Result<Vec<Vec<u64>>, SnapshotError> {
        let mut left: Vec<Vec<u64>> = wanted.iter().map(|_| Vec::new()).collect();
        let groups: Vec<Vec<usize>> =
            self.meta.left_groups.iter().map(|group| group.called(wanted).collect()).collect();
        if groups.iter().all(Vec::is_empty) {
            return Ok(left);
        }
        for leaving in self.leaving(view)? {
            let Leaving { fingerprint, groups: own, .. } = leaving?;
            for index in own.iter().filter_map(|number| groups.get(*number as usize)).flatten() {
                if let Some(left) = left.get_mut(*index)
                    && left.last() != Some(&fingerprint)
                {
                    left.push(fingerprint);
                }
            }
        }
        Ok(left)
    }

    /// The places of a group's addresses among the fingerprints, ascending.
    pub(in crate::directories) fn members(&self, placed: &Placed) -> Result<Vec<u32>, SnapshotError> {
        self.places(placed)?.collect()
    }

    /// The same, one by one.
    pub(in crate::directories) fn places(
        &self,
        placed: &Placed,
    ) -> Result<impl Iterator<Item = Result<u32, SnapshotError>> + use<>, SnapshotError> {
        let section = self.section(Part::Members)?;
        let Placed { group: Group { name, members, .. }, begin, length, checksum } = placed.clone();
        let medium = self.medium.clone();
        let wrong = move || medium.damaged(format!("the members of group {name:?} cannot be read"));
        let fits = begin.checked_add(length).is_some_and(|end| end <= section.length);
        let begin = section.begin.checked_add(begin).filter(|_| fits).ok_or_else(&wrong)?;
        let mut checked = Checked::new(&self.medium, Section { begin, length, checksum, ..section });
        let (mut count, mut place, addresses) = (0, 0, self.meta.addresses);
        let mut over = false;
        Ok(std::iter::from_fn(move || {
            if over {
                return None;
            }
            let next = decode(place, || Ok(checked.take::<1>()?.map(|[octet]| octet)));
            over = !matches!(next, Ok(Some(_)));
            match next {
                Ok(Some(next))
                    if count < members && u64::from(next) < addresses && (count == 0 || next > place) =>
                {
                    count += 1;
                    place = next;
                    Some(Ok(next))
                }
                Ok(None) if count == members => None,
                Err(Some(error)) => Some(Err(error)),
                Ok(_) | Err(None) => {
                    over = true;
                    Some(Err(wrong()))
                }
            }
        }))
    }

    /// The fingerprints in these places, which ascend. Their checksum is that of the section, which is not looked at here.
    fn at_places(
        &self,
        places: impl Iterator<Item = Result<u32, SnapshotError>>,
    ) -> Result<impl Iterator<Item = Result<u64, SnapshotError>>, SnapshotError> {
        let section = self.section(Part::Fingerprints)?;
        let (mut window, mut from) = (Vec::new(), 0);
        Ok(places.map(move |place| {
            let place = u64::from(place?);
            let within = usize::try_from(place.saturating_sub(from)).unwrap_or(usize::MAX);
            let known = |window: &[u8]| Some(*window.get(within.checked_mul(8)?..)?.first_chunk()?);
            if let Some(octets) = known(&window) {
                return Ok(u64::from_le_bytes(octets));
            }
            let at = KEY + place * 8;
            let length = section.length.saturating_sub(at).min(WINDOW);
            window.resize(usize::try_from(length).unwrap_or(0), 0);
            from = place;
            self.medium.read_at(section.begin + at, &mut window)?;
            let first = window.first_chunk();
            first
                .map(|octets| u64::from_le_bytes(*octets))
                .ok_or_else(|| self.medium.damaged("a section ends too early"))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use std::convert::Infallible;

    #[test]
    fn places_come_back() {
        let all = |octets: &[u8]| {
            let (mut octets, mut places) = (octets.iter().copied(), Vec::new());
            let mut before = 0;
            while let Some(place) = decode(before, || Ok::<_, Infallible>(octets.next())).ok()? {
                places.push(place);
                before = place;
            }
            Some(places)
        };
        for places in
            [vec![], vec![0], vec![0, 1, 127, 128, 300, 16_384, u32::MAX - 1, u32::MAX], vec![u32::MAX]]
        {
            let mut octets = Vec::new();
            encode(&places, &mut octets);
            assert_eq!(all(&octets), Some(places.clone()), "{places:?}");
        }
        for wrong in
            [&[0x80][..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1]]
        {
            assert_eq!(all(wrong), None, "{wrong:?}");
        }
    }
}
