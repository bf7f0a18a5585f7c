// SPDX-License-Identifier: GPL-3.0-or-later
//! The SPF record among a name's TXT records (RFC 7208 4.5), and its terms as far as they are ever looked at.
//!
//! The grammar is viaspf's; the strings of one TXT record have been put together before.

use super::MIN_PREFIX;
use super::target::{self, Target};
use viaspf::record::{
    Directive, DomainSpec, DualCidrLength, Include, Ip4CidrLength, Ip6CidrLength, Mechanism, Modifier,
    SpfRecord, Term,
};

/// The terms that count.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record {
    /// In their order, up to the first `all`, which is the last that is ever reached.
    pub(super) directives: Vec<Directive>,
    /// What is asked when none of them matches; nothing where there is an `all` (RFC 7208 6.1).
    pub(super) redirect: Option<DomainSpec>,
}

/// Why a name has no such record.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum RecordError {
    /// None begins with `v=spf1`.
    #[error("has no SPF record")]
    Missing,
    /// More than one does.
    #[error("has {0} SPF records, where only one is allowed")]
    Several(usize),
    /// It cannot be read.
    #[error("has an SPF record that cannot be read: {0}")]
    Malformed(String),
}

/// Reads the record among these texts.
pub(super) fn read(texts: &[Vec<u8>]) -> Result<Record, RecordError> {
    let candidates: Vec<&Vec<u8>> = texts.iter().filter(|text| is_spf(text)).collect();
    let text = match *candidates {
        [] => return Err(RecordError::Missing),
        [text] => String::from_utf8_lossy(text),
        [..] => return Err(RecordError::Several(candidates.len())),
    };
    let parsed: SpfRecord = text.parse().map_err(|_| RecordError::Malformed(complaint(&text)))?;
    let mut record = Record::default();
    let (mut redirects, mut explanations) = (0, 0);
    let mut ended = false;
    for term in parsed.terms {
        match term {
            Term::Directive(directive) if !ended => {
                ended = matches!(directive.mechanism, Mechanism::All);
                record.directives.push(directive);
            }
            Term::Modifier(Modifier::Redirect(redirect)) => {
                redirects += 1;
                record.redirect = Some(redirect.domain_spec);
            }
            Term::Modifier(Modifier::Explanation(_)) => explanations += 1,
            Term::Directive(_) | Term::Modifier(Modifier::Unknown(_)) => {}
        }
    }
    for (count, name) in [(redirects, "redirect="), (explanations, "exp=")] {
        if count > 1 {
            return Err(RecordError::Malformed(format!("{name} stands there more than once")));
        }
    }
    if ended {
        record.redirect = None;
    }
    Ok(record)
}

/// Whether a text begins with exactly `v=spf1`, in any case.
fn is_spf(text: &[u8]) -> bool {
    text.split_at_checked(6).is_some_and(|(version, rest)| {
        version.eq_ignore_ascii_case(b"v=spf1") && (rest.is_empty() || rest.starts_with(b" "))
    })
}

/// The first term that is wrong by itself.
fn complaint(text: &str) -> String {
    let alone = |term: &&str| format!("v=spf1 {term}").parse::<SpfRecord>().is_err();
    let wrong = text.split(' ').skip(1).find(alone).unwrap_or(text);
    // Long enough for a term, and no more of what a stranger wrote.
    let shown: String = wrong.chars().take(80).collect();
    shown.escape_default().to_string()
}

/// Whether the record among these texts has a prefix of no bits. That is wider than any gateway, and viaspf does not
/// shift by all bits of an address.
pub(super) fn has_empty_prefix(texts: &[Vec<u8>]) -> bool {
    let lengths = |directive: &Directive| prefix_lengths(&directive.mechanism);
    read(texts).is_ok_and(|record| {
        record.directives.iter().map(lengths).any(|(v4, v6)| v4 == Some(0) || v6 == Some(0))
    })
}

/// Whether a mechanism is wider than a gateway can be.
pub(super) fn is_too_wide(mechanism: &Mechanism) -> bool {
    let (min_v4, min_v6) = MIN_PREFIX;
    let (v4, v6) = prefix_lengths(mechanism);
    match mechanism {
        Mechanism::All => true,
        Mechanism::Exists(exists) => !target::has_address(&exists.domain_spec),
        Mechanism::A(_)
        | Mechanism::Mx(_)
        | Mechanism::Ip4(_)
        | Mechanism::Ip6(_)
        | Mechanism::Include(_)
        | Mechanism::Ptr(_) => v4.is_some_and(|bits| bits < min_v4) || v6.is_some_and(|bits| bits < min_v6),
    }
}

/// The prefix lengths that are written, IPv4's and IPv6's.
fn prefix_lengths(mechanism: &Mechanism) -> (Option<u8>, Option<u8>) {
    let dual = |lengths: Option<DualCidrLength>| {
        let v4 = lengths.and_then(DualCidrLength::ip4).map(Ip4CidrLength::get);
        (v4, lengths.and_then(DualCidrLength::ip6).map(Ip6CidrLength::get))
    };
    match mechanism {
        Mechanism::Ip4(ip4) => (ip4.prefix_len.map(Ip4CidrLength::get), None),
        Mechanism::Ip6(ip6) => (None, ip6.prefix_len.map(Ip6CidrLength::get)),
        Mechanism::A(a) => dual(a.prefix_len),
        Mechanism::Mx(mx) => dual(mx.prefix_len),
        Mechanism::All | Mechanism::Include(_) | Mechanism::Ptr(_) | Mechanism::Exists(_) => (None, None),
    }
}

/// The hosts that a record of this domain refers to for every client alike, in lower case.
pub(super) fn fixed_hosts(record: &Record, domain: &str) -> Vec<String> {
    let host = |directive: &Directive| match &directive.mechanism {
        Mechanism::A(a) => match &a.domain_spec {
            None => Some(domain.to_ascii_lowercase()),
            Some(spec) => fixed_name(spec, domain),
        },
        Mechanism::Exists(exists) => fixed_name(&exists.domain_spec, domain),
        Mechanism::All
        | Mechanism::Include(_)
        | Mechanism::Mx(_)
        | Mechanism::Ptr(_)
        | Mechanism::Ip4(_)
        | Mechanism::Ip6(_) => None,
    };
    record.directives.iter().filter_map(host).collect()
}

fn fixed_name(spec: &DomainSpec, domain: &str) -> Option<String> {
    match target::expand(spec, Some(domain)) {
        Target::Name(name) => Some(name.to_ascii_lowercase()),
        Target::PerClient | Target::Malformed(_) | Target::Forbidden => None,
    }
}

/// A name as it stands behind `include:`.
pub(super) fn domain_spec(name: &str) -> Option<DomainSpec> {
    let mut record = read(&[format!("v=spf1 include:{name}").into_bytes()]).ok()?;
    match (record.directives.pop()?.mechanism, record.directives.is_empty()) {
        (Mechanism::Include(include), true) if record.redirect.is_none() => Some(include.domain_spec),
        _ => None,
    }
}

/// The one term of a record of our own that asks about this name: the name stands behind `include:`, or brings `exists:`
/// with it, because some providers publish nothing but that (RFC 7208 5.7).
pub(super) fn own_term(name: &str) -> Option<Mechanism> {
    if !name.starts_with("exists:") {
        return domain_spec(name).map(|domain_spec| Mechanism::Include(Include { domain_spec }));
    }
    let mut record = read(&[format!("v=spf1 {name}").into_bytes()]).ok()?;
    match (record.directives.pop()?.mechanism, record.directives.is_empty()) {
        (Mechanism::Exists(exists), true) if record.redirect.is_none() => Some(exists.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(texts: &[&[u8]]) -> Result<Vec<String>, String> {
        let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
        let record = read(&texts).map_err(|error| error.to_string())?;
        let directives = record.directives.iter().map(ToString::to_string);
        Ok(directives.chain(record.redirect.map(|spec| format!("redirect={spec}"))).collect())
    }

    #[test]
    fn only_the_record_is_read() {
        let good: [(&[&[u8]], &[&str]); 7] = [
            (&[b"v=spf1"], &[]),
            (&[b"V=SpF1 ip4:192.0.2.1  "], &["ip4:192.0.2.1"]),
            (&[b"v=spf10 all", b"v=spf1", b"\xff\xfe", b"google-site-verification=1"], &[]),
            (&[b"v=spf1 -all ip4:192.0.2.1 redirect=a.example"], &["-all"]),
            (&[b"v=spf1 redirect=a.example mx"], &["mx", "redirect=a.example"]),
            (&[b"v=spf1 exp=e.example unknown=%{d} Ip4:192.0.2.0/24"], &["ip4:192.0.2.0/24"]),
            (&[b" v=spf1 all", b"v=spf1 ?all"], &["?all"]),
        ];
        for (texts, want) in good {
            assert_eq!(read_all(texts).unwrap(), want, "{texts:?}");
        }
        let bad: [(&[&[u8]], &str); 10] = [
            (&[], "has no SPF record"),
            (&[b"v=spf1-all", b"v=spf1\t-all", b"v=spf"], "has no SPF record"),
            (&[b"v=spf1 -all", b"v=spf1 -all"], "has 2 SPF records, where only one is allowed"),
            (&[b"v=spf1 ip4:192.0.2.300"], "has an SPF record that cannot be read: ip4:192.0.2.300"),
            (&[b"v=spf1 mx nonsense"], "has an SPF record that cannot be read: nonsense"),
            (&[b"v=spf1 ipv4:192.0.2.1"], "has an SPF record that cannot be read: ipv4:192.0.2.1"),
            (&[b"v=spf1 ip4:192.0.2.0/33"], "has an SPF record that cannot be read: ip4:192.0.2.0/33"),
            (&[b"v=spf1 a:\xfc.example"], "has an SPF record that cannot be read: a:\\u{fffd}.example"),
            (
                &[b"v=spf1 redirect=a.b redirect=a.b"],
                "has an SPF record that cannot be read: redirect= stands there more than once",
            ),
            (
                &[b"v=spf1 -all exp=a.b exp=a.b"],
                "has an SPF record that cannot be read: exp= stands there more than once",
            ),
        ];
        for (texts, want) in bad {
            assert_eq!(read_all(texts).unwrap_err(), want, "{texts:?}");
        }
    }

    #[test]
    fn names_behind_include() {
        for name in ["spf.example.com", "%{ir}.%{v}.%{d}.spf.has.example.com", "_a.b.example"] {
            assert_eq!(domain_spec(name).unwrap().to_string(), name);
        }
        for name in [
            "",
            "example",
            "a.example b.example",
            "a.example -all",
            "a.example redirect=b.c",
            "a.example/24",
            "a.1",
        ] {
            assert!(domain_spec(name).is_none(), "{name}");
        }
        let terms = ["exists:%{i}.spf.example.com", "a.example", "exists:", "exists:%{i}.example -all"];
        let terms = terms.map(|name| own_term(name).map(|term| term.to_string()));
        assert_eq!(
            terms,
            [
                Some("exists:%{i}.spf.example.com".to_owned()),
                Some("include:a.example".to_owned()),
                None,
                None
            ]
        );
    }
}
