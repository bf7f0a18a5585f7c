// SPDX-License-Identifier: GPL-3.0-or-later
//! The reply for each reason, as a rejection and as a deferral.

use super::{Reason, Verdict};
use crate::mail::{EnhancedCode, Reply, ReplyClass, ReplyError, ReplyText};

/// Replies by reason. Where nothing was set, a reason has the reply of the table in `README.md`.
#[derive(Clone, Debug)]
pub struct Replies {
    by_reason: [Pair; Reason::ALL.len()],
}

#[derive(Clone, Debug)]
struct Pair {
    reject: Reply,
    defer: Reply,
}

impl Default for Replies {
    fn default() -> Self {
        Self { by_reason: Reason::ALL.map(standard) }
    }
}

/// The texts and codes of `Reason` are constants that `tests::every_reason_has_its_standard_reply` builds.
#[allow(clippy::expect_used)]
fn standard(reason: Reason) -> Pair {
    let text = ReplyText::parse(reason.text()).expect("standard texts are printable ASCII");
    pair(reason, None, None, &text).expect("standard codes are of one class")
}

/// A code of one class sets the reply of that class; the other class keeps its standard code. The enhanced code is
/// kept in both and takes the class of each.
fn pair(
    reason: Reason,
    code: Option<u16>,
    enhanced: Option<EnhancedCode>,
    text: &ReplyText,
) -> Result<Pair, ReplyError> {
    let enhanced = match (enhanced, code) {
        (Some(enhanced), _) => enhanced,
        (None, Some(400..=499)) => reason.enhanced().with_class(ReplyClass::Transient),
        (None, _) => reason.enhanced(),
    };
    let of_class = |class: ReplyClass, standard: u16| {
        let code = code.filter(|_| enhanced.class() == class).unwrap_or(standard);
        Reply::new(code, enhanced.with_class(class), text.clone())
    };
    Ok(Pair {
        reject: of_class(ReplyClass::Permanent, reason.reject_code())?,
        defer: of_class(ReplyClass::Transient, reason.defer_code())?,
    })
}

impl Replies {
    /// Sets what is given of a reason's reply; what is not given stays at the standard.
    ///
    /// # Errors
    /// When code and enhanced code are of different classes, or the code is none of a refusal.
    pub fn set(
        &mut self,
        reason: Reason,
        code: Option<u16>,
        enhanced: Option<EnhancedCode>,
        text: Option<ReplyText>,
    ) -> Result<(), ReplyError> {
        let text = match text {
            Some(text) => text,
            None => ReplyText::parse(reason.text())?,
        };
        self.by_reason[reason as usize] = pair(reason, code, enhanced, &text)?;
        Ok(())
    }

    /// The reply that carries out a verdict; nothing when the verdict does not refuse.
    pub fn reply(&self, reason: Reason, verdict: Verdict) -> Option<&Reply> {
        let pair = &self.by_reason[reason as usize];
        match verdict {
            Verdict::Reject => Some(&pair.reject),
            Verdict::Defer => Some(&pair.defer),
            Verdict::Accept | Verdict::Tag | Verdict::Quarantine | Verdict::Discard => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(replies: &Replies, reason: Reason) -> [String; 2] {
        [Verdict::Reject, Verdict::Defer].map(|verdict| {
            let reply = replies.reply(reason, verdict).unwrap();
            format!("{} {}", reply.code(), reply.enhanced())
        })
    }

    #[test]
    fn every_reason_has_its_standard_reply() {
        let replies = Replies::default();
        for (reason, reject, defer) in [
            (Reason::SourceNotGateway, "550 5.7.1", "451 4.7.1"),
            (Reason::RecipientUnknown, "550 5.1.1", "450 4.1.1"),
            (Reason::NoRoute, "550 5.1.1", "451 4.1.1"),
            (Reason::LoopDetected, "554 5.4.6", "451 4.4.6"),
            (Reason::TooManyHops, "554 5.4.6", "451 4.4.6"),
            (Reason::NotOurDomain, "550 5.7.1", "451 4.7.1"),
            (Reason::NotReady, "550 5.7.1", "451 4.7.1"),
        ] {
            assert_eq!(codes(&replies, reason), [reject, defer], "{reason}");
        }
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
            assert!(replies.reply(reason, Verdict::Tag).is_none());
        }
    }

    #[test]
    fn what_is_set_keeps_its_class() {
        let mut replies = Replies::default();
        let reason = Reason::RecipientUnknown;
        let enhanced = |text| Some(EnhancedCode::parse(text).unwrap());
        replies.set(reason, Some(551), enhanced("5.1.6"), Some(ReplyText::parse("Moved").unwrap())).unwrap();
        assert_eq!(codes(&replies, reason), ["551 5.1.6", "450 4.1.6"]);
        assert_eq!(replies.reply(reason, Verdict::Defer).unwrap().text(), "Moved");
        replies.set(reason, Some(452), None, None).unwrap();
        assert_eq!(codes(&replies, reason), ["550 5.1.1", "452 4.1.1"]);
        assert_eq!(replies.set(reason, Some(550), enhanced("4.1.1"), None), Err(ReplyError::ClassesDiffer));
        assert_eq!(replies.set(reason, Some(250), None, None), Err(ReplyError::Code));
        assert_eq!(replies.set(reason, Some(521), None, None), Err(ReplyError::ClosesConnection));
    }
}
