// SPDX-License-Identifier: GPL-3.0-or-later
//! The name that a term of an SPF record is about (RFC 7208 4.8, 7).
//!
//! Macros over the current domain and escapes are the same for every client and are expanded here, as section 7.3
//! orders. All other macros need a client.

use viaspf::lookup::Name;
use viaspf::record::{DomainSpec, Escape, Macro, MacroExpand, MacroKind, MacroStringSegment};

/// Longest name, in octets without the final dot (RFC 7208 7.3).
const MAX_NAME: usize = 253;

/// What a domain-spec comes to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Target {
    /// This name, without a final dot.
    Name(String),
    /// Another name for each client.
    PerClient,
    /// No name that DNS could have: a label that is empty or too long.
    Malformed(String),
    /// It has a macro that only explanations may have (RFC 7208 7.2).
    Forbidden,
}

/// Expands a domain-spec; `domain` is the one whose record it stands in, nothing where that is another for each question.
pub(super) fn expand(spec: &DomainSpec, domain: Option<&str>) -> Target {
    let mut text = String::new();
    let mut per_client = false;
    for segment in &spec.as_ref().segments {
        match segment {
            MacroStringSegment::MacroLiteral(literal) => text.push_str(literal.as_ref()),
            MacroStringSegment::MacroExpand(MacroExpand::Escape(escape)) => text.push_str(match escape {
                Escape::Percent => "%",
                Escape::Space => " ",
                Escape::UrlEncodedSpace => "%20",
            }),
            MacroStringSegment::MacroExpand(MacroExpand::Macro(found)) => match (found.kind(), domain) {
                (MacroKind::Domain, Some(domain)) => text.push_str(&transformed(found, domain)),
                (MacroKind::PrettyIp | MacroKind::Receiver | MacroKind::Timestamp, _) => {
                    return Target::Forbidden;
                }
                (
                    MacroKind::Domain
                    | MacroKind::Sender
                    | MacroKind::LocalPart
                    | MacroKind::DomainPart
                    | MacroKind::Ip
                    | MacroKind::ValidatedDomain
                    | MacroKind::HeloDomain
                    | MacroKind::VersionLabel,
                    _,
                ) => per_client = true,
            },
        }
    }
    if per_client {
        return Target::PerClient;
    }
    let name = truncated(text.strip_suffix('.').unwrap_or(&text));
    match Name::new(name) {
        Ok(_) => Target::Name(name.to_owned()),
        Err(_) => Target::Malformed(name.to_owned()),
    }
}

/// Whether the client's address is part of what a domain-spec comes to, so that it may say something about that address
/// alone. All other macros come to the same for all clients of a family.
pub(super) fn has_address(spec: &DomainSpec) -> bool {
    spec.as_ref().segments.iter().any(|segment| {
        matches!(segment, MacroStringSegment::MacroExpand(MacroExpand::Macro(found)) if found.kind() == MacroKind::Ip)
    })
}

/// The value as the macro wants it: split, reversed, its right-hand parts, escaped.
fn transformed(wanted: &Macro, value: &str) -> String {
    let mut text = value.to_owned();
    if wanted.limit().is_some() || wanted.reverse() || wanted.delimiters().is_some() {
        let delimiters = wanted.delimiters().map_or(".", AsRef::as_ref);
        // A run of delimiters is one.
        let split = value.split(|c| delimiters.contains(c));
        let mut parts: Vec<&str> = split
            .enumerate()
            .filter(|(at, part)| *at == 0 || !part.is_empty())
            .map(|(_, part)| part)
            .collect();
        if wanted.reverse() {
            parts.reverse();
        }
        let keep = wanted.limit().map_or(parts.len(), |limit| usize::from(limit.get()));
        text = parts[parts.len().saturating_sub(keep)..].join(".");
    }
    if wanted.url_encode() { escaped(&text) } else { text }
}

/// URL escaping of all but the unreserved characters (RFC 3986 2.3).
fn escaped(text: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(escape).collect()
}

/// Without as many labels on the left as the length wants (RFC 7208 7.3).
fn truncated(name: &str) -> &str {
    if name.len() <= MAX_NAME {
        return name;
    }
    let fits = name.match_indices('.').find(|(dot, _)| name.len() - dot - 1 <= MAX_NAME);
    fits.map_or(name, |(dot, _)| &name[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::spf::record;

    fn expanded(spec: &str, domain: Option<&str>) -> Target {
        expand(&record::domain_spec(spec).unwrap(), domain)
    }

    #[test]
    fn what_is_the_same_for_every_client_is_expanded() {
        for (spec, want) in [
            ("a.example", "a.example"),
            ("a.example.", "a.example"),
            ("_spf.%{d}", "_spf.Mail.b.example"),
            ("%{d2}.x.example", "b.example.x.example"),
            ("%{dr}.x.example", "example.b.Mail.x.example"),
            ("%{d1r}.x.example", "Mail.x.example"),
            ("%{d-}.x.example", "Mail.b.example.x.example"),
            ("%{D}", "Mail.b.example"),
            ("a%%b%-c.example", "a%b%20c.example"),
            ("a%_b.example", "a b.example"),
        ] {
            assert_eq!(expanded(spec, Some("Mail.b.example")), Target::Name(want.into()), "{spec}");
        }
    }

    #[test]
    fn delimiters_part_a_name() {
        let spec = record::domain_spec("%{d1r-}.x.example").unwrap();
        assert_eq!(expand(&spec, Some("xn--one.example")), Target::Name("xn.x.example".into()));
        assert!(record::domain_spec("%{dra}.x.example").is_none(), "a is no delimiter");
    }

    #[test]
    fn what_needs_a_client_is_not() {
        for letter in ["i", "ir", "s", "l", "o", "h", "p", "v", "I3r"] {
            let spec = format!("%{{{letter}}}.%{{d}}.example");
            assert_eq!(expanded(&spec, Some("d.example")), Target::PerClient, "{spec}");
        }
        assert_eq!(expanded("%{d}", None), Target::PerClient, "whose record it stands in is not known");
        for letter in ["c", "r", "t"] {
            assert_eq!(expanded(&format!("%{{{letter}}}.example"), None), Target::Forbidden, "{letter}");
        }
    }

    #[test]
    fn names_are_held_to_their_lengths() {
        let long = "a234567890.".repeat(30) + "example";
        let Target::Name(name) = expanded(&long, None) else { panic!("{long}") };
        assert!(name.len() <= 253 && name.len() > 253 - 11 && long.ends_with(&name), "{name}");
        for spec in [format!("{}.example", "a".repeat(64)), "a..example".into(), "-a.example".into()] {
            assert_eq!(expanded(&spec, None), Target::Malformed(spec.clone()), "{spec}");
        }
    }
}
