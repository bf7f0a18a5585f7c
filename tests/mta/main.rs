// SPDX-License-Identifier: GPL-3.0-or-later
//! Postern with real mail servers: the same dialogues through a private Postfix and a private Sendmail.
//!
//! Each test starts the servers that it needs on loopback addresses of its own and stops them, so the
//! tests run in parallel. They need root, and what tests/install.sh installs.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod authority;
#[path = "../common/mod.rs"]
mod common;
mod dialogue;
mod directories;
mod directory_outage;
mod doors;
mod estate;
mod factors;
mod gate;
mod hidden;
mod house;
mod life;
mod lines;
mod message;
mod mta;
mod outage;
mod plain;
mod play;
mod policyd;
mod postfix;
mod reputation;
mod routes;
mod rules;
mod scan;
mod sendmail;
mod servers;
mod socketmap;
mod special;
mod spelling;
mod spf;
#[allow(dead_code, reason = "ten of its cases are looked at")]
#[path = "../dns/table.rs"]
mod table;
mod verdicts;
