// SPDX-License-Identifier: GPL-3.0-or-later
//! Distinguished names (RFC 4514), made comparable: `CN=Ann\2C B, OU=x` and `cn=ann\, b,ou=X` are one name.
//!
//! Types are lower-cased and the commonest long ones shortened; values are unescaped, lower-cased, their blanks squeezed
//! (caseIgnoreMatch, RFC 4518 2.6), and escaped again in one way. Servers that compare some attribute by case have no two
//! entries that differ in it alone. What is no name is lower-cased only, so that it is still equal to itself.

use std::fmt::Write as _;

/// A name in the form in which equal ones are the same text.
pub(in crate::directories) fn normalize(dn: &str) -> String {
    parse(dn).unwrap_or_else(|| dn.trim().to_lowercase())
}

/// Whether a name is another one, or below it; both normalized.
pub(super) fn is_below(dn: &str, above: &str) -> bool {
    above.is_empty()
        || dn == above
        || dn.strip_suffix(above).is_some_and(|rest| rest.ends_with(',') && !rest.ends_with("\\,"))
}

/// The name of a user of Unix, as if it were a DN.
pub(super) fn of_user(name: &str) -> String {
    format!("uid={}", escape(&name.trim().to_lowercase()))
}

fn parse(dn: &str) -> Option<String> {
    let mut rest = dn.trim();
    let mut out = String::with_capacity(dn.len());
    while !rest.is_empty() {
        let mut parts = Vec::new();
        let last = loop {
            let (kind, after) = rest.split_once('=')?;
            let kind = kind.trim();
            if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
                return None;
            }
            let (value, end, after) = value(after)?;
            parts.push(format!("{}={}", short(kind), escape(&value)));
            rest = after;
            match end {
                Some('+') => {}
                Some(_) => break false,
                None => break true,
            }
        };
        parts.sort_unstable();
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&parts.join("+"));
        if last {
            return rest.is_empty().then_some(out);
        }
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
    }
    Some(out)
}

/// The value at the beginning of a text: unescaped, folded; what ends it, and what comes after that.
fn value(text: &str) -> Option<(String, Option<char>, &str)> {
    let text = text.trim_start();
    let mut octets = Vec::new();
    // Up to here blanks were escaped or quoted, so they count.
    let mut kept = 0;
    let mut quoted = false;
    let mut ended = None;
    let mut chars = text.char_indices();
    let mut rest = "";
    while let Some((at, character)) = chars.next() {
        match character {
            '\\' => {
                let after = &text[at + 1..];
                let hex = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
                if let Some(hex) = hex {
                    octets.push(u8::from_str_radix(hex, 16).ok()?);
                    chars.next();
                    chars.next();
                } else {
                    let (_, escaped) = chars.next()?;
                    octets.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                kept = octets.len();
            }
            // RFC 2253 4: what LDAPv2 wrote.
            '"' => {
                quoted = !quoted;
                kept = octets.len();
            }
            ',' | ';' | '+' if !quoted => {
                ended = Some(character);
                rest = &text[at + 1..];
                break;
            }
            other => octets.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if quoted {
        return None;
    }
    while octets.len() > kept && octets.last().is_some_and(u8::is_ascii_whitespace) {
        octets.pop();
    }
    let folded = String::from_utf8_lossy(&octets).to_lowercase();
    Some((folded.split_whitespace().collect::<Vec<_>>().join(" "), ended, rest))
}

/// A value as RFC 4514 2.4 writes it.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, character) in value.char_indices() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                out.push('\\');
                out.push(character);
            }
            '#' if at == 0 => out.push_str("\\#"),
            '\0'..='\x1f' | '\x7f' => {
                // Writing into a string does not fail.
                let _ = write!(out, "\\{:02x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out
}

/// The short form of a type (RFC 4514 3, RFC 4519).
fn short(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.strip_prefix("oid.").unwrap_or(&kind);
    match kind {
        "commonname" | "2.5.4.3" => "cn",
        "organizationalunitname" | "2.5.4.11" => "ou",
        "organizationname" | "2.5.4.10" => "o",
        "domaincomponent" | "0.9.2342.19200300.100.1.25" => "dc",
        "userid" | "0.9.2342.19200300.100.1.1" => "uid",
        "countryname" | "2.5.4.6" => "c",
        "localityname" | "2.5.4.7" => "l",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::{is_below, normalize};

    #[test]
    fn equal_names_are_one_text() {
        for (dn, want) in [
            ("CN=Ann, OU=x", "cn=ann,ou=x"),
            ("cn=ann,ou=x", "cn=ann,ou=x"),
            ("commonName = Ann ;ou=X", "cn=ann,ou=x"),
            (r"CN=Jones\, Ann,DC=a", r"cn=jones\, ann,dc=a"),
            (r"CN=Jones\2C  Ann,DC=a", r"cn=jones\, ann,dc=a"),
            ("CN=\"Jones, Ann\",DC=a", r"cn=jones\, ann,dc=a"),
            ("cn=a+uid=b,dc=x", "cn=a+uid=b,dc=x"),
            ("UID=B + CN=A,dc=x", "cn=a+uid=b,dc=x"),
            (r"cn=J\C3\BCrgen,dc=x", "cn=jürgen,dc=x"),
            ("cn=JÜRGEN,dc=x", "cn=jürgen,dc=x"),
            (r"cn=\#1 \<b\> a\\b\=c,dc=x", r"cn=\#1 \<b\> a\\b\=c,dc=x"),
            (r"cn=a\0Ab,dc=x", "cn=a b,dc=x"),
            ("cn=(*)\u{1},dc=x", "cn=(*)\\01,dc=x"),
            ("cn=,dc=x", "cn=,dc=x"),
            ("", ""),
            // No names, but equal to themselves.
            ("Ann", "ann"),
            ("cn=a,", "cn=a,"),
            ("=x", "=x"),
            ("cn=\"a", "cn=\"a"),
            ("cn=a\\", "cn=a\\"),
            ("CN=Ann,Sales", "cn=ann,sales"),
        ] {
            assert_eq!(normalize(dn), want, "{dn}");
            assert_eq!(normalize(&normalize(dn)), want, "{dn} twice");
        }
    }

    #[test]
    fn below() {
        for (dn, above, want) in [
            ("cn=a,dc=x", "dc=x", true),
            ("dc=x", "dc=x", true),
            ("cn=a,dc=x", "", true),
            ("cn=a,dc=xx", "dc=x", false),
            ("cn=adc=x", "dc=x", false),
            (r"cn=a\,dc=x", "dc=x", false),
        ] {
            assert_eq!(is_below(dn, above), want, "{dn} below {above}");
        }
    }
}
