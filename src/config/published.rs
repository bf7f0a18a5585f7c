// SPDX-License-Identifier: GPL-3.0-or-later
//! Where addresses are published, as it is written: SPF names, hosts, URLs. Nothing is looked up here.

use super::settings::FeedFormat;
use super::wording::quoted;
use crate::mail::Domain;
use std::sync::Arc;
use viaspf::record::{DomainSpec, MacroExpand, MacroKind, MacroString, MacroStringSegment};

/// What is wrong, and what to write instead.
pub(super) type Wrong = (String, String);

/// Longest name with macros, in octets: what fits into a DNS name, written out.
const MAX_SPEC: usize = 253;
/// Longest URL, in octets.
const MAX_URL: usize = 2000;
/// Marks a name that is asked for an A record and not for a policy (RFC 7208 5.7).
const EXISTS: &str = "exists:";
/// The host of Microsoft's endpoint sets.
const MICROSOFT: &str = "endpoints.office.com";

/// A name as it stands behind `include:`, or one behind `exists:` with that in front. Without macros it is in A-labels
/// and lower case, so that two spellings of one name are one source.
pub(super) fn spf(written: &str) -> Result<Arc<str>, Wrong> {
    let begins = |prefix: &str| written.get(..prefix.len()).is_some_and(|b| b.eq_ignore_ascii_case(prefix));
    if begins("include:") || begins("redirect=") {
        let name = written[written.find([':', '=']).map_or(0, |at| at + 1)..].trim();
        let what = format!("{} is an SPF term, not a name", quoted(written));
        return Err((what, format!("write the name alone: \"{}\"", crate::mail::Escaped(name.as_bytes()))));
    }
    if begins("v=spf1") {
        let help = "write the name that this record stands under, or that behind its `include:`";
        return Err(("this is an SPF record, not a name".to_owned(), help.to_owned()));
    }
    if written.contains('%') {
        let name = if begins(EXISTS) { &written[EXISTS.len()..] } else { written };
        return with_macros(name).map(|()| written.into());
    }
    if begins(EXISTS) {
        let what = format!("{} is the same for every client", quoted(written));
        return Err((what, "`exists:` goes with a macro for the address, such as `%{i}`".to_owned()));
    }
    host(written).map(|name| name.as_str().into())
}

/// Only the client's address is known when the name is asked, so only its macros have a value.
fn with_macros(name: &str) -> Result<(), Wrong> {
    let no_name = |help: &str| Err((format!("{} is no name with macros", quoted(name)), help.to_owned()));
    if name.len() > MAX_SPEC {
        return no_name("253 octets fit at most");
    }
    let Ok(spec) = name.parse::<MacroString>() else {
        return no_name("a macro is written %{i}, %{ir} or %{v}; see RFC 7208, section 7");
    };
    for segment in &spec.segments {
        let MacroStringSegment::MacroExpand(MacroExpand::Macro(part)) = segment else { continue };
        let help = match part.kind() {
            MacroKind::Ip | MacroKind::VersionLabel => continue,
            MacroKind::Domain | MacroKind::DomainPart => "write the domain out in its place",
            MacroKind::Sender | MacroKind::LocalPart => {
                "write the name out: what a gateway sends from does not depend on the sender"
            }
            MacroKind::HeloDomain | MacroKind::ValidatedDomain => {
                "write the name out: what the client says of itself proves nothing"
            }
            MacroKind::PrettyIp | MacroKind::Receiver | MacroKind::Timestamp => {
                "this macro is for explanations only (RFC 7208, section 7.2)"
            }
        };
        return Err((format!("the macro `{part}` cannot be used here"), help.to_owned()));
    }
    match DomainSpec::new(spec) {
        Ok(_) => Ok(()),
        Err(_) => no_name("it has to end in a domain, such as `.spf.example.com`"),
    }
}

/// The name of a host or zone, with at least one dot.
pub(super) fn host(written: &str) -> Result<Domain, Wrong> {
    let wrong =
        |why: String, help: &str| Err((format!("{} is no name: {why}", quoted(written)), help.to_owned()));
    let help = "write a domain name, such as \"spf.example.com\"";
    if written.contains(['/', '@', ':']) || written.parse::<std::net::IpAddr>().is_ok() {
        let help = "write a name here; an address or a network belongs under `networks`, a URL under `feed`";
        return wrong("it is no domain".to_owned(), help);
    }
    if written.contains('*') {
        return wrong("there is no asterisk in DNS questions".to_owned(), help);
    }
    match Domain::parse(written) {
        Ok(name) if name.as_str().contains('.') => Ok(name),
        Ok(_) => wrong("it has only one label".to_owned(), "write the whole name, with its domain"),
        Err(error) => wrong(error.to_string(), help),
    }
}

/// The URL of a feed, in its usual form, and how the document behind it is probably written.
pub(super) fn feed(written: &str) -> Result<(Box<str>, FeedFormat), Wrong> {
    let https = "write an address that begins with https://";
    if written.len() > MAX_URL {
        return Err(("the URL is too long".to_owned(), format!("{MAX_URL} octets fit at most")));
    }
    let Ok(url) = reqwest::Url::parse(written) else {
        return Err((format!("{} is no URL", quoted(written)), https.to_owned()));
    };
    if url.scheme() == "http" {
        let what = "whoever sits between us and the server could change what comes over http";
        return Err((what.to_owned(), https.to_owned()));
    }
    let Some(host) = url.host_str().filter(|_| url.scheme() == "https") else {
        return Err((format!("{} cannot be fetched", quoted(written)), https.to_owned()));
    };
    if !url.username().is_empty() || url.password().is_some() {
        let what = "a name or password in a URL would show up in logs";
        return Err((what.to_owned(), "write the URL without it".to_owned()));
    }
    if url.fragment().is_some() {
        return Err(("no server is told what follows the `#`".to_owned(), "leave it out".to_owned()));
    }
    let format = if host == MICROSOFT {
        FeedFormat::Microsoft
    } else if url.path().to_ascii_lowercase().ends_with(".json") {
        FeedFormat::Json
    } else {
        FeedFormat::Text
    };
    Ok((url.as_str().into(), format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_macros() {
        for (written, want) in [
            ("SPF.Example.com.", Some("spf.example.com")),
            ("_spf.b\u{fc}cher.example", Some("_spf.xn--bcher-kva.example")),
            ("%{ir}.%{v}.example.com.spf.has.example", Some("%{ir}.%{v}.example.com.spf.has.example")),
            ("exists:%{i}.spf.hc1-2.example.com", Some("exists:%{i}.spf.hc1-2.example.com")),
            ("%{i4r-.}.example.com", Some("%{i4r-.}.example.com")),
            ("example", None),
            ("", None),
            ("192.0.2.1", None),
            ("192.0.2.0/24", None),
            ("include:spf.example", None),
            ("INCLUDE:spf.example", None),
            ("v=spf1 include:spf.example -all", None),
            ("exists:spf.example", None),
            ("*.example.com", None),
            ("%{d}.spf.example", None),
            ("%{D}.spf.example", None),
            ("%{s}.spf.example", None),
            ("%{l}.spf.example", None),
            ("%{o}.spf.example", None),
            ("%{h}.spf.example", None),
            ("%{p}.spf.example", None),
            ("%{c}.spf.example", None),
            ("%{r}.spf.example", None),
            ("%{t}.spf.example", None),
            ("%{ir.spf.example", None),
            ("%{x}.spf.example", None),
            ("%i.spf.example", None),
            ("%{i}.123", None),
        ] {
            assert_eq!(spf(written).ok().as_deref(), want, "{written}");
        }
    }

    #[test]
    fn feeds() {
        for (written, want) in [
            ("https://endpoints.office.com/endpoints/worldwide", Some(FeedFormat::Microsoft)),
            ("https://example.com/ranges.JSON?v=1", Some(FeedFormat::Json)),
            ("https://example.com/ranges", Some(FeedFormat::Text)),
            ("http://example.com/ranges", None),
            ("ftp://example.com/ranges", None),
            ("file:///etc/passwd", None),
            ("example.com/ranges", None),
            ("https://", None),
            ("https://user:secret@example.com/", None),
            ("https://example.com/#ranges", None),
        ] {
            assert_eq!(feed(written).ok().map(|(_, format)| format), want, "{written}");
        }
        assert_eq!(feed("HTTPS://Example.COM").unwrap().0.as_ref(), "https://example.com/");
    }
}
