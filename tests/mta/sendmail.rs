// SPDX-License-Identifier: GPL-3.0-or-later
//! A private Sendmail, unpacked by tests/install.sh: its own configuration, queue and log below one
//! directory.
//!
//! Its queue is read from the files: a message is one `qf` file while it waits, and one `hf` file with
//! the reason in a `q` line while it is in quarantine.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::authority::Authority;
use crate::common::address::{own_address, own_address6};
use crate::common::dir::{TestDir, make_dir};
use crate::common::leash::Leash;
use crate::common::postern::Endpoint;
use crate::common::sink::Sink;
use crate::common::wait::{SOON, wait_until};
use crate::mta::{Extra, Held, Mta, Tls, Transport, fill, make_certificate, need};

/// A running Sendmail. It stops when it is dropped.
pub(crate) struct Sendmail {
    smtp: SocketAddr,
    smtp6: SocketAddr,
    milter: Option<Endpoint>,
    // Fields are dropped in this order: first the server, then its directory.
    _leash: Leash,
    dir: TestDir,
}

impl Sendmail {
    /// Starts it, with a milter reached in this way, or none.
    pub(crate) fn start(sink: &Sink, transport: Option<Transport>, extra: &Extra<'_>) -> Self {
        need(&program(), "Sendmail there");
        let dir = TestDir::new();
        let (smtp, smtp6) = (own_address(2525), own_address6());
        let milter = transport.map(|transport| transport.endpoint(dir.path()));
        make_dir(&dir.join("mqueue"), 0o700);
        dir.write("service.switch", "hosts files\naliases files\npasswd files\n");
        dir.write("local-host-names", "");
        dir.write("aliases", "nobody-but-me nobody\n");
        dir.write("virtusers", include_str!("virtusers"));
        let root = dir.path().display().to_string();
        let mut lines: Vec<String> = extra.sendmail.iter().map(|&line| line.to_owned()).collect();
        if let Some(milter) = &milter {
            let socket = match milter {
                Endpoint::Unix(path) => format!("unix:{}", path.display()),
                Endpoint::Inet(address) => {
                    let family = if address.is_ipv4() { "inet" } else { "inet6" };
                    format!("{family}:{}@{}", address.port(), address.ip())
                }
            };
            lines.push(format!(
                "INPUT_MAIL_FILTER(`postern', `S={socket}, F=T, T=C:10s;S:20s;R:20s;E:60s')dnl"
            ));
        }
        if extra.tls != Tls::Off {
            make_certificate(dir.path());
            let trusted = match extra.tls {
                Tls::Off | Tls::Itself => dir.join("cert.pem"),
                Tls::Authority => Authority::found(dir.path()).certificate(),
            };
            let trusted = trusted.display().to_string();
            lines.push(fill(include_str!("sendmail-tls.mc"), &[("TRUSTED", &trusted)]));
        }
        // The lines first: they have places of their own to be filled in.
        let config = fill(
            include_str!("sendmail.mc"),
            &[
                ("LINES", &lines.join("\n")),
                ("END", &extra.sendmail_end.join("\n")),
                ("CONFIG", &extra.sendmail_cf.join("\n")),
                ("DIR", &root),
                ("CF", &install_root().join("usr/share/sendmail/cf").display().to_string()),
                ("HOST", &smtp.ip().to_string()),
                ("PORT", &smtp.port().to_string()),
                ("PORT6", &smtp6.port().to_string()),
                ("SINK_HOST", &sink.address().ip().to_string()),
                ("SINK_PORT", &sink.address().port().to_string()),
            ],
        );
        let macros = dir.write("sendmail.mc", &config);
        let expanded = Command::new("m4").arg(&macros).output().expect("m4 runs");
        assert!(expanded.status.success(), "m4: {expanded:?}");
        fs::write(dir.join("sendmail.cf"), expanded.stdout).expect("sendmail.cf");

        let output = File::create(dir.join("output")).expect("a file for its output");
        let mut daemon = command(&dir)
            .args(["-bD", "-q1s"])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("sendmail runs");
        let leash = Leash::new(daemon.id());
        let said = || fs::read_to_string(dir.join("output")).unwrap_or_default();
        wait_until("Sendmail to listen", SOON, || {
            let ended = daemon.try_wait().expect("Sendmail's status");
            assert!(ended.is_none(), "Sendmail ended, {ended:?}: {}", said());
            [smtp, smtp6].iter().all(|address| TcpStream::connect(address).is_ok())
        });
        Self { smtp, smtp6, milter, _leash: leash, dir }
    }

    /// The queue files whose names begin so: the ids.
    fn ids(&self, prefix: &str) -> Vec<String> {
        let files = fs::read_dir(self.dir.join("mqueue")).expect("the queue directory");
        let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        names.filter_map(|name| name.strip_prefix(prefix).map(str::to_owned)).collect()
    }
}

impl Mta for Sendmail {
    fn name(&self) -> &'static str {
        "Sendmail"
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

    fn waiting(&self) -> Vec<String> {
        self.ids("qf")
    }

    fn held(&self) -> Vec<Held> {
        let held = self.ids("hf").into_iter().filter_map(|id| {
            let file = fs::read(self.dir.join(&format!("mqueue/hf{id}"))).ok()?;
            let file = String::from_utf8_lossy(&file).into_owned();
            let recipients =
                file.lines().filter_map(|line| line.strip_prefix("RPFD:").or(line.strip_prefix("RPF:")));
            let recipients = recipients.map(|one| one.trim_matches(['<', '>']).to_owned()).collect();
            let reason = file.lines().find_map(|line| line.strip_prefix('q')).map(str::to_owned);
            Some(Held { id, recipients, reason })
        });
        held.collect()
    }

    fn release(&self, id: &str) {
        let released =
            command(&self.dir).args(["-qQ", &format!("-qI{id}"), "-Q"]).output().expect("sendmail runs");
        assert!(released.status.success(), "release {id}: {released:?}");
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("mail.log")).unwrap_or_default()
    }
}

fn install_root() -> PathBuf {
    std::env::var_os("POSTERN_SENDMAIL_ROOT")
        .map_or_else(|| "/var/tmp/postern-sendmail".into(), PathBuf::from)
}

fn program() -> PathBuf {
    install_root().join("usr/libexec/sendmail/sendmail")
}

/// Sendmail's program, on the instance in this directory.
fn command(dir: &TestDir) -> Command {
    let mut command = Command::new(program());
    command.env("LD_PRELOAD", install_root().join("shim.so")).env("SYSLOG_FILE", dir.join("mail.log"));
    command.arg("-C").arg(dir.join("sendmail.cf"));
    command
}
