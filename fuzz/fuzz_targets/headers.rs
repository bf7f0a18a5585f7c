// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as a message's headers, one a line: counts stay right and removals bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::mail::{HeaderFacts, HeaderWatch, header_value};

fuzz_target!(|data: &[u8]| {
    let mut facts = HeaderFacts::default();
    let watch = HeaderWatch { loop_id: "mx.example".into(), names: ["X-Id".into()].into() };
    let mut lines = 0;
    for line in data.split(|&b| b == b'\n') {
        let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
        facts.note(&line[..colon], line.get(colon + 1..).unwrap_or_default(), &watch);
        lines += 1;
    }
    assert!(facts.received() + facts.passes() <= lines);
    let forged: Vec<_> = facts.forged().collect();
    assert!(forged.len() <= lines as usize);
    for line in &forged {
        assert!(line.index >= 1);
        assert!(line.name.to_ascii_lowercase().starts_with(b"x-postern-"));
    }
    let value = header_value(&String::from_utf8_lossy(data));
    assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)));
});
