// SPDX-License-Identifier: GPL-3.0-or-later
//! What Postfix is told to do, as one `action=` line and an empty line (access(5), SMTPD_POLICY_README).
//!
//! A refusal is `CODE ENHANCED TEXT (ref REFERENCE)`; Postfix puts `<ADDRESS>: Recipient address rejected: ` before the text.
//! `421` and `521` would end the whole SMTP session, and [`Reply`] holds neither. `DUNNO` lets the restrictions after
//! this one speak; `OK` would silence them and is never sent. Texts have no line end in them: [`Reply`] and
//! [`Reason`] hold nothing but printable ASCII.

use crate::gate::Reference;
use crate::mail::{Reply, TAG_HEADER, header_value};
use crate::policy::Reason;
use std::io::Write;

/// What Postfix is told to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Nothing: the next restriction decides.
    Dunno,
    /// Refuse the recipient, or the message.
    Refuse(Reply, Reference),
    /// Add a header line that says why the message was noticed.
    Tag(Reason),
    /// Hold the whole message.
    Hold(Reason, Reference),
    /// Accept the whole message and deliver it to nobody.
    Discard(Reason, Reference),
}

impl Action {
    /// Writes it.
    pub(super) fn put(&self, octets: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = match self {
            Self::Dunno => octets.write_all(b"action=DUNNO\n\n"),
            Self::Refuse(reply, reference) => {
                let (code, enhanced, text) = (reply.code(), reply.enhanced(), reply.text());
                write!(octets, "action={code} {enhanced} {text} (ref {reference})\n\n")
            }
            Self::Tag(reason) => {
                write!(octets, "action=PREPEND {TAG_HEADER}: {}\n\n", header_value(reason.as_str()))
            }
            Self::Hold(reason, reference) => write!(octets, "action=HOLD {reason} (ref {reference})\n\n"),
            Self::Discard(reason, reference) => {
                write!(octets, "action=DISCARD {reason} (ref {reference})\n\n")
            }
        };
    }

    /// What is answered when the same is asked again. What is for the whole message is done once.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Refuse(..) => self.clone(),
            Self::Dunno | Self::Tag(_) | Self::Hold(..) | Self::Discard(..) => Self::Dunno,
        }
    }
}
