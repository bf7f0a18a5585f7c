// SPDX-License-Identifier: GPL-3.0-or-later
//! An LDAP server: OpenLDAP's `slapd` for dc=example,dc=com, on two ports of 127.0.0.1 of its own: `ldap` with StartTLS,
//! and `ldaps`.
//!
//! It knows the schemas core, cosine, inetorgperson, misc, a Unix one, and `ad.schema` for entries that look as Active
//! Directory's do. Nobody reads anything without a name; [`READER`] reads all, by a password or by a client's certificate
//! (SASL EXTERNAL); [`ADMIN`] writes, and no limit holds it. Clients may follow the changes (syncrepl, RFC 4533). What the
//! server was asked is in its log.
//! It can be killed, frozen, and started again with its data at the same address.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::address::own_port;
use super::authority::{Authority, Issued, Shown};
use super::dir::TestDir;
use super::process::Process;

/// The entry that all others lie below.
pub(crate) const SUFFIX: &str = "dc=example,dc=com";
/// Who reads, and the password for it.
pub(crate) const READER: &str = "cn=reader,dc=example,dc=com";
pub(crate) const READER_PASSWORD: &str = "to read ü%\"\\";
/// Who writes.
pub(crate) const ADMIN: &str = "cn=admin,dc=example,dc=com";
pub(crate) const ADMIN_PASSWORD: &str = "to write";

const MISSING: &str = "run tests/install.sh, which unpacks the package slapd and installs ldap-utils";

/// What a server is to be like. The default has a good certificate, no limit, and no entries but the suffix and the reader.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Its entries, parents first.
    pub(crate) ldif: String,
    /// The certificate that it shows.
    pub(crate) certificate: Shown,
    /// The most entries of one answer: a search without pages finds no more, a page holds no more, and asking for larger
    /// pages is refused.
    pub(crate) page: Option<u32>,
    /// What a group of Unix is.
    pub(crate) groups: UnixGroups,
    /// Further attributes of the root DSE, as lines of LDIF (`highestCommittedUSN: 4711`).
    pub(crate) root: String,
}

/// Which schema defines `posixGroup`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum UnixGroups {
    /// An auxiliary class, beside `groupOfNames`.
    #[default]
    Rfc2307bis,
    /// A class of its own, with `memberUid` alone.
    Nis,
}

/// A running LDAP server.
pub(crate) struct LdapServer {
    dir: TestDir,
    authority: Authority,
    address: SocketAddr,
    secure: SocketAddr,
    setup: Setup,
    running: Option<Process>,
}

impl LdapServer {
    /// Starts one with its entries and waits until it serves.
    pub(crate) fn start(setup: Setup) -> Self {
        let authority = Authority::new();
        let (address, secure) = (own_port(), own_port());
        let mut server = Self { dir: TestDir::new(), authority, address, secure, setup, running: None };
        fs::create_dir(server.dir.join("data")).expect("a directory for the data");
        server.configure();
        let ldif = format!("{}{}", base(), server.setup.ldif);
        server.dir.write("entries.ldif", &ldif);
        server.run_offline("slapadd", &["-q", "-w", "-l", "entries.ldif"]);
        server.launch();
        server
    }

    /// Where it is to be asked without TLS or with StartTLS.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }

    /// Where it is to be asked with TLS from the beginning.
    pub(crate) fn secure_url(&self) -> String {
        format!("ldaps://{}", self.secure)
    }

    /// The file with the certificate of the CA that has signed the server's.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.authority.file()
    }

    /// A certificate that makes its client the reader.
    pub(crate) fn client_identity(&self) -> Issued {
        self.identity("reader")
    }

    /// A certificate that makes its client the entry `cn=NAME` below the suffix, whether there is one or not.
    pub(crate) fn identity(&self, name: &str) -> Issued {
        self.authority.issue(name, &format!("/O=Example clients/CN={name}"), "DNS:client.example", "1")
    }

    /// Adds entries while it runs.
    pub(crate) fn load(&self, ldif: &str) {
        self.write("ldapadd", ldif);
    }

    /// Changes entries, as `ldapmodify` reads it (`changetype: modify`, `delete`, `modrdn`, `add`).
    pub(crate) fn modify(&self, ldif: &str) {
        self.write("ldapmodify", ldif);
    }

    /// What `ldapsearch` says as the reader, with these arguments, to the address without TLS. Lines are not folded.
    pub(crate) fn search(&self, arguments: &[&str]) -> Output {
        let url = self.url();
        let bound = ["-x", "-LLL", "-o", "ldif-wrap=no", "-H", &url, "-D", READER, "-w", READER_PASSWORD];
        self.client("ldapsearch", &[&bound[..], &["-b", SUFFIX], arguments].concat(), "")
    }

    /// Runs one of the client programs, which trusts the server's CA, with this input.
    pub(crate) fn client(&self, program: &str, arguments: &[&str], input: &str) -> Output {
        let input = self.dir.write(&format!("{program}.input"), input);
        // A server that does not answer would hold the client for ever.
        let mut command = Command::new("timeout");
        command.args(["120", program]).args(arguments).env("LDAPTLS_CACERT", self.ca_file());
        command.stdin(fs::File::open(input).expect("the input opens"));
        let output = command.output().expect("timeout runs (Debian's package coreutils)");
        assert_ne!(output.status.code(), Some(127), "{program} is missing; {MISSING}");
        output
    }

    /// What the server has logged since it was started: connections, operations and results.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("slapd.log")).unwrap_or_default()
    }

    /// Starts it again with its data at the same address.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    /// Starts it again with another certificate.
    pub(crate) fn show(&mut self, certificate: Shown) {
        self.kill();
        self.setup.certificate = certificate;
        self.configure();
        self.launch();
    }

    /// Ends it at once; from then on its address refuses.
    pub(crate) fn kill(&mut self) {
        if let Some(slapd) = self.running.take() {
            slapd.kill();
        }
    }

    /// Stops it where it stands: questions get no answer.
    pub(crate) fn freeze(&self) {
        self.running.as_ref().expect("slapd runs").freeze();
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.running.as_ref().expect("slapd runs").thaw();
    }

    fn write(&self, program: &str, ldif: &str) {
        let done = self.client(program, &["-x", "-H", &self.url(), "-D", ADMIN, "-w", ADMIN_PASSWORD], ldif);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program}: {said}\n{ldif:.2000}");
    }

    fn configure(&self) {
        let text = configuration(&self.setup, self.dir.path(), &self.authority);
        self.dir.write("slapd.conf", &text);
        self.dir.write("root.ldif", &format!("dn:\n{}\n", self.setup.root.trim_end()));
    }

    fn launch(&mut self) {
        let mut command = self.command("slapd");
        command.args(["-d", "stats", "-h", &format!("{} {}", self.url(), self.secure_url())]);
        let mut slapd = Process::start("slapd", command, &self.dir.join("slapd.log"), MISSING);
        let listening = [self.address, self.secure];
        slapd.wait_until_said(|said| {
            said.contains("slapd starting")
                && listening.iter().all(|address| TcpStream::connect(address).is_ok())
        });
        self.running = Some(slapd);
    }

    fn run_offline(&self, program: &str, arguments: &[&str]) {
        let mut command = self.command(program);
        let ran = command.args(arguments).stdin(Stdio::null()).output();
        let ran = ran.unwrap_or_else(|error| panic!("{program}: {error}; {MISSING}"));
        assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// One of the programs that the package has, with the configuration.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(root().join("usr/sbin").join(program));
        command.args(["-f", "slapd.conf"]).current_dir(self.dir.path());
        // One of its libraries comes in its own package, and clients' settings are not to be seen.
        command.env("LD_LIBRARY_PATH", libraries()).env("LDAPNOINIT", "yes");
        command
    }
}

impl Drop for LdapServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn root() -> PathBuf {
    std::env::var_os("POSTERN_SLAPD_ROOT").map_or_else(|| "/var/tmp/postern-slapd".into(), PathBuf::from)
}

/// `usr/lib/TRIPLE`, where the distribution names the machine.
fn libraries() -> PathBuf {
    let found = fs::read_dir(root().join("usr/lib")).into_iter().flatten().flatten();
    let mut found = found.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains("-linux-"));
    found.next().unwrap_or_default()
}

/// The suffix and the reader.
fn base() -> String {
    format!(
        "dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\n\
         dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: {READER_PASSWORD}\n\n"
    )
}

/// Its configuration (`slapd.conf(5)`, `slapd-mdb(5)`, `slapo-syncprov(5)`): nothing outside its directory.
fn configuration(setup: &Setup, dir: &Path, authority: &Authority) -> String {
    let (own, root) = (Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common")), root());
    let packaged = root.join("etc/ldap/schema");
    let unix = match setup.groups {
        UnixGroups::Rfc2307bis => own.join("rfc2307bis.schema"),
        UnixGroups::Nis => packaged.join("nis.schema"),
    };
    let mut text = String::new();
    for name in ["core", "cosine", "inetorgperson", "misc"] {
        writeln!(text, "include {}", packaged.join(format!("{name}.schema")).display()).expect("a string");
    }
    let limit = setup.page.map_or_else(
        || "sizelimit unlimited".to_owned(),
        |page| format!("sizelimit size.soft={page} size.hard={page} size.pr={page} size.prtotal=unlimited"),
    );
    let Issued { certificate, key } = authority.serve(setup.certificate);
    write!(
        text,
        r#"include {unix}
include {ad}
modulepath {modules}
moduleload back_mdb
moduleload syncprov
threads 4
rootDSE {dir}/root.ldif
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
TLSVerifyClient try
authz-regexp "^cn=([^,]+),o=example clients$" "cn=$1,{SUFFIX}"
{limit}

database mdb
suffix "{SUFFIX}"
rootdn "{ADMIN}"
rootpw "{ADMIN_PASSWORD}"
directory {dir}/data
maxsize 4294967296
dbnosync
sortvals member memberUid
index objectClass,entryCSN,entryUUID,cn,uid,mail,member,memberOf,memberUid,proxyAddresses,uSNChanged eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{READER}" read by * none
overlay syncprov
syncprov-sessionlog 1000
"#,
        unix = unix.display(),
        ad = own.join("ad.schema").display(),
        modules = root.join("usr/lib/ldap").display(),
        dir = dir.display(),
        ca = authority.file().display(),
        certificate = certificate.display(),
        key = key.display(),
    )
    .expect("a string");
    text
}
