// SPDX-License-Identifier: GPL-3.0-or-later
//! A configuration with directories of several kinds, and the commands on it.

use crate::common::dir::TestDir;
use crate::common::postern::Postern;
use crate::session::{GATEWAY, Session, started};
use serde_json::Value;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// Everything is served by one gateway; `staff` is an export, `manual` is imported, `fixed` is read with the configuration.
const CONFIG: &str = r#"
state_dir = "state"
[milter]
listen = ["unix:s"]
[loop]
id = "mx.example"
[gateway.seg]
networks = ["192.0.2.0/24"]
[directory.staff]
type = "csv"
path = "staff.csv"
columns = { addresses = ["mail", "aliases"], groups = "teams" }
patterns = true
refresh = "1h"
[directory.manual]
type = "csv"
columns = { addresses = ["mail"] }
[directory.fixed]
type = "list"
path = "fixed.txt"
[domain."example.com"]
mode = "enforce"
gateways = ["seg"]
directories = ["staff", "fixed"]
[domain."example.org"]
alias_of = "example.com"
[domain."whole.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["staff"]
[domain."manual.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["manual"]
[domain."learn.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["fixed"]
recipients = "learn"
"#;

pub(crate) struct House {
    pub(crate) dir: TestDir,
}

impl House {
    /// With people 0 to 99 in the export, which has not been read yet.
    pub(crate) fn new() -> Self {
        let dir = TestDir::new();
        dir.write("postern.toml", CONFIG);
        dir.write("fixed.txt", "fix@example.com\nfix@learn.example\n");
        let house = Self { dir };
        house.export(0..100);
        house
    }

    /// Writes the export: these people, and what is beside them.
    pub(crate) fn export(&self, people: std::ops::Range<usize>) {
        let mut table = "mail,aliases,teams\n".to_owned();
        for n in people {
            writeln!(table, "user{n}@example.com,u{n}@example.com,Team {}", n % 3).unwrap();
        }
        table += "@whole.example,,\nticket-*@example.com,,\n";
        self.dir.write("staff.csv", &table);
    }

    pub(crate) fn start(&self) -> Postern {
        started(&self.dir)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command.arg("directories").args(arguments).arg("--config").arg(self.dir.join("postern.toml"));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// What a command prints on both outputs, and its exit code.
    pub(crate) fn run(&self, arguments: &str) -> (i32, String) {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let output = self.command(&arguments).output().unwrap();
        let [out, complaints] =
            [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
        let too_long: Vec<&str> = out.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(
            arguments.contains(&"--json") || too_long.is_empty(),
            "directories {arguments:?}: more than 80 columns: {too_long:#?}"
        );
        let said = out + &complaints;
        (output.status.code().unwrap(), said)
    }

    #[track_caller]
    pub(crate) fn says(&self, arguments: &str, code: i32, what: &[&str]) -> String {
        let (got, said) = self.run(arguments);
        assert_eq!(got, code, "postern directories {arguments}:\n{said}");
        // Where a line ends is no matter.
        let flowing = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in what {
            assert!(flowing.contains(part), "postern directories {arguments}: no {part:?} in\n{said}");
        }
        said
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &str, code: i32) -> Value {
        serde_json::from_str(&self.says(arguments, code, &[])).unwrap()
    }

    /// How a directory stands.
    pub(crate) fn standing(&self, name: &str) -> Value {
        let all = self.json("--json", 0);
        all.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    }

    /// What the gateway hears for a recipient.
    pub(crate) async fn rcpt(&self, recipient: &str) -> String {
        Session::begin(&self.dir.join("s"), GATEWAY).await.rcpt(recipient).await
    }
}
