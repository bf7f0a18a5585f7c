// SPDX-License-Identifier: GPL-3.0-or-later
//! `[directory.NAME]`: where recipients are known, and what a sync of them may change by itself.
//!
//! One flat table for all types, because that is how it reads; which key belongs to which type is for the check.

use crate::config::placed::Placed;
use crate::config::table::Table;
use crate::config::text_or::{OneOrMore, TextOr};
use crate::config::words::{Cloud, DirectoryType, Included, LdapSchema};
use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretSource;

/// Who exists.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Directory {
    /// What kind of source it is.
    #[schemars(required)]
    #[serde(rename = "type")]
    pub kind: Option<DirectoryType>,

    /// The file of a `list`, `csv` or `ldif`. In a `list`: one address a line, or `@example.com` for every address of a
    /// domain; a line that begins with `#` is a comment. A `csv` without a file holds what `postern directories import`
    /// is given.
    pub path: Option<Placed<String>>,

    /// How often it is synced, such as `15m` or `1h`; from `10s` to `30d`. The default is `15m`, and `1m` for files, which are
    /// read only when they have changed. A `list` is read at start and reload alone, unless this is written.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub refresh: Option<Placed<String>>,
    /// How many percent of its recipients may go in one sync, at least 10 of them; where more are gone, nothing changes until
    /// `postern directories accept`. The default is 10.
    #[schemars(range(min = 0, max = 100))]
    pub max_removed: Option<Placed<i64>>,
    /// How many percent of its addresses may be invalid, at least 10 of them; with more, a sync has failed. The default is 5.
    #[schemars(range(min = 0, max = 100))]
    pub max_invalid: Option<Placed<i64>>,
    /// How long a recipient stays that is gone, such as `24h`, which is the default; at most `90d`.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub removal_grace: Option<Placed<String>>,
    /// From which age on its data are no proof any more that somebody does not exist, such as `7d`: such mail is then
    /// deferred. By default they always are.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub max_age: Option<Placed<String>>,
    /// How many snapshots are kept for `postern directories rollback`, the one in force among them; from 1 to 100. The default is 5.
    #[schemars(range(min = 1, max = 100))]
    pub keep: Option<Placed<i64>>,
    /// Which objects are recipients, where the source tells what they are: `users`, `shared`, `rooms`, `groups`, `contacts`,
    /// `public-folders`. The default is all of them.
    #[schemars(length(min = 1))]
    pub include: Option<Placed<Vec<Placed<Included>>>>,
    /// Whether an address may have `*` in its local part, for any text: `bounces-*@example.com`.
    pub patterns: Option<Placed<bool>>,
    /// How long the source may keep a sync waiting for its next answer, such as `30s`, which is the default; at most `10m`.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub timeout: Option<Placed<String>>,

    /// For `csv`: what parts the columns, `","`, `";"`, `"|"` or `"\t"`. By default the header tells.
    pub delimiter: Option<Placed<String>>,
    /// For `csv` and `ldif`: the character encoding, such as `windows-1252`. By default a byte order mark tells, and without one it
    /// is UTF-8.
    pub encoding: Option<Placed<String>>,
    /// For `csv`: the names of its columns. By default exports of Microsoft 365, Exchange and Google Workspace are known.
    pub columns: Option<Table<Columns>>,

    /// For `ldap`: its servers in the order they are tried, `ldaps://dc1.example.com` or `ldap://dc1.example.com:3268`. One that
    /// does not let us in ends the sync.
    #[schemars(length(min = 1))]
    pub servers: Option<Placed<Vec<Placed<String>>>>,
    /// For `ldap`: whether TLS is begun on `ldap://` connections (`StartTLS`). The default is `true`. Without it a password is
    /// sent to this machine only.
    pub start_tls: Option<Placed<bool>>,
    /// For `ldap`, `sql` and `graph`: a file with the certificates (PEM) of those who may vouch for the server, instead of the
    /// system's; for `sql` besides them.
    pub ca: Option<Placed<String>>,
    /// For `ldap`: as whom to bind. Without it and without `certificate`, the bind is anonymous.
    pub bind_dn: Option<Placed<String>>,
    /// For `ldap` and `sql`: the password, `{ file = "secret.txt" }`, `{ credential = "NAME" }` for one that systemd passes, or
    /// `{ environment = "NAME" }`.
    pub password: Option<Placed<TextOr<SecretSource>>>,
    /// For `ldap` (SASL EXTERNAL) and `graph`: a file with our certificate (PEM).
    pub certificate: Option<Placed<String>>,
    /// For `ldap` and `graph`: a file with the key of `certificate` (PEM), for `graph` one of RSA; others than its owner and group may
    /// not read it.
    pub key: Option<Placed<String>>,
    /// For `ldap`: where to search, one DN or several.
    pub base: Option<Placed<OneOrMore<String>>>,
    /// For `ldap` and `ldif`: how the directory is made; it sets `filter` and `attributes`. The default is `active-directory`.
    pub preset: Option<Placed<LdapSchema>>,
    /// For `ldap`: which entries are recipients, instead of the preset's filter (RFC 4515).
    pub filter: Option<Placed<String>>,
    /// For `ldap`, `ldif` and `graph`: where an entry keeps what, instead of the preset's names.
    pub attributes: Option<Table<Attributes>>,
    /// For `ldap`: entries to a page, from 1 to 10000. The default is 500.
    #[schemars(range(min = 1, max = 10_000))]
    pub page_size: Option<Placed<i64>>,
    /// For `ldap` and `graph`: whether only changes are asked for where the server can tell them. The default is `true`.
    /// An `ldap` is asked for everything once a day even so: not every server tells everybody of what was deleted.
    pub incremental: Option<Placed<bool>>,

    /// For `sql`: the database, `postgres://user@host/database`, `mysql://user@host/database` or `sqlite:FILE`, without the
    /// password. `?socket=/run/postgresql` names a unix socket instead of the host. The server must show a certificate for the
    /// host's name, unless it is on this machine or `?sslmode=` says otherwise: `verify-full`, `require`, `disable`.
    pub url: Option<Placed<String>>,
    /// For `sql`: a query that gives an address a row, in its column `address` or its first one; `@example.com` stands for every
    /// address of the domain. A column `kind`, or the second of two, may name what it is (`user`, `group`, ...), a column
    /// `internal_only` whether only internal clients may write to it. Both queries are asked in one read-only transaction.
    pub query: Option<Placed<String>>,
    /// For `sql`: a query that gives a member a row: the group's name, and an address that is in it, also in columns `group` and
    /// `member`.
    pub groups_query: Option<Placed<String>>,

    /// For `graph`: the tenant, by its id or a domain of it.
    pub tenant: Option<Placed<String>>,
    /// For `graph`: the id of the application that is registered for Postern.
    pub client_id: Option<Placed<String>>,
    /// For `graph`: the application's client secret, written like `password`; or `certificate` and `key`.
    pub secret: Option<Placed<TextOr<SecretSource>>>,
    /// For `graph`: which of Microsoft's clouds. The default is `global`.
    pub cloud: Option<Placed<Cloud>>,
    /// For `graph`: where Graph is, instead of the cloud's address: `https://` and a host.
    pub graph_url: Option<Placed<String>>,
    /// For `graph`: where tokens are got, instead of the cloud's address: `https://` and a host.
    pub login_url: Option<Placed<String>>,
}

/// The columns of a CSV file, by the names in its first line, in any case.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Columns {
    /// Those with addresses.
    #[schemars(required, length(min = 1))]
    pub addresses: Option<Placed<Vec<Placed<String>>>>,
    /// The one with the names of the groups that a recipient is in.
    pub groups: Option<Placed<String>>,
    /// The one that says what the recipient is: a mailbox, a group, a contact.
    pub kind: Option<Placed<String>>,
    /// The one that says whether only internal clients may write to it.
    pub internal_only: Option<Placed<String>>,
}

/// The attributes of an entry, in any case.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Attributes {
    /// Those with addresses.
    #[schemars(length(min = 1))]
    pub addresses: Option<Placed<Vec<Placed<String>>>>,
    /// Those of a group with its members.
    #[schemars(length(min = 1))]
    pub members: Option<Placed<Vec<Placed<String>>>>,
    /// The one that groups are named by.
    pub name: Option<Placed<String>>,
    /// The one that says whether only internal clients may write to it.
    pub internal_only: Option<Placed<String>>,
}
