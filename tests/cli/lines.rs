// SPDX-License-Identifier: GPL-3.0-or-later
//! postfix/main.cf and examples/sendmail/postern.mc are what `postern mta` prints for examples/full.toml, below a heading of
//! their own; `POSTERN_BLESS` renews them.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Ends the heading.
const MARK: &str = "----";

#[test]
fn what_goes_into_main_cf() {
    // A Postfix that is not the one here, and where no system differs from another.
    same("postfix/main.cf", &["postfix", "--postfix-version", "3.7", "--postscreen"]);
}

#[test]
fn what_goes_into_sendmail_mc() {
    same("examples/sendmail/postern.mc", &["sendmail"]);
}

fn same(file: &str, arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_postern"))
        .current_dir(root)
        .arg("mta")
        .args(arguments)
        .args(["--config", "examples/full.toml"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = here(&String::from_utf8(output.stdout).unwrap());
    let text = fs::read_to_string(root.join(file)).unwrap();
    let (heading, rest) =
        text.split_once(MARK).and_then(|(heading, rest)| Some((heading, rest.split_once('\n')?))).unwrap();
    if std::env::var_os("POSTERN_BLESS").is_some() {
        fs::write(root.join(file), format!("{heading}{MARK}{}\n{printed}", rest.0)).unwrap();
        return;
    }
    assert_eq!(here(rest.1), printed, "{file} is not what `postern mta` prints");
}

/// Where the authorities of this system are differs from others.
fn here(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("smtp_tls_CAfile = ") {
        Some(_) => "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n".to_owned(),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
