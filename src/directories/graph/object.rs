// SPDX-License-Identifier: GPL-3.0-or-later
//! Graph's JSON: a page, the objects on it, and the addresses of an object.

use super::super::proxy_address::ProxyAddress;
use super::super::source::{Sink, SourceError};
use super::question::Asked;
use crate::https::uuid_text;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One page of a collection.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) value: Vec<Object>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub(super) delta: Option<String>,
}

/// A user, group or contact, or a member of a group.
#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub(super) id: Id,
    #[serde(rename = "@odata.type")]
    pub(super) kind: Option<String>,
    /// Why it is gone, or its membership. `changed` can be restored and `deleted` cannot, which makes no difference.
    #[serde(rename = "@removed")]
    pub(super) removed: Option<Value>,
    #[serde(rename = "members@delta", default)]
    pub(super) members: Vec<Object>,
    /// Its properties. One that is absent was never set, or has not changed.
    #[serde(flatten)]
    pub(super) properties: Properties,
}

/// What the members of a group may be that can get mail. Devices and service principals are members, too.
const MEMBERS: [&str; 3] = ["#microsoft.graph.user", "#microsoft.graph.group", "#microsoft.graph.orgContact"];

impl Object {
    /// Whether it may be a recipient, or have some in it, as the member of a group.
    pub(super) fn is_member(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| MEMBERS.contains(&kind))
    }
}

/// An object's id, a UUID.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Id(u128);

impl Id {
    /// How it is written, which is the key of its record.
    pub(super) fn text(self) -> String {
        uuid_text(self.0)
    }

    fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let right = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && text.bytes().all(|octet| octet.is_ascii_hexdigit() || octet == b'-');
        right.then(|| u128::from_str_radix(&parts.concat(), 16).ok().map(Self)).flatten()
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::read(&text).ok_or_else(|| serde::de::Error::custom("an id that is no UUID"))
    }
}

/// Properties by their names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Properties(Map<String, Value>);

impl Properties {
    /// Whether it has these, be they empty.
    pub(super) fn has_all<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.all(|name| self.0.contains_key(name))
    }

    /// Whether it has one of these, be it empty.
    pub(super) fn has_any<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.any(|name| self.0.contains_key(name))
    }

    /// Takes over what newer ones say.
    pub(super) fn merge(&mut self, newer: &Self) {
        for (name, value) in &newer.0 {
            self.0.insert(name.clone(), value.clone());
        }
    }

    /// Keeps these alone.
    pub(super) fn keep(&mut self, mut keeps: impl FnMut(&str) -> bool) {
        self.0.retain(|name, _| keeps(name));
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Whether something is said not to be so.
    pub(super) fn denies(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(false))
    }

    /// Its mail addresses, none twice, the primary one first.
    pub(super) fn addresses(
        &self,
        id: Id,
        asked: &Asked,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Box<str>>, SourceError> {
        let mut found: Vec<Box<str>> = Vec::new();
        let mut primary = None;
        for name in &asked.addresses {
            let texts: Vec<&Value> = match self.0.get(&**name) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(values)) => values.iter().collect(),
                Some(value) => vec![value],
            };
            for value in texts {
                let Some(text) = value.as_str() else {
                    let place = format!("{} {}, {name}", asked.kind, id.text());
                    sink.invalid(&place, &value.to_string(), "this is no text")?;
                    continue;
                };
                let (address, first) = match ProxyAddress::read(text) {
                    ProxyAddress::Primary(address) => (address, primary.is_none()),
                    ProxyAddress::Alias(address) => (address, false),
                    ProxyAddress::Other => continue,
                };
                let at = found.iter().position(|known| known.eq_ignore_ascii_case(address));
                let at = at.unwrap_or_else(|| {
                    found.push(address.into());
                    found.len() - 1
                });
                if first {
                    primary = Some(at);
                }
            }
        }
        if let Some(at) = primary {
            found.get_mut(..=at).into_iter().for_each(|upto| upto.rotate_right(1));
        }
        Ok(found)
    }
}
