// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of the network: `[dns]` and `[reputation]`.

use crate::config::placed::Placed;
use crate::config::text_or::TextOr;
use crate::config::words::ReverseName;
use schemars::JsonSchema;
use serde::Deserialize;

/// Whom names are asked of.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Dns {
    /// Name servers by their address, `192.0.2.53`, `192.0.2.53:5353` or `[2001:db8::53]:53`; the port is 53 unless it
    /// is written. Without this key, those of the system.
    #[schemars(length(min = 1))]
    pub servers: Option<Placed<Vec<Placed<String>>>>,
    /// Whether answers are validated here (DNSSEC). What does not validate counts as no answer.
    #[serde(default)]
    pub dnssec: bool,
}

/// What is asked about clients that are no gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Reputation {
    /// Block lists (DNSBL) by their zone. One that counts more than the others is written as a table,
    /// `{ zone = "bl.example", weight = 2 }`.
    #[schemars(length(min = 1))]
    pub dnsbl: Option<Placed<Vec<Placed<TextOr<Dnsbl>>>>>,
    /// From which sum of weights on a client counts as listed. The default is 1: any list is enough.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub threshold: Option<Placed<i64>>,
    /// What the reverse name of a client must be.
    #[serde(default)]
    pub reverse_name: ReverseName,
}

/// A block list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Dnsbl {
    /// Its zone, such as `bl.example`.
    #[schemars(required)]
    pub zone: Option<Placed<String>>,
    /// What a listing counts; without this key, 1.
    #[schemars(range(min = 1, max = 1000))]
    pub weight: Option<Placed<i64>>,
}
