// SPDX-License-Identifier: GPL-3.0-or-later
//! `[gateway.NAME]`: where a gateway's addresses come from, and by what else it is known.

use crate::config::placed::Placed;
use crate::config::table::Table;
use crate::config::text_or::{OneOrMore, TextOr};
use crate::config::words::{Behind, FeedFormat, Require};
use schemars::JsonSchema;
use serde::Deserialize;

/// Who may hand us mail. It is known by its addresses, which come from at least one of `provider`, `networks`, `files`,
/// `spf`, `hosts` and `feed`, or by its `certificate`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    { "required": ["provider"] }, { "required": ["networks"] }, { "required": ["files"] }, { "required": ["spf"] },
    { "required": ["hosts"] }, { "required": ["feed"] }, { "required": ["certificate"] },
]))]
pub(in crate::config) struct Gateway {
    /// A provider that Postern knows, and its region: `trend-micro/eu`. `postern gateways providers` lists them.
    pub provider: Option<Placed<String>>,
    /// What this provider calls you by, where it has addresses for each customer: a code or a domain.
    pub customer: Option<Placed<String>>,
    /// Its networks in CIDR notation, or single addresses.
    #[schemars(length(min = 1))]
    pub networks: Option<Placed<Vec<Placed<String>>>>,
    /// Files of networks: one network or address a line, `#` begins a comment.
    #[schemars(length(min = 1))]
    pub files: Option<Placed<Vec<Placed<String>>>>,
    /// Names as they stand behind `include:` in an SPF record; what they publish is kept fresh. A name may have the
    /// macros of RFC 7208 for the client's address, such as `%{ir}.%{v}.example.com`, and an `exists:` in front.
    #[schemars(length(min = 1))]
    pub spf: Option<Placed<Vec<Placed<String>>>>,
    /// Hosts; their addresses are kept fresh.
    #[schemars(length(min = 1))]
    pub hosts: Option<Placed<Vec<Placed<String>>>>,
    /// Documents behind HTTPS that list its networks; they are kept fresh. A URL, a table `[gateway.NAME.feed]`, or
    /// several of either in a list.
    pub feed: Option<Placed<OneOrMore<TextOr<Feed>>>>,
    /// Names of which its TLS client certificate must have one as its common name: `mail.example.com`, or
    /// `*.example.com` for any host right below. The MTA has to ask for certificates, and to trust who signed it.
    #[schemars(length(min = 1))]
    pub certificate: Option<Placed<Vec<Placed<String>>>>,
    /// SHA-256 of its TLS client certificates, or of their public keys, one of which will do as well as a name: 64
    /// hexadecimal digits, with or without colons, or `sha256/` and BASE64. Nobody has to have signed such a certificate.
    /// Postfix tells of fingerprints by policy delegation only, so there must be a `[policyd]`.
    #[schemars(length(min = 1))]
    pub fingerprint: Option<Placed<Vec<Placed<String>>>>,
    /// A header line that only this gateway knows how to write. It is taken off before the mail is delivered.
    pub header: Option<Table<Header>>,
    /// Which of `address`, `certificate` (by name or fingerprint) and `header` a client must show to be this gateway: `"all"` that are written
    /// here, which is the default, `"any"` of address and certificate, or a list of those that count. A header is
    /// never enough alone.
    pub require: Option<Placed<Require>>,
    /// Networks outside of which nothing that is published is believed.
    #[schemars(length(min = 1))]
    pub subset_of: Option<Placed<Vec<Placed<String>>>>,
    /// How long a network stays that is no longer published, such as `90m`, `72h` or `3d`; at most `90d`. The default
    /// is `72h`.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub removal_hold: Option<Placed<String>>,
    /// How many percent of what is published may go at once; where more is gone, the last good set stays. The default
    /// is 30.
    #[schemars(range(min = 0, max = 100))]
    pub max_shrink: Option<Placed<i64>>,
    /// What is asked for when the client in front of this gateway is on the block lists of `[reputation]`: `"tag"`,
    /// which `true` stands for, or `"quarantine"`. By default that is not looked at.
    pub behind: Option<Placed<Behind>>,
    /// Whether private addresses among its networks are meant, and an address that many clients seem to hide behind is
    /// this gateway all the same.
    #[serde(default)]
    pub accept_private: bool,
}

/// A document with networks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Feed {
    /// Where it is; `https:` always.
    #[schemars(required, regex(pattern = r"^[Hh][Tt][Tt][Pp][Ss]://"))]
    pub url: Option<Placed<String>>,
    /// How it is written. Without this key, the host and the ending of the URL tell.
    pub format: Option<FeedFormat>,
    /// A file with the certificates (PEM) of those who may vouch for the server, instead of the system's.
    pub ca: Option<Placed<String>>,
    /// SHA-256 of public keys, one of which the server's certificate must have: `sha256/` and BASE64, or hexadecimal.
    #[schemars(length(min = 1))]
    pub pin: Option<Placed<Vec<Placed<String>>>>,
}

/// A header line that only the gateway knows how to write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Header {
    /// Its name, such as `X-MMCloud-ID`.
    #[schemars(required)]
    pub name: Option<Placed<String>>,
    /// The secret that is its value, 8 to 1024 octets: `{ file = "secret.txt" }`, `{ credential = "NAME" }` for one that
    /// systemd passes, or the text itself; several in a list while one follows another.
    #[schemars(required)]
    pub value: Option<Placed<OneOrMore<TextOr<SecretSource>>>>,
}

/// Where a secret is kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SecretSource {
    /// A file that holds nothing else; others than its owner and group may not read it (`chmod 640`).
    pub file: Option<Placed<String>>,
    /// The name of a credential that systemd passes to the service (`LoadCredential=`).
    pub credential: Option<Placed<String>>,
    /// The name of an environment variable.
    pub environment: Option<Placed<String>>,
}
