// SPDX-License-Identifier: GPL-3.0-or-later
//! The file of `[scan] keys`: a key a line, `NAME SECRET`, of which the first signs and all are known. Empty lines and those
//! that begin with `#` do not count. A secret is 32 to 256 printable characters without blanks, which count as they are
//! written. No problem's text has any of it in it.

use super::Check;
use crate::config::placed::Placed;
use crate::config::wording::quoted;
use crate::mail::{ScanKey, ScanKeyError, ScanKeys};

/// Largest file, in octets.
const MAX_FILE: u64 = 64 * 1024;
/// Lines that are shown to be wrong. What follows a few of them is noise.
const MAX_SHOWN: usize = 10;
const HELP: &str =
    "a line is a name and a secret: `echo \"$(date +%Y%m%d) $(openssl rand -base64 32)\"` writes one";

impl Check<'_> {
    /// The keys in a file; nothing where one of them is wrong.
    pub(super) fn scan_key_file(&mut self, written: &Placed<String>) -> Option<ScanKeys> {
        let path = self.path(written);
        if written.is_empty() {
            return None;
        }
        let octets = self.guarded_file(written, &path, MAX_FILE)?;
        let name = quoted(&path.to_string_lossy());
        let mut keys: Vec<ScanKey> = Vec::new();
        let mut wrong = Vec::new();
        for (line, text) in (1..).zip(octets.split(|&b| b == b'\n')) {
            let text = text.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            match key(text) {
                Ok(key) if keys.iter().any(|known| known.id() == key.id()) => {
                    wrong.push(format!("line {line} of {name}: this name is there twice"));
                }
                Ok(key) => keys.push(key),
                Err(why) => wrong.push(format!("line {line} of {name}: {why}")),
            }
        }
        if keys.is_empty() && wrong.is_empty() {
            wrong.push(format!("there is no key in {name}"));
        }
        let is_right = wrong.is_empty();
        wrong.into_iter().take(MAX_SHOWN).for_each(|what| self.error(written, what, HELP));
        let mut keys = keys.into_iter().filter(|_| is_right);
        Some(ScanKeys::new(keys.next()?, keys))
    }
}

fn key(line: &[u8]) -> Result<ScanKey, String> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (Some(id), Some(secret), None) = (words.next(), words.next(), words.next()) else {
        return Err("it is not a name and a secret".to_owned());
    };
    if !secret.iter().all(u8::is_ascii_graphic) {
        return Err("a secret has printable characters alone".to_owned());
    }
    let id = str::from_utf8(id).map_err(|_| ScanKeyError::Id.to_string())?;
    ScanKey::new(id, secret).map_err(|error| error.to_string())
}
