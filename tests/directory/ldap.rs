// SPDX-License-Identifier: GPL-3.0-or-later
//! LDAP directories, synced from slapd.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use crate::common::authority::Shown;
use crate::common::company::Company;
use crate::common::dir::TestDir;
use crate::common::ldap_server::{LdapServer, READER, READER_PASSWORD, SUFFIX, Setup};
use crate::contract::{House, Kept};
use postern::directories::{Complete, Extent, Record, Sink, SinkError, Source, SourceError, Which};
use postern::mail::RecipientKind;

/// How a server is asked in a test.
#[derive(Clone, Debug)]
struct Way<'a> {
    server: &'a str,
    password: &'a str,
    more: &'a str,
}

impl<'a> Way<'a> {
    fn to(server: &'a str) -> Self {
        Self { server, password: READER_PASSWORD, more: "" }
    }

    fn house(&self, ca: &std::path::Path) -> House {
        let Self { server, password, more } = self;
        let dir = TestDir::new();
        secret(&dir, "password.txt", password);
        House::within(
            dir,
            &format!(
                "type = \"ldap\"\nservers = [\"{server}\"]\nca = \"{}\"\nbind_dn = \"{READER}\"\n\
                 password = {{ file = \"password.txt\" }}\nbase = \"{SUFFIX}\"\n{more}",
                ca.display()
            ),
        )
    }
}

/// A file that only its owner may read.
fn secret(dir: &TestDir, name: &str, text: &str) {
    let file = dir.write(name, text);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn house(server: &LdapServer, more: &str) -> House {
    Way { more, ..Way::to(&server.url()) }.house(&server.ca_file())
}

async fn ask(source: &dyn Source) -> (Complete, Kept) {
    let (answer, kept) = Kept::ask(source, None).await;
    (answer.unwrap(), kept)
}

/// What has changed since an answer.
async fn since(source: &dyn Source, before: &Complete) -> (Complete, Kept) {
    assert!(before.cookie.is_some(), "no cookie: {before:?}");
    let (answer, kept) = Kept::ask(source, before.cookie.as_ref()).await;
    (answer.unwrap(), kept)
}

fn entry(name: &str, more: &str) -> String {
    format!(
        "dn: uid={name},{SUFFIX}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\nuid: {name}\ncn: {name}\n\
         sn: x\nmail: {name}@example.com\n{more}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_company_page_by_page() {
    let company = Company { people: 25_000, groups: 6, members: 5_000 };
    let server = LdapServer::start(Setup { ldif: company.ldif(), page: Some(500), ..Setup::default() });
    let mut wanted: Vec<String> = company.addresses().collect();
    wanted.sort_unstable();
    for url in [server.url(), server.secure_url()] {
        let way = Way { more: "preset = \"openldap\"", ..Way::to(&url) };
        let (answer, kept) = ask(&*way.house(&server.ca_file()).source()).await;
        assert_eq!(answer.extent, Extent::Everything);
        assert_eq!(answer.notes, Vec::<String>::new());
        assert!(kept.addresses() == wanted, "{} addresses by {url}", kept.addresses().len());
        let people = kept.records.iter().filter(|record| record.kind == RecipientKind::User).count();
        assert_eq!(people, 25_000);
        // Each group has its members and the next group, by the name that the group's record is also called.
        for n in 0..6 {
            let name = format!("g{n}");
            let group = kept.records.iter().find(|record| record.name.as_deref() == Some(&name)).unwrap();
            assert_eq!(group.members.len(), 5_000 + usize::from(n < 5), "{name}");
            let next = format!("cn=g{},ou=groups,{SUFFIX}", n + 1);
            assert_eq!(n < 5, group.members.iter().any(|member| **member == *next), "{name}");
            assert_eq!(*group.called, [format!("cn=g{n},ou=groups,{SUFFIX}").into_boxed_str()]);
        }
    }
    let larger = house(&server, "preset = \"openldap\"\npage_size = 1000");
    let (refused, _) = Kept::ask(&*larger.source(), None).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.starts_with("incomplete: a limit of the server") && error.contains("page_size"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_openldap() {
    let server = LdapServer::start(Setup {
        ldif: [entry("ann", ""), entry("bob", ""), entry("cid", ""), entry("dan", ""), entry("eve", "")]
            .concat(),
        ..Setup::default()
    });
    let house = house(&server, "preset = \"openldap\"");
    let source = house.source();
    let (full, all) = ask(&*source).await;
    assert_eq!(all.records.len(), 5);
    let key = |name: &str| {
        let address = format!("{name}@example.com");
        let found = all.records.iter().find(|record| record.addresses.iter().any(|one| **one == *address));
        found.unwrap().key.clone()
    };

    let (none, kept) = since(&*source, &full).await;
    assert_eq!((none.extent, kept.records.len(), kept.removed.len()), (Extent::Nothing, 0, 0));

    server.load(&entry("new", ""));
    server.modify(&format!(
        "dn: uid=ann,{SUFFIX}\nchangetype: modify\nadd: mailLocalAddress\nmailLocalAddress: a@example.com\n\n\
         dn: uid=bob,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=bobby\ndeleteoldrdn: 1\n\n\
         dn: uid=cid,{SUFFIX}\nchangetype: delete\n\n\
         dn: uid=dan,{SUFFIX}\nchangetype: modify\ndelete: mail\n"
    ));
    let (changed, kept) = since(&*source, &none).await;
    assert_eq!(changed.extent, Extent::Changes);
    let mut removed = kept.removed.clone();
    removed.sort_unstable();
    let mut gone = [key("cid").into_string(), key("dan").into_string()];
    gone.sort_unstable();
    assert_eq!(removed, gone);
    assert_eq!(kept.addresses(), ["a@example.com", "ann@example.com", "bob@example.com", "new@example.com"]);
    assert_eq!(*kept.find(&key("bob")).called, [format!("uid=bobby,{SUFFIX}").into_boxed_str()]);
    let (none, _) = since(&*source, &changed).await;
    assert_eq!(none.extent, Extent::Nothing);

    // The old cookie still leads to the same, and one of another question leads nowhere.
    let (again, kept) = since(&*source, &full).await;
    assert_eq!((again.extent, kept.records.len()), (Extent::Changes, 3));
    let other = self::house(&server, "preset = \"openldap\"\nfilter = \"(mail=*)\"");
    let (answer, _) = Kept::ask(&*other.source(), full.cookie.as_ref()).await;
    assert!(matches!(answer, Err(SourceError::Resync)), "{answer:?}");
    let never = self::house(&server, "preset = \"openldap\"\nincremental = false");
    let (full, _) = ask(&*never.source()).await;
    assert_eq!(full.cookie, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgot() {
    let mut server = LdapServer::start(Setup { ldif: entry("ann", ""), ..Setup::default() });
    let house = house(&server, "preset = \"openldap\"");
    let source = house.source();
    let (full, _) = ask(&*source).await;
    server.modify(&format!("dn: uid=ann,{SUFFIX}\nchangetype: delete\n"));
    // Its log has room for a thousand changes; of the time before it can only say who is there.
    server.load(&(0..1_100).map(|n| entry(&format!("p{n}"), "")).collect::<String>());
    let (answer, _) = Kept::ask(&*source, full.cookie.as_ref()).await;
    assert!(matches!(answer, Err(SourceError::Resync)), "{answer:?}");
    let (full, kept) = ask(&*source).await;
    assert_eq!(kept.records.len(), 1_100);

    // One that was killed thinks that it is where it was in the beginning.
    server.restart();
    let (answer, _) = Kept::ask(&*source, full.cookie.as_ref()).await;
    assert!(matches!(answer, Err(SourceError::Resync)), "{answer:?}");
}

/// What a domain controller says of itself: its settings, and the number of its last change.
fn controller(usn: u32) -> String {
    format!(
        "highestCommittedUSN: {usn}\ndefaultNamingContext: {SUFFIX}\ndsServiceName: CN=NTDS Settings,{SUFFIX}\n\
         supportedCapabilities: 1.2.840.113556.1.4.800\n"
    )
}

fn settings(invocation: &str) -> String {
    format!(
        "dn: CN=NTDS Settings,{SUFFIX}\nobjectClass: top\nobjectClass: nTDSDSA\ncn: NTDS Settings\n\
         invocationId:: {invocation}\n\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_active_directory() {
    let company = Company { people: 1_200, groups: 3, members: 500 };
    let ldif = format!("{}{}", company.active_directory(), settings("AAAAAAAAAAAAAAAAAAAAAA=="));
    let mut server =
        LdapServer::start(Setup { ldif, page: Some(1000), root: controller(5000), ..Setup::default() });
    let house = house(&server, "");
    let source = house.source();
    let (full, all) = ask(&*source).await;
    let mut wanted: Vec<String> = company.addresses().collect();
    wanted.sort_unstable();
    assert!(all.addresses() == wanted, "{}", all.addresses().len());
    let group = all.records.iter().find(|record| record.name.as_deref() == Some("g1")).unwrap();
    assert!(group.internal_only && group.kind == RecipientKind::Group && group.members.len() == 501);
    let key = |n: usize| {
        let address = format!("p{n}@example.com");
        all.records.iter().find(|record| *record.addresses[0] == *address).unwrap().key.to_string()
    };
    assert_eq!(key(0), "000003e8-0000-0000-ffff-ffffffffffff");

    let (none, _) = since(&*source, &full).await;
    assert_eq!(none.extent, Extent::Nothing);

    // 7 gets an address, 8 is deleted, 9 is no recipient any more, 10 is renamed.
    server.modify(&format!(
        "dn: CN=Person 7,OU=Staff,{SUFFIX}\nchangetype: modify\nadd: proxyAddresses\nproxyAddresses: smtp:seven@example.com\n-\n\
         replace: uSNChanged\nuSNChanged: 5001\n\n\
         dn: CN=Person 8,OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: uSNChanged\nuSNChanged: 5002\n-\n\
         add: isDeleted\nisDeleted: TRUE\n-\ndelete: proxyAddresses\n-\ndelete: mail\n\n\
         dn: CN=Person 9,OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: uSNChanged\nuSNChanged: 5003\n-\n\
         replace: msExchRecipientTypeDetails\nmsExchRecipientTypeDetails: 8388608\n\n\
         dn: CN=Person 10,OU=Staff,{SUFFIX}\nchangetype: modify\nreplace: uSNChanged\nuSNChanged: 5004\n\n\
         dn: CN=Person 10,OU=Staff,{SUFFIX}\nchangetype: modrdn\nnewrdn: CN=Ten\ndeleteoldrdn: 1\n"
    ));
    server.say(&controller(5004));
    let (changed, kept) = since(&*source, &full).await;
    assert_eq!(changed.extent, Extent::Changes);
    let mut removed = kept.removed.clone();
    removed.sort_unstable();
    assert_eq!(removed, [key(8), key(9)]);
    assert_eq!(kept.records.len(), 2);
    assert!(kept.find(&key(7)).addresses.iter().any(|address| **address == *"seven@example.com"));
    assert_eq!(*kept.find(&key(10)).called, [format!("cn=ten,ou=staff,{SUFFIX}").into_boxed_str()]);
    let (none, _) = since(&*source, &changed).await;
    assert_eq!(none.extent, Extent::Nothing);

    // A controller that is behind, or one with another database, cannot tell.
    server.say(&controller(5003));
    let (answer, _) = Kept::ask(&*source, changed.cookie.as_ref()).await;
    assert!(matches!(answer, Err(SourceError::Resync)), "{answer:?}");
    server.say(&controller(5004));
    server.modify(&format!(
        "dn: CN=NTDS Settings,{SUFFIX}\nchangetype: modify\nreplace: invocationId\ninvocationId:: AQAAAAAAAAAAAAAAAAAAAA==\n"
    ));
    let (answer, _) = Kept::ask(&*source, changed.cookie.as_ref()).await;
    assert!(matches!(answer, Err(SourceError::Resync)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unix_groups_name_their_users() {
    let ldif = format!(
        "dn: uid=Ann,{SUFFIX}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: Ann\ncn: Ann\nsn: A\nuidNumber: 1\n\
         gidNumber: 1\nhomeDirectory: /\nmail: ann@example.com\n\n\
         dn: cn=staff,{SUFFIX}\nobjectClass: groupOfNames\nobjectClass: posixGroup\ncn: staff\ngidNumber: 2\nmemberUid: ann\n\
         member: uid=Ann,{SUFFIX}\n\n"
    );
    let server = LdapServer::start(Setup { ldif, ..Setup::default() });
    let (_, kept) = ask(&*house(&server, "preset = \"rfc2307bis\"").source()).await;
    let ann = kept.records.iter().find(|record| !record.addresses.is_empty()).unwrap();
    assert_eq!(*ann.called, [format!("uid=ann,{SUFFIX}").into(), "uid=ann".into()]);
    let staff = kept.records.iter().find(|record| record.name.is_some()).unwrap();
    assert_eq!(*staff.members, *ann.called);
}

/// Entries whose values try to be something else, and addresses of all alphabets.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_values() {
    use base64::Engine as _;
    let base64 = |octets: &[u8]| base64::engine::general_purpose::STANDARD.encode(octets);
    let name = "x,ou=people)(mail=*\\00\u{1}";
    let ldif = [
        format!(
            "dn:: {}\nobjectClass: inetOrgPerson\ncn:: {cn}\nsn: x\nmail: dn@example.com\n\n",
            base64(format!("cn=x\\2cou=people)(mail=*\\5c00\\01,{SUFFIX}").as_bytes()),
            cn = base64(name.as_bytes())
        ),
        entry("idn", &format!("mailLocalAddress:: {}\n", base64("jürgen@bücher.example".as_bytes()))),
        entry("odd", "mail: *)(uid=*@example.com\nmail: \"a b\"@example.com\nmail: <x@example.com>\n"),
        entry(
            "eight",
            &format!("jpegPhoto:: {}\ndescription:: {}\n", base64(b"\xff\xfe"), base64("ü".as_bytes())),
        ),
        format!(
            "dn: cn=group,{SUFFIX}\nobjectClass: groupOfNames\ncn: group\nmember:: {}\n\n",
            base64(format!("CN=x\\,ou=people)(mail=*\\\\00\\01, {SUFFIX}").as_bytes())
        ),
    ]
    .concat();
    let server = LdapServer::start(Setup { ldif, ..Setup::default() });
    let more =
        "preset = \"openldap\"\nattributes = { addresses = [\"mail\", \"mailLocalAddress\", \"jpegPhoto\"] }";
    let (answer, kept) = ask(&*house(&server, more).source()).await;
    assert_eq!(answer.extent, Extent::Everything);
    for address in ["dn@example.com", "jürgen@bücher.example", "*)(uid=*@example.com", "\"a b\"@example.com"]
    {
        assert!(kept.addresses().contains(&address), "{address}: {:?}", kept.addresses());
    }
    let [(place, what, why)] = &kept.invalid[..] else { panic!("{:?}", kept.invalid) };
    assert_eq!((&**place, &**why), (&*format!("uid=eight,{SUFFIX}"), "not UTF-8"), "{what}");
    let group = kept.records.iter().find(|record| record.name.is_some()).unwrap();
    let member =
        kept.records.iter().find(|record| record.addresses.first().is_some_and(|a| **a == *"dn@example.com"));
    assert_eq!(group.members[0], member.unwrap().called[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_binds() {
    let server = LdapServer::start(Setup { ldif: entry("ann", ""), ..Setup::default() });
    let nobody = server.identity("nobody");
    let reader = server.client_identity();
    for (identity, url, found) in [
        (&reader, server.url(), Some(1)),
        (&reader, server.secure_url(), Some(1)),
        (&nobody, server.url(), None),
    ] {
        let dir = TestDir::new();
        secret(&dir, "key.pem", &std::fs::read_to_string(&identity.key).unwrap());
        let keys = format!(
            "type = \"ldap\"\nservers = [\"{url}\"]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"key.pem\"\n\
             base = \"{SUFFIX}\"\npreset = \"openldap\"",
            server.ca_file().display(),
            identity.certificate.display()
        );
        let house = House::within(dir, &keys);
        let (answer, kept) = Kept::ask(&*house.source(), None).await;
        match found {
            Some(found) => {
                assert_eq!((answer.unwrap().extent, kept.records.len()), (Extent::Everything, found));
            }
            // It is somebody, but may read nothing.
            None => assert!(answer.unwrap_err().to_string().contains("no such entry"), "{url}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_trusted_or_not_let_in() {
    let mut server = LdapServer::start(Setup { ldif: entry("ann", ""), ..Setup::default() });
    let (url, secure, ca) = (server.url(), server.secure_url(), server.ca_file());
    let closed = format!("ldaps://{}", closed());
    let another = LdapServer::start(Setup::default());
    let more = "preset = \"openldap\"\ntimeout = \"5s\"";
    let mut cases = vec![
        (Way { more, password: "wrong pass", ..Way::to(&url) }, ca.clone(), "access refused"),
        (Way { more, password: "wrong pass", ..Way::to(&secure) }, ca.clone(), "wrong name or password"),
        (Way { more, ..Way::to(&url) }, another.ca_file(), "invalid peer certificate"),
        (Way { more, ..Way::to(&secure) }, another.ca_file(), "invalid peer certificate"),
        (Way { more, ..Way::to(&closed) }, ca.clone(), "refused"),
        // slapd speaks TLS there, and not before it was asked to here.
        (Way { more, ..Way::to(&closed) }, ca.clone(), "no answer"),
    ];
    let tls_on_plain = url.replace("ldap://", "ldaps://");
    cases.push((Way { more, ..Way::to(&tls_on_plain) }, ca.clone(), "TLS"));
    let none = "preset = \"openldap\"\ntimeout = \"5s\"\nfilter = \"(mail=nobody@example.com)\"";
    for (way, ca, want) in cases {
        let house = way.house(&ca);
        let source = house.source();
        let (answer, _) = Kept::ask(&*source, None).await;
        let error = answer.expect_err(want);
        let all = format!("{error} {error:?} {source:?} {:?}", house.directory());
        assert!(error.to_string().contains(want), "{way:?}: {error}");
        assert!(!all.contains(way.password) && !all.contains("wrong pass"), "the password is told: {all}");
    }
    // An answer without anything in it is an answer; what to make of it is for the guard.
    let (answer, kept) = ask(&*Way { more: none, ..Way::to(&url) }.house(&ca).source()).await;
    assert_eq!((answer.extent, kept.records.len()), (Extent::Everything, 0));

    for (shown, want) in [(Shown::Expired, "xpired"), (Shown::OfAnother, "not valid for name")] {
        server.show(shown);
        for url in [server.url(), server.secure_url()] {
            let (answer, _) = Kept::ask(&*Way { more, ..Way::to(&url) }.house(&ca).source(), None).await;
            let error = answer.unwrap_err().to_string();
            assert!(error.contains(want), "{shown:?} {url}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_tried_in_order() {
    let server = LdapServer::start(Setup { ldif: entry("ann", ""), ..Setup::default() });
    let closed = format!("ldaps://{}", closed());
    let (url, ca) = (server.url(), server.ca_file());
    let both = format!("{closed}\", \"{url}");
    let more = "preset = \"openldap\"";
    let (_, kept) = ask(&*Way { more, ..Way::to(&both) }.house(&ca).source()).await;
    assert_eq!(kept.records.len(), 1);
    // Who is not let in does not ask the next one.
    let both = format!("{url}\", \"{closed}");
    let refused = Way { more, password: "wrong", ..Way::to(&both) }.house(&ca);
    let (answer, _) = Kept::ask(&*refused.source(), None).await;
    assert!(matches!(answer, Err(SourceError::Refused(_))), "{answer:?}");
}

/// From slapd to what is in force: groups are resolved by DN, changes join what was there, and a failure changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_kept_true() {
    let company = Company { people: 300, groups: 3, members: 100 };
    let mut server = LdapServer::start(Setup { ldif: company.ldif(), page: Some(100), ..Setup::default() });
    let house =
        house(&server, "preset = \"openldap\"\npage_size = 100\nremoval_grace = \"0s\"\ntimeout = \"5s\"");
    assert_eq!(house.applied().await, (603, 0, 603));
    // 100 people with two addresses each, and the next group with all that it has.
    let groups = || {
        let mut all = house.shelf.open(Which::InForce).unwrap().groups().unwrap();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into_iter().map(|group| group.members).collect::<Vec<_>>()
    };
    assert_eq!(groups(), [602, 401, 200]);
    server.load(&entry("new", ""));
    server.modify(&format!("dn: uid=p7,ou=people,{SUFFIX}\nchangetype: delete\n"));
    assert_eq!(house.applied().await, (1, 2, 602));
    assert_eq!(groups(), [600, 401, 200]);
    assert!(house.has("new@example.com") && house.has("p8@example.com") && !house.has("p7@example.com"));
    assert_eq!(house.applied().await, (0, 0, 602));
    server.kill();
    assert!(house.failed().await.contains("no answer"));
    assert!(house.has("p8.alias@example.com"));
}

/// An address at which nobody listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What a server says passes through here until so many octets of it have.
fn cut_after(octets: usize, server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(server).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let mut left = octets;
        let mut buffer = [0; 4096];
        while left > 0 {
            let Ok(read @ 1..) = server.read(&mut buffer) else { return };
            let passed = read.min(left);
            if client.write_all(&buffer[..passed]).is_err() {
                return;
            }
            left -= passed;
        }
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = server.shutdown(std::net::Shutdown::Both);
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_anywhere() {
    let company = Company { people: 3_000, groups: 2, members: 1_000 };
    let server = LdapServer::start(Setup { ldif: company.ldif(), page: Some(500), ..Setup::default() });
    // In the greeting, in the handshake, at the bind, in the first page, between pages, near the end.
    for octets in [0, 10, 100, 900, 1_500, 2_500, 50_000, 200_000, 500_000] {
        let url = format!("ldap://{}", cut_after(octets, server.address()));
        let house = Way { more: "preset = \"openldap\"\ntimeout = \"20s\"", ..Way::to(&url) }
            .house(&server.ca_file());
        let (answer, kept) = Kept::ask(&*house.source(), None).await;
        let error = answer.expect_err("cut");
        assert!(matches!(error, SourceError::Unreachable(_)), "after {octets} octets: {error:?}");
        assert!(kept.records.len() < 3_002, "after {octets} octets everything was there");
    }
}

/// Does something to the server when so many records have come.
struct Meddling<'a> {
    kept: Kept,
    at: usize,
    meddle: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
}

impl Sink for Meddling<'_> {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        if self.kept.records.len() == self.at
            && let Some(meddle) = self.meddle.get_mut().unwrap().take()
        {
            meddle();
        }
        self.kept.record(record)
    }

    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError> {
        self.kept.membership(group, member)
    }

    fn removed(&mut self, key: &str) -> Result<(), SinkError> {
        self.kept.removed(key)
    }

    fn invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError> {
        self.kept.invalid(place, what, why)
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        self.kept.passed_over()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_or_stands_still() {
    let company = Company { people: 3_000, groups: 0, members: 0 };
    let mut server = LdapServer::start(Setup { ldif: company.ldif(), page: Some(500), ..Setup::default() });
    let house = house(&server, "preset = \"openldap\"\ntimeout = \"2s\"");
    let source = house.source();

    let freeze = Box::new(|| server.freeze());
    let mut sink = Meddling { kept: Kept::default(), at: 700, meddle: Mutex::new(Some(freeze)) };
    let error = source.sync(None, &mut sink).await.expect_err("frozen");
    drop(sink);
    assert!(error.to_string().contains("has not come within 2 s"), "{error}");
    // It stands still before it says anything, too.
    let (answer, _) = Kept::ask(&*source, None).await;
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("StartTLS has not come within 2 s"), "{error}");
    server.thaw();

    let kill = Box::new(|| server.kill());
    let mut sink = Meddling { kept: Kept::default(), at: 700, meddle: Mutex::new(Some(kill)) };
    let error = source.sync(None, &mut sink).await.expect_err("killed");
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert!(sink.kept.records.len() < 3_000);
    drop(sink);
    server.restart();
    let (_, kept) = ask(&*source).await;
    assert_eq!(kept.records.len(), 3_000);

    // A sink that takes no more ends it, too.
    let mut full = Kept { room: Some(100), ..Kept::default() };
    let error = source.sync(None, &mut full).await.expect_err("full");
    assert!(matches!(error, SourceError::Sink(SinkError::Io(_))), "{error:?}");
}
