// SPDX-License-Identifier: GPL-3.0-or-later
//! What is to become of a message for one recipient, and how that differs from what would.

use super::trial::{Fate, Outcome};
use crate::policy::{Reason, Verdict};

/// What a case can say of a recipient.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    Expect,
    Verdict,
    Reason,
    Reply,
}

impl Key {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Expect => "expect",
            Self::Verdict => "verdict",
            Self::Reason => "reason",
            Self::Reply => "reply",
        }
    }
}

/// What is wanted for one recipient; what is not said may be anything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Wanted {
    fate: Option<Fate>,
    verdict: Option<Verdict>,
    reason: Option<Reason>,
    reply: Option<String>,
}

/// One thing that came out otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Difference {
    pub(super) key: Key,
    pub(super) expected: String,
    pub(super) got: String,
}

/// The beginning of the reply to a recipient that is not refused.
const ACCEPTED: &str = "250";
/// How a case writes that a recipient has to come again.
const PARTED: &str = "452";

impl Wanted {
    /// Takes in what a case says.
    ///
    /// # Errors
    /// When the text is none of those that the key takes; it says which are.
    pub(super) fn set(&mut self, key: Key, text: &str) -> Result<(), String> {
        match key {
            Key::Expect if text == PARTED => self.fate = Some(Fate::Parted),
            Key::Expect => {
                let words = || format!("{}, or {PARTED}", one_of(&Verdict::ALL.map(Verdict::as_str)));
                self.fate = Some(Fate::Applied(verdict(text).ok_or_else(words)?));
            }
            Key::Verdict => {
                let words = || one_of(&Verdict::ALL.map(Verdict::as_str));
                self.verdict = Some(verdict(text).ok_or_else(words)?);
            }
            Key::Reason => {
                let words = || one_of(&Reason::ALL.map(Reason::as_str));
                let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == text);
                self.reason = Some(reason.ok_or_else(words)?);
            }
            Key::Reply => {
                let is_code = text.len() >= 3 && text.bytes().take(3).all(|b| b.is_ascii_digit());
                if !is_code {
                    return Err(
                        "write a code, such as \"550\" or \"550 5.7.1\"; \"250\" is not refused".into()
                    );
                }
                self.reply = Some(text.to_owned());
            }
        }
        Ok(())
    }

    /// What came out otherwise.
    pub(super) fn differences(&self, outcome: &Outcome<'_>) -> Vec<Difference> {
        let reply = outcome.reply.map_or_else(|| ACCEPTED.to_owned(), ToString::to_string);
        let begins = |wanted: &String| {
            reply.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let word = |fate: Fate| match fate {
            Fate::Parted => PARTED,
            Fate::Applied(verdict) => verdict.as_str(),
        };
        let differing = [
            (Key::Expect, self.fate.filter(|f| *f != outcome.fate).map(word), word(outcome.fate)),
            (
                Key::Verdict,
                self.verdict.filter(|v| *v != outcome.verdict).map(Verdict::as_str),
                outcome.verdict.as_str(),
            ),
            (
                Key::Reason,
                self.reason.filter(|r| *r != outcome.reason).map(Reason::as_str),
                outcome.reason.as_str(),
            ),
            (Key::Reply, self.reply.as_ref().filter(|r| !begins(r)).map(String::as_str), &reply),
        ];
        let difference = |(key, expected, got): (Key, Option<&str>, &str)| {
            Some(Difference { key, expected: expected?.to_owned(), got: got.to_owned() })
        };
        differing.into_iter().filter_map(difference).collect()
    }
}

fn verdict(text: &str) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == text)
}

fn one_of(words: &[&str]) -> String {
    format!("write one of {}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parted;

    #[test]
    fn what_is_wanted_is_compared_and_nothing_else() {
        let reply = parted();
        let outcome = Outcome {
            fate: Fate::Parted,
            verdict: Verdict::Accept,
            reason: Reason::Passed,
            reply: Some(&reply),
        };
        for (key, text, differs) in [
            (Key::Expect, "452", false),
            (Key::Expect, "accept", true),
            (Key::Verdict, "accept", false),
            (Key::Verdict, "reject", true),
            (Key::Reason, "passed", false),
            (Key::Reason, "internal", true),
            (Key::Reply, "452", false),
            (Key::Reply, "452 4.5.3", false),
            (Key::Reply, "452 4.5", true),
            (Key::Reply, "250", true),
        ] {
            let mut wanted = Wanted::default();
            assert!(wanted.differences(&outcome).is_empty());
            wanted.set(key, text).unwrap();
            let keys: Vec<Key> = wanted.differences(&outcome).iter().map(|d| d.key).collect();
            assert_eq!(keys, if differs { vec![key] } else { vec![] }, "{key:?} {text}");
        }
    }

    #[test]
    fn other_words_are_refused_with_all_that_there_are() {
        for (key, text, want) in [
            (Key::Expect, "accepted", "accept, tag, quarantine, discard, defer, reject, or 452"),
            (Key::Expect, "250", "or 452"),
            (Key::Verdict, "452", "write one of accept"),
            (Key::Reason, "unknown", "source-not-gateway"),
            (Key::Reply, "reject", "550 5.7.1"),
            (Key::Reply, "", "550 5.7.1"),
        ] {
            let error = Wanted::default().set(key, text).unwrap_err();
            assert!(error.contains(want), "{key:?} {text}: {error}");
        }
    }
}
