// SPDX-License-Identifier: GPL-3.0-or-later
//! Stands for a mailbox without naming it: a keyed 64-bit hash (SipHash-1-3) of the folded address.
//!
//! Of 10 million fingerprints one unknown address in 10^12 meets one by chance, and without the key nobody can aim for
//! it, nor tell which address a fingerprint stands for. Fingerprints and their key are kept on disk, so what is hashed
//! never changes: the folded local part, `@`, and the host, in UTF-8.

use siphasher::sip::SipHasher13;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};

/// The secret that fingerprints are made with. Only fingerprints of the same key can be compared.
#[derive(Clone, Eq, PartialEq)]
pub struct MailboxKey(u64, u64);

/// The fingerprint of a mailbox.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(u64);

impl MailboxKey {
    /// Draws a new key.
    pub fn draw() -> Self {
        // The standard library seeds `RandomState` from the operating system.
        let draw = || RandomState::new().build_hasher().finish();
        Self(draw(), draw())
    }

    /// The key that [`MailboxKey::to_octets`] gave.
    pub fn from_octets(octets: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(octets);
        #[allow(clippy::cast_possible_truncation)] // The two halves.
        let halves = (both as u64, (both >> u64::BITS) as u64);
        Self(halves.0, halves.1)
    }

    /// The key as it is kept, in the order of the `SipHash` paper. It is as secret as the addresses are.
    pub fn to_octets(&self) -> [u8; 16] {
        (u128::from(self.0) | u128::from(self.1) << u64::BITS).to_le_bytes()
    }

    /// The fingerprint of a mailbox. `folded_local` is a local part as [`Mailbox::folded_local`](super::Mailbox)
    /// gives it, `host` is a [`Host`](super::Host) as text.
    pub fn fingerprint(&self, folded_local: &str, host: &str) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write(folded_local.as_bytes());
        // A domain has no `@`, so the last one parts the two unmistakably.
        hasher.write(b"@");
        hasher.write(host.as_bytes());
        Fingerprint(hasher.finish())
    }
}

impl fmt::Debug for MailboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailboxKey(..)")
    }
}

impl Fingerprint {
    /// The fingerprint as a number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Fingerprint {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCTETS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    /// Made with another implementation of SipHash-1-3.
    const VECTORS: [(&str, &str, u64); 4] = [
        ("ann", "a.example", 0xd163_467d_2508_a75a),
        ("öz", "xn--bcher-kva.example", 0xdd53_56e3_384c_7ac4),
        ("a b", "mail.a.example", 0xfba8_0b4b_5a86_765f),
        ("", "", 0x8ba2_bd85_763b_e3af),
    ];

    #[test]
    fn what_is_hashed_never_changes() {
        let key = MailboxKey::from_octets(OCTETS);
        for (local, host, want) in VECTORS {
            assert_eq!(key.fingerprint(local, host), Fingerprint::from(want), "{local}@{host}");
        }
    }

    #[test]
    fn keys_are_kept_and_never_shown() {
        let key = MailboxKey::from_octets(OCTETS);
        assert_eq!(key.to_octets(), OCTETS);
        assert_eq!(format!("{:?}", Some(&key)), "Some(MailboxKey(..))");
        let drawn = [MailboxKey::draw(), MailboxKey::draw()];
        assert_ne!(drawn[0], drawn[1]);
        assert_eq!(MailboxKey::from_octets(drawn[0].to_octets()), drawn[0]);
        assert_ne!(drawn[0].fingerprint("ann", "a.example"), drawn[1].fingerprint("ann", "a.example"));
    }

    #[test]
    fn another_split_is_another_mailbox() {
        let key = MailboxKey::from_octets(OCTETS);
        let one = key.fingerprint("a", "b.example");
        for (local, host) in [("a@b", "example"), ("", "ab.example"), ("ab", ".example"), ("a", "b.exampl")] {
            assert_ne!(key.fingerprint(local, host), one, "{local} {host}");
        }
    }
}
