// SPDX-License-Identifier: GPL-3.0-or-later
//! Tables as their makers write them, tables that must not be read, and tables that are meant to hurt.

use super::super::collected::Collected;
use super::*;
use crate::config::{Columns, SyncRules};
use encoding_rs::{Encoding, UTF_16LE, WINDOWS_1252};
use proptest::prelude::*;
use std::time::Duration;

fn rules() -> SyncRules {
    SyncRules {
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
    }
}

fn settings() -> config::Csv {
    config::Csv { file: None, delimiter: None, encoding: None, columns: None }
}

fn own(addresses: &[&str]) -> config::Csv {
    let columns = Columns {
        addresses: addresses.iter().map(|name| Box::from(*name)).collect(),
        groups: None,
        kind: None,
        internal_only: None,
    };
    config::Csv { columns: Some(columns), ..settings() }
}

fn read(settings: &config::Csv, octets: &[u8]) -> Result<Collected, String> {
    let mut collected = Collected::default();
    Csv::new(settings, &rules())
        .read("staff.csv", octets, &mut collected)
        .map(|_| collected)
        .map_err(|error| error.to_string())
}

fn utf_16(text: &str, to_octets: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(to_octets).collect()
}

const MICROSOFT_365: &str = "\
Display name,DirSyncEnabled,User principal name,Object Id,First name,Last name,When created,Soft deletion time stamp,Title,Department,\
Block credential,Licenses,Office,Proxy addresses\r\n\
Ann Gärtner,True,ann@a.example,15e91f38,Ann,Gärtner,2022-03-18 19:49:35Z,,,,False,Office 365 E3,\"Bonn, 2\",SMTP:Ann@a.example+smtp:a.gaertner@a.example+smtp:ann@a.onmicrosoft.com+x500:/o=A/cn=ann\r\n\
Board Room,,board@a.example,25e91f38,,,2022-03-18 19:49:35Z,,,,True,Unlicensed,,SMTP:board@a.example\r\n\
Carl Gone,,carl@a.example,35e91f38,,,2022-03-18 19:49:35Z,2024-01-02 03:04:05Z,,,True,,,SMTP:carl@a.example\r\n\
No Mail,,nomail@a.example,45e91f38,,,2022-03-18 19:49:35Z,,,,False,Unlicensed,,\r\n";

const GET_RECIPIENT: &str = "\
#TYPE Selected.Microsoft.Exchange.Data.Directory.Management.ReducedRecipient\r\n\
\"DisplayName\",\"PrimarySmtpAddress\",\"RecipientTypeDetails\",\"HiddenFromAddressListsEnabled\",\"RequireSenderAuthenticationEnabled\",\"EmailAddresses\"\r\n\
\"Gärtner, Ann\",\"Ann@a.example\",\"UserMailbox\",\"True\",\"False\",\"smtp:annie@a.example;SMTP:Ann@a.example;X400:C=us;A= ;P=A;S=Ann;\"\r\n\
\"All \"\"Staff\"\"\",\"staff@a.example\",\"MailUniversalDistributionGroup\",\"False\",\"True\",\"SMTP:staff@a.example\"\r\n\
\"Board\",\"board@a.example\",\"RoomMailbox\",\"False\",\"False\",\"SMTP:board@a.example SMTP:b2@a.example\"\r\n\
\"HealthMailbox\",\"HealthMailbox0659e34c2d5b4aa1bc5b9ed5b4d1f9a7@a.example\",\"UserMailbox\",\"True\",\"False\",\"SMTP:HealthMailbox0659e34c2d5b4aa1bc5b9ed5b4d1f9a7@a.example\"\r\n\
\"Discovery Search Mailbox\",\"discovery@a.example\",\"DiscoveryMailbox\",\"True\",\"False\",\"SMTP:discovery@a.example\"\r\n";

const CSVDE: &str = "\
DN,objectClass,cn,mail,proxyAddresses,member,msExchRequireAuthToSendTo\r\n\
\"CN=Ann,OU=Staff,DC=a,DC=example\",top;person;organizationalPerson;user,Ann,ann@a.example,smtp:annie@a.example;SMTP:ann@a.example,,\r\n\
\"CN=Sales,OU=Groups,DC=a,DC=example\",top;group,Sales,sales@a.example,SMTP:sales@a.example,\"CN=Ann,OU=Staff,DC=a,DC=example;CN=Bob,OU=Staff,DC=a,DC=example\",TRUE\r\n";

const GOOGLE_USERS: &str = "\
First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Org Unit Path [Required],Status [READ ONLY],Recovery Email,Work Secondary Email\n\
Ann,Gärtner,ann@a.example,****,/Staff,Active,ann@private.example,ann@other.example\n\
Bob,Baker,bob@a.example,****,/Staff,Suspended,,\n";

const GOOGLE_MEMBERS: &str = "\
Group Email [Required],Member Email,Member Name,Member Role,Member Type\n\
sales@a.example,ann@a.example,Ann,MEMBER,USER\n\
sales@a.example,bob@a.example,Bob,OWNER,USER\n";

const GAM_USERS: &str = "\
primaryEmail,suspended,aliases,aliases.0,aliases.1,nonEditableAliases,nonEditableAliases.0\n\
ann@a.example,False,2,annie@a.example,a.g@a.example,1,ann@a.example.test-google-a.com\n\
bob@a.example,True,0,,,0,\n";

/// What is expected of a record: addresses, kind, key, internal only.
type Want = (&'static str, RecipientKind, &'static str, bool);

#[test]
fn known_exports_in_every_encoding() {
    use RecipientKind::{Group, Room, Unspecified, User};
    let exports: [(&str, &str, &[Want], usize); 6] = [
        (
            "Microsoft 365",
            MICROSOFT_365,
            &[
                (
                    "Ann@a.example a.gaertner@a.example ann@a.onmicrosoft.com",
                    Unspecified,
                    "ann@a.example",
                    false,
                ),
                ("board@a.example", Unspecified, "board@a.example", false),
            ],
            2,
        ),
        (
            "Get-Recipient",
            GET_RECIPIENT,
            &[
                ("Ann@a.example annie@a.example", User, "ann@a.example", false),
                ("staff@a.example", Group, "staff@a.example", true),
                ("board@a.example b2@a.example", Room, "board@a.example", false),
            ],
            2,
        ),
        (
            "csvde",
            CSVDE,
            &[
                ("ann@a.example annie@a.example", User, "cn=ann,ou=staff,dc=a,dc=example", false),
                ("sales@a.example", Group, "cn=sales,ou=groups,dc=a,dc=example", true),
            ],
            0,
        ),
        (
            "Google users",
            GOOGLE_USERS,
            &[
                ("ann@a.example", Unspecified, "ann@a.example", false),
                ("bob@a.example", Unspecified, "bob@a.example", false),
            ],
            0,
        ),
        ("Google members", GOOGLE_MEMBERS, &[("sales@a.example", Group, "sales@a.example", false)], 0),
        (
            "GAM users",
            GAM_USERS,
            &[
                (
                    "ann@a.example annie@a.example a.g@a.example ann@a.example.test-google-a.com",
                    Unspecified,
                    "ann@a.example",
                    false,
                ),
                ("bob@a.example", Unspecified, "bob@a.example", false),
            ],
            0,
        ),
    ];
    for (name, text, want, passed_over) in exports {
        let (windows, _, _) = WINDOWS_1252.encode(text);
        let other = text.replace("\r\n", "\n").replace('\n', "\r\n");
        let spreadsheet =
            format!("sep=;\r\n{}", other.replace(';', "\u{1}").replace(',', ";").replace('\u{1}', ","));
        let encodings: [(&str, Vec<u8>, Option<&'static Encoding>); 7] = [
            ("UTF-8", text.as_bytes().to_vec(), None),
            ("UTF-8 with a mark", format!("\u{feff}{text}").into_bytes(), None),
            ("UTF-16LE", utf_16(text, u16::to_le_bytes), None),
            ("UTF-16BE", utf_16(text, u16::to_be_bytes), None),
            ("UTF-16LE without a mark", utf_16(text, u16::to_le_bytes)[2..].to_vec(), Some(UTF_16LE)),
            ("windows-1252", windows.into_owned(), Some(WINDOWS_1252)),
            ("blank lines at the end", format!("{text}\r\n\r\n").into_bytes(), None),
        ];
        for (encoding, octets, label) in encodings {
            let got = read(&config::Csv { encoding: label, ..settings() }, &octets)
                .unwrap_or_else(|error| panic!("{name} in {encoding}: {error}"));
            let seen: Vec<(String, RecipientKind, &str, bool)> = got
                .records
                .iter()
                .map(|record| (record.addresses.join(" "), record.kind, &*record.key, record.internal_only))
                .collect();
            let want: Vec<(String, RecipientKind, &str, bool)> = want
                .iter()
                .map(|(addresses, kind, key, internal)| ((*addresses).to_owned(), *kind, *key, *internal))
                .collect();
            assert_eq!(seen, want, "{name} in {encoding}");
            assert_eq!(got.passed_over, passed_over, "{name} in {encoding}");
        }
        if name == "Google users" {
            assert_eq!(
                read(&settings(), spreadsheet.as_bytes()).unwrap().records.len(),
                want.len(),
                "{name} with sep=;"
            );
        }
    }
}

#[test]
fn details_of_exports() {
    let sales = read(&settings(), CSVDE.as_bytes()).unwrap().records.remove(1);
    assert_eq!(sales.name.as_deref(), Some("Sales"));
    assert_eq!(
        sales.members.iter().map(|member| &**member).collect::<Vec<_>>(),
        ["cn=ann,ou=staff,dc=a,dc=example", "cn=bob,ou=staff,dc=a,dc=example"]
    );
    let exchange = read(&settings(), GET_RECIPIENT.as_bytes()).unwrap().records;
    assert_eq!(exchange.iter().map(|record| record.line.unwrap()).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(
        exchange.iter().map(|record| record.name.as_deref()).collect::<Vec<_>>(),
        [None, Some("All \"Staff\""), None]
    );
    let members = read(&settings(), GOOGLE_MEMBERS.as_bytes()).unwrap().memberships;
    let pair = |member: &str| ("sales@a.example".to_owned(), member.to_owned());
    assert_eq!(members, [pair("ann@a.example"), pair("bob@a.example")]);
    let mut users = settings();
    let mut collected = Collected::default();
    let without_rooms = SyncRules { include: vec![RecipientKind::User], ..rules() };
    let complete =
        Csv::new(&users, &without_rooms).read("x", GET_RECIPIENT.as_bytes(), &mut collected).unwrap();
    assert_eq!(
        (collected.addresses(), collected.passed_over),
        (vec!["Ann@a.example annie@a.example".to_owned()], 4)
    );
    assert_eq!(complete, Complete { extent: Extent::Everything, cookie: None, notes: vec![] });
    let google =
        Csv::new(&users, &rules()).read("x", GOOGLE_USERS.as_bytes(), &mut Collected::default()).unwrap();
    assert_eq!(google.notes.len(), 1, "there is a note that aliases are missing");
    users.delimiter = Some(b'|');
    assert_eq!(
        read(&users, b"Proxy addresses|User principal name\nSMTP:a@a.example|x\n").unwrap().addresses(),
        ["a@a.example"]
    );
}

#[test]
fn own_columns() {
    let mut table = own(&["E-Mail", "Alias"]);
    if let Some(columns) = &mut table.columns {
        columns.groups = Some("Groups".into());
        columns.kind = Some("Kind".into());
        columns.internal_only = Some("Internal".into());
    }
    let text = "Name; E-MAIL ;alias;groups;KIND;Internal;Name\n\
                Ann;ann@a.example;annie@a.example, a@a.example;Sales, Support;User;;x\n\
                ;;;;;;\n\n\
                \"Bob\nBaker\";bob@a.example;;Sales;shared mailbox;WAHR;x\n\
                Bob;bob@a.example;b@a.example;;;no;x\n";
    let got = read(&table, text.as_bytes()).unwrap();
    assert_eq!(
        got.addresses(),
        ["ann@a.example annie@a.example a@a.example", "bob@a.example", "bob@a.example b@a.example"]
    );
    let lines: Vec<u64> = got.records.iter().map(|record| record.line.unwrap()).collect();
    assert_eq!(lines, [2, 5, 7]);
    assert_eq!(got.records[0].groups.iter().map(|group| &**group).collect::<Vec<_>>(), ["Sales", "Support"]);
    assert_eq!((got.records[1].kind, got.records[1].internal_only), (RecipientKind::Shared, true));
    assert_ne!(got.records[1].key, got.records[2].key, "no row takes another's place");
    assert_eq!(read(&table, text.as_bytes()).unwrap().records, got.records);
}

#[test]
fn bad_tables() {
    let email = own(&["Email"]);
    let exchange = export::EXCHANGE;
    let cases: Vec<(&str, config::Csv, Vec<u8>, String)> = vec![
        ("empty", settings(), vec![], "staff.csv, line 1: the file is empty".into()),
        ("mark alone", settings(), b"\xef\xbb\xbf".to_vec(), "staff.csv, line 1: the file is empty".into()),
        ("blank", settings(), b"\r\n\r\n".to_vec(), "staff.csv, line 3: there is no header in the file".into()),
        ("type line alone", settings(), b"#TYPE x\r\n".to_vec(), "staff.csv, line 2: there is no header in the file".into()),
        ("workbook", settings(), b"PK\x03\x04\x14\0\x06\0".to_vec(),
         "staff.csv, line 1: this is an Excel workbook; save it as \"CSV UTF-8\"".into()),
        ("renamed column", own(&["Email", "Alias"]), b"Name,E-Mail,Phone\n".to_vec(),
         "staff.csv, line 1: there are no columns `Email`, `Alias`; the header has `Name`, `E-Mail` and `Phone`: write their names in `columns`".into()),
        ("missing column", email.clone(), b"\n\nName;E-Mail\n".to_vec(),
         "staff.csv, line 3: there is no column `Email`; the header has `Name` and `E-Mail`: write their names in `columns`".into()),
        ("twice the column", email.clone(), b"Email,Name,EMAIL\n".to_vec(),
         "staff.csv, line 1: the columns 1 and 3 are both called `Email`, and nothing tells which is meant: rename one of them".into()),
        ("unknown export", settings(), b"Name;Mail address\n".to_vec(),
         "staff.csv, line 1: this is no export that Postern knows; the header has `Name` and `Mail address`: write which columns hold addresses: \
          `columns = { addresses = [\"Mail address\"] }`".into()),
        ("no addresses", settings(), b"Name,Phone\n".to_vec(),
         "staff.csv, line 1: no column looks as if it held addresses; the header has `Name` and `Phone`: write which do: \
          `columns = { addresses = [\"Email\"] }`, and `delimiter` if the columns were not told apart".into()),
        ("no header", settings(), b"ann@a.example\nbob@a.example\n".to_vec(),
         "staff.csv, line 1: no column looks as if it held addresses; the header has `ann@a.example`: write which do: \
          `columns = { addresses = [\"Email\"] }`, and `delimiter` if the columns were not told apart".into()),
        ("no aliases", settings(), b"DisplayName,PrimarySmtpAddress\n".to_vec(),
         format!("staff.csv, line 1: there is `PrimarySmtpAddress` and no `EmailAddresses`, so mail to aliases would be refused; export both: {exchange}")),
        ("no proxy addresses", settings(), b"User principal name,Soft deletion time stamp\n".to_vec(),
         "staff.csv, line 1: there is no column `Proxy addresses`, so mail to aliases would be refused; export the users with it".into()),
        ("type name", settings(), b"PrimarySmtpAddress,EmailAddresses\na@a.example,Microsoft.Exchange.Data.ProxyAddressCollection\n".to_vec(),
         format!("staff.csv, line 2: the column `EmailAddresses` holds the name of a type and no addresses; export it so: {exchange}")),
        ("cut list", settings(), b"PrimarySmtpAddress,EmailAddresses\na@a.example,\"{SMTP:a@a.example, smtp:b@a.example...}\"\n".to_vec(),
         format!("staff.csv, line 2: the list in the column `EmailAddresses` was cut off when it was exported; join its values with `;`, so: {exchange}")),
        ("short row", email.clone(), b"Email,Name\na@a.example,Ann\n\nb@a.example\nc@a.example,Cy\n".to_vec(),
         "staff.csv, line 4: this row has 1 field, where the header has 2".into()),
        ("long row", email.clone(), b"Email,Name\r\na@a.example,Baker, Ann\r\n".to_vec(),
         "staff.csv, line 2: this row has 3 fields, where the header has 2; a field with the delimiter in it belongs in quotes".into()),
        ("cut in a row", email.clone(), b"Email,Name\na@a.example,Ann\nb@a.exam".to_vec(),
         "incomplete: staff.csv ends in the middle of line 3".into()),
        ("cut in the last field", settings(), b"PrimarySmtpAddress,EmailAddresses\r\na@a.example,SMTP:a@a.exam".to_vec(),
         "incomplete: staff.csv ends in the middle of line 2".into()),
        ("open quote", email.clone(), b"Email,Name\na@a.example,\"Ann\nb@a.example,Bob\n".to_vec(),
         "staff.csv, line 2: a quote is opened here that is never closed".into()),
        ("open quote that another closes", email.clone(), b"Email,Name\na@a.example,\"Ann\nb@a.example,\"Bob\"\n".to_vec(),
         "staff.csv, line 2: a quote is opened here that is not closed as it should be: in line 3 there is more text behind a quote, \
          where `,` or the end of the line was expected; a quote within quotes is written twice".into()),
        ("mixed encodings", email.clone(), b"Email,Name\na@a.example,\xc3\xa4\nb@a.example,\xe4\n".to_vec(),
         "staff.csv, line 3: this is no UTF-8 (octet 0xE4); write its character encoding, such as `encoding = \"windows-1252\"`, or export it as UTF-8".into()),
        ("UTF-16 without a mark", settings(), utf_16("Email,Name\n", u16::to_le_bytes)[2..].to_vec(),
         "staff.csv, line 1: there is a NUL octet here; if the file is UTF-16, write `encoding = \"utf-16le\"`".into()),
        ("NUL", email.clone(), b"Email,Name\na@a.example,\0\n".to_vec(),
         "staff.csv, line 2: there is a NUL octet here; if the file is UTF-16, write `encoding = \"utf-16le\"`".into()),
        ("many columns", email.clone(), ",".repeat(1_000_000).into_bytes(),
         "staff.csv, line 1: there are more than 10000 columns here".into()),
        ("long header", email.clone(), "x".repeat(3_000_000).into_bytes(),
         "staff.csv, line 1: this row is longer than 1048576 octets".into()),
        ("long line", email.clone(), format!("Email\n{}", "x".repeat(3_000_000)).into_bytes(),
         "staff.csv, line 2: this row is longer than 1048576 octets".into()),
    ];
    for (name, settings, octets, want) in cases {
        match read(&settings, &octets) {
            Ok(collected) => panic!("{name}: {collected:?}"),
            Err(error) => assert_eq!(error, want, "{name}"),
        }
    }
    let mut kind = email;
    if let Some(columns) = &mut kind.columns {
        columns.internal_only = Some("Name".into());
    }
    assert_eq!(
        read(&kind, b"Email,Name\na@a.example,perhaps\n").unwrap_err(),
        "staff.csv, line 2: the column `Name` says `perhaps`, which is neither true nor false"
    );
}

/// Octets of a stream that has no end to speak of.
struct Endless {
    header: &'static [u8],
    repeat: &'static [u8],
    at: usize,
    left: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = out.len().min(self.left);
        for octet in &mut out[..length] {
            let at = self.at;
            *octet = match at.checked_sub(self.header.len()) {
                None => self.header[at],
                Some(at) => self.repeat[at % self.repeat.len()],
            };
            self.at += 1;
        }
        self.left -= length;
        Ok(length)
    }
}

#[test]
fn a_line_of_100_megabytes_is_given_up_early() {
    for (header, repeat) in
        [(&b"Email\n"[..], &b"x"[..]), (b"Email\n\"", b"x"), (b"", b"x"), (b"Email\n", b"+")]
    {
        let mut stream = Endless { header, repeat, at: 0, left: 100 << 20 };
        Csv::new(&own(&["Email"]), &rules()).read("x", &mut stream, &mut Collected::default()).unwrap_err();
        assert!(stream.at < 3 << 20, "{} octets were read", stream.at);
    }
}

/// A file with the addresses, written by the CSV crate.
fn write(addresses: &[String], delimiter: u8, style: csv::QuoteStyle) -> String {
    let mut writer =
        csv::WriterBuilder::new().delimiter(delimiter).quote_style(style).from_writer(Vec::new());
    writer.write_record(["Name", "Email", "Note"]).unwrap();
    for address in addresses {
        writer.write_record(["Baker, \"Ann\"\r\n;\t|", address, ""]).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read(
        addresses in prop::collection::vec("[a-z0-9!#$%&'*/=?^_`{|}~äöλ漢]{1,3}(\\+[a-z.]{0,3})?@[a-zä0-9]{1,5}\\.example", 0..30),
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        style in prop::sample::select(vec![csv::QuoteStyle::Always, csv::QuoteStyle::Necessary, csv::QuoteStyle::NonNumeric]),
        encoding in 0..4,
    ) {
        let text = write(&addresses, delimiter, style);
        let octets = match encoding {
            0 => text.into_bytes(),
            1 => format!("\u{feff}{text}").into_bytes(),
            2 => utf_16(&text, u16::to_le_bytes),
            _ => utf_16(&text, u16::to_be_bytes),
        };
        let got = read(&own(&["Email"]), &octets).unwrap();
        prop_assert_eq!(got.addresses(), addresses);
    }

    #[test]
    fn nothing_panics(octets in prop::collection::vec(prop::sample::select(b"a@,;\"\"\n\r\t|\0\xe4\xc3\xa4\xff\xfe+: ".to_vec()), 0..200)) {
        let mut with_header = b"Email,b\n".to_vec();
        with_header.extend_from_slice(&octets);
        let _ = read(&own(&["Email"]), &with_header);
        let _ = read(&settings(), &octets);
    }
}
