// SPDX-License-Identifier: GPL-3.0-or-later
//! The commands as a user meets them: transcripts of `postern` in a shell, a running service and other milters to ask,
//! help texts, man pages and completions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test that fails here says so.

#[path = "common/mod.rs"]
mod common;
#[path = "cli/fake.rs"]
mod fake;
#[path = "cli/lines.rs"]
mod lines;
#[path = "cli/live.rs"]
mod live;
#[path = "cli/manual.rs"]
mod manual;
#[path = "cli/sockets.rs"]
mod sockets;
#[path = "cli/transcript.rs"]
mod transcript;
#[path = "cli/words.rs"]
mod words;
