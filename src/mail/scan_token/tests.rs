// SPDX-License-Identifier: GPL-3.0-or-later
//! Tokens that are taken and tokens that are not, and that no change of any octet makes one of the other.

use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_795_000_000;
const DAY: u32 = 86_400;
const NUMBER: u64 = 0x0123_4567_89ab_cdef;

fn key(id: &str) -> ScanKey {
    ScanKey::new(id, format!("{id:0>32}").into_bytes()).unwrap()
}

fn keys() -> ScanKeys {
    ScanKeys::new(key("new"), [key("old")])
}

fn address(text: &str) -> ScanAddress {
    ScanAddress::of(&Mailbox::parse(text.as_bytes()).unwrap())
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn mint(key: &ScanKey, at: u64, recipients: &[&str]) -> Vec<String> {
    let addresses: Vec<ScanAddress> = recipients.iter().map(|text| address(text)).collect();
    let host = recipients.first().and_then(|text| text.rsplit('@').next()).unwrap_or("a.example");
    key.mint(&domain(host), at, NUMBER, &addresses)
}

fn held(value: &[u8], recipient: &str, now: u64) -> Result<SpentToken, TokenFault> {
    let host = recipient.rsplit('@').next().unwrap();
    let keys = keys();
    ScanToken::read(value, &keys)?.for_recipient(&domain(host), &address(recipient), now, DAY)
}

#[test]
fn who_a_token_is_for() {
    use TokenFault::{Expired, Forged, Future, Malformed, OtherDomain, OtherRecipient, UnknownKey};
    let token = |key: &str, at| mint(&self::key(key), at, &["ann@a.example", "Bob+x@a.example"]).remove(0);
    let good = token("new", NOW);
    for (value, recipient, now, want) in [
        (good.clone(), "ann@a.example", NOW, None),
        (good.clone(), "ANN@A.Example", NOW, None),
        (good.clone(), "bob+X@a.example", NOW + u64::from(DAY), None),
        (token("old", NOW), "ann@a.example", NOW, None),
        // Somebody else's clock is ahead.
        (good.clone(), "ann@a.example", NOW - CLOCK_SKEW, None),
        (good.clone(), "ann@a.example", NOW - CLOCK_SKEW - 1, Some(Future)),
        (good.clone(), "ann@a.example", NOW + u64::from(DAY) + 1, Some(Expired)),
        (good.clone(), "carl@a.example", NOW, Some(OtherRecipient)),
        (good.clone(), "bob@a.example", NOW, Some(OtherRecipient)),
        (good.clone(), "ann@b.example", NOW, Some(OtherDomain)),
        (good.clone(), "ann@sub.a.example", NOW, Some(OtherDomain)),
        (token("other", NOW), "ann@a.example", NOW, Some(UnknownKey)),
        (good.replace("k=new", "k=old"), "ann@a.example", NOW, Some(Forged)),
        (good.replace("a.example", "A.example"), "ann@a.example", NOW, Some(Forged)),
        (good.to_ascii_lowercase(), "ann@a.example", NOW, Some(Forged)),
        (good.replace("r=", "r=,"), "ann@a.example", NOW, Some(Malformed)),
        (good.replace("t=", "t=+"), "ann@a.example", NOW, Some(Malformed)),
        (good.replace("n=A", "n=B"), "ann@a.example", NOW, Some(Forged)),
        (good.replace("n=A", "n="), "ann@a.example", NOW, Some(Malformed)),
        (format!("{good};"), "ann@a.example", NOW, Some(Malformed)),
        (format!("{good}; x=1"), "ann@a.example", NOW, Some(Malformed)),
        (format!("{good}A"), "ann@a.example", NOW, Some(Malformed)),
        (good.replace("h=", ""), "ann@a.example", NOW, Some(Malformed)),
        (format!("{good}{}", " ".repeat(MAX_TOKEN)), "ann@a.example", NOW, Some(Malformed)),
        (String::new(), "ann@a.example", NOW, Some(Malformed)),
    ] {
        assert_eq!(held(value.as_bytes(), recipient, now).err(), want, "{value} for {recipient}");
    }
}

/// A secret of the same name is another key.
#[test]
fn a_key_of_the_same_name_is_not_the_key() {
    let stolen = ScanKey::new("new", vec![b'x'; 32]).unwrap();
    let value = mint(&stolen, NOW, &["ann@a.example"]).remove(0);
    assert_eq!(held(value.as_bytes(), "ann@a.example", NOW).err(), Some(TokenFault::Forged));
}

#[test]
fn lines_are_short_and_any_folding_will_do() {
    let recipients: Vec<String> = (0..250).map(|n| format!("u{n}@a.example")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let tokens = mint(&key("new"), NOW, &recipients);
    assert_eq!(tokens.len(), 3);
    for token in &tokens {
        assert!(token.len() + SCAN_HEADER.len() < MAX_TOKEN / 2, "{}", token.len());
        assert!(format!("{SCAN_HEADER}: {token}").lines().all(|line| line.len() < 78), "{token}");
        assert!(token.lines().skip(1).all(|line| line.starts_with('\t')), "{token}");
    }
    for recipient in recipients {
        let taken: Vec<_> =
            tokens.iter().filter_map(|token| held(token.as_bytes(), recipient, NOW).ok()).collect();
        assert_eq!(taken.len(), 1, "{recipient}");
        for folding in ["\r\n ", "", " ", "\n\t\t  "] {
            let folded = tokens.iter().map(|token| token.replace("\n\t", folding));
            let again: Vec<_> =
                folded.filter_map(|token| held(token.as_bytes(), recipient, NOW).ok()).collect();
            assert_eq!(again, taken, "{recipient} {folding:?}");
        }
    }
    assert!(key("new").mint(&domain("a.example"), NOW, NUMBER, []).is_empty());
}

/// What is remembered of a token differs by recipient and by token.
#[test]
fn each_use_has_its_mark() {
    let tokens = [
        mint(&key("new"), NOW, &["ann@a.example", "bob@a.example"]),
        mint(&key("new"), NOW + 1, &["ann@a.example"]),
        mint(&key("old"), NOW, &["ann@a.example"]),
        // Another message of the same second.
        key("old").mint(&domain("a.example"), NOW, NUMBER + 1, &[address("ann@a.example")]),
    ];
    let mut marks = std::collections::HashSet::new();
    for token in tokens.iter().flatten() {
        for recipient in ["ann@a.example", "bob@a.example"] {
            marks.extend(held(token.as_bytes(), recipient, NOW).map(|spent| spent.mark));
        }
    }
    assert_eq!(marks.len(), 5);
}

#[test]
fn what_a_key_can_be() {
    let secret = vec![7; 32];
    for id in ["", "a b", "a;b", "a=b", "12345678901234567", "ü"] {
        assert_eq!(ScanKey::new(id, secret.clone()).err(), Some(ScanKeyError::Id), "{id}");
    }
    for length in [0, 31, 257] {
        assert_eq!(ScanKey::new("a", vec![7; length]).err(), Some(ScanKeyError::Secret), "{length}");
    }
    assert_eq!(ScanKey::new("2026-01.a_b", secret).map(|key| key.id().len()), Ok(11));
    assert!(!format!("{:?}", keys()).contains("0new"));
}

/// Octets that are no local part still are somebody's, and their own alone.
#[test]
fn opaque_local_parts_count_as_they_are_written() {
    assert_eq!(address("a..b@a.example"), address("a..b@A.example"));
    assert_ne!(address("a..b@a.example"), address("A..b@a.example"));
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// One octet is another, is gone, or is there twice: the token is not taken, unless it was a blank.
    #[test]
    fn a_changed_token_is_not_taken(at in any::<prop::sample::Index>(), octet in any::<u8>(), how in 0..3) {
        let token = mint(&key("new"), NOW, &["ann@a.example", "bob@a.example"]).remove(0).into_bytes();
        let at = at.index(token.len());
        let old = token[at];
        let mut changed = token.clone();
        let counts = match how {
            0 => {
                changed[at] = octet;
                octet != old && !(is_blank(octet) && is_blank(old))
            }
            1 => {
                changed.remove(at);
                !is_blank(old)
            }
            _ => {
                changed.insert(at, octet);
                !is_blank(octet)
            }
        };
        prop_assert_eq!(held(&changed, "ann@a.example", NOW).is_err(), counts, "{}", changed.escape_ascii());
    }

    /// Whatever comes is read without a panic, and is not taken.
    #[test]
    fn noise_is_not_taken(value in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(held(&value, "ann@a.example", NOW).is_err());
    }

    #[test]
    fn text_like_a_token_is_not_taken(
        value in "k=(new|old|x); d=a\\.example; t=[0-9]{0,13}; n=[A-Za-z0-9_-]{11}; r=([A-Za-z0-9_-]{12},?){0,4}; h=[A-Za-z0-9_-]{42,44}"
    ) {
        prop_assert!(held(value.as_bytes(), "ann@a.example", NOW).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// For whom it was made it is good, however many there are, and for nobody else.
    #[test]
    fn those_and_no_others(names in prop::collection::btree_set("[a-z]{1,6}", 1..130), other in "[0-9]{1,6}") {
        let recipients: Vec<String> = names.iter().map(|name| format!("{name}@a.example")).collect();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let tokens = mint(&key("old"), NOW, &recipients);
        let taken = |recipient: &str| tokens.iter().any(|token| held(token.as_bytes(), recipient, NOW).is_ok());
        prop_assert!(recipients.iter().all(|recipient| taken(recipient)));
        let other = format!("{other}@a.example");
        prop_assert!(!taken(&other));
    }
}
