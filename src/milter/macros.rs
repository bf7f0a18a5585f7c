// SPDX-License-Identifier: GPL-3.0-or-later
//! Macros that an MTA has defined for the stages of a session.
//!
//! The packets are kept as they came and searched when asked: a handful of names, looked for once or twice a message.
//! A later stage's value hides an earlier one's, and defining a stage's macros forgets those of all later stages.

use indymilter::MacroStage;

/// Stages in the order of a session.
const STAGES: usize = 7;

/// The macros in force.
#[derive(Debug, Default)]
pub(super) struct Macros {
    by_stage: [Vec<u8>; STAGES],
}

fn place(stage: MacroStage) -> usize {
    match stage {
        MacroStage::Connect => 0,
        MacroStage::Helo => 1,
        MacroStage::Mail => 2,
        MacroStage::Rcpt => 3,
        MacroStage::Data => 4,
        MacroStage::Eoh => 5,
        MacroStage::Eom => 6,
    }
}

impl Macros {
    /// Takes in a macro packet: a stage's letter, then names and values, each ended by NUL. Postfix also sends packets
    /// for stages that have no macros (headers, body), and packets without any; neither changes anything.
    pub(super) fn define(&mut self, packet: &[u8]) {
        let Some((&letter, macros)) = packet.split_first() else { return };
        let Ok(stage) = MacroStage::try_from(letter) else { return };
        self.forget(place(stage));
        self.by_stage[place(stage)].extend_from_slice(macros);
    }

    /// Forgets the macros from one place on; their room is kept for the next.
    fn forget(&mut self, from: usize) {
        self.by_stage[from..].iter_mut().for_each(Vec::clear);
    }

    /// Forgets one stage's macros, once they have been used.
    pub(super) fn end_stage(&mut self, stage: MacroStage) {
        self.by_stage[place(stage)].clear();
    }

    /// Forgets everything that belongs to one message.
    pub(super) fn end_message(&mut self) {
        self.forget(place(MacroStage::Mail));
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.forget(0);
    }

    /// A macro's value, by its name without braces. An empty value is as good as none.
    pub(super) fn find(&self, name: &str) -> Option<&[u8]> {
        self.by_stage.iter().rev().find_map(|packet| search(packet, name.as_bytes()))
    }

    /// A macro's value as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.find(name)?).ok()
    }
}

fn search<'a>(packet: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut fields = packet.split(|&b| b == 0);
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let bare = name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name);
        if bare == wanted {
            return (!value.is_empty()).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn macros(packets: &[&'static str]) -> Macros {
        let mut macros = Macros::default();
        for packet in packets {
            macros.define(packet.as_bytes());
        }
        macros
    }

    #[test]
    fn later_stages_hide_earlier_ones_and_are_forgotten() {
        let mut macros =
            macros(&["Cj\0mx.example\0", "M{i}\0A1\0{auth_type}\0\0", "R{rcpt_addr}\0a@b\0i\0A2\0"]);
        assert_eq!(macros.text("i"), Some("A2"));
        assert_eq!(macros.text("rcpt_addr"), Some("a@b"));
        assert_eq!(macros.text("auth_type"), None);
        macros.define(b"R\0");
        assert_eq!((macros.text("rcpt_addr"), macros.text("i")), (None, Some("A1")));
        macros.end_message();
        assert_eq!((macros.text("i"), macros.text("j")), (None, Some("mx.example")));
    }

    #[test]
    fn odd_packets_change_nothing() {
        let macros = macros(&["Cj\0mx.example\0", "", "L", "Li\0X\0", "B", "U", "E", "Hx\0", "\0\0\0"]);
        assert_eq!(macros.text("j"), Some("mx.example"));
        assert_eq!(macros.find("i"), None);
        assert_eq!(macros.find("x"), None, "an unterminated value is empty");
    }
}
