// SPDX-License-Identifier: GPL-3.0-or-later
//! How an MTA is brought to send a message to a scanner: which one it is, and what it is told.
//!
//! Postfix sends the whole message where a header line says that we add (`milter_header_checks`: `FILTER smtp:$1`).
//! Sendmail looks at no such line; there each recipient is replaced by one below [`REROUTED`], which rules in sendmail.mc
//! send to the scanner and make the old one again. Which of the two it is tells the macro `v`: `Postfix 3.7.11`, `8.17.1`.
//! Any other is told nothing, and mail that needs a scanner is deferred there.

use super::removal;
use super::terms::Terms;
use crate::mail::{NextHop, Recipient};
use crate::policy::{Server, Steering};
use indymilter::Actions;

/// What stands behind a recipient's domain and the scanner's name while Sendmail brings it there (RFC 2606 2).
const REROUTED: &str = "postern-scan.invalid";

/// An MTA, by how it can be steered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Mta {
    /// By a header line.
    Postfix,
    /// By another recipient.
    Sendmail,
    /// Not at all.
    #[default]
    Other,
}

/// How a recipient is named when it is removed, and its address.
pub(super) type Rerouting = (Vec<Box<[u8]>>, Box<[u8]>);

impl Mta {
    /// The one that tells this of itself.
    pub(super) fn of(version: Option<&str>) -> Self {
        let Some(version) = version else { return Self::Other };
        let is_postfix = version.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("postfix"));
        let (major, minor) = version.split_once('.').unwrap_or_default();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_postfix {
            Self::Postfix
        } else if is_number(major) && minor.starts_with(|c: char| c.is_ascii_digit()) {
            Self::Sendmail
        } else {
            Self::Other
        }
    }

    /// Who can share a message that is steered.
    pub(super) fn steering(self) -> Steering {
        match self {
            Self::Postfix | Self::Other => Steering::Message,
            Self::Sendmail => Steering::Recipient,
        }
    }

    /// What steering a recipient takes; nothing where it cannot be done.
    pub(super) fn steers(self, recipient: &Recipient, terms: &Terms) -> Option<Rerouting> {
        // Lines of earlier trips have to be taken off, too.
        if !terms.allows(Actions::ADD_HEADER) || !terms.allows(Actions::CHANGE_HEADER) {
            return None;
        }
        match self {
            Self::Postfix => Some((Vec::new(), Box::default())),
            Self::Sendmail if terms.allows(Actions::ADD_RCPT) && terms.allows(Actions::DELETE_RCPT) => {
                // What the client wrote becomes the same again when it comes back; what the MTA has made of it may not.
                let mailbox = recipient.written_mailbox().or(recipient.mailbox())?;
                Some((removal::spellings(recipient)?, mailbox.written().into()))
            }
            Self::Sendmail | Self::Other => None,
        }
    }
}

/// A server's hosts as Postfix takes them for one next hop: in their order, parted by commas (Postfix 3.5).
pub fn via(server: &Server) -> String {
    server.hosts.iter().map(NextHop::for_postfix).collect::<Vec<_>>().join(",")
}

/// A recipient's address on the way to a scanner: `<ann@a.example.SERVER.postern-scan.invalid>`.
pub(super) fn rerouted(address: &[u8], server: &Server) -> Vec<u8> {
    [b"<", address, b".", server.name.as_bytes(), b".", REROUTED.as_bytes(), b">"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::TlsWish;

    #[test]
    fn which_mta_it_is() {
        for (version, want) in [
            (Some("Postfix 3.7.11"), Mta::Postfix),
            (Some("postfix"), Mta::Postfix),
            (Some("8.17.1.9"), Mta::Sendmail),
            (Some("8.18.1/8.18.1/Debian-6"), Mta::Sendmail),
            (Some("8"), Mta::Other),
            (Some("8."), Mta::Other),
            (Some(".8"), Mta::Other),
            (Some("Exim 4.96"), Mta::Other),
            (Some("Postfi\u{df} 3"), Mta::Other),
            (Some(""), Mta::Other),
            (None, Mta::Other),
        ] {
            assert_eq!(Mta::of(version), want, "{version:?}");
        }
    }

    #[test]
    fn what_the_mta_is_told() {
        let hosts = ["192.0.2.7:2525", "scan.example", "mx:example.com", "[2001:db8::1]"];
        let server = Server {
            name: "scanner".into(),
            hosts: hosts.map(|hop| NextHop::parse(hop).unwrap()).into(),
            tls: TlsWish::May,
            down: false,
        };
        assert_eq!(via(&server), "[192.0.2.7]:2525,[scan.example],example.com,[2001:db8::1]");
        let rerouted = rerouted(b"Ann@a.example", &server);
        assert_eq!(rerouted, b"<Ann@a.example.scanner.postern-scan.invalid>");
    }
}
