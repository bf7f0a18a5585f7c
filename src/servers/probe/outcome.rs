// SPDX-License-Identifier: GPL-3.0-or-later
//! What came of looking at a host, in types and in words.

use std::fmt;
use std::net::SocketAddr;

/// How far a dialogue with a host has come.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// The TCP connection.
    Connect,
    /// What the host says first.
    Banner,
    /// EHLO, or HELO where that is refused.
    Hello,
    /// The command STARTTLS.
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// Whether the certificate is the expected one.
    Certificate,
    /// EHLO under TLS.
    SecureHello,
}

impl Step {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Banner => "banner",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Handshake => "TLS",
            Self::Certificate => "certificate",
            Self::SecureHello => "EHLO again",
        }
    }
}

/// A refusing reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// What it answers.
    pub step: Step,
    /// Its code and its first line, printable.
    pub reply: String,
}

/// Why a certificate is not the expected one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CertificateFault {
    /// It has none of the names that are wanted.
    Name,
    /// Nobody who is trusted here vouches for it, or it has ended; why, in words.
    Chain(String),
}

/// What came of a visit to one address of a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It takes mail, and speaks TLS as is wished.
    Fine {
        /// What it says first.
        banner: String,
        /// What was seen of TLS.
        tls: Tls,
    },
    /// It refuses connections.
    Refused,
    /// There is no way to it, or the connection breaks; why, in words.
    Unreachable(String),
    /// It did not come this far in time.
    TimedOut(Step),
    /// It takes no mail now: a reply of class 4.
    NotNow(Said),
    /// It takes no mail: a reply of class 5.
    No(Said),
    /// It does not offer TLS, or takes its offer back with a reply.
    NoTls(Option<String>),
    /// TLS does not come about; why, in words.
    BrokenTls(String),
    /// It has another certificate than is wanted.
    WrongCertificate {
        /// What is wrong with it.
        fault: CertificateFault,
        /// The names in it.
        seen: Vec<String>,
        /// The names of which it must have one.
        wanted: Vec<String>,
    },
    /// What it speaks is not SMTP; why, in words.
    NotSmtp(String),
    /// The name has no address, and that is said by DNS; in words.
    NoAddress(String),
    /// Which address it has is unknown: DNS has no answer now; why, in words.
    Unresolved(String),
}

/// What was seen of TLS at a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tls {
    /// It was not asked for (`may`).
    NotAsked {
        /// Whether it is offered.
        offered: bool,
    },
    /// It is offered. Whether it agrees with TLSA records only the MTA finds out (`dane`).
    Offered,
    /// It was spoken.
    Spoken(Spoken),
}

/// A TLS connection that came about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spoken {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// The DNS names in the host's certificate.
    pub names: Vec<String>,
    /// Whether the certificate was looked at (`verify`).
    pub verified: bool,
}

/// A visit to one address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Visit {
    /// The host's name, or its address where it has no other name.
    pub host: String,
    /// Its address and port; nothing where none is known.
    pub address: Option<SocketAddr>,
    /// What was done, and what came of it in words, as far as it went well.
    pub steps: Vec<(Step, String)>,
    /// What came of it all.
    pub outcome: Outcome,
}

/// What came of looking at all addresses of a next hop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Looked {
    /// One visit to each; at least one.
    pub visits: Vec<Visit>,
}

impl Looked {
    /// Whether mail is taken at any address; nothing when nobody knows.
    pub fn takes_mail(&self) -> Option<bool> {
        let answers = || self.visits.iter().map(|visit| visit.outcome.takes_mail());
        match answers().any(|answer| answer == Some(true)) {
            true => Some(true),
            false if answers().all(|answer| answer == Some(false)) => Some(false),
            false => None,
        }
    }

    /// Whether everything is as it should be at one address at least, and TLS wherever mail is taken.
    pub fn is_fine(&self) -> bool {
        self.takes_mail() == Some(true) && self.tls_trouble().is_none()
    }

    /// The first address at which mail is taken and TLS is not as is wished.
    pub fn tls_trouble(&self) -> Option<&Outcome> {
        self.visits.iter().map(|visit| &visit.outcome).find(|outcome| outcome.is_tls_trouble())
    }

    /// The one that says most about it: that mail is taken, or else why not.
    pub fn decisive(&self) -> Option<&Outcome> {
        let outcomes = || self.visits.iter().map(|visit| &visit.outcome);
        outcomes().find(|outcome| outcome.takes_mail() == Some(true)).or_else(|| outcomes().next())
    }
}

impl Outcome {
    /// Whether mail is taken, as far as that is told before a message begins; nothing when nobody knows. Where only TLS is
    /// not as is wished, it is: the MTA finds that out for itself, and keeps the mail.
    pub fn takes_mail(&self) -> Option<bool> {
        match self {
            Self::Fine { .. } | Self::NoTls(_) | Self::BrokenTls(_) | Self::WrongCertificate { .. } => {
                Some(true)
            }
            Self::Refused
            | Self::Unreachable(_)
            | Self::TimedOut(_)
            | Self::NotNow(_)
            | Self::No(_)
            | Self::NotSmtp(_)
            | Self::NoAddress(_) => Some(false),
            Self::Unresolved(_) => None,
        }
    }

    /// Whether TLS, and nothing else, is not as is wished.
    pub fn is_tls_trouble(&self) -> bool {
        self.takes_mail() == Some(true) && !matches!(self, Self::Fine { .. })
    }

    /// One word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Fine { .. } => "fine",
            Self::Refused => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) => "timed-out",
            Self::NotNow(_) => "not-now",
            Self::No(_) => "no",
            Self::NoTls(_) => "no-tls",
            Self::BrokenTls(_) => "broken-tls",
            Self::WrongCertificate { .. } => "wrong-certificate",
            Self::NotSmtp(_) => "not-smtp",
            Self::NoAddress(_) => "no-address",
            Self::Unresolved(_) => "unresolved",
        }
    }

    /// What to do about it; nothing where nothing has to be done.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Fine { .. } => return None,
            Self::Refused => {
                "see that it runs and listens at this port, and that no firewall refuses this machine"
            }
            Self::Unreachable(_) | Self::TimedOut(_) => {
                "see that it runs, and that nothing between this machine and it drops connections"
            }
            Self::NotNow(_) => "see its log; the MTA keeps the mail and tries again",
            Self::No(_) => "see its log, and whether it lets this machine in",
            Self::NoTls(_) => {
                "turn TLS on there; until then the MTA keeps the mail, or write `tls = \"may\"`"
            }
            Self::BrokenTls(_) => "see its log; TLS 1.2 or 1.3 is needed here, the MTA may know more",
            Self::WrongCertificate { fault: CertificateFault::Name, .. } => {
                "write the name that it has as `certificate`, if that is the right server; the MTA keeps the mail"
            }
            Self::WrongCertificate { fault: CertificateFault::Chain(_), .. } => {
                "renew it there, or add its authority to this system's and the MTA's; the MTA keeps the mail"
            }
            Self::NotSmtp(_) => "see that the port is the one for mail",
            Self::NoAddress(_) => "correct the name, or its records in DNS",
            Self::Unresolved(_) => "see that the name servers answer (`[dns] servers`, or /etc/resolv.conf)",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fine { tls, .. } => write!(f, "takes mail, {tls}"),
            Self::Refused => f.write_str("refuses connections"),
            Self::Unreachable(why) => write!(f, "cannot be reached: {why}"),
            Self::TimedOut(Step::Connect) => f.write_str("does not answer in time"),
            Self::TimedOut(step) => write!(f, "does not answer in time ({})", step.as_str()),
            Self::NotNow(Said { step, reply }) => {
                write!(f, "takes no mail now ({}): {reply}", step.as_str())
            }
            Self::No(Said { step, reply }) => write!(f, "takes no mail ({}): {reply}", step.as_str()),
            Self::NoTls(None) => f.write_str("does not offer TLS"),
            Self::NoTls(Some(reply)) => write!(f, "offers TLS and does not begin it: {reply}"),
            Self::BrokenTls(why) => write!(f, "TLS does not come about: {why}"),
            Self::WrongCertificate { fault: CertificateFault::Name, seen, wanted } => {
                write!(f, "has a certificate of {}, and {} is wanted", names(seen), alternatives(wanted))
            }
            Self::WrongCertificate { fault: CertificateFault::Chain(why), seen, .. } => {
                write!(f, "has a certificate of {} that is not trusted: {why}", names(seen))
            }
            Self::NotSmtp(why) => write!(f, "does not speak SMTP: {why}"),
            Self::NoAddress(why) | Self::Unresolved(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked { offered: true } => f.write_str("TLS offered"),
            Self::NotAsked { offered: false } => f.write_str("no TLS offered"),
            Self::Offered => f.write_str("TLS offered; TLSA records are the MTA's to check"),
            Self::Spoken(Spoken { version, names: seen, verified }) => {
                let what = if *verified { "the certificate of" } else { "any certificate does, here of" };
                write!(f, "{version}, {what} {}", names(seen))
            }
        }
    }
}

/// The first names of a certificate, and how many more there are.
fn names(all: &[String]) -> String {
    const SHOWN: usize = 3;
    match all {
        [] => "no host".to_owned(),
        all if all.len() <= SHOWN => all.join(", "),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
        [one] => one.clone(),
    }
}

fn alternatives(all: &[String]) -> String {
    match all {
        [] => "no name".to_owned(),
        all => all.join(" or "),
    }
}
