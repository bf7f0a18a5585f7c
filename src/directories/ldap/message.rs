// SPDX-License-Identifier: GPL-3.0-or-later
//! What a search answers: entries, with attributes of which the rest has to be asked for (ranges, MS-ADTS 3.1.1.3.1.3.3).

use super::entry::Entry;
use ldap3::asn1::{PL, StructureTag};

/// An entry and what is missing of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Found {
    pub entry: Entry,
    /// Attributes that came in part.
    pub partial: Vec<Partial>,
}

/// An attribute that came in part: the values from one number on, counted from 0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Partial {
    pub attribute: String,
    pub first: u64,
    /// The number of the next value; nothing where these were the last.
    pub next: Option<u64>,
}

/// Reads a search result entry (RFC 4511 4.5.2); nothing for what is none.
pub(super) fn entry(tag: StructureTag) -> Option<Found> {
    let mut parts = constructed(tag)?.into_iter();
    let dn = String::from_utf8(primitive(parts.next()?)?).ok()?;
    let mut found = Found { entry: Entry::new(dn), partial: Vec::new() };
    for attribute in constructed(parts.next()?)? {
        let mut parts = constructed(attribute)?.into_iter();
        let name = String::from_utf8(primitive(parts.next()?)?).ok()?;
        let values: Option<Vec<Vec<u8>>> = constructed(parts.next()?)?.into_iter().map(primitive).collect();
        let values = values?;
        match range(&name)? {
            Range::Whole => found.entry.add_all(&name, values),
            Range::Part { attribute, first, last } => {
                let next = last.map(|last| last.checked_add(1)).map_or(Some(None), |next| next.map(Some))?;
                // As many as it says, or some got lost.
                if next.is_some_and(|next| next.checked_sub(first) != Some(values.len() as u64)) {
                    return None;
                }
                found.partial.push(Partial { attribute: attribute.to_owned(), first, next });
                found.entry.add_all(attribute, values);
            }
        }
    }
    Some(found)
}

/// How much of an attribute's values there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Range<'a> {
    Whole,
    /// From one number up to another, or to the end.
    Part {
        attribute: &'a str,
        first: u64,
        last: Option<u64>,
    },
}

/// Reads the range in the name of an attribute; nothing where it makes no sense.
fn range(name: &str) -> Option<Range<'_>> {
    let Some((attribute, options)) = name.split_once(';') else { return Some(Range::Whole) };
    let range = options.split(';').find_map(|option| {
        option.get(..6).filter(|key| key.eq_ignore_ascii_case("range=")).map(|_| &option[6..])
    });
    let Some(range) = range else { return Some(Range::Whole) };
    let (first, last) = range.split_once('-')?;
    let last = match last {
        "*" => None,
        last => Some(last.parse().ok()?),
    };
    Some(Range::Part { attribute, first: first.parse().ok()?, last })
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(octets) => Some(octets),
        PL::C(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Range, range};

    #[test]
    fn ranges() {
        for (name, want) in [
            ("member;range=0-1499", Some(Range::Part { attribute: "member", first: 0, last: Some(1499) })),
            ("member;Range=1500-*", Some(Range::Part { attribute: "member", first: 1500, last: None })),
            ("member;x;range=0-4", Some(Range::Part { attribute: "member", first: 0, last: Some(4) })),
            ("member", Some(Range::Whole)),
            ("cn;lang-de", Some(Range::Whole)),
            ("member;range=0-", None),
            ("member;range=5", None),
            ("member;range=0-99999999999999999999", None),
        ] {
            assert_eq!(range(name), want, "{name}");
        }
    }
}
