// SPDX-License-Identifier: GPL-3.0-or-later
//! What a message's headers tell: how many hops it has behind it, how often it has passed here, and which header
//! lines claim to be Postern's own and are not.
//!
//! Nothing of a header is kept but counts and the names of forged lines. Header names are compared without case (RFC 5322 2.2).

use std::collections::HashMap;

/// The loop token's header name; one line for each pass.
pub const LOOP_HEADER: &str = "X-Postern-Loop";
/// The header that marks a message with verdict `tag`.
pub const TAG_HEADER: &str = "X-Postern-Tag";
/// All that begins so is Postern's own.
const OWN_PREFIX: &[u8] = b"X-Postern-";
/// Forged lines remembered for removal in one message. More than this no MTA's header size limit lets through.
const MAX_FORGED: u32 = 10_000;

/// One header line that is to be removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderToRemove {
    /// Its name as it was written.
    pub name: Box<[u8]>,
    /// Which line of this name, counted from 1 at the top, without case.
    pub index: u32,
}

/// Counts over the headers of one message.
#[derive(Clone, Debug, Default)]
pub struct HeaderFacts {
    received: u32,
    passes: u32,
    /// In the order in which the names came.
    forged: Vec<Forged>,
    /// Where each name, in lower case, is in `forged`.
    forged_names: HashMap<Box<[u8]>, usize>,
    forged_lines: u32,
}

#[derive(Clone, Debug)]
struct Forged {
    written: Box<[u8]>,
    count: u32,
}

impl HeaderFacts {
    /// Takes in one header line. `loop_id` is this installation's loop token; a token ends before a `;`.
    pub fn note(&mut self, name: &[u8], value: &[u8], loop_id: &str) {
        if name.eq_ignore_ascii_case(b"Received") {
            self.received = self.received.saturating_add(1);
        } else if name.eq_ignore_ascii_case(LOOP_HEADER.as_bytes()) {
            let token = value.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
            if token.eq_ignore_ascii_case(loop_id.as_bytes()) {
                self.passes = self.passes.saturating_add(1);
            }
        } else if name.len() >= OWN_PREFIX.len() && name[..OWN_PREFIX.len()].eq_ignore_ascii_case(OWN_PREFIX)
        {
            self.forged_lines = self.forged_lines.saturating_add(1);
            if self.forged_lines <= MAX_FORGED {
                let at =
                    *self.forged_names.entry(name.to_ascii_lowercase().into()).or_insert(self.forged.len());
                match self.forged.get_mut(at) {
                    Some(forged) => forged.count += 1,
                    None => self.forged.push(Forged { written: name.into(), count: 1 }),
                }
            }
        }
    }

    /// `Received` lines: hops before this MTA.
    pub fn received(&self) -> u32 {
        self.received
    }

    /// Loop tokens of this installation: earlier passes.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// Whether there were more forged lines than can be removed.
    pub fn overflowed(&self) -> bool {
        self.forged_lines > MAX_FORGED
    }

    /// The forged lines, the last of each name first: Postfix counts anew after each removal and Sendmail does not,
    /// and from the end both count alike.
    pub fn forged(&self) -> impl Iterator<Item = HeaderToRemove> {
        self.forged.iter().flat_map(|forged| {
            (1..=forged.count).rev().map(|index| HeaderToRemove { name: forged.written.clone(), index })
        })
    }

    /// Forgets everything, for the next message.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[(&str, &str)]) -> HeaderFacts {
        let mut facts = HeaderFacts::default();
        for (name, value) in lines {
            facts.note(name.as_bytes(), value.as_bytes(), "mx.example");
        }
        facts
    }

    #[test]
    fn hops_and_passes() {
        let facts = facts(&[
            ("Received", "from a"),
            ("RECEIVED", "from b"),
            ("Received-SPF", "pass"),
            ("X-Received", "no"),
            ("X-Postern-Loop", "mx.example"),
            ("x-postern-loop", " MX.Example ; pass 2"),
            ("X-Postern-Loop", "other.example"),
            ("X-Postern-Loop", "mx.example.org"),
            ("X-Postern-Loop", ""),
            ("X-Postern-Loop", "\r\n\tmx.example"),
        ]);
        assert_eq!((facts.received(), facts.passes()), (2, 3));
        assert_eq!(facts.forged().count(), 0);
    }

    #[test]
    fn forged_lines_are_removed_from_the_end() {
        let facts = facts(&[
            ("X-Postern-Tag", "a"),
            ("x-postern-TAG", "b"),
            ("X-Postern-", "c"),
            ("X-Postern", "mine"),
        ]);
        let got: Vec<_> =
            facts.forged().map(|h| (String::from_utf8(h.name.to_vec()).unwrap(), h.index)).collect();
        assert_eq!(got, [("X-Postern-Tag".into(), 2), ("X-Postern-Tag".into(), 1), ("X-Postern-".into(), 1)]);
    }

    #[test]
    fn a_flood_is_bounded_and_seen() {
        let mut facts = HeaderFacts::default();
        for n in 0..=MAX_FORGED {
            assert!(!facts.overflowed());
            facts.note(format!("X-Postern-{n}").as_bytes(), b"", "id");
        }
        assert!(facts.overflowed());
        assert_eq!(facts.forged().count(), MAX_FORGED as usize);
    }
}
