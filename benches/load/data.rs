// SPDX-License-Identifier: GPL-3.0-or-later
//! The population of the load: gateway networks, recipients and clients, each a function of its number.
//!
//! The files that a milter loads and the messages that the load sends come from the same functions, so the
//! load knows without reading a file who exists. Nothing is random; two runs see the same addresses.
//! Limits: 4,096 networks, 16 million recipients.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::LazyLock,
};

pub(crate) const MAX_NETWORKS: u32 = 4096;
pub(crate) const MAX_RECIPIENTS: u32 = 16_000_000;

pub(crate) const DOMAINS: [&str; 8] = [
    "harbour.example",
    "northwind.example",
    "stadtwerke-seeburg.example",
    "uni-lindenthal.example",
    "kestrel.example",
    "rivers.example",
    "aldern.example",
    "oakfield.example",
];

static FIRST: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "anna bernd carla daniel elena farid grace henrik irina jonas katharina li maria nils olga paul \
     quentin rosa stefan tanja ulrich vera walter xenia yusuf zoe alexander beatrice christopher \
     dorothea emil francesca georg hannah ibrahim johanna karl-heinz leonie mohammed nora"
        .split(' ')
        .collect()
});

static LAST: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "abel becker castellani dietrich eriksen fischer garcia hoffmann ivanov jansen kowalski lehmann \
     mueller nguyen oconnor petersen quandt rossi schmidt thompson ulbrich vogel wagner xu yilmaz \
     zimmermann andersson bauer carvalho dubois ellison fontaine gruber haddad iversen jimenez kaiser \
     lindqvist mayer-landrut novak oezdemir papadopoulos quist richter schwarzenberger tanaka \
     unterberg vandenberg weissmann young zielinski adeyemi blackwood chaudhary dominguez eisenhower \
     fitzgerald goldschmidt hutchinson imhof"
        .split(' ')
        .collect()
});

/// Names times domains; from there on a number is added to the local part.
const PEOPLE: u32 = 40 * 60;
const COMBINATIONS: u32 = PEOPLE * 8;

/// First name, last name, domain, and how often the combination was used before.
fn person(number: u32) -> (&'static str, &'static str, &'static str, u32) {
    let domain = DOMAINS[(number % 8) as usize];
    let name = number / 8 % PEOPLE;
    (FIRST[(name % 40) as usize], LAST[(name / 40) as usize], domain, number / COMBINATIONS)
}

/// The address of an existing recipient, different for each number below `MAX_RECIPIENTS`.
pub(crate) fn recipient(number: u32) -> String {
    let (first, last, domain, round) = person(number);
    match round {
        0 => format!("{first}.{last}@{domain}"),
        round => format!("{first}.{last}{round}@{domain}"),
    }
}

/// An address of the same form that exists nowhere.
pub(crate) fn stranger_recipient(number: u32) -> String {
    let (first, last, domain, round) = person(number);
    format!("{first}.{last}{round}x@{domain}")
}

/// A gateway's network; one in four is IPv6, lengths differ, none overlap.
fn network(number: u32) -> (IpAddr, u8) {
    if number % 4 == 3 {
        let group = u16::try_from(number).unwrap_or(u16::MAX);
        let length = [48, 52, 56, 64][(number / 4 % 4) as usize];
        (Ipv6Addr::new(0x2001, 0xdb8, group, 0, 0, 0, 0, 0).into(), length)
    } else {
        let length = 20 + u8::try_from(number / 4 % 9).unwrap_or(0);
        (Ipv4Addr::from_bits(0x0b00_0000 + number * 4096).into(), length)
    }
}

/// A host of the gateway's network with this number.
pub(crate) fn gateway_client(number: u32) -> IpAddr {
    match network(number).0 {
        IpAddr::V4(base) => Ipv4Addr::from_bits(base.to_bits() + 7).into(),
        IpAddr::V6(base) => Ipv6Addr::from_bits(base.to_bits() + 0x25).into(),
    }
}

/// A host outside every network.
pub(crate) fn stranger_client(number: u32) -> IpAddr {
    if number % 4 == 3 {
        Ipv6Addr::from_bits((0x2001_0db9_u128 << 96) + u128::from(number)).into()
    } else {
        Ipv4Addr::from_bits(0xc612_0000 + number % 0x1_0000).into()
    }
}

/// Writes `networks.txt` and `recipients.txt` into `dir`, one entry a line.
pub(crate) fn write(dir: &Path, networks: u32, recipients: u32) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(dir.join("networks.txt"))?);
    for number in 0..networks.min(MAX_NETWORKS) {
        let (base, length) = network(number);
        writeln!(out, "{base}/{length}")?;
    }
    out.flush()?;
    let mut out = BufWriter::new(File::create(dir.join("recipients.txt"))?);
    for number in 0..recipients.min(MAX_RECIPIENTS) {
        writeln!(out, "{}", recipient(number))?;
    }
    out.flush()
}
