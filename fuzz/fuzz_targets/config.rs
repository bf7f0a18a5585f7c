// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as a configuration file, and as the data files that it names: problems, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("postern-fuzz-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
});

const FRAME: &str = r#"
[milter]
listen = ["inet:127.0.0.1:8890"]
[gateway.g]
files = ["data"]
[directory.d]
type = "list"
path = "data"
[domain."a.example"]
gateways = ["g"]
directories = ["d"]
"#;

fuzz_target!(|data: &[u8]| {
    let Some((&how, rest)) = data.split_first() else { return };
    let path = DIR.join("postern.toml");
    if how & 1 == 0 {
        std::fs::write(&path, rest).unwrap();
    } else {
        std::fs::write(&path, FRAME).unwrap();
        std::fs::write(DIR.join("data"), rest).unwrap();
    }
    let assembled = postern::cli::assemble::assemble(&path);
    let _ = assembled.problems.render(false);
    let _ = serde_json_len(&assembled.problems);
    assert_eq!(assembled.outcome.is_none(), assembled.problems.has_errors() || !assembled.found);
});

fn serde_json_len(problems: &postern::config::Problems) -> usize {
    problems.iter().map(|problem| problem.to_string().len()).sum()
}
