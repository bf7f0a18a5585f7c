// SPDX-License-Identifier: GPL-3.0-or-later
//! Where an MTA hands a message on: a host or a domain's MX, and a port.
//!
//! One is written `mail.example.com`, `192.0.2.7`, `[2001:db8::1]`, each with `:PORT` behind it or without, for the host
//! itself, and `mx:example.com` for the hosts in a domain's MX record. Nothing is looked up here.

use super::{Domain, DomainError};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The port of SMTP between servers (RFC 5321 4.5.4.2).
const SMTP: u16 = 25;

/// A next hop.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NextHop {
    /// Who is meant.
    pub host: HopHost,
    /// Its port.
    pub port: u16,
}

/// Who is meant by a next hop.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum HopHost {
    /// The host of this name itself.
    Name(Domain),
    /// The host of this address.
    Address(IpAddr),
    /// The hosts in this domain's MX record.
    Mx(Domain),
}

/// Why a text is no next hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NextHopError {
    /// What stands before the port is no host.
    #[error(transparent)]
    Host(#[from] DomainError),
    /// What stands in brackets is no IPv6 address.
    #[error("there is no IPv6 address in the brackets")]
    Brackets,
    /// What stands behind the colon is no port.
    #[error("a port is a number from 1 to 65535")]
    Port,
}

impl NextHop {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, NextHopError> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, rest) = bracketed.split_once(']').ok_or(NextHopError::Brackets)?;
            let address = address.parse::<Ipv6Addr>().map_err(|_| NextHopError::Brackets)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if rest.is_empty() => SMTP,
                None => return Err(NextHopError::Brackets),
            };
            return Ok(Self { host: HopHost::Address(address.into()), port });
        }
        let (is_mx, text) = text.strip_prefix("mx:").map_or((false, text), |domain| (true, domain));
        let (host, port) = match text.rsplit_once(':') {
            // Several colons are an IPv6 address without brackets, whose last part could be taken for a port.
            Some((host, _)) if host.contains(':') => return Err(NextHopError::Brackets),
            Some((host, port)) => (host, parse_port(port)?),
            None => (text, SMTP),
        };
        let host = match host.parse::<IpAddr>() {
            Ok(_) if is_mx => return Err(DomainError::BadCharacter.into()),
            Ok(address) => HopHost::Address(address),
            Err(_) if is_mx => HopHost::Mx(Domain::parse(host)?),
            Err(_) => HopHost::Name(Domain::parse(host)?),
        };
        Ok(Self { host, port })
    }

    /// As Postfix writes it in a transport (`transport(5)`): brackets keep it from asking for an MX record.
    pub fn for_postfix(&self) -> String {
        let Self { host, port } = self;
        let host = match host {
            HopHost::Name(name) => format!("[{name}]"),
            HopHost::Address(address) => format!("[{address}]"),
            HopHost::Mx(domain) => domain.to_string(),
        };
        if *port == SMTP { host } else { format!("{host}:{port}") }
    }

    /// Its host as Sendmail writes it, where a mailer says the port: brackets keep it from asking for an MX record.
    pub fn for_sendmail(&self) -> String {
        match &self.host {
            HopHost::Name(name) => format!("[{name}]"),
            HopHost::Address(IpAddr::V4(address)) => format!("[{address}]"),
            HopHost::Address(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
            HopHost::Mx(domain) => domain.to_string(),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, NextHopError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0).ok_or(NextHopError::Port)
}

impl fmt::Display for NextHop {
    /// As it is written in the configuration; the port is left out where it is 25.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HopHost::Name(name) => write!(f, "{name}"),
            HopHost::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            HopHost::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            HopHost::Mx(domain) => write!(f, "mx:{domain}"),
        }?;
        if self.port == SMTP { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops_are_read_and_written() {
        for (text, shown, postfix) in [
            ("mail.example.com", "mail.example.com", "[mail.example.com]"),
            ("Mail.Example.COM:25", "mail.example.com", "[mail.example.com]"),
            ("mail.example.com:2525", "mail.example.com:2525", "[mail.example.com]:2525"),
            ("192.0.2.7", "192.0.2.7", "[192.0.2.7]"),
            ("192.0.2.7:587", "192.0.2.7:587", "[192.0.2.7]:587"),
            ("[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:2525", "[2001:db8::1]:2525", "[2001:db8::1]:2525"),
            ("mx:example.com", "mx:example.com", "example.com"),
            ("mx:example.com:26", "mx:example.com:26", "example.com:26"),
            ("localhost:2600", "localhost:2600", "[localhost]:2600"),
        ] {
            let hop = NextHop::parse(text).unwrap();
            assert_eq!(
                (hop.to_string(), hop.for_postfix()),
                (shown.to_owned(), postfix.to_owned()),
                "{text}"
            );
        }
        for (text, want) in [
            ("", NextHopError::Host(DomainError::EmptyLabel)),
            ("mail.example.com:", NextHopError::Port),
            ("mail.example.com:0", NextHopError::Port),
            ("mail.example.com:+25", NextHopError::Port),
            ("mail.example.com:65536", NextHopError::Port),
            ("2001:db8::1", NextHopError::Brackets),
            ("[192.0.2.7]", NextHopError::Brackets),
            ("[2001:db8::1]25", NextHopError::Brackets),
            ("mx:192.0.2.7", NextHopError::Host(DomainError::BadCharacter)),
            ("a b", NextHopError::Host(DomainError::BadCharacter)),
        ] {
            assert_eq!(NextHop::parse(text), Err(want), "{text}");
        }
    }
}
