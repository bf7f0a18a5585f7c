// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern run` as a process: signals, reloads, limits, systemd's protocols, the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "service/asking.rs"]
mod asking;
#[path = "common/mod.rs"]
mod common;
#[path = "service/directories.rs"]
mod directories;
#[path = "service/limits.rs"]
mod limits;
#[path = "service/log.rs"]
mod log;
#[path = "service/refresh.rs"]
mod refresh;
#[path = "service/reload.rs"]
mod reload;
#[path = "service/routes.rs"]
mod routes;
#[path = "service/scan.rs"]
mod scan;
#[path = "service/session.rs"]
mod session;
#[path = "service/shared.rs"]
mod shared;
#[path = "service/stop.rs"]
mod stop;
#[path = "service/systemd.rs"]
mod systemd;
