// SPDX-License-Identifier: GPL-3.0-or-later
//! A request: a table's name, a blank, and a key. The key may be empty, may have blanks in it, and may be any octets.
//!
//! Sendmail asks by the name that a table has in its own configuration, where `mailertable` may be taken by its feature of that
//! name: [`FOR_SENDMAIL`] is another name for it.

use crate::gate::Table;

/// Another name of the table `mailertable`.
const FOR_SENDMAIL: &[u8] = b"postern";

/// A request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// The table.
    pub table: Table,
    /// The key; nothing where there is a name alone.
    pub key: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Reads what a netstring holds.
    pub fn parse(content: &'a [u8]) -> Self {
        let mut parts = content.splitn(2, |&octet| octet == b' ');
        let name = parts.next().unwrap_or_default();
        let named = |table: &Table| {
            let is_other = *table == Table::Mailertable && name == FOR_SENDMAIL;
            *table != Table::Unknown && table.as_str().as_bytes() == name || is_other
        };
        Self { table: Table::ALL.into_iter().find(named).unwrap_or(Table::Unknown), key: parts.next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        for (content, table, key) in [
            ("recipient ann@a.example", Table::Recipient, Some("ann@a.example")),
            ("recipient \"a b\"@a.example", Table::Recipient, Some("\"a b\"@a.example")),
            ("transport *", Table::Transport, Some("*")),
            ("mailertable .", Table::Mailertable, Some(".")),
            ("postern a.example", Table::Mailertable, Some("a.example")),
            ("domain a.example", Table::Domain, Some("a.example")),
            ("access 192.0.2.1", Table::Access, Some("192.0.2.1")),
            ("postscreen 192.0.2.1", Table::Postscreen, Some("192.0.2.1")),
            ("tls [a.example]:25", Table::Tls, Some("[a.example]:25")),
            ("recipient ", Table::Recipient, Some("")),
            ("recipient  x", Table::Recipient, Some(" x")),
            ("recipient", Table::Recipient, None),
            ("", Table::Unknown, None),
            (" x", Table::Unknown, Some("x")),
            ("unknown x", Table::Unknown, Some("x")),
            ("Recipient x", Table::Unknown, Some("x")),
            ("recipients x", Table::Unknown, Some("x")),
        ] {
            let want = Request { table, key: key.map(str::as_bytes) };
            assert_eq!(Request::parse(content.as_bytes()), want, "{content:?}");
        }
    }
}
