// SPDX-License-Identifier: GPL-3.0-or-later
//! A private Postfix: its own configuration, queue and log below one directory, nothing in /etc.
//!
//! Two things keep its start at a tenth of a second. The queue directories are made here, and the file
//! `quick-start` tells Postfix's start script to believe that. And every Postfix program dozes while
//! main.cf is younger than two seconds, so its time is set back.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use nix::unistd::{Group, User};
use serde_json::Value;

use crate::authority::Authority;
use crate::common::address::{own_address, own_address6};
use crate::common::dir::{TestDir, make_dir};
use crate::common::leash::Leash;
use crate::common::postern::Endpoint;
use crate::common::sink::Sink;
use crate::common::wait::{SOON, wait_for};
use crate::mta::{Extra, Held, Mta, Tls, Transport, fill, make_certificate, need};

const PROGRAM: &str = "/usr/sbin/postfix";

/// A running Postfix. It stops when it is dropped.
pub(crate) struct Postfix {
    smtp: SocketAddr,
    smtp6: SocketAddr,
    milter: Option<Endpoint>,
    // Fields are dropped in this order: first the server, then its directory.
    _leash: Leash,
    dir: TestDir,
}

impl Postfix {
    /// Starts it, with a milter reached in this way, or none.
    pub(crate) fn start(sink: &Sink, transport: Option<Transport>, extra: &Extra<'_>) -> Self {
        need(Path::new(PROGRAM), "the package postfix");
        let dir = TestDir::new();
        let (smtp, smtp6) = (own_address(2525), own_address6());
        let milter = transport.map(|transport| transport.endpoint(dir.path()));
        let root = dir.path().display().to_string();
        let milters = milter.as_ref().map(ToString::to_string).unwrap_or_default();
        make_dir(&dir.join("etc"), 0o755);
        let mut main = fill(
            include_str!("main.cf"),
            &[
                ("DIR", &root),
                ("NAME", dir.path().file_name().and_then(|name| name.to_str()).unwrap_or("test")),
                ("SINK", &format!("[{}]:{}", sink.address().ip(), sink.address().port())),
                ("MILTERS", &milters),
            ],
        );
        override_settings(&mut main, extra.postfix);
        if extra.tls != Tls::Off {
            make_certificate(dir.path());
            let settings =
                "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = @DIR@/key.pem, @DIR@/cert.pem\n";
            main.push_str(&fill(settings, &[("DIR", &root)]));
        }
        if extra.tls == Tls::Authority {
            let trusted = Authority::found(dir.path()).certificate();
            let trusted = format!("smtpd_tls_CAfile = {}\n", trusted.display());
            main.push_str(&trusted);
            main.push_str("smtpd_tls_ask_ccert = yes\n");
        }
        let services = [("LISTEN", smtp.to_string()), ("LISTEN6", smtp6.to_string())];
        let services = services.each_ref().map(|(name, value)| (*name, value.as_str()));
        let main = dir.write("etc/main.cf", &main);
        dir.write("etc/master.cf", &fill(include_str!("master.cf"), &services));
        let before = SystemTime::now() - Duration::from_secs(60);
        File::options()
            .write(true)
            .open(main)
            .and_then(|file| file.set_modified(before))
            .expect("main.cf's time");
        make_queue(dir.path());

        let started = Command::new(PROGRAM).arg("-c").arg(dir.join("etc")).arg("start").output();
        let started = started.expect("postfix runs");
        let log = || fs::read_to_string(dir.join("mail.log")).unwrap_or_default();
        assert!(started.status.success(), "postfix start: {started:?}\n{}", log());
        let pid = wait_for("postfix's pid file", SOON, || master_pid(dir.path()));
        Self { smtp, smtp6, milter, _leash: Leash::new(pid), dir }
    }

    /// Runs one of Postfix's commands on this instance.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let output = Command::new(Path::new("/usr/sbin").join(program))
            .args(arguments)
            .env("MAIL_CONFIG", self.dir.join("etc"))
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
        output
    }
}

impl Mta for Postfix {
    fn name(&self) -> &'static str {
        "Postfix"
    }

    fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    fn smtp6(&self) -> SocketAddr {
        self.smtp6
    }

    fn milter(&self) -> Option<&Endpoint> {
        self.milter.as_ref()
    }

    fn smtputf8(&self) -> &'static str {
        " SMTPUTF8"
    }

    /// Read from the queue directories, in the order in which a message goes through them, so that none is
    /// overlooked on its way; `postqueue` looks in another order.
    fn waiting(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for name in ["maildrop", "incoming", "active", "deferred", "active"] {
            collect_ids(&self.dir.join("spool").join(name), &mut ids);
        }
        ids
    }

    fn held(&self) -> Vec<Held> {
        let listing = self.run("postqueue", &["-j"]).stdout;
        let mut held = Vec::new();
        for line in listing.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let message: Value = serde_json::from_slice(line).expect("postqueue prints JSON");
            if message["queue_name"] == "hold" {
                let id = message["queue_id"].as_str().expect("a queue id").to_owned();
                let recipients = message["recipients"].as_array().expect("recipients").iter();
                let recipients =
                    recipients.filter_map(|one| one["address"].as_str()).map(str::to_owned).collect();
                held.push(Held { id, recipients, reason: None });
            }
        }
        held
    }

    fn release(&self, id: &str) {
        self.run("postsuper", &["-H", id]);
        self.run("postqueue", &["-i", id]);
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("mail.log")).unwrap_or_default()
    }
}

/// Replaces lines of main.cf: a setting that is given twice is a warning from every program.
fn override_settings(main: &mut String, settings: &[&str]) {
    for setting in settings {
        let (name, _) = setting.split_once(" =").expect("name = value");
        let kept = main.lines().filter(|line| !line.starts_with(&format!("{name} =")));
        *main = kept.chain([*setting, ""]).collect::<Vec<_>>().join("\n");
    }
}

/// The directories that Postfix's own start script would make, with their owners.
fn make_queue(dir: &Path) {
    let user = User::from_name("postfix").ok().flatten().expect("the user postfix");
    let group = Group::from_name("postdrop").ok().flatten().expect("the group postdrop");
    let make = |name: &str, mode: u32, owned: bool, group: Option<u32>| {
        let path = dir.join(name);
        make_dir(&path, mode);
        chown(&path, owned.then_some(user.uid.as_raw()), group)
            .and_then(|()| fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    };
    make("lib", 0o700, true, None);
    make("spool", 0o755, false, None);
    make("spool/pid", 0o755, false, None);
    for name in ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"] {
        make(&format!("spool/{name}"), 0o700, true, None);
    }
    for name in ["private", "saved", "trace"] {
        make(&format!("spool/{name}"), 0o700, true, None);
    }
    make("spool/maildrop", 0o1730, true, Some(group.gid.as_raw()));
    make("spool/public", 0o2710, true, Some(group.gid.as_raw()));
    File::create(dir.join("spool/quick-start")).expect("quick-start");
}

fn master_pid(dir: &Path) -> Option<u32> {
    let file: PathBuf = dir.join("spool/pid/master.pid");
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The names of the complete messages below a queue directory. One that is still being received cannot be
/// executed by its owner; that is how Postfix marks it.
fn collect_ids(dir: &Path, ids: &mut Vec<String>) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in fs::read_dir(dir).expect("a queue directory").flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => collect_ids(&entry.path(), ids),
            Ok(found) if found.permissions().mode() & 0o100 != 0 => {
                ids.push(entry.file_name().to_string_lossy().into_owned());
            }
            // Still being received, or gone meanwhile.
            Ok(_) | Err(_) => {}
        }
    }
}
