// SPDX-License-Identifier: GPL-3.0-or-later
//! What `try` and `test` ask about: one message, who hands it over, for whom, and what it holds.

use super::content::Content;
use crate::mail::{self, Recipient, parse_client_address};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One message on its way in.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) client: ClientAddress,
    pub(super) helo: Option<String>,
    pub(super) login: Option<String>,
    /// The common name of a certificate that the MTA trusts.
    pub(super) certificate: Option<String>,
    pub(super) sender: Address,
    pub(super) recipients: Vec<Address>,
    pub(super) content: Content,
}

/// The client's address; nothing when the MTA would not know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientAddress(pub(super) Option<IpAddr>);

impl FromStr for ClientAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "unknown" {
            return Ok(Self(None));
        }
        let address = parse_client_address(text);
        address.map(|address| Self(Some(address))).ok_or("write an IPv4 or IPv6 address, or `unknown`")
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

/// An envelope address without its brackets; empty for the null sender.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Address(String);

impl Address {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in an SMTP command.
    pub(super) fn in_brackets(&self) -> String {
        format!("<{}>", self.0)
    }

    pub(super) fn is_null(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a recipient, which is never null.
    pub(super) fn recipient(text: &str) -> Result<Self, &'static str> {
        Self::from_str(text).ok().filter(|address| !address.is_null()).ok_or("write an address")
    }
}

impl FromStr for Address {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
        Ok(Self(bare.unwrap_or(text).to_owned()))
    }
}

impl Question {
    /// The facts of the session in which the message comes.
    pub(super) fn session(&self) -> mail::Session {
        let login = self.login.as_deref().map(Into::into);
        let trusted = |name: &String| mail::ClientCertificate::Trusted(name.as_str().into());
        let certificate = self.certificate.as_ref().map(trusted).unwrap_or_default();
        let client = mail::Client { address: self.client.0, login, certificate, ..mail::Client::default() };
        let helo = self.helo.as_ref().map(|name| name.as_bytes().into());
        mail::Session { client, helo, mta_name: None }
    }
}

impl Address {
    /// A recipient of whom the MTA says that it would deliver there.
    pub(super) fn as_recipient(&self) -> Recipient {
        Recipient::new(self.in_brackets().as_bytes(), Some(self.0.as_bytes()), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_addresses() {
        for (text, want) in [
            ("192.0.2.1", Some(Some("192.0.2.1"))),
            ("2001:DB8::1", Some(Some("2001:db8::1"))),
            ("IPv6:2001:db8::1", Some(Some("2001:db8::1"))),
            ("::ffff:192.0.2.1", Some(Some("192.0.2.1"))),
            ("unknown", Some(None)),
            ("mail.example.com", None),
            ("192.0.2.0/24", None),
            ("", None),
        ] {
            let got = text.parse::<ClientAddress>().ok().map(|address| address.0);
            assert_eq!(got, want.map(|want| want.map(|want| want.parse().unwrap())), "{text:?}");
        }
    }

    #[test]
    fn brackets_may_be_left_out() {
        for (text, want) in [("<ann@a.example>", "ann@a.example"), ("ann@a.example", "ann@a.example")] {
            assert_eq!(Address::recipient(text).unwrap().as_str(), want);
        }
        for text in ["", "<>"] {
            assert!(text.parse::<Address>().unwrap().is_null());
            assert!(Address::recipient(text).is_err());
        }
    }

    #[test]
    fn a_recipient_is_where_the_mta_would_deliver() {
        for (text, want) in [
            ("Ann@A.Example", Some("Ann@A.Example")),
            ("\"ann\"@a.example", Some("\"ann\"@a.example")),
            ("ann%a.example", None),
            ("ann", None),
            ("ann@", None),
        ] {
            let recipient = Address::recipient(text).unwrap().as_recipient();
            assert_eq!(recipient.mailbox().map(ToString::to_string).as_deref(), want, "{text}");
        }
    }
}
