// SPDX-License-Identifier: GPL-3.0-or-later
//! Real mail servers that look up Postern's tables, without a milter: who exists, where mail goes, which domains are ours,
//! which clients are known, and what a connection to a server must be.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::address::own_address;
use crate::common::authority::{Authority, Issued};
use crate::common::dir::{TestDir, make_dir};
use crate::common::postern::{Endpoint, Postern};
use crate::common::sink::Sink;
use crate::common::smtp::{Reply, Smtp};
use crate::common::wait::{SOON, wait_until};
use crate::dialogue::{GATEWAY, STRANGER};
use crate::mta::{Extra, Mta, fill};
use crate::postfix::Postfix;
use crate::sendmail::Sendmail;

const CONFIG: &str = include_str!("socketmap.toml");
/// As examples/postfix says it: what is relayed is what is listed, and who exists is looked up.
const TABLES: [&str; 4] = [
    "relay_domains = socketmap:@LISTEN@:domain",
    "relay_recipient_maps = socketmap:@LISTEN@:recipient",
    "transport_maps = socketmap:@LISTEN@:transport",
    "smtpd_relay_restrictions = reject_unauth_destination",
];
/// What Sendmail asks, and what it makes of the answer.
const RULES: [&str; 6] = [
    "LOCAL_RULE_0",
    "R$+ < @ $+ . > $*\t$: < postern $(mailertable $1@$2 $) > $1 < @ $2 . > $3",
    "R< postern $~[ : $+ > $+\t$>MailerToTriple < $1 : $2 > $3",
    "R< postern $* > $+\t$: $2",
    "MAILER_DEFINITIONS",
    "Mpostern2600, P=[IPC], F=mDFMuXa8, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP, E=\\r\\n, L=2040, \
     T=DNS/RFC822/SMTP, A=TCP $h 2600",
];

/// How long a queue may take: Postfix leaves a message alone for a minute that it finds under delivery when it looks.
const PATIENCE: Duration = SOON.saturating_mul(4);

/// Postern, a mail server that looks up its tables, and what is behind.
struct Site {
    postern: Option<Postern>,
    mta: Box<dyn Mta>,
    /// Where mail goes that no table knows.
    elsewhere: Sink,
    one: Sink,
    two: Sink,
    listen: SocketAddr,
    home: TestDir,
}

impl Site {
    /// A Postfix with these settings.
    fn postfix(settings: &[&str]) -> Self {
        Self::open(|sink, listen| {
            let listen = Endpoint::Inet(listen).to_string();
            let settings = settings.iter().map(|text| fill(text, &[("LISTEN", &listen)]));
            let extra = Extra { postfix: kept(settings), ..Extra::default() };
            Box::new(Postfix::start(sink, None, &extra))
        })
    }

    fn sendmail() -> Self {
        Self::open(|sink, listen| {
            let map = format!("Kmailertable socket inet:{}@{}", listen.port(), listen.ip());
            let lines = RULES.into_iter().map(str::to_owned);
            let extra =
                Extra { sendmail: kept(lines), sendmail_cf: kept([map].into_iter()), ..Extra::default() };
            Box::new(Sendmail::start(sink, None, &extra))
        })
    }

    fn open(start: impl FnOnce(&Sink, SocketAddr) -> Box<dyn Mta>) -> Self {
        let (elsewhere, one, two) = (Sink::start(), Sink::start(), Sink::start());
        let listen = own_address(8892);
        let mta = start(&elsewhere, listen);
        let home = TestDir::new();
        make_dir(&home.join("state"), 0o755);
        home.write(
            "staff.txt",
            "ann@a.example\nbob@a.example\neve@a.example\nann@soft.example\nbob@soft.example\neve@soft.example\n",
        );
        let mut site = Self { postern: None, mta, elsewhere, one, two, listen, home };
        site.configure(site.two.address(), "may", "");
        site.start();
        site
    }

    /// Writes the configuration, with the host of server `two` and how to connect to it.
    fn configure(&self, two: SocketAddr, tls: &str, certificate: &str) {
        let places = [
            ("DIR", self.home.path().display().to_string()),
            ("LISTEN", Endpoint::Inet(self.listen).to_string()),
            ("NOBODY", own_address(389).to_string()),
            ("DOWN", own_address(2600).to_string()),
            ("ONE", self.one.address().to_string()),
            ("TWO", two.to_string()),
            ("TLS", tls.to_owned()),
            ("CERTIFICATE", certificate.to_owned()),
        ];
        let places = places.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.home.write("postern.toml", &fill(CONFIG, &places));
    }

    fn start(&mut self) {
        self.postern = Some(Postern::start(self.home.path(), &[Endpoint::Inet(self.listen)]));
    }

    fn postern(&self) -> &Postern {
        self.postern.as_ref().expect("Postern runs")
    }

    fn session(&self, source: &str) -> Smtp {
        let mut smtp = self.mta.session(source.parse().expect("an address"));
        smtp.command("EHLO client.example");
        smtp.command("MAIL FROM:<eve@sender.example>");
        smtp
    }

    /// What a client that names this recipient hears.
    fn rcpt(&self, recipient: &str) -> Reply {
        self.session(GATEWAY).command(format!("RCPT TO:<{recipient}>"))
    }

    /// Sends a message, which is taken.
    fn send(&self, recipients: &[&str], subject: &str) {
        let mut smtp = self.session(GATEWAY);
        for recipient in recipients {
            let reply = smtp.command(format!("RCPT TO:<{recipient}>"));
            assert!(reply.is_ok(), "{recipient}: {reply}\n{}", self.logs());
        }
        smtp.command("DATA");
        let reply = smtp.content(format!("Subject: {subject}\r\n\r\nbody\r\n").as_bytes());
        assert!(reply.is_ok(), "{reply}\n{}", self.logs());
    }

    /// Waits until a message is where it is to go, and nowhere else.
    fn arrives(&self, subject: &str, at: &[(&Sink, &[&str])]) {
        wait_until(&format!("{subject} to be delivered: {}", self.logs()), PATIENCE, || {
            self.mta.waiting().is_empty()
        });
        for sink in [&self.elsewhere, &self.one, &self.two] {
            let want = at.iter().find(|(at, _)| at.address() == sink.address());
            let deliveries = sink.with_header("Subject", subject);
            let got: Vec<&str> =
                deliveries.iter().flat_map(|one| &one.recipients).map(String::as_str).collect();
            assert_eq!(
                got,
                want.map_or(&[][..], |(_, recipients)| *recipients),
                "{subject}\n{}",
                self.logs()
            );
        }
    }

    /// How many messages wait.
    fn waiting(&self) -> usize {
        let mut ids = self.mta.waiting();
        ids.sort_unstable();
        // One that moves between queues is seen twice.
        ids.dedup();
        ids.len()
    }

    fn expect(&self, rows: &[(&str, &str)]) {
        for (recipient, want) in rows {
            let reply = self.rcpt(recipient);
            assert!(reply.text().starts_with(want), "{recipient}: {reply}, not {want}\n{}", self.logs());
        }
    }

    fn logs(&self) -> String {
        let postern = self.postern.as_ref().map(Postern::log).unwrap_or_default();
        let tail = |log: &str| log.lines().rev().take(20).collect::<Vec<_>>().join("\n    ");
        format!(
            "  {}, last line first:\n    {}\n  Postern:\n    {}\n",
            self.mta.name(),
            tail(&self.mta.log()),
            tail(&postern)
        )
    }
}

/// Settings for a server that lives as long as the test.
fn kept(lines: impl Iterator<Item = String>) -> &'static [&'static str] {
    let lines: Vec<&'static str> = lines.map(|line| &*line.leak()).collect();
    lines.leak()
}

#[test]
fn recipients_and_domains_in_postfix() {
    let site = Site::postfix(&TABLES);
    site.expect(&[
        ("ann@a.example", "250 "),
        ("Ann+x@A.Example", "250 "),
        ("postmaster@a.example", "250 "),
        ("nobody@a.example", "550 5.1.1 "),
        // Who exists, and has no server.
        ("eve@a.example", "550 5.1.1 "),
        ("ghost@soft.example", "451 4.3.0 "),
        ("nobody@soft.example", "450 4.1.1 "),
        ("eve@soft.example", "450 4.1.1 "),
        ("nobody@monitor.example", "250 "),
        ("anyone@x.y.below.example", "250 "),
        // As long as nothing is known.
        ("ann@late.example", "451 4.3.0 "),
        ("ann@below.example", "554 5.7.1 "),
        ("ann@elsewhere.example", "554 5.7.1 "),
    ]);
    let log = site.postern().log();
    for trouble in ["does not speak", "broken off", "looked up"] {
        assert!(!log.contains(trouble), "{log}");
    }
}

#[test]
fn mail_goes_to_its_server_in_postfix() {
    let site = Site::postfix(&TABLES);
    routed(&site);
    // The host that is down was tried first.
    assert!(site.mta.log().contains("Connection refused"), "{}", site.mta.log());
}

#[test]
fn mail_goes_to_its_server_in_sendmail() {
    let site = Site::sendmail();
    site.expect(&[
        ("ann@a.example", "250 "),
        ("eve@a.example", "550 5.1.1 "),
        ("eve@soft.example", "451 4.1.1 "),
        ("eve@monitor.example", "250 "),
        ("ann@late.example", "250 2.1.5 <ann@late.example>... Recipient ok (will queue)"),
    ]);
    routed(&site);
}

fn routed(site: &Site) {
    let Site { elsewhere, one, two, .. } = site;
    site.send(&["ann@a.example"], "to-one");
    site.arrives("to-one", &[(one, &["ann@a.example"])]);
    site.send(&["bob@a.example"], "to-two");
    site.arrives("to-two", &[(two, &["bob@a.example"])]);
    site.send(&["ann@a.example", "bob@a.example"], "to-both");
    site.arrives("to-both", &[(one, &["ann@a.example"]), (two, &["bob@a.example"])]);
    site.send(&["anyone@x.below.example"], "below");
    site.arrives("below", &[(two, &["anyone@x.below.example"])]);
    // Nothing is refused in a monitored domain, and what no rule is for goes where the mail server thinks.
    site.send(&["eve@monitor.example"], "monitored");
    site.arrives("monitored", &[(elsewhere, &["eve@monitor.example"])]);
}

#[test]
fn mail_waits_for_postern_in_postfix() {
    waits(Site::postfix(&TABLES), |reply| reply.code == 451);
}

#[test]
fn mail_waits_for_postern_in_sendmail() {
    // It is taken, and stays in the queue.
    waits(Site::sendmail(), |reply| reply.text().contains("(will queue)"));
}

/// Postern goes away while a message is in the queue, whose server is not there yet; and while a client names a recipient.
fn waits(mut site: Site, as_unknown: fn(&Reply) -> bool) {
    let late = own_address(2600);
    site.configure(late, "may", "");
    let since = site.postern().log().len();
    site.postern().reload();
    site.postern().logged(since, "reloaded");
    site.send(&["bob@a.example"], "waits");
    wait_until("a first try", SOON, || site.mta.log().contains("efused"));
    let status = site.postern.take().expect("Postern runs").stop();
    assert!(status.success(), "{status}");
    // Both keep what they were told for a while; nobody has asked for these.
    for recipient in ["ann@a.example", "nobody@a.example", "eve@a.example"] {
        let reply = site.rcpt(recipient);
        assert!(as_unknown(&reply), "{recipient}: {reply}\n{}", site.logs());
    }
    assert_eq!(site.waiting(), 1, "{}", site.logs());
    let two = Sink::at(late);
    site.start();
    wait_until("the queue to be empty", PATIENCE, || site.mta.waiting().is_empty());
    assert_eq!(two.with_header("Subject", "waits").len(), 1, "{}", site.logs());
    assert_eq!(site.elsewhere.deliveries().len() + site.one.deliveries().len(), 0);
    // A process of Postfix's keeps for some time that it was told nothing.
    for (recipient, want) in [("ann@a.example", "250 "), ("eve@a.example", "550 5.1.1 ")] {
        wait_until(recipient, PATIENCE, || site.rcpt(recipient).text().starts_with(want));
    }
}

#[test]
fn postfix_hangs_up_when_it_has_nothing_to_ask() {
    let site = Site::postfix(&TABLES);
    site.expect(&[("ann@a.example", "250 ")]);
    assert!(connections_to(site.listen) > 0);
    wait_until("Postfix to hang up", SOON, || connections_to(site.listen) == 0);
    site.expect(&[("bob@a.example", "250 "), ("nobody@a.example", "550 5.1.1 ")]);
    let log = site.postern().log();
    assert!(!log.contains("broken off") && !log.contains("does not speak"), "{log}");
}

/// Connections that are open to an address (`proc(5)`).
fn connections_to(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { panic!("an IPv4 address") };
    let remote = format!("{:08X}:{:04X}", u32::from_le_bytes(address.ip().octets()), address.port());
    let table = fs::read_to_string("/proc/net/tcp").expect("the table of connections");
    let open = |line: &&str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.get(2) == Some(&remote.as_str()) && columns.get(3) == Some(&"01")
    };
    table.lines().filter(open).count()
}

#[test]
fn clients_in_postfix() {
    let access = "smtpd_client_restrictions = check_client_access socketmap:@LISTEN@:access, reject";
    let site = Site::postfix(&[&TABLES[..], &[access]].concat());
    let heard = |client: &str| site.session(client).command("RCPT TO:<ann@a.example>").text();
    assert!(heard(GATEWAY).starts_with("250 "), "{}", site.logs());
    assert!(heard(STRANGER).starts_with("554 5.7.1 "), "{}", site.logs());
    // Known to the table is not known to the relay check.
    let reply = site.rcpt("ann@elsewhere.example");
    assert!(reply.text().starts_with("554 5.7.1 "), "{reply}");
}

#[test]
fn clients_in_postscreen() {
    let list = "postscreen_access_list = socketmap:@LISTEN@:postscreen";
    let site = Site::postfix(&[list, "postscreen_greet_wait = 1s"]);
    let screen = own_address(2525);
    let master = site.mta.dir().join("etc/master.cf");
    let services = fs::read_to_string(&master).expect("master.cf");
    let screening =
        "smtpd pass - - n - - smtpd\ndnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n";
    fs::write(&master, format!("{services}{screen} inet n - n - 1 postscreen\n{screening}"))
        .expect("master.cf");
    let reloaded =
        Command::new("/usr/sbin/postfix").arg("-c").arg(site.mta.dir().join("etc")).arg("reload").output();
    assert!(reloaded.expect("postfix runs").status.success());
    wait_until("postscreen to listen", SOON, || TcpStream::connect(screen).is_ok());
    for (client, word) in [(GATEWAY, "LISTED"), (STRANGER, "PASS NEW")] {
        let mut smtp = Smtp::connect(client.parse().expect("an address"), screen);
        assert!(smtp.command("EHLO client.example").is_ok(), "{}", site.logs());
        wait_until(&format!("{client} to be {word}"), SOON, || {
            site.mta.log().lines().any(|line| line.contains(word) && line.contains(&format!("[{client}]")))
        });
    }
    assert!(!site.mta.log().contains("unknown command"), "{}", site.mta.log());
}

#[test]
fn only_the_right_certificate_gets_mail_from_postfix() {
    let authority = Authority::new();
    let Issued { certificate, key } =
        authority.issue("mail", "/CN=mail.corp.example", "DNS:mail.corp.example", "1");
    let behind = Sink::start();
    let tls = Extra {
        postfix: kept(
            [
                format!("smtpd_tls_chain_files = {}, {}", key.display(), certificate.display()),
                "smtpd_tls_security_level = may".to_owned(),
            ]
            .into_iter(),
        ),
        ..Extra::default()
    };
    let server = Postfix::start(&behind, None, &tls);
    let trusted = format!("smtp_tls_CAfile = {}", authority.file().display());
    let policies =
        ["smtp_tls_security_level = may", "smtp_tls_policy_maps = socketmap:@LISTEN@:tls", &trusted];
    let site = Site::postfix(&[&TABLES[..], &policies].concat());
    let turn = |certificate: &str| {
        site.configure(server.smtp(), "verify", certificate);
        let since = site.postern().log().len();
        site.postern().reload();
        site.postern().logged(since, "reloaded");
    };
    // A name that the certificate has not: nothing is sent, not even the envelope.
    turn("certificate = [\"mail.other.example\"]");
    site.send(&["bob@a.example"], "verified");
    wait_until("Postfix to look at the certificate", SOON, || {
        site.mta.log().contains("Server certificate not verified")
    });
    assert_eq!(site.waiting(), 1, "{}", site.logs());
    assert!(!server.log().contains("client="), "{}", server.log());
    assert!(behind.deliveries().is_empty());
    // One of several names, and below a wildcard.
    turn("certificate = [\"mail.other.example\", \"*.corp.example\"]");
    wait_until("the queue to be empty", PATIENCE, || {
        site.mta.waiting().is_empty() && server.waiting().is_empty()
    });
    assert_eq!(behind.with_header("Subject", "verified").len(), 1, "{}\n{}", site.logs(), server.log());
    assert!(site.two.deliveries().is_empty() && site.elsewhere.deliveries().is_empty());
    assert!(Path::new(&certificate).exists());
}
