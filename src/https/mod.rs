// SPDX-License-Identifier: GPL-3.0-or-later
//! What every client of HTTPS needs (RFC 9110): who vouches for a server, how long it asks to be left alone, an answer's
//! body up to a size, and in words what went wrong on the way. Which answers mean what is for those who ask.

mod authorities;
mod failure;
mod reply;

pub use authorities::{AuthorityError, authorities};
pub use failure::cause;
pub use reply::{BodyError, body, retry_after, until};

use std::hash::{BuildHasher as _, RandomState};

/// What we call ourselves to servers.
pub const USER_AGENT: &str = concat!("postern/", env!("CARGO_PKG_VERSION"));

/// A random UUID (RFC 9562 5.4). It has to be another's nowhere, not unguessable.
pub fn uuid() -> String {
    let random = RandomState::new();
    let [high, low] = [random.hash_one(0), random.hash_one(1)];
    let bits = (u128::from(high) << 64 | u128::from(low)) & !(0xf << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62;
    uuid_text(bits)
}

/// How a UUID is written.
pub fn uuid_text(bits: u128) -> String {
    let digits = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_uuid_looks_like_one() {
        let id = super::uuid();
        let shape: String = id.chars().map(|c| if c.is_ascii_hexdigit() { 'x' } else { c }).collect();
        assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "{id}");
        assert!(id[14..].starts_with('4') && "89ab".contains(&id[19..20]), "{id}");
        assert_ne!(id, super::uuid());
    }
}
