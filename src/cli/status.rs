// SPDX-License-Identifier: GPL-3.0-or-later
//! `status.json` in `state_dir`: what a running server tells of itself to `postern gateways`
//! and `postern servers`.
//!
//! It is written at the start and when something has changed, and removed at the end. It is believed only beside a server
//! that runs and has the same number, so that nothing is believed of one that was killed.

use super::pid_file;
use crate::gateways::Stamp;
use crate::reputation::{ZoneState, ZoneStatus};
use crate::store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;
use tokio::task::{JoinHandle, spawn_blocking};

/// Its name.
const NAME: &str = "status.json";

/// How a server is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Status {
    /// Its process.
    pub(super) pid: u32,
    /// When this was written: since then it is so.
    pub(super) written: Stamp,
    /// Whether answers are validated (DNSSEC).
    pub(super) dnssec: bool,
    /// Why nobody can be asked for names, where that is so.
    pub(super) trouble: Option<String>,
    /// Addresses behind which many clients seem to hide.
    pub(super) hidden: Vec<IpAddr>,
    /// DNSBLs.
    pub(super) zones: Vec<Zone>,
    /// Directories that are synced.
    #[serde(default)]
    pub(super) directories: Vec<LoadedDirectory>,
    /// When the file with what was learned had been written that is in force, in nanoseconds since 1970.
    #[serde(default)]
    pub(super) learned: Option<u64>,
    /// Servers whose hosts are looked at.
    #[serde(default)]
    pub(super) servers: Vec<ServerStatus>,
}

/// How a server's hosts are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct ServerStatus {
    /// Its name.
    pub(super) name: String,
    /// Whether none of its hosts takes mail.
    pub(super) down: bool,
    /// In the order in which they are tried now.
    pub(super) hosts: Vec<ServerHost>,
}

/// How one host of a server is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct ServerHost {
    /// As it is configured.
    pub(super) host: String,
    /// `takes-mail`, `back` or `unknown`.
    pub(super) state: HostStanding,
    /// Since when.
    pub(super) since: Option<Stamp>,
    /// Whether the last look failed.
    pub(super) failing: bool,
    /// What came of the last look, in words.
    pub(super) text: String,
    /// TLS that is not as is wished.
    pub(super) tls: Option<Troubled>,
}

/// Since when something is not as it should be, and what.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Troubled {
    /// Since when.
    pub(super) since: Stamp,
    /// What, in words.
    pub(super) text: String,
}

/// Where a host stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum HostStanding {
    /// Nobody knows yet.
    Unknown,
    /// It takes mail.
    TakesMail,
    /// It takes none, and stands behind the others.
    Back,
}

/// What is loaded of one directory.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct LoadedDirectory {
    /// Its name.
    pub(super) name: String,
    /// The snapshot's number; nothing while none is known.
    pub(super) snapshot: Option<u64>,
}

/// How one DNSBL is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Zone {
    /// Its domain name.
    pub(super) name: String,
    /// What a listing counts.
    pub(super) weight: u32,
    /// `untested`, `in-use` or `off`.
    pub(super) state: State,
    /// The same in words.
    pub(super) text: String,
    /// What to do about it, where it is off.
    pub(super) advice: Option<String>,
}

/// Whether a DNSBL is in use.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It has not been tested yet.
    Untested,
    /// It is asked.
    InUse,
    /// It counts nothing.
    Off,
}

impl From<&ZoneStatus> for Zone {
    fn from(ZoneStatus { zone, weight, state }: &ZoneStatus) -> Self {
        let text = state.to_string();
        let (state, advice) = match state {
            ZoneState::Untested => (State::Untested, None),
            ZoneState::InUse { .. } => (State::InUse, None),
            ZoneState::Off(fault) => (State::Off, Some(fault.advice().to_owned())),
        };
        Self { name: (**zone).to_owned(), weight: *weight, state, text, advice }
    }
}

/// What is told of the server that serves from a directory.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// None serves.
    NoServer,
    /// One does, and has told nothing that could be read.
    Nothing {
        /// Its process.
        pid: i32,
    },
    /// One does.
    Status(Status),
}

/// Reads it.
pub(super) fn read(state_dir: &Path) -> io::Result<Told> {
    let Some(pid) = pid_file::server(state_dir)?.map(nix::unistd::Pid::as_raw) else {
        return Ok(Told::NoServer);
    };
    let kept = Store::new(state_dir).read(NAME).ok().flatten();
    let status = kept.and_then(|kept| serde_json::from_slice::<Status>(&kept).ok());
    let own = status.filter(|status| i32::try_from(status.pid) == Ok(pid));
    Ok(own.map_or(Told::Nothing { pid }, Told::Status))
}

/// Writes it when it has changed, beside whatever else is done.
pub(super) struct Reporter {
    /// Nothing where another server serves from the same directory.
    store: Option<Store>,
    told: Option<Status>,
    writing: Option<JoinHandle<Result<(), StoreError>>>,
    has_complained: bool,
}

impl Reporter {
    /// Writes into this directory; what a killed server has left there goes.
    pub(super) fn begin(state_dir: Option<&Path>) -> Self {
        let store = state_dir.map(Store::new);
        if let Some(store) = &store {
            // It is not believed if it stays.
            let _ = store.remove(NAME);
        }
        Self { store, told: None, writing: None, has_complained: false }
    }

    /// Writes how the server is, unless that is known; not before the last writing has ended.
    pub(super) async fn tell(&mut self, mut status: Status) {
        let Some(store) = &self.store else { return };
        if let Some(writing) = self.writing.take_if(|writing| writing.is_finished())
            && let Ok(Err(error)) = writing.await
        {
            self.told = None;
            if !std::mem::replace(&mut self.has_complained, true) {
                tracing::warn!(%error, "cannot write what `postern gateways` and `postern servers` show of this server");
            }
        }
        if let Some(told) = &self.told {
            status.written = told.written;
        }
        if self.writing.is_some() || self.told.as_ref() == Some(&status) {
            return;
        }
        status.written = SystemTime::now().into();
        // Texts and numbers are always JSON.
        let content = serde_json::to_vec_pretty(&status).unwrap_or_default();
        let store = store.clone();
        self.writing = Some(spawn_blocking(move || store.write(NAME, &content)));
        self.told = Some(status);
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if let Some(store) = &self.store {
            // It is not believed if it stays, nor if it is being written just now.
            let _ = store.remove(NAME);
        }
    }
}
