// SPDX-License-Identifier: GPL-3.0-or-later
//! The milter door, spoken to packet by packet: what is negotiated, what each packet is answered, what a message's end
//! edits, and what happens to peers that are slow, silent, hostile or gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "milter/factors.rs"]
mod factors;
#[path = "milter/libmilter.rs"]
mod libmilter;
#[path = "milter/limits.rs"]
mod limits;
#[path = "milter/messages.rs"]
mod messages;
#[path = "milter/order.rs"]
mod order;
#[path = "milter/others.rs"]
mod others;
#[path = "milter/scan.rs"]
mod scan;
#[path = "common/stand_in.rs"]
mod stand_in;
#[path = "milter/support.rs"]
mod support;
