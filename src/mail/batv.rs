// SPDX-License-Identifier: GPL-3.0-or-later
//! Signed envelope senders that bounces come back to (BATV): the mailbox in `prvs=TAG=ann`.
//!
//! Three ways of writing are known: `prvs=TAG=ann` (draft-levine-smtp-batv-01, with the tag KDDDSSSSSS: the key's number,
//! the day, a hash), its elder `prvs=ann/TAG`, and Barracuda's `btv1==TAG==ann`. Only the MTA that signs has the key, so
//! nothing is verified here: the mailbox is looked up, and that is all.

/// Longest tag of Barracuda's, which nobody has described; those that are seen have 11 digits.
const MAX_BARRACUDA: usize = 32;

/// The local part that a signed one is made from; nothing when it is not signed. Both are folded.
pub fn batv_mailbox(folded_local: &str) -> Option<&str> {
    let mailbox = if let Some(signed) = folded_local.strip_prefix("prvs=") {
        match signed.split_once('=') {
            Some((tag, mailbox)) if is_tag(tag) => mailbox,
            _ => signed.rsplit_once('/').filter(|(_, tag)| is_tag(tag))?.0,
        }
    } else {
        let (tag, mailbox) = folded_local.strip_prefix("btv1==")?.split_once("==")?;
        let fits = (1..=MAX_BARRACUDA).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then_some(mailbox)?
    };
    (!mailbox.is_empty()).then_some(mailbox)
}

/// KDDDSSSSSS: four decimal digits, six hexadecimal ones.
fn is_tag(text: &str) -> bool {
    let digits = text.as_bytes();
    digits.len() == 10
        && digits[..4].iter().all(u8::is_ascii_digit)
        && digits[4..].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_local_parts() {
        for (local, want) in [
            ("prvs=0123abcdef=ann", Some("ann")),
            ("prvs=0123abcdef=ann+x", Some("ann+x")),
            ("prvs=0123abcdef=a=b/c", Some("a=b/c")),
            ("prvs=ann/0123abcdef", Some("ann")),
            ("prvs=a/b/0123abcdef", Some("a/b")),
            ("prvs=a=b/0123abcdef", Some("a=b")),
            ("btv1==127d1a8fdbd==ann", Some("ann")),
            ("btv1==127d1a8fdbd==a==b", Some("a==b")),
            ("prvs=0123abcdef=", None),
            ("prvs=/0123abcdef", None),
            ("prvs=x123abcdef=ann", None),
            ("prvs=0123abcdeg=ann", None),
            ("prvs=0123abcde=ann", None),
            ("prvs=ann", None),
            ("prvs=", None),
            ("btv1==127d1a8fdbd=ann", None),
            ("btv1====ann", None),
            ("btv1==127==", None),
            ("xprvs=0123abcdef=ann", None),
            ("ann", None),
        ] {
            assert_eq!(batv_mailbox(local), want, "{local}");
        }
        assert_eq!(batv_mailbox(&format!("btv1=={}==ann", "a".repeat(33))), None);
    }
}
