// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets, and any attributes in well-formed requests: each connection ends, each request has one answer, and every
//! answer is one line that Postfix understands.

use crate::milter_support::policy;
use crate::support::*;
use postern::policyd::first;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn serve(octets: &[u8], alone: bool) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let door = if alone { Door::alone(policy()) } else { Door::beside(policy()) };
        let (mut stream, served) = door.connect();
        let (mut read, mut write) = stream.split();
        let mut heard = Vec::new();
        let talk = async {
            let _ = write.write_all(octets).await;
            let _ = write.shutdown().await;
        };
        let listen = read.read_to_end(&mut heard);
        let _ = tokio::join!(talk, listen);
        served.await.unwrap();
        String::from_utf8(heard).unwrap()
    })
}

/// How many requests can be read before what is none.
fn requests(mut octets: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(Some((_, extent))) = first(octets) {
        octets = &octets[extent..];
        count += 1;
    }
    count
}

fn is_answer(text: &str) -> bool {
    let Some(action) = text.strip_prefix("action=") else { return false };
    let is_reply = |action: &str| {
        let mut words = action.split(' ');
        let code = words.next().unwrap_or_default();
        let enhanced = words.next().unwrap_or_default();
        matches!(code, "450" | "451" | "452" | "550" | "554") && enhanced.as_bytes()[0] == code.as_bytes()[0]
    };
    action.bytes().all(|b| (b' '..=b'~').contains(&b))
        && (action == "DUNNO"
            || action.starts_with("PREPEND X-Postern-Tag: ")
            || action.starts_with("HOLD ")
            || action.starts_with("DISCARD ")
            || is_reply(action))
}

fn check(octets: &[u8], alone: bool) -> Result<(), TestCaseError> {
    let heard = serve(octets, alone);
    let answers: Vec<&str> = heard.split_terminator("\n\n").collect();
    prop_assert_eq!(answers.len(), requests(octets));
    for answer in answers {
        prop_assert!(is_answer(answer), "{:?}", answer);
    }
    Ok(())
}

fn attribute() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        4 => prop::sample::select(vec![
            "request", "protocol_state", "client_address", "client_port", "client_name", "helo_name", "sender", "recipient",
            "queue_id", "instance", "sasl_method", "sasl_username", "ccert_subject", "ccert_fingerprint",
        ])
        .prop_map(str::to_owned),
        1 => "[a-z_]{0,9}",
    ];
    let value = prop_oneof![
        3 => prop::sample::select(vec![
            "smtpd_access_policy", "RCPT", "DATA", "END-OF-MESSAGE", "MAIL", "192.0.2.9", "198.51.100.1", "unknown",
            "ann@a.example", "nobody@a.example", "ann@b.example", "ann@d.example", "ann@t.example", "ann%a.example",
            "a.b.c.0", "a.b.c.1", "4711", "",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    (name, value).prop_map(|(name, value)| [name.as_bytes(), b"=", &value, b"\n"].concat())
}

fn well_formed() -> impl Strategy<Value = Vec<u8>> {
    let head = b"request=smtpd_access_policy\nprotocol_state=".to_vec();
    let state = prop::sample::select(vec!["RCPT\n", "DATA\n", "END-OF-MESSAGE\n", "EHLO\n"]);
    (state, prop::collection::vec(attribute(), 0..8)).prop_map(move |(state, attributes)| {
        [head.clone(), state.as_bytes().to_vec(), attributes.concat(), b"\n".to_vec()].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_octets(octets in prop::collection::vec(any::<u8>(), 0..300), alone: bool) {
        check(&octets, alone)?;
    }

    #[test]
    fn any_requests(requests in prop::collection::vec(well_formed(), 0..6), rest in prop::collection::vec(any::<u8>(), 0..20), alone: bool) {
        check(&[requests.concat(), rest].concat(), alone)?;
    }
}
