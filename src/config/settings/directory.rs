// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories as checked values: where recipients are known, and what a sync may change by itself.

use super::{Route, Sql};
use crate::config::{DataFile, Place};
use crate::mail::{RecipientKind, Secret};
use crate::policy::GroupName;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// Who exists.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its name.
    pub name: Arc<str>,
    /// Where its recipients come from.
    pub source: DirectorySource,
    /// How it is kept true.
    pub rules: SyncRules,
    /// Where it stands.
    pub place: Place,
}

impl Directory {
    /// Whether rules that name a group, of this directory or of any, may mean one of its groups.
    pub fn may_have(&self, group: &GroupName) -> bool {
        match &group.directory {
            Some(directory) => *directory == self.name,
            None => self.source.has_groups(),
        }
    }

    /// The groups of it that routing rules name, in ascending order.
    pub fn groups_of(&self, routes: &[Route]) -> Vec<Arc<str>> {
        let groups = routes.iter().flat_map(|route| &route.groups).filter(|group| self.may_have(group));
        let mut names: Vec<Arc<str>> = groups.map(|group| Arc::clone(&group.name)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether it is synced into a snapshot, and not read with the configuration.
    pub fn is_synced(&self) -> bool {
        match &self.source {
            DirectorySource::List(_) => self.rules.refresh.is_some(),
            DirectorySource::Csv(_)
            | DirectorySource::Ldif(_)
            | DirectorySource::Ldap(_)
            | DirectorySource::Sql(_)
            | DirectorySource::Graph(_) => true,
        }
    }
}

/// What a sync may change by itself, and when it is done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyncRules {
    /// How often, give or take a tenth; nothing where nothing can be asked: a list that is read with the configuration, or a
    /// file that is imported by hand.
    pub refresh: Option<Duration>,
    /// How many percent of its recipients may go at once; below [`Self::ALWAYS`] of them any number but all.
    pub max_removed: u8,
    /// How many percent of its addresses may be invalid; below [`Self::ALWAYS`] of them any number.
    pub max_invalid: u8,
    /// How long a recipient stays that is gone.
    pub removal_grace: Duration,
    /// From which age on a recipient that is not in it is unknown; nothing means never.
    pub max_age: Option<Duration>,
    /// Snapshots that are kept, the one in force among them; at least 1.
    pub keep: usize,
    /// Kinds that are recipients; what does not say what it is always is one.
    pub include: Vec<RecipientKind>,
    /// Whether `*` in a local part stands for any text.
    pub patterns: bool,
    /// How long a source may be silent.
    pub timeout: Duration,
    /// The groups whose members decisions need, because routing rules name them: by name or key in lower case, ascending.
    pub groups: Vec<Arc<str>>,
}

impl SyncRules {
    /// As many entries may always go, or be invalid.
    pub const ALWAYS: u64 = 10;
}

/// Where recipients come from.
#[derive(Clone, Debug)]
pub enum DirectorySource {
    /// A text file, one address a line.
    List(DataFile),
    /// A table as text.
    Csv(Csv),
    /// An export of an LDAP directory.
    Ldif(Ldif),
    /// An LDAP directory.
    Ldap(Box<Ldap>),
    /// A database.
    Sql(Box<Sql>),
    /// Microsoft 365.
    Graph(Box<Graph>),
}

impl DirectorySource {
    /// Whether it can have groups.
    pub fn has_groups(&self) -> bool {
        match self {
            Self::List(_) => false,
            Self::Csv(Csv { columns, .. }) => columns.as_ref().is_none_or(|columns| columns.groups.is_some()),
            Self::Sql(sql) => sql.groups_query.is_some(),
            Self::Ldif(_) | Self::Ldap(_) | Self::Graph(_) => true,
        }
    }

    /// Its type, as it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Csv(_) => "csv",
            Self::Ldif(_) => "ldif",
            Self::Ldap(_) => "ldap",
            Self::Sql(_) => "sql",
            Self::Graph(_) => "graph",
        }
    }
}

/// A table as text.
#[derive(Clone, Debug)]
pub struct Csv {
    /// The file; nothing for one that is imported by hand.
    pub file: Option<DataFile>,
    /// What parts the columns; by default the header tells.
    pub delimiter: Option<u8>,
    /// The character encoding, a label of the WHATWG Encoding Standard; by default a byte order mark tells, else UTF-8.
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// Its columns; nothing where a known export is expected.
    pub columns: Option<Columns>,
}

/// The columns of a CSV file by their names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Columns {
    /// Those with addresses, at least one.
    pub addresses: Vec<Box<str>>,
    /// The one with the names of groups.
    pub groups: Option<Box<str>>,
    /// The one that says what the recipient is.
    pub kind: Option<Box<str>>,
    /// The one that says whether only internal clients may write to it.
    pub internal_only: Option<Box<str>>,
}

/// An export of an LDAP directory (RFC 2849).
#[derive(Clone, Debug)]
pub struct Ldif {
    /// The file.
    pub file: DataFile,
    /// The character encoding, as [`Csv::encoding`].
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// How its directory was made.
    pub schema: LdapSchema,
    /// What is named otherwise than the schema says.
    pub attributes: Attributes,
}

/// How an LDAP directory is made.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LdapSchema {
    /// Active Directory.
    ActiveDirectory,
    /// `inetOrgPerson` and `groupOfNames`.
    OpenLdap,
    /// `posixAccount` and `posixGroup`.
    Rfc2307bis,
}

/// Where an entry keeps what, where that is not as the schema or the cloud has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Attributes {
    /// Those with addresses; where empty, the schema's.
    pub addresses: Vec<Box<str>>,
    /// Those of a group with its members; where empty, the schema's.
    pub members: Vec<Box<str>>,
    /// The one that groups are named by.
    pub name: Option<Box<str>>,
    /// The one that says whether only internal clients may write to it.
    pub internal_only: Option<Box<str>>,
}

/// An LDAP directory.
#[derive(Clone, Debug)]
pub struct Ldap {
    /// Its servers in the order they are tried; at least one.
    pub servers: Vec<LdapServer>,
    /// Whether TLS is begun on connections that do not begin with it.
    pub start_tls: bool,
    /// Certificates (PEM) of those who may vouch for the server, instead of the system's.
    pub ca: Option<Arc<[u8]>>,
    /// As whom to bind.
    pub bind: LdapBind,
    /// DNs below which is searched; at least one.
    pub base: Vec<Box<str>>,
    /// How it is made.
    pub schema: LdapSchema,
    /// Which entries are recipients, instead of the schema's filter.
    pub filter: Option<Box<str>>,
    /// What is named otherwise than the schema says.
    pub attributes: Attributes,
    /// Entries to a page.
    pub page_size: u32,
    /// Whether only changes are asked for where the server can tell them.
    pub incremental: bool,
}

/// An LDAP server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LdapServer {
    /// Whether TLS comes first (`ldaps://`).
    pub tls: bool,
    /// Its name or address, the latter without brackets.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
}

impl LdapServer {
    /// Reads `ldap://HOST`, `ldaps://HOST`, or either with a port; nothing else may be in it. The host may be an IPv6 address
    /// in brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let tls = match () {
            () if scheme.eq_ignore_ascii_case("ldaps") => true,
            () if scheme.eq_ignore_ascii_case("ldap") => false,
            () => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        } else {
            let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
            let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
            (!host.is_empty() && host.bytes().all(plain)).then_some((host, port))?
        };
        let port = match port {
            None => {
                if tls {
                    636
                } else {
                    389
                }
            }
            Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port > 0)?
            }
            Some(_) => return None,
        };
        Some(Self { tls, host: host.into(), port })
    }

    /// Whether it is on this machine.
    pub fn is_here(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for LdapServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, host, port } = self;
        let (scheme, standard) = if *tls { ("ldaps", 636) } else { ("ldap", 389) };
        let brackets = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{}{host}{}", brackets.0, brackets.1)?;
        if *port == standard { Ok(()) } else { write!(f, ":{port}") }
    }
}

/// As whom to bind.
#[derive(Clone, Debug)]
pub enum LdapBind {
    /// As nobody.
    Anonymous,
    /// By DN and password.
    Simple {
        /// The DN.
        dn: Box<str>,
        /// The password.
        password: Secret,
    },
    /// By our certificate (SASL EXTERNAL).
    External(Identity),
}

/// Our own certificate.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate and those above it (PEM).
    pub certificate: Arc<[u8]>,
    /// Its key (PEM).
    pub key: Secret,
}

/// Microsoft 365.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The tenant.
    pub tenant: Box<str>,
    /// The application.
    pub client_id: Box<str>,
    /// How the application shows who it is.
    pub credential: GraphCredential,
    /// Where Graph is: `https://graph.microsoft.com`, without a slash at its end.
    pub graph_url: Box<str>,
    /// Where tokens are got: `https://login.microsoftonline.com`, without a slash at its end.
    pub login_url: Box<str>,
    /// Certificates (PEM) of those who may vouch for the servers, instead of the system's.
    pub ca: Option<Arc<[u8]>>,
    /// Properties with addresses; `mail` and `proxyAddresses` unless written.
    pub addresses: Vec<Box<str>>,
    /// Whether only changes are asked for.
    pub incremental: bool,
}

/// How an application shows who it is.
#[derive(Clone, Debug)]
pub enum GraphCredential {
    /// By a client secret.
    Secret(Secret),
    /// By a certificate.
    Certificate(Identity),
}
