// SPDX-License-Identifier: GPL-3.0-or-later
//! `[server.NAME]`: hosts, and how often they are looked at. What a connection must be is in `tls.rs`.

use super::Check;
use super::doors::Sockets;
use super::tls::{Certificates, is_microsoft};
use crate::config::Problem;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::{Listen, Server, ServerKind};
use crate::config::wording::{header, quoted};
use crate::config::words::ServerType;
use crate::mail::{Domain, HopHost, NextHop};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// Shortest and longest time between two looks at a server.
const MIN_HEALTH: Duration = Duration::from_secs(5);
const MAX_HEALTH: Duration = Duration::from_secs(3600);
/// The port of SMTP between servers.
const SMTP: u16 = 25;
/// Names of this machine that every machine has.
const LOCALHOST: &str = "localhost";

impl Check<'_> {
    /// The servers; none of them may be where Postern itself listens.
    pub(super) fn servers(
        &mut self,
        tables: &Named<file::Server>,
        sockets: &Sockets<'_>,
        loop_id: Option<&str>,
    ) -> Vec<Server> {
        let mut certificates = Certificates::default();
        let mut servers = Vec::new();
        for (name, table) in tables {
            let file::Server { kind, hosts, tls, certificate, health } = &***table;
            self.name(name);
            let kind = match **kind {
                ServerType::Microsoft365 => ServerKind::Microsoft365,
                ServerType::Exchange => ServerKind::Exchange,
                ServerType::Smtp => ServerKind::Smtp,
            };
            let hops = self.hosts(name, hosts.as_ref());
            for (hop, written) in &hops {
                self.own_host(hop, written, sockets, loop_id);
                if kind == ServerKind::Microsoft365 {
                    self.exchange_online(hop, written);
                }
            }
            let wish = self.tls(name, kind, &hops, tls.as_ref(), certificate.as_ref());
            let is_named = certificate.is_some() || kind == ServerKind::Microsoft365;
            self.one_wish(&mut certificates, name, &hops, &wish, is_named);
            servers.push(Server {
                name: Arc::from(name.as_str()),
                kind,
                hosts: hops.into_iter().map(|(hop, _)| hop).collect(),
                tls: wish,
                health: health.as_ref().map(|written| self.health(written)),
                place: self.place(name),
            });
        }
        servers
    }

    fn hosts<'a>(
        &mut self,
        server: &Placed<String>,
        list: Option<&'a Placed<Vec<Placed<String>>>>,
    ) -> Vec<(NextHop, &'a Placed<String>)> {
        let path = ["server", server, "hosts"];
        let help = "write its hosts: `hosts = [\"mail.example.com\", \"192.0.2.7:2525\"]`";
        let Some(list) = list else {
            if !self.lost.touches(&path) {
                self.error(server, format!("`hosts` is missing in {}", header(&path[..2])), help);
            }
            return Vec::new();
        };
        self.not_empty(list, &path, "mail could go nowhere", help);
        let mut hops: Vec<(NextHop, &Placed<String>)> = Vec::new();
        for written in list.iter() {
            let hop = match NextHop::parse(written).map_err(|error| error.to_string()).and_then(reachable) {
                Ok(hop) => hop,
                Err(why) => {
                    let usual = "write \"mail.example.com\", \"192.0.2.7:2525\", \"[2001:db8::7]\" or \"mx:example.com\"";
                    let help =
                        likely(written).map_or_else(|| usual.to_owned(), |hop| format!("write \"{hop}\""));
                    self.error(written, format!("{} is no host: {why}", quoted(written)), help);
                    continue;
                }
            };
            match hops.iter().find(|(known, _)| *known == hop) {
                Some((_, first)) if *first == written => {
                    self.twice(written, first, format!("{} is listed twice", quoted(written)));
                }
                Some((_, first)) => {
                    self.twice(
                        written,
                        first,
                        format!("{} is the same host as {}", quoted(written), quoted(first)),
                    );
                }
                None => hops.push((hop, written)),
            }
        }
        hops
    }

    /// Mail that is sent to where it came from comes back.
    fn own_host(
        &mut self,
        hop: &NextHop,
        written: &Placed<String>,
        sockets: &Sockets<'_>,
        loop_id: Option<&str>,
    ) {
        let (address, is_here) = match &hop.host {
            HopHost::Address(address) => (Some(address.to_canonical()), address.to_canonical().is_loopback()),
            HopHost::Name(name) => (None, name.as_str() == LOCALHOST),
            HopHost::Mx(_) => return,
        };
        let listens = |socket: &Listen| match socket {
            Listen::Tcp(own) => {
                let ip = own.ip().to_canonical();
                let same = address == Some(ip)
                    || (is_here && ip.is_unspecified())
                    || (is_here && address.is_none() && ip.is_loopback());
                own.port() == hop.port && same
            }
            Listen::Unix(_) | Listen::Systemd(_) => false,
        };
        if let Some(first) = sockets.find(listens) {
            let what = format!("Postern itself listens at {}, and takes no mail there", quoted(written));
            let problem =
                Problem::error(self.place(written), what).help("write the host and port of the mail server");
            self.problems.push(problem.see("listens here", self.place(first)));
            return;
        }
        let is_named = match &hop.host {
            HopHost::Name(name) => loop_id.is_some_and(|id| id.eq_ignore_ascii_case(name.as_str())),
            HopHost::Address(_) | HopHost::Mx(_) => false,
        };
        if hop.port == SMTP && (is_here || is_named) {
            let what = format!(
                "{} seems to be this machine, where port {SMTP} is usually the MTA that asks Postern",
                quoted(written)
            );
            let help = "its mail would come back; write the port of the mail server, or its host";
            self.warning(written, what, help);
        }
    }

    /// The MX of a domain that is guarded here is where its mail comes in.
    pub(super) fn own_mx(&mut self, tables: &Named<file::Server>, is_listed: impl Fn(&Domain) -> bool) {
        for written in tables.values().flat_map(|table| table.hosts.iter()).flat_map(|list| list.iter()) {
            let Ok(NextHop { host: HopHost::Mx(domain), .. }) = NextHop::parse(written) else { continue };
            if is_listed(&domain) {
                let what = format!(
                    "{} is where mail for this domain comes in, and so it would come back",
                    quoted(written)
                );
                let help = "write the hosts themselves, unless your own name servers have another MX for it";
                self.warning(written, what, help);
            }
        }
    }

    fn exchange_online(&mut self, hop: &NextHop, written: &Placed<String>) {
        let is_theirs = match &hop.host {
            HopHost::Name(name) => is_microsoft(name),
            // Its hosts cannot be known here.
            HopHost::Mx(_) => true,
            HopHost::Address(_) => false,
        };
        if !is_theirs {
            let what = format!("{} does not look like a host of Exchange Online", quoted(written));
            let help = "write the one that the admin centre shows as the domain's MX, such as \
                        \"example-com.mail.protection.outlook.com\", or another `type`";
            self.note(written, what, help);
        }
        if hop.port != SMTP {
            let what = format!("Exchange Online takes mail from other servers at port {SMTP} alone");
            self.warning(written, what, "leave the port out");
        }
    }

    fn health(&mut self, written: &Placed<String>) -> Duration {
        let problems = self.problems.len();
        let time = self.duration(written, MAX_HEALTH, "write a number and s or m: \"30s\", \"5m\"");
        if time < MIN_HEALTH && self.problems.len() == problems {
            self.error(
                written,
                format!("{} is too short", quoted(written)),
                "write \"5s\" or more, such as \"30s\"",
            );
        }
        time
    }
}

/// Whether mail can go there at all.
fn reachable(hop: NextHop) -> Result<NextHop, String> {
    let is_number = |name: &Domain| {
        name.as_str().rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
    };
    match &hop.host {
        HopHost::Address(address) if address.is_unspecified() || address.is_multicast() => {
            Err("no host has this address".to_owned())
        }
        HopHost::Name(name) | HopHost::Mx(name) if is_number(name) => {
            Err("no name ends in a number, and this is no address".to_owned())
        }
        HopHost::Name(_) | HopHost::Address(_) | HopHost::Mx(_) => Ok(hop),
    }
}

/// What was probably meant: other programs write URLs, name the transport, or put names in brackets.
fn likely(written: &str) -> Option<NextHop> {
    let text = written.rsplit_once("://").map_or(written, |(_, rest)| rest).trim().trim_end_matches('/');
    let text = ["smtp:", "esmtp:", "relay:"].iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    let bare = text.strip_prefix("mx:").filter(|rest| rest.parse::<IpAddr>().is_ok());
    let in_brackets = text.parse::<Ipv6Addr>().is_ok().then(|| format!("[{text}]"));
    let without = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map(|(host, port)| format!("{host}{port}"));
    [Some(text.to_owned()), bare.map(str::to_owned), in_brackets, without]
        .into_iter()
        .flatten()
        .find_map(|text| reachable(NextHop::parse(&text).ok()?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_programs_write_is_understood() {
        for (written, want) in [
            ("smtp:[mail.example.com]:25", Some("mail.example.com")),
            ("[mail.example.com]:2525", Some("mail.example.com:2525")),
            ("smtp://mail.example.com:2525/", Some("mail.example.com:2525")),
            ("[192.0.2.7]", Some("192.0.2.7")),
            ("2001:db8::1", Some("[2001:db8::1]")),
            ("relay:[2001:db8::1]:26", Some("[2001:db8::1]:26")),
            ("mx:192.0.2.7", Some("192.0.2.7")),
            (" mail.example.com ", Some("mail.example.com")),
            ("mail.example.com:0", None),
            ("192.0.2.300", None),
            ("0.0.0.0", None),
            ("ann@example.com", None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(likely(written).map(|hop| hop.to_string()).as_deref(), want, "{written}");
        }
    }
}
