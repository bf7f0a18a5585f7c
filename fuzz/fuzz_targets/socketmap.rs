// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets on the socketmap port, as raw as they come and as well-formed requests to every table: the connection ends
//! without a panic, and everything that is answered is of the protocol.
#![no_main]

#[path = "../../tests/socketmap/world.rs"]
mod world;

use libfuzzer_sys::fuzz_target;
use postern::gate::{Gate, Table};
use postern::listen::{Drain, Peer};
use std::sync::{Arc, LazyLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| Arc::new(Gate::new(world::policy())));

/// The first octet chooses: raw octets, or requests cut out of them (a table, a length, a key).
fn octets(data: &[u8]) -> Vec<u8> {
    let Some((&how, mut rest)) = data.split_first() else { return Vec::new() };
    if how & 1 == 0 {
        return rest.to_vec();
    }
    let mut out = Vec::new();
    while let [table, length, content @ ..] = rest {
        let (key, after) = content.split_at(content.len().min(usize::from(*length)));
        let name = Table::ALL[usize::from(*table) % Table::ALL.len()].as_str().as_bytes();
        // An address in a domain that is listed, more often than chance would have it.
        let domain: &[u8] = if table & 0x80 == 0 { b"" } else { b"@a.example" };
        let request = [name, b" ", key, domain].concat();
        out.extend([request.len().to_string().as_bytes(), b":", &request, b","].concat());
        rest = after;
    }
    out
}

fn check(mut answers: &[u8]) {
    while !answers.is_empty() {
        let colon = answers.iter().position(|&octet| octet == b':').expect("a length");
        let length: usize = std::str::from_utf8(&answers[..colon]).unwrap().parse().unwrap();
        let (answer, rest) = answers[colon + 1..].split_at(length);
        let known: [&[u8]; 4] = [b"OK ", b"NOTFOUND ", b"TEMP ", b"PERM "];
        let word = known.iter().find(|word| answer.starts_with(word)).expect("a word of the protocol");
        assert_eq!(answer.len() == word.len(), *word == b"NOTFOUND ", "{}", answer.escape_ascii());
        answers = rest.strip_prefix(b",").expect("a comma");
    }
}

fuzz_target!(|data: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (_drain, draining) = Drain::new();
        let input = octets(data);
        let converse = async {
            let _ = ours.write_all(&input).await;
            let _ = ours.shutdown().await;
            let mut answers = Vec::new();
            let _ = ours.read_to_end(&mut answers).await;
            check(&answers);
        };
        tokio::join!(postern::socketmap::serve(theirs, Peer::Unix, Arc::clone(&GATE), draining), converse);
    });
});
