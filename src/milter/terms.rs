// SPDX-License-Identifier: GPL-3.0-or-later
//! What an MTA and Postern agree on when a session begins: which packets come, which are answered, which edits may be made.
//!
//! Postern asks for as little as the policy needs, and everything is masked with what the MTA offers: an MTA that does
//! not know a flag sends the packet and gets its answer, which is slower and just as right.
//!
//! One negotiation serves TCP and unix sockets alike: the envelope and the headers come unanswered, RCPT and the end of
//! the message are answered, and with the negotiation that is three round trips a message. Measured through real Postfix
//! and Sendmail (`benches/postfix.sh`), no other choice is quicker once acknowledgements do not wait (see
//! `listen::Stream`); without that, an unanswered DATA would cost 40 ms a message over TCP.

use indymilter::message::command::{CommandKind, OptNegPayload};
use indymilter::message::reply::ReplyKind;
use indymilter::message::{Message, PROTOCOL_VERSION, Version};
use indymilter::{Actions, MacroStage, ProtoOpts};
use std::ffi::CStr;

use crate::policy::{Policy, Verdict};
use bytes::{BufMut, BytesMut};

/// The lowest protocol version there is a use for; libmilter draws the line at the same place.
const LOWEST_VERSION: Version = 2;

/// A macro that no MTA defines: asking for it keeps an MTA from sending its default list.
const NONE: &CStr = c"{postern_none}";
/// What tells of a client's certificate, in Sendmail and in Postfix.
const CERTIFICATE: &CStr = c"{verify} {cn_subject} {cert_subject}";

/// Macros asked for at each stage, by whether a client's certificate matters, and which MTA it is.
fn macros(certificate: bool, steering: bool) -> [(MacroStage, &'static CStr); 7] {
    [
        (MacroStage::Connect, if steering { c"j v" } else { c"j" }),
        (MacroStage::Helo, if certificate { CERTIFICATE } else { NONE }),
        (MacroStage::Mail, c"i {auth_type} {auth_authen}"),
        (MacroStage::Rcpt, c"i {rcpt_addr}"),
        (MacroStage::Data, NONE),
        (MacroStage::Eoh, NONE),
        (MacroStage::Eom, c"i"),
    ]
}

/// What a policy needs of an MTA.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // Each is a thing of its own to ask an MTA for.
pub struct Needs {
    /// Header lines are looked at, so that the loop token is added, and forged lines and those of gateways are removed.
    pub headers: bool,
    /// What the MTA thinks of the client's certificate is looked at.
    pub certificate: bool,
    /// A header line may be added to a tagged message.
    pub tag: bool,
    /// A message may be held.
    pub quarantine: bool,
    /// A recipient may be removed.
    pub discard: bool,
    /// A message may be sent to a scanner.
    pub scan: bool,
}

impl Needs {
    /// What this policy can come to ask for.
    pub fn of(policy: &Policy) -> Self {
        Self {
            headers: policy.needs_headers(),
            certificate: policy.needs_certificate(),
            tag: policy.can_ask(Verdict::Tag),
            quarantine: policy.can_ask(Verdict::Quarantine),
            discard: policy.can_ask(Verdict::Discard),
            scan: policy.scans(),
        }
    }

    fn actions(self) -> Actions {
        let mut actions = Actions::REQUEST_MACROS;
        actions.set(Actions::ADD_HEADER, self.headers || self.tag || self.scan);
        actions.set(Actions::CHANGE_HEADER, self.headers || self.scan);
        actions.set(Actions::QUARANTINE, self.quarantine);
        actions.set(Actions::DELETE_RCPT, self.discard || self.scan);
        actions.set(Actions::ADD_RCPT, self.scan);
        actions
    }

    fn options(self) -> ProtoOpts {
        let mut options = ProtoOpts::NO_BODY
            | ProtoOpts::NO_UNKNOWN
            | ProtoOpts::NOREPLY_UNKNOWN
            | ProtoOpts::NOREPLY_CONNECT
            | ProtoOpts::NOREPLY_HELO
            | ProtoOpts::NOREPLY_MAIL
            | ProtoOpts::NOREPLY_DATA
            | ProtoOpts::NOREPLY_HEADER
            | ProtoOpts::NOREPLY_EOH
            | ProtoOpts::SKIP;
        // End of headers is always taken with the headers: an MTA that has neither to send loses its way (a message
        // without headers would have no packet between DATA and its end).
        options.set(ProtoOpts::NO_HEADER | ProtoOpts::NO_EOH, !self.headers);
        options
    }
}

/// What was agreed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    version: Version,
    actions: Actions,
    options: ProtoOpts,
    certificate: bool,
    steering: bool,
}

impl Terms {
    /// Agrees with what an MTA offers; nothing when its protocol is older than any that is spoken today.
    pub fn agree(offer: &OptNegPayload, needs: Needs) -> Option<Self> {
        if offer.version < LOWEST_VERSION {
            return None;
        }
        let mut options = needs.options() & offer.opts;
        // `SKIP` is of use only where the body cannot be declined.
        options
            .set(ProtoOpts::SKIP, options.contains(ProtoOpts::SKIP) && !options.contains(ProtoOpts::NO_BODY));
        Some(Self {
            version: offer.version.min(PROTOCOL_VERSION),
            actions: needs.actions() & offer.actions,
            options,
            certificate: needs.certificate,
            steering: needs.scan,
        })
    }

    /// The packet that tells the MTA: version, actions, options, and for each stage its number and the macros wanted.
    pub(super) fn to_message(&self) -> Message {
        let mut payload = BytesMut::with_capacity(160);
        payload.put_u32(self.version);
        payload.put_u32(self.actions.bits());
        payload.put_u32(self.options.bits());
        if self.actions.contains(Actions::REQUEST_MACROS) {
            for (stage, names) in macros(self.certificate, self.steering) {
                payload.put_i32(stage.into());
                payload.put_slice(names.to_bytes_with_nul());
            }
        }
        Message::new(ReplyKind::OptNeg, payload)
    }

    /// Whether an edit may be made. One that was not agreed on would be carried out by Postfix and Sendmail all the
    /// same; the mask is ours to keep.
    pub fn allows(&self, action: Actions) -> bool {
        self.actions.contains(action)
    }

    /// Whether the MTA waits for an answer to this command. Answering where it does not would be read as the answer
    /// to a later command.
    pub fn wants_answer(&self, kind: CommandKind) -> bool {
        let silent = match kind {
            CommandKind::ConnInfo => ProtoOpts::NOREPLY_CONNECT,
            CommandKind::Helo => ProtoOpts::NOREPLY_HELO,
            CommandKind::Mail => ProtoOpts::NOREPLY_MAIL,
            CommandKind::Rcpt => ProtoOpts::NOREPLY_RCPT,
            CommandKind::Data => ProtoOpts::NOREPLY_DATA,
            CommandKind::Header => ProtoOpts::NOREPLY_HEADER,
            CommandKind::Eoh => ProtoOpts::NOREPLY_EOH,
            CommandKind::BodyChunk => ProtoOpts::NOREPLY_BODY,
            CommandKind::Unknown => ProtoOpts::NOREPLY_UNKNOWN,
            CommandKind::BodyEnd => return true,
            CommandKind::OptNeg
            | CommandKind::DefMacros
            | CommandKind::Abort
            | CommandKind::Quit
            | CommandKind::QuitNc => return false,
        };
        !self.options.contains(silent)
    }

    /// Whether the rest of a body can be declined once it has begun.
    pub fn can_skip(&self) -> bool {
        self.options.contains(ProtoOpts::SKIP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(version: Version, actions: u32, options: u32) -> OptNegPayload {
        OptNegPayload {
            version,
            actions: Actions::from_bits_retain(actions),
            opts: ProtoOpts::from_bits_retain(options),
        }
    }

    const ALL: Needs =
        Needs { headers: true, certificate: true, tag: true, quarantine: true, discard: true, scan: true };

    #[test]
    fn a_full_offer_leaves_rcpt_and_end_of_message_to_answer() {
        use CommandKind::{BodyChunk, BodyEnd, ConnInfo, Data, Eoh, Header, Helo, Mail, Rcpt, Unknown};
        let terms = Terms::agree(&offer(6, 0x1ff, 0x1f_ffff), ALL).unwrap();
        for kind in [ConnInfo, Helo, Mail, Data, Header, Eoh, Unknown] {
            assert!(!terms.wants_answer(kind), "{kind:?}");
        }
        for kind in [Rcpt, BodyEnd, BodyChunk] {
            assert!(terms.wants_answer(kind), "{kind:?}");
        }
        assert!(!terms.can_skip());
        assert_eq!(terms.actions.bits(), 0x1 | 0x4 | 0x8 | 0x10 | 0x20 | 0x100);
        assert_eq!(terms.options.bits() & 0x70, 0x10, "body declined, headers and their end taken");
    }

    #[test]
    fn the_codec_reads_what_is_told() {
        use indymilter::message::reply::Reply;
        let terms = Terms::agree(&offer(6, 0x1ff, 0x1f_ffff), ALL).unwrap();
        let macros = macros(true, true).into_iter().map(|(stage, names)| (stage, names.to_owned())).collect();
        let want = Reply::OptNeg { version: 6, actions: terms.actions, opts: terms.options, macros };
        assert_eq!(Reply::parse_reply(terms.to_message()), Ok(want));
        let plain = Terms::agree(&offer(6, 0xff, 0x1f_ffff), ALL).unwrap();
        assert_eq!(plain.to_message().buffer.len(), 12);
    }

    #[test]
    fn what_is_not_needed_is_not_asked_for() {
        let terms = Terms::agree(&offer(6, 0x1ff, 0x1f_ffff), Needs::default()).unwrap();
        assert_eq!(terms.actions.bits(), 0x100);
        assert_eq!(terms.options.bits() & 0x70, 0x70);
    }

    #[test]
    fn an_old_mta_gets_every_answer_and_no_unknown_flag() {
        for (version, actions, options) in [(2, 0xf, 0x3f), (2, 0, 0), (3, 0x3f, 0x7f), (4, 0x3f, 0x37f)] {
            let terms = Terms::agree(&offer(version, actions, options), ALL).unwrap();
            assert_eq!(terms.version, version);
            assert_eq!(terms.actions.bits() & !actions, 0);
            assert_eq!(terms.options.bits() & !options, 0);
            assert!(terms.wants_answer(CommandKind::Mail) && terms.wants_answer(CommandKind::Header));
        }
        assert_eq!(Terms::agree(&offer(9, 0x1ff, 0x1f_ffff), ALL).unwrap().version, 6);
        assert_eq!(Terms::agree(&offer(1, 0, 0), ALL), None);
        let bodied = Terms::agree(&offer(6, 0x1ff, 0x400), ALL).unwrap();
        assert!(bodied.can_skip());
    }
}
