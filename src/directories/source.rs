// SPDX-License-Identifier: GPL-3.0-or-later
//! What a sync asks of a source, whatever kind it is.
//!
//! A source streams its objects into a [`Sink`] and says at the end how far it got. It checks no address and keeps nothing
//! but a [`Cookie`]. It is complete or it has failed: an `Ok` says that every page came, that the source ended by itself, and
//! that counts agree where the source counts. Where it cannot tell, that is an error.

use super::record::Record;
use std::fmt;
use std::time::Duration;

/// Where a source wants to go on the next time. Nobody else looks into it; it holds no secret.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Cookie(pub Box<str>);

/// Takes what a source has. Nothing is in force before the source has said that it is complete.
pub trait Sink: Send {
    /// An object. One with a key that came before takes the earlier one's place, unless it has a line: the rows of a table all
    /// count, also those that begin with the same address.
    fn record(&mut self, record: Record) -> Result<(), SinkError>;

    /// A member of a group, where the source tells of memberships one by one: the group's name or key, and the member's
    /// key or address.
    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError>;

    /// An object of this key is gone. Only among changes.
    fn removed(&mut self, key: &str) -> Result<(), SinkError>;

    /// Something that could not be read, and is passed over: counted, listed, and fatal above `max_invalid`. `place` says
    /// where (`line 17`, a key), `what` is the text, `why` what is wrong.
    fn invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError>;

    /// An object that is no recipient by what it is: a system mailbox, a kind that is not included. Counted.
    fn passed_over(&mut self) -> Result<(), SinkError>;
}

/// What a complete answer is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Complete {
    /// Whether the sink got everything.
    pub extent: Extent,
    /// Where to go on the next time; nothing where everything has to be asked again.
    pub cookie: Option<Cookie>,
    /// What an administrator should know, a sentence each.
    pub notes: Vec<String>,
}

/// How much an answer is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// All objects there are.
    Everything,
    /// What has changed since the cookie.
    Changes,
    /// Nothing has changed since the cookie, and the sink got nothing.
    Nothing,
}

/// One kind of source.
#[async_trait::async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    /// Asks for everything, or for what has changed since `since`. A source that cannot go on from there, because the
    /// cookie has expired, is another server's, or is of another question, gives [`SourceError::Resync`] and is asked for
    /// everything at once.
    ///
    /// It runs on a thread where waiting for a file is allowed. It is dropped where it waits when a sync is to end.
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError>;
}

/// Why a sync came to nothing. The last good snapshot stays in force.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nobody answers, or no more.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It answers, and does not let us in: password, certificate, rights.
    #[error("access refused: {0}")]
    Refused(String),
    /// What it says cannot be used, with the place where that is known: `staff.csv, line 17: ...`.
    #[error("{0}")]
    Wrong(String),
    /// It ended before everything was there.
    #[error("incomplete: {0}")]
    Incomplete(String),
    /// It asks to be left alone for a while.
    #[error("asks to be left alone for {} s", .0.as_secs())]
    Later(Duration),
    /// The cookie is of no use any more.
    #[error("changes can no longer be told; everything has to be asked for")]
    Resync,
    /// What came could not be taken.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Why a sink takes no more.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The disk refuses.
    #[error("cannot keep what comes: {0}")]
    Io(#[from] std::io::Error),
    /// More is invalid than `max_invalid` allows.
    #[error("{invalid} of {addresses} addresses are invalid, first {first}")]
    TooManyInvalid {
        /// How many are.
        invalid: u64,
        /// Of how many.
        addresses: u64,
        /// The first of them and what is wrong with it.
        first: String,
    },
    /// An object is larger than what is kept of one.
    #[error("an object is too large: {0}")]
    TooLarge(String),
    /// The sync was told to end.
    #[error("told to stop")]
    Stopped,
}
