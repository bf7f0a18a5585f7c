// SPDX-License-Identifier: GPL-3.0-or-later
//! What only the network can tell about one client: the questions that a decision needs answered first, and their answers.
//!
//! Policy says what is to be asked and never asks; the gate puts the questions, under a deadline. A question that was
//! not answered is [`Answer::Unknown`], and so is one that nobody put.

use super::{Answer, LiveName, Tokens};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Questions about one client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Questions {
    /// The client they are about.
    pub client: IpAddr,
    /// Names to be asked whether they pass it.
    pub live: Vec<LiveName>,
    /// Whether DNSBLs are asked about it.
    pub listings: bool,
    /// Whether its reverse name is asked for.
    pub reverse: bool,
}

/// What was answered, and what the gate itself knows of the client.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// For each live name whether it passes the client.
    pub live: Vec<(LiveName, Answer)>,
    /// What DNSBLs say; nothing when they were not asked.
    pub listings: Option<Listings>,
    /// The reverse name; nothing when it was not asked for.
    pub reverse: Option<ReverseName>,
    /// Whether many clients seem to hide behind the client's address.
    pub hidden: bool,
    /// What the scan tokens of the message are worth.
    pub tokens: Tokens,
}

impl Answers {
    /// What a live name says of the client.
    pub fn live(&self, name: &LiveName) -> Answer {
        let found = self.live.iter().find(|(asked, _)| asked == name);
        found.map_or(Answer::Unknown, |(_, answer)| *answer)
    }

    /// Whether a live name has been asked about the client, even if it gave no answer.
    pub(super) fn knows(&self, name: &LiveName) -> bool {
        self.live.iter().any(|(asked, _)| asked == name)
    }
}

/// What DNSBLs say of an address.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listings {
    /// The zones that list it.
    pub listed: Vec<Listing>,
    /// The sum of the weights of zones that are in use and gave no answer.
    pub unanswered: u32,
}

/// One zone that lists an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing {
    /// The zone.
    pub zone: Arc<str>,
    /// What it counts.
    pub weight: u32,
    /// Its answer (RFC 5782 2.1: in 127.0.0.0/8).
    pub code: Ipv4Addr,
}

/// The name that an address points to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReverseName {
    /// A name that points back.
    Confirmed(Box<str>),
    /// A name that does not.
    Unconfirmed(Box<str>),
    /// No name.
    Missing,
    /// Nobody could tell.
    Unknown,
}
