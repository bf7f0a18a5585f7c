// SPDX-License-Identifier: GPL-3.0-or-later
//! Looking at mailbox servers: hosts that do as they should and hosts that do everything else, the commands, and a service
//! whose hosts go and come back. Real Postfix and Sendmail are looked at in tests/mta.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "servers/commands.rs"]
mod commands;
#[path = "common/mod.rs"]
mod common;
#[path = "servers/names.rs"]
mod names;
#[path = "servers/peer.rs"]
mod peer;
#[path = "servers/peers.rs"]
mod peers;
#[path = "servers/service.rs"]
mod service;
