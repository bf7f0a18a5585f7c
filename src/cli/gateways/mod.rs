// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways`: what is known of each gateway, from where, and how fresh it is.
//!
//! Everything is read from the configuration and from what a server keeps in `state_dir`, so it is the same beside a
//! running server as without one. `test`, `diff` and `refresh` ask the network.

mod client;
pub(super) mod diff;
pub(super) mod export;
mod json;
mod list;
mod providers;
mod refresh;
mod server;
mod show;

use super::arguments::{Gateways, GatewaysOptions};
use super::output;
use crate::config::{self, Config, Problems, Providers, ReadError};
use crate::dns::Resolver;
use crate::gateways::{Archive, Asker, GatewayStatus, Order, Plan, Snapshots, Stamp, status};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::{self, Runtime};

/// A configuration with what is known of its gateways.
struct Opened {
    config: Config,
    plan: Plan,
    snapshots: Snapshots,
    now: Stamp,
}

/// Does what is asked.
pub(super) fn gateways(path: &Path, options: GatewaysOptions) -> io::Result<ExitCode> {
    let GatewaysOptions { what, json } = options;
    match what {
        None => list::list(&open(path)?, json),
        Some(what) if json => {
            let what = match what {
                Gateways::Show { .. } => "show",
                Gateways::Test { .. } => "test",
                Gateways::Diff { .. } => "diff",
                Gateways::Refresh { .. } => "refresh",
                Gateways::Providers { .. } => "providers",
            };
            Err(io::Error::other(format!("--json before `{what}` is for the list of all gateways")))
        }
        Some(Gateways::Show { name, format, split, ipv4, json }) => {
            let shape = export::Shape { split, ipv4_only: ipv4 };
            show::show(&open(path)?, &name, format, shape, json)
        }
        Some(Gateways::Test { name, client, certificate, json }) => {
            let opened = open(path)?;
            runtime()?.block_on(client::test(&opened, &name, (client, certificate), json))
        }
        Some(Gateways::Diff { name, json }) => {
            let opened = open(path)?;
            runtime()?.block_on(async { diff::diff(&opened, &name, &asker(&opened.config)?, json).await })
        }
        Some(Gateways::Refresh { names, force, json }) => {
            let opened = open(path)?;
            runtime()?.block_on(async {
                let asker = asker(&opened.config)?;
                let order = Order { gateways: names, force };
                refresh::refresh(opened, order, &asker, json).await
            })
        }
        Some(Gateways::Providers { name, mx, json }) => {
            let known = known_providers(path);
            match mx {
                Some(host) => providers::suggest(&known, &host),
                None => providers::providers(&known, name.as_deref(), json),
            }
        }
    }
}

/// Those that the configuration adds, too, whatever else is wrong with it: the list is read by those who are still writing
/// theirs. Without a configuration, those that are built in.
fn known_providers(path: &Path) -> Providers {
    match config::read(path, &mut Problems::default()) {
        Ok(Some(config)) => config.providers,
        Err(ReadError::Missing) => Providers::built_in(),
        Ok(None) | Err(_) => {
            output::complain(&format!(
                "postern: {} cannot be read; these are the providers that are built in\n",
                path.display()
            ));
            Providers::built_in()
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// Who asks sources.
pub(super) fn asker(config: &Config) -> io::Result<Asker<Resolver>> {
    Resolver::new(&config.dns).map(|resolver| Asker::new(Arc::new(resolver))).map_err(io::Error::other)
}

/// Reads the configuration, the files of its gateways, and what is kept of their sources.
fn open(path: &Path) -> io::Result<Opened> {
    let mut problems = Problems::default();
    let config = config::read(path, &mut problems).ok().flatten();
    let read = config.map(|config| {
        let plan = Plan::read(&config.gateways, &mut problems);
        (config, plan)
    });
    problems.sort();
    let Some((config, plan)) = read.filter(|_| !problems.has_errors()) else {
        super::print_errors(problems);
        return Err(io::Error::other(format!("{} cannot be used", path.display())));
    };
    let archive = Archive::new(&config.state_dir);
    let mut snapshots = Snapshots::new();
    for source in plan.sources().keys() {
        match archive.read(source) {
            Ok(Some(snapshot)) => {
                snapshots.insert(source.clone(), snapshot);
            }
            Ok(None) => {}
            Err(error) => output::complain(&format!("postern: {error}; taken for never loaded\n")),
        }
    }
    Ok(Opened { config, plan, snapshots, now: SystemTime::now().into() })
}

impl Opened {
    fn status(&self) -> Vec<GatewayStatus> {
        status(&self.plan, &self.snapshots)
    }

    /// How one gateway stands.
    fn find(&self, name: &str) -> io::Result<GatewayStatus> {
        let mut all = self.status();
        let Some(at) = all.iter().position(|status| *status.gateway.name == *name) else {
            let names: Vec<&str> = all.iter().map(|status| &*status.gateway.name).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(io::Error::other(format!("there is no gateway `{name}`; defined: {known}")));
        };
        Ok(all.swap_remove(at))
    }

    /// What the configuration says of a gateway.
    fn written(&self, name: &str) -> Option<&config::Gateway> {
        self.config.gateways.iter().find(|gateway| *gateway.name == *name)
    }
}
