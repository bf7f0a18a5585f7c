// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories of type `sql`.

use super::At;
use crate::config::check::Check;
use crate::config::file;
use crate::config::settings::Sql;
use crate::config::wording::quoted;

impl Check<'_> {
    pub(super) fn sql(&mut self, at: &At<'_>) -> Option<Sql> {
        let file::Directory { url, password, ca, query, groups_query, .. } = at.table;
        if url.is_none() {
            self.missing(at, "url", "write the database: `url = \"postgres://postern@db.example.com/mail\"`");
        }
        if query.is_none() {
            self.missing(
                at,
                "query",
                "write the query for addresses: `query = \"SELECT address FROM mailbox\"`",
            );
        }
        let mut sqlite = None;
        if let Some(url) = url {
            if let Some(file) = url.strip_prefix("sqlite:") {
                sqlite = Some(self.path(&crate::config::placed::Placed::at(url, file.to_owned())));
            } else if !["postgres://", "postgresql://", "mysql://", "mariadb://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
            {
                let help = "write \"postgres://user@host/database\", \"mysql://user@host/database\" or \"sqlite:FILE\"";
                self.error(url, format!("{} is no database", quoted(url)), help);
            }
        }
        let ca = ca.as_ref().and_then(|ca| self.certificates(ca));
        let password = self.password_of(at, "password", password.as_ref());
        Some(Sql {
            url: url.as_ref()?.as_str().into(),
            sqlite,
            password,
            ca,
            query: query.as_ref()?.as_str().into(),
            groups_query: groups_query.as_ref().map(|query| query.as_str().into()),
        })
    }
}
