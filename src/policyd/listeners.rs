// SPDX-License-Identifier: GPL-3.0-or-later
//! Which of Postfix's listeners ask at DATA or after it too.
//!
//! Discarding is for whole messages, and once told so at RCPT Postfix asks about no further recipient but takes and loses
//! it (seen in 3.7). So it can be told at DATA only, when all are known, and only a listener that asks there can be
//! counted on. That is learned from the first message that comes so far; [`MOST`] listeners are remembered.

use super::request::Request;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Listeners that are remembered: the addresses and ports that smtpd processes serve.
const MOST: usize = 1024;

/// Those that ask at DATA.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<HashSet<Vec<u8>>>);

impl Listeners {
    /// Takes in that this was asked at DATA or later.
    pub(super) fn note(&self, request: &Request<'_>) {
        let name = name(request);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&name) && known.len() < MOST {
            known.insert(name);
        }
    }

    /// Whether the listener that asks this has asked at DATA before.
    pub(super) fn ask_at_data(&self, request: &Request<'_>) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&name(request))
    }
}

fn name(request: &Request<'_>) -> Vec<u8> {
    [request.server_address.unwrap_or_default(), b" ", request.server_port.unwrap_or_default()].concat()
}
