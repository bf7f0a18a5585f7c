// SPDX-License-Identifier: GPL-3.0-or-later
//! What is asked of the network while Postern serves: gateways are kept fresh, and questions about one client are put.
//!
//! A keeper works for one configuration. It is stopped, and what it knows taken over, before the next one is in force, so that
//! no old set ever replaces a new policy.

use crate::config::Config;
use crate::dns::{Dns, Resolver};
use crate::gate::{Asked, Gate, Judge as _, Nobody, Outside};
use crate::gateways::spf::Live;
use crate::gateways::{Archive, Asker, Keeper, Order, Plan, Snapshots, Stock};
use crate::policy::{Answer, Listings, LiveName, Policy, ReverseName};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// The gateways of the configuration in force, at work.
pub(super) struct Watch {
    keeper: Option<Keeper>,
}

impl Watch {
    /// Puts a policy in force, with its gateways as they are known, and begins to keep them fresh.
    pub(super) fn begin(
        gate: &Arc<Gate>,
        config: &Config,
        policy: &Policy,
        plan: Plan,
        snapshots: Snapshots,
    ) -> Self {
        gate.replace(policy.with_gateways(plan.compose(&snapshots)));
        gate.ask(outside(config, policy));
        if plan.sources().is_empty() {
            return Self { keeper: None };
        }
        // Another resolver than that for questions about clients: its connections end with the keeper's runtime.
        let Some(resolver) = resolver(config) else { return Self { keeper: None } };
        let stock = Stock::new(plan, snapshots, Archive::new(&config.state_dir), Arc::new(SystemTime::now));
        let in_force = Arc::clone(gate);
        let publish = move |gateways| in_force.replace(in_force.policy().with_gateways(gateways));
        let keeper = Keeper::start(stock, Asker::new(Arc::new(resolver)), publish)
            .inspect_err(|error| tracing::warn!(%error, "cannot keep gateways fresh; they stay as they are"));
        Self { keeper: keeper.ok() }
    }

    /// Takes the order that was left in `state_dir`; without one, everything is refreshed.
    pub(super) fn refresh(&self, state_dir: &Path) {
        let Some(keeper) = &self.keeper else {
            tracing::info!("told to refresh, but no gateway has anything to refresh");
            return;
        };
        let order = Order::collect(state_dir).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read what is to be refreshed; refreshing all");
            None
        });
        let order = order.unwrap_or_default();
        tracing::info!(gateways = order.gateways.join(", "), force = order.force, "told to refresh");
        if !keeper.refresh(order) {
            tracing::warn!("too many orders to refresh are waiting; this one is not taken");
        }
    }

    /// Ends it. From then on nothing in the policy changes by itself; what was known may be used further.
    pub(super) fn end(self) -> Snapshots {
        self.keeper.map_or_else(Snapshots::new, Keeper::stop)
    }
}

fn resolver(config: &Config) -> Option<Resolver> {
    Resolver::new(&config.dns)
        .inspect_err(
            |error| tracing::warn!(%error, "no names can be asked for; what is known of gateways stays"),
        )
        .ok()
}

fn outside(config: &Config, policy: &Policy) -> Box<dyn Outside> {
    let Some(resolver) = resolver(config) else { return Box::new(Nobody) };
    let own = match &*policy.loops().id {
        "" => nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
        id => id.to_owned(),
    };
    Box::new(Roof { live: Live::new(Arc::new(resolver), &own) })
}

/// Answers with what the back rooms know.
#[derive(Debug)]
struct Roof<D> {
    live: Live<D>,
}

impl<D: Dns + std::fmt::Debug> Outside for Roof<D> {
    fn live<'a>(&'a self, name: &'a LiveName, client: IpAddr) -> Asked<'a, Answer> {
        Box::pin(self.live.passes(name, client))
    }

    fn listings(&self, client: IpAddr) -> Asked<'_, Listings> {
        Nobody.listings(client)
    }

    fn reverse(&self, client: IpAddr) -> Asked<'_, ReverseName> {
        Nobody.reverse(client)
    }
}
