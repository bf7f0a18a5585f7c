// SPDX-License-Identifier: GPL-3.0-or-later
//! Servers, routing rules and scanning as checked values.

use crate::config::Place;
use crate::mail::{self, DomainPattern, Mailbox, NextHop};
use crate::policy::{GroupName, OnReturn, OnScannerDown, TlsWish};
use std::sync::Arc;
use std::time::Duration;

/// A mailbox server, or a gateway that mail is sent through.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: ServerKind,
    /// Its hosts, in the order in which they are tried; at least one, none twice.
    pub hosts: Vec<NextHop>,
    /// What a connection to it must be.
    pub tls: TlsWish,
    /// How often it is looked whether its hosts take connections; nothing means never.
    pub health: Option<Duration>,
    /// Where it stands.
    pub place: Place,
}

/// What a server is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServerKind {
    /// Exchange Online.
    Microsoft365,
    /// An Exchange server of one's own.
    Exchange,
    /// Any other.
    Smtp,
}

/// A routing rule.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// Groups whose members it is for. Where there are neither these nor `recipients`, it is for everyone.
    pub groups: Vec<GroupName>,
    /// Addresses that it is for.
    pub recipients: Vec<Mailbox>,
    /// The listed domains that it is for; nothing means all of them.
    pub domains: Option<Vec<DomainPattern>>,
    /// The server's name, which is defined.
    pub to: Arc<str>,
    /// Where it stands.
    pub place: Place,
}

/// Where mail goes that no rule is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unrouted {
    /// Nowhere: it is refused.
    Reject,
    /// To the server of this name, which is defined.
    Server(Arc<str>),
    /// Wherever the MTA thinks.
    Pass,
}

/// How a domain's mail is scanned.
#[derive(Clone, Debug)]
pub struct DomainScan {
    /// The name of the server that scans it, which is defined.
    pub via: Arc<str>,
    /// The name of the gateway that it comes back from, which is defined.
    pub gateway: Arc<str>,
    /// What shows that it was scanned.
    pub on_return: OnReturn,
    /// How long a scan may take.
    pub valid: Duration,
    /// What happens while the scanner is down.
    pub on_scanner_down: OnScannerDown,
    /// Where it stands.
    pub place: Place,
}

/// The keys that scan tokens are signed with.
#[derive(Clone, Debug)]
pub struct ScanKeys {
    /// Those in a file that somebody else renews; nothing means that there are some in `state_dir`, renewed here.
    pub shared: Option<mail::ScanKeys>,
    /// How often a new one is made.
    pub rotate: Duration,
}
