// SPDX-License-Identifier: GPL-3.0-or-later
//! The first line of a kept file: `postern 1 sha256 HEX LENGTH`, over all that follows it.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Longest first line, in octets: 64 digits of the checksum, 20 of the length.
pub(super) const LONGEST: usize = 128;
/// The word before the number of this form.
const MARK: &str = "postern 1 sha256";

/// The line, with its end, that goes before this content.
pub(super) fn first_line(content: &[u8]) -> Vec<u8> {
    format!("{MARK} {} {}\n", hex(&Sha256::digest(content)), content.len()).into_bytes()
}

/// The content of a whole file; nothing when the first line does not fit it.
pub(super) fn open(mut file: Vec<u8>) -> Option<Vec<u8>> {
    let end = file.iter().take(LONGEST).position(|&octet| octet == b'\n')?;
    let content = file.split_off(end + 1);
    (first_line(&content) == file).then_some(content)
}

/// Octets in hexadecimal digits.
fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // A String takes everything.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
