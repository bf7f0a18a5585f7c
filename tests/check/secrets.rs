// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets of gateways: where they are read from, and that no report of a problem shows one.

use crate::{Scratch, cases};
use postern::cli::assemble::assemble;
use std::fs;
use std::path::Path;

/// Git keeps no access rights beyond the owner's, and secrets are judged by them.
pub(crate) fn restore_access_rights() {
    use std::os::unix::fs::PermissionsExt;
    let files = ["tests/check", "tests/check/data"].map(|dir| fs::read_dir(dir).unwrap());
    for path in files.into_iter().flatten().map(|entry| entry.unwrap().path()) {
        let ends_in = |ending: &str| path.extension().is_some_and(|extension| extension == ending);
        let mode = match ends_in("secret") && !path.ends_with("open.secret") {
            true => 0o640,
            false if ends_in("toml") || ends_in("secret") => 0o644,
            false => continue,
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Whatever is wrong around a secret, no report has it, in any form.
#[test]
fn no_problem_shows_a_secret() {
    restore_access_rights();
    let mut seen = 0;
    for case in cases() {
        let written = fs::read_to_string(&case).unwrap_or_default();
        let header = case.file_name().is_some_and(|name| name.to_string_lossy().starts_with("header"));
        seen += usize::from(header && written.contains("S3CRET"));
        let problems = assemble(&case).problems;
        let json = serde_json::to_string(&problems).unwrap();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for form in
            [problems.render(false), problems.render(true), json, lines.join("\n"), format!("{problems:?}")]
        {
            for secret in ["S3CRET", "12345678987654321", "3f2504e0"] {
                assert!(!form.contains(secret), "{} shows {secret}:\n{form}", case.display());
            }
        }
    }
    assert!(seen >= 3, "only {seen} cases hold secrets");
}

/// A secret that systemd passes is found where systemd says.
#[test]
fn a_credential_is_read_from_the_directory_of_systemd() {
    let scratch = Scratch::new("credential");
    let config = scratch.write(
        "postern.toml",
        "milter.listen = [\"unix:s\"]\n[gateway.a]\nnetworks = [\"192.0.2.0/24\"]\n\
         header = { name = \"X-Id\", value = { credential = \"guid\" } }\n\
         [domain.\"example.com\"]\ngateways = [\"a\"]\n",
    );
    let check = |directory: &Path| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_postern"));
        command.arg("check").arg("--config").arg(&config).env("CREDENTIALS_DIRECTORY", directory);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = check(&scratch.0);
    assert!(code == Some(1) && said.contains("there is no such file"), "{said}");
    scratch.write("guid", "3f2504e0-4f89-11d3\n");
    let (code, said) = check(&scratch.0);
    assert_eq!(code, Some(0), "{said}");
}

/// Secrets in every place where they may stand.
const WITH_SECRETS: &str = r#"
[milter]
listen = ["unix:s"]

[gateway.a]
networks = ["192.0.2.0/24"]
header = { name = "X-Id", value = ["S3CRET-S3CRET-S3CRET", { file = "guid" }] }

[gateway.b]
spf = ["spf.example.com"]

[gateway.b.header]
name = "X-Id"
value = "S3CRET-S3CRET-S3CRET"

[gateway.c]
networks = ["192.0.2.0/24"]
header.name = "X-Id"
header.value = [
    "S3CRET-S3CRET-S3CRET",
    "S3CRET-S3CRET-S3CRET-S3CRET",
]

[domain."example.com"]
gateways = ["a", "b", "c"]
"#;

/// A slip of the pen anywhere around a secret, up to a word that is lost, does not bring it to light.
#[test]
fn no_slip_brings_a_secret_to_light() {
    let scratch = Scratch::new("slip");
    for length in [1, 3, 8] {
        for from in 0..WITH_SECRETS.len() - length {
            let mut text = WITH_SECRETS.to_owned();
            text.replace_range(from..from + length, "");
            let problems = assemble(&scratch.write("slip.toml", &text)).problems;
            let found = problems.render(false) + &serde_json::to_string(&problems).unwrap();
            assert!(!found.contains("S3CRET"), "{text}\n---\n{found}");
        }
    }
}
