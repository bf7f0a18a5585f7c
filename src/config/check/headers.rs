// SPDX-License-Identifier: GPL-3.0-or-later
//! What only the milter sees: the headers of a message. Policy delegation is asked before they come.

use super::Check;
use crate::config::file::{self, Named};
use crate::config::placed::Placed;
use crate::config::settings::Gateway;
use crate::config::table::Table;
use crate::config::wording::quoted;
use crate::policy::Require;

impl Check<'_> {
    /// Says what needs the milter where mail is decided about without one.
    pub(super) fn without_headers(
        &mut self,
        policyd: &Table<file::Policyd>,
        has_milter: bool,
        tables: &Named<file::Gateway>,
        gateways: &[Gateway],
        loops: &Table<file::Loop>,
    ) {
        if self.lost.touches(&["milter"]) {
            return;
        }
        let alone = policyd.alone.as_ref().filter(|alone| ***alone && has_milter);
        if has_milter && alone.is_none() {
            return;
        }
        for gateway in gateways {
            let requires = match gateway.require {
                Require::Any => false,
                Require::All { address: _, certificate: _, header } => header,
            };
            let Some((name, table)) = tables.get_key_value(&*gateway.name) else { continue };
            if requires {
                self.unseen_header(name, table, alone);
            }
            if let Some(behind) = table.behind.as_ref().filter(|_| !has_milter && gateway.behind.is_some()) {
                let what = "only the milter sees who is behind a gateway, and there is no [milter]";
                self.warning(behind, what, "write [milter], or take it out");
            }
        }
        let is_on = *loops.max_passes > 0 || *loops.max_received > 0;
        if !has_milter && loops.span().is_some() && is_on {
            let what = "only the milter sees loops, and there is no [milter]";
            self.note(loops, what, "loops are then for the MTA to find: `hopcount_limit` of Postfix");
        }
    }

    fn unseen_header(
        &mut self,
        name: &Placed<String>,
        table: &Table<file::Gateway>,
        alone: Option<&Placed<bool>>,
    ) {
        if let Some(alone) = alone {
            let what = format!(
                "the gateway {} is known by a header, which only the milter sees: what is asked about here cannot be told \
                 to come from it",
                quoted(name)
            );
            self.warning(alone, what, "leave it out where the milter sees the message, too");
            return;
        }
        let what = format!(
            "only the milter sees headers, and there is no [milter]: nobody could be {}",
            quoted(name)
        );
        let help = "write [milter], or take the header out of what the gateway requires";
        match &table.header {
            Some(header) => self.error(header, what, help),
            None => self.error(name, what, help),
        }
    }
}
