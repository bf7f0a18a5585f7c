// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of the domain name system and what is made of it, against a real name server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "common/mod.rs"]
mod common;
#[path = "dns/large.rs"]
mod large;
#[path = "dns/live.rs"]
mod live;
#[path = "dns/memory.rs"]
mod memory;
#[path = "dns/random.rs"]
mod random;
#[path = "dns/resolver.rs"]
mod resolver;
#[path = "dns/spf.rs"]
mod spf;
#[path = "dns/table.rs"]
mod table;
