// SPDX-License-Identifier: GPL-3.0-or-later
//! Policy delegation, spoken to over a socket: what each request is answered, what happens to peers that are slow, silent,
//! hostile or gone, and what the milter door makes of what was decided here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "policyd/alone.rs"]
mod alone;
#[path = "policyd/beside.rs"]
mod beside;
#[path = "policyd/limits.rs"]
mod limits;
#[allow(dead_code, reason = "the milter's own tests use all of it")]
#[path = "milter/support.rs"]
mod milter_support;
#[path = "policyd/random.rs"]
mod random;
#[path = "common/stand_in.rs"]
mod stand_in;
#[path = "policyd/support.rs"]
mod support;
#[path = "policyd/table.rs"]
mod table;
#[path = "policyd/wire.rs"]
mod wire;
