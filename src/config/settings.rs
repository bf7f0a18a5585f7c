// SPDX-License-Identifier: GPL-3.0-or-later
//! The configuration as checked values. Whoever turns it into something takes it apart by name, without `..`, so
//! that a key without a use does not compile.

use super::{DataFile, Place};
use crate::mail::{DomainPattern, Network};
use crate::policy::{Internal, Mode, Replies, Unlisted, Verdicts};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A configuration in which nothing is wrong, but for what the files that it names may hold.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory for what is kept from one start to the next.
    pub state_dir: PathBuf,
    /// The milter door.
    pub milter: Milter,
    /// Who is internal.
    pub internal: Internal,
    /// What happens to domains that are not listed.
    pub unlisted: Unlisted,
    /// Who may hand us mail.
    pub gateways: Vec<Gateway>,
    /// Who exists.
    pub directories: Vec<Directory>,
    /// The protected domains.
    pub domains: Vec<Domain>,
    /// The loop check.
    pub loops: Loops,
}

/// The milter door.
#[derive(Clone, Debug)]
pub struct Milter {
    /// Where to listen; at least one, none twice.
    pub listen: Vec<Listen>,
    /// Access rights of unix sockets, `0` to `0o777`.
    pub socket_mode: u32,
    /// Group of unix sockets, by name.
    pub socket_group: Option<String>,
    /// How long sessions may go on after the order to stop.
    pub drain_timeout: Duration,
    /// Connections at one time, from 1.
    pub max_connections: usize,
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

/// Who may hand us mail.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its name.
    pub name: Arc<str>,
    /// Networks from the configuration itself.
    pub networks: Vec<Network>,
    /// Files with more of them.
    pub files: Vec<DataFile>,
}

/// Who exists.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its name.
    pub name: Arc<str>,
    /// Where its recipients come from.
    pub source: DirectorySource,
}

/// Where recipients come from.
#[derive(Clone, Debug)]
pub enum DirectorySource {
    /// A text file, one address a line.
    List(DataFile),
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
    /// Names of its directories; none means that recipients are not checked.
    pub directories: Vec<Arc<str>>,
    /// Each of these characters parts a subaddress from its mailbox.
    pub subaddress: Box<str>,
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
