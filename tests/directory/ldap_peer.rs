// SPDX-License-Identifier: GPL-3.0-or-later
//! An LDAP server that says what slapd never does: attributes in ranges and DNs with GUIDs as Active Directory gives them,
//! and answers that are wrong. Written by hand over BER (RFC 4511 5.1), without TLS, one connection after another.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::contract::{House, Kept};
use ldap3::asn1::{PL, StructureTag, parse_tag};
use postern::directories::Extent;

/// A search that was asked for.
#[derive(Clone, Debug)]
struct Asked {
    id: Vec<u8>,
    base: String,
    attributes: Vec<String>,
    controls: Vec<String>,
}

type Answer = Box<dyn Fn(&Asked) -> Vec<u8> + Send>;

/// A server with an answer to every search.
struct Peer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Peer {
    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &answer, &seen);
            }
        });
        Self { address, asked }
    }

    fn house(&self) -> House {
        House::new(&format!(
            "type = \"ldap\"\nservers = [\"ldap://{}\"]\nstart_tls = false\nbase = \"dc=a\"\ntimeout = \"5s\"",
            self.address
        ))
    }
}

/// Answers searches until the other side ends.
fn serve(mut stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<Asked>>) {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while let Ok((rest, message)) = parse_tag(&got) {
            let used = got.len() - rest.len();
            got.drain(..used);
            // Everything but a search ends the connection: nobody binds here.
            let Some(asked) = search(message) else { return };
            seen.lock().unwrap().push(asked.clone());
            if stream.write_all(&answer(&asked)).is_err() {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => got.extend_from_slice(&buffer[..read]),
        }
    }
}

fn parts(tag: &StructureTag) -> &[StructureTag] {
    match &tag.payload {
        PL::C(parts) => parts,
        PL::P(_) => &[],
    }
}

fn text(tag: &StructureTag) -> String {
    match &tag.payload {
        PL::P(octets) => String::from_utf8_lossy(octets).into_owned(),
        PL::C(_) => panic!("no text: {tag:?}"),
    }
}

fn search(message: StructureTag) -> Option<Asked> {
    let PL::C(message) = message.payload else { return None };
    if message[1].id != 3 {
        return None;
    }
    let PL::P(id) = &message[0].payload else { return None };
    let search = parts(&message[1]);
    Some(Asked {
        id: id.clone(),
        base: text(&search[0]),
        attributes: parts(&search[7]).iter().map(text).collect(),
        controls: message
            .get(2)
            .map_or(Vec::new(), |all| parts(all).iter().map(|one| text(&parts(one)[0])).collect()),
    })
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, content].concat()
}

fn octets(text: &str) -> Vec<u8> {
    tlv(4, text.as_bytes())
}

fn message(asked: &Asked, operation: &[u8], controls: &[u8]) -> Vec<u8> {
    let controls = if controls.is_empty() { Vec::new() } else { tlv(0xa0, controls) };
    tlv(0x30, &[&tlv(2, &asked.id), operation, &controls].concat())
}

fn entry(asked: &Asked, dn: &str, attributes: &[(&str, &[String])]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes
        .iter()
        .flat_map(|(name, values)| {
            let values: Vec<u8> = values.iter().flat_map(|value| octets(value)).collect();
            tlv(0x30, &[octets(name), tlv(0x31, &values)].concat())
        })
        .collect();
    message(asked, &tlv(0x64, &[octets(dn), tlv(0x30, &attributes)].concat()), &[])
}

fn done(asked: &Asked, code: u8, controls: &[u8]) -> Vec<u8> {
    message(asked, &tlv(0x65, &[tlv(10, &[code]), octets(""), octets("")].concat()), controls)
}

/// The word that there are more pages, or none.
fn page(cookie: &str) -> Vec<u8> {
    let value = tlv(0x30, &[tlv(2, &[0]), octets(cookie)].concat());
    tlv(0x30, &[octets("1.2.840.113556.1.4.319"), tlv(4, &value)].concat())
}

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

fn root(asked: &Asked) -> Vec<u8> {
    let controls = strings(&["1.2.840.113556.1.4.319", "1.2.840.113556.1.4.529"]);
    [entry(asked, "", &[("supportedControl", &controls)]), done(asked, 0, &[])].concat()
}

/// A group of 4,000, of whom 1,500 are said at a time.
fn group(asked: &Asked, stops: bool) -> Vec<u8> {
    let dn = "CN=All\\, \"of\" <us>,DC=a";
    let member = |n: u64| format!("<GUID=00000000-0000-0000-0000-{n:012X}>;<SID=0105>;CN=p{n},DC=a");
    let part = |first: u64| {
        let last = (first + 1500).min(4000);
        let values: Vec<String> = (first..last).map(member).collect();
        let end = if last == 4000 { "*".to_owned() } else { (last - 1).to_string() };
        (format!("member;range={first}-{end}"), values)
    };
    let asked_for = asked.attributes.iter().find_map(|name| name.strip_prefix("member;range="));
    let found = match asked_for {
        None => {
            let (name, values) = part(0);
            let class = strings(&["top", "group"]);
            let attributes =
                [("objectClass", &class[..]), ("cn", &["All".into()]), ("member", &[]), (&name, &values[..])];
            entry(asked, dn, &attributes)
        }
        Some(range) => {
            assert_eq!(asked.base, dn);
            let first = range.strip_suffix("-*").unwrap().parse().unwrap();
            let (name, values) = part(first);
            if stops && first == 3000 { Vec::new() } else { entry(asked, dn, &[(&name, &values[..])]) }
        }
    };
    let controls = if asked_for.is_none() { page("") } else { Vec::new() };
    [found, done(asked, 0, &controls)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_read_to_their_end() {
    let peer =
        Peer::start(Box::new(|asked| if asked.base.is_empty() { root(asked) } else { group(asked, false) }));
    let (answer, kept) = Kept::ask(&*peer.house().source(), None).await;
    let answer = answer.unwrap();
    assert_eq!(answer.extent, Extent::Everything);
    assert_eq!(answer.cookie, None, "it names no controller");
    let [record] = &kept.records[..] else { panic!("{:?}", kept.records) };
    assert_eq!(record.members.len(), 4000);
    assert_eq!(*record.members[3999], *"00000000-0000-0000-0000-000000000f9f");
    let asked = peer.asked.lock().unwrap();
    let ranges: Vec<&str> = asked[2..].iter().map(|asked| &*asked.attributes[0]).collect();
    assert_eq!(ranges, ["member;range=1500-*", "member;range=3000-*"]);
    assert!(asked[1..].iter().all(|asked| asked.controls.contains(&"1.2.840.113556.1.4.529".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn referrals_are_counted() {
    let peer = Peer::start(Box::new(|asked| {
        if asked.base.is_empty() {
            return root(asked);
        }
        let referral = message(asked, &tlv(0x73, &octets("ldap://other.example/dc=b")), &[]);
        [referral.clone(), referral, done(asked, 0, &page(""))].concat()
    }));
    let (answer, kept) = Kept::ask(&*peer.house().source(), None).await;
    let notes = answer.unwrap().notes.join("\n");
    assert!(
        notes.contains("2 referrals were not followed, the first to ldap://other.example/dc=b"),
        "{notes}"
    );
    assert_eq!(kept.records, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_wrong() {
    let ann = |asked: &Asked| entry(asked, "cn=ann,dc=a", &[("mail", &["ann@example.com".to_owned()])]);
    let cases: Vec<(&str, Answer, &str)> = vec![
        ("HTTP", Box::new(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), "is no LDAP"),
        ("huge", Box::new(|_| b"\x30\x84\x7f\xff\xff\xff".to_vec()), "more than 64 MiB"),
        ("deep", Box::new(|_| (0..=63).rev().flat_map(|n| [0x30, n * 2]).collect()), "is no LDAP"),
        (
            "notice",
            Box::new(|asked| message(&Asked { id: vec![0], ..asked.clone() }, &tlv(0x78, &[]), &[])),
            "notice of disconnection",
        ),
        ("empty message", Box::new(|_| vec![0x30, 0]), "is no LDAP"),
        ("another operation", Box::new(|asked| message(asked, &tlv(0x61, &[]), &[])), "makes no sense"),
        (
            "half an entry",
            Box::new(move |asked| message(asked, &tlv(0x64, &octets("dc=a")), &[])),
            "no entry",
        ),
        (
            "size limit",
            Box::new(move |asked| [ann(asked), done(asked, 4, &[])].concat()),
            "incomplete: the server's size limit",
        ),
        (
            "time limit",
            Box::new(move |asked| [ann(asked), done(asked, 3, &[])].concat()),
            "incomplete: the server's time limit",
        ),
        (
            "no more pages",
            Box::new(move |asked| [ann(asked), done(asked, 0, &[])].concat()),
            "whether there are more pages",
        ),
        ("empty pages", Box::new(|asked| done(asked, 0, &page("x"))), "empty pages without end"),
        ("referral", Box::new(|asked| done(asked, 10, &[])), "refers to another one"),
        ("no such entry", Box::new(|asked| done(asked, 32, &[])), "no such entry"),
        ("busy", Box::new(|asked| done(asked, 51, &[])), "no answer: the server is busy"),
        ("no right", Box::new(|asked| done(asked, 50, &[])), "access refused"),
        ("a range lost", Box::new(|asked| group(asked, true)), "member ends at value 3000"),
        (
            "a range too short",
            Box::new(|asked| entry(asked, "cn=x", &[("member;range=0-9", &strings(&["cn=a"]))])),
            "no entry",
        ),
        (
            "no range",
            Box::new(|asked| entry(asked, "cn=x", &[("member;range=x", &strings(&["cn=a"]))])),
            "no entry",
        ),
    ];
    for (name, answer, want) in cases {
        let peer = Peer::start(Box::new(
            move |asked| if asked.base.is_empty() { root(asked) } else { answer(asked) },
        ));
        let (answer, _) = Kept::ask(&*peer.house().source(), None).await;
        let error = answer.expect_err(name).to_string();
        assert!(error.contains(want), "{name}: {error}");
    }
}
