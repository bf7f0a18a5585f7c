// SPDX-License-Identifier: GPL-3.0-or-later
//! A name server: BIND's `named`, authoritative for the zones that a test writes, on a port of 127.0.0.1 of its own
//! (it takes no address but an interface's).
//!
//! A zone `.` answers for every name. Names that no zone covers are refused. Each query is logged, so that a test can
//! count how often a name was asked. It can be killed, frozen, and started again with other zones at the same address.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::address::own_port;
use super::dir::TestDir;
use super::process::Process;

/// One zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Records(String),
    Signed(String),
    Bogus(String),
    Broken,
}

impl Zone {
    /// A zone with these records, as in a zone file: names are relative to the zone unless they end in a dot. The TTL of a
    /// record that has none is 300 s; SOA and NS are added, and a denial may be kept for 120 s.
    pub(crate) fn new(name: &str, records: impl Into<String>) -> Self {
        Self { name: name.to_owned(), kind: Kind::Records(records.into()) }
    }

    /// The same, signed with a key of its own; [`NameServer::anchors`] names it.
    pub(crate) fn signed(name: &str, records: impl Into<String>) -> Self {
        Self { name: name.to_owned(), kind: Kind::Signed(records.into()) }
    }

    /// The same, but its signatures are of another time.
    pub(crate) fn bogus(name: &str, records: impl Into<String>) -> Self {
        Self { name: name.to_owned(), kind: Kind::Bogus(records.into()) }
    }

    /// A zone that the server has nothing for: it answers SERVFAIL.
    pub(crate) fn broken(name: &str) -> Self {
        Self { name: name.to_owned(), kind: Kind::Broken }
    }

    fn file(&self) -> String {
        if self.name == "." { "root.zone".into() } else { format!("{}.zone", self.name) }
    }

    /// Writes the zone's files into the directory.
    fn write(&self, dir: &TestDir) {
        match &self.kind {
            Kind::Broken => drop(fs::remove_file(dir.join(&self.file()))),
            Kind::Records(records) => {
                dir.write(&self.file(), &Self::text(records));
            }
            Kind::Signed(records) => self.sign(dir, records, &[]),
            Kind::Bogus(records) => {
                self.sign(dir, records, &["-s", "20200101000000", "-e", "20200201000000"]);
            }
        }
    }

    fn text(records: &str) -> String {
        format!(
            "$TTL 300\n@ 300 IN SOA ns hostmaster 1 3600 600 86400 120\n@ IN NS ns\nns IN A 192.0.2.53\n{records}\n"
        )
    }

    /// Signs it with one key that is made for it once.
    fn sign(&self, dir: &TestDir, records: &str, times: &[&str]) {
        let run = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).current_dir(dir.path());
            let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}; {MISSING}"));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {arguments:?}: {said}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let plain = format!("{}.unsigned", self.name);
        let public = run("dnssec-keygen", &["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", &self.name]);
        let key = fs::read_to_string(dir.join(&format!("{public}.key"))).expect("the key was written");
        let key: String = key.lines().filter(|line| !line.starts_with(';')).collect();
        dir.write(&format!("{}.anchor", self.name), &key);
        dir.write(&plain, &format!("{}{key}\n", Self::text(records)));
        let file = self.file();
        let mut arguments = vec!["-q", "-z", "-P", "-o", &self.name, "-f", &file];
        arguments.extend(times);
        arguments.extend([plain.as_str(), public.as_str()]);
        run("dnssec-signzone", &arguments);
    }
}

/// One query that the server has seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Query {
    /// What was asked about, without the final dot.
    pub(crate) name: String,
    /// The record type, such as `TXT`.
    pub(crate) kind: String,
    /// Whether it came over TCP.
    pub(crate) tcp: bool,
}

const MISSING: &str = "run tests/install.sh, which unpacks the package bind9 and installs bind9-utils";

/// A running name server.
pub(crate) struct NameServer {
    dir: TestDir,
    address: SocketAddr,
    running: Option<Process>,
}

impl NameServer {
    /// Starts one with these zones and waits until it answers for them.
    pub(crate) fn start(zones: &[Zone]) -> Self {
        let mut server = Self { dir: TestDir::new(), address: own_port(), running: None };
        server.launch(zones);
        server
    }

    /// Where it is to be asked, over UDP and TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it again with other zones at the same address. What it was asked before is forgotten.
    pub(crate) fn restart(&mut self, zones: &[Zone]) {
        self.kill();
        self.launch(zones);
    }

    /// Ends it at once; from then on its address refuses.
    pub(crate) fn kill(&mut self) {
        if let Some(named) = self.running.take() {
            named.kill();
        }
    }

    /// Stops it where it stands: queries get no answer.
    pub(crate) fn freeze(&self) {
        self.running.as_ref().expect("named runs").freeze();
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.running.as_ref().expect("named runs").thaw();
    }

    /// The file with the key that a signed zone is validated by.
    pub(crate) fn anchors(&self, zone: &str) -> PathBuf {
        self.dir.join(&format!("{zone}.anchor"))
    }

    /// All queries since it was started.
    pub(crate) fn queries(&self) -> Vec<Query> {
        let log = fs::read_to_string(self.dir.join("named.log")).unwrap_or_default();
        // client @0x7f 127.0.0.1#40000 (a.example): query: a.example IN TXT +E(0)K (127.0.0.1)
        let read = |line: &str| {
            let mut words = line.split_once(": query: ")?.1.split(' ');
            let name = words.next()?.trim_end_matches('.').to_lowercase();
            let _class = words.next()?;
            let kind = words.next()?.to_owned();
            Some(Query { name, kind, tcp: words.next()?.contains('T') })
        };
        log.lines().filter_map(read).collect()
    }

    /// How often this was asked since it was started.
    pub(crate) fn asked(&self, name: &str, kind: &str) -> usize {
        self.queries().iter().filter(|query| query.name == name && query.kind == kind).count()
    }

    fn launch(&mut self, zones: &[Zone]) {
        for zone in zones {
            zone.write(&self.dir);
        }
        let log = self.dir.join("named.log");
        self.dir.write("named.conf", &configuration(self.dir.path(), self.address, zones));
        let mut command = Command::new(program());
        command.args(["-g", "-n", "1", "-c"]).arg(self.dir.join("named.conf")).current_dir(self.dir.path());
        let mut named = Process::start("named", command, &log, MISSING);
        named.wait_until_said(|said| said.lines().any(|line| line.ends_with(" running")));
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(TcpStream::connect(self.address).is_ok(), "named does not listen:\n{said}");
        for zone in zones.iter().filter(|zone| !matches!(zone.kind, Kind::Broken)) {
            let loaded = format!("zone {}/IN: loaded", zone.name);
            assert!(said.contains(&loaded), "zone {} was not loaded:\n{said}", zone.name);
        }
        self.running = Some(named);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> PathBuf {
    let root =
        std::env::var_os("POSTERN_NAMED_ROOT").map_or_else(|| "/var/tmp/postern-named".into(), PathBuf::from);
    root.join("usr/sbin/named")
}

/// Its configuration: nothing but these zones, no control channel, nothing outside its directory.
fn configuration(dir: &Path, address: SocketAddr, zones: &[Zone]) -> String {
    let dir = dir.display();
    let (ip, port) = (address.ip(), address.port());
    let mut text = format!(
        r#"options {{
    directory "{dir}";
    listen-on port {port} {{ {ip}; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    notify no;
    querylog yes;
    check-names primary ignore;
    check-integrity no;
    check-spf ignore;
    empty-zones-enable no;
    minimal-responses yes;
}};
controls {{ }};
"#
    );
    for zone in zones {
        let (name, file) = (&zone.name, zone.file());
        writeln!(text, "zone \"{name}\" {{ type primary; file \"{dir}/{file}\"; }};").expect("a string");
    }
    text
}
