// SPDX-License-Identifier: GPL-3.0-or-later
//! Feeds, read from a real TLS server whose certificate a CA of the test's own has signed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "feed/answers.rs"]
mod answers;
#[path = "common/mod.rs"]
mod common;
#[path = "feed/server.rs"]
mod server;
#[path = "feed/trust.rs"]
mod trust;
