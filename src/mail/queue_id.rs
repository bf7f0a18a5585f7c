// SPDX-License-Identifier: GPL-3.0-or-later
//! The MTA's name for a message in its queue.

use std::fmt;

/// Longest queue id taken; Postfix and Sendmail stay under 20 characters.
const MAX_LENGTH: usize = 64;

/// A queue id: letters and digits, as Postfix (short and long form) and Sendmail write it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct QueueId(Box<str>);

impl QueueId {
    /// Reads the macro `i`; anything but letters and digits is no queue id.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(octets).ok()?;
        let fits = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(text.into()))
    }

    /// The id as the MTA writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_ids() {
        for id in ["A8DFB994020", "4jWzWd2NVYz1St9J", "63AJeFQF001234"] {
            assert_eq!(QueueId::parse(id.as_bytes()).unwrap().as_str(), id);
        }
        for id in ["", "a b", "a\n", "NOQUEUE:", &"x".repeat(65)] {
            assert_eq!(QueueId::parse(id.as_bytes()), None, "{id:?}");
        }
    }
}
