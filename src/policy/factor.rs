// SPDX-License-Identifier: GPL-3.0-or-later
//! What a client shows of the factors of one gateway, and what that comes to: yes, no, unknown.
//!
//! An address and a certificate are known when a recipient is named, a header line only once the headers are; until then
//! it is awaited, and counts as if it were right. A factor that is not required is not looked at.

use super::{Answer, Answers, Gateway, LiveName, Require};
use crate::mail::{
    CertificateFingerprint, CertificateFingerprints, CertificatePattern, Client, ClientCertificate,
    HeaderFacts, Network,
};
use std::fmt;

/// What a client shows of one gateway's factors; nothing of those that are not looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shown {
    /// Its address.
    pub address: Option<ByAddress>,
    /// Its certificate.
    pub certificate: Option<ByCertificate>,
    /// The message's header line.
    pub header: Option<ByHeader>,
}

/// What the client's address says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ByAddress {
    /// It is in this network of the gateway.
    Network(Network),
    /// This live name passes it.
    Live(LiveName),
    /// It is none of the gateway's.
    Elsewhere,
    /// It is in no network that is known, and a source of them has never answered.
    NotLoaded,
    /// This live name gave no answer.
    Unanswered(LiveName),
    /// Many clients seem to share it, so it tells nothing of this one.
    Shared,
    /// The MTA does not know it.
    Unknown,
}

/// What the client's TLS certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ByCertificate {
    /// A trusted one that has this name of the gateway's.
    Name(CertificatePattern),
    /// One with this fingerprint, which is the gateway's, whoever has signed it.
    Fingerprint(CertificateFingerprint),
    /// One of somebody else.
    Other,
    /// One that the MTA does not trust.
    Untrusted,
    /// None that the MTA tells of.
    Missing,
    /// The MTA could not tell whether to trust it.
    Unclear,
    /// The gateway has fingerprints, and nobody has told the client's.
    NotTold,
}

/// What the message's header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ByHeader {
    /// The headers are not there yet.
    Awaited,
    /// One of the gateway's secrets stands there.
    Right,
    /// Something else stands there.
    Wrong,
    /// There is no such line.
    Missing,
}

impl ByAddress {
    fn of(gateway: &Gateway, client: &Client, answers: &Answers) -> Self {
        let Some(addresses) = &gateway.addresses else { return Self::Elsewhere };
        let Some(address) = client.address else { return Self::Unknown };
        if answers.hidden && !gateway.accept_private {
            return Self::Shared;
        }
        if let Some(network) = addresses.networks.find(address) {
            return Self::Network(*network);
        }
        if !addresses.may_hold(address) {
            return Self::Elsewhere;
        }
        let answered = |wanted| addresses.live.iter().find(|name| answers.live(name) == wanted);
        if let Some(name) = answered(Answer::Yes) {
            return Self::Live(name.clone());
        }
        if let Some(name) = answered(Answer::Unknown) {
            return Self::Unanswered(name.clone());
        }
        if addresses.complete { Self::Elsewhere } else { Self::NotLoaded }
    }

    fn answer(&self) -> Answer {
        match self {
            Self::Network(_) | Self::Live(_) => Answer::Yes,
            Self::Elsewhere => Answer::No,
            Self::NotLoaded | Self::Unanswered(_) | Self::Shared | Self::Unknown => Answer::Unknown,
        }
    }
}

impl ByCertificate {
    /// A name or a fingerprint will do, whichever fits.
    fn of(gateway: &Gateway, client: &Client) -> Self {
        let by_name = Self::by_name(gateway, &client.certificate);
        if gateway.fingerprints.is_empty() || by_name.answer() == Answer::Yes {
            return by_name;
        }
        match &client.fingerprints {
            CertificateFingerprints::Told(told) => {
                let found = told.iter().find(|fingerprint| gateway.fingerprints.contains(fingerprint));
                match found {
                    Some(fingerprint) => Self::Fingerprint(*fingerprint),
                    // Where a name would do as well, it stays unclear; no name was looked at where there is none.
                    None if gateway.certificate.is_empty() => Self::Other,
                    None => by_name,
                }
            }
            CertificateFingerprints::None if gateway.certificate.is_empty() => Self::Missing,
            CertificateFingerprints::None => by_name,
            CertificateFingerprints::NotTold => Self::NotTold,
        }
    }

    fn by_name(gateway: &Gateway, certificate: &ClientCertificate) -> Self {
        match certificate {
            ClientCertificate::Trusted(name) => {
                let pattern = gateway.certificate.iter().find(|pattern| pattern.matches(name));
                pattern.map_or(Self::Other, |pattern| Self::Name(pattern.clone()))
            }
            ClientCertificate::Untrusted => Self::Untrusted,
            ClientCertificate::None => Self::Missing,
            ClientCertificate::Unclear => Self::Unclear,
        }
    }

    fn answer(&self) -> Answer {
        match self {
            Self::Name(_) | Self::Fingerprint(_) => Answer::Yes,
            Self::Other | Self::Untrusted | Self::Missing => Answer::No,
            Self::Unclear | Self::NotTold => Answer::Unknown,
        }
    }
}

impl ByHeader {
    /// Any line of the name will do: a gateway that puts its own below leaves those that a sender wrote, and who could
    /// spoil a message by adding a line could make the gateway's mail bounce. The guesses that fit into one message are
    /// bounded where the lines are kept. Every line is held against every secret, so that time tells nothing.
    pub(super) fn of(gateway: &Gateway, headers: &HeaderFacts) -> Self {
        let Some(factor) = &gateway.header else { return Self::Missing };
        let (mut there, mut right) = (false, false);
        for value in headers.values(&factor.name) {
            there = true;
            for secret in &factor.secrets {
                right |= secret.is(value.trim_ascii()) & !secret.is_empty();
            }
        }
        match (there, right) {
            (_, true) => Self::Right,
            (true, false) => Self::Wrong,
            (false, false) => Self::Missing,
        }
    }

    fn answer(self) -> Answer {
        match self {
            Self::Awaited | Self::Right => Answer::Yes,
            Self::Wrong | Self::Missing => Answer::No,
        }
    }
}

impl Shown {
    /// What a client shows before the headers are known.
    pub(super) fn of(gateway: &Gateway, client: &Client, answers: &Answers) -> Self {
        let by_address = || ByAddress::of(gateway, client, answers);
        let by_certificate = || ByCertificate::of(gateway, client);
        match gateway.require {
            Require::Any => {
                let address = gateway.addresses.is_some().then(by_address);
                let enough = address.as_ref().is_some_and(|shown| shown.answer() == Answer::Yes);
                let certificate = (!enough && gateway.has_certificate()).then(by_certificate);
                Self { address, certificate, header: None }
            }
            Require::All { address, certificate, header } => Self {
                address: address.then(by_address),
                certificate: certificate.then(by_certificate),
                header: header.then_some(ByHeader::Awaited),
            },
        }
    }

    /// The same once the headers are known.
    pub(super) fn with_headers(&self, gateway: &Gateway, headers: &HeaderFacts) -> Self {
        Self { header: self.header.map(|_| ByHeader::of(gateway, headers)), ..self.clone() }
    }

    /// What it comes to. A header line alone is never a yes: it is in every mail that was ever delivered.
    pub(super) fn answer(&self, require: Require) -> Answer {
        let [address, certificate, header] = self.answers();
        let strong = || [address, certificate].into_iter().flatten();
        let all = || strong().chain(header);
        match require {
            Require::Any if strong().any(|answer| answer == Answer::Yes) => Answer::Yes,
            Require::Any if strong().any(|answer| answer == Answer::Unknown) => Answer::Unknown,
            Require::Any => Answer::No,
            Require::All { .. } if strong().next().is_none() => Answer::No,
            Require::All { .. } if all().any(|answer| answer == Answer::No) => Answer::No,
            Require::All { .. } if all().any(|answer| answer == Answer::Unknown) => Answer::Unknown,
            Require::All { .. } => Answer::Yes,
        }
    }

    /// Whether the header line is still awaited.
    pub(super) fn awaits(&self) -> bool {
        self.header == Some(ByHeader::Awaited)
    }

    /// What its address comes to, where that is looked at.
    pub(super) fn address_answer(&self) -> Option<Answer> {
        self.address.as_ref().map(ByAddress::answer)
    }

    /// Whether a live name has not been answered that the address depends on.
    pub(super) fn waits_for_name(&self) -> bool {
        matches!(self.address, Some(ByAddress::Unanswered(_)))
    }

    /// Whether anything but an address was looked at.
    pub(super) fn is_more_than_address(&self) -> bool {
        self.certificate.is_some() || self.header.is_some()
    }

    /// Without what is still awaited: where something else has decided, it does not matter any more.
    pub(super) fn so_far(mut self) -> Self {
        self.header = self.header.filter(|header| *header != ByHeader::Awaited);
        self
    }

    /// How many factors fit.
    pub(super) fn fitting(&self) -> usize {
        self.answers().into_iter().flatten().filter(|answer| *answer == Answer::Yes).count()
    }

    /// Address, certificate, header.
    fn answers(&self) -> [Option<Answer>; 3] {
        [
            self.address.as_ref().map(ByAddress::answer),
            self.certificate.as_ref().map(ByCertificate::answer),
            self.header.map(ByHeader::answer),
        ]
    }

    /// Writes what is shown of the gateway of this name, in words.
    pub(super) fn write(&self, gateway: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, certificate, header } = self;
        match address {
            Some(ByAddress::Network(network)) => write!(f, "client is in {network} of gateway {gateway}")?,
            Some(ByAddress::Live(name)) => write!(f, "client passes {name} of gateway {gateway}")?,
            Some(ByAddress::Elsewhere) => write!(f, "client is in no network of gateway {gateway}")?,
            Some(ByAddress::NotLoaded) => {
                write!(f, "client is in no known network of gateway {gateway}, and not all are known yet")?;
            }
            Some(ByAddress::Unanswered(name)) => {
                write!(f, "nobody can tell whether the client passes {name} of gateway {gateway}")?;
            }
            Some(ByAddress::Shared) => {
                write!(f, "many clients share this address, so that none is told as gateway {gateway}")?;
            }
            Some(ByAddress::Unknown) => write!(f, "client's address is unknown, for gateway {gateway}")?,
            None => write!(f, "client held against gateway {gateway}")?,
        }
        let [by_address, by_certificate, by_header] = self.answers();
        if let Some(certificate) = certificate {
            f.write_str(joint(by_address, by_certificate))?;
            match certificate {
                ByCertificate::Name(pattern) => write!(f, "its certificate has the name {pattern}")?,
                ByCertificate::Fingerprint(fingerprint) => {
                    write!(f, "its certificate has the fingerprint {fingerprint}")?;
                }
                ByCertificate::Other => f.write_str("its certificate is not one of the gateway's")?,
                ByCertificate::Untrusted => f.write_str("its certificate is not trusted")?,
                ByCertificate::Missing => f.write_str("it shows no trusted certificate")?,
                ByCertificate::NotTold => f.write_str("nobody has told its certificate's fingerprint")?,
                ByCertificate::Unclear => f.write_str("it is unclear whether its certificate is trusted")?,
            }
        }
        if let Some(header) = header {
            f.write_str(joint(by_certificate.or(by_address), by_header))?;
            match header {
                ByHeader::Awaited => f.write_str("its header line is awaited")?,
                ByHeader::Right => f.write_str("its header line is right")?,
                ByHeader::Wrong => f.write_str("its header line is wrong")?,
                ByHeader::Missing => f.write_str("its header line is missing")?,
            }
        }
        Ok(())
    }
}

/// What stands between two statements.
fn joint(one: Option<Answer>, next: Option<Answer>) -> &'static str {
    match one {
        None => ": ",
        Some(_) if one == next => ", and ",
        Some(_) => ", but ",
    }
}
