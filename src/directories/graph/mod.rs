// SPDX-License-Identifier: GPL-3.0-or-later
//! `type = "graph"`: users, groups and contacts of a Microsoft 365 tenant, by Microsoft Graph v1.0's delta queries.
//!
//! Each of the three is asked page by page (`@odata.nextLink`) until `@odata.deltaLink` says that it is whole; the next sync
//! goes on from there. Records come with what they have in full: Graph tells of members one by one, so the members of a group
//! that has changed are all asked for. Disabled accounts stay, because shared and room mailboxes are some; Graph does not tell
//! those from people's, so all are `user`. It knows no dynamic distribution groups and no public folders.
//! Sources: learn.microsoft.com/graph/delta-query-overview, -groups, -users and /graph/throttling.

mod answer;
mod assertion;
mod client;
mod groups;
mod object;
mod patience;
mod question;
mod recipients;
mod token;
mod transport;

use super::source::{Complete, Cookie, Extent, Sink, Source, SourceError};
use crate::config;
use client::Client;
use groups::Groups;
use question::{Question, Resource};
use recipients::Recipients;
use std::fmt;
use token::Tokens;

/// A tenant.
pub struct Graph {
    config: config::Graph,
    rules: config::SyncRules,
    tokens: Tokens,
}

impl Graph {
    /// A tenant, not asked yet. What is wrong with a certificate or key is said when it is needed.
    pub fn new(config: &config::Graph, rules: &config::SyncRules) -> Self {
        Self { config: config.clone(), rules: rules.clone(), tokens: Tokens::default() }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config::Graph { tenant, client_id, graph_url, .. } = &self.config;
        f.debug_struct("Graph")
            .field("tenant", tenant)
            .field("client_id", client_id)
            .field("graph_url", graph_url)
            .finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Source for Graph {
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let question = Question::new(&self.config, &self.rules)?;
        let from = since.map(|cookie| question.resume(cookie)).transpose()?;
        let mut client = Client::new(&self.config, &self.rules, &self.tokens)?;
        let (whole, mut told, mut links) = (from.is_none(), false, Vec::new());
        for (nth, resource) in question.resources().iter().enumerate() {
            let first = match &from {
                Some(links) => links.get(nth).cloned().ok_or(SourceError::Resync)?,
                None => resource.first()?,
            };
            let end = match resource.kind {
                Resource::Users | Resource::Contacts => {
                    let mut recipients = Recipients::new(resource, whole);
                    let end = client
                        .walk(resource.kind, first, whole, |object| recipients.take(object, sink))
                        .await?;
                    told |= recipients.finish(&mut client, sink).await?;
                    end
                }
                Resource::Groups => {
                    let mut groups = Groups::new(resource, whole);
                    let end = client.walk(resource.kind, first, whole, |object| groups.take(&object)).await?;
                    told |= groups.finish(&mut client, sink).await?;
                    end
                }
            };
            links.push(end);
        }
        let extent = match (whole, told) {
            (true, _) => Extent::Everything,
            (false, true) => Extent::Changes,
            (false, false) => Extent::Nothing,
        };
        let cookie = self.config.incremental.then(|| question.cookie(&links)).transpose()?;
        Ok(Complete { extent, cookie, notes: client.notes() })
    }
}
