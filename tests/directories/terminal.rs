// SPDX-License-Identifier: GPL-3.0-or-later
//! The commands on a terminal: how far they are, and Ctrl-C.

use crate::common::leash::signal;
use crate::common::wait::{SOON, wait_for, wait_until};
use crate::house::House;
use nix::sys::stat::Mode;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

#[test]
fn progress_is_for_terminals() {
    let house = House::new();
    house.export(0..20_000);
    let command = format!("{} directories sync --config postern.toml", env!("CARGO_BIN_EXE_postern"));
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(house.dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("script (apt-get install bsdutils)");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && shown.contains("40,000 addresses"), "{shown}");
    assert!(shown.contains("asking") && shown.contains("comparing"), "{shown}");
    house.says("sync", 0, &["staff 40,000 addresses, nothing has changed"]);
}

/// The file that is imported is a pipe, so that the command waits in the middle of it.
#[test]
fn an_interrupt_leaves_everything_as_it_was() {
    let house = House::new();
    house.dir.write("people.csv", "mail\nm1@manual.example\n");
    house.says("import manual people.csv", 0, &["1 address"]);
    let before = house.json("--json", 0);
    let pipe = house.dir.join("pipe.csv");
    nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let mut import = house.command(&["import", "manual", "pipe.csv"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut writer = wait_for("the command to read", SOON, || {
        OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&pipe).ok()
    });
    writer.write_all(b"mail\nm2@manual.example\n").unwrap();
    signal(import.id(), "INT");
    // It hears it between two rows; a second one would end it at once.
    let mut rows = 0..u64::MAX;
    let status = wait_for("the command to end", SOON, || {
        let text: Vec<String> = rows.by_ref().take(500).map(|n| format!("x{n}@manual.example\n")).collect();
        drop(writer.write_all(text.concat().as_bytes()));
        import.try_wait().unwrap()
    });
    let mut said = String::new();
    import.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(status.code() == Some(2) && said.contains("interrupted"), "{status} {said}");
    let mut after = house.json("--json", 0);
    // Time goes on.
    for (before, after) in before.as_array().unwrap().iter().zip(after.as_array_mut().unwrap()) {
        after["age"] = before["age"].clone();
    }
    assert_eq!(before, after);
    wait_until("nothing to be left", SOON, || {
        let left = std::fs::read_dir(house.dir.join("state/directories/manual")).unwrap();
        left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
    });
}
