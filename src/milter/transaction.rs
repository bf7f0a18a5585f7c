// SPDX-License-Identifier: GPL-3.0-or-later
//! One message under way: its facts, the recipients that were accepted, and what their verdicts come to at its end.
//!
//! Holding a message holds it for everyone, so recipients that would be held and recipients that would not cannot
//! share it: the first accepted one decides, the others get 452 4.5.3 and come again. Discarding removes its recipients
//! alone. Tags and the loop token are lines on the whole message.

use super::answer;
use super::removal;
use super::terms::Terms;
use crate::gate::{Reference, Ruling};
use crate::mail::{
    EnhancedCode, LOOP_HEADER, Message, Recipient, Reply, ReplyClass, ReplyText, TAG_HEADER, header_value,
};
use crate::policy::{Decision, LoopRule, Mode, Reason, Replies, Verdict};
use indymilter::Actions;
use indymilter::message::Message as Packet;
use indymilter::message::reply::ReplyKind;

/// Recipients remembered for one message; ten times what Postfix takes by default (`smtpd_recipient_limit`).
const MAX_RECIPIENTS: usize = 10_000;

/// One message.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// What is known of it.
    pub(super) facts: Message,
    accepted: Vec<Accepted>,
    /// Whether the message will be held, once a recipient has decided it.
    held: Option<bool>,
}

#[derive(Debug)]
struct Accepted {
    ruling: Ruling,
    /// How to name the recipient when it is to be removed.
    spellings: Vec<Box<[u8]>>,
}

/// What is answered to one recipient.
#[derive(Debug)]
pub(super) enum Admitted {
    /// It stays.
    Yes,
    /// It is refused by its verdict.
    Refused(Reply, Reference),
    /// It would need another fate than the message has; it can come again on its own.
    Parted(Reply, Reference),
}

impl Transaction {
    /// A message from this sender.
    pub(super) fn begin(facts: Message) -> Self {
        Self { facts, ..Self::default() }
    }

    /// Takes a recipient in, if its verdict lets it and the message can be treated as it asks.
    pub(super) fn admit(&mut self, recipient: &Recipient, ruling: Ruling, terms: &Terms) -> Admitted {
        if let Some(reply) = &ruling.decision.reply {
            return Admitted::Refused(reply.clone(), ruling.reference);
        }
        if self.accepted.len() >= MAX_RECIPIENTS {
            return Admitted::Parted(too_many(), ruling.reference);
        }
        let mut spellings = Vec::new();
        match ruling.decision.applied {
            Verdict::Discard => match removal::spellings(recipient) {
                Some(found) if terms.allows(Actions::DELETE_RCPT) => spellings = found,
                _ => return cannot_carry_out(&ruling),
            },
            Verdict::Quarantine if !terms.allows(Actions::QUARANTINE) => return cannot_carry_out(&ruling),
            applied @ (Verdict::Accept | Verdict::Tag | Verdict::Quarantine) => {
                let held = applied == Verdict::Quarantine;
                if *self.held.get_or_insert(held) != held {
                    return Admitted::Parted(parted(), ruling.reference);
                }
            }
            // These have a reply and were refused above.
            Verdict::Defer | Verdict::Reject => return cannot_carry_out(&ruling),
        }
        self.accepted.push(Accepted { ruling, spellings });
        Admitted::Yes
    }

    /// The decisions about those recipients that the message will be delivered to or held for.
    pub(super) fn decisions(&self) -> Vec<&Decision> {
        self.accepted.iter().map(|a| &a.ruling.decision).filter(|d| d.applied != Verdict::Discard).collect()
    }

    /// What the MTA is told at the end of the message: edits, then the answer.
    pub(super) fn finish(&self, by_headers: Option<&Ruling>, loops: &LoopRule, terms: &Terms) -> Vec<Packet> {
        if let Some(ruling) = by_headers {
            if let Some(reply) = &ruling.decision.reply {
                return vec![answer::refusal(reply, ruling.reference)];
            }
            match ruling.decision.applied {
                Verdict::Discard => return vec![answer::plain(ReplyKind::Discard)],
                Verdict::Quarantine if !terms.allows(Actions::QUARANTINE) => {
                    return match cannot_carry_out(ruling) {
                        Admitted::Refused(reply, reference) | Admitted::Parted(reply, reference) => {
                            vec![answer::refusal(&reply, reference)]
                        }
                        Admitted::Yes => vec![answer::plain(ReplyKind::Tempfail)],
                    };
                }
                Verdict::Accept | Verdict::Tag | Verdict::Quarantine | Verdict::Defer | Verdict::Reject => {}
            }
        }
        let staying = self.decisions();
        if staying.is_empty() && !self.accepted.is_empty() {
            return vec![answer::plain(ReplyKind::Discard)];
        }
        let mut packets = Vec::new();
        self.edit_headers(&staying, by_headers, loops, terms, &mut packets);
        for spelling in self.accepted.iter().flat_map(|accepted| &accepted.spellings) {
            packets.push(answer::delete_recipient(spelling));
        }
        if let Some(ruling) =
            self.holding().or(by_headers.filter(|r| r.decision.applied == Verdict::Quarantine))
        {
            packets
                .push(answer::quarantine(&format!("{} (ref {})", ruling.decision.reason, ruling.reference)));
        }
        packets.push(answer::plain(ReplyKind::Continue));
        packets
    }

    fn edit_headers(
        &self,
        staying: &[&Decision],
        by_headers: Option<&Ruling>,
        loops: &LoopRule,
        terms: &Terms,
        packets: &mut Vec<Packet>,
    ) {
        let looked_at =
            staying.iter().any(|d| d.domain.as_ref().is_some_and(|domain| domain.mode > Mode::Inactive));
        let internal = staying.iter().any(|d| d.reason == Reason::Internal);
        // Forged lines go first: what is added afterwards is ours.
        if looked_at && !internal && terms.allows(Actions::CHANGE_HEADER) {
            packets.extend(
                self.facts.headers.forged().map(|line| answer::remove_header(&line.name, line.index)),
            );
        }
        if !terms.allows(Actions::ADD_HEADER) {
            return;
        }
        if looked_at && loops.max_passes > 0 {
            packets.push(answer::add_header(LOOP_HEADER, &loops.id));
        }
        let mut tagged: Vec<Reason> = Vec::new();
        for decision in staying.iter().copied().chain(by_headers.map(|ruling| &ruling.decision)) {
            if decision.applied == Verdict::Tag && !tagged.contains(&decision.reason) {
                tagged.push(decision.reason);
                packets.push(answer::add_header(TAG_HEADER, &header_value(decision.reason.as_str())));
            }
        }
    }

    fn holding(&self) -> Option<&Ruling> {
        self.accepted.iter().map(|a| &a.ruling).find(|r| r.decision.applied == Verdict::Quarantine)
    }
}

/// The MTA does not offer what the verdict takes. Passing the message would be wrong and refusing it for good too.
fn cannot_carry_out(ruling: &Ruling) -> Admitted {
    tracing::warn!(applied = %ruling.decision.applied, r#ref = %ruling.reference, "the MTA cannot carry out this verdict; deferred");
    let standard = Replies::default();
    let replies = ruling.decision.domain.as_ref().map_or(&standard, |domain| &domain.replies);
    match replies.reply(Reason::NotReady, Verdict::Defer) {
        Some(reply) => Admitted::Refused(reply.clone(), ruling.reference),
        None => Admitted::Refused(parted(), ruling.reference),
    }
}

/// 452 4.5.3: too many recipients, come again with the rest (RFC 5321 4.5.3.1.10, RFC 3463).
fn come_again(text: &str) -> Reply {
    let enhanced = EnhancedCode::new(ReplyClass::Transient, 5, 3);
    #[allow(clippy::expect_used)] // The texts are the two below; a test builds both.
    ReplyText::parse(text).and_then(|text| Reply::new(452, enhanced, text)).expect("a constant reply")
}

fn parted() -> Reply {
    come_again("This recipient's mail is handled differently. Send it again in a message of its own")
}

fn too_many() -> Reply {
    come_again("Too many recipients. Send the rest again in another message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_replies_are_replies() {
        for reply in [parted(), too_many()] {
            assert!(reply.to_string().starts_with("452 4.5.3 "));
        }
    }
}
