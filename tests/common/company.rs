// SPDX-License-Identifier: GPL-3.0-or-later
//! A company of any size, as entries of a directory (LDIF, RFC 2849): people, each with a second address, and groups of
//! many members, each of which also has the next group as a member.
//!
//! Person 7 is `p7@example.com` and `p7.alias@example.com`, group 3 is `g3@example.com`.

use std::fmt::Write as _;

use super::ldap_server::SUFFIX;

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Company {
    pub(crate) people: usize,
    pub(crate) groups: usize,
    /// How many people are in each group. Group 0 begins with person 0, group 1 where that one ends, and so on, from the
    /// first person again after the last.
    pub(crate) members: usize,
}

impl Company {
    /// As OpenLDAP's users have it: `inetOrgPerson`, `inetLocalMailRecipient` and `groupOfNames`.
    pub(crate) fn ldif(self) -> String {
        let mut text = String::new();
        for unit in ["people", "groups"] {
            add(
                &mut text,
                format_args!("dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n"),
            );
        }
        for n in 0..self.people {
            let person = format_args!(
                "dn: {dn}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\nuid: p{n}\n\
                 cn: Person {n}\nsn: {n}\nmail: p{n}@example.com\nmailLocalAddress: p{n}.alias@example.com\n",
                dn = person(n),
            );
            add(&mut text, person);
        }
        for n in 0..self.groups {
            write!(
                text,
                "dn: {dn}\nobjectClass: groupOfNames\nobjectClass: inetLocalMailRecipient\ncn: g{n}\n\
                 mailLocalAddress: g{n}@example.com\n",
                dn = group(n),
            )
            .expect("a string");
            self.add_members(&mut text, n, person, group);
        }
        text
    }

    /// As Active Directory and Exchange have it: `user` and `group` with `proxyAddresses`. The uSNChanged of person 0 is
    /// 1000, each further entry's is one more.
    pub(crate) fn active_directory(self) -> String {
        let mut text = String::new();
        for unit in ["Staff", "Lists"] {
            add(
                &mut text,
                format_args!("dn: OU={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n"),
            );
        }
        for n in 0..self.people {
            let usn = 1000 + n;
            let person = format_args!(
                "dn: {dn}\nobjectClass: top\nobjectClass: person\nobjectClass: organizationalPerson\n\
                 objectClass: user\ncn: Person {n}\nsn: {n}\nsAMAccountName: p{n}\nuserPrincipalName: p{n}@corp.example\n\
                 userAccountControl: 512\nmail: p{n}@example.com\nproxyAddresses: SMTP:p{n}@example.com\n\
                 proxyAddresses: smtp:p{n}.alias@example.com\nproxyAddresses: X500:/o=Example/ou=Staff/cn=p{n}\n\
                 msExchRecipientTypeDetails: 1\nmsExchRecipientDisplayType: 1073741824\n\
                 objectGUID:: {guid}\nuSNChanged: {usn}\nwhenChanged: 20261101000000.0Z\n",
                dn = user(n),
                guid = guid(usn),
            );
            add(&mut text, person);
        }
        for n in 0..self.groups {
            let usn = 1000 + self.people + n;
            write!(
                text,
                "dn: {dn}\nobjectClass: top\nobjectClass: group\ncn: g{n}\nsAMAccountName: g{n}\ngroupType: 8\n\
                 mail: g{n}@example.com\nproxyAddresses: SMTP:g{n}@example.com\nmsExchRequireAuthToSendTo: {inside}\n\
                 msExchRecipientDisplayType: 1\nobjectGUID:: {guid}\nuSNChanged: {usn}\nwhenChanged: 20261101000000.0Z\n",
                dn = list(n),
                inside = if n % 2 == 1 { "TRUE" } else { "FALSE" },
                guid = guid(usn),
            )
            .expect("a string");
            self.add_members(&mut text, n, user, list);
        }
        text
    }

    /// All addresses, in no order.
    pub(crate) fn addresses(self) -> impl Iterator<Item = String> {
        let people =
            (0..self.people).flat_map(|n| [format!("p{n}@example.com"), format!("p{n}.alias@example.com")]);
        people.chain((0..self.groups).map(|n| format!("g{n}@example.com")))
    }

    fn add_members(
        self,
        text: &mut String,
        n: usize,
        person: fn(usize) -> String,
        group: fn(usize) -> String,
    ) {
        for member in n * self.members..(n + 1) * self.members {
            writeln!(text, "member: {}", person(member % self.people)).expect("a string");
        }
        if n + 1 < self.groups {
            writeln!(text, "member: {}", group(n + 1)).expect("a string");
        }
        text.push('\n');
    }
}

/// The entry, and the empty line after it.
fn add(text: &mut String, entry: std::fmt::Arguments<'_>) {
    writeln!(text, "{entry}").expect("a string");
}

fn person(n: usize) -> String {
    format!("uid=p{n},ou=people,{SUFFIX}")
}

fn group(n: usize) -> String {
    format!("cn=g{n},ou=groups,{SUFFIX}")
}

fn user(n: usize) -> String {
    format!("CN=Person {n},OU=Staff,{SUFFIX}")
}

fn list(n: usize) -> String {
    format!("CN=g{n},OU=Lists,{SUFFIX}")
}

/// Sixteen octets that differ for each number and are no text, in base64.
fn guid(number: usize) -> String {
    use base64::Engine as _;
    let mut octets = [0xff; 16];
    octets[..8].copy_from_slice(&(number as u64).to_le_bytes());
    base64::engine::general_purpose::STANDARD.encode(octets)
}
