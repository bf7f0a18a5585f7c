// SPDX-License-Identifier: GPL-3.0-or-later
//! The tables `access` and `postscreen`: which clients are known by their address (`check_client_access`,
//! `postscreen_access_list`).
//!
//! The value is `permit`, which postscreen and smtpd both know. Strangers are not found; what becomes of them is for what
//! follows in the MTA's list. A client's name is never believed, and what cannot be told yet is never "not found".

use super::{Answer, Found, Why};
use crate::mail::parse_client_address;
use crate::policy::Vouched;
use std::net::IpAddr;

/// The address that a key is; nothing for a client's name, or for the parts of an address that some MTAs ask besides.
pub(super) fn client(key: &[u8]) -> Option<IpAddr> {
    parse_client_address(std::str::from_utf8(key).ok()?)
}

pub(super) fn answer(vouched: Vouched) -> Found {
    match vouched {
        Vouched::Known(rule) => Found::new(Answer::Found("permit".into()), Why::Client(rule)),
        Vouched::Stranger => Found::new(Answer::NotFound, Why::Stranger),
        Vouched::Unknown(rule) => {
            Found::new(Answer::Temp("cannot tell yet whether this client is a gateway"), Why::Client(rule))
        }
    }
}
