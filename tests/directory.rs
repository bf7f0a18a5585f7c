// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories, synced from the real servers that they live on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "common/mod.rs"]
mod common;
#[path = "directory/contract.rs"]
mod contract;
#[path = "directory/damage.rs"]
mod damage;
#[path = "directory/sequences.rs"]
mod sequences;
#[path = "directory/servers.rs"]
mod servers;
#[path = "directory/syncs.rs"]
mod syncs;
