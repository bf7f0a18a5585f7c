// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as an SMTP argument and as the MTA's word for it: never a panic, and what holds for addresses holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::mail::{Domain, Escaped, Host, LocalPart, Mailbox, Network, Recipient, ReversePath, parse_client_address};

fuzz_target!(|data: &[u8]| {
    let (argument, resolved) = data.split_at(data.len() / 2);
    if let Some(plain) = Mailbox::parse_plain(argument) {
        assert!(matches!(plain.local(), LocalPart::Valid(_)));
    }
    if let Ok(mailbox) = Mailbox::parse(data) {
        assert_eq!(mailbox.folded_local().is_some(), matches!(mailbox.local(), LocalPart::Valid(_)));
    }
    let _ = ReversePath::parse(data).to_string();
    for resolved in [None, Some(resolved)] {
        let recipient = Recipient::new(argument, resolved, Some("mx.example"));
        let _ = recipient.named_domains().count();
        assert!(!recipient.to_string().contains(['\n', '\r', '\0']));
    }
    assert!(!Escaped(data).to_string().contains(|c: char| c.is_control()));
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(domain) = Domain::parse(text) {
            // What was read reads again as itself.
            assert_eq!(Domain::parse(domain.as_str()).as_ref(), Ok(&domain));
        }
        let _ = Host::parse(text);
        let _ = parse_client_address(text);
        if let Ok(parsed) = Network::parse(text) {
            let again = Network::parse(&parsed.network.to_string()).unwrap();
            assert!(!again.host_bits && again.network == parsed.network);
        }
    }
});
