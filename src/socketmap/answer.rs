// SPDX-License-Identifier: GPL-3.0-or-later
//! What a look-up comes to, and why.

use super::netstring;
use crate::gate::Outcome;
use crate::policy::{DomainPolicy, Mode, Policy, Recipients, Rule};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What goes back to the MTA.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// This value; never empty, which Postfix takes for a fault.
    Found(Cow<'static, str>),
    /// There is no value.
    NotFound,
    /// It cannot be told now, for this reason.
    Temp(&'static str),
    /// It can never be told, for this reason.
    Perm(&'static str),
}

impl Answer {
    /// As it is counted.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Found(_) => Outcome::Found,
            Self::NotFound => Outcome::NotFound,
            Self::Temp(_) => Outcome::Temporary,
            Self::Perm(_) => Outcome::Permanent,
        }
    }

    /// Writes it as a netstring. There is always a blank behind the first word: Sendmail dies of an `OK` without one.
    pub fn put(&self, octets: &mut Vec<u8>) {
        let (word, text): (&str, &str) = match self {
            Self::Found(value) if value.len() > netstring::MAX_VALUE => ("TEMP", "the value is too long"),
            Self::Found(value) => ("OK", value),
            Self::NotFound => ("NOTFOUND", ""),
            Self::Temp(why) => ("TEMP", why),
            Self::Perm(why) => ("PERM", why),
        };
        netstring::put(&[word, " ", text], octets);
    }
}

/// An answer, with what gave it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The answer.
    pub answer: Answer,
    /// What gave it.
    pub why: Why,
}

impl Found {
    pub(super) fn new(answer: Answer, why: Why) -> Self {
        Self { answer, why }
    }
}

/// What gave an answer. It is put into words for the log alone.
#[derive(Clone, Debug)]
pub enum Why {
    /// There is no table of this name.
    NoTable,
    /// The request is a name alone.
    NoKey,
    /// The key is nothing that is looked for here.
    NoSuchKey,
    /// The key is no client's address: a name, which is never believed.
    NoAddress,
    /// The domain is not listed.
    Unlisted,
    /// The domain is listed, in this mode.
    Listed(Arc<DomainPolicy>),
    /// Whether the recipient exists, and what its domain makes of it.
    Recipient(Rule, Arc<DomainPolicy>),
    /// Not everyone in the domain exists, or nobody is known to.
    NotWhole(Arc<DomainPolicy>),
    /// Where its mail goes, in a domain of this mode.
    Route(Rule, Mode),
    /// Not all of the domain's mail goes to one place.
    Mixed,
    /// A rule names a server that is not there.
    NoServer,
    /// The client is internal, or a gateway, or may be one.
    Client(Rule),
    /// The client is neither.
    Stranger,
    /// The next hop is this server's.
    Hop(Arc<str>),
    /// The next hop is no server's.
    NoHop,
}

impl Why {
    /// In words; `policy` is the one that gave the answer.
    pub fn told<'a>(&'a self, policy: &'a Policy) -> impl fmt::Display + 'a {
        Told { why: self, policy }
    }
}

struct Told<'a> {
    why: &'a Why,
    policy: &'a Policy,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::NoTable => f.write_str("there is no table of this name"),
            Why::NoKey => f.write_str("the request has no key"),
            Why::NoSuchKey => f.write_str("the key is nothing that this table has"),
            Why::NoAddress => f.write_str("the key is no client's address"),
            Why::Unlisted => f.write_str("the domain is not listed"),
            Why::Listed(domain) => write!(f, "listed as {}, mode {}", domain.pattern, domain.mode),
            Why::Recipient(rule, domain) => {
                write!(f, "{rule}; domain {}, mode {}", domain.pattern, domain.mode)?;
                self.directories(domain, f)
            }
            Why::NotWhole(domain) => {
                write!(f, "not everyone is known to exist; domain {}", domain.pattern)?;
                self.directories(domain, f)
            }
            Why::Route(rule, mode) => write!(f, "{rule}; mode {mode}"),
            Why::Mixed => f.write_str("not all of the domain's mail goes to one server"),
            Why::NoServer => f.write_str("a rule names a server that is not there"),
            Why::Client(rule) => write!(f, "{rule}"),
            Why::Stranger => f.write_str("the client is in no network of a gateway, and not internal"),
            Why::Hop(server) => write!(f, "a host of server {server}"),
            Why::NoHop => f.write_str("no server has this host"),
        }
    }
}

impl Told<'_> {
    /// The directories that were asked, and how many addresses and whole domains each has.
    fn directories(&self, domain: &DomainPolicy, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in domain.directories.iter().chain(&domain.recipients.learned) {
            let Some(directory) = self.policy.directories().find(*id) else { continue };
            write!(f, "; directory {}: ", directory.name)?;
            match directory.recipients.as_deref() {
                None => f.write_str("not loaded")?,
                Some(Recipients { mailboxes, .. }) => {
                    let whole = mailboxes.whole_domains().len();
                    write!(f, "{} addresses, {whole} whole domains", mailboxes.fingerprints().len())?;
                }
            }
            if directory.overdue {
                f.write_str(", overdue")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_written() {
        for (answer, want) in [
            (Answer::Found("smtp:[a]".into()), "11:OK smtp:[a],"),
            (Answer::NotFound, "9:NOTFOUND ,"),
            (Answer::Temp("not loaded"), "15:TEMP not loaded,"),
            (Answer::Perm("no"), "7:PERM no,"),
            (Answer::Found("x".repeat(100_000).into()), "26:TEMP the value is too long,"),
        ] {
            let mut octets = Vec::new();
            answer.put(&mut octets);
            assert_eq!(String::from_utf8(octets).unwrap(), want);
        }
        let mut longest = Vec::new();
        Answer::Found("x".repeat(netstring::MAX_VALUE).into()).put(&mut longest);
        // socketmap_table(5): at most 100,000 octets, length and comma apart.
        assert!(longest.starts_with(b"100000:OK x"));
    }
}
