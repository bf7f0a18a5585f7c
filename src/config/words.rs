// SPDX-License-Identifier: GPL-3.0-or-later
//! The words of the configuration file: values that are one of a few.

use super::placed::Placed;
use crate::policy;
use schemars::JsonSchema;
use serde::de::value::StrDeserializer;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Kinds of directories.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum DirectoryType {
    /// A text file with one address a line.
    List,
    /// A table as text: an export of Microsoft 365, Exchange, Google Workspace, or of anything else.
    Csv,
    /// An export of an LDAP directory.
    Ldif,
    /// An LDAP directory, such as Active Directory or `OpenLDAP`.
    Ldap,
    /// A database: `PostgreSQL`, `MySQL`, `MariaDB` or `SQLite`.
    Sql,
    /// Microsoft 365, through Microsoft Graph.
    Graph,
}

impl DirectoryType {
    /// As it is written.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Csv => "csv",
            Self::Ldif => "ldif",
            Self::Ldap => "ldap",
            Self::Sql => "sql",
            Self::Graph => "graph",
        }
    }
}

/// Kinds of recipients.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Included {
    /// Mailboxes of people.
    Users,
    /// Shared mailboxes.
    Shared,
    /// Mailboxes of rooms and equipment.
    Rooms,
    /// Groups and distribution lists.
    Groups,
    /// Contacts, whose mail goes on to elsewhere.
    Contacts,
    /// Public folders that take mail.
    PublicFolders,
}

/// How an LDAP directory is made.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LdapSchema {
    /// Active Directory, with Exchange's attributes or without.
    ActiveDirectory,
    /// `inetOrgPerson` and `groupOfNames`.
    Openldap,
    /// `posixAccount` and `posixGroup`, whose groups may name members by DN or by `memberUid`.
    Rfc2307bis,
}

/// Microsoft's clouds.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Cloud {
    /// `graph.microsoft.com`.
    #[default]
    Global,
    /// `graph.microsoft.us`.
    UsGov,
    /// `dod-graph.microsoft.us`.
    UsDod,
    /// `microsoftgraph.chinacloudapi.cn`.
    China,
}

/// Who may deliver for a domain.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Gateways {
    /// Anyone.
    Any(Any),
    /// The gateways of these names.
    Named(#[schemars(length(min = 1))] Vec<Placed<String>>),
}

/// The word `any`.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum Any {
    /// Anyone.
    Any,
}

/// How far a domain is switched on.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Not looked at, nothing added.
    Inactive,
    /// Everything is decided and recorded, nothing is refused, held, discarded or tagged.
    #[default]
    Monitor,
    /// What would be rejected or discarded is deferred, so that nothing is lost.
    Soft,
    /// Verdicts are carried out.
    Enforce,
}

/// What becomes of recipients that nobody knows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecipientMode {
    /// Recipients are not checked, whatever directories there are.
    Off,
    /// They are accepted and recorded, to be approved later.
    Learn,
    /// They are accepted and held in the MTA's queue.
    Quarantine,
    /// They are refused.
    Reject,
}

/// What is taken off an address when it is looked up.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Strip {
    /// Signatures of bounce addresses (BATV): `prvs=0123abcdef=ann`, `prvs=ann/0123abcdef`, `btv1==0123abcdef0==ann`. The
    /// mailbox is looked up; the signature is for the MTA to check.
    Batv,
    /// What a forwarder of ours made of a sender (SRS): `SRS0=HASH=DAY=domain=local`, `SRS1=...`. A sender of a domain
    /// that is listed here is looked up there; any other address of that kind exists. Its hash is for the forwarder to
    /// check, such as postsrsd in the MTA: without one, leave this out.
    Srs,
}

impl fmt::Display for Strip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batv => "batv",
            Self::Srs => "srs",
        })
    }
}

/// What is to happen to a message.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Let it pass.
    Accept,
    /// Let it pass with a header line `X-Postern-Tag: REASON`.
    Tag,
    /// Accept it and hold it in the MTA's queue.
    Quarantine,
    /// Accept it and deliver it to nobody.
    Discard,
    /// Refuse it for now, 4xx.
    Defer,
    /// Refuse it, 5xx.
    Reject,
}

/// What a server is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ServerType {
    /// Exchange Online.
    Microsoft365,
    /// An Exchange server of your own.
    Exchange,
    /// Any other.
    #[default]
    Smtp,
}

/// What a connection to a server must be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum TlsWish {
    /// Encrypted where the server offers it.
    May,
    /// Encrypted, whoever the server is.
    Encrypt,
    /// As its TLSA records say (DANE, RFC 7672); where there are none, as `may`. The MTA's name server must validate.
    Dane,
    /// Encrypted, and the server's certificate is trusted and has a name that is expected; else the mail waits.
    Verify,
}

/// What shows that a message was scanned.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnReturn {
    /// The token that it was sent away with, which is taken off.
    #[default]
    Token,
    /// The gateway's own `header`, for gateways that keep no line of ours; it is taken off.
    Strip,
}

/// What happens to mail while the scanner is down.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OnScannerDown {
    /// It waits in the MTA's queue.
    #[default]
    Wait,
    /// It is delivered without having been scanned.
    Deliver,
}

/// What the reverse name of a client must be.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReverseName {
    /// It is not asked for.
    #[default]
    Off,
    /// There must be one.
    Present,
    /// There must be one that points back to the client's address.
    Confirmed,
}

/// How a feed is written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FeedFormat {
    /// Microsoft's endpoint sets, of which those for port 25 count.
    Microsoft,
    /// A list of texts, wherever it stands in the document.
    Json,
    /// One network or address a line, `#` begins a comment.
    Text,
}

/// By what a gateway is known.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Factor {
    /// Its address.
    Address,
    /// Its certificate.
    Certificate,
    /// Its header line.
    Header,
}

impl Factor {
    /// As it is written.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Certificate => "certificate",
            Self::Header => "header",
        }
    }
}

/// Which factors a gateway must show.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Require {
    /// `any` or `all`.
    Word(AnyOrAll),
    /// These.
    Factors(#[schemars(length(min = 1))] Vec<Placed<Factor>>),
}

/// Any or all.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(super) enum AnyOrAll {
    /// One of address and certificate.
    Any,
    /// All that are written.
    All,
}

/// What a listing of the client in front of a gateway asks for.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Behind {
    /// Whether anything at all.
    Switch(bool),
    /// This.
    Asks(#[schemars(with = "Milder")] Verdict),
}

/// Verdicts that refuse nothing.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code)] // only its schema is used
enum Milder {
    /// Let it pass with a header line `X-Postern-Tag: REASON`.
    Tag,
    /// Accept it and hold it in the MTA's queue.
    Quarantine,
}

impl From<ReverseName> for policy::ReverseRule {
    fn from(rule: ReverseName) -> Self {
        match rule {
            ReverseName::Off => Self::Off,
            ReverseName::Present => Self::Present,
            ReverseName::Confirmed => Self::Confirmed,
        }
    }
}

impl From<FeedFormat> for super::FeedFormat {
    fn from(format: FeedFormat) -> Self {
        match format {
            FeedFormat::Microsoft => Self::Microsoft,
            FeedFormat::Json => Self::Json,
            FeedFormat::Text => Self::Text,
        }
    }
}

impl From<OnReturn> for policy::OnReturn {
    fn from(on_return: OnReturn) -> Self {
        match on_return {
            OnReturn::Token => Self::Token,
            OnReturn::Strip => Self::Strip,
        }
    }
}

impl From<OnScannerDown> for policy::OnScannerDown {
    fn from(on_down: OnScannerDown) -> Self {
        match on_down {
            OnScannerDown::Wait => Self::Wait,
            OnScannerDown::Deliver => Self::Deliver,
        }
    }
}

impl From<Mode> for policy::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Inactive => Self::Inactive,
            Mode::Monitor => Self::Monitor,
            Mode::Soft => Self::Soft,
            Mode::Enforce => Self::Enforce,
        }
    }
}

impl From<Verdict> for policy::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Tag => Self::Tag,
            Verdict::Quarantine => Self::Quarantine,
            Verdict::Discard => Self::Discard,
            Verdict::Defer => Self::Defer,
            Verdict::Reject => Self::Reject,
        }
    }
}

impl<'de> Deserialize<'de> for Gateways {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOrNames;

        impl<'de> Visitor<'de> for AnyOrNames {
            type Value = Gateways;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of gateway names, or \"any\"")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Gateways, E> {
                if word == "any" {
                    Ok(Gateways::Any(Any::Any))
                } else {
                    Err(E::invalid_type(Unexpected::Str(word), &self))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Gateways, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = names.next_element()? {
                    list.push(name);
                }
                Ok(Gateways::Named(list))
            }
        }

        deserializer.deserialize_any(AnyOrNames)
    }
}

impl<'de> Deserialize<'de> for Require {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrFactors;

        impl<'de> Visitor<'de> for WordOrFactors {
            type Value = Require;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of factors, \"any\" or \"all\"")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Require, E> {
                match word {
                    "any" => Ok(Require::Word(AnyOrAll::Any)),
                    "all" => Ok(Require::Word(AnyOrAll::All)),
                    _ => Err(E::invalid_type(Unexpected::Str(word), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Require, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = names.next_element()? {
                    list.push(name);
                }
                Ok(Require::Factors(list))
            }
        }

        deserializer.deserialize_any(WordOrFactors)
    }
}

impl<'de> Deserialize<'de> for Behind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SwitchOrVerdict;

        impl Visitor<'_> for SwitchOrVerdict {
            type Value = Behind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, \"tag\" or \"quarantine\"")
            }

            fn visit_bool<E: Error>(self, switch: bool) -> Result<Behind, E> {
                Ok(Behind::Switch(switch))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Behind, E> {
                let verdict = Verdict::deserialize(StrDeserializer::<E>::new(word));
                verdict.map(Behind::Asks).map_err(|_| E::invalid_type(Unexpected::Str(word), &self))
            }
        }

        deserializer.deserialize_any(SwitchOrVerdict)
    }
}
