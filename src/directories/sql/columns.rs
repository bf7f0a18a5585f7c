// SPDX-License-Identifier: GPL-3.0-or-later
//! Which column of an answer is what, by the columns' names in any case.
//!
//! Names that mean nothing are refused where it is not plain what they hold: a misspelt `internal_only` must not open a group
//! to everybody.

/// The columns of the query for addresses, from 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AddressColumns {
    pub(super) address: usize,
    pub(super) kind: Option<usize>,
    pub(super) internal_only: Option<usize>,
}

impl AddressColumns {
    /// The column called `address`, or else the first one, has the addresses. The others are called `kind` and
    /// `internal_only`; where there is only one other, it is the kind.
    pub(super) fn of(names: &[&str]) -> Result<Self, String> {
        if names.is_empty() {
            return Err("`query` gives no columns; it is to select addresses".to_owned());
        }
        let address = find(names, "address")?.unwrap_or(0);
        let other = |name| Ok::<_, String>(find(names, name)?.filter(|&at| at != address));
        let (mut kind, internal_only) = (other("kind")?, other("internal_only")?);
        let known = [Some(address), kind, internal_only];
        let mut unknown = (0..names.len()).filter(|&at| !known.contains(&Some(at)));
        if let Some(at) = unknown.next() {
            if names.len() != 2 {
                return Err(format!(
                    "`query` gives a column `{}` that means nothing; name them `address`, `kind` and `internal_only`",
                    names[at].escape_debug()
                ));
            }
            kind = Some(at);
        }
        Ok(Self { address, kind, internal_only })
    }
}

/// The columns of the query for groups, from 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct GroupColumns {
    pub(super) group: usize,
    pub(super) member: usize,
}

impl GroupColumns {
    /// Two columns: the group's name and the member, or the other way round where their names say so.
    pub(super) fn of(names: &[&str]) -> Result<Self, String> {
        let &[first, second] = names else {
            let what =
                "`groups_query` is to give two columns, a group's name and an address in it, and gives";
            return Err(format!("{what} {}", names.len()));
        };
        let is = |name: &str, wanted: &str| name.eq_ignore_ascii_case(wanted);
        let turned = is(first, "member") || is(second, "group");
        Ok(if turned { Self { group: 1, member: 0 } } else { Self { group: 0, member: 1 } })
    }
}

fn find(names: &[&str], wanted: &str) -> Result<Option<usize>, String> {
    let mut found = (0..names.len()).filter(|&at| names[at].eq_ignore_ascii_case(wanted));
    match (found.next(), found.next()) {
        (at, None) => Ok(at),
        (_, Some(_)) => Err(format!("`query` gives two columns `{wanted}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressColumns, GroupColumns};

    #[test]
    fn addresses() {
        for (names, want) in [
            (&["username"][..], Ok((0, None, None))),
            (&["kind"], Ok((0, None, None))),
            (&["address", "kind"], Ok((0, Some(1), None))),
            (&["KIND", "Address"], Ok((1, Some(0), None))),
            (&["username", "type"], Ok((0, Some(1), None))),
            (&["username", "internal_only"], Ok((0, None, Some(1)))),
            (&["type", "address"], Ok((1, Some(0), None))),
            (&["internal_only", "kind", "address"], Ok((2, Some(1), Some(0)))),
            (&["mail", "kind", "internal_only"], Ok((0, Some(1), Some(2)))),
            (&["address", "kind", "internal_onyl"], Err("`internal_onyl`")),
            (&["address", "goto", "domain"], Err("`goto`")),
            (&["address", "address"], Err("two columns `address`")),
            (&[], Err("no columns")),
        ] {
            match (AddressColumns::of(names), want) {
                (Ok(found), Ok(want)) => {
                    assert_eq!((found.address, found.kind, found.internal_only), want, "{names:?}");
                }
                (Err(found), Err(want)) => assert!(found.contains(want), "{names:?}: {found}"),
                (found, want) => panic!("{names:?}: {found:?}, not {want:?}"),
            }
        }
    }

    #[test]
    fn groups() {
        for (names, want) in [
            (&["name", "address"][..], Some((0, 1))),
            (&["member", "name"], Some((1, 0))),
            (&["address", "GROUP"], Some((1, 0))),
            (&["group", "member"], Some((0, 1))),
            (&["group"], None),
            (&["a", "b", "c"], None),
            (&[], None),
        ] {
            let found = GroupColumns::of(names).ok().map(|columns| (columns.group, columns.member));
            assert_eq!(found, want, "{names:?}");
        }
    }
}
