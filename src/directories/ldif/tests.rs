// SPDX-License-Identifier: GPL-3.0-or-later
//! Exports as `slapcat`, `ldapsearch` and `ldifde` write them, and what must not be read.

use super::super::collected::Collected;
use super::*;
use crate::config::{Attributes, DataFile, LdapSchema, SyncRules};
use encoding_rs::{Encoding, WINDOWS_1252};
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;

fn ldif(schema: LdapSchema, encoding: Option<&'static Encoding>) -> Ldif {
    let settings = config::Ldif {
        file: DataFile::unnamed(Path::new("export.ldif")),
        encoding,
        schema,
        attributes: Attributes::default(),
    };
    let rules = SyncRules {
        refresh: None,
        max_removed: 10,
        max_invalid: 5,
        removal_grace: Duration::ZERO,
        max_age: None,
        keep: 1,
        include: RecipientKind::SAID.to_vec(),
        patterns: false,
        timeout: Duration::from_secs(30),
        groups: Vec::new(),
    };
    Ldif::new(&settings, &rules)
}

fn read(ldif: &Ldif, octets: &[u8]) -> Result<Collected, String> {
    let mut collected = Collected::default();
    ldif.read("export.ldif", octets, &mut collected).map(|_| collected).map_err(|error| error.to_string())
}

const SLAPCAT: &str = "\
dn: dc=a,dc=example
objectClass: organization
o: A

# An entry with a comment that
  goes on
dn: uid=ann,ou=people,dc=a,dc=example
objectClass: inetOrgPerson
uid: ann
mail: ann@a.exa
 mple
mailAlternateAddress:: YW5uaWVAYS5leGFtcGxl
entryUUID: 0B6F0000-0000-0000-0000-000000000001

dn:: dWlkPWrDvHJnZW4sZGM9YQ==
objectClass: inetOrgPerson
mail:: asO8cmdlbkBiw7xjaGVyLmV4YW1wbGU=
mail: jürgen@a.example

dn: cn=sales,dc=a
changetype: add
objectClass: groupOfNames
cn: sales
member: uid=Ann, ou=people,dc=a,dc=example
";

#[test]
fn an_export_of_openldap() {
    let openldap = ldif(LdapSchema::OpenLdap, None);
    let texts = [
        SLAPCAT.to_owned(),
        format!("version: 1\n\n{SLAPCAT}\n\n"),
        format!("\u{feff}version: 1\r\n{}", SLAPCAT.replace('\n', "\r\n")),
        format!(
            "# extended LDIF\n#\nversion: 1\n{SLAPCAT}\n# search reference\nref: ldap://b.example/dc=b\n\n# search result\nsearch: 2\nresult: 0 Success\n\n# numResponses: 4\n"
        ),
    ];
    for text in texts {
        let got = read(&openldap, text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(
            got.addresses(),
            ["ann@a.example annie@a.example", "jürgen@bücher.example jürgen@a.example", ""],
            "{text}"
        );
        assert_eq!(got.records[2].members, [Box::<str>::from("uid=ann,ou=people,dc=a,dc=example")], "{text}");
        assert_eq!(&*got.records[0].key, "0b6f0000-0000-0000-0000-000000000001");
        assert_eq!(got.passed_over, 1, "{text}");
    }
    assert_eq!(read(&openldap, SLAPCAT.as_bytes()).unwrap().records[1].line, Some(15));
}

#[test]
fn an_export_of_active_directory_in_another_encoding() {
    let text = "dn: CN=J\u{fc}rgen,DC=a\r\nchangetype: add\r\nobjectClass: user\r\nobjectGUID:: AAECAwQFBgcICQoLDA0O/w==\r\n\
                proxyAddresses: smtp:j@a.example\r\nproxyAddresses: SMTP:j\u{fc}rgen@a.example\r\n\
                proxyAddresses:: c210cDpq/HJnZW5AYi5leGFtcGxl\r\n\r\n";
    let (octets, _, _) = WINDOWS_1252.encode(text);
    let got = read(&ldif(LdapSchema::ActiveDirectory, Some(WINDOWS_1252)), &octets).unwrap();
    assert_eq!(got.addresses(), ["jürgen@a.example j@a.example jürgen@b.example"]);
    assert_eq!(&*got.records[0].key, "03020100-0504-0706-0809-0a0b0c0d0eff", "the number is no text");
    let got = read(&ldif(LdapSchema::ActiveDirectory, None), text.as_bytes()).unwrap();
    assert_eq!(got.invalid, ["line 1: smtp:j\u{fffd}rgen@b.example: not UTF-8"]);
}

#[test]
fn bad_exports() {
    let entry = "dn: uid=a,dc=a\nobjectClass: person\nmail: a@a.example\n";
    let long = "x".repeat(5 << 20);
    for (text, want) in [
        ("", "export.ldif: there is no entry in the file"),
        ("version: 1\n", "export.ldif: there is no entry in the file"),
        (
            "version: 2\n",
            "export.ldif, line 1: this is a version of LDIF that nobody has written down; 1 is the only one",
        ),
        ("Name,Email\n", "export.ldif, line 1: this is no LDIF: there is no `:` in this line"),
        ("a b: c\n", "export.ldif, line 1: this is no LDIF: what stands before the `:` is no attribute"),
        (" dn: a\n", "export.ldif, line 1: this line goes on with one that is not there"),
        ("mail: a@a.example\n", "export.ldif, line 1: an entry begins with `dn:`, and this does not"),
        (
            &format!("{entry}dn: uid=b,dc=a\n"),
            "export.ldif, line 4: there is no blank line before this entry",
        ),
        (
            &format!("{entry}\ndn: uid=b,dc=a\nchangetype: delete\n"),
            "export.ldif, line 6: this file has changes in it; export the directory as it is",
        ),
        (
            &format!("{entry}-\n"),
            "export.ldif, line 4: this file has changes in it; export the directory as it is",
        ),
        (
            &format!("{entry}jpegPhoto:< file:///etc/passwd\n"),
            "export.ldif, line 4: this value is in another file, which is not fetched; export the values themselves",
        ),
        (&format!("{entry}cn:: ???\n"), "export.ldif, line 4: what stands behind `::` is no base64"),
        (
            &format!("{entry}member;range=0-1499: cn=x\n"),
            "export.ldif, line 4: the values of this attribute go on in another answer of the server; export with a tool that asks for all",
        ),
        (
            &format!("{entry}mail: \0\n"),
            "export.ldif, line 4: there is a NUL octet here; if the file is UTF-16, write `encoding = \"utf-16le\"`",
        ),
        (
            &format!("{entry}\nsearch: 2\nresult: 4 Size limit exceeded\n"),
            "incomplete: export.ldif, line 6: the search that made it ended with 4 Size limit exceeded",
        ),
        ("dn: uid=a,dc=a\nmail: a@a.exam", "incomplete: export.ldif ends in the middle of a line"),
        (&format!("{entry}cn: {long}\n"), "export.ldif, line 4: this line is longer than 4194304 octets"),
        (
            &format!("{entry}cn: {}\n", "x\n ".repeat(5 << 20)),
            "export.ldif, line 4: this line is longer than 4194304 octets",
        ),
        (&format!("{entry}cn: \u{fffd}"), "incomplete: export.ldif ends in the middle of a line"),
    ] {
        let shown = &text[..text.len().min(200)];
        match read(&ldif(LdapSchema::OpenLdap, None), text.as_bytes()) {
            Ok(collected) => panic!("{shown}: {collected:?}"),
            Err(error) => assert_eq!(error, want, "{shown}"),
        }
    }
    assert_eq!(
        read(&ldif(LdapSchema::OpenLdap, None), b"dn: uid=a\ncn: \xe4\n").unwrap_err(),
        "export.ldif, line 2: this is no UTF-8 (octet 0xE4); write its character encoding, such as `encoding = \"windows-1252\"`, or export it as UTF-8"
    );
}

proptest! {
    #[test]
    fn nothing_panics(octets in prop::collection::vec(prop::sample::select(b"dn:a <#-\n\r\0=;\xe4+/A".to_vec()), 0..200)) {
        let mut text = b"dn: a\n".to_vec();
        text.extend_from_slice(&octets);
        let _ = read(&ldif(LdapSchema::ActiveDirectory, None), &text);
        let _ = read(&ldif(LdapSchema::OpenLdap, Some(WINDOWS_1252)), &octets);
    }
}
