// SPDX-License-Identifier: GPL-3.0-or-later
//! The door for Postfix's policy delegation (SMTPD_POLICY_README): Postfix tells of a client and a recipient, and is told
//! what to do with it.
//!
//! Its parts, in the order in which a request meets them: `connection` reads under caps and deadlines; `request` is the wire
//! format; `facts` turns attributes into mail's own types; `session` says what is answered; `transactions` are the messages
//! under way; `listeners` are those that can be told to discard; `answer` writes actions.
//!
//! Headers are never seen here: loops, header lines of gateways and who is behind one are the milter's. Without a milter
//! a gateway that is known by its header line cannot be told, and its mail is deferred.

mod answer;
mod connection;
mod facts;
mod listeners;
mod request;
mod session;
mod transactions;

pub use answer::Action;
pub use connection::{DECISION_LIMIT, FIRST_LIMIT, IDLE_LIMIT, REQUEST_LIMIT, WRITE_LIMIT, serve};
pub use request::{Garbage, MAX_REQUEST, Request, State, first};
pub use session::Session;

use listeners::Listeners;
use std::sync::atomic::AtomicBool;
use transactions::Transactions;

/// How the door is set.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether what is for a whole message is carried out here, because the milter never sees it.
    pub alone: bool,
}

/// What the connections of the door share.
#[derive(Debug, Default)]
pub struct Shared {
    transactions: Transactions,
    listeners: Listeners,
    /// Whether it was said that the MTA tells digests that are of no use.
    told_of_digest: AtomicBool,
}
