// SPDX-License-Identifier: GPL-3.0-or-later
//! The parameters of main.cf that a configuration needs, each with its value and why. Both what is printed and what a
//! running Postfix is held against are made from them.

use super::super::needs::{Needs, at_hand, reached};
use super::version::Version;
use crate::config::Listen;
use crate::mail::DomainPattern;
use crate::policy::TlsWish;
use std::path::Path;

/// Postern's own deadline for an answer is 5 s; what waits for less gives up on it.
pub(super) const PATIENCE: u64 = 10;
/// Where systems keep the certificates of public authorities, the first that is there.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// What a milter adds to steer a message, and what becomes of it.
pub(super) const STEER: &str = r"/^X-Postern-Via: (\S+)$/ FILTER smtp:$1";
/// Where that stands, where main.cf cannot hold it.
const STEER_FILE: &str = "/etc/postfix/postern_via";

/// One parameter.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// Its value, a line each of what is long.
    pub(super) value: Vec<String>,
    /// What stands above it.
    pub(super) why: String,
    pub(super) want: Want,
}

/// How what is running is held against a setting.
#[derive(Debug)]
pub(super) enum Want {
    /// It must be this; anything else comes to what is written here.
    Is { otherwise: &'static str },
    /// It must be one of these; anything else comes to what is written here.
    OneOf { good: &'static [&'static str], otherwise: &'static str },
    /// Something must be there; nothing comes to what is written here.
    Something { otherwise: &'static str },
    /// It must have a table of ours in it, before others; without it comes what is written here.
    Table { table: &'static str, otherwise: &'static str },
    /// More than itself tells whether it is right: there is a check of its own.
    Judged,
}

impl Setting {
    /// As it is written in main.cf.
    pub(super) fn line(&self) -> String {
        match self.value.as_slice() {
            [] => format!("{} =", self.name),
            [value] if !value.contains('\n') => format!("{} = {value}", self.name),
            values => format!("{} =\n    {}", self.name, values.join(",\n    ")),
        }
    }
}

/// Where a Postfix is, and which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Postfix<'a> {
    pub(super) version: Version,
    /// Its queue directory, from which it sees paths of unix sockets that are not absolute.
    pub(super) queue: &'a Path,
}

impl Postfix<'_> {
    /// A socket as Postfix writes it; a path below the queue directory from there, so that it is found in a chroot, too.
    pub(super) fn socket(&self, listen: &Listen) -> Option<String> {
        Some(match at_hand(listen)? {
            Listen::Tcp(address) => format!("inet:{address}"),
            Listen::Unix(path) => {
                format!("unix:{}", path.strip_prefix(self.queue).unwrap_or(&path).display())
            }
            Listen::Systemd(_) => return None,
        })
    }

    /// A table; those that are looked up need the whole path.
    pub(super) fn table(listen: &Listen, table: &str) -> Option<String> {
        Some(match at_hand(listen)? {
            Listen::Tcp(address) => format!("socketmap:inet:{address}:{table}"),
            Listen::Unix(path) => format!("socketmap:unix:{}:{table}", path.display()),
            Listen::Systemd(_) => return None,
        })
    }

    /// Every parameter that is needed, in the order in which they are best read.
    pub(super) fn settings(&self, needs: &Needs, postscreen: bool) -> Vec<Setting> {
        let mut settings = self.milter(needs);
        settings.extend(self.policy(needs));
        settings.extend(Self::domains(needs));
        settings.extend(Self::next_hops(needs, postscreen));
        settings.extend(certificates(needs));
        settings
    }

    fn milter(&self, needs: &Needs) -> Vec<Setting> {
        let Some(socket) = needs.milter.as_ref().and_then(reached).and_then(|at| self.socket(&at)) else {
            return Vec::new();
        };
        let mut settings = vec![
            one(
                "smtpd_milters",
                socket,
                "Postern is asked about every message that comes over SMTP. The macros that it needs it asks for itself, and \
                 it answers within 5 s, so time-outs and milter_*_macros stay as they are.",
                Want::Judged,
            ),
            one(
                "milter_default_action",
                "tempfail",
                "When Postern does not answer, mail waits at the sender (451), and nothing is lost. With accept, whoever can \
                 make it stop would be let in.",
                Want::OneOf {
                    good: &["tempfail", "shutdown"],
                    otherwise: "what is done with mail while Postern is down: accept lets everybody in, reject bounces what is \
                                good, quarantine holds all of it",
                },
            ),
            one(
                "milter_protocol",
                "6",
                "The default since Postfix 2.6; with less, edits that Postern needs are not offered.",
                Want::Is { otherwise: "with less than 6, edits that Postern needs are not offered, and it cannot serve" },
            ),
            Setting {
                name: "non_smtpd_milters",
                value: Vec::new(),
                why: "Mail from sendmail(1) does not come over SMTP. Leave it out, unless 127.0.0.1 is in [internal] networks."
                    .to_owned(),
                want: Want::Judged,
            },
        ];
        if needs.scans {
            let (value, why) = if self.version >= Version::INLINE {
                // A single dollar sign would begin a parameter's name.
                (format!("regexp:{{{{{}}}}}", STEER.replace('$', "$$")), String::new())
            } else {
                (format!("regexp:{STEER_FILE}"), format!(" The file has this line:\n  {STEER}"))
            };
            settings.push(one(
                "milter_header_checks",
                value,
                &format!(
                    "Mail that is to be scanned goes to the scanner, by a header line that Postern adds. Lines of senders never \
                     come here.{why}"
                ),
                Want::Judged,
            ));
        }
        settings
    }

    fn policy(&self, needs: &Needs) -> Vec<Setting> {
        let Some(socket) = needs.policyd.as_ref().and_then(reached).and_then(|at| self.socket(&at)) else {
            return Vec::new();
        };
        let service = if self.version >= Version::BRACES {
            format!(
                "check_policy_service {{ {socket}, timeout={PATIENCE}s,\n        \
                 {{ default_action = 451 4.3.5 Mail cannot be checked now }} }}"
            )
        } else {
            format!("check_policy_service {socket}")
        };
        let mut settings = vec![
            Setting {
                name: "smtpd_relay_restrictions",
                value: ["permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination"]
                    .map(str::to_owned)
                    .into(),
                why: "Who may send to where is decided first and by Postfix, so that Postern is asked about our own domains, and \
                      about every client: those let through here are asked about below."
                    .to_owned(),
                want: Want::Judged,
            },
            Setting {
                name: "smtpd_recipient_restrictions",
                value: vec![service.clone()],
                why: "Postern is asked about every recipient. Restrictions of your own go in front of it or behind; a permit in \
                      front is a way around it. Without an answer mail waits at the sender."
                    .to_owned(),
                want: Want::Judged,
            },
        ];
        if needs.discards {
            settings.push(Setting {
                name: "smtpd_data_restrictions",
                value: vec![service],
                why: "What is to be discarded is told when all recipients are known; without this it is deferred.".to_owned(),
                want: Want::Judged,
            });
        }
        if self.version < Version::BRACES {
            settings.push(one(
                "smtpd_policy_service_timeout",
                format!("{PATIENCE}s"),
                "Postern answers within 5 s.",
                Want::Judged,
            ));
        }
        settings
    }

    fn domains(needs: &Needs) -> Vec<Setting> {
        let table =
            |name: &str| needs.socketmap.as_ref().and_then(reached).and_then(|at| Self::table(&at, name));
        let value = match table("domain") {
            Some(table) => vec![table],
            None => needs.domains.iter().map(|domain| relayed(&domain.pattern)).collect(),
        };
        let mut settings = vec![Setting {
            name: "relay_domains",
            value,
            why: "The domains that Postfix takes mail for and passes on. What is in mydestination or virtual_mailbox_domains \
                  already must not be here, too; without any other, leave this out."
                .to_owned(),
            want: Want::Judged,
        }];
        // A refusal here comes before the milter is asked, so that a stranger would find out who exists.
        let nobody_refuses = needs.milter.is_none() && needs.policyd.is_none();
        if let Some(table) = table("recipient").filter(|_| needs.recipients && nobody_refuses) {
            settings.push(one(
                "relay_recipient_maps",
                table,
                "Who exists there. The milter or the policy service would refuse the others by itself.",
                Want::Table { table: "recipient", otherwise: "recipients that do not exist are accepted" },
            ));
        }
        settings
    }

    fn next_hops(needs: &Needs, postscreen: bool) -> Vec<Setting> {
        let mut settings = Vec::new();
        let Some(at) = needs.socketmap.as_ref().and_then(reached) else { return settings };
        let table = |name: &str| Self::table(&at, name);
        if let Some(table) = table("transport").filter(|_| needs.routes) {
            settings.push(one(
                "transport_maps",
                table,
                "Where mail goes on to, by the rules of [[route]]. Tables of your own go behind it: the first that knows an \
                 address decides.",
                Want::Table { table: "transport", otherwise: "[[route]] has no effect: mail goes where Postfix thinks" },
            ));
        }
        if let Some(table) = table("tls").filter(|_| needs.demanding().next().is_some()) {
            settings.push(one(
                "smtp_tls_policy_maps",
                table,
                "What a connection to a server must be, as its `tls` says.",
                Want::Table {
                    table: "tls",
                    otherwise: "the `tls` of servers has no effect: their mail may go in clear, or to somebody else",
                },
            ));
        }
        if needs.verifies() {
            settings.push(one(
                "smtp_tls_CAfile",
                authorities(),
                "Who may have signed a server's certificate; its name is looked at besides. Put in a private authority, too.",
                Want::Something { otherwise: "no server's certificate is trusted, and mail to those with tls = \"verify\" waits" },
            ));
        }
        if needs.servers.iter().any(|server| server.tls == TlsWish::Dane) {
            settings.push(one(
                "smtp_dns_support_level",
                "dnssec",
                "TLSA records count only where a resolver that validates vouches for them.",
                Want::Is { otherwise: "TLSA records are not asked for, and tls = \"dane\" comes to nothing more than \"may\"" },
            ));
        }
        if let Some(table) = table("postscreen").filter(|_| postscreen) {
            settings.push(Setting {
                name: "postscreen_access_list",
                value: vec!["permit_mynetworks".to_owned(), table],
                why: "Gateways are not made to wait. Strangers are: who they are is told by the milter or the policy service."
                    .to_owned(),
                want: Want::Judged,
            });
        }
        settings
    }
}

fn certificates(needs: &Needs) -> Vec<Setting> {
    let mut settings = Vec::new();
    if needs.certificates || needs.fingerprints {
        settings.push(one(
            "smtpd_tls_security_level",
            "may",
            "Clients may use TLS; with a certificate of your own in smtpd_tls_chain_files.",
            Want::OneOf {
                good: &["may", "encrypt"],
                otherwise: "no client can show a certificate, so gateways that must are not known",
            },
        ));
        settings.push(one(
            "smtpd_tls_ask_ccert",
            "yes",
            "Clients are asked for a certificate; those without one are served as before.",
            Want::Judged,
        ));
    }
    if needs.fingerprints {
        settings.push(one(
            "smtpd_tls_fingerprint_digest",
            "sha256",
            "The fingerprints in postern.toml are SHA-256. The default before Postfix 3.6 is md5.",
            Want::Is { otherwise: "fingerprints that Postfix tells never equal those in postern.toml" },
        ));
    }
    settings
}

/// A domain as a list of Postfix's writes it: there, a name stands for what is below it, too
/// (`parent_domain_matches_subdomains`).
fn relayed(pattern: &DomainPattern) -> String {
    let text = pattern.to_string();
    text.strip_prefix("*.").unwrap_or(&text).to_owned()
}

fn authorities() -> &'static str {
    AUTHORITIES.into_iter().find(|file| Path::new(file).is_file()).unwrap_or(AUTHORITIES[0])
}

fn one(name: &'static str, value: impl Into<String>, why: &str, want: Want) -> Setting {
    Setting { name, value: vec![value.into()], why: why.to_owned(), want }
}
