// SPDX-License-Identifier: GPL-3.0-or-later
//! Takes what a source says and puts changes on top of it, as a snapshot does; and asks a peer's tenant with it.

use crate::graph_peer::Peer;
use crate::graph_tenant::{CLIENT_ID, SECRET, TENANT};
use postern::config::{self, GraphCredential, SyncRules};
use postern::directories::{Complete, Cookie, Extent, Graph, Record, Sink, SinkError, Source, SourceError};
use postern::mail::{RecipientKind, Secret};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a source has said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) records: BTreeMap<String, Record>,
    pub(crate) invalid: Vec<String>,
    pub(crate) passed_over: usize,
}

impl Sink for Taken {
    fn record(&mut self, record: Record) -> Result<(), SinkError> {
        self.records.insert(record.key.to_string(), record);
        Ok(())
    }

    fn membership(&mut self, group: &str, member: &str) -> Result<(), SinkError> {
        panic!("{member} in {group} is told of by itself");
    }

    fn removed(&mut self, key: &str) -> Result<(), SinkError> {
        self.records.remove(key);
        Ok(())
    }

    fn invalid(&mut self, place: &str, what: &str, why: &str) -> Result<(), SinkError> {
        self.invalid.push(format!("{place}: {what}: {why}"));
        Ok(())
    }

    fn passed_over(&mut self) -> Result<(), SinkError> {
        self.passed_over += 1;
        Ok(())
    }
}

impl Taken {
    /// All addresses, in order.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.records.values().flat_map(|record| record.addresses.iter().map(AsRef::as_ref)).collect();
        all.sort_unstable();
        all
    }

    /// One record's addresses.
    pub(crate) fn of(&self, key: &str) -> Vec<&str> {
        let record = self.records.get(key).unwrap_or_else(|| panic!("nothing of {key}"));
        record.addresses.iter().map(AsRef::as_ref).collect()
    }

    /// One group's members.
    pub(crate) fn members(&self, key: &str) -> Vec<&str> {
        let record = self.records.get(key).unwrap_or_else(|| panic!("nothing of {key}"));
        record.members.iter().map(AsRef::as_ref).collect()
    }
}

/// A configuration for a peer.
pub(crate) fn config(peer: &Peer) -> config::Graph {
    config::Graph {
        tenant: TENANT.into(),
        client_id: CLIENT_ID.into(),
        credential: GraphCredential::Secret(Secret::new(SECRET.as_bytes())),
        graph_url: peer.url().into(),
        login_url: peer.url().into(),
        ca: Some(peer.ca()),
        addresses: vec!["mail".into(), "proxyAddresses".into()],
        incremental: true,
    }
}

pub(crate) fn rules() -> SyncRules {
    SyncRules {
        refresh: Some(Duration::from_secs(900)),
        max_removed: 10,
        max_invalid: 5,
        removal_grace: Duration::ZERO,
        max_age: None,
        keep: 1,
        include: RecipientKind::SAID.to_vec(),
        patterns: false,
        timeout: Duration::from_secs(20),
        groups: Vec::new(),
    }
}

/// A directory that is synced from a peer.
pub(crate) struct Synced {
    pub(crate) source: Graph,
    pub(crate) taken: Taken,
    pub(crate) cookie: Option<Cookie>,
}

impl Synced {
    pub(crate) fn of(peer: &Peer) -> Self {
        Self::with(&config(peer), &rules())
    }

    pub(crate) fn with(config: &config::Graph, rules: &SyncRules) -> Self {
        Self { source: Graph::new(config, rules), taken: Taken::default(), cookie: None }
    }

    /// Syncs once; what fails changes nothing.
    pub(crate) async fn sync(&mut self) -> Result<Complete, SourceError> {
        let mut taken = if self.cookie.is_some() { self.taken.clone() } else { Taken::default() };
        let complete = self.source.sync(self.cookie.as_ref(), &mut taken).await?;
        assert!(
            self.cookie.is_none() || complete.extent != Extent::Everything,
            "asked for changes, got everything"
        );
        self.cookie.clone_from(&complete.cookie);
        self.taken = taken;
        Ok(complete)
    }

    /// The text of an error.
    pub(crate) async fn fails(&mut self) -> String {
        match self.sync().await {
            Ok(complete) => panic!("{complete:?}"),
            Err(error) => error.to_string(),
        }
    }
}
