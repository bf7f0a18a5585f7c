// SPDX-License-Identifier: GPL-3.0-or-later
//! The door for look-ups in tables: what each table says of each kind of key, and what happens to peers that pipeline, stop
//! within a request, write nonsense, or are gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that fails here says so.

#[path = "socketmap/any.rs"]
mod any;
#[path = "socketmap/connections.rs"]
mod connections;
#[path = "socketmap/support.rs"]
mod support;
#[path = "socketmap/tables.rs"]
mod tables;
#[path = "socketmap/world.rs"]
mod world;
