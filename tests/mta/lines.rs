// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern mta postfix`: a Postfix that has the printed lines is found in order, by Postfix's own programs and by
//! `--check`; and each way of being broken is found, by its place and with what it comes to.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::common::dir::{TestDir, make_dir};
use crate::mta::{fill, need};

const CONFIG: &str = include_str!("lines.toml");

/// What is there before the lines.
const MAIN: &str = "compatibility_level = 3.6
queue_directory = @DIR@/spool
data_directory = @DIR@/lib
maillog_file = @DIR@/mail.log
maillog_file_prefixes = @DIR@
myhostname = mx.test.example
mydestination =
mynetworks = 127.0.0.9
smtpd_tls_CAfile = @DIR@/ca.pem
default_process_limit = 50
";

const MASTER: &str = "smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o smtpd_milters=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:10025 inet n - n - - smtpd
  -o smtpd_milters=
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
smtp unix - - n - - smtp
";

/// A configuration of Postern's, and one of Postfix's that has the lines for it.
struct Bench {
    dir: TestDir,
}

impl Bench {
    fn new(config: &str) -> Self {
        need(Path::new("/usr/sbin/postconf"), "the package postfix");
        let dir = TestDir::new();
        make_dir(&dir.join("etc"), 0o755);
        make_dir(&dir.join("spool"), 0o755);
        let root = dir.path().display().to_string();
        let milter = format!("unix:{root}/spool/postern/milter.sock");
        dir.write(
            "postern.toml",
            &fill(config, &[("DIR", &root), ("MILTER", &milter), ("HOST", "127.0.0.1")]),
        );
        dir.write("staff.txt", "ann@a.example\n");
        dir.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
        let bench = Self { dir };
        // Its queue is asked for, so it has to be there before the lines are.
        bench.write_main("");
        bench.write("etc/master.cf", MASTER);
        let lines = bench.printed(&[]);
        bench.write_main(&lines);
        bench
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.dir.write(name, text);
        // Postfix's programs wait for as long as main.cf is younger than two seconds.
        let before = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(file).and_then(|file| file.set_modified(before)).expect("its time");
    }

    fn write_main(&self, lines: &str) {
        let root = self.dir.path().display().to_string();
        self.write("etc/main.cf", &format!("{}{lines}", fill(MAIN, &[("DIR", &root)])));
    }

    fn lines(&self) -> String {
        std::fs::read_to_string(self.dir.join("etc/main.cf")).expect("main.cf")
    }

    /// Puts a parameter in the place of what is there, as an admin does.
    fn set(&self, parameter: &str) {
        let done = Command::new("/usr/sbin/postconf")
            .arg("-c")
            .arg(self.dir.join("etc"))
            .args(["-e", parameter])
            .output();
        let done = done.expect("postconf runs");
        assert!(done.status.success() && done.stderr.is_empty(), "{parameter}: {done:?}");
        self.write("etc/main.cf", &self.lines());
    }

    fn postern(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_postern"))
            .args(["mta", "postfix", "--config"])
            .arg(self.dir.join("postern.toml"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("postern runs")
    }

    fn printed(&self, arguments: &[&str]) -> String {
        let etc = self.dir.join("etc").display().to_string();
        let output = self.postern(&[&["--postfix-config", &etc][..], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What `--check` finds.
    fn check(&self) -> Vec<Value> {
        let etc = self.dir.join("etc");
        let output = self.postern(&["--check", "--json", "--postfix-config", &etc.display().to_string()]);
        let findings: Vec<Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let code = i32::from(!findings.is_empty());
        assert_eq!(output.status.code(), Some(code), "{findings:?}");
        findings
    }
}

#[test]
fn what_is_printed_is_accepted_and_in_order() {
    let bench = Bench::new(CONFIG);
    let etc = bench.dir.join("etc");
    for arguments in [&["-n"][..], &["-x"], &["-M"]] {
        let read = Command::new("/usr/sbin/postconf")
            .arg("-c")
            .arg(&etc)
            .args(arguments)
            .output()
            .expect("postconf");
        // A parameter that Postfix does not know, or one that is there twice, is a warning.
        assert!(read.status.success() && read.stderr.is_empty(), "{arguments:?}: {read:?}");
    }
    assert_eq!(bench.check(), [] as [Value; 0], "{}", bench.lines());
    let text = bench.postern(&["--check", "--postfix-config", &etc.display().to_string()]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("is as this configuration needs it"), "{text:?}");
    let printed = bench.printed(&[]);
    assert!(printed.contains("smtpd_milters = unix:postern/milter.sock\n"), "{printed}");
    for line in printed.lines().filter(|line| line.starts_with('#')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn older_releases_get_what_they_know() {
    let bench = Bench::new(CONFIG);
    for (version, has, lacks) in [
        ("3.10", "regexp:{{/^X-Postern-Via", "postern_via"),
        ("3.6", "regexp:/etc/postfix/postern_via", "regexp:{"),
        ("3.4", "Postfix knows several next hops from 3.5 on", "regexp:{"),
        ("2.11", "smtpd_policy_service_timeout = 10s", "check_policy_service {"),
    ] {
        let printed = bench.printed(&["--postfix-version", version]);
        assert!(printed.contains(has), "{version}: {printed}");
        assert!(!printed.contains(lacks), "{version}: {printed}");
    }
    let printed = bench.printed(&["--postscreen"]);
    assert!(
        printed.contains("postscreen_access_list =\n    permit_mynetworks,\n    socketmap:"),
        "{printed}"
    );
    let output = bench.postern(&["--postfix-version", "2.9"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// What is broken: a parameter of main.cf, or a line of master.cf in the place of another.
enum Broken {
    Main(&'static str),
    Master(&'static str, &'static str),
}

use Broken::{Main, Master};

#[test]
#[allow(clippy::too_many_lines)] // A table.
fn what_is_broken_is_found() {
    let ours = "check_policy_service { inet:127.0.0.1:8891, timeout=10s }";
    let with = |before: &str| format!("smtpd_recipient_restrictions = {before}, {ours}");
    let before: [(&str, &str, &str); 3] = [
        ("permit", "error", "everybody is let in before Postern is asked"),
        ("permit_mynetworks", "warning", "whom permit_mynetworks lets in"),
        ("permit_dnswl_client list.example", "warning", "whom permit_dnswl_client lets in"),
    ];
    for (permit, severity, why) in before {
        broken(&[Main(with(permit).leak())], severity, "smtpd_recipient_restrictions", why);
    }
    for (what, severity, place, why) in [
        (
            &[Main("milter_default_action = accept")][..],
            "error",
            "main.cf: milter_default_action",
            "accept lets everybody in",
        ),
        (
            &[Main("milter_default_action = reject")],
            "error",
            "main.cf: milter_default_action",
            "reject bounces",
        ),
        (&[Main("milter_protocol = 4")], "error", "main.cf: milter_protocol", "less than 6"),
        (
            &[Main("milter_command_timeout = 3s")],
            "warning",
            "main.cf: milter_command_timeout",
            "shorter than",
        ),
        (&[Main("milter_content_timeout = 3")], "warning", "main.cf: milter_content_timeout", "shorter than"),
        (
            &[Main("smtpd_milters =")],
            "error",
            "master.cf: smtp/inet, smtpd_milters",
            "a way around the gateway",
        ),
        (
            &[Main("smtpd_milters = inet:127.0.0.1:8999")],
            "error",
            "master.cf: smtp/inet, smtpd_milters",
            "a way around",
        ),
        (
            &[Main("smtpd_milters = { unix:postern/milter.sock, default_action=accept }")],
            "error",
            "master.cf: smtp/inet, smtpd_milters",
            "own default_action lets everybody in",
        ),
        (
            &[Main("smtpd_milters = { unix:postern/milter.sock, command_timeout=2s }")],
            "warning",
            "master.cf: smtp/inet, smtpd_milters",
            "command_timeout is shorter",
        ),
        (
            &[Master("smtp inet n - n - - smtpd", "smtp inet n - n - - smtpd -o smtpd_milters=")],
            "error",
            "master.cf: smtp/inet, smtpd_milters",
            "a way around the gateway",
        ),
        (
            &[Master("127.0.0.1:10025 inet", "[2001:db8::25]:25 inet")],
            "error",
            "master.cf: [2001:db8::25]:25/inet, smtpd_milters",
            "a way around the gateway",
        ),
        (
            &[Master(
                "smtp inet n - n - - smtpd",
                "smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd -o smtpd_milters=",
            )],
            "error",
            "master.cf: smtpd/pass, smtpd_milters",
            "a way around the gateway",
        ),
        (
            &[Master("  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n", "")],
            "error",
            "master.cf: submission/inet, smtpd_milters",
            "a way around the gateway",
        ),
        (
            &[Master(
                "smtp inet n - n - - smtpd",
                "smtp inet n - n - - smtpd -o receive_override_options=no_milters",
            )],
            "error",
            "master.cf: smtp/inet, receive_override_options",
            "no milter is asked",
        ),
        (
            &[Main("non_smtpd_milters = $smtpd_milters")],
            "warning",
            "main.cf: non_smtpd_milters",
            "comes from 127.0.0.1 then, which is a stranger",
        ),
        (
            &[Main("smtpd_recipient_restrictions =")],
            "error",
            "master.cf: smtp/inet, smtpd_recipient_restrictions",
            "not asked about recipients",
        ),
        (
            &[
                Main("smtpd_recipient_restrictions ="),
                Main("smtpd_delay_reject = no"),
                Main("smtpd_client_restrictions = check_policy_service inet:127.0.0.1:8891"),
            ],
            "error",
            "smtpd_recipient_restrictions",
            "before there is a recipient",
        ),
        (
            &[Main("smtpd_relay_restrictions ="), Main("smtpd_relay_before_recipient_restrictions = no")],
            "warning",
            "smtpd_recipient_restrictions",
            "domains that Postfix will not take",
        ),
        (
            &[Main(
                "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:8891, default_action=DUNNO }",
            )],
            "error",
            "smtpd_recipient_restrictions",
            "dunno lets everybody in while Postern is down",
        ),
        (
            &[
                Main("smtpd_policy_service_default_action = permit"),
                Main("smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:8891"),
            ],
            "error",
            "smtpd_recipient_restrictions",
            "permit lets everybody in while Postern is down",
        ),
        (
            &[Main(
                "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:8891, timeout=2s }",
            )],
            "warning",
            "smtpd_recipient_restrictions",
            "deadline",
        ),
        (
            &[
                Main("mynetworks = 0.0.0.0/0"),
                Main(
                    "smtpd_recipient_restrictions = permit_mynetworks, check_policy_service inet:127.0.0.1:8891",
                ),
            ],
            "error",
            "main.cf: mynetworks",
            "lets in all of it",
        ),
        (
            &[Main("default_process_limit = 6000")],
            "warning",
            "master.cf: processes",
            "[milter] max_connections is 5000",
        ),
        (
            &[Master("smtp inet n - n - - smtpd", "smtp inet n - n - 0 smtpd")],
            "warning",
            "master.cf: processes",
            "[policyd] max_connections is 5000",
        ),
        (&[Main("relay_domains =")], "error", "main.cf: relay_domains", "takes no mail for a.example"),
        (
            &[Main("relay_domains = a.example, scanned.example")],
            "error",
            "main.cf: relay_domains",
            "takes no mail for *.sub.example",
        ),
        (
            &[Main("relay_recipient_maps = static:all")],
            "warning",
            "main.cf: relay_recipient_maps",
            "in these tables and in Postern's directories",
        ),
        (&[Main("transport_maps =")], "error", "main.cf: transport_maps", "[[route]] has no effect"),
        (
            &[Main("transport_maps = static:smtp, socketmap:inet:127.0.0.1:8892:transport")],
            "warning",
            "main.cf: transport_maps",
            "in front of it",
        ),
        (
            &[Main("milter_header_checks =")],
            "error",
            "main.cf: milter_header_checks",
            "without having been scanned",
        ),
        (
            &[Main("milter_header_checks = regexp:{{/^X-Postern-Via:/ WARN}}")],
            "error",
            "main.cf: milter_header_checks",
            "steers nothing",
        ),
        (
            &[Main("milter_header_checks = regexp:/nowhere/at/all")],
            "error",
            "main.cf: milter_header_checks",
            "cannot be read",
        ),
        (
            &[Main("content_filter = smtp:[127.0.0.1]:10024")],
            "warning",
            "main.cf: content_filter",
            "has one filter",
        ),
        (&[Main("smtp_tls_policy_maps =")], "error", "main.cf: smtp_tls_policy_maps", "may go in clear"),
        (
            &[Main("smtp_tls_CAfile =")],
            "error",
            "main.cf: smtp_tls_CAfile",
            "no server's certificate is trusted",
        ),
        (&[Main("smtpd_tls_ask_ccert = no")], "error", "main.cf: smtpd_tls_ask_ccert", "no client is asked"),
        (
            &[Main("smtpd_tls_security_level = none")],
            "error",
            "main.cf: smtpd_tls_security_level",
            "no client can show",
        ),
        (
            &[Main("smtpd_tls_fingerprint_digest = md5")],
            "error",
            "main.cf: smtpd_tls_fingerprint_digest",
            "never equal those in postern.toml",
        ),
        (
            &[Main("smtpd_tls_CAfile =")],
            "error",
            "main.cf: smtpd_tls_CAfile",
            "no client's certificate is trusted",
        ),
        (
            &[Main("smtpd_tls_CAfile = /etc/ssl/certs/ca-certificates.crt")],
            "warning",
            "main.cf: smtpd_tls_CAfile",
            "any of them can vouch",
        ),
    ] {
        broken(what, severity, place, why);
    }
}

/// Breaks a right one, and wants this to be found, and no error beside what is named.
fn broken(what: &[Broken], severity: &str, place: &str, why: &str) {
    let bench = Bench::new(CONFIG);
    let mut name = String::new();
    for one in what {
        match one {
            Main(parameter) => {
                bench.set(parameter);
                name.push_str(parameter);
            }
            Master(line, instead) => {
                let master = std::fs::read_to_string(bench.dir.join("etc/master.cf")).expect("master.cf");
                assert!(master.contains(line), "{line}");
                bench.write("etc/master.cf", &master.replacen(line, instead, 1));
                name.push_str(instead);
            }
        }
    }
    let findings = bench.check();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let is_it = |finding: &&Value| {
        text(finding, "severity") == severity
            && text(finding, "place").contains(place)
            && text(finding, "why").contains(why)
    };
    let found = findings
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{name}: no {severity} {place}: {why} in {findings:#?}"));
    assert!(!text(found, "write").is_empty(), "{name}: {found:?}");
}

#[test]
fn what_is_discarded_is_asked_about_at_data() {
    // Without a milter the policy service does what is for a whole message.
    let milter = "[milter]\nlisten = [\"@MILTER@\"]\nsocket_mode = \"0666\"\n";
    let scan = "[domain.\"scanned.example\".scan]\nvia = \"scanner\"\n";
    assert!(CONFIG.contains(milter) && CONFIG.contains(scan));
    let alone = CONFIG
        .replace(milter, "")
        .replace(scan, "[domain.\"scanned.example\".verdict]\nsource = \"discard\"\n");
    let bench = Bench::new(&alone);
    assert_eq!(bench.check(), [] as [Value; 0], "{}", bench.lines());
    assert!(bench.lines().contains("\nsmtpd_data_restrictions ="), "{}", bench.lines());
    bench.set("smtpd_data_restrictions =");
    let findings = bench.check();
    assert!(
        findings[0]["why"].as_str().unwrap_or_default().contains("nothing can be discarded"),
        "{findings:?}"
    );
    // Who exists is then asked by the policy service, too.
    assert!(!bench.lines().contains("relay_recipient_maps"), "{}", bench.lines());
}

#[test]
fn other_spellings_of_what_is_right_are_right() {
    for parameters in [
        &["relay_domains = a.example, .sub.example, scanned.example", "parent_domain_matches_subdomains ="][..],
        &["relay_domains = a.example sub.example scanned.example"],
        &["relay_domains =", "mydestination = a.example", "virtual_mailbox_domains = static:all"],
        &["relay_domains = proxy:socketmap:inet:127.0.0.1:8892:domain"],
        &["relay_domains = socketmap:inet:127.0.0.1:1:foreign"],
        &["smtpd_milters = inet:127.0.0.1:9, { unix:postern/milter.sock, default_action=tempfail }"],
        &["milter_default_action = shutdown"],
        &["transport_maps = proxy:socketmap:inet:127.0.0.1:8892:transport, static:smtp"],
        &["smtpd_tls_ask_ccert = no", "smtpd_tls_req_ccert = yes", "smtpd_tls_security_level = encrypt"],
        &[
            "milter_header_checks = regexp:{{/^X-Other/ WARN}}, regexp:{{/^X-Postern-Via: (.*)$$/ FILTER relay:$$1}}",
        ],
        &[
            "smtpd_recipient_restrictions = reject_unauth_pipelining, permit_sasl_authenticated, reject_unauth_destination, \
           check_policy_service inet:127.0.0.1:8891",
        ],
    ] {
        let bench = Bench::new(CONFIG);
        for parameter in parameters {
            bench.set(parameter);
        }
        assert_eq!(bench.check(), [] as [Value; 0], "{parameters:?}");
    }
}

#[test]
fn a_chroot_hides_sockets_that_are_not_below_it() {
    let bench = Bench::new(&CONFIG.replace("@MILTER@", "unix:/run/postern/milter.sock"));
    assert_eq!(bench.check(), [] as [Value; 0]);
    bench.write("etc/master.cf", &MASTER.replacen("smtp inet n - n", "smtp inet n - y", 1));
    let findings = bench.check();
    assert!(findings[0]["why"].as_str().unwrap_or_default().contains("chroot"), "{findings:?}");
    // The lines say so before.
    assert!(bench.printed(&[]).contains("must not run in a chroot"));
}

#[test]
fn what_cannot_be_read_is_no_answer() {
    let bench = Bench::new(CONFIG);
    for arguments in [&["--check", "--postfix-config", "/nowhere"][..], &["--postfix-config", "/etc"]] {
        let output = bench.postern(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
    }
}
