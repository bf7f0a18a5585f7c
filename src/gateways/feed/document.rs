// SPDX-License-Identifier: GPL-3.0-or-later
//! The documents of feeds.
//!
//! | format | networks |
//! |---|---|
//! | Microsoft | `ips` of each endpoint set whose `tcpPorts` have 25 |
//! | JSON | every array of texts in it that are networks, and texts under keys that end in `prefix` or `cidr` |
//! | text | one a line, `#` begins a comment |
//!
//! A document with anything malformed among its networks is refused whole, as are one without networks, one with more than
//! [`MOST`], and one with a network that is too wide to be anybody's mail service.

use super::super::source::{PublishedNetwork, SourceError};
use crate::config::{Feed, FeedFormat};
use crate::mail::Network;
use serde_json::Value;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Networks that one document may have.
const MOST: usize = 65_536;
/// Shortest prefixes that are believed.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 19;
/// The port that mail comes to.
const SMTP: u16 = 25;
/// As much of a text is shown that is no network, in characters.
const SHOWN: usize = 60;

/// The networks of a document, none twice, and what an administrator should know of them.
pub(super) fn read(
    document: &[u8],
    feed: &Feed,
) -> Result<(Vec<PublishedNetwork>, Vec<String>), SourceError> {
    let document = document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document);
    let mut list = List { url: &feed.url, networks: Vec::new(), seen: HashSet::new(), host_bits: 0 };
    match feed.format {
        FeedFormat::Microsoft => microsoft(&json(document)?, &mut list)?,
        FeedFormat::Json => any(&json(document)?, "", &mut list)?,
        FeedFormat::Text => lines(document, &mut list)?,
    }
    list.finish()
}

fn wrong(why: impl Into<String>) -> SourceError {
    SourceError::Wrong(why.into())
}

fn json(document: &[u8]) -> Result<Value, SourceError> {
    serde_json::from_slice(document).map_err(|error| wrong(format!("the document is not JSON: {error}")))
}

/// Networks as they are found.
struct List<'a> {
    url: &'a str,
    networks: Vec<PublishedNetwork>,
    seen: HashSet<Network>,
    /// How many had bits set beyond their prefix.
    host_bits: usize,
}

impl List<'_> {
    /// The way to a part of the document.
    fn via(&self, part: &str) -> Arc<str> {
        if part.is_empty() { self.url.into() } else { format!("{} > {part}", self.url).into() }
    }

    fn add(&mut self, text: &str, via: &Arc<str>) -> Result<(), SourceError> {
        let parsed =
            Network::parse(text.trim()).map_err(|error| wrong(format!("{}: {error}", shown(text))))?;
        let network = parsed.network;
        let widest = match network.first() {
            IpAddr::V4(_) => WIDEST_V4,
            IpAddr::V6(_) => WIDEST_V6,
        };
        if network.prefix_len() < widest {
            return Err(wrong(format!("{network} is too wide: nothing wider than /{widest} is believed")));
        }
        self.host_bits += usize::from(parsed.host_bits);
        if self.seen.insert(network) {
            if self.networks.len() == MOST {
                return Err(wrong(format!("the document has more than {MOST} networks")));
            }
            self.networks.push(PublishedNetwork { network, via: Arc::clone(via) });
        }
        Ok(())
    }

    fn finish(self) -> Result<(Vec<PublishedNetwork>, Vec<String>), SourceError> {
        if self.networks.is_empty() {
            return Err(wrong("the document has no networks in it"));
        }
        let note = match self.host_bits {
            0 => None,
            1 => Some("a network had bits set beyond its prefix, which are taken for 0".to_owned()),
            many => Some(format!("{many} networks had bits set beyond their prefix, which are taken for 0")),
        };
        Ok((self.networks, note.into_iter().collect()))
    }
}

fn shown(text: &str) -> String {
    let text: String = text.trim().chars().take(SHOWN).collect();
    format!("`{}`", text.escape_debug())
}

fn lines(document: &[u8], list: &mut List<'_>) -> Result<(), SourceError> {
    let text = str::from_utf8(document).map_err(|_| wrong("the document is not UTF-8"))?;
    let via = list.via("");
    for (number, line) in (1..).zip(text.lines()) {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if !entry.is_empty() {
            list.add(entry, &via).map_err(|error| wrong(format!("line {number}: {error}")))?;
        }
    }
    Ok(())
}

/// Microsoft's "IP address and URL web service".
fn microsoft(document: &Value, list: &mut List<'_>) -> Result<(), SourceError> {
    let sets = document.as_array().ok_or_else(|| wrong("the document is no array of endpoint sets"))?;
    for set in sets {
        let set = set.as_object().ok_or_else(|| wrong("an endpoint set is no object"))?;
        if !set.get("tcpPorts").and_then(Value::as_str).is_some_and(has_smtp) {
            continue;
        }
        let id = set.get("id").map_or_else(|| "without id".to_owned(), |id| format!("id {id}"));
        let via = list.via(&id);
        // A set may have names alone.
        let Some(ips) = set.get("ips") else { continue };
        let ips = ips.as_array().ok_or_else(|| wrong(format!("{id}: `ips` is no array")))?;
        for ip in ips {
            let text =
                ip.as_str().ok_or_else(|| wrong(format!("{id}: `ips` has something that is no text")))?;
            list.add(text, &via)?;
        }
    }
    Ok(())
}

/// Whether a list such as `25,80,443` or `20-25` has port 25.
fn has_smtp(ports: &str) -> bool {
    ports.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u16>(), last.trim().parse::<u16>());
        matches!((first, last), (Ok(first), Ok(last)) if (first..=last).contains(&SMTP))
    })
}

/// Looks for networks in whatever this is; the JSON reader has bounded how deep it can be.
fn any(value: &Value, path: &str, list: &mut List<'_>) -> Result<(), SourceError> {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            texts(items, path, list)
        }
        Value::Array(items) => items.iter().try_for_each(|item| any(item, path, list)),
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match member {
                Value::String(text) if names_network(key) => list.add(text, &list.via(&below)),
                Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
                Value::Array(_) | Value::Object(_) => any(member, &below, list),
            }
        }),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// An array of texts that has a network in it has to have nothing else; nor may one that is the whole document.
fn texts(items: &[Value], path: &str, list: &mut List<'_>) -> Result<(), SourceError> {
    let texts = || items.iter().filter_map(Value::as_str);
    if !path.is_empty() && !texts().any(|text| Network::parse(text.trim()).is_ok()) {
        return Ok(());
    }
    let via = list.via(path);
    texts().try_for_each(|text| list.add(text, &via))
}

/// Whether a text under this key is a network: `ipv4Prefix`, `ip_prefix`, `cidr`.
fn names_network(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("prefix") || key.ends_with("cidr")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(format: FeedFormat, document: &str) -> Result<Vec<String>, String> {
        let feed = Feed { url: "https://f.example/".into(), format, ca: None, pins: Vec::new() };
        let shown = |found: &PublishedNetwork| {
            format!("{}{}", found.network, found.via.strip_prefix("https://f.example/").unwrap_or("?"))
        };
        let (networks, _) = read(document.as_bytes(), &feed).map_err(|error| error.to_string())?;
        Ok(networks.iter().map(shown).collect())
    }

    #[test]
    fn documents_and_their_networks() {
        use FeedFormat::{Json, Microsoft, Text};
        let microsoft = r#"[
            {"id":1,"serviceArea":"Exchange","ips":["192.0.2.0/24"],"tcpPorts":"80,443"},
            {"id":10,"serviceArea":"Exchange","urls":["*.mail.protection.outlook.com"],
             "ips":["198.51.100.0/24","2001:db8::/32"],"tcpPorts":"25","category":"Allow","required":true},
            {"id":11,"urls":["x.example"],"tcpPorts":"25"},
            {"id":12,"ips":["203.0.113.0/25"],"tcpPorts":"20-30, 443"},
            {"id":13,"ips":["203.0.113.128/25"],"udpPorts":"25"}]"#;
        for (format, document, want) in [
            (
                Microsoft,
                microsoft,
                vec!["198.51.100.0/24 > id 10", "2001:db8::/32 > id 10", "203.0.113.0/25 > id 12"],
            ),
            (Json, r#"["192.0.2.0/24", "192.0.2.9", "192.0.2.1/24"]"#, vec!["192.0.2.0/24", "192.0.2.9/32"]),
            (Json, r#"{"v":4,"a":{"ips":["192.0.2.1"],"urls":["x.example"]}}"#, vec!["192.0.2.1/32 > a.ips"]),
            (
                Json,
                r#"{"prefixes":[{"ipv4Prefix":"192.0.2.0/24","x":"y"},{"ipv6Prefix":"2001:db8::/32"}]}"#,
                vec!["192.0.2.0/24 > prefixes.ipv4Prefix", "2001:db8::/32 > prefixes.ipv6Prefix"],
            ),
            (
                Text,
                "\u{feff}# all\r\n192.0.2.0/24 # one\r\n\r\n 2001:db8::/32\n",
                vec!["192.0.2.0/24", "2001:db8::/32"],
            ),
        ] {
            assert_eq!(read_as(format, document).unwrap(), want, "{document}");
        }
    }

    #[test]
    fn what_is_refused_and_why() {
        use FeedFormat::{Json, Microsoft, Text};
        for (format, document, why) in [
            (Json, "", "not JSON"),
            (Json, "<html>", "not JSON"),
            (Json, "[\"192.0.2.0/24\"", "not JSON"),
            (Json, "[]", "no networks"),
            (Json, "{}", "no networks"),
            (Json, "7", "no networks"),
            (Json, "[\"x.example\"]", "`x.example`"),
            (Json, r#"{"ips":["192.0.2.1","oops\u001b[31m"]}"#, r"`oops\u{1b}[31m`"),
            (Json, r#"{"ips":["oops","192.0.2.1"]}"#, "`oops`"),
            (Json, r#"{"urls":["x.example"]}"#, "no networks"),
            (Json, r#"["0.0.0.0/0"]"#, "too wide"),
            (Json, r#"["10.0.0.0/7"]"#, "too wide"),
            (Json, r#"["2001::/18"]"#, "too wide"),
            (Text, "<html>\n", "line 1: `<html>`"),
            (Text, "# nobody\n", "no networks"),
            (Text, "192.0.2.0/24 192.0.3.0/24\n", "line 1"),
            (Microsoft, "{}", "no array"),
            (Microsoft, "[7]", "no object"),
            (Microsoft, r#"[{"id":1,"ips":["192.0.2.0/24"],"tcpPorts":"443"}]"#, "no networks"),
            (Microsoft, r#"[{"id":1,"ips":[7],"tcpPorts":"25"}]"#, "no text"),
            (Microsoft, r#"[{"id":1,"ips":"192.0.2.1","tcpPorts":"25"}]"#, "no array"),
        ] {
            let error = read_as(format, document).expect_err(document);
            assert!(error.contains(why), "{document}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(read_as(Json, &deep).unwrap_err().contains("not JSON"));
        let many: Vec<String> =
            (0..=MOST).map(|n| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)).collect();
        assert!(read_as(Text, &many.join("\n")).unwrap_err().contains("more than 65536"));
    }

    #[test]
    fn ports_are_lists_and_ranges() {
        for (ports, want) in [
            ("25", true),
            ("80,25", true),
            ("20-25", true),
            (" 1 - 65535 ", true),
            ("250", false),
            ("", false),
            ("30-20", false),
        ] {
            assert_eq!(has_smtp(ports), want, "{ports}");
        }
    }
}
