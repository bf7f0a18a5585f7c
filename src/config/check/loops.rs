// SPDX-License-Identifier: GPL-3.0-or-later
//! `[loop]`.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::settings::Loops;
use crate::config::wording::quoted;

/// Most passes or hops that may be asked for. MTAs themselves give up at 50 or 100.
const MAX_HOPS: i64 = 1000;

/// Whether this can be a loop token: it stands alone in a header line.
pub fn is_loop_id(id: &str) -> bool {
    (1..=253).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

impl Check<'_> {
    pub(super) fn loops(&mut self, table: &file::Loop) -> Loops {
        let file::Loop { id, max_passes, max_received } = table;
        if let Some(id) = id.as_ref().filter(|id| !is_loop_id(id)) {
            let problem = self.error(id, format!("{} cannot be a loop token", quoted(id))).help(
                "write letters, digits, `.`, `-` and `_`, at most 253, such as this machine's host name",
            );
            self.problems.push(problem);
        }
        let place = self.table_place("loop");
        Loops {
            id: id.as_ref().map(|id| id.as_str().into()),
            max_passes: self.hops(max_passes, "max_passes"),
            max_received: self.hops(max_received, "max_received"),
            place,
        }
    }

    fn hops(&mut self, written: &Placed<i64>, key: &str) -> u32 {
        if (0..=MAX_HOPS).contains(&**written)
            && let Ok(number) = u32::try_from(**written)
        {
            return number;
        }
        let problem = self.error(written, format!("`{key}` cannot be {}", **written));
        self.problems
            .push(problem.help(format!("write a number from 1 to {MAX_HOPS}, or 0 to turn the check off")));
        0
    }
}
