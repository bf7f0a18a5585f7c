// SPDX-License-Identifier: GPL-3.0-or-later
//! One message with all of its recipients: who can share it, and what its end comes to.
//!
//! Holding a message holds it for everyone, so recipients that would be held and recipients that would not cannot
//! share it: the first accepted one decides, the others get 452 4.5.3 and come again. Discarding removes its recipients
//! alone. Tags and the loop token are lines on the whole message, and so are those by which gateways are known.
//!
//! What a message is sent to a scanner with are lines too, so that nobody whose mail is not scanned shares it; and where a
//! line is what steers it, one message has one scanner.

use super::scan::Passage;
use super::{Decision, Mode, Policy, Reason, ServerId, Verdict};
use crate::mail::{
    CAME_SCANNED, Domain, EnhancedCode, MAX_DIGESTS, Reply, ReplyClass, ReplyText, SCAN_HEADER, SENT_TO_SCAN,
    SpentToken, VIA_HEADER,
};
use std::collections::HashMap;

/// Tokens on one message: with more of them headers would be longer than MTAs take.
const MAX_TOKENS: usize = 16;

/// Who can be in one message, given who is in it already.
#[derive(Clone, Debug, Default)]
pub struct Sharing {
    /// Whether the message will be held, once a recipient has decided it.
    held: Option<bool>,
    way: Way,
    /// How many recipients of each domain need a token.
    signed: HashMap<Domain, usize>,
}

/// Where a message goes if it was not scanned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Way {
    /// No recipient has decided it.
    #[default]
    Open,
    /// On, as it is.
    On,
    /// To this scanner.
    Scanner(ServerId),
}

/// How a message is brought to a scanner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Steering {
    /// All of it goes to one next hop.
    Message,
    /// Each recipient goes its own way.
    Recipient,
}

impl Sharing {
    /// Takes in a recipient; false when the message cannot be treated as its decision asks.
    pub fn takes(&mut self, decision: &Decision, steering: Steering) -> bool {
        if decision.applied == Verdict::Discard {
            return true;
        }
        let scanner = decision.scanner();
        let way = scanner.map_or(Way::On, Way::Scanner);
        let fits = match (self.way, way) {
            (Way::Open, _) => true,
            (Way::Scanner(_), Way::Scanner(_)) => way == self.way || steering == Steering::Recipient,
            (Way::On | Way::Scanner(_), _) => way == self.way,
        };
        let domain = scanner.and(decision.scanning.as_ref()).map(|scanning| scanning.domain());
        if !fits || !self.has_room(domain) || !self.admits(decision.applied) {
            return false;
        }
        if self.way == Way::Open {
            self.way = way;
        }
        if let Some(domain) = domain {
            *self.signed.entry(domain.clone()).or_default() += 1;
        }
        true
    }

    /// Whether one more recipient of this domain can have a token.
    fn has_room(&self, domain: Option<&Domain>) -> bool {
        let Some(domain) = domain else { return true };
        let own = self.signed.get(domain).copied().unwrap_or_default();
        let tokens = || self.signed.values().map(|count| count.div_ceil(MAX_DIGESTS)).sum::<usize>();
        !own.is_multiple_of(MAX_DIGESTS) || tokens() < MAX_TOKENS
    }

    /// Takes in a recipient to whom this is to happen; false when the message cannot be treated as it asks.
    pub fn admits(&mut self, applied: Verdict) -> bool {
        match applied {
            Verdict::Accept | Verdict::Tag | Verdict::Quarantine => {
                let held = applied == Verdict::Quarantine;
                *self.held.get_or_insert(held) == held
            }
            Verdict::Discard => true,
            Verdict::Defer | Verdict::Reject => false,
        }
    }
}

/// What the end of a message comes to. `R` is a decision, or something that a door keeps with it.
#[derive(Debug)]
pub enum Ending<'a, R> {
    /// It is refused for all recipients, because of its headers.
    Refused(&'a R),
    /// It is accepted and delivered to nobody.
    Discarded,
    /// It goes on, without those recipients that are to be discarded.
    Passed(Marks<'a, R>),
}

/// What is done to a message that goes on, in this order.
#[derive(Debug)]
pub struct Marks<'a, R> {
    /// Lines that claim to be Postern's own and are not are removed; what is added after that is ours.
    pub remove_forged: bool,
    /// All lines of these names are removed: by them gateways are known, so that they are secrets. None is there twice but
    /// for case.
    pub remove: Vec<&'a str>,
    /// A line with the loop token is added.
    pub loop_token: bool,
    /// What stands behind the loop token.
    pub note: Option<&'static str>,
    /// It goes to the scanner, for those recipients whose mail is scanned ([`Decision::scanner`]).
    pub away: bool,
    /// Scan tokens that have been used when it is accepted.
    pub spent: &'a [SpentToken],
    /// A line with each of these reasons is added.
    pub tags: Vec<Reason>,
    /// It is held, because of this decision.
    pub hold: Option<&'a R>,
}

/// What the end of a message comes to, by the decisions about its accepted recipients and the one about its headers.
pub fn ending<'a, R: AsRef<Decision>>(
    policy: &'a Policy,
    accepted: impl IntoIterator<Item = &'a R>,
    by_headers: Option<&'a R>,
) -> Ending<'a, R> {
    let applied = |ruling: &R| ruling.as_ref().applied;
    match by_headers.map(|ruling| (ruling, applied(ruling))) {
        Some((ruling, Verdict::Reject | Verdict::Defer)) => return Ending::Refused(ruling),
        Some((_, Verdict::Discard)) => return Ending::Discarded,
        Some((_, Verdict::Accept | Verdict::Tag | Verdict::Quarantine)) | None => {}
    }
    let (discarded, staying): (Vec<_>, Vec<_>) =
        accepted.into_iter().partition(|ruling| applied(ruling) == Verdict::Discard);
    if staying.is_empty() && !discarded.is_empty() {
        return Ending::Discarded;
    }
    let decisions = || staying.iter().map(|&ruling| -> &Decision { ruling.as_ref() });
    let domains = || {
        let listed = staying.iter().filter_map(|&ruling| ruling.as_ref().domain.as_ref());
        listed.filter(|domain| domain.mode > Mode::Inactive)
    };
    let looked_at = domains().next().is_some();
    let internal = decisions().any(|decision| decision.reason == Reason::Internal);
    let mut tags = Vec::new();
    for decision in decisions().chain(by_headers.map(AsRef::as_ref)) {
        if decision.applied == Verdict::Tag && !tags.contains(&decision.reason) {
            tags.push(decision.reason);
        }
    }
    // Whether they were right or not, in every mode, and from internal clients too: a relay of our own that the gateway's
    // mail comes over leaves them on, and whoever reads one in a mailbox can write it.
    let mut remove: Vec<&str> = Vec::new();
    for name in domains().flat_map(|domain| policy.header_names(domain)) {
        if !remove.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            remove.push(name);
        }
    }
    // Whoever wrote them: where they are ours, they have done what they were for.
    if policy.scans() {
        remove.extend([SCAN_HEADER, VIA_HEADER]);
    }
    let (note, spent) = match by_headers.map(|ruling| &ruling.as_ref().passage) {
        Some(Passage::Scanned(spent)) => (Some(CAME_SCANNED), &**spent),
        Some(Passage::Away) => (Some(SENT_TO_SCAN), &[][..]),
        Some(Passage::Direct) | None => (None, &[][..]),
    };
    let away = note == Some(SENT_TO_SCAN);
    let mut holding = staying.iter().copied().chain(by_headers);
    Ending::Passed(Marks {
        remove_forged: looked_at && !internal,
        remove,
        loop_token: looked_at && policy.loops().max_passes > 0 || note.is_some(),
        note,
        away,
        spent,
        tags,
        hold: holding.find(|ruling| applied(ruling) == Verdict::Quarantine),
    })
}

/// The reply to a recipient that [`Sharing`] does not admit.
pub fn parted() -> Reply {
    come_again("This recipient's mail is handled differently. Send it again in a message of its own")
}

/// The reply to a recipient beyond what a door keeps for one message.
pub fn too_many() -> Reply {
    come_again("Too many recipients. Send the rest again in another message")
}

/// 452 4.5.3: too many recipients, come again with the rest (RFC 5321 4.5.3.1.10, RFC 3463).
fn come_again(text: &str) -> Reply {
    let enhanced = EnhancedCode::new(ReplyClass::Transient, 5, 3);
    #[allow(clippy::expect_used)] // The texts are the two above; a test builds both.
    ReplyText::parse(text).and_then(|text| Reply::new(452, enhanced, text)).expect("a constant reply")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Accept, Defer, Discard, Quarantine, Reject, Tag};

    #[test]
    fn constant_replies_are_replies() {
        for reply in [parted(), too_many()] {
            assert!(reply.to_string().starts_with("452 4.5.3 "));
        }
    }

    #[test]
    fn the_first_accepted_recipient_decides_who_can_share() {
        for (verdicts, want) in [
            (&[Accept, Tag, Discard, Quarantine][..], &[true, true, true, false][..]),
            (&[Quarantine, Accept, Quarantine, Tag, Discard], &[true, false, true, false, true]),
            // Neither a refused nor a discarded recipient decides anything.
            (&[Reject, Defer, Discard, Quarantine, Accept], &[false, false, true, true, false]),
        ] {
            let mut sharing = Sharing::default();
            let got: Vec<bool> = verdicts.iter().map(|&verdict| sharing.admits(verdict)).collect();
            assert_eq!(got, want, "{verdicts:?}");
        }
    }
}
