// SPDX-License-Identifier: GPL-3.0-or-later
//! The lines of sendmail.cf that are written as they are: classes, maps, rules and mailers, in groups that belong together.
//! What is printed and what a running Sendmail is held against are both made from them.
//!
//! Three facts that they rest on, seen with 8.17.1: `LOCAL_RULE_0` comes before mailertable and smart host, and for queued
//! mail again; a rule's result is a mailer, a list of hosts parted by colons, and the address that the next hop is told; the
//! macro `$h` is that list while the connection is made, whatever the hosts are called in the DNS.

use super::super::needs::{Needs, Target, reached};
use crate::config::Listen;
use crate::mail::{CertificatePattern, DomainPattern, NextHop};
use crate::policy::TlsWish;
use crate::socketmap::mailer;
use std::collections::BTreeSet;

/// The domain of addresses that are on their way to a scanner, below which nothing exists (RFC 2606).
pub(super) const SCAN: &str = "postern-scan.invalid";
/// The port that Sendmail's own mailers go to.
const SMTP: u16 = 25;

/// Lines that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// The part of sendmail.mc that they stand in.
    pub(super) part: &'static str,
    pub(super) why: String,
    /// With tabs between the columns of rules.
    pub(super) lines: Vec<String>,
    pub(super) topic: Topic,
}

/// What lines are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Topic {
    Scan,
    Route,
    Tls,
    /// Mailers to other ports.
    Port,
}

/// Every group that is needed, in the order in which Sendmail wants them.
pub(super) fn groups(needs: &Needs) -> Vec<Group> {
    let mut groups = Vec::new();
    let scanners: Vec<&Target> = needs.servers.iter().filter(|server| server.scans).collect();
    let map = needs.socketmap.as_ref().and_then(reached).as_ref().and_then(socket).filter(|_| needs.routes);
    if !scanners.is_empty() {
        groups.push(Group {
            part: "LOCAL_CONFIG",
            why: format!(
                "Mail that is to be scanned: the milter puts .SERVER.{SCAN} behind the recipient's domain, so that it is kept in \
                 the queue, too. The domain is not looked up in the DNS."
            ),
            lines: vec![format!("CP{SCAN}")],
            topic: Topic::Scan,
        });
    }
    if let Some(map) = &map {
        let (exact, below) = classes(needs);
        let mut lines = vec![format!("Kpostern socket {map}")];
        lines.extend(exact.map(|exact| format!("C{{PosternDomains}}{exact}")));
        lines.extend(below.map(|below| format!("C{{PosternBelow}}{below}")));
        groups.push(Group {
            part: "LOCAL_CONFIG",
            why: "Where mail goes on to, by the rules of [[route]]: asked for whole addresses of these domains. While nobody \
                  answers, mail waits."
                .to_owned(),
            lines,
            topic: Topic::Route,
        });
    }
    groups.extend(tls_classes(needs));
    if !scanners.is_empty() {
        let rule = |server: &&Target| {
            let Target { name, hosts, .. } = server;
            let way = way(hosts);
            format!("R$+ < @ $+ .{name}.{SCAN}. > $*\t$#{} $@ {} $: $1 < @ $2 . >", way.mailer, way.hosts)
        };
        let mut lines: Vec<String> = scanners.iter().map(rule).collect();
        // One whose server is gone from here must not be looked for in the DNS, and bounced.
        lines.push(format!("R$+ < @ $+ .{SCAN}. > $*\t$#error $@ 4.3.5 $: \"451 there is no such scanner\""));
        groups.push(Group {
            part: "LOCAL_RULE_0",
            why: "The scanner is told the address as it was.".to_owned(),
            lines,
            topic: Topic::Scan,
        });
    }
    if map.is_some() {
        let (exact, below) = classes(needs);
        let mut lines = Vec::new();
        if exact.is_some() {
            lines.push(
                "R$+ < @ $={PosternDomains} . > $*\t$: < postern $(postern $1@$2 $: $) > $1 < @ $2 . > $3"
                    .to_owned(),
            );
        }
        if below.is_some() {
            lines.push(
                "R$+ < @ $+ . $={PosternBelow} . > $*\t$: < postern $(postern $1@$2.$3 $: $) > $1 < @ $2.$3 . > $4".to_owned(),
            );
        }
        lines.push("R< postern $~[ : $+ > $+\t$>MailerToTriple < $1 : $2 > $3".to_owned());
        lines.push("R< postern $* > $+\t$: $2".to_owned());
        groups.push(Group {
            part: "LOCAL_RULE_0",
            why: "An address that no rule is for goes where Sendmail thinks.".to_owned(),
            lines,
            topic: Topic::Route,
        });
    }
    groups.extend(tls_rules(needs));
    groups.extend(mailers(needs));
    groups
}

/// The domains that rules are for, exact ones and those that others are below.
fn classes(needs: &Needs) -> (Option<String>, Option<String>) {
    let (mut exact, mut below) = (Vec::new(), Vec::new());
    for domain in needs.domains.iter().filter(|domain| domain.active) {
        match &domain.pattern {
            DomainPattern::Exact(domain) => exact.push(domain.as_str()),
            DomainPattern::Below(domain) => below.push(domain.as_str()),
        }
    }
    let joined = |names: Vec<&str>| (!names.is_empty()).then(|| names.join(" "));
    (joined(exact), joined(below))
}

/// Servers that demand something of a connection, each with a number for its classes.
fn demanding(needs: &Needs) -> impl Iterator<Item = (usize, &Target)> {
    (1..).zip(needs.demanding())
}

fn tls_classes(needs: &Needs) -> Option<Group> {
    let class = |(number, server): (usize, &Target)| {
        let hosts: Vec<String> = server.hosts.iter().map(NextHop::for_sendmail).collect();
        format!("C{{PosternTls{number}}}{}", hosts.join(" "))
    };
    let mut lines: Vec<String> = demanding(needs).map(class).collect();
    if lines.is_empty() {
        return None;
    }
    if needs.demanding().any(|server| server.tls == TlsWish::Encrypt) {
        lines.push("C{PosternEncrypted}OK TRUSTED NO NOT FAIL".to_owned());
    }
    let servers: Vec<&str> = needs.demanding().map(|server| &*server.name).collect();
    Some(Group {
        part: "LOCAL_CONFIG",
        why: format!(
            "What a connection must be to the hosts of {}, as their `tls` says. Sendmail tells the common name of a certificate \
             and no other.",
            servers.join(", ")
        ),
        lines,
        topic: Topic::Tls,
    })
}

fn tls_rules(needs: &Needs) -> Vec<Group> {
    if needs.demanding().next().is_none() {
        return Vec::new();
    }
    let ask = || vec!["R$*\t$@ $>PosternTls $1".to_owned()];
    let group = |part, why: &str, lines| Group { part, why: why.to_owned(), lines, topic: Topic::Tls };
    let mut lines = vec!["SPosternTls".to_owned(), "R$*\t$: : $&h :".to_owned()];
    lines.extend(demanding(needs).map(|(number, _)| {
        format!("R$* : $={{PosternTls{number}}} : $*\t$@ $>PosternTls{number} $&{{verify}}")
    }));
    lines.push("R$*\t$@ OK".to_owned());
    for (number, server) in demanding(needs) {
        lines.push(format!("SPosternTls{number}"));
        lines.extend(accepted(&server.tls));
        lines.push(format!("R$*\t$#error $@ 4.7.5 $: \"403 {}\"", refusal(&server.tls)));
    }
    vec![
        group(
            "LOCAL_TLS_SERVER",
            "When the connection is made: another host is tried, and then mail waits.",
            ask(),
        ),
        group("LOCAL_TLS_RCPT", "Also for a connection that was there already.", ask()),
        group("LOCAL_RULESETS", "", lines),
    ]
}

/// Rules for `{verify}` that end with OK.
fn accepted(wish: &TlsWish) -> Vec<String> {
    match wish {
        TlsWish::May => Vec::new(),
        TlsWish::Encrypt => vec!["R$={PosternEncrypted}\t$@ OK".to_owned()],
        TlsWish::Dane => vec!["RTRUSTED\t$@ OK".to_owned()],
        TlsWish::Verify(names) => {
            let mut lines =
                vec!["ROK\t$: OK : $&{cn_subject}".to_owned(), "RTRUSTED\t$: OK : $&{cn_subject}".to_owned()];
            for name in names {
                lines.extend(common_names(name).into_iter().map(|name| format!("ROK : {name}\t$@ OK")));
            }
            lines
        }
    }
}

/// The common names that stand for a name: itself, and the wildcard one label above it.
fn common_names(name: &CertificatePattern) -> Vec<String> {
    let name = name.as_str();
    match (name.strip_prefix("*."), name.split_once('.')) {
        (Some(parent), _) => vec![format!("$-.{parent}")],
        (None, Some((_, parent))) if parent.contains('.') => vec![name.to_owned(), format!("*.{parent}")],
        (None, _) => vec![name.to_owned()],
    }
}

fn refusal(wish: &TlsWish) -> &'static str {
    match wish {
        TlsWish::May | TlsWish::Encrypt => "the connection is not encrypted",
        TlsWish::Dane => "the server is not the one of its TLSA records",
        TlsWish::Verify(_) => "the certificate is not the one that is expected",
    }
}

/// A mailer for each port that Sendmail's own do not go to.
fn mailers(needs: &Needs) -> Option<Group> {
    let ports: BTreeSet<u16> = needs
        .servers
        .iter()
        .filter(|server| server.scans || needs.socketmap.is_some())
        .flat_map(|server| server.hosts.iter().map(|hop| hop.port))
        .filter(|port| *port != SMTP)
        .collect();
    let define = |port: u16| {
        format!(
            "M{},\tP=[IPC], F=mDFMuXa8, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP, E=\\r\\n, L=2040, \
             T=DNS/RFC822/SMTP, A=TCP $h {port}",
            mailer(port)
        )
    };
    let lines: Vec<String> = ports.into_iter().map(define).collect();
    (!lines.is_empty()).then(|| Group {
        part: "MAILER_DEFINITIONS",
        why: "A mailer has one port; these go to others than 25.".to_owned(),
        lines,
        topic: Topic::Port,
    })
}

/// A mailer, and the hosts that it goes to.
struct Way {
    mailer: String,
    hosts: String,
}

/// The hosts that are on the port of the first; a mailer has one port.
fn way(hosts: &[NextHop]) -> Way {
    let port = hosts.first().map_or(SMTP, |hop| hop.port);
    let same: Vec<String> = hosts.iter().filter(|hop| hop.port == port).map(NextHop::for_sendmail).collect();
    Way { mailer: mailer(port), hosts: same.join(":") }
}

/// A socket as Sendmail's `socket` maps and milters write it.
pub(super) fn socket(listen: &Listen) -> Option<String> {
    match listen {
        Listen::Tcp(address) if address.is_ipv4() => {
            Some(format!("inet:{}@{}", address.port(), address.ip()))
        }
        Listen::Tcp(address) => Some(format!("inet6:{}@{}", address.port(), address.ip())),
        Listen::Unix(path) => Some(format!("unix:{}", path.display())),
        Listen::Systemd(_) => None,
    }
}
