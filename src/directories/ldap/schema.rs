// SPDX-License-Identifier: GPL-3.0-or-later
//! How a directory is made: which entries are recipients, and where they keep what. Presets for Active Directory (with and
//! without Exchange), for OpenLDAP as people fill it, and for RFC 2307bis; names can be written over.
//!
//! Groups are always asked for, with an address or without: they may hold other groups, and policies name them. An entry
//! that is hidden from address lists, or a mailbox whose account is disabled (shared ones are), is still a recipient.

use crate::config::{Attributes, LdapSchema};

/// Where entries keep what, by names of attributes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::directories) struct Schema {
    pub(super) kind: LdapSchema,
    filter: Box<str>,
    /// Where addresses are, the primary one first.
    pub(super) addresses: Vec<Box<str>>,
    /// Of these addresses, those that may hold other things, too: what has no `@` in it is passed over without a word.
    pub(super) loose: Vec<Box<str>>,
    /// Where a group has its members: DNs or addresses.
    pub(super) members: Vec<Box<str>>,
    /// Where a group of Unix has its members: names of users.
    pub(super) member_names: Vec<Box<str>>,
    /// What a group is called by.
    pub(super) name: Box<str>,
    pub(super) internal_only: Option<Box<str>>,
}

/// Classes that are groups.
const OPEN_GROUPS: &[&str] =
    &["groupOfNames", "groupOfUniqueNames", "groupOfMembers", "nisMailAlias", "mailGroup", "groupOfURLs"];
const UNIX_GROUPS: &[&str] = &["posixGroup", "groupOfNames", "groupOfMembers"];

/// RFC 4524; qmail, 389 and Sun; sendmail's inetLocalMailRecipient; and so on, as products name them.
const OPEN_ADDRESSES: &[&str] = &[
    "mail",
    "mailPrimaryAddress",
    "mailAlternateAddress",
    "mailLocalAddress",
    "mailEquivalentAddress",
    "mailAlternativeAddress",
    "gosaMailAlternateAddress",
    "zimbraMailAlias",
    "alias",
];

impl Schema {
    /// A preset, with what was written instead of its names.
    pub(in crate::directories) fn new(
        kind: LdapSchema,
        filter: Option<&str>,
        attributes: &Attributes,
    ) -> Self {
        let Attributes { addresses, members, name, internal_only } = attributes;
        let list = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<Vec<Box<str>>>();
        let preset = match kind {
            LdapSchema::ActiveDirectory => Self {
                kind,
                filter: Box::default(),
                addresses: list(&["proxyAddresses", "mail"]),
                loose: Vec::new(),
                members: list(&["member"]),
                member_names: Vec::new(),
                name: "cn".into(),
                internal_only: Some("msExchRequireAuthToSendTo".into()),
            },
            LdapSchema::OpenLdap => Self {
                kind,
                filter: Box::default(),
                addresses: list(OPEN_ADDRESSES),
                loose: list(&OPEN_ADDRESSES[1..]),
                members: list(&["member", "uniqueMember", "rfc822MailMember", "mgrpRFC822MailMember"]),
                member_names: Vec::new(),
                name: "cn".into(),
                internal_only: None,
            },
            LdapSchema::Rfc2307bis => Self {
                kind,
                filter: Box::default(),
                addresses: list(&["mail", "mailAlternateAddress", "mailLocalAddress"]),
                loose: list(&["mailAlternateAddress", "mailLocalAddress"]),
                members: list(&["member"]),
                member_names: list(&["memberUid"]),
                name: "cn".into(),
                internal_only: None,
            },
        };
        let mut schema = preset;
        if !addresses.is_empty() {
            schema.addresses.clone_from(addresses);
            schema.loose.clear();
        }
        if !members.is_empty() {
            schema.members.clone_from(members);
            schema.member_names.clear();
        }
        if let Some(name) = name {
            schema.name.clone_from(name);
        }
        if let Some(name) = internal_only {
            schema.internal_only = Some(name.clone());
        }
        schema.filter =
            filter.map_or_else(|| schema.standard_filter().into(), |filter| enclosed(filter).into());
        schema
    }

    /// Which entries are recipients or groups (RFC 4515).
    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    fn standard_filter(&self) -> String {
        let list = |parts: Vec<String>| parts.concat();
        let present = |names: &[Box<str>]| list(names.iter().map(|name| format!("({name}=*)")).collect());
        let classes =
            |names: &[&str]| list(names.iter().map(|name| format!("(objectClass={name})")).collect());
        match self.kind {
            LdapSchema::ActiveDirectory => {
                let holders = ["user", "contact", "publicFolder", "msExchDynamicDistributionList"];
                // `proxyAddresses` may hold addresses of other protocols alone.
                let with = |name: &str| {
                    let value = if name.eq_ignore_ascii_case("proxyAddresses") { "smtp:*" } else { "*" };
                    format!("({name}={value})")
                };
                let addresses = list(self.addresses.iter().map(|name| with(name)).collect());
                let holders = classes(&holders);
                format!("(|(objectClass=group)(&(|{addresses})(|{holders})(!(objectClass=computer))))")
            }
            LdapSchema::OpenLdap => format!("(|{}{})", present(&self.addresses), classes(OPEN_GROUPS)),
            LdapSchema::Rfc2307bis => format!(
                "(|(&(objectClass=posixAccount)(|{})){})",
                present(&self.addresses),
                classes(UNIX_GROUPS)
            ),
        }
    }

    /// The attributes that are asked for.
    pub(super) fn attributes(&self) -> Vec<&str> {
        let more: &[&str] = match self.kind {
            LdapSchema::ActiveDirectory => {
                &["objectClass", "objectGUID", "mailNickname", "msExchRecipientTypeDetails"]
            }
            LdapSchema::OpenLdap => &["objectClass", "entryUUID"],
            LdapSchema::Rfc2307bis => &["objectClass", "entryUUID", "uid"],
        };
        let own = self.addresses.iter().chain(&self.members).chain(&self.member_names);
        let own = own.chain([&self.name]).chain(&self.internal_only);
        let mut all: Vec<&str> = more.iter().copied().chain(own.map(|name| &**name)).collect();
        let mut seen = std::collections::HashSet::new();
        all.retain(|name| seen.insert(name.to_ascii_lowercase()));
        all
    }

    /// Classes that are groups.
    pub(super) fn groups(&self) -> &'static [&'static str] {
        match self.kind {
            LdapSchema::ActiveDirectory => &["group", "msExchDynamicDistributionList"],
            LdapSchema::OpenLdap => OPEN_GROUPS,
            LdapSchema::Rfc2307bis => UNIX_GROUPS,
        }
    }
}

/// A filter in its parentheses.
fn enclosed(filter: &str) -> String {
    let filter = filter.trim();
    if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") }
}

#[cfg(test)]
mod tests {
    use super::Schema;
    use crate::config::{Attributes, LdapSchema};

    const ALL: [LdapSchema; 3] = [LdapSchema::ActiveDirectory, LdapSchema::OpenLdap, LdapSchema::Rfc2307bis];

    #[test]
    fn filters_are_filters() {
        for kind in ALL {
            let schema = Schema::new(kind, None, &Attributes::default());
            assert!(ldap3::parse_filter(schema.filter()).is_ok(), "{}", schema.filter());
        }
        let own = Schema::new(LdapSchema::OpenLdap, Some(" mail=* "), &Attributes::default());
        assert_eq!(own.filter(), "(mail=*)");
    }

    #[test]
    fn names_are_written_over() {
        let written = Attributes {
            addresses: vec!["email".into()],
            members: vec!["people".into()],
            name: Some("displayName".into()),
            internal_only: Some("inside".into()),
        };
        for kind in ALL {
            let schema = Schema::new(kind, None, &written);
            let asked = schema.attributes();
            for name in ["email", "people", "displayName", "inside"] {
                assert!(asked.contains(&name), "{name}: {asked:?}");
            }
            for name in ["mail", "member", "memberUid", "cn"] {
                assert!(!asked.contains(&name), "{name}: {asked:?}");
            }
            assert!(schema.filter().contains("(email=*)"), "{}", schema.filter());
        }
    }
}
