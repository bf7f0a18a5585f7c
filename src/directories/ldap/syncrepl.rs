// SPDX-License-Identifier: GPL-3.0-or-later
//! Changes of OpenLDAP, by cookie (RFC 4533, refreshOnly), as its own replicas ask for them.
//!
//! The first cookie is made of the database's `contextCSN`, read before everything is asked for in pages: what changes
//! meanwhile is told twice. A server that has no record of what was deleted says what is still there instead (the present
//! phase, RFC 4533 3.3.2); then everything is asked for again. Deletions are known with `syncprov-sessionlog` or an access log. A
//! slapd that was killed may not know its last changes as such (`syncprov-checkpoint`); they show when everything is asked for next.

use super::connection::Connection;
use super::cookie::{Changes, Point};
use super::mapping::uuid_text;
use super::search::{Item, Question};
use super::server::{Database, Server};
use super::{Asked, Ldap};
use crate::directories::source::{Extent, Sink, SourceError};
use ldap3::controls::{
    Control, ControlType, EntryState, MakeCritical as _, RefreshMode, SyncInfo, SyncRequest, SyncState,
    parse_syncinfo,
};
use std::collections::{BTreeMap, BTreeSet};

/// The databases that all bases are in, as they are now; nothing unless all of them tell of changes.
pub(super) async fn point(
    ldap: &Ldap,
    connection: &mut Connection,
    server: &Server,
) -> Result<Option<Point>, SourceError> {
    if !server.knows_sync() {
        return Ok(None);
    }
    let mut all = BTreeMap::new();
    let suffixes: BTreeSet<String> = ldap.config.base.iter().map(|base| server.context(base)).collect();
    for suffix in suffixes {
        let Some(Database { suffix, id, csns }) = connection.database(&suffix).await? else {
            return Ok(None);
        };
        all.insert(suffix, Changes { id, csns });
    }
    Ok(Some(Point::Databases(all)))
}

/// Asks for what has changed.
pub(super) async fn changes(
    ldap: &Ldap,
    connection: &mut Connection,
    server: &Server,
    since: &Point,
    asked: &mut Asked,
    sink: &mut dyn Sink,
) -> Result<(Extent, Point), SourceError> {
    let now = point(ldap, connection, server).await?.ok_or(SourceError::Resync)?;
    let (Point::Databases(since), Point::Databases(current)) = (since, &now) else {
        return Err(SourceError::Resync);
    };
    let mut extent = Extent::Nothing;
    for base in &ldap.config.base {
        let suffix = server.context(base);
        let (Some(then), Some(now)) = (since.get(&suffix), current.get(&suffix)) else {
            return Err(SourceError::Resync);
        };
        if !now.follows(then) {
            return Err(SourceError::Resync);
        }
        if now == then {
            continue;
        }
        extent = Extent::Changes;
        let request =
            SyncRequest { mode: RefreshMode::RefreshOnly, cookie: Some(then.cookie()), reload_hint: false };
        let question = Question {
            controls: vec![request.critical().into()],
            pages: None,
            ..ldap.question(base, ldap.schema.filter(), server)
        };
        changes_of(ldap, connection, question, asked, sink).await?;
    }
    Ok((extent, now))
}

async fn changes_of(
    ldap: &Ldap,
    connection: &mut Connection,
    question: Question,
    asked: &mut Asked,
    sink: &mut dyn Sink,
) -> Result<(), SourceError> {
    let mut search = connection.search(question).await?;
    // Changes come in no pages: more of them than the server gives in one answer are cut off (RFC 4511 A.1), every time.
    let uncut = |error| match error {
        SourceError::Incomplete(_) => SourceError::Resync,
        error @ (SourceError::Unreachable(_)
        | SourceError::Refused(_)
        | SourceError::Wrong(_)
        | SourceError::Later(_)
        | SourceError::Resync
        | SourceError::Sink(_)) => error,
    };
    while let Some(item) = connection.next(&mut search).await.map_err(uncut)? {
        match item {
            Item::Entry(found, controls) => {
                let SyncState { state, entry_uuid, cookie: _ } =
                    state(&controls).ok_or(SourceError::Resync)?;
                let key = key(&entry_uuid)?;
                match state {
                    EntryState::Add | EntryState::Modify => {
                        let entry = connection.complete(found, &[]).await?;
                        if ldap.schema.key(&entry).as_ref() != Some(&key) {
                            return Err(SourceError::Resync);
                        }
                        if !ldap.schema.tell(&entry, None, sink)? {
                            sink.removed(&key)?;
                        }
                    }
                    EntryState::Delete => sink.removed(&key)?,
                    EntryState::Present => return Err(SourceError::Resync),
                }
            }
            Item::Between(message) => match parse_syncinfo(message) {
                SyncInfo::NewCookie(_) | SyncInfo::RefreshDelete { .. } => {}
                SyncInfo::SyncIdSet { refresh_deletes: true, sync_uuids, cookie: _ } => {
                    for uuid in sync_uuids {
                        sink.removed(&key(&uuid)?)?;
                    }
                }
                SyncInfo::RefreshPresent { .. } | SyncInfo::SyncIdSet { .. } => {
                    return Err(SourceError::Resync);
                }
            },
        }
    }
    // Without deletions what was not mentioned would be gone.
    let deletes = search.done.as_ref().is_some_and(|done| done.refresh_deletes);
    asked.note(search);
    if deletes { Ok(()) } else { Err(SourceError::Resync) }
}

fn state(controls: &[Control]) -> Option<SyncState> {
    let mut states = controls.iter().filter_map(|Control(kind, raw)| match kind {
        Some(ControlType::SyncState) if raw.val.is_some() => Some(raw.parse()),
        _ => None,
    });
    states.next()
}

fn key(uuid: &[u8]) -> Result<Box<str>, SourceError> {
    uuid.try_into()
        .map(uuid_text)
        .map_err(|_| SourceError::Wrong("a number of an entry has not 16 octets".into()))
}

impl Changes {
    /// As OpenLDAP's replicas write it.
    fn cookie(&self) -> Vec<u8> {
        format!("rid=000,csn={}", self.csns.join(";")).into_bytes()
    }

    /// Whether these come after others in the same database: no server in it has gone back.
    fn follows(&self, then: &Self) -> bool {
        self.id == then.id
            && then
                .csns
                .iter()
                .all(|then| self.csns.iter().any(|now| server_of(now) == server_of(then) && now >= then))
    }
}

/// Which server has taken a change: `TIME#COUNT#SERVER#MOD`.
fn server_of(csn: &str) -> Option<&str> {
    csn.split('#').nth(2)
}
