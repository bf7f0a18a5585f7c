// SPDX-License-Identifier: GPL-3.0-or-later
//! What is done about servers while Postern serves: the hosts of those with `health` are looked at, and those that take no
//! mail step back.

use super::status::{ServerHost, ServerStatus, Troubled};
use crate::config::{self, Config};
use crate::dns::Resolver;
use crate::gate::Gate;
use crate::gateways::Stamp;
use crate::policy::Policy;
use crate::servers::{HostState, Keeper, Names, Patience, Probe, Standing, States, Watched};
use std::sync::{Arc, Mutex, PoisonError};

/// All that watches servers for the configuration in force.
pub(super) struct ServerWatch {
    /// Nothing where no server is watched.
    keeper: Option<Keeper>,
    watched: Vec<Watched>,
    states: Arc<Mutex<States>>,
}

impl ServerWatch {
    /// Begins, with what is known of hosts from an earlier configuration. To be called when the policy of this one is in
    /// force, arranged by [`arranged`].
    pub(super) fn begin(gate: &Arc<Gate>, config: &Config, states: States) -> Self {
        let watched = watched(config);
        let shared = Arc::new(Mutex::new(states.clone()));
        if watched.is_empty() {
            return Self { keeper: None, watched, states: shared };
        }
        let (gate, known, all) = (Arc::clone(gate), Arc::clone(&shared), watched.clone());
        let publish = move |states: &States, changed: bool| {
            known.lock().unwrap_or_else(PoisonError::into_inner).clone_from(states);
            if changed {
                gate.renew(|policy| policy.with_servers(states.compose(policy.servers(), &all)));
            }
        };
        let keeper = probe(config).and_then(|probe| {
            Keeper::start(watched.clone(), states, probe, publish).map_err(|error| error.to_string())
        });
        let keeper = keeper
            .inspect_err(|error| {
                tracing::warn!(error, "cannot look at servers; their hosts stay in the configured order");
            })
            .ok();
        Self { keeper, watched, states: shared }
    }

    /// How servers are, as it is told to commands.
    pub(super) fn status(&self) -> Vec<ServerStatus> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        self.watched.iter().map(|server| status(server, &states)).collect()
    }

    /// Ends it. From then on no order changes by itself; what is known may be used further.
    pub(super) fn end(self) -> States {
        self.keeper.map_or_else(States::default, Keeper::stop)
    }
}

/// The policy with the hosts of watched servers in the order that follows from what is known of them.
pub(super) fn arranged(policy: &Policy, config: &Config, states: &States) -> Policy {
    policy.with_servers(states.compose(policy.servers(), &watched(config)))
}

/// Who looks at hosts, for this configuration. An error says that there is no TLS here at all.
pub(super) fn probe(config: &Config) -> Result<Probe<Resolver>, String> {
    let dns = config.dns.clone();
    let found: Mutex<Option<Resolver>> = Mutex::default();
    // Where there are no name servers to ask, the next look tries again.
    let names: Names<Resolver> = Box::new(move || {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resolver) = &*found {
            return Ok(resolver.clone());
        }
        let resolver = Resolver::new(&dns).map_err(|error| format!("no names can be asked for: {error}"))?;
        Ok(found.insert(resolver).clone())
    });
    let own = config.loops.id.as_deref().filter(|id| !id.is_empty()).map_or_else(host_name, str::to_owned);
    Probe::new(names, &own, None, Patience::default()).map_err(|error| error.to_string())
}

fn host_name() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
}

fn watched(config: &Config) -> Vec<Watched> {
    let watched = |server: &config::Server| {
        let config::Server { name, kind: _, hosts, tls, health, place: _ } = server;
        let every = (*health)?;
        Some(Watched { name: Arc::clone(name), hosts: hosts.clone(), tls: tls.clone(), every })
    };
    config.servers.iter().filter_map(watched).collect()
}

fn status(server: &Watched, states: &States) -> ServerStatus {
    let arranged = states.arrange(server);
    let host = |hop| {
        let HostState { standing, failures, looked: _, text, trouble } = states.host(&server.name, hop);
        let (state, since) = match standing {
            Standing::Unknown => (super::status::HostStanding::Unknown, None),
            Standing::Takes(since) => (super::status::HostStanding::TakesMail, Some(Stamp::from(since))),
            Standing::Back(since) => (super::status::HostStanding::Back, Some(Stamp::from(since))),
        };
        let tls = trouble.map(|trouble| Troubled { since: trouble.since.into(), text: trouble.text });
        ServerHost { host: hop.to_string(), state, since, failing: failures > 0, text, tls }
    };
    ServerStatus {
        name: server.name.to_string(),
        down: arranged.down,
        hosts: arranged.hosts.iter().map(host).collect(),
    }
}
