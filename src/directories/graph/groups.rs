// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups as records, each with all its members.
//!
//! A group may come on any page and several times, each time with other members, so groups are held until all pages are
//! there. Among changes only members that came or went are told of: then the members are asked for, and what was told is put on
//! top, in case the server that answers is behind. The same is done where more memberships come than are held.

use super::super::record::Record;
use super::super::source::{Sink, SourceError};
use super::client::Client;
use super::object::{Id, Object, Properties};
use super::question::Asked;
use super::recipients::MOST_ASKED;
use crate::mail::RecipientKind;
use std::collections::{HashMap, HashSet};

/// Memberships that are held at one time, some 20 to 40 octets each.
const MOST_HELD: usize = 3_000_000;

/// Properties of groups beside their addresses.
const OWN: [&str; 2] = ["displayName", "mailEnabled"];

/// What has come of one group.
#[derive(Debug, Default)]
struct Held {
    properties: Properties,
    /// Members, or those that came since.
    added: HashSet<Id>,
    /// Those that went since.
    removed: HashSet<Id>,
    /// Whether `added` are not all.
    partly: bool,
    gone: bool,
}

/// What has come of all groups.
pub(super) struct Groups<'a> {
    asked: &'a Asked,
    whole: bool,
    by_id: HashMap<Id, Held>,
    held: usize,
    most: usize,
}

impl<'a> Groups<'a> {
    pub(super) fn new(asked: &'a Asked, whole: bool) -> Self {
        Self { asked, whole, by_id: HashMap::new(), held: 0, most: MOST_HELD }
    }

    fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.asked.addresses.iter().map(AsRef::as_ref).chain(OWN)
    }

    /// Takes what a page says of a group.
    pub(super) fn take(&mut self, object: &Object) -> Result<(), SourceError> {
        let asked = self.asked;
        let group = self.by_id.entry(object.id).or_default();
        group.gone = object.removed.is_some();
        let mut newer = object.properties.clone();
        newer.keep(|name| OWN.contains(&name) || asked.addresses.iter().any(|known| **known == *name));
        group.properties.merge(&newer);
        group.partly |= !self.whole;
        self.held -= group.added.len() + group.removed.len();
        if group.gone {
            group.added = HashSet::new();
        }
        for member in object.members.iter().filter(|member| member.is_member()) {
            let (to, from) = match member.removed {
                None => (&mut group.added, &mut group.removed),
                Some(_) => (&mut group.removed, &mut group.added),
            };
            from.remove(&member.id);
            // Where everything comes, who has gone is simply not there.
            if group.partly || member.removed.is_none() {
                to.insert(member.id);
            }
        }
        if self.whole && self.held + group.added.len() > self.most {
            group.added = HashSet::new();
            group.partly = true;
        }
        self.held += group.added.len() + group.removed.len();
        let too_many = self.by_id.len() > MOST_ASKED || self.held > self.most;
        if !self.whole && too_many { Err(SourceError::Resync) } else { Ok(()) }
    }

    /// Asks for what is still open, and says whether there was anything at all.
    pub(super) async fn finish(
        &mut self,
        client: &mut Client<'_>,
        sink: &mut dyn Sink,
    ) -> Result<bool, SourceError> {
        let told = !self.by_id.is_empty();
        for (id, group) in std::mem::take(&mut self.by_id) {
            match self.ask(id, group, client).await? {
                Some((properties, members)) => self.record(id, &properties, members, sink)?,
                None if self.whole => {}
                None => sink.removed(&id.text())?,
            }
        }
        Ok(told)
    }

    /// All that a group is, where it still is.
    async fn ask(
        &self,
        id: Id,
        group: Held,
        client: &mut Client<'_>,
    ) -> Result<Option<(Properties, HashSet<Id>)>, SourceError> {
        let Held { mut properties, added, removed, partly, gone } = group;
        if gone {
            return Ok(None);
        }
        if !partly {
            return Ok(Some((properties, added)));
        }
        if !self.whole && !properties.has_all(self.names()) {
            let Some(mut known) = client.one(self.asked, id).await? else { return Ok(None) };
            known.merge(&properties);
            properties = known;
        }
        let Some(mut members) = client.members(self.asked, id).await? else { return Ok(None) };
        members.extend(added);
        members.retain(|member| !removed.contains(member));
        Ok(Some((properties, members)))
    }

    fn record(
        &self,
        id: Id,
        properties: &Properties,
        members: HashSet<Id>,
        sink: &mut dyn Sink,
    ) -> Result<(), SourceError> {
        let mut addresses = properties.addresses(id, self.asked, sink)?;
        if properties.denies("mailEnabled") {
            addresses.clear();
        }
        let mut members: Vec<Box<str>> = members.into_iter().map(|member| member.text().into()).collect();
        members.sort_unstable();
        let name = properties.text("displayName").filter(|name| !name.is_empty()).map(Into::into);
        let kind = RecipientKind::Group;
        Ok(sink.record(Record {
            key: id.text().into(),
            kind,
            addresses,
            name,
            members,
            ..Record::default()
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directories::graph::question::{Question, Resource};
    use serde_json::json;

    fn id(number: u32) -> String {
        format!("00000000-0000-4000-8000-{number:012}")
    }

    /// What is held of a group, given what pages said of its members: `+` came, `-` went.
    fn held(whole: bool, most: usize, pages: &[&[(char, u32)]]) -> Result<String, SourceError> {
        let question = Question::test();
        let asked = question.resources().iter().find(|asked| asked.kind == Resource::Groups).unwrap();
        let mut groups = Groups { most, ..Groups::new(asked, whole) };
        for page in pages {
            let members: Vec<_> = page
                .iter()
                .map(|(sign, number)| match sign {
                    '+' => json!({ "id": id(*number) }),
                    _ => json!({ "id": id(*number), "@removed": { "reason": "deleted" } }),
                })
                .collect();
            let page = json!({ "id": id(100), "displayName": "G", "members@delta": members });
            groups.take(&serde_json::from_value(page).unwrap())?;
        }
        let group = groups.by_id.values().next().unwrap();
        let numbers = |ids: &HashSet<Id>| {
            let mut found: Vec<String> =
                ids.iter().map(|id| id.text()[24..].trim_start_matches('0').into()).collect();
            found.sort();
            found.join(" ")
        };
        assert_eq!(groups.held, group.added.len() + group.removed.len(), "{pages:?}");
        let partly = if group.partly { ", ask" } else { "" };
        Ok(format!("+{} -{}{partly}", numbers(&group.added), numbers(&group.removed)))
    }

    #[test]
    fn members_come_in_parts() {
        for (whole, most, pages, want) in [
            (true, 9, &[&[('+', 1), ('+', 2)][..], &[('+', 3)]][..], "+1 2 3 -"),
            (true, 9, &[&[('+', 1), ('-', 2)], &[('+', 2), ('-', 1)]], "+2 -"),
            (true, 9, &[&[('-', 1)], &[]], "+ -"),
            (false, 9, &[&[('+', 1)], &[('-', 2), ('-', 1)]], "+ -1 2, ask"),
            (false, 9, &[&[('-', 1)], &[('+', 1)]], "+1 -, ask"),
            // More than is held: they are asked for.
            (true, 2, &[&[('+', 1), ('+', 2)], &[('+', 3)]], "+ -, ask"),
            (true, 2, &[&[('+', 1), ('+', 2), ('+', 3)], &[('+', 4)], &[('-', 1)]], "+4 -1, ask"),
        ] {
            assert_eq!(held(whole, most, pages).unwrap(), want, "{whole} {most} {pages:?}");
        }
        assert!(matches!(held(false, 1, &[&[('+', 1), ('-', 2)]]), Err(SourceError::Resync)));
    }
}
