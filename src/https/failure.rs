// SPDX-License-Identifier: GPL-3.0-or-later
//! What went wrong on the way, in one line: each cause once, and no layer that only says that there is one.

use std::error::Error as _;

/// Errors that only say in which layer their cause was met.
const LAYERS: [&str; 4] =
    ["error sending request", "client error (Connect)", "dns error", "error decoding response body"];

/// Why a request or the reading of its answer failed. The address is not in it: whoever reads it knows it, and it may
/// hold what is nobody's business.
pub fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if LAYERS.contains(&&*why) {
            why = inner_text;
        } else if !why.contains(&inner_text) {
            // Some errors show their cause themselves.
            why = format!("{why}: {inner_text}");
        }
        cause = inner.source();
    }
    why
}
