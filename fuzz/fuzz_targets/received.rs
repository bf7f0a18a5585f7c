// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as `Received` lines, one a line, below one of the gateway's: never a panic, and what its client's name or the
//! lines below hold is never taken for the client's address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::mail::original_client;
use std::net::{IpAddr, Ipv4Addr};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

fuzz_target!(|data: &[u8]| {
    let trusted = |address: IpAddr| matches!(address, IpAddr::V4(v4) if v4.octets().starts_with(&[192, 0, 2]));
    let lines = || data.split(|&b| b == b'\n');
    if let Some(found) = original_client(lines(), trusted) {
        assert!(!trusted(found));
    }
    let below = |line: Vec<u8>| {
        let all: Vec<&[u8]> = std::iter::once(&line[..]).chain(lines()).collect();
        original_client(all.into_iter(), trusted)
    };
    let good = b"from x (unknown [203.0.113.7]) by gw.example (Postfix) with ESMTP id 4X";
    assert_eq!(below(good.to_vec()), Some(CLIENT));
    let name = lines().next().unwrap_or_default();
    let named = [b"from ", name, b" (unknown [203.0.113.7]) by gw.example (Postfix) with ESMTP id 4X"].concat();
    assert!(below(named).is_none_or(|found| found == CLIENT));
});
