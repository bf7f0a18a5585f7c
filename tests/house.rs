// SPDX-License-Identifier: GPL-3.0-or-later
//! The house stands: rooms import from lower floors only, pure rooms stay pure, every file says its licence, and every
//! dependency's licence and source is one that `deny.toml` allows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "house/dependencies.rs"]
mod dependencies;
#[path = "house/floors.rs"]
mod floors;
