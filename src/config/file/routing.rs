// SPDX-License-Identifier: GPL-3.0-or-later
//! Where mail goes on to: `[server.NAME]`, `[[route]]`, `[domain.X.scan]` and `[scan]`.

use crate::config::placed::Placed;
use crate::config::text_or::TextOr;
use crate::config::words::{OnReturn, OnScannerDown, ServerType, TlsWish};
use schemars::JsonSchema;
use serde::Deserialize;

/// A mailbox server, or a gateway that mail is sent through.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Server {
    /// What it is; it says what a connection must be where `tls` is not written, and which certificate to expect.
    #[serde(default, rename = "type")]
    pub kind: Placed<ServerType>,
    /// Its hosts, tried in this order: `mail.example.com`, `192.0.2.7` or `[2001:db8::1]`, each with `:PORT` behind it or
    /// else at port 25, or `mx:example.com` for the hosts in a domain's MX record. A host that is written in two servers
    /// must have the same `tls` and `certificate` in both.
    #[schemars(required, length(min = 1))]
    pub hosts: Option<Placed<Vec<Placed<String>>>>,
    /// What a connection to it must be. The default is `may`, for `microsoft365` it is `verify`.
    pub tls: Option<Placed<TlsWish>>,
    /// Names of which its certificate must have one, with `tls = "verify"`: `mail.example.com`, or `*.example.com` for any
    /// host below. Without this key it is the name of the host, behind `mx:` that of the domain or a host below it, and for
    /// `microsoft365` that of any host of Exchange Online.
    #[schemars(length(min = 1))]
    pub certificate: Option<Placed<Vec<Placed<String>>>>,
    /// How often it is looked whether its hosts take connections, such as `30s`; from `5s` to `1h`. One that refuses
    /// steps back behind the others until it takes them again. Without this key nobody looks.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h)$"))]
    pub health: Option<Placed<String>>,
}

/// A routing rule. Without `groups` and `recipients` it is for everyone in its domains.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Route {
    /// Its name, for the log and for `postern route`: letters, digits, `.`, `-` and `_`, at most 64. No two have the same.
    #[schemars(required)]
    pub name: Option<Placed<String>>,
    /// Groups whose members it is for, by name in any case, of whatever directory has them; or
    /// `{ directory = "ad", name = "Sales" }`. A `list` has no groups.
    #[schemars(length(min = 1))]
    pub groups: Option<Placed<Vec<Placed<TextOr<GroupOf>>>>>,
    /// Addresses that it is for besides. Each must be in one of the rule's domains.
    #[schemars(length(min = 1))]
    pub recipients: Option<Placed<Vec<Placed<String>>>>,
    /// Listed domains that it is for, as they are listed: `example.com` does not stand for `*.example.com`. It is for their
    /// other names (`alias_of`), too; one of these stands for itself alone. Without this key, it is for all domains.
    #[schemars(length(min = 1))]
    pub domains: Option<Placed<Vec<Placed<String>>>>,
    /// The server that their mail goes to.
    #[schemars(required)]
    pub to: Option<Placed<String>>,
}

/// A group of one directory.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GroupOf {
    /// The directory.
    #[schemars(required)]
    pub directory: Option<Placed<String>>,
    /// The group's name in it, in any case.
    #[schemars(required)]
    pub name: Option<Placed<String>>,
}

/// How a domain's mail is scanned. This needs `[milter]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct DomainScan {
    /// The server that scans it. Its name has no dots. No mail of the domain may go on to it when it was scanned.
    #[schemars(required)]
    pub via: Option<Placed<String>>,
    /// The gateway that it comes back from, which need not be among the domain's `gateways`. Without this key, the one of the
    /// server's name.
    pub gateway: Option<Placed<String>>,
    /// What shows that it was scanned. For `strip`, the gateway must have a `header` and require it.
    #[serde(default)]
    pub on_return: Placed<OnReturn>,
    /// How long a scan may take, such as `4h`, from `1m` to `90d`: mail that comes back later is scanned again.
    #[serde(default = "valid")]
    #[schemars(regex(pattern = r"^[0-9]+(s|m|h|d)$"))]
    pub valid: Placed<String>,
    /// What happens while the scanner is down. For `deliver`, the server must have `health`.
    #[serde(default)]
    pub on_scanner_down: Placed<OnScannerDown>,
}

/// The keys that scan tokens are signed with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Scan {
    /// The file that they are kept in, for several machines to share; whoever brings it there renews them. Without this key,
    /// a file in `state_dir` that Postern writes itself.
    pub keys: Option<Placed<String>>,
    /// How often a new key is made, from `1h` to `90d`; the old one counts for as long as mail may be away with it. Not beside
    /// `keys`.
    #[serde(default = "rotate")]
    #[schemars(regex(pattern = r"^[0-9]+(h|d)$"))]
    pub rotate: Placed<String>,
}

impl Default for Scan {
    fn default() -> Self {
        Self { keys: None, rotate: rotate() }
    }
}

fn valid() -> Placed<String> {
    "24h".to_owned().into()
}

fn rotate() -> Placed<String> {
    "30d".to_owned().into()
}
