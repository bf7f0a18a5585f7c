// SPDX-License-Identifier: GPL-3.0-or-later
//! Short names for decisions and sessions: they stand in replies, so that a sender can quote one on the telephone.
//!
//! A reference is twelve characters of Crockford's base 32 (no I, L, O, U): thirty bits of seconds since 2025 and a
//! thirty-bit count with a random start. References sort by time, do not repeat in one process under a thousand
//! million decisions a second, and tell nothing of the message.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const COUNT_BITS: u32 = 30;
/// 2025-01-01T00:00:00Z; thirty bits of seconds last until 2059.
const EPOCH: u64 = 1_735_689_600;

/// The name of one decision.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reference(u64);

/// The name of one session of an MTA with us.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(u64);

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_base32(f, self.0, 12)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_base32(f, self.0, 8)
    }
}

fn write_base32(f: &mut fmt::Formatter<'_>, value: u64, digits: u32) -> fmt::Result {
    let mut text = [0u8; 12];
    let text = &mut text[..digits as usize];
    for (place, out) in (0..digits).rev().zip(text.iter_mut()) {
        let [low, ..] = (value >> (5 * place)).to_le_bytes();
        *out = ALPHABET[usize::from(low & 31)];
    }
    f.write_str(std::str::from_utf8(text).unwrap_or_default())
}

/// Gives out names.
#[derive(Debug)]
pub(super) struct References {
    decisions: AtomicU64,
    sessions: AtomicU64,
}

impl References {
    pub(super) fn new() -> Self {
        let draw = || RandomState::new().build_hasher().finish();
        Self { decisions: AtomicU64::new(draw()), sessions: AtomicU64::new(draw()) }
    }

    pub(super) fn next(&self) -> Reference {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let mask = (1 << COUNT_BITS) - 1;
        let count = self.decisions.fetch_add(1, Ordering::Relaxed) & mask;
        Reference((now.saturating_sub(EPOCH) & mask) << COUNT_BITS | count)
    }

    pub(super) fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed) & 0xff_ffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_are_short() {
        let references = References::new();
        let names: std::collections::HashSet<String> =
            (0..1000).map(|_| references.next().to_string()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| name.len() == 12 && name.bytes().all(|b| ALPHABET.contains(&b))));
        assert_eq!(references.next_session().to_string().len(), 8);
        assert_eq!(Reference(0x1f).to_string(), "00000000000Z");
    }
}
