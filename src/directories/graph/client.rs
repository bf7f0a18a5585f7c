// SPDX-License-Identifier: GPL-3.0-or-later
//! Graph's collections, followed from link to link to their ends, and single objects.
//!
//! Links lead nowhere but to where Graph is, and none is followed twice; a collection has at most [`MOST_PAGES`] pages.

use super::super::source::SourceError;
use super::answer::{Answer, shown};
use super::object::{Id, Object, Page, Properties};
use super::question::{Asked, Resource};
use super::token::Tokens;
use super::transport::Transport;
use crate::config;
use reqwest::{Method, Url};
use serde::Deserialize;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// Pages of a collection. Ten million objects at 100 to a page.
const MOST_PAGES: usize = 200_000;

/// Asks Graph, for one sync.
pub(super) struct Client<'a> {
    config: &'a config::Graph,
    tokens: &'a Tokens,
    transport: Transport,
    /// Where Graph is.
    home: Url,
    /// Marks links that have been followed.
    mark: RandomState,
}

/// What came of a request.
enum Got {
    Json(Vec<u8>),
    Missing,
    Expired,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        config: &'a config::Graph,
        rules: &config::SyncRules,
        tokens: &'a Tokens,
    ) -> Result<Self, SourceError> {
        let transport = Transport::new(config, rules.timeout)?;
        let wrong = |error| SourceError::Wrong(format!("{}: {error}", config.graph_url));
        Ok(Self {
            config,
            tokens,
            transport,
            home: Url::parse(&config.graph_url).map_err(wrong)?,
            mark: RandomState::new(),
        })
    }

    /// What an administrator should know.
    pub(super) fn notes(&self) -> Vec<String> {
        self.transport.notes()
    }

    /// Takes all objects from a link on and gives the link for the next time.
    pub(super) async fn walk(
        &mut self,
        resource: Resource,
        first: Url,
        whole: bool,
        mut take: impl FnMut(Object) -> Result<(), SourceError>,
    ) -> Result<Url, SourceError> {
        let (mut url, mut seen) = (first, HashSet::new());
        loop {
            self.fresh(&url, resource, &mut seen)?;
            let page: Page = match self.get(url, resource).await? {
                Got::Json(body) => read(resource, &body)?,
                Got::Missing => return Err(SourceError::Wrong(format!("Graph does not know {resource}"))),
                Got::Expired if whole => {
                    let why = format!("Graph does not know any more where it was among {resource}");
                    return Err(SourceError::Incomplete(why));
                }
                Got::Expired => return Err(SourceError::Resync),
            };
            page.value.into_iter().try_for_each(&mut take)?;
            match (page.next, page.delta) {
                (Some(next), None) => url = self.link(&next, resource)?,
                (None, Some(delta)) => return self.link(&delta, resource),
                (None, None) => {
                    let why = format!("a page of {resource} has neither nextLink nor deltaLink");
                    return Err(SourceError::Incomplete(why));
                }
                (Some(_), Some(_)) => {
                    let why = format!("a page of {resource} has both nextLink and deltaLink");
                    return Err(SourceError::Wrong(why));
                }
            }
        }
    }

    /// The properties of an object, where there is one.
    pub(super) async fn one(&mut self, asked: &Asked, id: Id) -> Result<Option<Properties>, SourceError> {
        match self.get(asked.one(&id.text())?, asked.kind).await? {
            Got::Json(body) => {
                let object: Object = read(asked.kind, &body)?;
                let same = object.id == id;
                let other =
                    || SourceError::Wrong(format!("Graph answers with another one of {}", asked.kind));
                same.then_some(Some(object.properties)).ok_or_else(other)
            }
            Got::Missing => Ok(None),
            Got::Expired => Err(gone(asked.kind)),
        }
    }

    /// The members of a group, where there is one.
    pub(super) async fn members(
        &mut self,
        asked: &Asked,
        id: Id,
    ) -> Result<Option<HashSet<Id>>, SourceError> {
        let (mut members, mut seen) = (HashSet::new(), HashSet::new());
        let mut url = asked.members(&id.text())?;
        loop {
            self.fresh(&url, asked.kind, &mut seen)?;
            let page: Page = match self.get(url, asked.kind).await? {
                Got::Json(body) => read(asked.kind, &body)?,
                Got::Missing => return Ok(None),
                Got::Expired => return Err(gone(asked.kind)),
            };
            members.extend(page.value.iter().filter(|member| member.is_member()).map(|member| member.id));
            // Without a link it is the last page: collections that are no delta end so (OData 4.01 JSON, 4.5.5).
            let Some(next) = page.next else { return Ok(Some(members)) };
            url = self.link(&next, asked.kind)?;
        }
    }

    /// Holds that a link has not been followed before.
    fn fresh(&self, url: &Url, resource: Resource, seen: &mut HashSet<u64>) -> Result<(), SourceError> {
        if !seen.insert(self.mark.hash_one(url.as_str())) {
            return Err(SourceError::Wrong(format!("the links of {resource} lead in a circle")));
        }
        if seen.len() > MOST_PAGES {
            return Err(SourceError::Wrong(format!("{resource} have more than {MOST_PAGES} pages")));
        }
        Ok(())
    }

    /// Where a link leads, which is where Graph is: nobody else gets our token.
    fn link(&self, link: &str, resource: Resource) -> Result<Url, SourceError> {
        let url = Url::parse(link)
            .map_err(|error| SourceError::Wrong(format!("a link of {resource} is no address: {error}")))?;
        self.at_home(&url)?;
        Ok(url)
    }

    fn at_home(&self, url: &Url) -> Result<(), SourceError> {
        if url.origin() == self.home.origin() && url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        let host = shown(url.host_str().unwrap_or_default());
        Err(SourceError::Wrong(format!("a link leads to {host:?}, away from {}", self.config.graph_url)))
    }

    async fn get(&mut self, url: Url, resource: Resource) -> Result<Got, SourceError> {
        // A cookie's links come from a file.
        self.at_home(&url)?;
        let mut refused = None;
        loop {
            let mut request = Transport::request(Method::GET, url.clone());
            let token =
                self.tokens.sign(&mut request, refused.as_ref(), self.config, &mut self.transport).await?;
            return match self.transport.exchange(&request).await? {
                Answer::Json(body) => Ok(Got::Json(body)),
                Answer::Missing => Ok(Got::Missing),
                Answer::Expired => Ok(Got::Expired),
                Answer::Unauthorized(_) if refused.is_none() => {
                    refused = Some(token);
                    continue;
                }
                Answer::Unauthorized(said) => {
                    Err(SourceError::Refused(format!("Graph does not take its own token ({})", said.shown())))
                }
                Answer::Forbidden(said) => {
                    let (permission, why) = (resource.permission(), said.shown());
                    Err(SourceError::Refused(format!(
                        "the application may not read {resource}; grant it the application permission {permission} ({why})"
                    )))
                }
                Answer::Refused(said) => Err(SourceError::Wrong(format!(
                    "Graph does not take the question for {resource} ({})",
                    said.shown()
                ))),
            };
        }
    }
}

fn gone(resource: Resource) -> SourceError {
    SourceError::Incomplete(format!("Graph lost its place among {resource}"))
}

/// Reads JSON. Where it ends too early, it is not all that was to come.
fn read<'de, T: Deserialize<'de>>(resource: Resource, body: &'de [u8]) -> Result<T, SourceError> {
    serde_json::from_slice(body).map_err(|error| {
        let why = format!("a page of {resource} cannot be read: {}", shown(&error.to_string()));
        if error.is_eof() { SourceError::Incomplete(why) } else { SourceError::Wrong(why) }
    })
}
