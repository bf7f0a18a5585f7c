// SPDX-License-Identifier: GPL-3.0-or-later
//! Which column holds what, and what a row makes of it.

use super::super::kind_word::KindWord;
use super::super::ldap::normalize_dn;
use super::super::record::Record;
use super::super::source::{Sink, SinkError};
use super::super::system_mailbox::is_system_mailbox;
use super::header::Header;
use super::values::{self, FieldError};
use super::{export, truth};
use crate::config::Columns;
use crate::mail::RecipientKind;
use csv::StringRecord;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// Which column holds what.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // Four facts about an export that have nothing to do with each other.
pub(super) struct Layout {
    /// Those with addresses, the one with the primary address first.
    pub addresses: Vec<usize>,
    /// What an object is called by those who refer to it.
    pub key: Option<usize>,
    pub kind: Option<usize>,
    /// What rows are that do not say.
    pub standard_kind: RecipientKind,
    pub internal_only: Option<usize>,
    /// What groups are called.
    pub name: Option<usize>,
    /// Groups that a row is in.
    pub groups: Option<usize>,
    /// Members of a group, by key.
    pub members: Option<usize>,
    /// Where a row is one membership.
    pub membership: Option<Membership>,
    /// Says that an object has been deleted, if there is anything in it.
    pub gone: Option<usize>,
    /// Whether every object has one row.
    pub one_row_each: bool,
    /// Whether Exchange's own mailboxes may be among them.
    pub of_exchange: bool,
    /// Whether the last line of a whole file has an end.
    pub ends_lines: bool,
    /// What an administrator should know.
    pub note: Option<&'static str>,
    /// Names of all columns, for messages.
    pub names: Vec<Box<str>>,
}

/// Columns of a table of memberships.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub group: usize,
    pub member: usize,
}

/// What is wrong with a row.
#[derive(Debug)]
pub(super) enum RowError {
    Wrong(String),
    Sink(SinkError),
}

impl From<SinkError> for RowError {
    fn from(error: SinkError) -> Self {
        Self::Sink(error)
    }
}

impl Layout {
    /// A layout that reads nothing.
    pub(super) fn new(header: &Header) -> Self {
        Self {
            addresses: Vec::new(),
            key: None,
            kind: None,
            standard_kind: RecipientKind::Unspecified,
            internal_only: None,
            name: None,
            groups: None,
            members: None,
            membership: None,
            gone: None,
            one_row_each: true,
            of_exchange: false,
            ends_lines: false,
            note: None,
            names: (0..header.len()).map(|column| header.name(column).into()).collect(),
        }
    }

    /// Finds the columns that the configuration names, or those of a known export.
    pub(super) fn find(header: &Header, columns: Option<&Columns>) -> Result<Self, String> {
        let Some(columns) = columns else {
            return export::known(header)?.ok_or_else(|| header.unknown());
        };
        if let Some(missing) = header.missing(columns) {
            return Err(missing);
        }
        let Columns { addresses, groups, kind, internal_only } = columns;
        let one = |name: &Option<Box<str>>| match name {
            Some(name) => header.column(name),
            None => Ok(None),
        };
        let mut found = Vec::new();
        for name in addresses {
            found.extend(header.column(name)?);
        }
        Ok(Self {
            addresses: found,
            groups: one(groups)?,
            kind: one(kind)?,
            internal_only: one(internal_only)?,
            one_row_each: false,
            ..Self::new(header)
        })
    }

    /// How many columns there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Gives the sink what a row says. `group_before` is the group of the row before, in a table of memberships.
    pub(super) fn give(
        &self,
        row: &StringRecord,
        line: u64,
        include: &[RecipientKind],
        group_before: &mut Box<str>,
        sink: &mut dyn Sink,
    ) -> Result<(), RowError> {
        let field = |column: Option<usize>| column.and_then(|column| row.get(column)).unwrap_or("").trim();
        if !field(self.gone).is_empty() {
            return Ok(sink.passed_over()?);
        }
        let mut addresses = Vec::new();
        for column in &self.addresses {
            self.addresses(*column, field(Some(*column)), &mut addresses)?;
        }
        let Some(first) = addresses.first() else { return Ok(sink.passed_over()?) };
        let kind = match kind_of(field(self.kind)) {
            KindWord::System => return Ok(sink.passed_over()?),
            KindWord::Recipient(RecipientKind::Unspecified) => self.standard_kind,
            KindWord::Recipient(kind) => kind,
        };
        let excluded = kind != RecipientKind::Unspecified && !include.contains(&kind);
        if excluded || self.of_exchange && is_system_mailbox(first) {
            return Ok(sink.passed_over()?);
        }
        let groups: Vec<Box<str>> = values::names(field(self.groups)).map(Into::into).collect();
        let key = match field(self.key) {
            "" => self.made_key(&addresses, &groups),
            key => normalize_dn(key).into(),
        };
        let internal_only = self.is_internal_only(field(self.internal_only))?;
        let is_group = kind == RecipientKind::Group || self.kind.is_none() && self.members.is_some();
        let name = if is_group { field(self.name) } else { "" };
        if let Some(Membership { group, member }) = self.membership {
            let (group, member) = (field(Some(group)), field(Some(member)));
            if !member.is_empty() {
                sink.membership(group, member)?;
            }
            // Members of a group stand together; the group is told of once.
            if *group_before == key {
                return Ok(());
            }
            group_before.clone_from(&key);
        }
        sink.record(Record {
            key,
            called: Vec::new(),
            line: Some(line),
            kind,
            addresses,
            name: (!name.is_empty()).then(|| name.into()),
            members: members(field(self.members)),
            groups,
            internal_only,
        })?;
        Ok(())
    }

    /// What a row is called that has no key of its own: its first address. Where one object may have several rows, all that
    /// is in the row tells one from the other, so that none takes the place of another.
    fn made_key(&self, addresses: &[Box<str>], groups: &[Box<str>]) -> Box<str> {
        let key = addresses.first().map(|first| first.to_lowercase()).unwrap_or_default();
        if self.one_row_each || addresses.len() + groups.len() == 1 {
            return key.into();
        }
        let mut hasher = SipHasher13::new();
        for part in addresses
            .iter()
            .map(|address| address.to_lowercase())
            .chain(groups.iter().map(ToString::to_string))
        {
            hasher.write(part.as_bytes());
            hasher.write_u8(0);
        }
        format!("{key} {:016x}", hasher.finish()).into()
    }

    fn addresses(&self, column: usize, field: &str, found: &mut Vec<Box<str>>) -> Result<(), RowError> {
        let before = found.len();
        let result = values::addresses(field, |address, primary| {
            let known = found.iter().take(100).any(|known| known.eq_ignore_ascii_case(address));
            // The marked one goes to the front of what this column has, which is the front of all unless another
            // column was before it.
            match (known, primary) {
                (true, _) => {}
                (false, true) => found.insert(before, address.into()),
                (false, false) => found.push(address.into()),
            }
        });
        result.map_err(|error| {
            let name = self.names.get(column).map_or("", |name| name);
            RowError::Wrong(match error {
                FieldError::TypeName => {
                    let help = if self.of_exchange { export::EXCHANGE } else { "join the values with `;` in the export" };
                    format!("the column `{name}` holds the name of a type and no addresses; export it so: {help}")
                }
                FieldError::CutOff => format!(
                    "the list in the column `{name}` was cut off when it was exported; join its values with `;`, so: {}",
                    export::EXCHANGE
                ),
            })
        })
    }

    fn is_internal_only(&self, field: &str) -> Result<bool, RowError> {
        let name = self.internal_only.and_then(|column| self.names.get(column)).map_or("", |name| name);
        truth::read(field).ok_or_else(|| {
            RowError::Wrong(format!(
                "the column `{name}` says `{}`, which is neither true nor false",
                field.chars().take(40).collect::<String>().escape_debug()
            ))
        })
    }
}

/// What a field says of the kind. An `objectClass` has all its classes in it, the most special one last.
fn kind_of(field: &str) -> KindWord {
    KindWord::read(field.rsplit(';').next().unwrap_or_default())
}

/// Distinguished names, parted by `;` that has no `\` before it (RFC 4514 section 2.4).
fn members(field: &str) -> Vec<Box<str>> {
    let mut members = Vec::new();
    let mut from = 0;
    let octets = field.as_bytes();
    for (at, octet) in octets.iter().enumerate() {
        if *octet == b';' && (at == 0 || octets[at - 1] != b'\\') {
            members.push(field[from..at].trim());
            from = at + 1;
        }
    }
    members.push(field[from..].trim());
    members
        .into_iter()
        .filter(|member| !member.is_empty())
        .map(|member| normalize_dn(member).into())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn distinguished_names_are_parted() {
        for (field, want) in [
            ("", vec![]),
            ("CN=Ann,DC=a", vec!["cn=ann,dc=a"]),
            ("CN=Ann,DC=a;CN=O\\;Brien\\, Bob,DC=a;", vec!["cn=ann,dc=a", "cn=o\\;brien\\, bob,dc=a"]),
        ] {
            assert_eq!(members(field).iter().map(|member| &**member).collect::<Vec<_>>(), want, "{field}");
        }
    }
}
