// SPDX-License-Identifier: GPL-3.0-or-later
//! `tls` and `certificate` of a server: what a connection to it must be, and whose certificate is expected.
//!
//! An MTA asks for this by next hop, and for each host by itself. Where no name is written, it is the host's own; of a domain
//! whose MX is asked for it is the domain or a host below it, for without DNSSEC anyone may have written the names in an MX
//! record (RFC 7672 2.2; Postfix's `secure` does the same).

use super::Check;
use crate::config::placed::Placed;
use crate::config::settings::ServerKind;
use crate::config::wording::quoted;
use crate::config::words::TlsWish as Wish;
use crate::config::{Place, Problem};
use crate::mail::{CertificatePattern, Domain, HopHost, NextHop};
use crate::policy::TlsWish;
use std::collections::HashMap;

/// Below which names the hosts of Exchange Online are: in the world, with DNSSEC, for the US government, in China.
const MICROSOFT: [&str; 4] = [
    "mail.protection.outlook.com",
    "mx.microsoft",
    "mail.protection.office365.us",
    "mail.protection.partner.outlook.cn",
];

/// A list of names as it is written.
type List = Placed<Vec<Placed<String>>>;

/// What each host is to show, and where that is written.
#[derive(Default)]
pub(super) struct Certificates(HashMap<NextHop, Shown>);

struct Shown {
    server: String,
    level: Level,
    names: Option<Vec<String>>,
    place: Place,
}

/// What is wished for, without names.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Level {
    May,
    Encrypt,
    Dane,
    Verify,
}

/// Whether a host is one of Exchange Online.
pub(super) fn is_microsoft(host: &Domain) -> bool {
    host.parents().any(|parent| MICROSOFT.contains(&parent))
}

impl Check<'_> {
    pub(super) fn tls(
        &mut self,
        server: &Placed<String>,
        kind: ServerKind,
        hops: &[(NextHop, &Placed<String>)],
        written: Option<&Placed<Wish>>,
        certificate: Option<&List>,
    ) -> TlsWish {
        let names = certificate.map(|list| self.expected(server, list));
        let usual = if kind == ServerKind::Microsoft365 { Wish::Verify } else { Wish::May };
        let wish = written.map_or(usual, |written| **written);
        if let Some(list) = certificate.filter(|_| wish != Wish::Verify)
            && !self.lost.touches(&["server", server, "tls"])
        {
            let what = "no certificate is looked at";
            self.warning(list, what, "write `tls = \"verify\"`, or take this out");
        }
        match wish {
            Wish::May => TlsWish::May,
            Wish::Encrypt => TlsWish::Encrypt,
            Wish::Dane => {
                self.dane(hops);
                TlsWish::Dane
            }
            Wish::Verify => {
                let names = names.unwrap_or_else(|| {
                    self.unnamed(server, kind, hops, written);
                    usual_names(kind, hops)
                });
                TlsWish::Verify(names.into())
            }
        }
    }

    fn expected(&mut self, server: &str, list: &List) -> Vec<CertificatePattern> {
        let help = "write the name that the server's certificate has, or leave the key out";
        self.not_empty(list, &["server", server, "certificate"], "no certificate would do", help);
        let mut patterns = Vec::new();
        for written in self.once(list) {
            // Certificates have names in A-labels.
            let (star, rest) = written.strip_prefix("*.").map_or(("", written.as_str()), |rest| ("*.", rest));
            let pattern = match CertificatePattern::parse(written) {
                Ok(_) => Domain::parse(rest).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let pattern = pattern.and_then(|name| {
                CertificatePattern::parse(&format!("{star}{name}")).map_err(|error| error.to_string())
            });
            match pattern {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => {
                    let what = format!("{} is no name of a certificate: {error}", quoted(written));
                    let help = "write \"mail.example.com\", or \"*.example.com\" for any host below";
                    self.error(written, what, help);
                }
            }
        }
        patterns
    }

    /// What is odd about hosts whose certificates are to be looked at, where their names are not written.
    fn unnamed(
        &mut self,
        server: &Placed<String>,
        kind: ServerKind,
        hops: &[(NextHop, &Placed<String>)],
        written: Option<&Placed<Wish>>,
    ) {
        const HELP: &str = "write the names that it has: `certificate = [\"mail.example.com\"]`";
        if kind == ServerKind::Microsoft365 || self.lost.touches(&["server", server, "certificate"]) {
            return;
        }
        let is_address = |hop: &NextHop| matches!(hop.host, HopHost::Address(_));
        if !hops.is_empty() && hops.iter().all(|(hop, _)| is_address(hop)) {
            let what = format!("nothing says which name the certificate of {} must have", quoted(server));
            match written {
                Some(written) => self.error(written, what, HELP),
                None => self.error(server, what, HELP),
            }
            return;
        }
        for (hop, written) in hops {
            match &hop.host {
                HopHost::Name(_) => {}
                HopHost::Address(_) => {
                    let what = format!(
                        "the certificate of {} must have a name, and it may be that of any other host here",
                        quoted(written)
                    );
                    self.warning(written, what, HELP);
                }
                HopHost::Mx(domain) => {
                    let what = format!(
                        "anyone may have written the names in an MX record: the certificate must be for `{domain}` or a \
                         host below it"
                    );
                    self.note(written, what, HELP);
                }
            }
        }
    }

    /// TLSA records are asked for by name.
    fn dane(&mut self, hops: &[(NextHop, &Placed<String>)]) {
        for (hop, written) in hops {
            if let HopHost::Address(_) = hop.host {
                let what = format!("{} is no name, so there are no TLSA records for it", quoted(written));
                let help = "write the host's name, or \"encrypt\" or \"verify\": what is sent there may be in the clear";
                self.warning(written, what, help);
            }
        }
    }

    /// An MTA asks by host and cannot say which server it means.
    pub(super) fn one_wish(
        &mut self,
        known: &mut Certificates,
        server: &Placed<String>,
        hops: &[(NextHop, &Placed<String>)],
        wish: &TlsWish,
        is_named: bool,
    ) {
        let (level, names) = match wish {
            TlsWish::May => (Level::May, None),
            TlsWish::Encrypt => (Level::Encrypt, None),
            TlsWish::Dane => (Level::Dane, None),
            // Where no name is written, each host is expected to have its own.
            TlsWish::Verify(_) if !is_named => (Level::Verify, None),
            TlsWish::Verify(names) => {
                let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
                names.sort_unstable();
                (Level::Verify, Some(names))
            }
        };
        for (hop, written) in hops {
            match known.0.get(hop) {
                None => {
                    let server = (**server).clone();
                    let shown = Shown { server, level, names: names.clone(), place: self.place(written) };
                    known.0.insert(hop.clone(), shown);
                }
                Some(other) if other.level == level && other.names == names => {}
                Some(other) => {
                    let what = format!(
                        "{} is a host of the server {} as well, where `tls` or `certificate` is another",
                        quoted(written),
                        quoted(&other.server)
                    );
                    let help =
                        "write the same `tls` and `certificate` in both: the MTA asks for them by host";
                    let problem = Problem::error(self.place(written), what).help(help);
                    self.problems.push(problem.see("listed here", other.place.clone()));
                }
            }
        }
    }
}

/// Whose certificate is expected where none is named; a name that no pattern can be made of is left out.
fn usual_names(kind: ServerKind, hops: &[(NextHop, &Placed<String>)]) -> Vec<CertificatePattern> {
    let mut names: Vec<String> = Vec::new();
    for (hop, _) in hops {
        match (&hop.host, kind) {
            (HopHost::Name(name), ServerKind::Microsoft365) => {
                let below = MICROSOFT.iter().filter(|below| name.parents().any(|parent| parent == **below));
                names.extend(below.map(|below| format!("*.{below}")));
            }
            (HopHost::Name(name), ServerKind::Exchange | ServerKind::Smtp) => names.push(name.to_string()),
            (HopHost::Mx(domain), ServerKind::Exchange | ServerKind::Smtp) => {
                names.extend([domain.to_string(), format!("*.{domain}")]);
            }
            (HopHost::Address(_) | HopHost::Mx(_), _) => {}
        }
    }
    if names.is_empty() && kind == ServerKind::Microsoft365 {
        names.push(format!("*.{}", MICROSOFT[0]));
    }
    let mut patterns: Vec<CertificatePattern> = Vec::new();
    for pattern in names.iter().filter_map(|name| CertificatePattern::parse(name).ok()) {
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_names() {
        let names = |kind, hosts: &[&str]| -> Vec<String> {
            let written: Vec<Placed<String>> = hosts.iter().map(|host| (*host).to_owned().into()).collect();
            let hops: Vec<_> = written.iter().map(|host| (NextHop::parse(host).unwrap(), host)).collect();
            usual_names(kind, &hops).iter().map(ToString::to_string).collect()
        };
        for (kind, hosts, want) in [
            (ServerKind::Smtp, &["A.example", "192.0.2.1", "a.example:26"][..], &["a.example"][..]),
            (ServerKind::Exchange, &["mx:example.com"], &["example.com", "*.example.com"]),
            (ServerKind::Smtp, &["mx:local"], &["local"]),
            (ServerKind::Smtp, &["192.0.2.1"], &[]),
            (
                ServerKind::Microsoft365,
                &["a-com.mail.protection.outlook.com", "b-com.mail.protection.outlook.com"],
                &["*.mail.protection.outlook.com"],
            ),
            (ServerKind::Microsoft365, &["a-com.o-v1.mx.microsoft"], &["*.mx.microsoft"]),
            (ServerKind::Microsoft365, &["mx:example.com"], &["*.mail.protection.outlook.com"]),
            (ServerKind::Microsoft365, &["192.0.2.1"], &["*.mail.protection.outlook.com"]),
            (ServerKind::Microsoft365, &["outlook.com.evil.example"], &["*.mail.protection.outlook.com"]),
        ] {
            assert_eq!(names(kind, hosts), want, "{kind:?} {hosts:?}");
        }
    }
}
