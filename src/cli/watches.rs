// SPDX-License-Identifier: GPL-3.0-or-later
//! All that is watched while Postern serves, for the configuration in force.

use super::directory_watch::DirectoryWatch;
use super::outside::Watch;
use super::scan_watch::ScanWatch;
use super::server_watch::ServerWatch;
use super::status::{Status, Zone};
use crate::config::Config;
use crate::gate::Gate;
use crate::gateways::Stamp;
use std::sync::Arc;

/// Gateways, directories, servers, and the keys of scan tokens.
pub(super) struct Watches {
    pub(super) gateways: Watch,
    pub(super) directories: DirectoryWatch,
    pub(super) servers: ServerWatch,
    pub(super) scan: ScanWatch,
}

impl Watches {
    /// Does what is to be done from time to time.
    pub(super) async fn look(&mut self, gate: &Arc<Gate>, config: &Config) {
        let Self { gateways, directories, servers: _, scan } = self;
        gateways.look(gate, config);
        directories.look(gate, config).await;
        scan.look(gate).await;
    }

    /// How the server is.
    pub(super) fn status(&self, config: &Config, gate: &Gate) -> Status {
        let Self { gateways, directories, servers, scan: _ } = self;
        let zones =
            gateways.roof().iter().flat_map(|roof| roof.zones()).map(|zone| Zone::from(&zone)).collect();
        Status {
            pid: std::process::id(),
            written: Stamp::default(),
            dnssec: config.dns.dnssec,
            trouble: gateways.trouble().map(str::to_owned),
            hidden: gate.hidden(),
            zones,
            directories: directories.loaded(),
            learned: directories.learned(),
            servers: servers.status(),
        }
    }

    /// Ends for good, and writes down what is left.
    pub(super) async fn finish(self, gate: &Arc<Gate>, config: &Config) {
        let Self { gateways, directories, servers, scan } = self;
        gateways.end();
        servers.end();
        directories.finish(gate, config).await;
        scan.finish(gate).await;
    }
}
