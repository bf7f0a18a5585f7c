// SPDX-License-Identifier: GPL-3.0-or-later
//! Who is hidden and who is not, at times of the test's own.

use super::*;
use std::io::Write;
use std::sync::Arc;
use tracing::subscriber::DefaultGuard;

const BRIDGE: &str = "172.17.0.1";

/// A watcher, and the time that it is told.
struct Scene {
    hidden: Hidden,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self { hidden: Hidden::default(), now: Instant::now() }
    }

    fn note(&self, client: &str, helo: &str, sender: &str) {
        let sender = ReversePath::parse(sender.as_bytes());
        self.hidden.note_at(self.now, client.parse().unwrap(), Some(helo.as_bytes()), Some(&sender));
    }

    /// `count` clients that have nothing to do with each other, `apart` from one another.
    fn strangers(&mut self, client: &str, count: usize, apart: Duration) {
        for n in 0..count {
            self.note(client, &format!("mail.helo{n}.example"), &format!("<ann@sender{n}.example>"));
            self.now += apart;
        }
    }

    fn hides(&self, client: &str) -> bool {
        self.hidden.hides_at(self.now, client.parse().unwrap())
    }

    fn all(&self) -> Vec<String> {
        self.hidden.hidden_at(self.now).iter().map(ToString::to_string).collect()
    }
}

#[test]
fn whose_a_name_is() {
    for (name, want) in [
        ("mail.a.example", "a.example"),
        ("MAIL.A.Example.", "a.example"),
        ("a.example", "a.example"),
        ("x.y.a.co.uk", "a.co.uk"),
        ("a.co.uk", "a.co.uk"),
        ("co.uk", "co.uk"),
        ("x.a.com.au", "a.com.au"),
        ("x.com.example", "com.example"),
        ("localhost", "localhost"),
        ("WIN-4711", "win-4711"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[192.0.2.2]", "[192.0.2.2]"),
        ("192.0.2.1", "192.0.2.1"),
        (".", ""),
        ("", ""),
        ("..", "."),
        ("a..uk", ".uk"),
    ] {
        let found = organisation(name.as_bytes()).to_ascii_lowercase();
        assert_eq!(String::from_utf8_lossy(&found), want, "{name}");
    }
    assert_eq!(organisation(&[b'x'; 600]).len(), MAX_NAME);
}

/// Makes the name of a number.
type Make<'a> = &'a dyn Fn(usize) -> String;

#[test]
fn who_is_hidden() {
    let many = |n: usize| format!("mail.helo{n}.example");
    let related = |n: usize| format!("mx{n}.gateway.example");
    let domain = |n: usize| format!("<ann@sender{n}.example>");
    let related_domain = |n: usize| format!("<ann@dept{n}.sender.example>");
    let null = |_: usize| "<>".to_owned();
    let opaque = |_: usize| "<ann".to_owned();
    let cases: [(&str, &str, Make<'_>, Make<'_>, usize, bool); 14] = [
        ("a container bridge", BRIDGE, &many, &domain, 8, true),
        ("loopback", "127.0.0.1", &many, &domain, 8, true),
        ("a private network", "10.1.2.3", &many, &domain, 8, true),
        ("a carrier's NAT", "100.64.0.1", &many, &domain, 8, true),
        ("a unique local address", "fd00::1", &many, &domain, 8, true),
        ("an IPv4 address in IPv6's clothes", "::ffff:10.1.2.3", &many, &domain, 8, true),
        ("one too few", BRIDGE, &many, &domain, 7, false),
        ("a gateway of one name", BRIDGE, &|_| "gw.example".into(), &domain, 500, false),
        ("a gateway of many names", BRIDGE, &related, &domain, 500, false),
        ("many names of one sender", BRIDGE, &many, &related_domain, 500, false),
        ("bounces", BRIDGE, &many, &null, 500, false),
        ("senders that are none", BRIDGE, &many, &opaque, 500, false),
        ("address literals", BRIDGE, &|n| format!("[192.0.2.{n}]"), &domain, 8, true),
        ("a public address", "203.0.113.9", &many, &domain, 500, false),
    ];
    for (name, client, helo, sender, count, want) in cases {
        let scene = Scene::new();
        (0..count).for_each(|n| scene.note(client, &helo(n), &sender(n)));
        assert_eq!(scene.hides(client), want, "{name}");
        assert_eq!(scene.all().is_empty(), !want, "{name}");
        assert!(!scene.hides("10.9.9.9"), "{name}: another address");
    }
}

#[test]
fn names_count_for_an_hour_and_the_address_for_another() {
    let mut slow = Scene::new();
    slow.strangers(BRIDGE, 100, HOUR / 6);
    assert!(!slow.hides(BRIDGE), "six an hour");
    let mut scene = Scene::new();
    scene.strangers(BRIDGE, 8, HOUR / 9);
    assert!(scene.hides(BRIDGE), "eight within an hour");
    assert_eq!(scene.all(), [BRIDGE]);
    scene.now += HOUR / 2;
    assert!(scene.hides(BRIDGE), "it stays");
    // One client alone does not prolong it.
    scene.note(BRIDGE, "one.example", "<ann@one.example>");
    scene.now += HOUR / 2;
    assert!(!scene.hides(BRIDGE), "it ends");
    assert_eq!(scene.all(), Vec::<String>::new());
    scene.strangers(BRIDGE, 8, Duration::ZERO);
    assert!(scene.hides(BRIDGE), "it comes back");
}

#[test]
fn an_address_that_all_share() {
    let client = "203.0.113.9";
    let minute = Duration::from_secs(60);
    for (name, count, apart, want) in [
        ("all for twenty minutes", 200, minute / 10, true),
        ("too few", 199, minute / 10, false),
        ("one client in a hurry", 2000, minute / 1000, false),
    ] {
        let mut scene = Scene::new();
        scene.strangers(client, count, apart);
        assert_eq!(scene.hides(client), want, "{name}");
    }
    let mut mixed = Scene::new();
    for _ in 0..100 {
        mixed.strangers(client, 10, minute);
        mixed.note("198.51.100.1", "b.example", "<bob@b.example>");
    }
    assert!(mixed.all().is_empty(), "another address in between");
    let mut gateway = Scene::new();
    for n in 0..1000 {
        gateway.note(client, &format!("mx{}.gateway.example", n % 10), &format!("<ann@sender{n}.example>"));
        gateway.now += minute / 10;
    }
    assert!(gateway.all().is_empty(), "a gateway's only address");
    let mut scene = Scene::new();
    scene.strangers(client, 400, minute / 10);
    scene.note("198.51.100.1", "b.example", "<bob@b.example>");
    assert!(scene.hides(client), "once seen it stays");
    scene.now += HOUR;
    assert!(scene.all().is_empty(), "and ends");
}

/// What is logged while a test runs.
#[derive(Clone, Default)]
pub(in crate::gate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what this thread logs while the guard lives.
    pub(in crate::gate) fn keep() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since the last time.
    pub(in crate::gate) fn take(&self) -> Vec<String> {
        let octets = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(octets).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn it_is_said_at_the_beginning_and_hourly_and_at_the_end() {
    let (log, _guard) = Log::keep();
    let mut scene = Scene::new();
    scene.strangers(BRIDGE, 7, Duration::ZERO);
    assert_eq!(log.take(), [""; 0], "seven");
    scene.note(BRIDGE, "evil\r\n\u{1b}[31m.example", "<ann@sender.example>");
    let said = log.take();
    assert_eq!(said.len(), 1, "{said:?}");
    for part in [
        "WARN",
        "address=172.17.0.1",
        "helo6.example",
        "sender6.example",
        r"evil\r\n\x1b[31m.example",
        "accept_private = true",
    ] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
    scene.strangers(BRIDGE, 59 * 6, Duration::from_secs(10));
    assert_eq!(log.take(), [""; 0], "within the hour");
    scene.strangers(BRIDGE, 24 * 360, Duration::from_secs(10));
    assert_eq!(log.take().len(), 24, "in a day");
    scene.now += HOUR;
    assert!(!scene.hides(BRIDGE) && scene.all().is_empty());
    let said = log.take();
    assert!(
        said.len() == 1 && said[0].contains("INFO") && said[0].contains("address=172.17.0.1"),
        "{said:?}"
    );
}

#[test]
fn a_flood_is_bounded() {
    let scene = Scene::new();
    let long = "x".repeat(500);
    for n in 0..1500_u32 {
        let [.., high, low] = n.to_be_bytes();
        let client = format!("10.0.{high}.{low}");
        for m in 0..10 {
            scene.note(
                &client,
                &format!("{n}-{m}{long}.{m}example"),
                &format!("<ann@sender{n}-{m}.example>"),
            );
        }
    }
    assert_eq!(scene.all().len(), ADDRESSES.get());
    let noticed = scene.hidden.lock();
    for (address, watched) in &noticed.watched {
        for names in [&watched.helo, &watched.senders] {
            assert!(names.0.len() <= UNRELATED && names.0.capacity() <= 2 * UNRELATED, "{address}");
            assert!(names.0.iter().all(|(name, _)| name.capacity() <= 2 * MAX_NAME), "{address}");
        }
    }
}
