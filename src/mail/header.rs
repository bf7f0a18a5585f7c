// SPDX-License-Identifier: GPL-3.0-or-later
//! What a message's headers tell: how many hops it has behind it, how often it has passed here, and which header
//! lines claim to be Postern's own and are not.
//!
//! Nothing of a header is kept but counts, the names of forged lines, and the values of the few names that a
//! [`HeaderWatch`] asks for, within bounds. Header names are compared without case (RFC 5322 2.2).

use std::collections::HashMap;
use std::fmt;

/// The loop token's header name; one line for each pass.
pub const LOOP_HEADER: &str = "X-Postern-Loop";
/// What stands behind a loop token and a `;` when the message was sent to be scanned.
pub const SENT_TO_SCAN: &str = "scan";
/// What stands there when it came back scanned.
pub const CAME_SCANNED: &str = "scanned";
/// The header that marks a message with verdict `tag`.
pub const TAG_HEADER: &str = "X-Postern-Tag";
/// All that begins so is Postern's own.
const OWN_PREFIX: &[u8] = b"X-Postern-";
/// Forged lines remembered for removal in one message, and lines of one name that are watched. More than this no MTA's
/// header size limit lets through.
const MAX_REMOVED: u32 = 10_000;

/// Values kept of one name that is watched; a message with more has them beyond reason.
const MAX_KEPT: usize = 32;
/// Octets kept of one such value. A longer one is cut, and so is no secret that we know.
const MAX_VALUE: usize = 4096;

/// What is looked for in headers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderWatch {
    /// This installation's loop token.
    pub loop_id: Box<str>,
    /// Names of which the values are kept, no two alike but for case.
    pub names: Box<[Box<str>]>,
}

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
    scans: u32,
    returns: u32,
    /// In the order in which the names came.
    forged: Vec<Forged>,
    /// Where each name, in lower case, is in `forged`.
    forged_names: HashMap<Box<[u8]>, usize>,
    forged_lines: u32,
    kept: Vec<Kept>,
}

/// The lines of a name that is watched.
#[derive(Clone)]
struct Kept {
    /// As the first line had it.
    name: Box<[u8]>,
    lines: u32,
    /// The values of the first lines, from the top.
    values: Vec<Box<[u8]>>,
}

/// The values may be secrets, which are never shown.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("name", &self.name).field("lines", &self.lines).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Forged {
    written: Box<[u8]>,
    count: u32,
}

impl HeaderFacts {
    /// Takes in one header line. A loop token ends before a `;`; what is behind it tells of scanning.
    pub fn note(&mut self, name: &[u8], value: &[u8], watch: &HeaderWatch) {
        if watch.names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes())) {
            self.keep(name, value);
        }
        if name.eq_ignore_ascii_case(b"Received") {
            self.received = self.received.saturating_add(1);
        } else if name.eq_ignore_ascii_case(LOOP_HEADER.as_bytes()) {
            let mut words = value.split(|&b| b == b';').map(<[u8]>::trim_ascii);
            let (token, note) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if token.eq_ignore_ascii_case(watch.loop_id.as_bytes()) {
                self.pass(note);
            }
        } else if name.len() >= OWN_PREFIX.len() && name[..OWN_PREFIX.len()].eq_ignore_ascii_case(OWN_PREFIX)
        {
            self.forged_lines = self.forged_lines.saturating_add(1);
            if self.forged_lines <= MAX_REMOVED {
                let at =
                    *self.forged_names.entry(name.to_ascii_lowercase().into()).or_insert(self.forged.len());
                match self.forged.get_mut(at) {
                    Some(forged) => forged.count += 1,
                    None => self.forged.push(Forged { written: name.into(), count: 1 }),
                }
            }
        }
    }

    /// A pass. One that goes to be scanned and comes back is one: counted when it goes, so that nobody can write lines by
    /// which a message has been here less often.
    fn pass(&mut self, note: &[u8]) {
        if note.eq_ignore_ascii_case(CAME_SCANNED.as_bytes()) {
            self.returns = self.returns.saturating_add(1);
            return;
        }
        self.passes = self.passes.saturating_add(1);
        if note.eq_ignore_ascii_case(SENT_TO_SCAN.as_bytes()) {
            self.scans = self.scans.saturating_add(1);
        }
    }

    fn keep(&mut self, name: &[u8], value: &[u8]) {
        let known = self.kept.iter().position(|kept| kept.name.eq_ignore_ascii_case(name));
        let at = known.unwrap_or_else(|| {
            self.kept.push(Kept { name: name.into(), lines: 0, values: Vec::new() });
            self.kept.len() - 1
        });
        let kept = &mut self.kept[at];
        kept.lines = kept.lines.saturating_add(1);
        if kept.values.len() < MAX_KEPT {
            kept.values.push(value[..value.len().min(MAX_VALUE)].into());
        }
    }

    /// The values of a name that is watched, from the top of the message.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let kept = self.kept.iter().find(|kept| kept.name.eq_ignore_ascii_case(name.as_bytes()));
        kept.into_iter().flat_map(|kept| kept.values.iter().map(|value| &**value))
    }

    /// The lines of these names, which are watched, for removal: the last of each name first, as with [`Self::forged`],
    /// and with the forged ones before them where those are removed too. No line is there twice.
    pub fn removals(&self, forged: bool, names: &[&str]) -> Vec<HeaderToRemove> {
        let mut removals: Vec<HeaderToRemove> = if forged { self.forged().collect() } else { Vec::new() };
        for name in names {
            let gone = |removal: &HeaderToRemove| removal.name.eq_ignore_ascii_case(name.as_bytes());
            let kept = self.kept.iter().find(|kept| kept.name.eq_ignore_ascii_case(name.as_bytes()));
            if let Some(kept) = kept.filter(|_| !removals.iter().any(gone)) {
                let lines = (1..=kept.lines.min(MAX_REMOVED)).rev();
                removals.extend(lines.map(|index| HeaderToRemove { name: kept.name.clone(), index }));
            }
        }
        removals
    }

    /// `Received` lines: hops before this MTA.
    pub fn received(&self) -> u32 {
        self.received
    }

    /// Loop tokens of this installation: earlier passes.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// How often it was sent to be scanned and did not come back scanned, as far as its lines tell.
    pub fn unanswered_scans(&self) -> u32 {
        self.scans.saturating_sub(self.returns)
    }

    /// Whether there were more forged lines, or lines of one name that is watched, than can be removed.
    pub fn overflowed(&self) -> bool {
        let too_many = |kept: &Kept| kept.lines > MAX_REMOVED && !kept.name.eq_ignore_ascii_case(b"Received");
        self.forged_lines > MAX_REMOVED || self.kept.iter().any(too_many)
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

    fn watch() -> HeaderWatch {
        HeaderWatch { loop_id: "mx.example".into(), names: ["X-Id".into(), "Received".into()].into() }
    }

    fn facts(lines: &[(&str, &str)]) -> HeaderFacts {
        let mut facts = HeaderFacts::default();
        for (name, value) in lines {
            facts.note(name.as_bytes(), value.as_bytes(), &watch());
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
    fn scans_and_returns() {
        for (lines, passes, unanswered) in [
            (&[][..], 0, 0),
            (&["mx.example"], 1, 0),
            (&["mx.example; scan"], 1, 1),
            (&["mx.example; scan", "MX.example ;\r\n SCANNED "], 1, 0),
            (&["mx.example; scan", "mx.example;scan", "mx.example; scanned; x"], 2, 1),
            // Somebody else's, and what is no word of ours.
            (&["other.example; scan", "mx.example; scans", "mx.example; scan nothing"], 2, 0),
            // Forged: no fewer passes.
            (&["mx.example; scanned", "mx.example; scanned", "mx.example; scan", "mx.example"], 2, 0),
        ] {
            let lines: Vec<(&str, &str)> = lines.iter().map(|line| ("X-Postern-Loop", *line)).collect();
            let facts = facts(&lines);
            assert_eq!((facts.passes(), facts.unanswered_scans()), (passes, unanswered), "{lines:?}");
        }
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
    fn values_of_watched_names_are_kept_and_can_be_removed() {
        let facts = facts(&[("x-ID", "one"), ("X-Other", "no"), ("X-Id", "two"), ("Received", "from a")]);
        let values =
            |name| facts.values(name).map(|v| str::from_utf8(v).unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(values("X-Id"), ["one", "two"]);
        assert_eq!(values("X-Other"), Vec::<String>::new());
        assert_eq!((values("received"), facts.received()), (vec!["from a".to_owned()], 1));
        let lines: Vec<u32> = facts.removals(true, &["X-Id", "x-id"]).iter().map(|line| line.index).collect();
        assert_eq!(lines, [2, 1]);
        assert!(!format!("{facts:?}").contains("one"), "{facts:?}");
        let mut flood = HeaderFacts::default();
        (0..100).for_each(|_| flood.note(b"X-Id", &[b'x'; 9000], &watch()));
        assert_eq!((flood.values("x-id").count(), flood.removals(false, &["x-id"]).len()), (MAX_KEPT, 100));
        assert!(flood.values("x-id").all(|value| value.len() == MAX_VALUE));
        (0..MAX_REMOVED).for_each(|_| flood.note(b"X-Id", b"", &watch()));
        assert!(flood.overflowed() && flood.removals(false, &["X-Id"]).len() == MAX_REMOVED as usize);
        (0..=MAX_REMOVED).for_each(|_| flood.note(b"received", b"", &watch()));
        flood.kept.retain(|kept| &*kept.name != b"X-Id");
        assert!(!flood.overflowed());
    }

    #[test]
    fn a_watched_line_of_our_own_prefix_is_removed_once() {
        let watch = HeaderWatch { names: ["X-Postern-Id".into()].into(), ..HeaderWatch::default() };
        let mut facts = HeaderFacts::default();
        (0..2).for_each(|_| facts.note(b"x-postern-id", b"v", &watch));
        for forged in [true, false] {
            let removed = facts.removals(forged, &["X-Postern-Id"]);
            assert_eq!(removed.iter().map(|line| line.index).collect::<Vec<_>>(), [2, 1], "{forged}");
        }
    }

    #[test]
    fn a_flood_is_bounded_and_seen() {
        let mut facts = HeaderFacts::default();
        for n in 0..=MAX_REMOVED {
            assert!(!facts.overflowed());
            facts.note(format!("X-Postern-{n}").as_bytes(), b"", &watch());
        }
        assert!(facts.overflowed());
        assert_eq!(facts.forged().count(), MAX_REMOVED as usize);
    }
}
