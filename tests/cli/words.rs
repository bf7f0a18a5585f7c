// SPDX-License-Identifier: GPL-3.0-or-later
//! What `try`, `test`, `check` and `run` print, word for word.

use crate::common::dir::TestDir;
use crate::transcript::Shell;

#[test]
fn a_message_is_tried() {
    Shell::new().replay("try.txt");
}

#[test]
fn a_trial_for_programs() {
    Shell::new().replay("try-json.txt");
}

#[test]
fn factors_are_tried() {
    Shell::new().replay("factors.txt");
}

#[test]
fn recipients_are_tried() {
    Shell::new().replay("recipients.txt");
}

#[test]
fn servers_are_shown() {
    Shell::new().replay("servers.txt");
}

#[test]
fn cases_are_run() {
    let dir = TestDir::new();
    Shell::new().with("DIR", dir.path().to_str().unwrap()).replay("test.txt");
}

#[test]
fn commands_that_cannot_do_their_work() {
    let dir = TestDir::new();
    Shell::new().with("DIR", dir.path().to_str().unwrap()).replay("failures.txt");
}

#[test]
fn routes_are_explained() {
    let dir = TestDir::new();
    Shell::new().with("DIR", dir.path().to_str().unwrap()).replay("route.txt");
}
