// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of the network while Postern serves: gateways are kept fresh, and questions about one client are put.
//!
//! A keeper works for one configuration. It is stopped, and what it knows taken over, before the next one is in force, so that
//! no old set ever replaces a new policy. Where there are no name servers to ask, it is tried again until there are.

use super::roof::Roof;
use crate::config::Config;
use crate::dns::{Resolver, ResolverError};
use crate::gate::{Gate, Judge as _, Nobody, Outside};
use crate::gateways::{Archive, Asker, Keeper, Order, Plan, Snapshots, Stock};
use crate::policy::{Gateways, Policy};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::task::JoinHandle;

/// All that watches the network for the configuration in force.
pub(super) struct Watch {
    work: Work,
}

enum Work {
    /// Names can be asked for.
    Asking {
        roof: Roof,
        /// The self-tests of DNSBLs.
        zones: JoinHandle<()>,
        /// Nothing where no gateway has anything to refresh.
        keeper: Option<Keeper>,
    },
    /// Nobody can be asked.
    Deaf { why: String, plan: Plan, snapshots: Snapshots },
}

impl Watch {
    /// Puts a policy in force, with its gateways as they are known, and begins to keep them fresh; whom to ask about
    /// clients is given. To be called within a runtime that goes on.
    pub(super) fn begin(
        gate: &Arc<Gate>,
        config: &Config,
        policy: &Policy,
        (plan, snapshots): (Plan, Snapshots),
        roof: Result<Roof, ResolverError>,
    ) -> Self {
        gate.replace(policy.with_gateways(plan.compose(&snapshots)));
        let work = match asks(config, roof) {
            Ok(asks) => Work::begin(gate, config, (plan, snapshots), asks),
            Err(error) => {
                let why = error.to_string();
                // Where all is written in the configuration, nobody misses it.
                if policy.asks() || !plan.sources().is_empty() {
                    tracing::warn!(
                        error = why,
                        "no names can be asked for; what is known of gateways stays, and it is tried again"
                    );
                }
                gate.ask(Box::new(Nobody));
                Work::Deaf { why, plan, snapshots }
            }
        };
        Self { work }
    }

    /// Tries again to ask, where that could not be done.
    pub(super) fn look(&mut self, gate: &Arc<Gate>, config: &Config) {
        let Work::Deaf { why, plan, snapshots } = &mut self.work else { return };
        match asks(config, Roof::new(config, &gate.policy())) {
            Ok(asks) => {
                tracing::info!("names can be asked for");
                let known = (std::mem::take(plan), std::mem::take(snapshots));
                self.work = Work::begin(gate, config, known, asks);
            }
            Err(error) => *why = error.to_string(),
        }
    }

    /// Who answers questions about clients.
    pub(super) fn roof(&self) -> Option<&Roof> {
        match &self.work {
            Work::Asking { roof, .. } => Some(roof),
            Work::Deaf { .. } => None,
        }
    }

    /// Why nobody can be asked for names, where that is so.
    pub(super) fn trouble(&self) -> Option<&str> {
        match &self.work {
            Work::Asking { .. } => None,
            Work::Deaf { why, .. } => Some(why),
        }
    }

    /// Takes the order that was left in `state_dir`; without one, everything is refreshed.
    pub(super) fn refresh(&self, state_dir: &Path) {
        let keeper = match &self.work {
            Work::Asking { keeper: Some(keeper), .. } => keeper,
            Work::Asking { keeper: None, .. } => {
                tracing::info!("told to refresh, but no gateway has anything to refresh");
                return;
            }
            Work::Deaf { why, .. } => {
                tracing::warn!(error = why, "told to refresh, but no names can be asked for");
                return;
            }
        };
        let order = Order::collect(state_dir).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read what is to be refreshed; refreshing all");
            None
        });
        let order = order.unwrap_or_default();
        let named = order.gateways.join(", ");
        tracing::info!(
            gateways = if named.is_empty() { "all" } else { &named },
            force = order.force,
            "told to refresh"
        );
        if !keeper.refresh(order) {
            tracing::warn!("too many orders to refresh are waiting; this one is not taken");
        }
    }

    /// Ends it. From then on nothing in the policy changes by itself; what was known may be used further.
    pub(super) fn end(self) -> Snapshots {
        match self.work {
            Work::Asking { roof: _, zones, keeper } => {
                zones.abort();
                keeper.map_or_else(Snapshots::new, Keeper::stop)
            }
            Work::Deaf { why: _, plan: _, snapshots } => snapshots,
        }
    }
}

impl Work {
    fn begin(
        gate: &Arc<Gate>,
        config: &Config,
        (plan, snapshots): (Plan, Snapshots),
        (roof, for_gateways): (Roof, Resolver),
    ) -> Self {
        gate.ask(Box::new(roof.clone()));
        let zones = tokio::spawn(roof.clone().watch());
        if plan.sources().is_empty() {
            return Self::Asking { roof, zones, keeper: None };
        }
        let archive = Some(Archive::new(&config.state_dir));
        let stock = Stock::new(plan, snapshots, archive, Arc::new(SystemTime::now));
        let in_force = Arc::clone(gate);
        let publish = move |gateways: Gateways| {
            in_force.renew(|policy| policy.with_gateways(gateways.clone()));
        };
        let keeper = Keeper::start(stock, Asker::new(Arc::new(for_gateways)), publish)
            .inspect_err(|error| tracing::warn!(%error, "cannot keep gateways fresh; they stay as they are"));
        Self::Asking { roof, zones, keeper: keeper.ok() }
    }
}

/// Who is asked about clients, and a resolver for gateways, whose connections end with the keeper's runtime.
fn asks(config: &Config, roof: Result<Roof, ResolverError>) -> Result<(Roof, Resolver), ResolverError> {
    roof.and_then(|roof| Ok((roof, Resolver::new(&config.dns)?)))
}

/// Who answers a command's questions about clients, once: the self-tests of DNSBLs come first.
pub(super) async fn for_once(config: &Config, policy: &Policy) -> Box<dyn Outside> {
    if !policy.asks() {
        return Box::new(Nobody);
    }
    match Roof::new(config, policy) {
        Ok(roof) => {
            roof.test().await;
            Box::new(roof)
        }
        Err(error) => {
            super::output::complain(&format!("postern: no names can be asked for: {error}\n"));
            Box::new(Nobody)
        }
    }
}
