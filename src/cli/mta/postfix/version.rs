// SPDX-License-Identifier: GPL-3.0-or-later
//! Which Postfix it is: what it can be told in main.cf differs by release.

use std::fmt;
use std::str::FromStr;

/// A release of Postfix, `3.7` of `3.7.11`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version {
    major: u16,
    minor: u16,
}

impl Version {
    /// What is written for where nobody says which it is: the newest release with anything that is used here.
    pub(super) const NEWEST: Self = Self::new(3, 10);
    /// Parameters of one service, in braces, in lists.
    pub(super) const BRACES: Self = Self::new(3, 0);
    /// Several next hops in one destination.
    pub(super) const NEXT_HOPS: Self = Self::new(3, 5);
    /// Regular expressions in main.cf itself.
    pub(super) const INLINE: Self = Self::new(3, 7);
    /// The oldest that is written for: it has the lists that decide about relaying.
    pub(super) const OLDEST: Self = Self::new(2, 10);

    const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: Option<&str>| {
            let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            part.filter(digits).and_then(|part| part.parse().ok())
        };
        // Snapshots are called 3.11-20250601.
        let mut parts = text.split(['.', '-']);
        match (number(parts.next()), number(parts.next())) {
            (Some(major), Some(minor)) if Self::new(major, minor) >= Self::OLDEST => {
                Ok(Self::new(major, minor))
            }
            (Some(_), Some(_)) => Err("lines are written for 2.10 or later"),
            _ => Err("write it like `3.7` or `3.7.11`"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        for (text, shown) in [("3.7.11", "3.7"), ("2.10", "2.10"), ("3.11-20250601", "3.11")] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), shown);
        }
        for text in ["", "3", "3.x", "2.9.6", "+3.7", "v3.7", "99999.1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!("3.10".parse::<Version>().unwrap() > Version::INLINE);
    }
}
