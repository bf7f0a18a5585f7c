// SPDX-License-Identifier: GPL-3.0-or-later
//! An entry of a directory as it came: its name and its attributes, whether over LDAP or from an export of it.

use std::collections::BTreeMap;

/// An entry (RFC 4512 2.2). Attributes are known by their names in any case; options such as `;lang-de` do not count.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::directories) struct Entry {
    /// Its distinguished name, as it was written.
    pub dn: String,
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// An entry without attributes.
    pub(in crate::directories) fn new(dn: impl Into<String>) -> Self {
        Self { dn: dn.into(), attributes: BTreeMap::new() }
    }

    /// Adds a value to an attribute.
    pub(in crate::directories) fn add(&mut self, attribute: &str, value: impl Into<Vec<u8>>) {
        self.add_all(attribute, [value.into()]);
    }

    /// Adds values to an attribute.
    pub(in crate::directories) fn add_all(
        &mut self,
        attribute: &str,
        values: impl IntoIterator<Item = Vec<u8>>,
    ) {
        self.attributes.entry(base(attribute)).or_default().extend(values);
    }

    /// The values of an attribute.
    pub(in crate::directories) fn values(&self, attribute: &str) -> &[Vec<u8>] {
        self.attributes.get(&base(attribute)).map_or(&[], Vec::as_slice)
    }

    /// The first value of an attribute, where it is text.
    pub(in crate::directories) fn text(&self, attribute: &str) -> Option<&str> {
        self.values(attribute).first().and_then(|value| str::from_utf8(value).ok()).map(str::trim)
    }

    /// Whether it is of an object class.
    pub(in crate::directories) fn is_a(&self, class: &str) -> bool {
        self.values("objectClass").iter().any(|value| value.eq_ignore_ascii_case(class.as_bytes()))
    }
}

/// An attribute's name without its options.
fn base(attribute: &str) -> String {
    attribute.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn attributes_are_known_in_any_case() {
        let mut entry = Entry::new("cn=ann");
        entry.add("objectClass", "inetOrgPerson");
        entry.add("Mail;lang-de", " ann@a.example ");
        entry.add("MAIL", b"\xff".as_slice());
        assert!(entry.is_a("INETorgperson") && !entry.is_a("person"));
        assert_eq!(entry.text("mail"), Some("ann@a.example"));
        assert_eq!(entry.values("mail").len(), 2);
        assert_eq!(entry.values("cn"), &[] as &[Vec<u8>]);
    }
}
