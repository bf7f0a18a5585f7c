// SPDX-License-Identifier: GPL-3.0-or-later
//! One message under way: its facts, the recipients that were accepted, and what its end is in packets.
//!
//! Who can share a message and what its end comes to are policy's to say (`Sharing`, `ending`); what the MTA did not
//! offer to carry out is deferred here.

use super::answer;
use super::removal;
use super::steering::{self, Mta};
use super::terms::Terms;
use crate::gate::{Judge, Reference, Ruling};
use crate::mail::{
    LOOP_HEADER, Message, Recipient, Reply, SCAN_HEADER, TAG_HEADER, VIA_HEADER, header_value,
};
use crate::policy::{
    Decision, Ending, Marks, Policy, Reason, Replies, Sharing, Verdict, ending, parted, too_many,
};
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
    sharing: Sharing,
    /// Whether a recipient has come, accepted or not.
    has_recipient: bool,
}

#[derive(Debug)]
struct Accepted {
    ruling: Ruling,
    /// How to name the recipient when it is to be removed, because it is discarded or goes another way.
    spellings: Vec<Box<[u8]>>,
    /// Its address, where it may be sent another way.
    address: Box<[u8]>,
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

    /// Whether the recipient that is about to be decided about is the first.
    pub(super) fn is_first(&mut self) -> bool {
        !std::mem::replace(&mut self.has_recipient, true)
    }

    /// Takes a recipient in, if its verdict lets it and the message can be treated as it asks.
    pub(super) fn admit(
        &mut self,
        recipient: &Recipient,
        ruling: Ruling,
        (terms, mta): (&Terms, Mta),
    ) -> Admitted {
        if let Some(reply) = &ruling.decision.reply {
            return Admitted::Refused(reply.clone(), ruling.reference);
        }
        if self.accepted.len() >= MAX_RECIPIENTS {
            return Admitted::Parted(too_many(), ruling.reference);
        }
        let (mut spellings, mut address) = (Vec::new(), Box::default());
        match ruling.decision.applied {
            Verdict::Discard => match removal::spellings(recipient) {
                Some(found) if terms.allows(Actions::DELETE_RCPT) => spellings = found,
                _ => return cannot_carry_out(&ruling),
            },
            Verdict::Quarantine if !terms.allows(Actions::QUARANTINE) => return cannot_carry_out(&ruling),
            Verdict::Accept | Verdict::Tag | Verdict::Quarantine => {}
            // These have a reply and were refused above.
            Verdict::Defer | Verdict::Reject => return cannot_carry_out(&ruling),
        }
        if ruling.decision.scanner().is_some() {
            let Some(found) = mta.steers(recipient, terms) else { return cannot_carry_out(&ruling) };
            (spellings, address) = found;
        }
        if !self.sharing.takes(&ruling.decision, mta.steering()) {
            return Admitted::Parted(parted(), ruling.reference);
        }
        self.accepted.push(Accepted { ruling, spellings, address });
        Admitted::Yes
    }

    /// The decisions about the accepted recipients.
    pub(super) fn decisions(&self) -> Vec<&Decision> {
        self.accepted.iter().map(|accepted| &accepted.ruling.decision).collect()
    }

    /// What the MTA is told at the end of the message: edits, then the answer.
    pub(super) fn finish(
        &self,
        by_headers: Option<&Ruling>,
        policy: &Policy,
        (terms, mta): (&Terms, Mta),
        judge: &impl Judge,
    ) -> Vec<Packet> {
        let rulings = self.accepted.iter().map(|accepted| &accepted.ruling);
        let marks = match ending(policy, rulings, by_headers) {
            Ending::Refused(ruling) => return vec![refused(ruling)],
            Ending::Discarded => return vec![answer::plain(ReplyKind::Discard)],
            Ending::Passed(marks) => marks,
        };
        if let Some(ruling) = marks.hold
            && !terms.allows(Actions::QUARANTINE)
        {
            return not_now(Some(ruling));
        }
        let mut packets = Vec::new();
        self.edit_headers(&marks, &policy.loops().id, terms, &mut packets);
        let discarded = |accepted: &&Accepted| accepted.ruling.decision.applied == Verdict::Discard;
        for spelling in self.accepted.iter().filter(discarded).flat_map(|accepted| &accepted.spellings) {
            packets.push(answer::delete_recipient(spelling));
        }
        if marks.away {
            let Some(tokens) = judge.sign(&self.decisions()) else { return not_now(by_headers) };
            packets.extend(tokens.iter().map(|token| answer::add_header(SCAN_HEADER, token)));
            self.steer(policy, mta, &mut packets);
        }
        // Last of all, when nothing can go wrong any more.
        if !judge.spend(marks.spent) {
            return not_now(by_headers);
        }
        if let Some(ruling) = marks.hold {
            packets
                .push(answer::quarantine(&format!("{} (ref {})", ruling.decision.reason, ruling.reference)));
        }
        packets.push(answer::plain(ReplyKind::Continue));
        packets
    }

    /// Brings the message to the scanner, for those recipients whose mail is scanned.
    fn steer(&self, policy: &Policy, mta: Mta, packets: &mut Vec<Packet>) {
        let scanned = self.accepted.iter().filter_map(|accepted| {
            let server = policy.servers().find(accepted.ruling.decision.scanner()?)?;
            Some((accepted, server))
        });
        for (accepted, server) in scanned {
            match mta {
                // All of them have the same: nobody else shares the message.
                Mta::Postfix => return packets.push(answer::add_header(VIA_HEADER, &steering::via(server))),
                Mta::Sendmail => {
                    let removals =
                        accepted.spellings.iter().map(|spelling| answer::delete_recipient(spelling));
                    packets.extend(removals);
                    packets.push(answer::add_recipient(&steering::rerouted(&accepted.address, server)));
                }
                // Nobody whose mail is scanned was accepted from it.
                Mta::Other => {}
            }
        }
    }

    fn edit_headers(
        &self,
        marks: &Marks<'_, Ruling>,
        loop_id: &str,
        terms: &Terms,
        packets: &mut Vec<Packet>,
    ) {
        if terms.allows(Actions::CHANGE_HEADER) {
            let removals = self.facts.headers.removals(marks.remove_forged, &marks.remove);
            packets.extend(removals.iter().map(|line| answer::remove_header(&line.name, line.index)));
        }
        if !terms.allows(Actions::ADD_HEADER) {
            return;
        }
        if marks.loop_token {
            let line = marks.note.map_or_else(|| loop_id.to_owned(), |note| format!("{loop_id}; {note}"));
            packets.push(answer::add_header(LOOP_HEADER, &line));
        }
        for reason in &marks.tags {
            packets.push(answer::add_header(TAG_HEADER, &header_value(reason.as_str())));
        }
    }
}

/// What the end needs is not there: the message may come again.
fn not_now(by_headers: Option<&Ruling>) -> Vec<Packet> {
    let refused = by_headers.map(cannot_carry_out);
    match refused {
        Some(Admitted::Refused(reply, reference) | Admitted::Parted(reply, reference)) => {
            vec![answer::refusal(&reply, reference)]
        }
        Some(Admitted::Yes) | None => vec![answer::plain(ReplyKind::Tempfail)],
    }
}

fn refused(ruling: &Ruling) -> Packet {
    match &ruling.decision.reply {
        Some(reply) => answer::refusal(reply, ruling.reference),
        None => answer::plain(ReplyKind::Tempfail),
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
