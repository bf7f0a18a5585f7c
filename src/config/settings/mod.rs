// SPDX-License-Identifier: GPL-3.0-or-later
//! The configuration as checked values. Whoever turns it into something takes it apart by name, without `..`, so
//! that a key without a use does not compile.

mod database;
mod directory;
mod routing;

pub use database::{Database, DatabaseAddress, DatabaseServer, DatabaseTls, Sql};
pub use directory::{
    Attributes, Columns, Csv, Directory, DirectorySource, Graph, GraphCredential, Identity, Ldap, LdapBind,
    LdapSchema, LdapServer, Ldif, SyncRules,
};

pub use routing::{DomainScan, Route, ScanKeys, Server, ServerKind, Unrouted};

use super::providers::Providers;
use super::{DataFile, Place};
use crate::mail::{
    CertificateFingerprint, CertificatePattern, Domain as DomainName, DomainPattern, LocalPatterns, Network,
};
use crate::policy::{
    self, HeaderFactor, Internal, Mode, RecipientMode, Replies, Require, ReverseRule, Strip, Unlisted,
    Verdict, Verdicts,
};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A configuration in which nothing is wrong, but for what the files that it names may hold.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory for what is kept from one start to the next.
    pub state_dir: PathBuf,
    /// The milter door, where it is open. One of the three is.
    pub milter: Option<Door>,
    /// The door for policy delegation.
    pub policyd: Option<Policyd>,
    /// The door for look-ups in tables.
    pub socketmap: Option<Door>,
    /// How long sessions may go on after the order to stop.
    pub drain_timeout: Duration,
    /// Whom names are asked of.
    pub dns: Dns,
    /// What is asked about clients that are no gateway.
    pub reputation: Reputation,
    /// Who is internal.
    pub internal: Internal,
    /// What happens to domains that are not listed.
    pub unlisted: Unlisted,
    /// What is known of providers of gateways.
    pub providers: Providers,
    /// Who may hand us mail.
    pub gateways: Vec<Gateway>,
    /// Who exists.
    pub directories: Vec<Directory>,
    /// Where mail goes on to.
    pub servers: Vec<Server>,
    /// Which recipients' mail goes to which server, in order.
    pub routes: Vec<Route>,
    /// The keys that scan tokens are signed with.
    pub scan: ScanKeys,
    /// The protected domains.
    pub domains: Vec<Domain>,
    /// The loop check.
    pub loops: Loops,
}

/// A door: where it stands, and how many go through it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Door {
    /// Where to listen; at least one, none twice.
    pub listen: Vec<Listen>,
    /// Access rights of unix sockets, `0` to `0o777`.
    pub socket_mode: u32,
    /// Group of unix sockets, by name.
    pub socket_group: Option<String>,
    /// Connections at one time, from 1.
    pub max_connections: usize,
}

/// The door for policy delegation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policyd {
    /// Where it stands.
    pub door: Door,
    /// Whether what is for a whole message is carried out here, because the milter never sees it.
    pub alone: bool,
}

/// A socket to listen on.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Listen {
    /// `inet:ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `unix:PATH`, at most 107 octets.
    Unix(PathBuf),
    /// `systemd:NAME`: passed by systemd with this `FileDescriptorName`.
    Systemd(String),
}

impl Listen {
    /// Whether it is a unix socket that we make ourselves.
    pub(super) fn is_unix(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(_) | Self::Systemd(_) => false,
        }
    }
}

/// Whom names are asked of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dns {
    /// The name servers; where empty, those of the system (`/etc/resolv.conf`).
    pub servers: Vec<SocketAddr>,
    /// Whether answers are validated (RFC 4035); what does not validate is then a failure.
    pub dnssec: bool,
}

/// What is asked about clients that are no gateway.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reputation {
    /// DNSBLs; none is asked where empty.
    pub zones: Vec<DnsblZone>,
    /// From which sum of weights on a client is listed; at least 1 where there are zones.
    pub threshold: u32,
    /// What its reverse name must be.
    pub reverse: ReverseRule,
}

impl Reputation {
    /// The part that policy needs.
    pub fn rule(&self) -> policy::Reputation {
        let threshold = if self.zones.is_empty() { 0 } else { self.threshold };
        policy::Reputation { threshold, reverse: self.reverse }
    }
}

/// One DNSBL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsblZone {
    /// Its zone, below which addresses are looked up.
    pub zone: DomainName,
    /// What a listing counts, from 1.
    pub weight: u32,
    /// Where it stands; nothing for one that was not read from a file.
    pub place: Option<Place>,
}

/// Who may hand us mail.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its name.
    pub name: Arc<str>,
    /// The provider and region that it was taken from, as written.
    pub provider: Option<Arc<str>>,
    /// Networks from the configuration itself and from its provider.
    pub networks: Vec<Network>,
    /// Files with more of them.
    pub files: Vec<DataFile>,
    /// Where more of them are published; kept fresh. None twice.
    pub sources: Vec<AddressSource>,
    /// Names of which its certificate must have one.
    pub certificate: Vec<CertificatePattern>,
    /// Fingerprints of its certificates or their keys; one of these will do as well as a name. None twice.
    pub fingerprints: Vec<CertificateFingerprint>,
    /// The header line it marks its messages with.
    pub header: Option<HeaderFactor>,
    /// Which of these it must show; never a header alone, and never what it does not have.
    pub require: Require,
    /// Networks outside of which nothing that is published is believed; where empty, everything is.
    pub subset_of: Vec<Network>,
    /// What a refresh may change by itself.
    pub guard: Guard,
    /// What is asked for when the client in front of it is listed by DNSBLs: tag or quarantine.
    pub behind: Option<Verdict>,
    /// Whether private addresses are meant, and an address that seems to hide many clients is this gateway all the same.
    pub accept_private: bool,
    /// Where it stands.
    pub place: Place,
}

/// What a refresh may change by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Guard {
    /// How long a network stays that is no longer published.
    pub removal_hold: Duration,
    /// The part of a set, in percent of its addresses' networks, that may go at once.
    pub max_shrink: u8,
}

impl Default for Guard {
    fn default() -> Self {
        Self { removal_hold: Duration::from_secs(72 * 3600), max_shrink: 30 }
    }
}

/// Where addresses of a gateway are published. Two that are equal are asked once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum AddressSource {
    /// A name as it stands behind `include:` in an SPF record (RFC 7208 domain-spec), without macros in A-labels and lower
    /// case. With the macros `%{i}` and `%{v}` it can only be asked live; then it may have `exists:` in front, for a name
    /// that is asked for an A record itself (RFC 7208 5.7).
    Spf(Arc<str>),
    /// The A and AAAA records of a host.
    Host(DomainName),
    /// A document behind HTTPS.
    Feed(Arc<Feed>),
}

/// A document with addresses.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Feed {
    /// Where it is; `https:` always.
    pub url: Box<str>,
    /// How it is written.
    pub format: FeedFormat,
    /// Certificates (PEM) of the authorities that may vouch for the server, instead of the system's.
    pub ca: Option<Arc<[u8]>>,
    /// SHA-256 of public keys (`SubjectPublicKeyInfo` in DER), one of which the server's certificate must have; where empty,
    /// any that is vouched for.
    pub pins: Vec<[u8; 32]>,
}

/// How a feed is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FeedFormat {
    /// Microsoft's endpoint sets: an array of objects, of which those with TCP port 25 count by their `ips`.
    Microsoft,
    /// A JSON array of texts, or an object with one or more of them somewhere in it.
    Json,
    /// One network or address a line, `#` begins a comment.
    Text,
}

/// A protected domain.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name, or `*.` and the name above it.
    pub pattern: DomainPattern,
    /// How far it is switched on.
    pub mode: Mode,
    /// Who may deliver for it.
    pub source: Source,
    /// Names of its directories. Where there are none, recipients are checked only if `recipients` says so.
    pub directories: Vec<Arc<str>>,
    /// What becomes of recipients that nobody knows, where it is written.
    pub recipients: Option<RecipientMode>,
    /// Each of these characters parts a subaddress from its mailbox.
    pub subaddress: Box<str>,
    /// What is taken off an address when it is looked up.
    pub strip: Strip,
    /// Bounce addresses that exist.
    pub verp: LocalPatterns,
    /// The domain that it is another name for: all else is that one's. It is listed exactly, and no alias itself.
    pub alias_of: Option<DomainName>,
    /// Where mail goes that no rule is for; nothing means that it is refused where there are rules for the domain.
    pub unrouted: Option<Unrouted>,
    /// How it is scanned, where it is.
    pub scan: Option<DomainScan>,
    /// What each check asks for when it fails.
    pub verdicts: Verdicts,
    /// Its replies.
    pub replies: Replies,
    /// Where it stands.
    pub place: Place,
}

/// Who may deliver for a domain.
#[derive(Clone, Debug)]
pub enum Source {
    /// Anyone.
    Any,
    /// The gateways of these names, each of them defined.
    Gateways(Vec<Arc<str>>),
}

/// The loop check.
#[derive(Clone, Debug)]
pub struct Loops {
    /// This installation's id; nothing means the host name.
    pub id: Option<Box<str>>,
    /// From how many own tokens on a message is a loop; 0 is never.
    pub max_passes: u32,
    /// Above how many `Received` lines a message is a loop; 0 is never.
    pub max_received: u32,
    /// Where `[loop]` stands, or the beginning of the file.
    pub place: Place,
}
