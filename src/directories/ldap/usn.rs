// SPDX-License-Identifier: GPL-3.0-or-later
//! Changes of Active Directory, by `uSNChanged` at one domain controller (Microsoft, "Polling for Changes Using `USNChanged`").
//!
//! First everything that has changed is asked for by its number alone, deleted objects among it (MS-ADTS 3.1.1.3.4.1.14), in
//! the whole part of the tree; then what of it is a recipient. What was in the first answer alone is none, or none any more.
//! Deleted objects are for administrators to see unless others were given the right; without it a deletion shows when
//! everything is asked for next.

use super::connection::Connection;
use super::cookie::Point;
use super::mapping::guid_text;
use super::search::{Item, Question};
use super::server::{Controller, Server};
use super::{Asked, Ldap};
use crate::directories::source::{Extent, Sink, SourceError};
use ldap3::Scope;
use ldap3::controls::RawControl;
use std::collections::HashSet;

/// Shows deleted objects, too.
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
/// With each DN the object's GUID (MS-ADTS 3.1.1.3.4.1.5); the value asks for it as text.
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
const AS_TEXT: &[u8] = b"\x30\x03\x02\x01\x01";
/// Changes of which the numbers are kept; with more everything is asked for.
const MAX_CHANGES: usize = 100_000;

/// Shows deleted objects.
pub(super) fn show_deleted() -> RawControl {
    RawControl { ctype: SHOW_DELETED.into(), crit: false, val: None }
}

/// What DNs of members come with.
pub(super) fn extended_dn() -> RawControl {
    RawControl { ctype: EXTENDED_DN.into(), crit: false, val: Some(AS_TEXT.into()) }
}

/// Where the next sync goes on.
pub(super) fn point(controller: Controller) -> Point {
    let Controller { service, invocation, usn } = controller;
    Point::Controller { service, invocation, usn }
}

/// Asks for what has changed at a controller.
pub(super) async fn changes(
    ldap: &Ldap,
    connection: &mut Connection,
    server: &Server,
    since: &Point,
    asked: &mut Asked,
    sink: &mut dyn Sink,
) -> Result<(Extent, Point), SourceError> {
    let controller = connection.controller(server).await?.ok_or(SourceError::Resync)?;
    let Point::Controller { service, invocation, usn } = since else { return Err(SourceError::Resync) };
    if *service != controller.service || *invocation != controller.invocation || controller.usn < *usn {
        return Err(SourceError::Resync);
    }
    let newer = format!("(uSNChanged>={})", usn.saturating_add(1));
    let mut changed = HashSet::new();
    let contexts: HashSet<String> = ldap.config.base.iter().map(|base| server.context(base)).collect();
    for context in contexts {
        let question = Question {
            base: context,
            scope: Scope::Subtree,
            filter: newer.as_str().into(),
            attributes: ["objectGUID".to_owned()].into(),
            controls: vec![show_deleted()],
            pages: Some(ldap.pages(server)),
        };
        let mut search = connection.search(question).await?;
        while let Some(item) = connection.next(&mut search).await? {
            let Item::Entry(found, _) = item else { continue };
            let guid = found.entry.values("objectGUID").first().and_then(|guid| guid_text(guid));
            // Without its number nobody could say that it is gone.
            changed.insert(guid.ok_or(SourceError::Resync)?);
            if changed.len() > MAX_CHANGES {
                return Err(SourceError::Resync);
            }
        }
    }
    if changed.is_empty() {
        return Ok((Extent::Nothing, point(controller)));
    }
    let filter = format!("(&{newer}{})", ldap.schema.filter());
    for base in &ldap.config.base {
        let mut search = connection.search(ldap.question(base, &filter, server)).await?;
        while let Some(item) = connection.next(&mut search).await? {
            let Item::Entry(found, _) = item else { continue };
            let entry = connection.complete(found, &ldap.controls()).await?;
            let key = ldap.schema.key(&entry).ok_or(SourceError::Resync)?;
            // One that is passed over is none any more.
            if ldap.schema.tell(&entry, None, sink)? {
                changed.remove(&key);
            } else {
                changed.insert(key);
            }
        }
        asked.note(search);
    }
    for key in &changed {
        sink.removed(key)?;
    }
    Ok((Extent::Changes, point(controller)))
}
