// SPDX-License-Identifier: GPL-3.0-or-later
//! A value that only we and a gateway know. It is never shown, and comparing with it takes as long for a wrong value
//! as for the right one.

use std::fmt;
use subtle::ConstantTimeEq;

/// A secret.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Keeps a secret.
    pub fn new(octets: impl Into<Box<[u8]>>) -> Self {
        Self(octets.into())
    }

    /// Whether this is the secret. The time it takes depends on the lengths alone.
    pub fn is(&self, octets: &[u8]) -> bool {
        self.0.ct_eq(octets).into()
    }

    /// The secret itself, for whoever has to say it to a server.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// How many octets it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty, and so no secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_never_shown() {
        let secret = Secret::new(*b"abc");
        for (octets, want) in
            [(&b"abc"[..], true), (b"abd", false), (b"ab", false), (b"abcd", false), (b"", false)]
        {
            assert_eq!(secret.is(octets), want, "{octets:?}");
        }
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(..) Some(Secret(..))");
    }
}
