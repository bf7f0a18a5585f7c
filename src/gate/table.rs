// SPDX-License-Identifier: GPL-3.0-or-later
//! The tables that MTAs look up, and what a look-up can come to, as they are counted.

/// A table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Table {
    /// Who exists.
    Recipient,
    /// Where mail goes, as Postfix writes it.
    Transport,
    /// Where mail goes, as Sendmail writes it.
    Mailertable,
    /// Which domains are ours.
    Domain,
    /// Which clients are known, for an MTA that can wait for the network.
    Access,
    /// Which clients are known, for one that cannot.
    Postscreen,
    /// What a connection to a server must be.
    Tls,
    /// One of another name: there is none.
    Unknown,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Recipient,
        Self::Transport,
        Self::Mailertable,
        Self::Domain,
        Self::Access,
        Self::Postscreen,
        Self::Tls,
        Self::Unknown,
    ];

    /// The name that it is asked for by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Transport => "transport",
            Self::Mailertable => "mailertable",
            Self::Domain => "domain",
            Self::Access => "access",
            Self::Postscreen => "postscreen",
            Self::Tls => "tls",
            Self::Unknown => "unknown",
        }
    }
}

/// What a look-up came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A value.
    Found,
    /// There is none.
    NotFound,
    /// It cannot be told now.
    Temporary,
    /// It can never be told.
    Permanent,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Found, Self::NotFound, Self::Temporary, Self::Permanent];

    /// The word used in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not-found",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
        }
    }
}
