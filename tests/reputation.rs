// SPDX-License-Identifier: GPL-3.0-or-later
//! What DNSBLs and reverse names tell of a client, against a real name server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "common/mod.rs"]
mod common;
#[path = "reputation/decisions.rs"]
mod decisions;
#[path = "reputation/names.rs"]
mod names;
#[path = "reputation/support.rs"]
mod support;
#[path = "reputation/zones.rs"]
mod zones;
