// SPDX-License-Identifier: GPL-3.0-or-later
//! From an entry to a record: the same for what comes over LDAP and for what is in an export.
//!
//! The key is the object's own number where it has one (`objectGUID`, `entryUUID`), because it outlives a rename; else its
//! DN. Members are keys where the server says them (`<GUID=...>`, MS-ADTS 3.1.1.3.4.1.5), else DNs, normalized; a record is
//! also called by its DN, normalized. The members of a group of Unix are `uid=NAME`, and so is its account also called. A
//! group whose members are a search (dynamic) has none here, nor does the group that is somebody's primary one.

use super::dn;
use super::entry::Entry;
use super::recipient_type;
use super::schema::Schema;
use crate::config::LdapSchema;
use crate::directories::proxy_address::ProxyAddress;
use crate::directories::record::Record;
use crate::directories::source::{Sink, SinkError};
use crate::directories::system_mailbox::is_system_mailbox;
use crate::mail::RecipientKind;

/// What an entry is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::directories) struct Reading {
    /// What the object is called by every sync.
    pub key: Box<str>,
    /// The record; nothing for one of the mail system's own mailboxes.
    pub record: Option<Record>,
    /// Values that are no text.
    pub unreadable: Vec<Unreadable>,
}

/// A value that should be text and is not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::directories) struct Unreadable {
    /// The value, with what cannot be read replaced.
    pub value: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Octets of a value that is text: an address has at most 320, a name in a directory rarely more than 1000.
const MAX_VALUE: usize = 8 * 1024;

impl Schema {
    /// Reads an entry. `line` is where it stands in a file.
    pub(in crate::directories) fn read(&self, entry: &Entry, line: Option<u64>) -> Reading {
        let mut unreadable = Vec::new();
        let dn = dn::normalize(&entry.dn);
        let key = self.key(entry).unwrap_or_else(|| dn.as_str().into());
        let group = self.groups().iter().any(|class| entry.is_a(class));
        let kind = self.kind(entry, group);
        let addresses = self.addresses(entry, group, &mut unreadable);
        let nickname = match self.kind {
            LdapSchema::ActiveDirectory => entry.text("mailNickname"),
            LdapSchema::OpenLdap | LdapSchema::Rfc2307bis => None,
        };
        let own =
            nickname.into_iter().chain(addresses.first().map(|address| &**address)).any(is_system_mailbox);
        let Some(kind) = kind.filter(|_| !own) else {
            return Reading { key, record: None, unreadable };
        };
        let mut called = Vec::new();
        if *dn != *key && !dn.is_empty() {
            called.push(dn.into());
        }
        if !self.member_names.is_empty() && !group {
            called.extend(texts(entry.values("uid"), &mut unreadable).map(user_name));
        }
        let record = Record {
            key: key.clone(),
            called,
            line,
            kind,
            addresses,
            name: entry.text(&self.name).filter(|name| group && !name.is_empty()).map(Into::into),
            members: if group { self.members(entry, &mut unreadable) } else { Vec::new() },
            groups: Vec::new(),
            internal_only: self
                .internal_only
                .as_ref()
                .and_then(|attribute| entry.text(attribute))
                .is_some_and(|value| ["TRUE", "yes", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes))),
        };
        Reading { key, record: Some(record), unreadable }
    }

    /// Reads an entry and tells a sink of it. Says whether it is a record.
    pub(in crate::directories) fn tell(
        &self,
        entry: &Entry,
        line: Option<u64>,
        sink: &mut dyn Sink,
    ) -> Result<bool, SinkError> {
        let Reading { key: _, record, unreadable } = self.read(entry, line);
        for Unreadable { value, why } in unreadable {
            let place = line.map_or_else(|| entry.dn.clone(), |line| format!("line {line}"));
            sink.invalid(&place, &value, why)?;
        }
        match record {
            Some(record) => sink.record(record).map(|()| true),
            None => sink.passed_over().map(|()| false),
        }
    }

    /// The object's own number, where the entry has it.
    pub(super) fn key(&self, entry: &Entry) -> Option<Box<str>> {
        match self.kind {
            LdapSchema::ActiveDirectory => {
                entry.values("objectGUID").first().and_then(|guid| guid_text(guid))
            }
            LdapSchema::OpenLdap | LdapSchema::Rfc2307bis => entry
                .text("entryUUID")
                .filter(|uuid| !uuid.is_empty() && uuid.len() <= 64)
                .map(|uuid| uuid.to_ascii_lowercase().into()),
        }
    }

    /// What it is; nothing for one of Exchange's own.
    fn kind(&self, entry: &Entry, group: bool) -> Option<RecipientKind> {
        let by_class = if group {
            RecipientKind::Group
        } else if entry.is_a("contact") {
            RecipientKind::Contact
        } else if entry.is_a("publicFolder") {
            RecipientKind::PublicFolder
        } else if ["person", "posixAccount", "account"].iter().any(|class| entry.is_a(class))
            || ["user", "inetOrgPerson", "organizationalPerson"].iter().any(|class| entry.is_a(class))
        {
            RecipientKind::User
        } else {
            RecipientKind::Unspecified
        };
        if self.kind != LdapSchema::ActiveDirectory || group {
            return Some(by_class);
        }
        let number = entry.text("msExchRecipientTypeDetails").and_then(|number| number.parse::<u64>().ok());
        match number.map(recipient_type::kind) {
            None | Some(Some(RecipientKind::Unspecified)) => Some(by_class),
            Some(kind) => kind,
        }
    }

    fn addresses(&self, entry: &Entry, group: bool, unreadable: &mut Vec<Unreadable>) -> Vec<Box<str>> {
        let mut found: Vec<Box<str>> = Vec::new();
        let mut primary = None;
        for attribute in &self.addresses {
            let loose = self.loose.contains(attribute);
            for value in texts(entry.values(attribute), unreadable) {
                let address = match ProxyAddress::read(value) {
                    ProxyAddress::Primary(address) => {
                        primary = primary.or(Some(found.len()));
                        address
                    }
                    ProxyAddress::Alias(address) => address,
                    ProxyAddress::Other => continue,
                };
                if address.is_empty() || (loose && !address.contains('@')) {
                    continue;
                }
                if !found.iter().any(|other| **other == *address) {
                    found.push(address.into());
                } else if primary == Some(found.len()) {
                    primary = found.iter().position(|other| **other == *address);
                }
            }
        }
        // An alias is called by its address.
        if group && entry.is_a("nisMailAlias") && self.kind == LdapSchema::OpenLdap {
            let names = texts(entry.values("cn"), unreadable).filter(|name| name.contains('@'));
            found.extend(names.map(Box::from).collect::<Vec<_>>());
        }
        if let Some(primary) = primary.filter(|primary| *primary < found.len()) {
            found[..=primary].rotate_right(1);
        }
        found
    }

    fn members(&self, entry: &Entry, unreadable: &mut Vec<Unreadable>) -> Vec<Box<str>> {
        let mut found = Vec::new();
        for attribute in &self.members {
            found.extend(texts(entry.values(attribute), unreadable).map(member));
        }
        for attribute in &self.member_names {
            found.extend(texts(entry.values(attribute), unreadable).map(user_name));
        }
        found.retain(|member| !str::is_empty(member));
        found
    }
}

/// What a group says of a member: `<GUID=...>;<SID=...>;CN=...`, a DN, a DN with a number after it (RFC 4517 3.3.21), or an
/// address.
fn member(value: &str) -> Box<str> {
    if let Some(guid) = value.strip_prefix("<GUID=").and_then(|rest| rest.split_once('>')) {
        return guid.0.to_ascii_lowercase().into();
    }
    let value = match value.rsplit_once('#') {
        Some((dn, bits)) if bits.starts_with('\'') && bits.ends_with("'B") => dn,
        Some(_) | None => value,
    };
    if value.contains('=') { dn::normalize(value).into() } else { value.trim().into() }
}

/// What the account of a user of Unix is called by groups.
fn user_name(name: &str) -> Box<str> {
    dn::of_user(name).into()
}

/// The values that are text; the others are put aside.
fn texts<'a>(
    values: &'a [Vec<u8>],
    unreadable: &mut Vec<Unreadable>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    for value in values {
        let why = match str::from_utf8(value) {
            _ if value.len() > MAX_VALUE => "too long",
            Ok(_) => continue,
            Err(_) => "not UTF-8",
        };
        let shown = &value[..value.len().min(200)];
        unreadable.push(Unreadable { value: String::from_utf8_lossy(shown).into_owned(), why });
    }
    values.iter().filter(|value| value.len() <= MAX_VALUE).filter_map(|value| str::from_utf8(value).ok())
}

/// A GUID as Microsoft writes it: the first three numbers stand in it with their last octet first (MS-DTYP 2.3.4.2).
pub(super) fn guid_text(octets: &[u8]) -> Option<Box<str>> {
    let mut octets: [u8; 16] = octets.try_into().ok()?;
    octets[..4].reverse();
    octets[4..6].reverse();
    octets[6..8].reverse();
    Some(uuid_text(octets))
}

/// A UUID as RFC 9562 writes it.
pub(super) fn uuid_text(octets: [u8; 16]) -> Box<str> {
    let hex = format!("{:032x}", u128::from_be_bytes(octets));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-").into()
}

#[cfg(test)]
mod tests {
    use super::{Entry, Reading, Record, Schema};
    use crate::config::{Attributes, LdapSchema};
    use crate::mail::RecipientKind::{self, Contact, Group, PublicFolder, Shared, Unspecified, User};

    /// An entry of `attribute: value` lines; the DN comes first.
    fn entry(text: &str) -> Entry {
        let mut lines = text.lines().map(|line| line.trim().split_once(": ").unwrap());
        let mut entry = Entry::new(lines.next().unwrap().1);
        for (attribute, value) in lines {
            match attribute {
                "objectGUID" => entry.add(attribute, value.bytes().map(|b| b - b'a').collect::<Vec<u8>>()),
                _ => entry.add(attribute, value),
            }
        }
        entry
    }

    fn read(kind: LdapSchema, text: &str) -> Reading {
        Schema::new(kind, None, &Attributes::default()).read(&entry(text), None)
    }

    fn record(key: &str, kind: RecipientKind, addresses: &[&str]) -> Record {
        let addresses = addresses.iter().map(|address| Box::from(*address)).collect();
        Record { key: key.into(), kind, addresses, ..Record::default() }
    }

    const GUID: &str = "03020100-0504-0706-0809-0a0b0c0d0e0f";

    #[test]
    fn active_directory() {
        let cases = [
            (
                "dn: CN=Ann,OU=Staff,DC=a\nobjectGUID: abcdefghijklmnop\nobjectClass: user\nmail: Ann@a.example\n\
                 proxyAddresses: smtp:a@a.example\nproxyAddresses: SMTP:Ann@a.example\nproxyAddresses: x500:/o=A\n\
                 userAccountControl: 514\nmsExchRecipientTypeDetails: 4\nmsExchHideFromAddressLists: TRUE",
                Some(Record {
                    called: vec!["cn=ann,ou=staff,dc=a".into()],
                    ..record(GUID, Shared, &["Ann@a.example", "a@a.example"])
                }),
            ),
            (
                "dn: CN=Bob,DC=a\nobjectClass: user\nmail: bob@a.example",
                Some(record("cn=bob,dc=a", User, &["bob@a.example"])),
            ),
            (
                "dn: CN=Sales,DC=a\nobjectClass: group\ncn: Sales\nmsExchRequireAuthToSendTo: TRUE\nmember: CN=Ann, DC=a\n\
                 member: <GUID=03020100-0504-0706-0809-0A0B0C0D0E0F>;<SID=0105>;CN=Bob,DC=a",
                Some(Record {
                    name: Some("Sales".into()),
                    members: vec!["cn=ann,dc=a".into(), GUID.into()],
                    internal_only: true,
                    ..record("cn=sales,dc=a", Group, &[])
                }),
            ),
            (
                "dn: CN=All,DC=a\nobjectClass: msExchDynamicDistributionList\ncn: All\nproxyAddresses: SMTP:all@a.example",
                Some(Record { name: Some("All".into()), ..record("cn=all,dc=a", Group, &["all@a.example"]) }),
            ),
            (
                "dn: CN=Guest,DC=a\nobjectClass: contact\nproxyAddresses: SMTP:g@a.example\ntargetAddress: SMTP:g@b.example",
                Some(record("cn=guest,dc=a", Contact, &["g@a.example"])),
            ),
            (
                "dn: CN=Info,DC=a\nobjectClass: publicFolder\nproxyAddresses: SMTP:info@a.example",
                Some(record("cn=info,dc=a", PublicFolder, &["info@a.example"])),
            ),
            (
                "dn: CN=Arbitration,DC=a\nobjectClass: user\nmail: x@a.example\nmsExchRecipientTypeDetails: 8388608",
                None,
            ),
            (
                "dn: CN=H,DC=a\nobjectClass: user\nmail: HealthMailbox0659e34c2d5b4aa1bc5b9ed5b4d1f9a7@a.example",
                None,
            ),
            (
                "dn: CN=M,DC=a\nobjectClass: user\nmail: m@a.example\n\
                 mailNickname: SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}",
                None,
            ),
        ];
        for (text, want) in cases {
            assert_eq!(read(LdapSchema::ActiveDirectory, text).record, want, "{text}");
        }
    }

    #[test]
    fn others() {
        let cases = [
            (
                LdapSchema::OpenLdap,
                "dn: uid=ann,dc=a\nobjectClass: inetOrgPerson\nentryUUID: 0B6F-1\nmailAlternateAddress: a@a.example\n\
                 mail: ann@a.example\nmailLocalAddress: nothing\nmail: ann@a.example",
                Record {
                    called: vec!["uid=ann,dc=a".into()],
                    ..record("0b6f-1", User, &["ann@a.example", "a@a.example"])
                },
            ),
            (
                LdapSchema::OpenLdap,
                "dn: cn=all,dc=a\nobjectClass: groupOfUniqueNames\ncn: all\nuniqueMember: uid=Ann,dc=a#'0101'B\n\
                 uniqueMember: cn=a#b,dc=a\nmgrpRFC822MailMember: bob@b.example",
                Record {
                    name: Some("all".into()),
                    members: vec!["uid=ann,dc=a".into(), "cn=a#b,dc=a".into(), "bob@b.example".into()],
                    ..record("cn=all,dc=a", Group, &[])
                },
            ),
            (
                LdapSchema::OpenLdap,
                "dn: cn=x,dc=a\nobjectClass: nisMailAlias\ncn: staff@a.example\nrfc822MailMember: ann@a.example",
                Record {
                    name: Some("staff@a.example".into()),
                    members: vec!["ann@a.example".into()],
                    ..record("cn=x,dc=a", Group, &["staff@a.example"])
                },
            ),
            (
                LdapSchema::OpenLdap,
                "dn: cn=x,dc=a\nobjectClass: mailThing\nmail: *@a.example",
                record("cn=x,dc=a", Unspecified, &["*@a.example"]),
            ),
            (
                LdapSchema::Rfc2307bis,
                "dn: uid=Ann,dc=a\nobjectClass: posixAccount\nuid: Ann\nmail: ann@a.example",
                Record { called: vec!["uid=ann".into()], ..record("uid=ann,dc=a", User, &["ann@a.example"]) },
            ),
            (
                LdapSchema::Rfc2307bis,
                "dn: cn=staff,dc=a\nobjectClass: posixGroup\ncn: staff\nmemberUid: ann\nmember: uid=bob,dc=a",
                Record {
                    name: Some("staff".into()),
                    members: vec!["uid=bob,dc=a".into(), "uid=ann".into()],
                    ..record("cn=staff,dc=a", Group, &[])
                },
            ),
        ];
        for (kind, text, want) in cases {
            assert_eq!(read(kind, text).record, Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_text_is_put_aside() {
        let mut entry = entry("dn: uid=j,dc=a\nobjectClass: inetOrgPerson\nmail: j@a.example");
        entry.add("mail", b"j\xfcrgen@a.example".as_slice());
        entry.add("mail", vec![b'x'; 9000]);
        entry.add("mail", "jürgen@bücher.example");
        let reading = Schema::new(LdapSchema::OpenLdap, None, &Attributes::default()).read(&entry, None);
        let why: Vec<&str> = reading.unreadable.iter().map(|unreadable| unreadable.why).collect();
        assert_eq!(why, ["not UTF-8", "too long"]);
        assert_eq!(reading.unreadable[0].value, "j\u{fffd}rgen@a.example");
        let addresses = reading.record.unwrap().addresses;
        assert_eq!(addresses, ["j@a.example".into(), Box::<str>::from("jürgen@bücher.example")]);
    }
}
