// SPDX-License-Identifier: GPL-3.0-or-later
//! A mail server that has two mailbox servers and a scanning gateway behind it, and asks Postern through all its doors.
//!
//! It is set up as `postern mta` says. What is for neither server goes elsewhere.

use std::net::IpAddr;

use crate::common::address::own_address;
use crate::common::authority::Authority;
use crate::common::courier::{Fate, Message, carry};
use crate::common::dir::TestDir;
use crate::common::postern::{Endpoint, Postern};
use crate::common::scanner::Scanner;
use crate::common::sink::{Delivery, Sink};
use crate::common::wait::{SOON, found_within};
use crate::dialogue::GATEWAY;
use crate::house::{House, Kind, output};
use crate::mta::{Extra, Mta, fill};
use crate::postfix::Postfix;
use crate::sendmail::Sendmail;

/// The address that the scanner sends from.
pub(crate) const SCANNER: &str = "127.0.0.7";

/// The name that the scanner's certificate is to have, where it has one.
pub(crate) const SCANNER_NAME: &str = "scanner.example";

/// What differs from one estate to another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup {
    /// The name that the scanner's certificate has, while it must have its own; none where TLS is not asked for.
    pub(crate) certificate: Option<&'static str>,
    /// Whether the server asks by policy delegation, too.
    pub(crate) policyd: bool,
}

/// The running servers. They stop in the order of the fields.
pub(crate) struct Estate {
    pub(crate) house: House,
    /// The hosts of server `one`.
    pub(crate) one: [Sink; 2],
    /// Server `two`.
    pub(crate) two: Sink,
    pub(crate) scanner: Scanner,
    _authority: Option<Authority>,
}

impl Estate {
    /// Starts everything, and waits until the directory is synced.
    pub(crate) fn open(kind: Kind, setup: Setup) -> Self {
        let (authority, certificate, wish) = match setup.certificate {
            None => (None, None, String::new()),
            Some(name) => {
                let authority = Authority::new();
                let certificate = authority.sign(name, "1");
                let wish = format!("tls = \"verify\"\ncertificate = [\"{SCANNER_NAME}\"]");
                (Some(authority), Some(certificate), wish)
            }
        };
        let scanner = Scanner::start(certificate.as_ref(), address(SCANNER));
        let [first, second, two, elsewhere] = [(); 4].map(|()| Sink::start());

        let home = House::home();
        let milter = Endpoint::Unix(home.join("milter.sock"));
        let [policyd, socketmap] = [8891, 8892].map(|port| Endpoint::Inet(own_address(port)));
        let policyd_table =
            if setup.policyd { format!("[policyd]\nlisten = [\"{policyd}\"]") } else { String::new() };
        let places = [
            ("DIR", home.path().display().to_string()),
            ("MILTER", milter.to_string()),
            ("POLICYD", policyd_table),
            ("SOCKETMAP", socketmap.to_string()),
            ("FIRST", first.address().to_string()),
            ("SECOND", second.address().to_string()),
            ("TWO", two.address().to_string()),
            ("SCANNER", scanner.inbox.address().to_string()),
            ("TLS", wish),
        ];
        let places = places.each_ref().map(|(name, value)| (*name, value.as_str()));
        home.write("postern.toml", &fill(include_str!("estate.toml"), &places));
        home.write("staff.csv", include_str!("estate.csv"));
        let mut listens = vec![milter.clone(), socketmap.clone()];
        listens.extend(setup.policyd.then(|| policyd.clone()));
        let postern = Postern::start(home.path(), &listens);

        let mta = configured(kind, &home, &elsewhere, authority.as_ref());
        scanner.delivers_to(mta.smtp());
        let house = House::of(mta, postern, elsewhere, home, listens);
        let estate = Self { house, one: [first, second], two, scanner, _authority: authority };
        estate.settled();
        estate
    }

    /// Waits until the directory is synced: until somebody who is in it, and in a group, is accepted.
    pub(crate) fn settled(&self) {
        let mut heard = String::new();
        let accepted = || {
            let mut smtp = self.house.session(GATEWAY);
            smtp.command("MAIL FROM:<eve@sender.example>");
            heard = smtp.command("RCPT TO:<ann@default.example>").text();
            heard.starts_with("250").then_some(())
        };
        found_within(SOON, accepted).unwrap_or_else(|| panic!("{heard}\n{}", self.logs()));
    }

    /// Sends a message as the gateway in front, and everybody is accepted.
    pub(crate) fn passes(&self, message: &Message) -> Fate {
        let fate = self.sends(message);
        let all = fate.refused.is_empty() && fate.deferred.is_empty();
        assert!(all, "not accepted: {fate:?}\n{}", self.logs());
        fate
    }

    /// Sends a message as the gateway in front.
    pub(crate) fn sends(&self, message: &Message) -> Fate {
        self.sends_from(GATEWAY, message)
    }

    /// Sends a message from this address.
    pub(crate) fn sends_from(&self, client: &str, message: &Message) -> Fate {
        carry(address(client), self.house.mta.smtp(), message)
    }

    /// Waits until nothing is under way, neither here nor at the scanner.
    pub(crate) fn rests(&self) {
        let rests = || {
            let came = self.scanner.rests()?;
            let empty = self.house.mta.waiting().is_empty();
            (empty && self.scanner.rests() == Some(came) && self.house.mta.waiting().is_empty()).then_some(())
        };
        found_within(SOON, rests).unwrap_or_else(|| {
            let (mta, scanner) = (self.house.mta.waiting(), self.scanner.queue());
            panic!("stays under way: {mta:?}, at the scanner {scanner:?}\n{}", self.logs())
        });
    }

    /// Does this, and waits until the mail server has then tried in vain to deliver to this recipient.
    pub(crate) fn waits<T>(&self, recipient: &str, act: impl FnOnce() -> T) -> T {
        let since = self.house.mta.log().len();
        let done = act();
        // Postfix and Sendmail; the recipient may have got a longer domain.
        let tried = |line: &str| {
            line.contains(&format!("to=<{recipient}"))
                && (line.contains("status=deferred") || line.contains("stat=Deferred"))
        };
        let waits = || self.house.mta.log().get(since..)?.lines().any(tried).then_some(());
        found_within(SOON, waits).unwrap_or_else(|| panic!("nothing waits for {recipient}\n{}", self.logs()));
        done
    }

    /// Waits until so many recipients have got the message with this mark.
    pub(crate) fn reaches(&self, mark: &str, recipients: usize) {
        let reached = || (self.arrivals(mark).len() >= recipients).then_some(());
        found_within(SOON, reached).unwrap_or_else(|| panic!("{mark} does not arrive\n{}", self.logs()));
    }

    /// Where the message with this mark was delivered, and to whom: `two: bob@routed.example`, a line for each recipient of
    /// each copy, in order. No copy may have lines that are for us alone.
    pub(crate) fn arrivals(&self, mark: &str) -> Vec<String> {
        let mut arrivals = Vec::new();
        for (place, delivery) in self.copies(mark) {
            for (name, value) in delivery.headers() {
                let lower = name.to_ascii_lowercase();
                assert!(
                    !lower.starts_with("x-postern-") || lower == "x-postern-loop",
                    "{mark} came to {place} with {name}: {value}\n{}",
                    self.logs()
                );
            }
            arrivals.extend(delivery.recipients.iter().map(|recipient| format!("{place}: {recipient}")));
        }
        arrivals.sort();
        arrivals
    }

    /// The copies of the message with this mark, and where they came.
    pub(crate) fn copies(&self, mark: &str) -> Vec<(&'static str, Delivery)> {
        let Self { house, one: [first, second], two, .. } = self;
        let places = [("one", first), ("one, second host", second), ("two", two), ("elsewhere", &house.sink)];
        let here = |(place, sink): (&'static str, &Sink)| {
            sink.with_header("Subject", mark).into_iter().map(move |delivery| (place, delivery))
        };
        places.into_iter().flat_map(here).collect()
    }

    /// What the servers wrote last, and what the scanner did.
    pub(crate) fn logs(&self) -> String {
        let mut logs = self.house.logs();
        for (message, fate) in self.scanner.sent() {
            let text = String::from_utf8_lossy(&message.data).into_owned();
            let told = format!("  the scanner for {:?}: {fate:?}\n{text}", message.recipients);
            logs.push_str(&told);
        }
        logs
    }
}

/// A mail server with the lines that `postern mta` prints, and with who signs certificates here.
fn configured(kind: Kind, home: &TestDir, elsewhere: &Sink, authority: Option<&Authority>) -> Box<dyn Mta> {
    let server = match kind {
        Kind::Postfix => "postfix",
        Kind::Sendmail => "sendmail",
    };
    let output = output(home, &format!("mta {server}"));
    assert!(output.status.success(), "postern mta {server}: {output:?}");
    let printed = String::from_utf8(output.stdout).expect("text");
    let file = authority.map(|authority| authority.file().display().to_string());
    match kind {
        Kind::Postfix => {
            let mut settings = settings(&printed);
            settings.extend(file.map(|file| format!("smtp_tls_CAfile = {file}")));
            let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
            Box::new(Postfix::start(elsewhere, None, &Extra { postfix: &settings, ..Extra::default() }))
        }
        Kind::Sendmail => {
            let trust = file.map(|file| {
                format!(
                    "define(`confCACERT', `{file}')dnl\ndefine(`confCACERT_PATH', `{}')dnl",
                    home.path().display()
                )
            });
            let trust: Vec<&str> = trust.iter().map(String::as_str).collect();
            let extra = Extra { sendmail: &trust, sendmail_end: &[&printed], ..Extra::default() };
            Box::new(Sendmail::start(elsewhere, None, &extra))
        }
    }
}

/// The settings of a part of main.cf, each in one line (`postconf(5)`).
fn settings(text: &str) -> Vec<String> {
    let mut settings: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match settings.last_mut() {
            Some(setting) if line.starts_with([' ', '\t']) => {
                setting.push(' ');
                setting.push_str(line.trim());
            }
            _ => settings.push(line.to_owned()),
        }
    }
    settings
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
