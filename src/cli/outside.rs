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
use crate::reputation::Reputation;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::task::JoinHandle;

/// All that watches the network for the configuration in force.
pub(super) struct Watch {
    /// Nothing where no gateway has anything to refresh.
    keeper: Option<Keeper>,
    /// The self-tests of DNSBLs.
    zones: Option<JoinHandle<()>>,
}

impl Watch {
    /// Puts a policy in force, with its gateways as they are known, and begins to keep them fresh. To be called within a
    /// runtime that goes on.
    pub(super) fn begin(
        gate: &Arc<Gate>,
        config: &Config,
        policy: &Policy,
        plan: Plan,
        snapshots: Snapshots,
    ) -> Self {
        gate.replace(policy.with_gateways(plan.compose(&snapshots)));
        let Some((for_clients, for_gateways)) = resolvers(config) else {
            gate.ask(Box::new(Nobody));
            return Self { keeper: None, zones: None };
        };
        let roof = Roof::new(Arc::new(for_clients), config, policy);
        let reputation = Arc::clone(&roof.reputation);
        gate.ask(Box::new(roof));
        let zones = Some(tokio::spawn(async move { reputation.watch().await }));
        if plan.sources().is_empty() {
            return Self { keeper: None, zones };
        }
        let archive = Some(Archive::new(&config.state_dir));
        let stock = Stock::new(plan, snapshots, archive, Arc::new(SystemTime::now));
        let in_force = Arc::clone(gate);
        let publish = move |gateways| in_force.replace(in_force.policy().with_gateways(gateways));
        let keeper = Keeper::start(stock, Asker::new(Arc::new(for_gateways)), publish)
            .inspect_err(|error| tracing::warn!(%error, "cannot keep gateways fresh; they stay as they are"));
        Self { keeper: keeper.ok(), zones }
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
        if let Some(zones) = self.zones {
            zones.abort();
        }
        self.keeper.map_or_else(Snapshots::new, Keeper::stop)
    }
}

/// One for questions about clients and one for gateways, whose connections end with the keeper's runtime.
fn resolvers(config: &Config) -> Option<(Resolver, Resolver)> {
    let both = Resolver::new(&config.dns).and_then(|one| Ok((one, Resolver::new(&config.dns)?)));
    both.inspect_err(
        |error| tracing::warn!(%error, "no names can be asked for; what is known of gateways stays"),
    )
    .ok()
}

/// Who answers a command's questions about clients, once: the self-tests of DNSBLs come first.
pub(super) async fn for_once(config: &Config, policy: &Policy) -> Box<dyn Outside> {
    if !policy.asks() {
        return Box::new(Nobody);
    }
    match Resolver::new(&config.dns) {
        Ok(resolver) => {
            let roof = Roof::new(Arc::new(resolver), config, policy);
            roof.reputation.test().await;
            Box::new(roof)
        }
        Err(error) => {
            super::output::complain(&format!("postern: no names can be asked for: {error}\n"));
            Box::new(Nobody)
        }
    }
}

/// Answers with what the back rooms know.
struct Roof<D> {
    live: Live<D>,
    reputation: Arc<Reputation<D>>,
}

impl<D: Dns> Roof<D> {
    fn new(dns: Arc<D>, config: &Config, policy: &Policy) -> Self {
        let own = match &*policy.loops().id {
            "" => nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            id => id.to_owned(),
        };
        let reputation = Arc::new(Reputation::new(Arc::clone(&dns), &config.reputation));
        Self { live: Live::new(dns, &own), reputation }
    }
}

impl<D: Dns> Outside for Roof<D> {
    fn live<'a>(&'a self, name: &'a LiveName, client: IpAddr) -> Asked<'a, Answer> {
        Box::pin(self.live.passes(name, client))
    }

    fn listings(&self, client: IpAddr) -> Asked<'_, Listings> {
        Box::pin(self.reputation.listings(client))
    }

    fn reverse(&self, client: IpAddr) -> Asked<'_, ReverseName> {
        Box::pin(self.reputation.reverse(client))
    }
}

impl<D> fmt::Debug for Roof<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roof").field("live", &self.live).finish_non_exhaustive()
    }
}
