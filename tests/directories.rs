// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern directories`: every command, on exports that change, with a server running and without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "directories/alone.rs"]
mod alone;
#[path = "directories/beside.rs"]
mod beside;
#[path = "common/mod.rs"]
mod common;
#[path = "directories/house.rs"]
mod house;
#[allow(dead_code, reason = "an MTA's session alone is used of it")]
#[path = "service/session.rs"]
mod session;
#[path = "directories/terminal.rs"]
mod terminal;
