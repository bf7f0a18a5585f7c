// SPDX-License-Identifier: GPL-3.0-or-later
//! `[loop]`.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::Loops;
use crate::config::table::Table;
use crate::config::wording::quoted;

/// Most passes or hops that may be asked for. MTAs themselves give up at 25 to 100.
const MAX_HOPS: i64 = 1000;

/// Whether this can be a loop token, which stands alone in a header line: 1 to 253 letters, digits, `.`, `-`, `_`.
pub fn is_loop_id(id: &str) -> bool {
    (1..=253).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

impl Check<'_> {
    pub(super) fn loops(&mut self, table: &Table<file::Loop>) -> Loops {
        let file::Loop { id, max_passes, max_received } = &***table;
        if let Some(id) = id.as_ref().filter(|id| !is_loop_id(id)) {
            let help =
                "write letters, digits, `.`, `-` and `_`, at most 253, such as this machine's host name";
            self.error(id, format!("{} cannot be a loop token", quoted(id)), help);
        }
        Loops {
            id: id.as_ref().map(|id| id.as_str().into()),
            max_passes: self.hops(max_passes, "max_passes"),
            max_received: self.hops(max_received, "max_received"),
            place: self.place(table),
        }
    }

    fn hops(&mut self, written: &Placed<i64>, key: &str) -> u32 {
        if (0..=MAX_HOPS).contains(&**written)
            && let Ok(number) = u32::try_from(**written)
        {
            return number;
        }
        let help = format!("write a number from 1 to {MAX_HOPS}, or 0 to turn the check off");
        self.error(written, format!("`{key}` cannot be {}", **written), help);
        0
    }
}
