// SPDX-License-Identifier: GPL-3.0-or-later
//! What the test binaries share: directories, addresses, the edges of networks, waiting, an SMTP client, an SMTP sink, a
//! name server, and Postern itself as a child process.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

pub(crate) mod address;
pub(crate) mod dir;
pub(crate) mod edges;
pub(crate) mod leash;
pub(crate) mod name_server;
pub(crate) mod postern;
pub(crate) mod sink;
pub(crate) mod smtp;
pub(crate) mod wait;
