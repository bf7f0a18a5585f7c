// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets: the door answers each request that there is in the protocol's words, and ends.

use crate::support::{Door, netstring};
use crate::world;
use postern::gate::{Gate, Table};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// All answers to these octets.
fn answers(octets: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let door = Door::new(Gate::new(world::policy()));
        let mut caller = door.connect();
        let _ = caller.stream.write_all(octets).await;
        let _ = caller.stream.shutdown().await;
        let mut answers = Vec::new();
        let _ = caller.stream.read_to_end(&mut answers).await;
        caller.served.await.expect("no panic");
        answers
    })
}

/// The answers, taken apart; a panic where they are none.
fn parsed(mut octets: &[u8]) -> Vec<String> {
    let mut answers = Vec::new();
    while !octets.is_empty() {
        let colon = octets.iter().position(|&octet| octet == b':').expect("a length");
        let length: usize = std::str::from_utf8(&octets[..colon]).unwrap().parse().unwrap();
        let (answer, rest) = octets[colon + 1..].split_at(length);
        answers.push(String::from_utf8(answer.to_vec()).unwrap());
        octets = rest.strip_prefix(b",").expect("a comma");
    }
    answers
}

fn is_an_answer(answer: &str) -> bool {
    match answer.split_once(' ') {
        Some(("OK" | "TEMP" | "PERM", text)) => !text.is_empty() && !text.contains(['\n', '\r', '\0']),
        Some(("NOTFOUND", text)) => text.is_empty(),
        _ => false,
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "(ann|nobody|a b|\"x\"|[a-z+=!%.@]{0,8})@(a|soft|late|x.below|BÜCHER|\\[1\\]|..)\\.example"
            .prop_map(String::into_bytes),
        "\\[?[0-9a-f:.]{0,12}\\]?(:[0-9]{0,6})?".prop_map(String::into_bytes),
        "\\PC{0,20}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_request_is_answered(requests in prop::collection::vec((0..Table::ALL.len(), key()), 0..6)) {
        let octets: Vec<u8> = requests
            .iter()
            .flat_map(|(table, key)| netstring(&[Table::ALL[*table].as_str().as_bytes(), b" ", key].concat()))
            .collect();
        let answers = parsed(&answers(&octets));
        prop_assert_eq!(answers.len(), requests.len());
        for (answer, (table, _)) in answers.iter().zip(&requests) {
            prop_assert!(is_an_answer(answer), "{:?}", answer);
            prop_assert_eq!(answer.starts_with("PERM "), Table::ALL[*table] == Table::Unknown, "{:?}", answer);
        }
    }

    #[test]
    fn any_octets_are_answered_or_refused(octets in prop::collection::vec(any::<u8>(), 0..60)) {
        for answer in parsed(&answers(&octets)) {
            prop_assert!(is_an_answer(&answer), "{:?}", answer);
        }
    }
}
