// SPDX-License-Identifier: GPL-3.0-or-later
//! Where Postern is asked: `[milter]`, `[policyd]` and `[socketmap]`.

use crate::config::placed::Placed;
use schemars::JsonSchema;
use serde::Deserialize;

/// The milter door.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Milter {
    /// Sockets to listen on: `inet:ADDRESS:PORT` (an IPv6 address in brackets), `unix:PATH`, or `systemd:NAME` for a
    /// socket that systemd passes with that `FileDescriptorName`.
    #[schemars(required, length(min = 1))]
    pub listen: Option<Placed<Vec<Placed<String>>>>,
    /// Access rights of unix sockets, in octal.
    #[serde(default = "socket_mode")]
    #[schemars(regex(pattern = r"^0?[0-7]{3}$"))]
    pub socket_mode: Placed<String>,
    /// Group of unix sockets, by name: the one that the MTA runs in. Without it, the group that Postern runs in.
    pub socket_group: Option<Placed<String>>,
    /// How long sessions may go on after Postern was told to stop, such as `500ms`, `30s` or `5m`; at most `1h`.
    #[serde(default = "drain_timeout")]
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h)$"))]
    pub drain_timeout: Placed<String>,
    /// Connections at one time. One too many is closed at once, and the MTA does what its default action says.
    #[serde(default = "max_connections")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Placed<i64>,
}

/// The door for Postfix's policy delegation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Policyd {
    /// Sockets to listen on, written as in `[milter]`; each of them leads to one door only.
    #[schemars(required, length(min = 1))]
    pub listen: Option<Placed<Vec<Placed<String>>>>,
    /// Access rights of unix sockets, in octal.
    #[serde(default = "socket_mode")]
    #[schemars(regex(pattern = r"^0?[0-7]{3}$"))]
    pub socket_mode: Placed<String>,
    /// Group of unix sockets, by name. Without it, the group that Postern runs in.
    pub socket_group: Option<Placed<String>>,
    /// Connections at one time: one for each smtpd process of Postfix.
    #[serde(default = "max_connections")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Placed<i64>,
    /// Whether the messages that are asked about here never come to the milter. Then what is for a whole message (tag,
    /// quarantine, discard) is carried out here, as far as that hurts no other recipient; else the milter does it. Headers
    /// are never seen here: neither loops nor gateways that are known by one. The default is whether there is no `[milter]`.
    pub alone: Option<Placed<bool>>,
}

/// The door for look-ups in tables.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Socketmap {
    /// Sockets to listen on, written as in `[milter]`; each of them leads to one door only.
    #[schemars(required, length(min = 1))]
    pub listen: Option<Placed<Vec<Placed<String>>>>,
    /// Access rights of unix sockets, in octal.
    #[serde(default = "socket_mode")]
    #[schemars(regex(pattern = r"^0?[0-7]{3}$"))]
    pub socket_mode: Placed<String>,
    /// Group of unix sockets, by name. Without it, the group that Postern runs in.
    pub socket_group: Option<Placed<String>>,
    /// Connections at one time: a few for each process of the MTA.
    #[serde(default = "max_connections")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Placed<i64>,
}

fn socket_mode() -> Placed<String> {
    "0660".to_owned().into()
}

fn drain_timeout() -> Placed<String> {
    "30s".to_owned().into()
}

fn max_connections() -> Placed<i64> {
    5000.into()
}
