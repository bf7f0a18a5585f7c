// SPDX-License-Identifier: GPL-3.0-or-later
//! The facts of an SMTP session and of one message in it, as a door fills them in.

use super::{Client, HeaderFacts, QueueId, ReversePath};

/// What holds for a whole session.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The client.
    pub client: Client,
    /// What it said in HELO or EHLO, verbatim.
    pub helo: Option<Box<[u8]>>,
    /// The MTA's own host name.
    pub mta_name: Option<Box<str>>,
}

/// What holds for one message; it begins with MAIL.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The envelope sender.
    pub sender: Option<ReversePath>,
    /// The MTA's queue id. Postfix has none before the first recipient is accepted.
    pub queue_id: Option<QueueId>,
    /// What its headers told.
    pub headers: HeaderFacts,
}
