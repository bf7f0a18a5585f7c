// SPDX-License-Identifier: GPL-3.0-or-later
//! `type = "ldap"`: an LDAP directory (RFC 4511).
//!
//! Its servers are tried in order, until one is there and lets us in; a sync is of one server from beginning to end. Everything
//! is asked for in pages; changes by what the server offers, once a day at least everything again. Limits that cut an answer,
//! pages that do not come, and connections that end are failures. Referrals are not followed. Whatever cannot be asked for
//! over TLS is not asked for with a password (the check sees to it).

mod connection;
mod cookie;
mod dn;
mod entry;
mod mapping;
mod message;
mod recipient_type;
mod relay;
mod schema;
mod search;
mod server;
mod syncrepl;
mod trust;
mod usn;

pub(in crate::directories) use dn::normalize as normalize_dn;
pub(in crate::directories) use entry::Entry;
pub(in crate::directories) use recipient_type::kind as recipient_type;
pub(in crate::directories) use schema::Schema;

use crate::config::{self, LdapSchema, SyncRules};
use crate::directories::source::{Complete, Cookie, Extent, Sink, Source, SourceError};
use connection::Connection;
use cookie::{Point, State};
use futures_util::FutureExt as _;
use ldap3::Scope;
use ldap3::controls::RawControl;
use search::{Item, Pages, Question, Search};
use server::Server;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// An LDAP directory.
#[derive(Debug)]
pub(in crate::directories) struct Ldap {
    config: config::Ldap,
    schema: Schema,
    timeout: Duration,
}

impl Ldap {
    /// A directory as it is configured. Nothing is asked yet.
    pub(in crate::directories) fn new(config: &config::Ldap, rules: &SyncRules) -> Self {
        Self {
            config: config.clone(),
            schema: Schema::new(config.schema, config.filter.as_deref(), &config.attributes),
            timeout: rules.timeout,
        }
    }
}

#[async_trait::async_trait]
impl Source for Ldap {
    async fn sync(&self, since: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let since = since.map(|cookie| State::read(cookie, &self.config, &self.schema)).transpose()?;
        // The library panics where what a server sends is LDAP, but not an answer to what was asked.
        let asking = AssertUnwindSafe(self.ask(since, sink)).catch_unwind();
        asking.await.unwrap_or_else(|_| Err(SourceError::Wrong("the server's answer makes no sense".into())))
    }
}

/// What is kept of the way.
#[derive(Debug, Default)]
struct Asked {
    referrals: u64,
    first: Option<String>,
    notes: Vec<String>,
}

impl Asked {
    fn note(&mut self, search: Search) {
        self.referrals += search.referrals;
        self.first = self.first.take().or(search.referral);
    }

    fn notes(self) -> Vec<String> {
        let Self { referrals, first, mut notes } = self;
        if let Some(first) = first {
            notes.push(match referrals {
                1 => format!("a referral was not followed: {first}"),
                many => format!("{many} referrals were not followed, the first to {first}"),
            });
        }
        notes
    }
}

impl Ldap {
    async fn ask(&self, since: Option<State>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        let mut connection = self.connect().await?;
        let answer = self.converse(&mut connection, since, sink).await;
        if answer.is_ok() {
            connection.close().await;
        }
        answer
    }

    /// The first server that lets us in.
    async fn connect(&self) -> Result<Connection, SourceError> {
        let config = &self.config;
        let encrypted = |server: &config::LdapServer| server.tls || config.start_tls;
        let tls =
            if config.servers.iter().any(encrypted) { Some(trust::client_config(config)?) } else { None };
        let mut failed: Vec<String> = Vec::new();
        for server in &config.servers {
            let tls = tls.as_ref().filter(|_| encrypted(server));
            match Connection::open(server, config, tls, self.timeout).await {
                Ok(connection) => return Ok(connection),
                // The next one would say the same; asking all of them may lock the account.
                Err(SourceError::Refused(why)) => {
                    return Err(SourceError::Refused(format!("{server}: {why}")));
                }
                Err(SourceError::Unreachable(why) | SourceError::Wrong(why)) if config.servers.len() > 1 => {
                    failed.push(format!("{server}: {why}"));
                }
                Err(SourceError::Unreachable(why)) => {
                    return Err(SourceError::Unreachable(format!("{server}: {why}")));
                }
                Err(SourceError::Wrong(why)) => return Err(SourceError::Wrong(format!("{server}: {why}"))),
                Err(error) => return Err(error),
            }
        }
        Err(SourceError::Unreachable(failed.join("; ")))
    }

    async fn converse(
        &self,
        connection: &mut Connection,
        since: Option<State>,
        sink: &mut dyn Sink,
    ) -> Result<Complete, SourceError> {
        let server = connection.server().await?;
        let mut asked = Asked::default();
        let (extent, state) = match since {
            None => (Extent::Everything, self.everything(connection, &server, &mut asked, sink).await?),
            Some(state) => {
                let point = &state.point;
                let (extent, point) = match self.config.schema {
                    LdapSchema::ActiveDirectory => {
                        usn::changes(self, connection, &server, point, &mut asked, sink).await?
                    }
                    LdapSchema::OpenLdap | LdapSchema::Rfc2307bis => {
                        syncrepl::changes(self, connection, &server, point, &mut asked, sink).await?
                    }
                };
                (extent, Some(state.after(point)))
            }
        };
        Ok(Complete { extent, cookie: state.and_then(|state| state.write()), notes: asked.notes() })
    }

    async fn everything(
        &self,
        connection: &mut Connection,
        server: &Server,
        asked: &mut Asked,
        sink: &mut dyn Sink,
    ) -> Result<Option<State>, SourceError> {
        // Before the first entry: what changes from now on is asked for the next time.
        let mut point = match self.config.schema {
            _ if !self.config.incremental => None,
            LdapSchema::ActiveDirectory => {
                let controller = connection.controller(server).await?;
                for base in self.config.base.iter().take(usize::from(controller.is_some())) {
                    if !connection.sees_deleted(&server.context(base)).await? {
                        asked.notes.push(
                            "deleted objects may not be seen, so a deletion shows once a day; let the account list and read \
                             CN=Deleted Objects"
                                .into(),
                        );
                    }
                }
                controller.map(usn::point)
            }
            LdapSchema::OpenLdap | LdapSchema::Rfc2307bis => {
                syncrepl::point(self, connection, server).await?
            }
        };
        for base in &self.config.base {
            let mut search = connection.search(self.question(base, self.schema.filter(), server)).await?;
            while let Some(item) = connection.next(&mut search).await? {
                let Item::Entry(found, _) = item else { continue };
                let entry = connection.complete(found, &self.controls()).await?;
                // Changes are told by the number.
                if self.schema.key(&entry).is_none() {
                    point = None;
                }
                self.schema.tell(&entry, None, sink)?;
            }
            asked.note(search);
        }
        if self.config.incremental && point.is_none() {
            asked.notes.push("the server does not tell changes; everything is asked for every time".into());
        }
        Ok(point.map(|point: Point| State::full(&self.config, &self.schema, point)))
    }

    /// What recipients below a base are asked for with.
    fn question(&self, base: &str, filter: &str, server: &Server) -> Question {
        Question {
            base: base.to_owned(),
            scope: Scope::Subtree,
            filter: filter.into(),
            attributes: self.schema.attributes().into_iter().map(str::to_owned).collect(),
            controls: self.controls(),
            pages: Some(self.pages(server)),
        }
    }

    fn controls(&self) -> Vec<RawControl> {
        match self.config.schema {
            LdapSchema::ActiveDirectory => vec![usn::extended_dn()],
            LdapSchema::OpenLdap | LdapSchema::Rfc2307bis => Vec::new(),
        }
    }

    fn pages(&self, server: &Server) -> Pages {
        Pages { size: self.config.page_size, known: server.knows_pages() }
    }
}
